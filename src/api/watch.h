// Waiting for changes without a thread, and without asking again and again: for long polls, and for whoever streams changes.
//
//   Watch watch(ledger);
//   watch.attach(context);                                       // each thread of the HTTP server, before it starts
//   Engine engine(ledger, options, [&](const Round&) { watch.on_round(); });
//
//   // in a coroutine on one of these threads:
//   const auto waited = co_await watch.for_event(event, after, deadline);
//   if (waited == Watch::Result::full) …503…                     // otherwise look: there is something, or the time is over
//
// The engine's worker pays an atomic load a round while nobody waits. While somebody does, it posts at most one wake-up to each thread
// that has waiters; the thread then looks at the events that are waited for, each once, however many wait for it.
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
    news,    // there is what was waited for
    over,    // the deadline has passed, or end() was called
    full,    // too many wait already; nothing was waited for
  };
  static constexpr std::size_t k_waiters_max = 10'000;   // over all threads; each is a coroutine and a timer

  explicit Watch(const Ledger& ledger, std::size_t waiters_max = k_waiters_max);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Before any of the calls below.
  void attach(boost::asio::io_context& context);

  // Waits until `event` has a change after `after`; until the ledger's progress() is over `seen`. On a thread of an attached context. At
  // once when it is so already. A coroutine that is destroyed while it waits waits no longer.
  boost::asio::awaitable<Result> for_event(std::shared_ptr<const PublishedEvent> event, Seq after, Clock::time_point deadline);
  boost::asio::awaitable<Result> for_progress(std::uint64_t seen, Clock::time_point deadline);

  // Something has been published. Any thread; cheap.
  void on_round();
  // Whoever waits goes on at once, and nobody waits from here on: the server is stopping. Any thread.
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
  std::vector<std::unique_ptr<Post>> posts_;   // one a thread
};

}  // namespace holdfast::api
