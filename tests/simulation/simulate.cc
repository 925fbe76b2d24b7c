// Simulates node after node, each under its own seed, until the time is over or a promise is broken.
//
//   simulate --seconds 60          new seeds
//   simulate --seed 17 --tell      one seed, step by step
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <random>

#include "simulation/simulation.h"

namespace {

using holdfast::simulation::Report;
using holdfast::simulation::Settings;

struct Wish {
  std::optional<std::uint64_t> seed;
  std::uint64_t first = 0;
  std::uint64_t seeds = 0;   // 0: until the time is over
  double seconds = 10;
  Settings settings;
};

void print(const Report& all, std::uint64_t runs, double seconds) {
  fmt::print("{} seeds, {} rounds with {} commands in {:.1f} s ({:.0f} commands/s), {} starts, {} changes followed\n", runs, all.rounds,
             all.commands, seconds, static_cast<double>(all.commands) / seconds, all.lives, all.changes);
  for (const auto& [fault, count] : all.faults) fmt::print("  {:8} {}\n", count, fault);
}

int simulate(const Wish& wish) {
  const auto began = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  Report all;
  std::uint64_t runs = 0;
  std::uint64_t seed = wish.seed.value_or(wish.first);
  do {
    Settings settings = wish.settings;
    settings.seed = seed++;
    const Report report = holdfast::simulation::run(settings);
    all.add(report);
    ++runs;
    if (!report.failure.empty()) {
      print(all, runs, passed());
      fmt::print("FAILED: seed {}, step {}: {}\nrepeat it step by step with: ./dev simulate --seed {} --tell\n", report.seed, report.step,
                 report.failure, report.seed);
      return 1;
    }
    if (wish.seed) fmt::print("seed {}: digest {:016x}\n", report.seed, report.digest);
  } while (!wish.seed && (wish.seeds > 0 ? runs < wish.seeds : passed() < wish.seconds));
  print(all, runs, passed());
  for (const auto& [name, count] : all.met) {
    if (wish.settings.is_told) fmt::print("  {:8} {}\n", count, name);
  }
  return 0;
}

}   // namespace

int main(int argc, char** argv) {
  Wish wish;
  wish.first = std::random_device{}();
  CLI::App app("Simulates the embedded node under seeds.");
  app.add_option("--seed", wish.seed, "Only this seed");
  app.add_option("--from", wish.first, "The first of the seeds; otherwise a random one");
  app.add_option("--seeds", wish.seeds, "This number of seeds, instead of a time");
  app.add_option("--seconds", wish.seconds, "Seeds for this time; 10 by default");
  app.add_option("--steps", wish.settings.steps, "Steps of each seed");
  app.add_flag("--segments", wish.settings.only_segments, "Only nodes whose journal is in segment files");
  app.add_flag("--tell", wish.settings.is_told, "Print every step");
  CLI11_PARSE(app, argc, argv);
  return simulate(wish);
}
