// Lets coroutines wait for changes without a thread of their own and without polling: for long polls and streams.
//
//   Watch watch(ledger);
//   watch.attach(context);                                       // each thread of the HTTP server, before it starts
//   Engine engine(ledger, options, [&](const Round&) { watch.on_round(); });
//
//   // in a coroutine on one of these threads:
//   const auto waited = co_await watch.for_event(event, after, deadline);
//   if (waited == Watch::Result::full) …503…                     // otherwise read: there are changes, or the time is over
//
// Without waiters, the engine's worker pays one atomic load per round. With waiters, it posts at most one wake-up to each thread that has
// some. The thread then looks once at each event that has waiters.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "ledger/ledger.h"

namespace holdfast::api {

class Watch {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Result {
    news,    // there is a change
    over,    // the deadline has passed, or end() was called
    full,    // too many coroutines wait already; this one did not wait
  };
  static constexpr std::size_t k_waiters_max = 10'000;   // over all threads; each is a coroutine and a timer

  explicit Watch(const Ledger& ledger, std::size_t waiters_max = k_waiters_max);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Before any of the calls below.
  void attach(boost::asio::io_context& context);

  // Waits until `event` has a change after `after`, or until the ledger's progress() exceeds `seen`. Returns at once if that is so already.
  // On a thread of an attached context. A coroutine may be destroyed while it waits.
  boost::asio::awaitable<Result> for_event(std::shared_ptr<const PublishedEvent> event, Seq after, Clock::time_point deadline);
  boost::asio::awaitable<Result> for_progress(std::uint64_t seen, Clock::time_point deadline);

  // Changes have been published. Any thread; cheap.
  void on_round();
  // The server is stopping: resumes all waiters, and later calls return at once. Any thread.
  void end();

  std::size_t waiters() const { return waiters_.load(std::memory_order_relaxed); }

 private:
  struct Waiter;
  class Post;

  Post& post_of(boost::asio::io_context& context);
  boost::asio::awaitable<Result> wait(std::shared_ptr<const PublishedEvent> event, std::uint64_t after, Clock::time_point deadline);
  void wake_all_posts();

  const Ledger& ledger_;
  const std::size_t waiters_max_;
  std::atomic<std::size_t> waiters_{0};
  std::atomic<bool> ended_{false};
  std::vector<std::unique_ptr<Post>> posts_;   // one per thread
};

}   // namespace holdfast::api
