// The simulated node keeps its promises under fixed seeds and under new ones, and a seed repeats exactly.
#include "simulation/simulation.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

namespace holdfast::simulation {
namespace {

constexpr std::chrono::seconds k_time_for_new_seeds{HOLDFAST_NEW_SEEDS_SECONDS};   // CMakeLists.txt
constexpr std::uint64_t k_fixed_seeds = 20;

testing::AssertionResult keeps_its_promises(const Report& report) {
  if (report.failure.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "seed " << report.seed << ", step " << report.step << ": " << report.failure
                                     << "\nrepeat it step by step with: ./dev simulate --seed " << report.seed << " --tell";
}

TEST(Simulation, KeepsAllPromisesUnderFixedSeedsAndMeetsEveryKindOfFault) {
  Report all;
  for (std::uint64_t seed = 1; seed <= k_fixed_seeds; ++seed) {
    const Report report = run({.seed = seed});
    ASSERT_TRUE(keeps_its_promises(report));
    all.add(report);
  }
  for (const char* fault : {"process killed",
                            "power lost",
                            "sectors lost",
                            "write error of journal.db-wal",
                            "disk full of journal.db-wal",
                            "sync error of journal.db-wal",
                            "sync error of state.db-wal",
                            "read error of state.db",
                            "torn write of journal.head",
                            "bit rot of journal.db",
                            "bit rot of state.db",
                            "loss of journal.db",
                            "loss of journal.head",
                            "write error of a segment",
                            "torn write of a segment",
                            "sync error of a segment",
                            "disk full of a segment",
                            "read error of a segment",
                            "bit rot of a segment",
                            "loss of a segment",
                            "two segments swapped"}) {
    EXPECT_GT(all.faults[fault], 0u) << fault;
  }
}

TEST(Simulation, KeepsAllPromisesUnderNewSeeds) {
  const auto end = std::chrono::steady_clock::now() + k_time_for_new_seeds;
  std::uint64_t seed = std::random_device{}();
  while (std::chrono::steady_clock::now() < end) ASSERT_TRUE(keeps_its_promises(run({.seed = seed++})));
}

TEST(Simulation, TheSameSeedDoesTheSame) {
  for (const std::uint64_t seed : {3u, 4u, 5u}) {
    const Report first = run({.seed = seed});
    const Report second = run({.seed = seed});
    EXPECT_EQ(first.digest, second.digest);
    EXPECT_EQ(first.faults, second.faults);
    EXPECT_EQ(first.met, second.met);
    EXPECT_NE(first.digest, run({.seed = seed + 100}).digest);
  }
}

}   // namespace
}   // namespace holdfast::simulation
