#include "ledger/net_effect.h"

#include <algorithm>

#include "core/check.h"
#include "core/limits.h"
#include "ledger/row_changes.h"

namespace holdfast {

NetEffect::NetEffect(std::optional<EventRow> event_row, TableLookup lookup)
    : known_event_row_(event_row),
      event_row_(std::move(event_row)),
      lookup_(std::move(lookup)),
      seats_known_(event_row_ ? event_row_->seats : 0) {}

// ---------------------------------------------------------------------------------------------------------------- looking ahead

void NetEffect::look_at(const JournalRow& row, const JournalBody& body) {
  const auto look = [this](std::uint32_t, const Change& change) { look_at(change); };
  const ChangesRead read = for_each_change(body.changes, row.changes, row.at, look);
  if (read == ChangesRead::damaged) throw DamagedRow("cannot be read");
  if (read == ChangesRead::all_and_more) throw DamagedRow("has more bytes than changes");
}

void NetEffect::look_at(const Change& change) {
  for (const SeatIndex seat : change.seats) seats_.try_emplace(seat);
  seats_looked_at_ += change.seats.size();
  if (!concerns_reservation(change.kind)) return;
  const bool is_new = reservations_.try_emplace(change.reservation).second;
  if (is_new && change.kind != ChangeKind::held) to_know_.push_back(change.reservation);
  if (change.kind == ChangeKind::consumed || change.kind == ChangeKind::expired) with_all_seats_.push_back(change.reservation);
}

std::vector<SeatIndex> NetEffect::seats_to_know() const {
  std::vector<SeatIndex> seats;
  for (const auto& [seat, state] : seats_) {
    if (seat < seats_known_) seats.push_back(seat);
  }
  std::ranges::sort(seats);
  return seats;
}

void NetEffect::know(const SeatRow& seat) { seats_[seat.seat] = {.before = seat, .now = seat, .is_known = true}; }

void NetEffect::know(ReservationRow reservation) {
  Reservation& known = reservations_[reservation.id];
  known.now = reservation;
  known.before = std::move(reservation);
}

// ---------------------------------------------------------------------------------------------------------------- folding

void NetEffect::fold(const JournalRow& row, const JournalBody& body) {
  const auto fold_one = [&](std::uint32_t i, const Change& change) { fold(row, row.first_seq + i, change); };
  if (for_each_change(body.changes, row.changes, row.at, fold_one) == ChangesRead::damaged) throw DamagedRow("cannot be read");
  // A row that has only keys.
  if (!event_row_) throw Contradiction(row.first_seq, Contradiction::k_any_kind, "is of an event that was never created");
}

void NetEffect::fold(const JournalRow& row, Seq seq, const Change& change) {
  if (change.kind == ChangeKind::event_created) {
    if (event_row_ || seq != 1) throw Contradiction(seq, change.kind, "creates an event that already exists");
    return fold_created(row, change);
  }
  if (!event_row_) throw Contradiction(seq, change.kind, "is of an event that was never created");
  for (const SeatIndex seat : change.seats) {
    if (seat >= event_row_->seats) {
      throw Contradiction(seq, change.kind, "names seat " + std::to_string(seat) + ", which does not exist");
    }
  }
  switch (change.kind) {
    case ChangeKind::seats_appended:
      if (event_row_->settings.status == EventStatus::importing) return fold_appended(change);
      throw Contradiction(seq, change.kind, "appends seats to an event whose import has ended");
    case ChangeKind::event_configured:
      if (change.settings->status == EventStatus::importing && event_row_->settings.status != EventStatus::importing) {
        throw Contradiction(seq, change.kind, k_no_second_import);
      }
      event_row_->settings = *change.settings;
      return;
    case ChangeKind::blocked:
    case ChangeKind::unblocked: return set_seats(row, seq, change, change.seats);
    default: return fold_reservation(row, seq, change);
  }
}

void NetEffect::fold_created(const JournalRow& row, const Change& change) {
  event_row_ = EventRow{.id = change.card->id,
                        .created_at = row.at,
                        .venue = change.card->venue,
                        .currency = change.card->currency,
                        .settings = *change.settings,
                        .plan_header = std::string(change.text)};
}

void NetEffect::fold_appended(const Change& change) {
  Reader header(event_row_->plan_header);
  auto builder = PlanBuilder::decode_header(event_row_->id, header);
  Reader body(change.text);
  if (!builder || !builder->decode_seats(body) || builder->size() != change.count) throw DamagedRow("has seats that cannot be read");
  auto seats = builder->finish();
  if (!seats) return;   // no seats
  plan_parts_.push_back({static_cast<SeatIndex>(event_row_->seats), *seats, change.text});
  event_row_->seats += change.count;
}

void NetEffect::fold_reservation(const JournalRow& row, Seq seq, const Change& change) {
  Reservation& entry = reservation(change);
  ReservationRow& of = entry.now;
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) throw Contradiction(seq, change.kind, "is of reservation " + to_string(change.reservation) + ", which " + what);
  };
  if (change.kind == ChangeKind::held) {
    expect(of.seats.empty(), "there is already");
    made_.push_back(change.reservation);
    of = {.id = change.reservation,
          .kind = change.reservation_kind,
          .status = ReservationStatus::active,
          .owned = static_cast<std::uint16_t>(change.seats.size()),
          .created_seq = seq,
          .created_at = row.at,
          .expires_at = change.expires_at,
          .customer = std::string(change.text),
          .seats = {change.seats.begin(), change.seats.end()}};
    return set_seats(row, seq, change, change.seats);
  }
  expect(!of.seats.empty(), "does not exist");
  if (entry.before && !entry.is_changed) changed_.push_back(change.reservation);
  entry.is_changed = true;
  const bool is_active = of.status == ReservationStatus::active;
  switch (change.kind) {
    case ChangeKind::seats_added:
      expect(is_active && of.seats.size() + change.seats.size() <= k_seats_per_reservation_max, "cannot take more seats");
      of.seats.insert(of.seats.end(), change.seats.begin(), change.seats.end());
      of.owned = static_cast<std::uint16_t>(of.seats.size());
      return set_seats(row, seq, change, change.seats);
    case ChangeKind::extended:
      expect(is_active, "has ended");
      of.expires_at = change.expires_at;
      return;
    case ChangeKind::released:
      expect(is_active && change.seats.size() <= of.owned, "does not hold these seats");
      set_seats(row, seq, change, change.seats);
      of.owned = static_cast<std::uint16_t>(of.owned - change.seats.size());
      expect(change.ends == (of.owned == 0), "has another number of seats");
      if (change.ends) {
        of.status = ReservationStatus::released;
      } else {
        std::erase_if(of.seats, [&](SeatIndex seat) { return std::ranges::find(change.seats, seat) != change.seats.end(); });
      }
      return;
    case ChangeKind::consumed:
      expect(is_active != change.ends && of.status != ReservationStatus::consumed, "cannot be sold in that state");
      set_seats(row, seq, change, of.seats);
      of.status = ReservationStatus::consumed;
      of.order = change.text;
      of.owned = static_cast<std::uint16_t>(of.seats.size());
      return;
    case ChangeKind::expired:
      expect(is_active, "has ended");
      set_seats(row, seq, change, of.seats);
      of.status = ReservationStatus::expired;
      of.owned = 0;
      return;
    case ChangeKind::returned:
      expect(of.status == ReservationStatus::consumed && change.seats.size() <= of.owned, "does not own these seats");
      set_seats(row, seq, change, change.seats);
      of.owned = static_cast<std::uint16_t>(of.owned - change.seats.size());
      return;
    default: HOLDFAST_CHECK(false && "not a change of a reservation");
  }
}

// Gives the seats the state that the change sets, and adds the change to their history.
void NetEffect::set_seats(const JournalRow& row, Seq seq, const Change& change, Seats seats) {
  const SeatState after = *state_after(change.kind);
  const bool takes = after == SeatState::held || after == SeatState::sold;
  const bool frees = change.kind == ChangeKind::released || change.kind == ChangeKind::expired || change.kind == ChangeKind::returned ||
                     (change.kind == ChangeKind::consumed && !change.ends);
  const Uuid owner_before = frees ? change.reservation : k_no_reservation;
  const SeatState state_before = change.kind == ChangeKind::returned    ? SeatState::sold
                                 : change.kind == ChangeKind::unblocked ? SeatState::blocked
                                 : frees                                ? SeatState::held
                                                                        : SeatState::available;
  for (const SeatIndex index : seats) {
    SeatRow& of = seat(index).now;
    if (of.state != state_before || of.reservation != owner_before) {
      throw Contradiction(seq, change.kind,
                          "finds seat " + std::to_string(index) + " " + name_of(of.state) +
                              (of.reservation == k_no_reservation ? "" : " for reservation " + to_string(of.reservation)));
    }
    of.state = after;
    of.reservation = takes ? change.reservation : k_no_reservation;
    ++of.version;
    history_.push_back({.seat = index,
                        .version = of.version,
                        .kind = change.kind,
                        .seq = seq,
                        .at = row.at,
                        .reservation = concerns_reservation(change.kind) ? change.reservation : k_no_reservation});
  }
}

// The seat as the changes so far have left it.
NetEffect::Seat& NetEffect::seat(SeatIndex index) {
  Seat& seat = seats_[index];
  if (seat.is_known) return seat;
  const bool may_be_there = lookup_.seat && index < seats_known_;
  const SeatRow row = (may_be_there ? lookup_.seat(index) : std::nullopt).value_or(SeatRow{.seat = index});
  return seat = {.before = row, .now = row, .is_known = true};
}

// The reservation of a change. An unknown reservation has no seats.
NetEffect::Reservation& NetEffect::reservation(const Change& change) {
  const auto [at, is_new] = reservations_.try_emplace(change.reservation);
  if (!is_new || change.kind == ChangeKind::held || !lookup_.reservation) return at->second;
  if (auto found = lookup_.reservation(change.reservation)) {
    at->second.now = *found;
    at->second.before = std::move(found);
  }
  return at->second;
}

std::vector<const NetEffect::Reservation*> NetEffect::find(const std::vector<Uuid>& ids) const {
  std::vector<const Reservation*> found;
  found.reserve(ids.size());
  for (const Uuid& id : ids) found.push_back(&reservations_.find(id)->second);
  return found;
}

}  // namespace holdfast
