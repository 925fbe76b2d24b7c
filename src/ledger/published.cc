#include "ledger/published.h"

#include <algorithm>

#include "core/check.h"
#include "ledger/row_changes.h"

namespace holdfast {

PublishedEvent::PublishedEvent(std::unique_ptr<Inventory> replica, std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), card_(replica->card()), replica_(std::move(replica)) {
  HOLDFAST_CHECK(plan_->size() == replica_->seat_count());
}

EventSettings PublishedEvent::settings() const {
  const std::scoped_lock lock(mutex_);
  return replica_->settings();
}

EventStatus PublishedEvent::status() const {
  const std::scoped_lock lock(mutex_);
  return replica_->settings().status;
}

Seq PublishedEvent::seq() const {
  const std::scoped_lock lock(mutex_);
  return replica_->seq();
}

StateCounts PublishedEvent::counts() const {
  const std::scoped_lock lock(mutex_);
  return replica_->counts();
}

ChangeTally PublishedEvent::tally() const {
  const std::scoped_lock lock(mutex_);
  return tally_;
}

SeatReading PublishedEvent::seat(SeatIndex seat, Millis now) const {
  const std::scoped_lock lock(mutex_);
  now = std::max(now, replica_->last_now());
  return {replica_->state_of(seat, now), replica_->version_of(seat), replica_->owner_of(seat, now)};
}

void PublishedEvent::seats(SeatIndex first, std::size_t count, Millis now, std::vector<SeatReading>& readings) const {
  readings.clear();
  const std::scoped_lock lock(mutex_);
  now = std::max(now, replica_->last_now());
  for (std::size_t i = 0; i < count; ++i) {
    const auto seat = static_cast<SeatIndex>(first + i);
    readings.push_back({replica_->state_of(seat, now), replica_->version_of(seat), replica_->owner_of(seat, now)});
  }
}

std::optional<ReservationView> PublishedEvent::reservation(const Uuid& id, Millis now) const {
  const std::scoped_lock lock(mutex_);
  const Inventory::Slot slot = replica_->find(id);
  if (slot == Inventory::k_no_slot) return std::nullopt;
  return replica_->view(slot, std::max(now, replica_->last_now()));
}

std::shared_ptr<const StatesReading> PublishedEvent::states(Millis now) const {
  const std::scoped_lock states_lock(states_mutex_);
  if (states_ != nullptr && now < states_at_ + k_states_age_max) return states_;
  return copy_states(now);
}

std::expected<std::shared_ptr<const StatesReading>, Millis> PublishedEvent::states_since(Seq least, Millis now, Millis apart) const {
  const std::scoped_lock states_lock(states_mutex_);
  if (states_ != nullptr && states_->seq >= least) return states_;
  const Millis age = now - states_at_;   // negative if the clock was set back
  if (states_ != nullptr && age >= 0 && age < apart) return std::unexpected(apart - age);
  return copy_states(now);
}

std::shared_ptr<const StatesReading> PublishedEvent::copy_states(Millis now) const {
  states_at_ = now;
  if (states_ != nullptr && states_->seq == seq()) return states_;
  auto fresh = std::make_shared<StatesReading>();
  fresh->states.resize(seat_count());   // before the lock: changes wait for it
  {
    const std::scoped_lock lock(mutex_);
    fresh->seq = replica_->seq();
    std::memcpy(fresh->states.data(), replica_->states().data(), seat_count());
  }
  states_ = fresh;
  return fresh;
}

void PublishedEvent::watch(std::shared_ptr<SeatWatcher> watcher) const {
  const std::scoped_lock lock(mutex_);
  watcher_.swap(watcher);   // destroys the previous watcher after the lock is released
  if (watcher_ != nullptr) watcher_->on_begin(replica_->seq(), replica_->states());
}

void PublishedEvent::follow(std::string_view changes, std::uint32_t count, Millis at, const MemorySteps& steps) {
  const std::scoped_lock lock(mutex_);
  std::size_t next_step = 0;
  const ChangesRead read = for_each_change(changes, count, at, [&](std::uint32_t i, const Change& change) {
    next_step = steps.follow(*replica_, next_step, i);
    replica_->apply(change, at);
    const auto kind = static_cast<std::size_t>(change.kind);
    const Seats seats = replica_->seats_set_by(change);
    ++tally_.changes[kind];
    tally_.seats[kind] += seats.size();
    if (watcher_ != nullptr) watcher_->on_change(replica_->seq(), seats, replica_->states());
  });
  HOLDFAST_CHECK(read != ChangesRead::damaged);   // this process has just written or read these bytes
  steps.follow(*replica_, next_step, count);
}

void PublishedEvent::begin_anew(std::unique_ptr<Inventory> replica) {
  HOLDFAST_CHECK(plan_->size() == replica->seat_count());
  const std::scoped_lock states_lock(states_mutex_);
  const std::scoped_lock lock(mutex_);
  const bool looks_the_same = replica_->seq() == replica->seq() && std::ranges::equal(replica_->states(), replica->states());
  replica_.swap(replica);
  if (looks_the_same) return;
  states_ = nullptr;
  if (watcher_ != nullptr) watcher_->on_begin(replica_->seq(), replica_->states());
}

std::string PublishedEvent::difference_from(const Inventory& own) const {
  const Inventory::Digest expected = own.digest();
  const std::scoped_lock lock(mutex_);
  const Inventory::Digest copied = replica_->digest();
  if (copied == expected) return {};
  const auto differs = [](const char* what, std::size_t mine, std::size_t theirs) {
    return std::string(what) + " " + std::to_string(theirs) + " instead of " + std::to_string(mine);
  };
  if (copied.seq != expected.seq) return differs("change", expected.seq, copied.seq);
  if (copied.reservations != expected.reservations) return differs("reservations in memory:", expected.reservations, copied.reservations);
  if (copied.ended != expected.ended) return differs("ended reservations in memory:", expected.ended, copied.ended);
  return copied.counts != expected.counts ? "other numbers of seats by state" : "other ended reservations in memory";
}

}  // namespace holdfast
