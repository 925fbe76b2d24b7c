#include "api/gateway.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <functional>

namespace holdfast::api {
namespace asio = boost::asio;

// Lives in the frame of the coroutine that calls ask().
struct Gateway::Asking : Task {
  std::move_only_function<void()> continue_;   // small enough to need no memory of its own
  bool turned_away = false;   // the queue was full
};

asio::awaitable<std::optional<Verdict>> Gateway::ask(Submission submission) {
  Asking asking;
  asking.entry.submission = std::move(submission);
  asking.outbox = this;
  // Deferred: with use_awaitable, the operation would have a coroutine's frame of its own.
  co_await asio::async_initiate<const asio::deferred_t&, void()>(
      [this, &asking](auto handler) {
        asking.continue_ = std::move(handler);
        if (first_ == nullptr) {
          first_ = &asking;
          asio::post(context_, [this] { flush(); });
        } else {
          last_->next = &asking;
        }
        last_ = &asking;
      },
      asio::deferred);
  if (asking.turned_away) co_return std::nullopt;
  co_return std::move(asking.entry.verdict);
}

void Gateway::flush() {
  Task* refused = engine_.submit(std::exchange(first_, nullptr));
  last_ = nullptr;
  for (Task* task = refused; task != nullptr; task = task->next) static_cast<Asking*>(task)->turned_away = true;
  resume(refused);
}

// Verdicts on their way to their thread. If the thread has ended, this destroys the coroutines that wait for them; nothing else would.
class Gateway::Delivered {
 public:
  explicit Delivered(Task* first) : first_(first) {}
  Delivered(Delivered&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
  Delivered(const Delivered&) = delete;
  Delivered& operator=(const Delivered&) = delete;
  Delivered& operator=(Delivered&&) = delete;
  ~Delivered() {
    while (first_ != nullptr) {
      auto* asking = static_cast<Asking*>(first_);
      first_ = first_->next;
      const auto ended = std::move(asking->continue_);   // which owns the frame that `asking` is in
    }
  }
  void operator()() { resume(std::exchange(first_, nullptr)); }

 private:
  Task* first_;
};

void Gateway::deliver(Task* first) { asio::post(context_, Delivered(first)); }

void Gateway::resume(Task* first) {
  while (first != nullptr) {
    auto* asking = static_cast<Asking*>(first);
    first = first->next;   // the task is gone when its coroutine goes on
    auto go_on = std::move(asking->continue_);
    go_on();
  }
}

}  // namespace holdfast::api
