// A few threads for work that would keep a connection's thread from its other connections: reading an import, writing a large plan, reading
// files for lists, histories and old changes, and waiting for the database.
//
//   BackgroundPool background;
//   co_await background.run([&] { page = ledger.list_reservations(…); });
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

namespace holdfast::api {

class BackgroundPool {
 public:
  static constexpr std::size_t k_threads = 2;
  static constexpr std::size_t k_threads_that_wait = 8;   // for a ledger that does not have everything in memory

  explicit BackgroundPool(std::size_t threads = k_threads) : pool_(std::in_place, threads) {}

  // Runs `work` on one of the pool's threads, then resumes the coroutine on its own. `work` must not throw.
  template <typename Work>
  boost::asio::awaitable<void> run(Work work) {
    const auto home = co_await boost::asio::this_coro::executor;
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [&](auto handler) {
          boost::asio::post(*pool_, [home, work = std::move(work), handler = std::move(handler)]() mutable {
            work();
            boost::asio::post(home, std::move(handler));
          });
        },
        boost::asio::use_awaitable);
  }

  // Finishes the work that is running and drops the work that is queued; the coroutines that wait for it are destroyed. Call it after the
  // threads of their contexts have ended, and before the contexts are destroyed. Safe to call twice.
  void stop() {
    if (!pool_) return;
    pool_->stop();
    pool_->join();
    pool_.reset();   // drops the queued work, which owns coroutines that unwind through their contexts
  }

 private:
  std::optional<boost::asio::thread_pool> pool_;   // nothing after stop()
};

}   // namespace holdfast::api
