#include "live/event.h"

namespace holdfast {
namespace {

constexpr unsigned k_plan_version = 1;
constexpr std::size_t k_updates_max = 64;   // per edition; a listener with any other seq gets a snapshot

}  // namespace

void LiveEvent::Tap::on_begin(Seq seq, std::span<const SeatState> states) {
  const std::scoped_lock lock(mutex);
  recent = RecentTouches(seq);
  begin_seq = seq;
  ++begins;
  begin_states.resize(states.size());
  std::memcpy(begin_states.data(), states.data(), states.size());
}

void LiveEvent::Tap::on_change(Seq seq, Seats seats, std::span<const SeatState> states) {
  const std::scoped_lock lock(mutex);
  recent.add(seq, seats, states);
}

LiveEvent::LiveEvent(std::shared_ptr<const PublishedEvent> event) : event_(std::move(event)) { begin(); }

// Changes that arrive meanwhile are in the tap's touches, and belong to the next edition.
void LiveEvent::begin() {
  event_->watch(tap_);
  const std::scoped_lock lock(tap_->mutex);
  seq_ = tap_->begin_seq;
  states_ = std::exchange(tap_->begin_states, {});
  if (tap_->begins != begins_ + 1) ++history_;
  begins_ = tap_->begins;
  snapshot_.reset();
  updates_.clear();
}

bool LiveEvent::advance() {
  const std::scoped_lock lock(mutex_);
  std::vector<Touch> touches;
  Seq to = 0;
  bool has_lost = false;
  {
    const std::scoped_lock tap_lock(tap_->mutex);
    has_lost = tap_->begins != begins_;
    if (!has_lost && tap_->recent.touched() <= seq_) return false;
    to = tap_->recent.seq();
    if (tap_->recent.covers(seq_)) touches = tap_->recent.between(seq_, to);
  }
  if (has_lost || touches.empty()) {   // another history, or more touches than are kept: no update leads from earlier editions to this one
    begin();
    return true;
  }
  for (const Touch& touch : touches) states_[touch.seat] = static_cast<char>(touch.state);
  const Seq from = std::exchange(seq_, to);
  snapshot_.reset();
  updates_.clear();
  remember(from, touches);   // made here rather than on a connection's thread
  return true;
}

LiveUpdate LiveEvent::since(Seq after, unsigned history) {
  const std::scoped_lock lock(mutex_);
  return history == history_ ? update_from(after) : snapshot();
}

// The mutex must be locked.
LiveUpdate LiveEvent::update_from(Seq after) {
  if (after >= seq_) return {after, nullptr, history_};
  if (const auto known = updates_.find(after); known != updates_.end()) return known->second;
  if (updates_.size() >= k_updates_max) return snapshot();
  std::optional<std::vector<Touch>> touches;
  {
    const std::scoped_lock tap_lock(tap_->mutex);
    if (tap_->recent.covers(after)) touches = tap_->recent.between(after, seq_);
  }
  return touches ? remember(after, *touches) : snapshot();
}

LiveUpdate LiveEvent::first(std::optional<Seq> last) {
  const std::scoped_lock lock(mutex_);
  bool known = false;
  if (last) {
    const std::scoped_lock tap_lock(tap_->mutex);
    known = tap_->begins == begins_ && tap_->recent.covers(*last);
  }
  return known ? update_from(*last) : snapshot();
}

LiveUpdate LiveEvent::remember(Seq from, const std::vector<Touch>& touches) {
  LiveUpdate update{seq_, nullptr, history_};
  if (is_shorter_whole(touches.size(), states_.size())) {
    update = snapshot();
  } else if (!touches.empty()) {
    update.chunk = http::chunk_of(changes_message(seq_, touches));
  }
  updates_.emplace(from, update);
  return update;
}

LiveUpdate LiveEvent::snapshot() {
  if (snapshot_ == nullptr) snapshot_ = http::chunk_of(snapshot_message(seq_, k_plan_version, states_));
  return {seq_, snapshot_, history_};
}

}   // namespace holdfast
