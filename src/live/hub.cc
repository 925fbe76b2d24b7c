#include <pthread.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "core/check.h"
#include "live/event.h"
#include "live/hub.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_period_min{100};
constexpr std::chrono::milliseconds k_period_max{1'000};
constexpr int k_costs_a_period = 10;         // a tick may take a tenth of each connection's thread
constexpr std::chrono::microseconds k_slice{500};    // of a tick on a connection's thread; then requests go first
constexpr unsigned k_listeners_a_look = 16;          // between two checks of the clock
constexpr std::chrono::seconds k_memory{30};         // how long an event without listeners is kept, for clients that reconnect

const http::Chunk& comment() {
  static const http::Chunk chunk = http::chunk_of(k_comment);
  return chunk;
}

}  // namespace

// One check of all events with listeners, on its way through the connections' threads.
struct LiveTick {
  struct Job {
    std::shared_ptr<LiveEvent> event;
    bool comment;   // for listeners without an update
    bool is_draft;   // most listeners may no longer see it
    bool ends;       // for all listeners
  };
  std::vector<Job> jobs;
  std::mutex mutex;   // guards the members below
  std::condition_variable done;
  std::size_t threads_left = 0;
  Clock::duration cost{0};   // of the thread that took longest
};

// The listeners of one of the server's threads. Used by that thread only.
class LiveThread {
 public:
  LiveThread(boost::asio::io_context& context) : context_(context) {}

  boost::asio::io_context& context() { return context_; }
  void enter(Listener& listener);
  void leave(Listener& listener);

  // The progress of a tick: the event, and the next of its listeners.
  struct Position {
    std::size_t job = 0;
    std::size_t listener = 0;
    Clock::duration cost{0};
  };
  void go_on(const std::shared_ptr<LiveTick>& tick, Position at);

  // Any thread may read them.
  std::atomic<std::uint64_t> messages{0};
  std::atomic<std::uint64_t> dropped{0};

 private:
  // An event's listeners on this thread. A listener that leaves during a tick leaves a hole, so that none is skipped.
  struct Group {
    std::vector<Listener*> listeners;
    bool in_use = false;
  };

  void end_of(LiveEvent* event, Group& group);

  boost::asio::io_context& context_;
  boost::unordered_flat_map<LiveEvent*, std::unique_ptr<Group>> groups_;
};

class Listener final : public http::StreamSource {
 public:
  Listener(LiveHub& hub, LiveThread& thread, std::shared_ptr<LiveEvent> event, std::optional<Seq> last, bool sees_drafts)
      : hub_(hub), thread_(thread), event_(std::move(event)), last_(last), sees_drafts_(sees_drafts) {}
  ~Listener() override { hub_.left(*event_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  LiveEvent* event() const { return event_.get(); }

  void opened(http::StreamWriter& writer) override {
    writer_ = &writer;
    thread_.enter(*this);   // before reading the edition, so that the next one is not missed
    const LiveUpdate first = event_->first(last_);
    seq_ = first.seq;
    history_ = first.history;
    send(first.chunk != nullptr ? first : LiveUpdate{first.seq, comment(), first.history});
  }
  void writable() override { catch_up(false); }
  void closed(http::StreamEnd end) override {
    writer_ = nullptr;
    thread_.leave(*this);
    if (end == http::StreamEnd::too_slow) thread_.dropped.fetch_add(1, std::memory_order_relaxed);
  }

  bool sees_drafts() const { return sees_drafts_; }
  void end() { writer_->end(); }

  // A listener that has not read its last message is skipped, and catches up once it has.
  void catch_up(bool comment_due) {
    const LiveUpdate update = event_->since(seq_, history_);
    if (update.chunk != nullptr) send(update);
    else seq_ = update.seq;
    if (update.chunk == nullptr && comment_due) writer_->write(comment());
  }

  std::size_t place = 0;   // in its group

 private:
  void send(const LiveUpdate& update) {
    if (!writer_->write(update.chunk)) return;
    seq_ = update.seq;
    history_ = update.history;
    if (update.chunk != comment()) thread_.messages.fetch_add(1, std::memory_order_relaxed);
  }

  LiveHub& hub_;
  LiveThread& thread_;
  std::shared_ptr<LiveEvent> event_;
  std::optional<Seq> last_;
  bool sees_drafts_;
  Seq seq_ = 0;   // of the client's states, once it has read what was written
  unsigned history_ = 0;   // of the seq
  http::StreamWriter* writer_ = nullptr;
};

// ---- One thread of the server.

void LiveThread::enter(Listener& listener) {
  auto& group = groups_[listener.event()];
  if (group == nullptr) group = std::make_unique<Group>();
  listener.place = group->listeners.size();
  group->listeners.push_back(&listener);
}

void LiveThread::leave(Listener& listener) {
  Group& group = *groups_.at(listener.event());
  auto& all = group.listeners;
  HOLDFAST_CHECK(all.at(listener.place) == &listener);
  if (group.in_use) {
    all[listener.place] = nullptr;
    return;
  }
  all[listener.place] = all.back();
  all[listener.place]->place = listener.place;
  all.pop_back();
  if (all.empty()) groups_.erase(listener.event());
}

void LiveThread::go_on(const std::shared_ptr<LiveTick>& tick, Position at) {
  const auto began = Clock::now();
  unsigned looked_at = 0;
  for (; at.job < tick->jobs.size(); ++at.job, at.listener = 0) {
    const auto& [event, comment_due, is_draft, ends] = tick->jobs[at.job];
    const auto found = groups_.find(event.get());
    if (found == groups_.end()) continue;
    Group& group = *found->second;
    group.in_use = true;
    while (at.listener < group.listeners.size()) {
      if (++looked_at % k_listeners_a_look == 0 && Clock::now() - began > k_slice) {
        at.cost += Clock::now() - began;
        boost::asio::post(context_, [this, tick, at] { go_on(tick, at); });
        return;
      }
      Listener* const listener = group.listeners[at.listener++];
      if (listener == nullptr) continue;
      if (ends || (is_draft && !listener->sees_drafts())) listener->end();
      else listener->catch_up(comment_due);
    }
    end_of(event.get(), group);
  }
  at.cost += Clock::now() - began;
  const std::scoped_lock lock(tick->mutex);
  tick->cost = std::max(tick->cost, at.cost);
  --tick->threads_left;
  tick->done.notify_one();
}

void LiveThread::end_of(LiveEvent* event, Group& group) {
  group.in_use = false;
  std::erase(group.listeners, nullptr);
  for (std::size_t i = 0; i < group.listeners.size(); ++i) group.listeners[i]->place = i;
  if (group.listeners.empty()) groups_.erase(event);
}

// ---- The hub.

LiveHub::LiveHub() : period_(k_period_min) {}

LiveHub::~LiveHub() { stop(); }

void LiveHub::attach(http::Server& server, unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.push_back(std::make_unique<LiveThread>(server.context(i)));
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "live");
}

void LiveHub::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<http::StreamSource> LiveHub::listen(std::shared_ptr<const PublishedEvent> event, std::optional<Seq> last, bool sees_drafts,
                                                    boost::asio::io_context& context) {
  const auto thread = std::ranges::find_if(threads_, [&](const auto& each) { return &each->context() == &context; });
  HOLDFAST_CHECK(thread != threads_.end());
  std::shared_ptr<LiveEvent> live;
  {
    const std::scoped_lock lock(mutex_);
    if (listeners_ >= options_.listeners_max) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return nullptr;
    }
    const EventNumber number = event->card().number;
    auto found = events_.find(number);
    if (found != events_.end() && found->second->is_withdrawn()) {
      withdrawn_.push_back(std::move(found->second));
      events_.erase(found);
      found = events_.end();
    }
    if (found == events_.end()) found = events_.emplace(number, std::make_shared<LiveEvent>(std::move(event))).first;
    live = found->second;
    if (live->listeners++ == 0) {
      live->comment_at = Clock::now();
      live->advance();   // nobody has checked while nobody listened
    }
    if (listeners_++ == 0) wake_.notify_all();
  }
  return std::make_shared<Listener>(*this, **thread, std::move(live), last, sees_drafts);
}

void LiveHub::left(LiveEvent& event) {
  const std::scoped_lock lock(mutex_);
  --listeners_;
  if (--event.listeners == 0) event.left_at = Clock::now();
}

void LiveHub::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto forget_at = forget_unlistened(Clock::now());
    if (listeners_ == 0) {
      const auto goes_on = [&] { return stopping_ || listeners_ > 0; };
      if (forget_at) wake_.wait_until(lock, *forget_at, goes_on);
      else wake_.wait(lock, goes_on);
      continue;
    }
    const auto events = listened_events();
    lock.unlock();
    tick(events);
    lock.lock();
    wake_.wait_for(lock, period_.load(), [&] { return stopping_; });
  }
}

std::vector<std::shared_ptr<LiveEvent>> LiveHub::listened_events() const {
  std::vector<std::shared_ptr<LiveEvent>> listened;
  for (const auto& [number, event] : events_) {
    if (event->listeners > 0) listened.push_back(event);
  }
  listened.insert(listened.end(), withdrawn_.begin(), withdrawn_.end());
  return listened;
}

// Returns when the next event may be forgotten.
std::optional<LiveHub::Time> LiveHub::forget_unlistened(Time now) {
  std::optional<Time> next;
  std::erase_if(events_, [&](const auto& entry) {
    const LiveEvent& event = *entry.second;
    if (event.listeners > 0) return false;
    if (event.left_at + k_memory <= now) {
      event.end();
      return true;
    }
    next = std::min(next.value_or(Time::max()), event.left_at + k_memory);
    return false;
  });
  std::erase_if(withdrawn_, [](const auto& event) {
    if (event->listeners > 0) return false;
    event->end();
    return true;
  });
  return next;
}

void LiveHub::tick(const std::vector<std::shared_ptr<LiveEvent>>& events) {
  const auto tick = std::make_shared<LiveTick>();
  const auto now = Clock::now();
  for (const auto& event : events) {
    const bool has_news = event->advance();
    const bool comment_due = event->comment_at + options_.comment_period <= now;
    if (comment_due) event->comment_at = now;
    const bool is_draft = event->is_draft();
    const bool ends = event->is_withdrawn();
    if (has_news || comment_due || is_draft || ends) tick->jobs.push_back({event, comment_due, is_draft, ends});
    if (has_news) editions_.fetch_add(1, std::memory_order_relaxed);
  }
  if (!tick->jobs.empty()) hand_out(tick);
  const auto wanted = std::chrono::ceil<std::chrono::milliseconds>(tick->cost * k_costs_a_period);
  period_ = std::clamp(wanted, k_period_min, k_period_max);
}

// Waits until all threads are done, so that ticks never pile up.
void LiveHub::hand_out(const std::shared_ptr<LiveTick>& tick) {
  tick->threads_left = threads_.size();
  for (const auto& thread : threads_) {
    boost::asio::post(thread->context(), [thread = thread.get(), tick] { thread->go_on(tick, {}); });
  }
  std::unique_lock lock(tick->mutex);
  while (!tick->done.wait_for(lock, k_period_min, [&] { return tick->threads_left == 0; })) {
    const std::scoped_lock hub_lock(mutex_);
    if (stopping_) return;   // the threads are gone
  }
}

LiveStats LiveHub::stats() const {
  LiveStats stats{.listeners = 0,
                  .refused = refused_.load(std::memory_order_relaxed),
                  .editions = editions_.load(std::memory_order_relaxed),
                  .messages = 0,
                  .dropped = 0,
                  .period = period_.load()};
  for (const auto& thread : threads_) {
    stats.messages += thread->messages.load(std::memory_order_relaxed);
    stats.dropped += thread->dropped.load(std::memory_order_relaxed);
  }
  const std::scoped_lock lock(mutex_);
  stats.listeners = listeners_;
  return stats;
}

}  // namespace holdfast
