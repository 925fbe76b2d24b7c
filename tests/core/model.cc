#include "core/model.h"

#include <algorithm>

namespace holdfast {
namespace {

constexpr Millis k_day = 86'400'000;   // no hold is longer

Outcome refused(Reason reason, const std::vector<SeatIndex>& seats) {
  Outcome outcome = refused(reason);
  outcome.seats.assign(seats.begin(), seats.end());
  return outcome;
}

Outcome refused(Limit limit) {
  Outcome outcome = refused(Reason::limit_exceeded);
  outcome.limit = limit;
  return outcome;
}

}  // namespace

Outcome Model::does(const Command& command, Millis now) {
  pass_time(now);
  if (const auto* c = std::get_if<Hold>(&command)) return hold(*c);
  if (const auto* c = std::get_if<HoldBest>(&command)) return hold_best(*c);
  if (const auto* c = std::get_if<Add>(&command)) return add(*c);
  if (const auto* c = std::get_if<Extend>(&command)) return extend(*c);
  if (const auto* c = std::get_if<Release>(&command)) return release(*c);
  if (const auto* c = std::get_if<ReleaseLocks>(&command)) return release_locks(*c);
  if (const auto* c = std::get_if<Consume>(&command)) return consume(*c);
  if (const auto* c = std::get_if<Return>(&command)) return give_back(*c);
  if (const auto* c = std::get_if<Block>(&command)) return block(*c);
  if (const auto* c = std::get_if<Unblock>(&command)) return unblock(*c);
  if (const auto* c = std::get_if<Configure>(&command)) return configure(*c);
  return {};
}

Outcome Model::would(const Hold& hold, Millis now) const {
  Model copy = *this;
  return copy.does(hold, now);
}

// Time never goes back; a hold ends in its millisecond.
void Model::pass_time(Millis now) {
  now_ = std::max(now_, now);
  for (auto& [id, reservation] : reservations_) {
    if (reservation.status != ReservationStatus::active || reservation.expires_at > now_) continue;
    free_seats_of(id);
    reservation.status = ReservationStatus::expired;
  }
}

void Model::set(SeatIndex seat, SeatState state, std::optional<Uuid> owner) {
  seats_.at(seat).state = state;
  seats_.at(seat).owner = owner;
  ++seats_.at(seat).version;
}

void Model::free_seats_of(const Uuid& id) {
  for (SeatIndex seat = 0; seat < seats_.size(); ++seat) {
    if (is_owned_by(seat, id)) set(seat, SeatState::available, std::nullopt);
  }
}

ReservationView Model::view(const Uuid& id) const {
  const Reservation& of = reservations_.at(id);
  ReservationView view{.id = id,
                       .kind = of.kind,
                       .status = of.status,
                       .created_at = of.created_at,
                       .expires_at = of.expires_at,
                       .customer = of.customer,
                       .order = of.order};
  for (const SeatIndex seat : of.seats) view.seats.push_back({seat, is_owned_by(seat, id)});
  return view;
}

Outcome Model::accepted(const Uuid& id) const {
  Outcome outcome;
  outcome.reservation = view(id);
  return outcome;
}

Reason Model::why_not_active(const Uuid& id) const {
  const auto at = reservations_.find(id);
  if (at == reservations_.end()) return Reason::reservation_not_found;
  if (at->second.status == ReservationStatus::active) return Reason::none;
  return at->second.status == ReservationStatus::expired ? Reason::reservation_expired : Reason::reservation_not_active;
}

std::vector<SeatIndex> Model::unknown_of(Seats seats) const {
  std::vector<SeatIndex> found;
  for (const SeatIndex seat : seats) {
    if (seat >= seats_.size()) found.push_back(seat);
  }
  return found;
}

std::vector<SeatIndex> Model::not_of(Seats seats, SeatState state) const {
  std::vector<SeatIndex> found;
  for (const SeatIndex seat : seats) {
    if (seats_.at(seat).state != state) found.push_back(seat);
  }
  return found;
}

std::size_t Model::held_by(const std::string& customer) const {
  std::size_t held = 0;
  for (const auto& [id, reservation] : reservations_) {
    if (reservation.status == ReservationStatus::active && reservation.customer == customer) held += reservation.seats.size();
  }
  return held;
}

// seats all available | hold | seats held, reservation active
Outcome Model::hold(const Hold& hold) {
  const bool is_lock = hold.kind == ReservationKind::ticket_lock;
  if (settings_.status != EventStatus::on_sale) return refused(Reason::event_not_on_sale);
  if (const auto unknown = unknown_of(hold.seats); !unknown.empty()) return refused(Reason::seat_not_found, unknown);
  if (!is_lock && hold.seats.size() > settings_.limits.seats_per_reservation) return refused(Limit::seats_per_reservation);
  const Millis longest = is_lock || hold.duration_is_contracted ? k_day : settings_.max_hold_seconds * 1'000;
  if (hold.duration > longest) return refused(Reason::hold_too_long);
  if (const auto taken = not_of(hold.seats, SeatState::available); !taken.empty()) return refused(Reason::seat_unavailable, taken);
  const std::size_t most = settings_.limits.held_seats_per_customer;
  const std::string customer(hold.customer);
  const std::size_t held_after = held_by(customer) + hold.seats.size();
  if (!is_lock && most != 0 && held_after > most) return refused(Limit::held_seats_per_customer);
  if (!is_lock && hold.held_seats_max != 0 && held_after > hold.held_seats_max) return refused(Limit::held_seats_visitor);
  reservations_[hold.reservation] = {.kind = hold.kind,
                                     .status = ReservationStatus::active,
                                     .created_at = now_,
                                     .expires_at = now_ + hold.duration,
                                     .customer = customer,
                                     .seats = {hold.seats.begin(), hold.seats.end()}};
  for (const SeatIndex seat : hold.seats) set(seat, SeatState::held, hold.reservation);
  return accepted(hold.reservation);
}

// the best seats available | hold | as above; sections and categories are named by their numbers
Outcome Model::hold_best(const HoldBest& best) {
  if (settings_.status != EventStatus::on_sale) return refused(Reason::event_not_on_sale);
  if (best.wish.quantity > settings_.limits.seats_per_reservation) return refused(Limit::seats_per_reservation);
  if (best.duration > settings_.max_hold_seconds * 1'000) return refused(Reason::hold_too_long);
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) book_.at(seat).free = seats_.at(seat).state == SeatState::available;
  test::BookWish wish{.quantity = best.wish.quantity, .adjacent = best.wish.adjacent};
  if (best.wish.section) wish.section = std::to_string(*best.wish.section);
  if (best.wish.category) wish.category = std::to_string(*best.wish.category);
  const auto chosen = test::best_by_the_book(book_, wish);
  if (chosen.empty()) return refused(wish.adjacent ? Reason::no_adjacent_seats : Reason::seat_unavailable);
  const std::vector<SeatIndex> seats(chosen.begin(), chosen.end());
  return hold({.reservation = best.reservation,
               .customer = best.customer,
               .seats = seats,
               .duration = best.duration,
               .held_seats_max = best.held_seats_max});
}

// reservation active | add seats | more seats held, same expiry
Outcome Model::add(const Add& add) {
  if (const Reason reason = why_not_active(add.reservation); reason != Reason::none) return refused(reason);
  Reservation& reservation = reservations_.at(add.reservation);
  const bool is_lock = reservation.kind == ReservationKind::ticket_lock;
  if (settings_.status != EventStatus::on_sale) return refused(Reason::event_not_on_sale);
  if (const auto unknown = unknown_of(add.seats); !unknown.empty()) return refused(Reason::seat_not_found, unknown);
  const std::size_t seats_after = reservation.seats.size() + add.seats.size();
  if (!is_lock && seats_after > settings_.limits.seats_per_reservation) return refused(Limit::seats_per_reservation);
  if (const auto taken = not_of(add.seats, SeatState::available); !taken.empty()) return refused(Reason::seat_unavailable, taken);
  const std::size_t most = settings_.limits.held_seats_per_customer;
  const std::size_t held_after = held_by(reservation.customer) + add.seats.size();
  if (!is_lock && most != 0 && held_after > most) return refused(Limit::held_seats_per_customer);
  if (!is_lock && add.held_seats_max != 0 && held_after > add.held_seats_max) return refused(Limit::held_seats_visitor);
  for (const SeatIndex seat : add.seats) {
    reservation.seats.push_back(seat);
    set(seat, SeatState::held, add.reservation);
  }
  return accepted(add.reservation);
}

// reservation active | extend | later expires_at, at most maxHoldSeconds after creation
Outcome Model::extend(const Extend& extend) {
  if (const Reason reason = why_not_active(extend.reservation); reason != Reason::none) return refused(reason);
  if (settings_.status != EventStatus::on_sale) return refused(Reason::event_not_on_sale);
  Reservation& reservation = reservations_.at(extend.reservation);
  const Millis longest = reservation.kind == ReservationKind::ticket_lock ? k_day : settings_.max_hold_seconds * 1'000;
  const Millis wished = std::min(now_ + extend.duration, reservation.created_at + longest);
  reservation.expires_at = std::max(reservation.expires_at, wished);
  return accepted(extend.reservation);
}

// reservation active | release (all, or some seats) | those seats available; released when none is left
Outcome Model::release(const Release& release) {
  const auto known = reservations_.find(release.reservation);
  if (known != reservations_.end() && known->second.status == ReservationStatus::released) return accepted(release.reservation);
  if (const Reason reason = why_not_active(release.reservation); reason != Reason::none) return refused(reason);
  if (const auto unknown = unknown_of(release.seats); !unknown.empty()) return refused(Reason::seat_not_found, unknown);
  Reservation& reservation = known->second;
  std::vector<SeatIndex> foreign;
  for (const SeatIndex seat : release.seats) {
    if (!is_owned_by(seat, release.reservation)) foreign.push_back(seat);
  }
  if (!foreign.empty()) return refused(Reason::seat_unavailable, foreign);
  if (release.seats.empty() || release.seats.size() == reservation.seats.size()) {
    free_seats_of(release.reservation);
    reservation.status = ReservationStatus::released;
  } else {
    for (const SeatIndex seat : release.seats) {
      set(seat, SeatState::available, std::nullopt);
      std::erase(reservation.seats, seat);
    }
  }
  return accepted(release.reservation);
}

// Releases, ticket by ticket, what ticket locks hold of these seats; every other seat is left alone. Never refused.
Outcome Model::release_locks(const ReleaseLocks& locks) {
  std::map<Uuid, std::vector<SeatIndex>> todo;
  for (const SeatIndex seat : locks.seats) {
    if (seat >= seats_.size() || seats_.at(seat).state != SeatState::held) continue;
    const Uuid owner = seats_.at(seat).owner.value();
    if (reservations_.at(owner).kind != ReservationKind::ticket_lock) continue;
    if (!locks.only.empty() && std::ranges::find(locks.only, owner) == locks.only.end()) continue;
    todo[owner].push_back(seat);
  }
  for (const auto& [owner, seats] : todo) release({.reservation = owner, .seats = seats});
  return {};
}

// reservation active | consume for an order | seats sold, consumed
// reservation expired or released | consume with reinstate | as above, if every seat is available
Outcome Model::consume(const Consume& consume) {
  const auto known = reservations_.find(consume.reservation);
  if (known == reservations_.end()) return refused(Reason::reservation_not_found);
  Reservation& reservation = known->second;
  switch (reservation.status) {
    case ReservationStatus::consumed:
      return reservation.order == consume.order ? accepted(consume.reservation) : refused(Reason::reservation_not_active);
    case ReservationStatus::active: break;
    case ReservationStatus::released:
    case ReservationStatus::expired:
      if (!consume.reinstate) return refused(why_not_active(consume.reservation));
      if (const auto taken = not_of(reservation.seats, SeatState::available); !taken.empty())
        return refused(Reason::seat_unavailable, taken);
  }
  for (const SeatIndex seat : reservation.seats) set(seat, SeatState::sold, consume.reservation);
  reservation.status = ReservationStatus::consumed;
  reservation.order = consume.order;
  return accepted(consume.reservation);
}

// seats sold to this reservation | return for its order (all, or some) | those seats available
Outcome Model::give_back(const Return& give_back) {
  const auto known = reservations_.find(give_back.reservation);
  if (known == reservations_.end()) return refused(Reason::reservation_not_found);
  Reservation& reservation = known->second;
  const std::vector<SeatIndex> asked(give_back.seats.begin(), give_back.seats.end());
  if (reservation.status != ReservationStatus::consumed) return refused(Reason::seat_not_sold, asked);
  if (reservation.order != give_back.order) return refused(Reason::order_mismatch);
  if (const auto unknown = unknown_of(asked); !unknown.empty()) return refused(Reason::seat_not_found, unknown);
  std::vector<SeatIndex> never_sold;
  for (const SeatIndex seat : asked) {
    if (std::ranges::find(reservation.seats, seat) == reservation.seats.end()) never_sold.push_back(seat);
  }
  if (!never_sold.empty()) return refused(Reason::seat_not_sold, never_sold);
  for (const SeatIndex seat : asked.empty() ? reservation.seats : asked) {
    if (is_owned_by(seat, give_back.reservation)) set(seat, SeatState::available, std::nullopt);
  }
  return accepted(give_back.reservation);
}

// seat available / blocked | block / unblock | blocked / available
Outcome Model::block(const Block& block) {
  if (const auto unknown = unknown_of(block.seats); !unknown.empty()) return refused(Reason::seat_not_found, unknown);
  if (const auto taken = not_of(block.seats, SeatState::available); !taken.empty()) return refused(Reason::seat_unavailable, taken);
  for (const SeatIndex seat : block.seats) set(seat, SeatState::blocked, std::nullopt);
  return {};
}

Outcome Model::unblock(const Unblock& unblock) {
  if (const auto unknown = unknown_of(unblock.seats); !unknown.empty()) return refused(Reason::seat_not_found, unknown);
  if (const auto other = not_of(unblock.seats, SeatState::blocked); !other.empty()) return refused(Reason::seat_unavailable, other);
  for (const SeatIndex seat : unblock.seats) set(seat, SeatState::available, std::nullopt);
  return {};
}

// any event | change settings | those settings, the others as they are
Outcome Model::configure(const Configure& configure) {
  const bool abandons = configure.status == EventStatus::abandoned;
  if (settings_.status == EventStatus::abandoned && !abandons) return refused(Reason::event_not_found);
  if (abandons && settings_.status != EventStatus::importing && settings_.status != EventStatus::abandoned) {
    return refused(Reason::event_not_found);
  }
  EventSettings next = settings_;
  if (configure.name) next.name = *configure.name;
  if (configure.starts_at) next.starts_at = *configure.starts_at;
  if (configure.status) next.status = *configure.status;
  if (configure.hold_seconds) next.hold_seconds = *configure.hold_seconds;
  if (configure.max_hold_seconds) next.max_hold_seconds = *configure.max_hold_seconds;
  if (configure.seats_per_reservation) next.limits.seats_per_reservation = *configure.seats_per_reservation;
  if (configure.held_seats_per_customer) next.limits.held_seats_per_customer = *configure.held_seats_per_customer;
  if ((configure.hold_seconds || configure.max_hold_seconds) && next.hold_seconds > next.max_hold_seconds) {
    return refused(Reason::settings_conflict);
  }
  settings_ = next;
  return {};
}

}  // namespace holdfast
