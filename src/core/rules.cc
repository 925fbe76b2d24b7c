#include "core/rules.h"

#include <algorithm>
#include <vector>

#include "core/best_available.h"
#include "core/check.h"
#include "core/limits.h"

namespace holdfast {
namespace {

using Slot = Inventory::Slot;

Outcome refused(Limit limit) {
  Outcome outcome = refused(Reason::limit_exceeded);
  outcome.limit = limit;
  return outcome;
}

Outcome refused_conflict(const EventSettings& settings) {
  Outcome outcome = refused(Reason::settings_conflict);
  outcome.hold_seconds = static_cast<std::uint32_t>(settings.hold_seconds);
  outcome.max_hold_seconds = static_cast<std::uint32_t>(settings.max_hold_seconds);
  return outcome;
}

// The refusal that names the seats for which `is_reason` holds; accepted if there are none.
template <typename Predicate>
Outcome refuse_seats(Reason reason, Seats seats, Predicate is_reason) {
  Outcome outcome;
  for (const SeatIndex seat : seats) {
    if (is_reason(seat)) outcome.seats.push_back(seat);
  }
  if (!outcome.seats.empty()) outcome.reason = reason;
  return outcome;
}

// The decoder of a request drops duplicate seats and refuses too many. A command that has them is a bug of its caller.
void check_seats(Seats seats) {
  HOLDFAST_CHECK(seats.size() <= k_seats_per_reservation_max);
  if (seats.size() < 2) return;
  FewOf<SeatIndex> sorted(seats.begin(), seats.end());
  std::ranges::sort(sorted);
  HOLDFAST_CHECK(std::ranges::adjacent_find(sorted) == sorted.end());
}

Millis longest_hold(const EventSettings& settings, ReservationKind kind) {
  if (kind == ReservationKind::ticket_lock) return k_hold_seconds_max * k_millis_per_second;
  return std::min(settings.max_hold_seconds, k_hold_seconds_max) * k_millis_per_second;
}

// Judges one command. Only reads the inventory at first, and records changes once nothing stands against them.
class Judge {
 public:
  Judge(Inventory& inventory, Millis now, ChangeBatch& changes, const Plan* plan)
      : inventory_(inventory), now_(inventory.observe(now)), changes_(changes), writer_(changes.bytes), plan_(plan) {}

  Outcome operator()(const Hold& hold) {
    if (Outcome outcome = preview(inventory_, hold, now_); !outcome.accepted()) return outcome;
    expire_holders_of(hold.seats);
    record({.kind = ChangeKind::held,
            .reservation = hold.reservation,
            .reservation_kind = hold.kind,
            .expires_at = now_ + hold.duration,
            .text = hold.customer,
            .seats = hold.seats});
    return accepted(hold.reservation);
  }

  Outcome operator()(const HoldBest& best) {
    FewOf<SeatIndex> picked;
    if (Outcome outcome = judge_best(inventory_, best, now_, plan_, nullptr, picked); !outcome.accepted()) return outcome;
    return (*this)(hold_of(best, {picked.data(), picked.size()}));
  }

  Outcome operator()(const Add& add) {
    if (Outcome outcome = judge_add(inventory_, add, now_); !outcome.accepted()) return outcome;
    expire_holders_of(add.seats);
    if (!add.seats.empty()) {
      record({.kind = ChangeKind::seats_added, .reservation = add.reservation, .seats = add.seats});
      Writer(changes_.versions).signed_varint(inventory_.reservation(inventory_.find(add.reservation)).expires_at);
    }
    return accepted(add.reservation);
  }

  Outcome operator()(const Extend& extend) {
    Slot slot;
    if (Outcome outcome = find_active(extend.reservation, slot); !outcome.accepted()) return outcome;
    if (inventory_.settings().status != EventStatus::on_sale) return refused(Reason::event_not_on_sale);
    const auto& reservation = inventory_.reservation(slot);
    const Millis latest = reservation.created_at + longest_hold(inventory_.settings(), reservation.kind);
    const Millis expires_at = std::min(now_ + std::min(extend.duration, k_hold_seconds_max * k_millis_per_second), latest);
    if (expires_at > reservation.expires_at) {
      record({.kind = ChangeKind::extended, .reservation = extend.reservation, .expires_at = expires_at});
    }
    return accepted(extend.reservation);
  }

  Outcome operator()(const Release& release) {
    check_seats(release.seats);
    const Slot known = inventory_.find(release.reservation);
    if (known != Inventory::k_no_slot && inventory_.reservation(known).status == ReservationStatus::released) {
      return accepted(release.reservation);   // a repeated release changes nothing
    }
    Slot slot;
    if (Outcome outcome = find_active(release.reservation, slot); !outcome.accepted()) return outcome;
    if (Outcome outcome = refuse_unknown(release.seats); !outcome.accepted()) return outcome;
    const auto is_foreign = [&](SeatIndex seat) { return !inventory_.owns(slot, seat); };
    if (Outcome outcome = refuse_seats(Reason::seat_unavailable, release.seats, is_foreign); !outcome.accepted()) return outcome;
    record_release(slot, release.seats.empty() ? inventory_.seats_of(slot) : release.seats);
    return accepted(release.reservation);
  }

  Outcome operator()(const ReleaseLocks& release) {
    check_seats(release.seats);
    const auto releasable = [&](SeatIndex seat) {
      if (seat >= inventory_.seat_count() || inventory_.recorded_state_of(seat) != SeatState::held) return false;
      const auto& owner = inventory_.reservation(inventory_.slot_of_owner(seat));
      if (owner.kind != ReservationKind::ticket_lock || inventory_.is_over(owner, now_)) return false;
      return release.only.empty() || std::ranges::find(release.only, owner.id) != release.only.end();
    };
    std::vector<SeatIndex> todo;
    std::ranges::copy_if(release.seats, std::back_inserter(todo), releasable);
    while (!todo.empty()) {
      const Slot slot = inventory_.slot_of_owner(todo.front());
      std::vector<SeatIndex> together;
      std::vector<SeatIndex> rest;
      for (const SeatIndex seat : todo) (inventory_.owns(slot, seat) ? together : rest).push_back(seat);
      record_release(slot, together);
      todo = std::move(rest);
    }
    return {};
  }

  Outcome operator()(const Consume& consume) {
    HOLDFAST_CHECK(!consume.order.empty() && consume.order.size() <= k_order_bytes_max);
    Slot slot = inventory_.find(consume.reservation);
    if (slot == Inventory::k_no_slot) return refused(Reason::reservation_not_found);
    const auto& reservation = inventory_.reservation(slot);
    if (reservation.status == ReservationStatus::consumed) {
      if (inventory_.order_of(slot) == consume.order) return accepted(consume.reservation);
      return refused(Reason::reservation_not_active);
    }
    const bool active = reservation.status == ReservationStatus::active && !inventory_.is_over(reservation, now_);
    if (!active && consume.reinstate) return reinstate(slot, consume);
    if (Outcome outcome = find_active(consume.reservation, slot); !outcome.accepted()) return outcome;
    record_of_all({.kind = ChangeKind::consumed, .reservation = consume.reservation, .text = consume.order}, slot);
    return accepted(consume.reservation);
  }

  Outcome operator()(const Return& give_back) {
    check_seats(give_back.seats);
    const Slot slot = inventory_.find(give_back.reservation);
    if (slot == Inventory::k_no_slot) return refused(Reason::reservation_not_found);
    if (inventory_.reservation(slot).status != ReservationStatus::consumed) return refuse_unsold(give_back.seats);
    if (inventory_.order_of(slot) != give_back.order) return refused(Reason::order_mismatch);
    if (Outcome outcome = refuse_unknown(give_back.seats); !outcome.accepted()) return outcome;
    const auto sold_here = inventory_.seats_of(slot);
    const auto never_sold = [&](SeatIndex seat) { return std::ranges::find(sold_here, seat) == sold_here.end(); };
    if (Outcome outcome = refuse_seats(Reason::seat_not_sold, give_back.seats, never_sold); !outcome.accepted()) return outcome;
    // A repeated return is accepted and changes nothing: another customer may have the seat by now.
    std::vector<SeatIndex> still_sold;
    const Seats asked = give_back.seats.empty() ? sold_here : give_back.seats;
    std::ranges::copy_if(asked, std::back_inserter(still_sold), [&](SeatIndex seat) { return inventory_.owns(slot, seat); });
    if (!still_sold.empty()) record({.kind = ChangeKind::returned, .reservation = give_back.reservation, .seats = still_sold});
    return accepted(give_back.reservation);
  }

  Outcome operator()(const Block& block) {
    check_seats(block.seats);
    if (Outcome outcome = refuse_unknown(block.seats); !outcome.accepted()) return outcome;
    if (Outcome outcome = refuse_untakeable(block.seats); !outcome.accepted()) return outcome;
    expire_holders_of(block.seats);
    if (!block.seats.empty()) record({.kind = ChangeKind::blocked, .seats = block.seats});
    return {};
  }

  Outcome operator()(const Unblock& unblock) {
    check_seats(unblock.seats);
    if (Outcome outcome = refuse_unknown(unblock.seats); !outcome.accepted()) return outcome;
    const auto not_blocked = [&](SeatIndex seat) { return inventory_.recorded_state_of(seat) != SeatState::blocked; };
    if (Outcome outcome = refuse_seats(Reason::seat_unavailable, unblock.seats, not_blocked); !outcome.accepted()) return outcome;
    if (!unblock.seats.empty()) record({.kind = ChangeKind::unblocked, .seats = unblock.seats});
    return {};
  }

  Outcome operator()(const Sweep& sweep) {
    Outcome outcome;
    std::size_t seats = 0;
    while (outcome.swept < sweep.limit && seats < sweep.seats_max) {
      const Slot slot = inventory_.take_expired(now_);
      if (slot == Inventory::k_no_slot) break;
      seats += inventory_.reservation(slot).owned_count;
      record_expiry(slot);
      ++outcome.swept;
    }
    return outcome;
  }

  Outcome operator()(const Configure& configure) {
    EventSettings settings = inventory_.settings();
    // Only an import can be abandoned, not an event that has opened; and for good.
    const bool abandons = configure.status == EventStatus::abandoned;
    const bool is_abandoned = settings.status == EventStatus::abandoned;
    if (is_abandoned ? !abandons : abandons && settings.status != EventStatus::importing) return refused(Reason::event_not_found);
    if (configure.name) settings.name = *configure.name;
    if (configure.starts_at) settings.starts_at = *configure.starts_at;
    if (configure.status) settings.status = *configure.status;
    if (configure.hold_seconds) settings.hold_seconds = *configure.hold_seconds;
    if (configure.max_hold_seconds) settings.max_hold_seconds = *configure.max_hold_seconds;
    if (configure.seats_per_reservation) settings.limits.seats_per_reservation = *configure.seats_per_reservation;
    if (configure.held_seats_per_customer) settings.limits.held_seats_per_customer = *configure.held_seats_per_customer;
    // An event whose settings conflict already can still be closed, renamed or abandoned.
    const bool sets_lengths = configure.hold_seconds || configure.max_hold_seconds;
    if (sets_lengths && settings.hold_seconds > settings.max_hold_seconds) return refused_conflict(settings);
    if (!(settings == inventory_.settings())) record({.kind = ChangeKind::event_configured, .settings = &settings});
    return {};
  }

  Outcome operator()(const Create& create) {
    HOLDFAST_CHECK(inventory_.seq() == 0);
    record({.kind = ChangeKind::event_created, .text = create.plan_header, .card = &inventory_.card(), .settings = &inventory_.settings()});
    return {};
  }

  Outcome operator()(const AppendSeats& append) {
    HOLDFAST_CHECK(inventory_.settings().status == EventStatus::importing);
    if (inventory_.seat_count() + append.count > k_seats_per_event_max) return refused(Limit::seats_per_event);
    record({.kind = ChangeKind::seats_appended, .text = append.encoded, .count = append.count});
    return {};
  }

  // The preconditions of taking seats, also for callers that only ask.
  static Outcome judge_hold(const Inventory& inventory, const Hold& hold, Millis now);
  static Outcome judge_best(const Inventory& inventory, const HoldBest& best, Millis now, const Plan* plan, const AlsoTaken* also,
                            FewOf<SeatIndex>& picked);
  static Outcome judge_add(const Inventory& inventory, const Add& add, Millis now);

 private:
  void record(const Change& change) {
    fold(change);
    note_versions(change.seats);
  }

  // Records a change of all seats of its reservation.
  void record_of_all(const Change& change, Slot slot) {
    fold(change);
    const Seats seats = inventory_.seats_of(slot);
    Writer(changes_.versions).varint(seats.size());
    note_versions(seats);
  }

  void fold(const Change& change) {
    // The request did not ask for expiries that are recorded on the way.
    const bool is_wished = change.kind != ChangeKind::expired;
    if (is_wished) ++changes_.wished;
    if (changes_.trace != nullptr && is_wished) {
      Writer(changes_.traces).varint(changes_.count);
      changes_.traces.append(reinterpret_cast<const char*>(changes_.trace->packed.data()), changes_.trace->packed.size());
    }
    encode_change(change, now_, writer_);
    ++changes_.count;
    inventory_.apply(change, now_);
  }

  void note_versions(Seats seats) {
    Writer versions(changes_.versions);
    for (const SeatIndex seat : seats) versions.varint(inventory_.version_of(seat));
  }

  void record_expiry(Slot slot) { record_of_all({.kind = ChangeKind::expired, .reservation = inventory_.reservation(slot).id}, slot); }

  void record_release(Slot slot, Seats seats) {
    const bool ends = seats.size() == inventory_.reservation(slot).owned_count;
    record({.kind = ChangeKind::released, .reservation = inventory_.reservation(slot).id, .ends = ends, .seats = seats});
  }

  // Rule 2: an expiry is recorded before any change that depends on it.
  void expire_holders_of(Seats seats) {
    for (const SeatIndex seat : seats) {
      if (inventory_.is_over(seat, now_)) record_expiry(inventory_.slot_of_owner(seat));
    }
  }

  Outcome accepted(const Uuid& reservation) const {
    Outcome outcome;
    outcome.reservation = inventory_.view(inventory_.find(reservation), now_);
    return outcome;
  }

  Outcome find_active(const Uuid& id, Slot& slot) const { return find_active(inventory_, id, now_, slot); }
  Outcome refuse_unknown(Seats seats) const { return refuse_unknown(inventory_, seats); }
  Outcome refuse_untakeable(Seats seats) const { return refuse_untakeable(inventory_, seats, now_); }

  static Outcome find_active(const Inventory& inventory, const Uuid& id, Millis now, Slot& slot) {
    slot = inventory.find(id);
    if (slot == Inventory::k_no_slot) return refused(Reason::reservation_not_found);
    const auto& reservation = inventory.reservation(slot);
    if (reservation.status == ReservationStatus::expired || inventory.is_over(reservation, now))
      return refused(Reason::reservation_expired);
    if (reservation.status != ReservationStatus::active) return refused(Reason::reservation_not_active);
    return {};
  }

  static Outcome refuse_unknown(const Inventory& inventory, Seats seats) {
    return refuse_seats(Reason::seat_not_found, seats, [&](SeatIndex seat) { return seat >= inventory.seat_count(); });
  }
  static Outcome refuse_untakeable(const Inventory& inventory, Seats seats, Millis now) {
    return refuse_seats(Reason::seat_unavailable, seats,
                        [&](SeatIndex seat) { return inventory.state_of(seat, now) != SeatState::available; });
  }
  static Outcome refuse_closed(const Inventory& inventory) {
    if (inventory.settings().status != EventStatus::on_sale) return refused(Reason::event_not_on_sale);
    if (inventory.is_full()) return refused(Limit::reservations_in_memory);
    return {};
  }
  // Of a customer's hold.
  static Outcome refuse_size(const Inventory& inventory, std::size_t seats) {
    return seats > inventory.settings().limits.seats_per_reservation ? refused(Limit::seats_per_reservation) : Outcome{};
  }
  static Outcome refuse_unsold(Seats seats) {
    Outcome outcome = refused(Reason::seat_not_sold);
    outcome.seats.assign(seats.begin(), seats.end());
    return outcome;
  }

  // A late payment: its customer gets the seats if nobody else has any of them.
  Outcome reinstate(Slot slot, const Consume& consume) {
    const std::vector<SeatIndex> seats(inventory_.seats_of(slot).begin(), inventory_.seats_of(slot).end());
    if (Outcome outcome = refuse_untakeable(seats); !outcome.accepted()) return outcome;
    expire_holders_of(seats);
    if (inventory_.reservation(slot).status == ReservationStatus::active) record_expiry(slot);
    record_of_all({.kind = ChangeKind::consumed, .reservation = consume.reservation, .ends = true, .text = consume.order}, slot);
    return accepted(consume.reservation);
  }

  // The event's limit for a customer, then the command's own.
  static Outcome refuse_customer(const Inventory& inventory, std::string_view customer, std::size_t more, std::size_t held_seats_max,
                                 Millis now) {
    if (over_customer_limit(inventory, customer, more, inventory.settings().limits.held_seats_per_customer, now))
      return refused(Limit::held_seats_per_customer);
    if (over_customer_limit(inventory, customer, more, held_seats_max, now)) return refused(Limit::held_seats_visitor);
    return {};
  }

  // Holds whose time is over do not count, recorded or not.
  static bool over_customer_limit(const Inventory& inventory, std::string_view customer, std::size_t more, std::size_t most, Millis now) {
    if (most == 0 || customer.empty()) return false;
    std::size_t held = inventory.held_by_customer(customer);
    if (held + more <= most) return false;
    for (Slot slot = inventory.first_of_customer(customer); slot != Inventory::k_no_slot;) {
      const auto& reservation = inventory.reservation(slot);
      if (inventory.is_over(reservation, now)) held -= reservation.owned_count;
      slot = reservation.next_of_customer;
    }
    return held + more > most;
  }

  Inventory& inventory_;
  Millis now_;
  ChangeBatch& changes_;
  Writer writer_;
  const Plan* plan_;
};

Outcome Judge::judge_hold(const Inventory& inventory, const Hold& hold, Millis now) {
  const EventSettings& settings = inventory.settings();
  const bool is_lock = hold.kind == ReservationKind::ticket_lock;
  check_seats(hold.seats);
  HOLDFAST_CHECK(!hold.seats.empty() && is_lock == hold.customer.empty() && hold.duration > 0);
  HOLDFAST_CHECK(hold.customer.size() <= k_customer_bytes_max);
  if (Outcome outcome = refuse_closed(inventory); !outcome.accepted()) return outcome;
  if (Outcome outcome = refuse_unknown(inventory, hold.seats); !outcome.accepted()) return outcome;
  if (!is_lock) {
    if (Outcome outcome = refuse_size(inventory, hold.seats.size()); !outcome.accepted()) return outcome;
  }
  const Millis longest = hold.duration_is_contracted ? k_hold_seconds_max * k_millis_per_second : longest_hold(settings, hold.kind);
  if (hold.duration > longest) return refused(Reason::hold_too_long);
  if (Outcome outcome = refuse_untakeable(inventory, hold.seats, now); !outcome.accepted()) return outcome;
  return is_lock ? Outcome{} : refuse_customer(inventory, hold.customer, hold.seats.size(), hold.held_seats_max, now);
}

// Reasons that do not depend on seats are checked first. The chosen seats are then held like any others.
Outcome Judge::judge_best(const Inventory& inventory, const HoldBest& best, Millis now, const Plan* plan, const AlsoTaken* also,
                          FewOf<SeatIndex>& picked) {
  if (Outcome outcome = refuse_closed(inventory); !outcome.accepted()) return outcome;
  if (Outcome outcome = refuse_size(inventory, best.wish.quantity); !outcome.accepted()) return outcome;
  if (best.duration > longest_hold(inventory.settings(), ReservationKind::customer)) return refused(Reason::hold_too_long);
  HOLDFAST_CHECK(plan != nullptr);
  auto choice = pick_best(inventory, *plan, best.wish, now, also);
  if (!choice) return refused(choice.error());
  picked = std::move(*choice);
  return {};
}

Outcome Judge::judge_add(const Inventory& inventory, const Add& add, Millis now) {
  check_seats(add.seats);
  Slot slot;
  if (Outcome outcome = find_active(inventory, add.reservation, now, slot); !outcome.accepted()) return outcome;
  const EventSettings& settings = inventory.settings();
  if (settings.status != EventStatus::on_sale) return refused(Reason::event_not_on_sale);
  if (Outcome outcome = refuse_unknown(inventory, add.seats); !outcome.accepted()) return outcome;
  const auto& reservation = inventory.reservation(slot);
  const bool is_lock = reservation.kind == ReservationKind::ticket_lock;
  const std::size_t most =
      is_lock ? k_seats_per_reservation_max : std::min<std::size_t>(settings.limits.seats_per_reservation, k_seats_per_reservation_max);
  if (reservation.seat_count + add.seats.size() > most) return refused(Limit::seats_per_reservation);
  if (Outcome outcome = refuse_untakeable(inventory, add.seats, now); !outcome.accepted()) return outcome;
  return is_lock ? Outcome{} : refuse_customer(inventory, inventory.customer_of(slot), add.seats.size(), add.held_seats_max, now);
}

// The seats; none if the outcome is a refusal, or one of them counts as taken.
FewOf<SeatIndex> unless_taken(const Outcome& outcome, Seats seats, const AlsoTaken* also) {
  if (!outcome.accepted() || (also != nullptr && std::ranges::any_of(seats, *also))) return {};
  return {seats.begin(), seats.end()};
}

}  // namespace

Outcome judge(Inventory& inventory, const Command& command, Millis now, ChangeBatch& changes, const Plan* plan) {
  return std::visit(Judge(inventory, now, changes, plan), command);
}

void prefetch(const Inventory& inventory, const Command& command, std::size_t step) {
  const auto* hold = std::get_if<Hold>(&command);
  if (hold != nullptr) {
    if (step != 2) return;
    for (const SeatIndex seat : hold->seats) inventory.prefetch_seat(seat);
    inventory.prefetch_id(hold->reservation);
    if (!hold->customer.empty()) inventory.prefetch_customer(hold->customer);
    return;
  }
  if (const auto* best = std::get_if<HoldBest>(&command)) {
    if (step != 2) return;
    inventory.prefetch_id(best->reservation);
    return inventory.prefetch_customer(best->customer);
  }
  const Uuid* id = reservation_of(command);
  if (id == nullptr) return;
  switch (step) {
    case 0: return inventory.prefetch_id(*id);
    case 1: return inventory.prefetch_reservation(*id);
    case 2: return inventory.prefetch_belongings(*id);
    default: return inventory.prefetch_texts(*id);
  }
}

Outcome preview(const Inventory& inventory, const Hold& hold, Millis now) {
  return Judge::judge_hold(inventory, hold, std::max(now, inventory.last_now()));
}

Hold hold_of(const HoldBest& best, Seats picked) {
  return {.reservation = best.reservation,
          .customer = best.customer,
          .seats = picked,
          .duration = best.duration,
          .held_seats_max = best.held_seats_max};
}

FewOf<SeatIndex> seats_to_take(const Inventory& inventory, const Command& command, Millis now, const Plan* plan, const AlsoTaken* also) {
  now = std::max(now, inventory.last_now());
  if (const auto* hold = std::get_if<Hold>(&command)) return unless_taken(Judge::judge_hold(inventory, *hold, now), hold->seats, also);
  if (const auto* add = std::get_if<Add>(&command)) return unless_taken(Judge::judge_add(inventory, *add, now), add->seats, also);
  const auto* best = std::get_if<HoldBest>(&command);
  FewOf<SeatIndex> picked;
  if (best == nullptr || !Judge::judge_best(inventory, *best, now, plan, also, picked).accepted()) return {};
  const Seats seats{picked.data(), picked.size()};
  return unless_taken(Judge::judge_hold(inventory, hold_of(*best, seats), now), seats, nullptr);
}

}  // namespace holdfast
