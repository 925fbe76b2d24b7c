#include "feed/webhooks/relay.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <iterator>

#include "core/check.h"
#include "ledger/embedded/clock.h"

namespace holdfast::feed {
namespace {

namespace asio = boost::asio;
using Steady = std::chrono::steady_clock;

constexpr unsigned k_status_gone = 410;

std::string message_id(const SourceChange& change, const Uuid& endpoint) {
  return to_string(change.event) + "_" + std::to_string(change.seq) + "_" + to_string(endpoint);
}

// Messages of a group are sent one after the other.
std::string group_of(const SourceChange& change) { return to_string(change.reservation.value_or(change.event)); }

std::string message_body(const SourceChange& change) {
  std::string body = R"({"type":")";
  body.append(name_of(change.kind)).append(R"(","timestamp":")");
  append_rfc3339(body, change.at);
  body.append(R"(","data":)").append(change.json).append(1, '}');
  return body;
}

}  // namespace

std::chrono::nanoseconds time_since_boot() { return std::chrono::nanoseconds(SystemClockSource().boot_ns()); }

Relay::Relay(RelayShared& shared, std::shared_ptr<Tenure> tenure, const Uuid& id)
    : shared_(shared), tenure_(std::move(tenure)), id_(id), timer_(shared.context), random_(std::random_device{}()) {}

void Relay::news() {
  if (std::exchange(at_end_, false)) behind_since_ = Steady::now();
  wake();
}

void Relay::wake() {
  if (waking_) return;
  waking_ = true;
  asio::post(shared_.context, [self = shared_from_this()] {
    self->waking_ = false;
    self->guarded([&] { self->work(); });
  });
}

void Relay::reload() {
  guarded([&] {
    if (!loaded_) return;
    refresh();
    if (gone_) return;
    queue_ = shared_.store.queue(id_);
    next_due_ = 0;
    at_end_ = false;
  });
  wake();
}

// After the answer to a change of the endpoint, no message may be sent to the endpoint as it was.
void Relay::refresh() {
  const std::uint64_t generation = shared_.generation;
  if (generation == generation_) return;
  const auto report = shared_.store.find(id_);
  gone_ = !report;
  if (report) endpoint_ = report->endpoint;
  generation_ = generation;
}

void Relay::stop() {
  stopped_ = true;
  guarded([&] { save(true); });
}

// Runs `body`. If the store or the source fails, the relay starts again from the store after a pause. A tenure that is over is not continued.
void Relay::guarded(const std::function<void()>& body) {
  if (tenure_->is_over()) return;
  try {
    body();
  } catch (const LeaseLost& lost) {
    if (!std::exchange(tenure_->lost, true)) spdlog::warn("webhooks: another node relays now: {}", lost.what());
  } catch (const std::exception& error) {
    // Logged once when it begins; work() logs when it is over.
    const auto level = troubles_++ == 0 ? spdlog::level::err : spdlog::level::debug;
    spdlog::log(level, "webhook {}: {}. It is retried every {} ms", to_string(id_), error.what(), k_trouble_pause.count());
    begin_again_ = true;
    not_before_ = Steady::now() + k_trouble_pause;
    arm_timer();
  }
}

void Relay::load() {
  generation_ = shared_.generation;
  const auto report = shared_.store.find(id_);
  gone_ = !report;
  if (gone_) return;
  endpoint_ = report->endpoint;
  queue_ = shared_.store.queue(id_);
  read_to_ = endpoint_.position;
  window_.clear();
  window_base_ = 0;
  window_bytes_ = 0;
  groups_.clear();
  ready_.clear();
  unsaved_ = {};
  next_due_ = 0;
  if (!behind_since_) behind_since_ = Steady::now();
  at_end_ = false;
  loaded_ = true;
  begin_again_ = false;
}

void Relay::work() {
  if (stopped_ || gone_) return;
  if (Steady::now() < not_before_) return arm_timer();
  if (begin_again_ && active_ > 0) return;   // the last one wakes this relay
  if (begin_again_ || !loaded_) load();
  if (gone_) return;
  if (endpoint_.enabled) {
    take_due();
    read_changes();
    start_sending();
  }
  // If the receiver does not accept what was read, the relay cannot read on, and nothing here is late.
  const bool may_read = endpoint_.enabled && window_.size() < k_window_max && window_bytes_ < k_window_bytes_max && !queue_is_full();
  if (at_end_ || !may_read) behind_since_.reset();
  save(false);
  if (const auto troubles = std::exchange(troubles_, 0); troubles > 0) {
    spdlog::warn("webhook {}: works again, after {} failed attempts", to_string(id_), troubles);
  }
  arm_timer();
}

// ---------------------------------------------------------------------------------------------------------------- reading changes

void Relay::take_due() {
  const Millis now = shared_.options.clock();
  if (next_due_ > now) return;
  for (std::string& name : shared_.store.due_groups(id_, now, k_due_groups_max)) {
    if (const auto busy = groups_.find(name); busy != groups_.end()) {
      busy->second.is_due_again = true;
      continue;
    }
    Group group{.messages = {}, .from_queue = true};
    for (QueuedMessage& message : shared_.store.of_group(id_, name, k_group_messages_max)) group.messages.push_back({std::move(message)});
    if (group.messages.empty()) continue;
    ready_.push_back(name);
    groups_.emplace(std::move(name), std::move(group));
  }
  next_due_ = shared_.store.next_due(id_, now);   // due groups that were not taken are taken when a group ends
}

void Relay::read_changes() {
  std::vector<Message> held_back;
  for (unsigned pages = 0; !at_end_ && window_.size() < k_window_max && window_bytes_ < k_window_bytes_max && !queue_is_full(); ++pages) {
    if (pages == k_pages_at_a_time) {
      wake();
      break;
    }
    refresh();
    SourcePage page = shared_.source.next(read_to_, k_page_changes, endpoint_.kinds);
    if (generation_ != shared_.generation) continue;   // the endpoint may want other types now
    if (page.lost) {
      shared_.counters.lost.fetch_add(1, std::memory_order_relaxed);
      spdlog::error("webhook {}: changes that were not sent are no longer in the journal. It continues with the oldest that are",
                    to_string(id_));
    }
    const bool is_whole = take_in(page, held_back);
    if (!is_whole) break;   // the rest is read again when the group has ended
    window_.push_back({page.end, false});
    settle_place(window_base_ + window_.size() - 1);
    read_to_ = std::move(page.end);
    at_end_ = page.at_end;
  }
  if (held_back.empty()) return;
  hold_back(held_back);
  wake();   // the messages in the queue have left room in memory
}

// False: the page was taken in up to a change that must wait for a group.
bool Relay::take_in(SourcePage& page, std::vector<Message>& held_back) {
  for (SourceChange& change : page.changes) {
    if (would_overtake(change)) return false;
    read_to_ = change.position;
    take_in(std::move(change), held_back);
  }
  return true;
}

// An unreadable change goes to the queue at once. If older messages of its group are in memory and fail, they would come after it there.
bool Relay::would_overtake(const SourceChange& change) const {
  if (!change.is_unreadable) return false;
  const auto group = groups_.find(group_of(change));
  return group != groups_.end() && !group->second.from_queue;
}

void Relay::take_in(SourceChange change, std::vector<Message>& held_back) {
  const std::uint64_t place = window_base_ + window_.size();
  Message message{.message = {.id = message_id(change, id_), .kind = change.kind, .group = group_of(change), .body = message_body(change)},
                  .place = place};
  window_.push_back({std::move(change.position), false});
  const std::string& name = message.message.group;
  if (change.is_unreadable) {
    message.message.body.clear();
    message.message.next_at = shared_.options.clock() + std::chrono::milliseconds(k_unreadable_first).count();
  }
  window_bytes_ += message.message.body.size();
  const bool waits = std::ranges::any_of(held_back, [&](const Message& each) { return each.message.group == name; });
  if (change.is_unreadable || waits || queue_.groups.contains(name)) {
    held_back.push_back(std::move(message));
    return;
  }
  const auto [at, is_new] = groups_.try_emplace(name);
  if (is_new) ready_.push_back(name);
  at->second.messages.push_back(std::move(message));
}

// Moves messages from memory to the queue, in their order.
void Relay::hold_back(std::vector<Message>& messages) {
  if (messages.empty()) return;
  std::vector<QueuedMessage> rows;
  rows.reserve(messages.size());
  for (Message& each : messages) rows.push_back(std::move(each.message));
  const std::vector<bool> taken = shared_.store.enqueue(tenure_->epoch, id_, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    settle_place(messages[i].place);
    window_bytes_ -= rows[i].body.size();
    if (!taken[i]) continue;
    ++queue_.messages;
    queue_.bytes += rows[i].body.size();
    ++queue_.groups[rows[i].group];
    next_due_ = std::min(next_due_, rows[i].next_at);
  }
}

// ---------------------------------------------------------------------------------------------------------------- sending

void Relay::start_sending() {
  while (may_send() && active_ < shared_.options.in_flight_max && !ready_.empty()) {
    std::string name = std::move(ready_.front());
    ready_.pop_front();
    ++active_;
    asio::co_spawn(shared_.context, deliver(std::move(name)), asio::detached);
  }
}

asio::awaitable<void> Relay::deliver(std::string name) {
  const auto self = shared_from_this();
  Group& group = groups_.at(name);
  for (;;) {
    guarded([&] { refresh(); });
    if (!may_send() || group.messages.empty()) break;
    if (group.messages.front().message.body.empty() && !complete(name, group)) continue;
    const std::string url = endpoint_.url;   // the endpoint may be changed meanwhile
    const Attempt result = co_await attempt(group.messages.front().message);
    guarded([&] {
      if (begin_again_) return;   // what is in memory is out of date
      note(result);
      result.outcome == Attempt::Outcome::delivered ? settle_first(name, group) : failed(name, group, result);
      if (result.status == k_status_gone) disable(url);
    });
  }
  end_group(name);
}

// Reads the body of the group's first message, which is due. False: it has no body, and is no longer the group's first.
bool Relay::complete(const std::string& name, Group& group) {
  bool is_complete = false;
  guarded([&] {
    QueuedMessage& message = group.messages.front().message;
    const std::string_view id = message.id;   // event_seq_endpoint
    const std::size_t end = id.find('_');
    std::optional<SourceChange> change;
    try {
      change = shared_.source.tell(parse_uuid(id.substr(0, end)).value(), std::stoull(std::string(id.substr(end + 1))));
    } catch (const std::exception& error) {
      const unsigned doublings = std::min(message.attempts, 16U);
      const auto pause = std::min<std::chrono::milliseconds>(k_unreadable_first * (1U << doublings), k_unreadable_max);
      shared_.store.postpone(tenure_->epoch, id_, message.number, message.attempts + 1, shared_.options.clock() + pause.count(),
                             std::string(error.what()).substr(0, k_error_bytes_max));
      group.messages.clear();
      return;
    }
    if (!change) {
      shared_.counters.lost.fetch_add(1, std::memory_order_relaxed);
      spdlog::error("webhook {}: message {} could not be read when it was due, and is no longer in the journal", to_string(id_), id);
      return settle_first(name, group);
    }
    if (message.kind == ChangeKind{} && (endpoint_.kinds & kind_bit(change->kind)) == 0) {   // only now its kind is known
      return settle_first(name, group);
    }
    message.body = message_body(*change);
    message.kind = change->kind;
    message.attempts = 0;   // they counted attempts to read it
    shared_.store.complete(tenure_->epoch, id_, message.number, message.kind, message.body);
    queue_.bytes += message.body.size();
    is_complete = true;
  });
  if (!is_complete && begin_again_) group.messages.clear();
  return is_complete;
}

asio::awaitable<Attempt> Relay::attempt(const QueuedMessage& message) {
  try {
    co_return co_await shared_.sender.send(sign_delivery(endpoint_, message.id, message.body, shared_.options.clock()));
  } catch (const std::exception& error) {
    co_return Attempt{.error = error.what()};
  }
}

void Relay::note(const Attempt& attempt) {
  shared_.counters.attempts[static_cast<std::size_t>(attempt.outcome)].fetch_add(1, std::memory_order_relaxed);
  if (attempt.outcome == Attempt::Outcome::delivered) {
    unsaved_.last_success_at = shared_.options.clock();
  } else {
    unsaved_.last_failure_at = shared_.options.clock();
    unsaved_.last_error = attempt.error.substr(0, k_error_bytes_max);
  }
}

// Nothing is left to do for the group's first message.
void Relay::settle_first(const std::string& name, Group& group) {
  const Message& message = group.messages.front();
  if (group.from_queue) {
    shared_.store.settle(tenure_->epoch, id_, message.message.number, shared_.options.clock());
    leave_queue(name, message.message);
  } else {
    settle_place(message.place);
    window_bytes_ -= message.message.body.size();
  }
  group.messages.pop_front();
}

// Puts the message into the queue with all later ones of its group, or keeps it there.
void Relay::failed(const std::string& name, Group& group, const Attempt& attempt) {
  if (group.from_queue) {
    fail_again(name, group.messages.front().message, attempt);
  } else {
    std::vector<Message> messages(std::make_move_iterator(group.messages.begin()), std::make_move_iterator(group.messages.end()));
    QueuedMessage& first = messages.front().message;
    first.attempts = 1;
    first.next_at = next_attempt_at(1, attempt);
    first.last_error = attempt.error.substr(0, k_error_bytes_max);
    for (std::size_t i = 1; i < messages.size(); ++i) messages[i].message.next_at = first.next_at;
    hold_back(messages);
  }
  group.messages.clear();
}

// If the URL was changed during the attempt, the answer does not concern the new one.
void Relay::disable(const std::string& url) {
  if (!shared_.store.disable(tenure_->epoch, id_, url, "The endpoint answered 410 Gone.")) return;
  if (endpoint_.url == url) endpoint_.enabled = false;
  spdlog::warn("webhook {} is disabled: its endpoint answered 410 Gone", to_string(id_));
}

void Relay::fail_again(const std::string& name, const QueuedMessage& message, const Attempt& attempt) {
  const unsigned attempts = message.attempts + 1;
  const std::string error = attempt.error.substr(0, k_error_bytes_max);
  if (attempts <= shared_.options.retry.size()) {
    shared_.store.postpone(tenure_->epoch, id_, message.number, attempts, next_attempt_at(attempts, attempt), error);
    return;
  }
  shared_.store.bury(tenure_->epoch, id_, message.number, attempts, shared_.options.clock(), error, shared_.options.dead_max);
  shared_.counters.dead.fetch_add(1, std::memory_order_relaxed);
  spdlog::warn("webhook {}: message {} is dead after {} attempts: {}", to_string(id_), message.id, attempts, error);
  leave_queue(name, message);
}

void Relay::end_group(const std::string& name) {
  const auto at = groups_.find(name);
  if (at->second.from_queue || at->second.is_due_again) next_due_ = 0;
  if (at->second.messages.empty() || begin_again_) {
    groups_.erase(at);
  } else {
    ready_.push_back(name);   // disabled meanwhile, or stopping
  }
  --active_;
  if (stopped_ && active_ == 0) {
    guarded([&] { save(true); });
    shared_.on_idle();
  }
  wake();
}

void Relay::leave_queue(const std::string& name, const QueuedMessage& message) {
  const auto group = queue_.groups.find(name);
  if (group == queue_.groups.end()) return;   // the endpoint was changed meanwhile, and the queue read again
  --queue_.messages;
  queue_.bytes -= std::min<std::uint64_t>(queue_.bytes, message.body.size());
  if (--group->second == 0) queue_.groups.erase(group);
}

// ---------------------------------------------------------------------------------------------------------------- progress

void Relay::settle_place(std::uint64_t place) {
  HOLDFAST_CHECK(place >= window_base_ && place < window_base_ + window_.size());
  window_[place - window_base_].settled = true;
  while (!window_.empty() && window_.front().settled) {
    unsaved_.position = std::move(window_.front().position);
    window_.pop_front();
    ++window_base_;
  }
}

void Relay::save(bool at_once) {
  if (!loaded_ || begin_again_ || gone_) return;
  if (unsaved_.position == endpoint_.position) unsaved_.position.reset();
  if (!has_unsaved()) return;
  if (!at_once && Steady::now() < saved_at_ + k_save_period) return;
  shared_.store.save(tenure_->epoch, id_, unsaved_);
  if (unsaved_.position) endpoint_.position = *unsaved_.position;
  unsaved_ = {};
  saved_at_ = Steady::now();
}

void Relay::arm_timer() {
  if (stopped_ || tenure_->is_over()) return;
  const Steady::time_point now = Steady::now();
  Steady::time_point next = now + k_timer_max;
  if (next_due_ != k_never && endpoint_.enabled)
    next = std::min(next, now + std::chrono::milliseconds(next_due_ - shared_.options.clock()));
  if (has_unsaved()) next = std::min(next, saved_at_ + k_save_period);
  if (begin_again_) next = not_before_;
  timer_.expires_at(next);
  timer_.async_wait([self = weak_from_this()](const boost::system::error_code& error) {
    if (const auto relay = self.lock(); relay && !error) relay->wake();
  });
}

Millis Relay::next_attempt_at(unsigned attempts, const Attempt& attempt) {
  using std::chrono::milliseconds;
  const auto pause = static_cast<double>(shared_.options.retry[attempts - 1].count());
  milliseconds wait(static_cast<std::int64_t>(pause * std::uniform_real_distribution<>(0.9, 1.1)(random_)));
  if (attempt.retry_after) wait = std::max<milliseconds>(wait, std::min<std::chrono::seconds>(*attempt.retry_after, k_retry_after_max));
  return shared_.options.clock() + wait.count();
}

}   // namespace holdfast::feed
