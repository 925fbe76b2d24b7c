#include "core/inventory.h"

#include <algorithm>

#include "core/check.h"
#include "core/limits.h"

namespace holdfast {
namespace {

std::optional<SeatIndex> named_twice(Seats seats) {
  if (seats.size() < 2) return std::nullopt;
  std::vector<SeatIndex> sorted(seats.begin(), seats.end());
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  return twice == sorted.end() ? std::nullopt : std::optional(*twice);
}

}   // namespace

Inventory::Inventory(EventCard card, EventSettings settings, std::uint64_t hash_seed)
    : card_(std::move(card)), settings_(std::move(settings)), hash_seed_(hash_seed) {}

std::unique_ptr<Inventory> Inventory::clone() const {
  auto copy = replica();
  copy->is_replica_ = false;
  copy->expiries_ = expiries_;
  return copy;
}

std::unique_ptr<Inventory> Inventory::replica() const {
  auto copy = std::make_unique<Inventory>(card_, settings_, hash_seed_);
  copy->seq_ = seq_;
  copy->last_now_ = last_now_;
  copy->counts_ = counts_;
  copy->cells_ = cells_;
  copy->states_ = states_;
  copy->reservations_ = reservations_;
  copy->free_slots_ = free_slots_;
  copy->customers_ = customers_;
  copy->free_customers_ = free_customers_;
  copy->pool_ = pool_;
  copy->ended_ = ended_;
  copy->ended_untrue_ = ended_untrue_;
  copy->by_id_ = by_id_;
  copy->by_customer_ = by_customer_;
  copy->is_replica_ = true;
  return copy;
}

// ---------------------------------------------------------------------------------------------------------------- the fold

void Inventory::apply(const Change& change, Millis at) {
  const Slot slot = concerns_reservation(change.kind) ? find(change.reservation) : k_no_slot;
  if (const Misfit misfit = misfit_of(change, slot); misfit.about != Misfit::About::none) [[unlikely]] {
    check_failed(told(misfit, change.reservation).c_str(), __FILE__, __LINE__);
  }
  ++seq_;
  observe(at);
  switch (change.kind) {
    case ChangeKind::event_created: return;
    case ChangeKind::seats_appended: return restore_seats(seat_count() + change.count);
    case ChangeKind::event_configured: settings_ = *change.settings; return;
    case ChangeKind::held: return fold_held(change, at);
    case ChangeKind::seats_added: return fold_added(slot, change.seats);
    case ChangeKind::extended:
      reservations_[slot].expires_at = change.expires_at;
      await_expiry(slot);
      return;
    case ChangeKind::released: return fold_released(slot, change.seats, change.ends);
    case ChangeKind::consumed: return fold_consumed(slot, change.text, change.ends);
    case ChangeKind::expired: return fold_expired(slot);
    case ChangeKind::returned: return fold_returned(slot, change.seats);
    case ChangeKind::blocked:
      for (const SeatIndex seat : change.seats) set_state(seat, SeatState::available, SeatState::blocked, 0);
      return;
    case ChangeKind::unblocked:
      for (const SeatIndex seat : change.seats) free_seat(seat, SeatState::blocked);
      return;
  }
}

void Inventory::fold_held(const Change& change, Millis at) {
  const Slot slot = new_slot(change.reservation);
  Reservation& made = reservations_[slot];
  made.created_at = at;
  made.expires_at = change.expires_at;
  made.kind = change.reservation_kind;
  made.status = ReservationStatus::active;
  made.owned_count = static_cast<std::uint16_t>(change.seats.size());
  put_seats(made, change.seats);
  for (const SeatIndex seat : change.seats) set_state(seat, SeatState::available, SeatState::held, slot + 1);
  if (!change.text.empty()) {
    const std::uint32_t customer = enter_customer(change.text);
    made.customer = customer;
    customers_[customer].held += made.owned_count;
    link_to_customer(slot);
  }
  await_expiry(slot);
}

void Inventory::fold_added(Slot slot, Seats seats) {
  Reservation& grown = reservations_[slot];
  const auto had = seats_of(slot);
  std::vector<SeatIndex> all(had.begin(), had.end());
  all.insert(all.end(), seats.begin(), seats.end());
  if (grown.seat_count > 1) pool_.free_list(grown.seats, grown.seat_count);
  put_seats(grown, all);
  grown.owned_count = static_cast<std::uint16_t>(grown.owned_count + seats.size());
  for (const SeatIndex seat : seats) set_state(seat, SeatState::available, SeatState::held, slot + 1);
  if (grown.customer != k_no_customer) customers_[grown.customer].held += static_cast<std::uint32_t>(seats.size());
}

void Inventory::fold_released(Slot slot, Seats seats, bool ends) {
  Reservation& released = reservations_[slot];
  for (const SeatIndex seat : seats) free_seat(seat, SeatState::held);
  released.owned_count = static_cast<std::uint16_t>(released.owned_count - seats.size());
  if (released.customer != k_no_customer) customers_[released.customer].held -= static_cast<std::uint32_t>(seats.size());
  if (ends) {
    end(slot, ReservationStatus::released);
  } else {
    remove_from_seats(slot, seats);
  }
}

void Inventory::fold_consumed(Slot slot, std::string_view order, bool reinstated) {
  Reservation& consumed = reservations_[slot];
  const SeatState before = reinstated ? SeatState::available : SeatState::held;
  for (const SeatIndex seat : seats_of(slot)) set_state(seat, before, SeatState::sold, slot + 1);
  if (!reinstated && consumed.customer != k_no_customer) {
    customers_[consumed.customer].held -= consumed.owned_count;
    unlink_from_customer(slot);
  }
  if (reinstated) {
    ++consumed.generation;
    ++ended_untrue_;
  }
  consumed.owned_count = consumed.seat_count;
  consumed.status = ReservationStatus::consumed;
  const BlockPool::Handle text = pool_.put_text(order);
  reservations_[slot].order = text;
}

void Inventory::fold_expired(Slot slot) {
  Reservation& expired = reservations_[slot];
  for (const SeatIndex seat : seats_of(slot)) free_seat(seat, SeatState::held);
  if (expired.customer != k_no_customer) customers_[expired.customer].held -= expired.owned_count;
  expired.owned_count = 0;
  end(slot, ReservationStatus::expired);
}

void Inventory::fold_returned(Slot slot, Seats seats) {
  Reservation& returned = reservations_[slot];
  for (const SeatIndex seat : seats) free_seat(seat, SeatState::sold);
  returned.owned_count = static_cast<std::uint16_t>(returned.owned_count - seats.size());
  if (returned.owned_count == 0) ended_.push_back({slot, ++returned.generation, seq_});
}

// ---------------------------------------------------------------------------------------------------------------- whether a change fits

std::optional<std::string> Inventory::contradicted_by(const Change& change) const {
  const Slot slot = concerns_reservation(change.kind) ? find(change.reservation) : k_no_slot;
  const Misfit misfit = misfit_of(change, slot);
  if (misfit.about != Misfit::About::none) return told(misfit, change.reservation);
  if (const auto twice = named_twice(change.seats)) return "names seat " + std::to_string(*twice) + " twice";
  return std::nullopt;
}

std::string Inventory::told(const Misfit& misfit, const Uuid& reservation) const {
  const std::string seat = "seat " + std::to_string(misfit.seat);
  switch (misfit.about) {
    case Misfit::About::none:
    case Misfit::About::change: break;
    case Misfit::About::reservation: return "is of reservation " + to_string(reservation) + ", which " + misfit.what;
    case Misfit::About::missing_seat: return "names " + seat + ", which does not exist";
    case Misfit::About::seat: {
      const Slot owner = slot_of_owner(misfit.seat);
      return "finds " + seat + " " + name_of(states_[misfit.seat]) +
             (owner == k_no_slot ? "" : " for reservation " + to_string(reservations_[owner].id));
    }
  }
  return misfit.what;
}

Inventory::Misfit Inventory::misfit_of(const Change& change, Slot slot) const {
  const auto unless = [](bool holds, const char* what) { return holds ? Misfit{} : Misfit{.about = Misfit::About::change, .what = what}; };
  for (const SeatIndex seat : change.seats) {
    if (seat >= seat_count()) return {.about = Misfit::About::missing_seat, .seat = seat};
  }
  switch (change.kind) {
    case ChangeKind::event_created: return unless(seq_ == 0, "creates an event that already exists");
    case ChangeKind::seats_appended:
      if (settings_.status != EventStatus::importing) return unless(false, "appends seats to an event whose import has ended");
      return unless(change.count <= k_seats_per_event_max - seat_count(), "appends more seats than an event can have");
    case ChangeKind::event_configured: return {};
    case ChangeKind::held: return misfit_of_held(change, slot);
    case ChangeKind::seats_added:
    case ChangeKind::extended:
    case ChangeKind::released:
    case ChangeKind::consumed:
    case ChangeKind::expired:
    case ChangeKind::returned: return misfit_of_reservation(change, slot);
    case ChangeKind::blocked: return misfit_of_seats(change.seats, SeatState::available, k_no_slot);
    case ChangeKind::unblocked: return misfit_of_seats(change.seats, SeatState::blocked, k_no_slot);
  }
  return unless(false, "is of an unknown kind");
}

Inventory::Misfit Inventory::misfit_of_held(const Change& change, Slot slot) const {
  if (slot != k_no_slot) return {.about = Misfit::About::reservation, .what = "exists already"};
  if (change.seats.empty() || change.seats.size() > k_seats_per_reservation_max) {
    return {.about = Misfit::About::reservation, .what = "cannot have so many seats"};
  }
  if (is_full()) return {.about = Misfit::About::reservation, .what = "exceeds the maximum of reservations"};
  if (change.text.size() > BlockPool::k_text_bytes_max) return {.about = Misfit::About::reservation, .what = "has too long a customer"};
  return misfit_of_seats(change.seats, SeatState::available, k_no_slot);
}

// Of a change of a reservation that exists.
Inventory::Misfit Inventory::misfit_of_reservation(const Change& change, Slot slot) const {
  const auto misfit = [](const char* what) { return Misfit{.about = Misfit::About::reservation, .what = what}; };
  if (slot == k_no_slot) return misfit("does not exist");
  const Reservation& of = reservations_[slot];
  const bool is_active = of.status == ReservationStatus::active;
  switch (change.kind) {
    case ChangeKind::seats_added:
      if (!is_active) return misfit("has ended");
      if (of.seat_count + change.seats.size() > k_seats_per_reservation_max) return misfit("cannot have so many seats");
      return misfit_of_seats(change.seats, SeatState::available, k_no_slot);
    case ChangeKind::released:
      if (!is_active) return misfit("has ended");
      if (change.ends != (change.seats.size() == of.owned_count)) return misfit("has another number of seats");
      return misfit_of_seats(change.seats, SeatState::held, slot);
    case ChangeKind::consumed:
      if (is_active == change.ends || of.status == ReservationStatus::consumed) return misfit("cannot be sold in that state");
      if (change.text.size() > BlockPool::k_text_bytes_max) return misfit("has too long an order");
      return change.ends ? misfit_of_seats(seats_of(slot), SeatState::available, k_no_slot)
                         : misfit_of_seats(seats_of(slot), SeatState::held, slot);
    case ChangeKind::expired:
      if (!is_active) return misfit("has ended");
      return misfit_of_seats(seats_of(slot), SeatState::held, slot);
    case ChangeKind::returned:
      if (of.status != ReservationStatus::consumed) return misfit("is not sold");
      return misfit_of_seats(change.seats, SeatState::sold, slot);
    default: return is_active ? Misfit{} : misfit("has ended");   // extended
  }
}

// Whether the seats have that state and owner.
Inventory::Misfit Inventory::misfit_of_seats(Seats seats, SeatState state, Slot owner) const {
  for (const SeatIndex seat : seats) {
    if (states_[seat] != state || slot_of_owner(seat) != owner) return {.about = Misfit::About::seat, .seat = seat};
  }
  return {};
}

// ---------------------------------------------------------------------------------------------------------------- seats

std::size_t& Inventory::count_of(SeatState state) {
  switch (state) {
    case SeatState::available: return counts_.available;
    case SeatState::held: return counts_.held;
    case SeatState::sold: return counts_.sold;
    case SeatState::blocked: return counts_.blocked;
  }
  HOLDFAST_CHECK(false && "an unknown state");
}

void Inventory::set_state(SeatIndex seat, SeatState before, SeatState state, std::uint32_t owner) {
  HOLDFAST_CHECK(states_[seat] == before);   // also fails if a change names a seat twice
  --count_of(before);
  ++count_of(state);
  states_[seat] = state;
  cells_[seat].owner = owner;
  ++cells_[seat].version;
}

void Inventory::free_seat(SeatIndex seat, SeatState before) { set_state(seat, before, SeatState::available, 0); }

std::optional<Uuid> Inventory::owner_of(SeatIndex seat, Millis now) const {
  if (cells_[seat].owner == 0 || is_over(seat, now)) return std::nullopt;
  return reservations_[cells_[seat].owner - 1].id;
}

// ---------------------------------------------------------------------------------------------------------------- reservations

Inventory::Slot Inventory::find(const Uuid& id) const { return find(id, hash_uuid(id, hash_seed_)); }

Inventory::Slot Inventory::find(const Uuid& id, std::uint64_t hash) const {
  return by_id_.find(hash, [&](Slot slot) { return reservations_[slot].id == id; });
}

std::span<const SeatIndex> Inventory::seats_of(Slot slot) const {
  const Reservation& of = reservations_[slot];
  if (of.seat_count == 1) return {&of.seats, 1};
  return pool_.list(of.seats, of.seat_count);
}

Seats Inventory::seats_set_by(const Change& change) const {
  const bool means_all = change.kind == ChangeKind::consumed || change.kind == ChangeKind::expired;
  return means_all ? seats_of(find(change.reservation)) : change.seats;
}

ReservationView Inventory::view(Slot slot, Millis now) const {
  const Reservation& of = reservations_[slot];
  const bool over = is_over(of, now);
  ReservationView view;
  view.id = of.id;
  view.kind = of.kind;
  view.status = over ? ReservationStatus::expired : of.status;
  view.created_at = of.created_at;
  view.expires_at = of.expires_at;
  view.customer = customer_of(slot);
  view.order = order_of(slot);
  for (const SeatIndex seat : seats_of(slot)) view.seats.push_back({seat, !over && owns(slot, seat)});
  return view;
}

Inventory::Slot Inventory::new_slot(const Uuid& id) {
  Slot slot;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else {
    HOLDFAST_CHECK(reservations_.size() < k_reservations_in_memory_max);
    slot = static_cast<Slot>(reservations_.extend(1));
    reservations_[slot].generation = 0;
  }
  Reservation& made = reservations_[slot];
  const std::uint16_t generation = made.generation;
  made = Reservation{};
  made.generation = generation;
  made.id = id;
  made.customer = k_no_customer;
  made.order = BlockPool::k_none;
  made.next_of_customer = made.previous_of_customer = k_no_slot;
  by_id_.insert(hash_uuid(id, hash_seed_), slot, [this](Slot other) { return hash_of(other); });
  return slot;
}

void Inventory::put_seats(Reservation& reservation, Seats seats) {
  HOLDFAST_CHECK(!seats.empty() && seats.size() <= k_seats_per_reservation_max);
  reservation.seat_count = static_cast<std::uint16_t>(seats.size());
  reservation.seats = seats.size() == 1 ? seats[0] : pool_.put_list(seats);
}

void Inventory::remove_from_seats(Slot slot, Seats gone) {
  Reservation& reservation = reservations_[slot];
  std::vector<SeatIndex> left;
  for (const SeatIndex seat : seats_of(slot)) {
    if (std::ranges::find(gone, seat) == gone.end()) left.push_back(seat);
  }
  HOLDFAST_CHECK(left.size() == reservation.owned_count);
  pool_.free_list(reservation.seats, reservation.seat_count);
  put_seats(reservation, left);
}

void Inventory::end(Slot slot, ReservationStatus status) {
  Reservation& ended = reservations_[slot];
  if (ended.customer != k_no_customer) unlink_from_customer(slot);
  ended.status = status;
  ended_.push_back({slot, ++ended.generation, seq_});
}

// Drops outdated entries of the queue once they are most of it, so that an hour of holding and releasing, selling and returning, or extending
// does not fill the memory.
void Inventory::await_expiry(Slot slot) {
  if (is_replica_) return;
  const std::size_t active_max = counts_.held;   // every active reservation holds a seat
  if (expiries_.size() > 4'096 && expiries_.size() > 4 * active_max) {
    expiries_.keep_if([&](const ExpiryQueue::Entry& entry) {
      const Reservation& of = reservations_[entry.slot];
      return of.status == ReservationStatus::active && of.expires_at == entry.at;
    });
  }
  expiries_.push(reservations_[slot].expires_at, slot);
}

Inventory::Slot Inventory::take_expired(Millis now) {
  ExpiryQueue::Entry entry;
  while (expiries_.pop(now, entry)) {
    const Reservation& of = reservations_[entry.slot];
    // An entry from before an extension, or of an earlier reservation in this slot: the true entry is still to come.
    if (of.expires_at > entry.at) continue;
    if (is_over(of, now)) return entry.slot;
  }
  return k_no_slot;
}

std::size_t Inventory::forget_ended(Seq through, std::size_t keep) {
  std::size_t forgotten = 0;
  while (!ended_.empty() && ended_.front().seq <= through) {
    const Ended oldest = ended_.front();
    const bool is_true = reservations_[oldest.slot].generation == oldest.generation;
    if (is_true && ended_.size() - ended_untrue_ <= keep) break;
    ended_.pop_front();
    if (is_true) {
      forget(oldest.slot);
      ++forgotten;
    } else {
      --ended_untrue_;
    }
  }
  return forgotten;
}

void Inventory::forget(Slot slot) {
  Reservation& gone = reservations_[slot];
  HOLDFAST_CHECK(gone.status != ReservationStatus::active && gone.owned_count == 0);
  by_id_.erase(hash_of(slot), slot, [this](Slot other) { return hash_of(other); });
  if (gone.seat_count > 1) pool_.free_list(gone.seats, gone.seat_count);
  pool_.free_text(gone.order);
  if (gone.customer != k_no_customer) leave_customer(gone.customer);
  ++gone.generation;
  gone.seat_count = 0;
  free_slots_.push_back(slot);
}

bool Inventory::can_recall(const ReservationView& ended) const {
  if (ended.status == ReservationStatus::active || ended.seats.empty() || ended.seats.size() > k_seats_per_reservation_max) return false;
  if ((ended.status == ReservationStatus::consumed) == ended.order.empty()) return false;
  if (is_full() || find(ended.id) != k_no_slot) return false;
  if (std::max(ended.customer.size(), ended.order.size()) > BlockPool::k_text_bytes_max) return false;
  std::vector<SeatIndex> seats;
  for (const ReservedSeat& reserved : ended.seats) {
    if (reserved.owned || reserved.seat >= seat_count()) return false;
    seats.push_back(reserved.seat);
  }
  return !named_twice(seats);
}

void Inventory::recall(const ReservationView& ended) {
  HOLDFAST_CHECK(ended.status != ReservationStatus::active);
  restore_reservation(ended);
}

Inventory::Digest Inventory::digest() const {
  Digest digest{.seq = seq_, .counts = counts_, .reservations = by_id_.size(), .ended = ended_.size()};
  if (!ended_.empty()) {
    digest.ended_first = reservations_[ended_.front().slot].id;
    digest.ended_last = reservations_[ended_.back().slot].id;
  }
  return digest;
}

// ---------------------------------------------------------------------------------------------------------------- customers

std::string_view Inventory::customer_of(Slot slot) const {
  const std::uint32_t customer = reservations_[slot].customer;
  return customer == k_no_customer ? std::string_view{} : pool_.text(customers_[customer].name);
}

std::size_t Inventory::held_by_customer(std::string_view customer) const {
  const std::uint32_t at = find_customer(customer);
  return at == k_no_customer ? 0 : customers_[at].held;
}

Inventory::Slot Inventory::first_of_customer(std::string_view customer) const {
  const std::uint32_t at = find_customer(customer);
  return at == k_no_customer ? k_no_slot : customers_[at].first;
}

std::uint32_t Inventory::find_customer(std::string_view name, std::uint64_t hash) const {
  return by_customer_.find(hash, [&](std::uint32_t customer) { return pool_.text(customers_[customer].name) == name; });
}

std::uint32_t Inventory::enter_customer(std::string_view name) {
  const std::uint64_t hash = hash_bytes(name, hash_seed_);
  std::uint32_t customer = find_customer(name, hash);
  if (customer != k_no_customer) {
    ++customers_[customer].known;
    return customer;
  }
  if (!free_customers_.empty()) {
    customer = free_customers_.back();
    free_customers_.pop_back();
  } else {
    customer = static_cast<std::uint32_t>(customers_.extend(1));
  }
  customers_[customer] = {pool_.put_text(name), 0, k_no_slot, 1};
  by_customer_.insert(hash, customer, [this](std::uint32_t other) { return hash_of_customer(other); });
  return customer;
}

void Inventory::leave_customer(std::uint32_t customer) {
  Customer& left = customers_[customer];
  if (--left.known > 0) return;
  HOLDFAST_CHECK(left.held == 0 && left.first == k_no_slot);
  by_customer_.erase(hash_of_customer(customer), customer, [this](std::uint32_t other) { return hash_of_customer(other); });
  pool_.free_text(left.name);
  left.name = BlockPool::k_none;
  free_customers_.push_back(customer);
}

void Inventory::link_to_customer(Slot slot) {
  Reservation& linked = reservations_[slot];
  Slot& first = customers_[linked.customer].first;
  linked.previous_of_customer = k_no_slot;
  linked.next_of_customer = first;
  if (first != k_no_slot) reservations_[first].previous_of_customer = slot;
  first = slot;
}

void Inventory::unlink_from_customer(Slot slot) {
  Reservation& unlinked = reservations_[slot];
  const Slot next = unlinked.next_of_customer;
  const Slot previous = unlinked.previous_of_customer;
  if (next != k_no_slot) reservations_[next].previous_of_customer = previous;
  (previous != k_no_slot ? reservations_[previous].next_of_customer : customers_[unlinked.customer].first) = next;
  unlinked.next_of_customer = unlinked.previous_of_customer = k_no_slot;
}

// ---------------------------------------------------------------------------------------------------------------- ahead of time

void Inventory::prefetch_seat(SeatIndex seat) const {
  if (seat >= seat_count()) return;
  __builtin_prefetch(&states_[seat], 1);
  __builtin_prefetch(&cells_[seat], 1);
}

void Inventory::prefetch_reservation(const Uuid& id) const {
  const Slot slot = by_id_.guess(hash_uuid(id, hash_seed_));
  if (slot != k_no_slot) __builtin_prefetch(&reservations_[slot], 1);
}

void Inventory::prefetch_belongings(const Uuid& id) const {
  const Slot slot = by_id_.guess(hash_uuid(id, hash_seed_));
  if (slot == k_no_slot) return;
  const Reservation& of = reservations_[slot];
  if (of.seat_count == 1) {
    prefetch_seat(of.seats);
  } else {
    pool_.prefetch(of.seats);
  }
  if (of.customer != k_no_customer) __builtin_prefetch(&customers_[of.customer], 1);
}

void Inventory::prefetch_texts(const Uuid& id) const {
  const Slot slot = by_id_.guess(hash_uuid(id, hash_seed_));
  if (slot == k_no_slot) return;
  const Reservation& of = reservations_[slot];
  if (of.seat_count > 1) {
    for (const SeatIndex seat : seats_of(slot)) prefetch_seat(seat);
  }
  if (of.customer != k_no_customer) pool_.prefetch(customers_[of.customer].name);
}

// ---------------------------------------------------------------------------------------------------------------- restoring, checking

void Inventory::restore_seats(std::size_t count) {
  HOLDFAST_CHECK(count >= seat_count() && count <= k_seats_per_event_max);
  counts_.available += count - seat_count();
  cells_.resize(count);
  states_.resize(count, SeatState::available);
}

void Inventory::restore_seat(SeatIndex seat, SeatState state, std::uint32_t version) {
  HOLDFAST_CHECK(seat < seat_count());
  --count_of(states_[seat]);
  ++count_of(state);
  states_[seat] = state;
  cells_[seat].version = version;
}

void Inventory::restore_reservation(const ReservationView& view) {
  HOLDFAST_CHECK(find(view.id) == k_no_slot);
  const Slot slot = new_slot(view.id);
  Reservation& made = reservations_[slot];
  made.created_at = view.created_at;
  made.expires_at = view.expires_at;
  made.kind = view.kind;
  made.status = view.status;
  std::vector<SeatIndex> seats;
  for (const ReservedSeat& reserved : view.seats) {
    HOLDFAST_CHECK(reserved.seat < seat_count());
    seats.push_back(reserved.seat);
    if (!reserved.owned) continue;
    cells_[reserved.seat].owner = slot + 1;
    ++made.owned_count;
  }
  put_seats(made, seats);
  if (!view.order.empty()) made.order = pool_.put_text(view.order);
  if (!view.customer.empty()) {
    made.customer = enter_customer(view.customer);
    if (view.status == ReservationStatus::active) {
      customers_[made.customer].held += made.owned_count;
      link_to_customer(slot);
    }
  }
  if (view.status == ReservationStatus::active) {
    await_expiry(slot);
  } else if (made.owned_count == 0) {
    ended_.push_back({slot, ++made.generation, 0});
  }
}

void Inventory::restore_position(Seq seq, Millis now) {
  seq_ = seq;
  last_now_ = now;
}

std::optional<std::string> Inventory::find_contradiction() const {
  StateCounts counted;
  for (SeatIndex seat = 0; seat < seat_count(); ++seat) {
    const auto at = [&](const char* what) { return "seat " + std::to_string(seat) + " " + what; };
    const std::uint32_t owner = cells_[seat].owner;
    switch (states_[seat]) {
      case SeatState::available: ++counted.available; break;
      case SeatState::held: ++counted.held; break;
      case SeatState::sold: ++counted.sold; break;
      case SeatState::blocked: ++counted.blocked; break;
      default: return at("has an unknown state");
    }
    const bool owned = states_[seat] == SeatState::held || states_[seat] == SeatState::sold;
    if (owned != (owner != 0)) return at(owned ? "is taken but has no reservation" : "is free but has a reservation");
    if (!owned) continue;
    if (owner > reservations_.size()) return at("belongs to an unknown reservation");
    const auto expected = states_[seat] == SeatState::held ? ReservationStatus::active : ReservationStatus::consumed;
    if (reservations_[owner - 1].status != expected) return at("belongs to a reservation that has ended");
    const auto listed = seats_of(owner - 1);
    if (std::ranges::find(listed, seat) == listed.end()) return at("is not in the list of its reservation");
  }
  if (counted != counts_) return "the counts by state are not those of the seats";
  std::vector<std::size_t> held(customers_.size());
  std::vector<Slot> slots;
  by_id_.for_each([&](Slot slot) { slots.push_back(slot); });
  for (const Slot slot : slots) {
    const Reservation& of = reservations_[slot];
    if (find(of.id) != slot) return "reservation " + to_string(of.id) + " is not found by its id";
    const auto at = [&](const char* what) { return "reservation " + to_string(of.id) + " " + what; };
    std::size_t owned = 0;
    for (const SeatIndex seat : seats_of(slot)) owned += owns(slot, seat);
    if (named_twice(seats_of(slot))) return at("names a seat twice");
    if (owned != of.owned_count) return at("does not own as many seats as it counts");
    if (of.status == ReservationStatus::active && owned != of.seat_count) return at("is active and does not own all of its seats");
    const bool ended = of.status == ReservationStatus::released || of.status == ReservationStatus::expired;
    if (ended && owned != 0) return at("has ended and owns seats");
    if ((of.status == ReservationStatus::consumed) != (of.order != BlockPool::k_none))
      return at("has an order and is not consumed, or the reverse");
    if (of.status == ReservationStatus::active && of.customer != k_no_customer) held[of.customer] += owned;
  }
  bool customers_agree = true;
  by_customer_.for_each([&](std::uint32_t customer) {
    std::size_t linked = 0;
    for (Slot slot = customers_[customer].first; slot != k_no_slot; slot = reservations_[slot].next_of_customer) {
      linked += reservations_[slot].owned_count;
    }
    const bool found = find_customer(pool_.text(customers_[customer].name)) == customer;
    customers_agree = customers_agree && found && customers_[customer].held == held[customer] && linked == held[customer];
  });
  if (!customers_agree) return "a customer's count of held seats is not that of the reservations";
  return std::nullopt;
}

std::size_t Inventory::bytes() const {
  return cells_.capacity() * sizeof(Cell) + states_.capacity() + reservations_.bytes() +
         (free_slots_.capacity() + free_customers_.capacity()) * sizeof(Slot) + customers_.bytes() + pool_.bytes() + by_id_.bytes() +
         by_customer_.bytes() + expiries_.bytes() + ended_.size() * sizeof(Ended);
}

}   // namespace holdfast
