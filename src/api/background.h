// A few threads for work that would keep a connection's thread from its other connections: reading an import, writing a large
// plan.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace holdfast::api {

class BackgroundPool {
 public:
  // With a ledger that has not everything in memory, more of them wait for it.
  static constexpr std::size_t k_threads = 2;
  static constexpr std::size_t k_threads_that_wait = 8;

  explicit BackgroundPool(std::size_t threads = k_threads) : pool_(threads) {}

  // Runs `work` on one of the pool's threads and goes on, on the coroutine's own, when it is done. `work` must not throw.
  template <typename Work>
  boost::asio::awaitable<void> run(Work work) {
    const auto home = co_await boost::asio::this_coro::executor;
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [&](auto handler) {
          boost::asio::post(pool_, [home, work = std::move(work), handler = std::move(handler)]() mutable {
            work();
            boost::asio::post(home, std::move(handler));
          });
        },
        boost::asio::use_awaitable);
  }

  void stop() {
    pool_.stop();
    pool_.join();
  }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace holdfast::api
