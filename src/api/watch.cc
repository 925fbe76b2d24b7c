#include "api/watch.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <set>

#include "core/check.h"

namespace holdfast::api {
namespace asio = boost::asio;

// Lives in the frame of the waiting coroutine.
struct Watch::Waiter {
  asio::steady_timer timer;   // expires at the deadline; cancelled when there is a change
  std::uint64_t after;
};

// The waiters of one thread. Only that thread uses it, except for wake().
class Watch::Post {
 public:
  Post(Watch& watch, asio::io_context& context) : watch_(watch), context_(context) {}

  asio::io_context& context() { return context_; }

  void enter(const PublishedEvent* event, Waiter& waiter) {
    watched_[event].insert({waiter.after, &waiter});
    ++count_;
  }
  void leave(const PublishedEvent* event, Waiter& waiter) {
    const auto at = watched_.find(event);
    at->second.erase({waiter.after, &waiter});
    if (at->second.empty()) watched_.erase(at);
    --count_;
  }

  // Has the thread look for changes that were published before this call. Any thread.
  void wake() {
    if (count_.load() == 0 || posted_.exchange(true)) return;
    asio::post(context_, [this] {
      posted_.exchange(false);   // an exchange, not a store: it must see everything that was published before the wake-up
      look();
    });
  }

 private:
  void look() {
    for (auto& [event, waiters] : watched_) {
      const std::uint64_t now = event == nullptr ? watch_.ledger_.progress() : event->seq();
      for (const auto& [after, waiter] : waiters) {
        if (after >= now && !watch_.ended_) break;
        waiter->timer.cancel();   // its coroutine resumes and leaves after this turn of the event loop
      }
    }
  }

  Watch& watch_;
  asio::io_context& context_;
  // By event (nullptr: all events), the waiters with the lowest `after` first. The waiters keep the event alive.
  std::map<const PublishedEvent*, std::set<std::pair<std::uint64_t, Waiter*>>> watched_;
  std::atomic<std::size_t> count_{0};
  std::atomic<bool> posted_{false};
};

Watch::Watch(const Ledger& ledger, std::size_t waiters_max) : ledger_(ledger), waiters_max_(waiters_max) {}

Watch::~Watch() = default;

void Watch::attach(asio::io_context& context) { posts_.push_back(std::make_unique<Post>(*this, context)); }

Watch::Post& Watch::post_of(asio::io_context& context) {
  for (const auto& post : posts_) {
    if (&post->context() == &context) return *post;
  }
  HOLDFAST_CHECK(false && "a thread that is not attached");
}

asio::awaitable<Watch::Result> Watch::for_event(std::shared_ptr<const PublishedEvent> event, Seq after, Clock::time_point deadline) {
  return wait(std::move(event), after, deadline);
}

asio::awaitable<Watch::Result> Watch::for_progress(std::uint64_t seen, Clock::time_point deadline) { return wait(nullptr, seen, deadline); }

asio::awaitable<Watch::Result> Watch::wait(std::shared_ptr<const PublishedEvent> event, std::uint64_t after, Clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  Post& post = post_of(static_cast<asio::io_context&>(asio::query(executor, asio::execution::context)));
  const auto has_news = [&] { return (event == nullptr ? ledger_.progress() : event->seq()) > after; };

  if (has_news()) co_return Result::news;
  if (ended_ || deadline <= Clock::now()) co_return Result::over;

  struct Place {
    std::atomic<std::size_t>& waiters;
    bool taken;
    Place(std::atomic<std::size_t>& all, std::size_t most) : waiters(all), taken(all.fetch_add(1) < most) {}
    ~Place() { waiters.fetch_sub(1); }
  };
  const Place place(waiters_, waiters_max_);
  if (!place.taken) co_return Result::full;

  struct Entered {
    Post& post;
    const PublishedEvent* event;
    Waiter waiter;
    Entered(Post& at, const PublishedEvent* watched, Clock::time_point until, std::uint64_t seen)
        : post(at), event(watched), waiter{asio::steady_timer(at.context(), until), seen} {
      post.enter(event, waiter);
    }
    ~Entered() { post.leave(event, waiter); }
  };
  Entered entered(post, event.get(), deadline, after);
  // Checked again, because only changes that are published after enter() wake the waiter.
  if (!has_news() && !ended_) co_await entered.waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return has_news() ? Result::news : Result::over;
}

void Watch::on_round() {
  if (waiters_.load() > 0) wake_all_posts();
}

void Watch::end() {
  ended_ = true;
  wake_all_posts();
}

void Watch::wake_all_posts() {
  for (const auto& post : posts_) post->wake();
}

}  // namespace holdfast::api
