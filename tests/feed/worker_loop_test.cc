// The thread of a job: when it runs, when it waits, and that it always ends.
#include "feed/worker_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/waiting.h"

namespace holdfast::feed {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using test::eventually;
using testing::ElementsAre;

const auto k_report_nothing = [](const std::exception&) {};

TEST(BackOff, DoublesUpToItsLimitAndStartsOverAfterASuccess) {
  BackOff back_off(100ms, 350ms);
  EXPECT_EQ(back_off.next(), 100ms);
  EXPECT_EQ(back_off.next(), 200ms);
  EXPECT_EQ(back_off.next(), 350ms);
  EXPECT_EQ(back_off.next(), 350ms);
  back_off.reset();
  EXPECT_EQ(back_off.next(), 100ms);
}

TEST(BackOff, WithJitterCutsAPauseByAtMostHalf) {
  std::set<milliseconds> pauses;
  for (int i = 0; i < 1'000; ++i) pauses.insert(BackOff(100ms, 100ms, BackOff::Jitter::half).next());
  EXPECT_GE(*pauses.begin(), 50ms);
  EXPECT_LE(*pauses.rbegin(), 100ms);
  EXPECT_GT(pauses.size(), 10u);
}

TEST(WorkerLoop, RunsItsJobAgainAtOnceUntilItIsStopped) {
  std::atomic<int> runs{0};
  std::atomic<bool> has_ended{false};
  WorkerLoop loop("test", BackOff(1h, 1h));
  loop.start({.run =
                  [&] {
                    if (++runs % 2 == 0) throw WorkerLoop::RunEnded{};
                  },
              .failed = [](const std::exception&) { ADD_FAILURE() << "the end of a run is no error"; },
              .ended = [&] { has_ended = true; }});
  EXPECT_TRUE(eventually([&] { return runs >= 10; }));
  EXPECT_FALSE(has_ended);
  loop.stop();
  EXPECT_TRUE(has_ended);
  const int after = runs;
  loop.stop();
  EXPECT_EQ(runs, after);
}

TEST(WorkerLoop, ReportsEachErrorAndGoesOn) {
  std::mutex mutex;
  std::vector<std::string> errors;
  std::atomic<int> runs{0};
  WorkerLoop loop("test", BackOff(1ms, 2ms));
  loop.start({.run =
                  [&] {
                    if (++runs == 1) throw std::runtime_error("first");
                    if (runs == 2) throw std::logic_error("second");
                    loop.wait(1h);
                  },
              .failed =
                  [&](const std::exception& error) {
                    const std::scoped_lock lock(mutex);
                    errors.emplace_back(error.what());
                  }});
  EXPECT_TRUE(eventually([&] { return runs == 3; }));
  loop.stop();
  EXPECT_THAT(errors, ElementsAre("first", "second"));
}

TEST(WorkerLoop, WaitsLongerAfterEachError) {
  std::vector<test::Clock::time_point> begins;   // written by the job's thread until the loop has ended
  std::atomic<int> runs{0};
  WorkerLoop loop("test", BackOff(20ms, 10s));
  loop.start({.run =
                  [&] {
                    begins.push_back(test::Clock::now());
                    ++runs;
                    throw std::runtime_error("again");
                  },
              .failed = k_report_nothing});
  EXPECT_TRUE(eventually([&] { return runs >= 4; }));
  loop.stop();
  EXPECT_GE(begins[1] - begins[0], 20ms);
  EXPECT_GE(begins[2] - begins[1], 40ms);
  EXPECT_GE(begins[3] - begins[2], 80ms);
}

TEST(WorkerLoop, WaitsTheFirstPauseAfterAnErrorOfAJobThatHasWorked) {
  std::atomic<int> runs{0};
  WorkerLoop loop("test", BackOff(1ms, 1h));
  loop.start({.run =
                  [&] {
                    loop.worked();
                    ++runs;
                    throw std::runtime_error("again");
                  },
              .failed = k_report_nothing});
  EXPECT_TRUE(eventually([&] { return runs >= 30; })) << "thirty pauses that doubled would take days";
}

TEST(WorkerLoop, IsStoppedWhileItsJobWaits) {
  std::atomic<bool> waits{false};
  std::atomic<bool> saw_the_stop{false};
  WorkerLoop loop("test", BackOff(1h, 1h));
  loop.start({.run =
                  [&] {
                    waits = true;
                    loop.wait(1h);
                    saw_the_stop = loop.stopping();
                  },
              .failed = k_report_nothing});
  EXPECT_TRUE(eventually([&] { return waits.load(); }));
  loop.stop();
  EXPECT_TRUE(saw_the_stop);
}

TEST(WorkerLoop, IsStoppedWhileItBacksOff) {
  std::atomic<bool> has_failed{false};
  WorkerLoop loop("test", BackOff(1h, 1h));
  loop.start({.run = [] { throw std::runtime_error("an error"); }, .failed = [&](const std::exception&) { has_failed = true; }});
  EXPECT_TRUE(eventually([&] { return has_failed.load(); }));
  loop.stop();
}

TEST(WorkerLoop, IsStoppedBySeveralThreadsAtOnceAndEachReturnsAfterTheEnd) {
  std::atomic<bool> has_ended{false};
  WorkerLoop loop("test", BackOff(1ms, 1ms));
  loop.start({.run = [&] { loop.wait(1h); }, .failed = k_report_nothing, .ended = [&] { has_ended = true; }});
  std::vector<std::thread> stoppers;
  for (int i = 0; i < 4; ++i) {
    stoppers.emplace_back([&] {
      loop.stop();
      EXPECT_TRUE(has_ended);
    });
  }
  for (std::thread& each : stoppers) each.join();
}

TEST(WorkerLoop, ThatWasNotStartedIsStopped) {
  WorkerLoop loop("test", BackOff(1ms, 1ms));
  loop.stop();
  EXPECT_TRUE(loop.stopping());
}

TEST(WorkerLoop, TakesNewsOnceAndNotInAPlainWait) {
  std::atomic<int> woken{0};
  std::atomic<bool> waits{false};
  WorkerLoop loop("test", BackOff(1h, 1h));
  EXPECT_TRUE(loop.wake());
  EXPECT_FALSE(loop.wake()) << "the first has not been taken";
  loop.start({.run =
                  [&] {
                    if (!waits.exchange(true)) loop.wait(1ms);
                    loop.wait_for_news(1h);
                    ++woken;
                  },
              .failed = k_report_nothing});
  EXPECT_TRUE(eventually([&] { return woken == 1; })) << "by the news from before the start";
  EXPECT_TRUE(loop.wake());
  EXPECT_TRUE(eventually([&] { return woken == 2; }));
}

}   // namespace
}   // namespace holdfast::feed
