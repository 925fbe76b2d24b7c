#include "http/address_lookup.h"

#include <pthread.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace holdfast::http {

namespace asio = boost::asio;
using asio::ip::tcp;

// One look-up. The answer is posted to the context of the coroutine that asked, if it still exists.
struct AddressLookup::Asked {
  Asked(std::string name, std::uint16_t number, asio::io_context& io, asio::steady_timer& timer)
      : host(std::move(name)), port(number), context(&io), wake(&timer) {}

  const std::string host;
  const std::uint16_t port;

  std::mutex mutex;            // guards `context`
  asio::io_context* context;   // nullptr: nobody waits any longer

  // Only the context's thread uses the rest.
  asio::steady_timer* wake;   // of the coroutine that waits; nullptr: none
  FoundAddresses found;
};

struct AddressLookup::Threads {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::weak_ptr<Asked>> asked;   // a look-up dies with the coroutine that asked
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool ended = false;

  std::shared_ptr<Asked> next() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      wake.wait(lock, [this] { return ended || !asked.empty(); });
      --idle;
      if (ended) return nullptr;
      auto question = asked.front().lock();
      asked.pop_front();
      if (question != nullptr) return question;
    }
  }
  static void answer(const std::shared_ptr<Asked>& asked);
};

namespace {

// Blocks, possibly for a long time.
FoundAddresses look_up(const std::string& host, std::uint16_t port) {
  asio::io_context unused;
  tcp::resolver resolver(unused);
  boost::system::error_code error;
  const auto entries = resolver.resolve(host, std::to_string(port), tcp::resolver::numeric_service, error);
  FoundAddresses found{.kind = FoundAddresses::Kind::found};
  for (const auto& entry : entries) found.endpoints.push_back(entry.endpoint());
  if (!error && !found.endpoints.empty()) return found;
  if (!error) error = asio::error::host_not_found;
  return {.kind = FoundAddresses::Kind::failed, .error = error};
}

}  // namespace

void AddressLookup::Threads::answer(const std::shared_ptr<Asked>& asked) {
  FoundAddresses found = look_up(asked->host, asked->port);
  const std::scoped_lock lock(asked->mutex);   // held during post(): the context exists until its coroutine has cleared `context`
  if (asked->context == nullptr) return;
  asio::post(*asked->context, [asked, found = std::move(found)]() mutable {
    if (asked->wake == nullptr) return;
    asked->found = std::move(found);
    asked->wake->cancel();
  });
}

AddressLookup::AddressLookup(asio::io_context& context) : context_(context), threads_(std::make_shared<Threads>()) {}

AddressLookup::~AddressLookup() {
  const std::scoped_lock lock(threads_->mutex);
  threads_->ended = true;
  threads_->wake.notify_all();
}

asio::awaitable<FoundAddresses> AddressLookup::find(std::string host, std::uint16_t port, std::chrono::steady_clock::time_point deadline) {
  boost::system::error_code is_name;
  const auto address = asio::ip::make_address(host, is_name);
  if (!is_name) co_return FoundAddresses{.kind = FoundAddresses::Kind::found, .endpoints = {{address, port}}};

  asio::steady_timer wake(context_, deadline);
  const auto asked = std::make_shared<Asked>(std::move(host), port, context_, wake);
  struct Leaving {
    Asked& asked;
    ~Leaving() {
      const std::scoped_lock lock(asked.mutex);
      asked.context = nullptr;
      asked.wake = nullptr;
    }
  };
  const Leaving leaving{*asked};
  {
    const std::scoped_lock lock(threads_->mutex);
    threads_->asked.push_back(asked);
    if (threads_->asked.size() > threads_->idle && threads_->threads < k_lookups_at_once) {
      std::thread([threads = threads_] {
        pthread_setname_np(pthread_self(), "lookup");
        while (const auto question = threads->next()) Threads::answer(question);
      }).detach();
      ++threads_->threads;
    }
    threads_->wake.notify_one();
  }
  co_await wake.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return std::move(asked->found);
}

}  // namespace holdfast::http
