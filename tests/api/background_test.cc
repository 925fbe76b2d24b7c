// Work on background threads, and its fate at a stop.
#include "api/background.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace holdfast::api {
namespace {

namespace asio = boost::asio;

// Something that a request keeps while it waits.
struct Kept {
  explicit Kept(int& kept_by_requests) : count(kept_by_requests) { ++count; }
  ~Kept() { --count; }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  int& count;
};

TEST(Background, ACoroutineGoesOnOnItsOwnThread) {
  asio::io_context context;
  BackgroundPool pool(1);
  std::thread::id worked;
  std::thread::id went_on;
  const auto request = [&]() -> asio::awaitable<void> {
    co_await pool.run([&] { worked = std::this_thread::get_id(); });
    went_on = std::this_thread::get_id();
  };
  asio::co_spawn(context, request(), asio::detached);
  auto work = asio::make_work_guard(context);
  while (went_on == std::thread::id{}) context.run_one();
  EXPECT_NE(worked, std::this_thread::get_id());
  EXPECT_EQ(went_on, std::this_thread::get_id());
}

// A stop comes while more is queued than will ever begin. None of it may outlive the stop: it would end later, when everything
// that it uses is destroyed.
TEST(Background, AStopEndsAllThatStillWait) {
  constexpr int k_requests = 20'000;
  int kept = 0;
  asio::io_context context;
  BackgroundPool pool(1);
  std::atomic<bool> stopping{false};
  const auto request = [&]() -> asio::awaitable<void> {
    const Kept state(kept);
    co_await pool.run([&] { stopping.wait(false); });
  };
  for (int i = 0; i < k_requests; ++i) asio::co_spawn(context, request(), asio::detached);
  context.poll();
  ASSERT_EQ(kept, k_requests);
  stopping = true;
  stopping.notify_all();
  pool.stop();
  context.restart();
  context.poll();   // finished work continues, the rest unwinds: both through the context
  EXPECT_EQ(kept, 0);
}

}  // namespace
}  // namespace holdfast::api
