#include "cli/maintenance/lost_seats.h"

#include <utility>

#include "core/time.h"
#include "ledger/contradiction.h"
#include "ledger/journal_fold.h"
#include "ledger/row_changes.h"

namespace holdfast::cli {
namespace {

constexpr std::uint64_t k_hash_seed = 0;   // nobody outside chooses what is looked up here

std::string held(const std::string& customer, Millis expires_at, const Uuid& reservation) {
  const std::string whose = customer.empty() ? "a ticket lock" : customer;
  return "held by " + whose + " until " + rfc3339(expires_at) + " (reservation " + to_string(reservation) + ")";
}

std::string name_of_seat(const Plan* plan, SeatIndex seat) {
  if (plan == nullptr || seat >= plan->size()) return "seat " + std::to_string(seat);
  std::string name;
  plan->append_label(name, seat);
  name += " (";
  plan->append_seat_id(name, seat);
  return name + ")";
}

}  // namespace

void LostSeats::begin_with(StateStore& state) {
  const auto begin = [this](StoredEvent stored) {
    Event& event = events_[stored.inventory->card().number];
    event.id = stored.inventory->card().id;
    event.name = stored.inventory->settings().name;
    event.inventory = std::move(stored.inventory);
    event.plan = std::move(stored.plan);
  };
  state.load_events(k_hash_seed, begin, [](const EventDamage&) {}, StateStore::Sums::leave);   // of a damaged event less is known
}

void LostSeats::begin_event(const JournalRow& row, const JournalBody& body, Event& event) {
  auto inventory = new_inventory(row, body, k_hash_seed);
  if (inventory == nullptr) return;
  event.id = inventory->card().id;
  event.name = inventory->settings().name;
  if (event.plan == nullptr) event.builder = new_plan(row, body);
  event.inventory = std::move(inventory);
}

void LostSeats::learn_seats(Seq seq, const Change& change, Event& event) {
  if (change.kind != ChangeKind::seats_appended || event.builder == nullptr) return;
  try {
    append_seats(seq, change, event.builder.get());
  } catch (const Contradiction&) {
    event.builder.reset();   // its seats are named by their numbers
  }
}

void LostSeats::keep(const JournalRow& row) {
  JournalBody body;
  if (row.changes == 0 || !decode_body(row, body)) return;
  Event& event = events_[row.event];
  if (event.inventory == nullptr) begin_event(row, body, event);
  if (event.inventory == nullptr) return;
  try {
    for_each_change(body.changes, row.changes, row.at, [&](std::uint32_t i, const Change& change) {
      const Seq seq = row.first_seq + i;
      if (seq <= event.inventory->seq()) return;   // the tables have it
      learn_seats(seq, change, event);
      fold_change(row, seq, change, *event.inventory);
    });
  } catch (const Contradiction&) {
    event.inventory.reset();   // what it was at the damage is not known
  }
}

void LostSeats::lose(const JournalRow& row) {
  JournalBody body;
  if (row.changes == 0 || !decode_body(row, body)) return;
  Event& event = events_[row.event];
  event.is_touched = true;
  if (event.inventory == nullptr) begin_event(row, body, event);
  for_each_change(body.changes, row.changes, row.at, [&](std::uint32_t i, const Change& change) {
    learn_seats(row.first_seq + i, change, event);
    lose_change(row, row.first_seq + i, change, event);
  });
}

// The reservation as it was before the change, if any row or the tables know it.
LostSeats::Claim& LostSeats::claim_of(const Change& change, Event& event) {
  const auto known = event.claims.find(change.reservation);
  if (known != event.claims.end()) return known->second;
  Claim& claim = event.claims[change.reservation];
  const Inventory::Slot slot = event.inventory == nullptr ? Inventory::k_no_slot : event.inventory->find(change.reservation);
  if (slot == Inventory::k_no_slot) return claim;
  claim.customer = event.inventory->customer_of(slot);
  claim.expires_at = event.inventory->reservation(slot).expires_at;
  const auto seats = event.inventory->seats_of(slot);
  claim.seats.insert(seats.begin(), seats.end());
  claim.has_all_seats = true;
  return claim;
}

void LostSeats::lose_change(const JournalRow& row, Seq seq, const Change& change, Event& event) {
  const auto mark = [&](const auto& seats, const std::string& became) {
    for (const SeatIndex seat : seats) event.seats[seat] = {.became = became, .seq = seq, .at = row.at};
  };
  if (change.kind == ChangeKind::blocked || change.kind == ChangeKind::unblocked) {
    mark(change.seats, change.kind == ChangeKind::blocked ? "blocked" : "free");
  }
  if (!concerns_reservation(change.kind)) return;
  Claim& claim = claim_of(change, event);
  const auto mark_all = [&](const std::string& became) {
    mark(claim.seats, became);
    if (!claim.has_all_seats) event.unknown[change.reservation] = {.became = became, .seq = seq, .at = row.at};
  };
  switch (change.kind) {
    case ChangeKind::held:
      claim = {.customer = std::string(change.text), .expires_at = change.expires_at, .seats = {}, .has_all_seats = true};
      [[fallthrough]];
    case ChangeKind::seats_added:
      claim.seats.insert(change.seats.begin(), change.seats.end());
      mark(change.seats, held(claim.customer, claim.expires_at, change.reservation));
      break;
    case ChangeKind::extended:
      claim.expires_at = change.expires_at;
      mark_all(held(claim.customer, claim.expires_at, change.reservation));
      break;
    case ChangeKind::released:
    case ChangeKind::returned:
      mark(change.seats, "free");
      for (const SeatIndex seat : change.seats) claim.seats.erase(seat);
      break;
    case ChangeKind::consumed:
      mark_all("sold, order " + std::string(change.text) + " (reservation " + to_string(change.reservation) + ")");
      break;
    case ChangeKind::expired: mark_all("free"); break;
    default: break;
  }
}

std::vector<LostEvent> LostSeats::events() {
  std::vector<LostEvent> lost;
  for (auto& [number, event] : events_) {
    if (!event.is_touched) continue;
    if (event.plan == nullptr && event.builder != nullptr) event.plan = event.builder->finish().value_or(nullptr);   // no seats: no plan
    LostEvent& one = lost.emplace_back(LostEvent{.number = number, .id = event.id, .name = event.name});
    const auto add = [&](std::string name, std::string is, const Last& last) {
      one.seats.push_back({.name = std::move(name), .became = last.became, .is = std::move(is), .seq = last.seq, .at = last.at});
    };
    for (const auto& [seat, last] : event.seats) {
      const bool is_known = event.inventory != nullptr && seat < event.inventory->seat_count();
      add(name_of_seat(event.plan.get(), seat), is_known ? name_of(event.inventory->recorded_state_of(seat)) : "", last);
    }
    for (const auto& [reservation, last] : event.unknown) add("seats that cannot be read", "", last);
  }
  return lost;
}

}   // namespace holdfast::cli
