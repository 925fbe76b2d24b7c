#include "ledger/postgres/net_effect.h"

#include <algorithm>

#include "core/check.h"
#include "ledger/row_changes.h"

namespace holdfast::pg {

NetEffect::NetEffect(EventNumber event, const JournalPlace& from, std::uint64_t digest, std::optional<EventRow> event_row)
    : event_(event),
      from_(from),
      place_(from),
      digest_(digest),
      known_event_row_(event_row),
      event_row_(std::move(event_row)),
      seats_known_(event_row_ ? event_row_->seats : 0) {}

void NetEffect::fail(const JournalRow& row, const std::string& what) const {
  throw DataError("the journal of event " + std::to_string(event_) + " in PostgreSQL is damaged: the row with first_seq " +
                  std::to_string(row.first_seq) + " and ordinal " + std::to_string(row.position) + " " + what +
                  ". Nothing was changed. Restore the database from a backup, or set the row right if it was changed by hand.");
}

void NetEffect::contradict(const JournalRow& row, Seq seq, const Change& change, const std::string& what) const {
  throw DataError(
      "the tables of event " + std::to_string(event_) + " in PostgreSQL do not agree with its journal: change " + std::to_string(seq) +
      " (" + name_of(change.kind) + ", journal row " + std::to_string(row.first_seq) + ") " + what +
      ". Nothing was changed. `holdfast verify --ledger URL` says whether the journal is whole; if it is, make the tables of the "
      "event again with `holdfast rebuild --ledger URL --event " +
      std::to_string(event_) + "`.");
}

// ---------------------------------------------------------------------------------------------------------------- looking ahead

bool NetEffect::look_at(const JournalRow& row) {
  if (seats_touched_ >= k_seats_max) return false;
  const auto ordinal = static_cast<Position>(place_.ordinal);
  if (row.first_seq != place_.seq + 1 || row.position != ordinal) fail(row, "is not the one after the row before it");
  if (row.at < place_.at) fail(row, "is of an earlier time than the row before it");
  if (chain(place_.hash, row) != row.hash) fail(row, "is not the one that was written: its hash does not fit");
  if (!decode_body(row, body_)) fail(row, "cannot be read");
  const auto look = [this](std::uint32_t, const Change& change) { look_at(change); };
  const ChangesRead read = for_each_change(body_.changes, row.changes, row.at, look);
  if (read == ChangesRead::damaged) fail(row, "cannot be read");
  if (read == ChangesRead::all_and_more) fail(row, "has more bytes than changes");
  place_ = {.seq = place_.seq + row.changes,
            .ordinal = static_cast<std::int16_t>(row.changes > 0 ? 0 : place_.ordinal + 1),
            .hash = row.hash,
            .at = row.at};
  rows_.push_back(row);
  return true;
}

void NetEffect::look_at(const Change& change) {
  for (const SeatIndex seat : change.seats) seats_.try_emplace(seat);
  seats_touched_ += change.seats.size();
  if (!concerns_reservation(change.kind)) return;
  const bool is_new = reservations_.try_emplace(change.reservation).second;
  if (change.kind == ChangeKind::held) {
    made_.push_back(change.reservation);
  } else if (is_new) {
    to_know_.push_back(change.reservation);
  }
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

std::vector<Uuid> NetEffect::reservations_to_know() const { return to_know_; }

void NetEffect::know(const SeatRow& seat) { seats_[seat.seat] = {.before = seat, .now = seat, .is_known = true}; }

void NetEffect::know(ReservationRow reservation) {
  Reservation& known = reservations_[reservation.id];
  known.now = reservation;
  known.before = std::move(reservation);
}

// ---------------------------------------------------------------------------------------------------------------- folding

void NetEffect::fold() {
  for (const JournalRow& row : rows_) fold(row);
  sum_up();
}

void NetEffect::fold(const JournalRow& row) {
  HOLDFAST_CHECK(decode_body(row, body_));   // as look_at() did
  for_each_change(body_.changes, row.changes, row.at, [&](std::uint32_t i, const Change& change) { fold(row, row.first_seq + i, change); });
  for (const KeptKey& kept : body_.keys) pack_key(kept, row.at, keys_);
  if (!body_.keys.empty()) keys_at_ = row.at;
}

void NetEffect::fold(const JournalRow& row, Seq seq, const Change& change) {
  if (change.kind == ChangeKind::event_created) {
    if (event_row_ || seq != 1) contradict(row, seq, change, "makes an event that there is already");
    return fold_created(row, change);
  }
  if (!event_row_) contradict(row, seq, change, "is of an event that has no beginning");
  for (const SeatIndex seat : change.seats) {
    if (seat >= event_row_->seats) contradict(row, seq, change, "names seat " + std::to_string(seat) + ", which there is not");
  }
  switch (change.kind) {
    case ChangeKind::seats_appended: return fold_appended(row, change);
    case ChangeKind::event_configured: event_row_->settings = *change.settings; return;
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

void NetEffect::fold_appended(const JournalRow& row, const Change& change) {
  Reader header(event_row_->plan_header);
  auto builder = PlanBuilder::decode_header(event_row_->id, header);
  Reader body(change.text);
  if (!builder || !builder->decode_seats(body) || builder->size() != change.count) fail(row, "has seats that cannot be read");
  auto seats = builder->finish();
  if (!seats) return;   // none
  plan_parts_.push_back({static_cast<SeatIndex>(event_row_->seats), *seats, change.text});
  event_row_->seats += change.count;
}

void NetEffect::fold_reservation(const JournalRow& row, Seq seq, const Change& change) {
  Reservation& entry = reservations_[change.reservation];
  ReservationRow& of = entry.now;
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) contradict(row, seq, change, "is of reservation " + to_string(change.reservation) + ", which " + what);
  };
  if (change.kind == ChangeKind::held) {
    expect(of.seats.empty(), "there is already");
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
  expect(!of.seats.empty(), "there is not");
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

// Gives the seats the state that they have after the change, and adds it to their history.
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
    Seat& seat = seats_[index];
    if (!seat.is_known) seat = {.before = {.seat = index}, .now = {.seat = index}, .is_known = true};   // it never changed
    if (seat.now.state != state_before || seat.now.reservation != owner_before) {
      contradict(row, seq, change,
                 "finds seat " + std::to_string(index) + " " + name_of(seat.now.state) +
                     (seat.now.reservation == k_no_reservation ? "" : " for reservation " + to_string(seat.now.reservation)));
    }
    seat.now.state = after;
    seat.now.reservation = takes ? change.reservation : k_no_reservation;
    ++seat.now.version;
    history_.push_back({.seat = index,
                        .version = seat.now.version,
                        .kind = change.kind,
                        .seq = seq,
                        .at = row.at,
                        .reservation = concerns_reservation(change.kind) ? change.reservation : k_no_reservation});
  }
}

// The digest, and the earliest end of the holds that are new.
void NetEffect::sum_up() {
  for (const auto& [index, seat] : seats_) {
    if (seat.now.version != seat.before.version) digest_ += digest_of(event_, seat.now) - digest_of(event_, seat.before);
  }
  for (const auto& [id, reservation] : reservations_) {
    if (reservation.before && reservation.before->owned > 0) digest_ -= digest_of(event_, *reservation.before);
    if (reservation.now.owned > 0) digest_ += digest_of(event_, reservation.now);
    if (!reservation.before && reservation.now.status == ReservationStatus::active && !reservation.now.seats.empty()) {
      event_row_->next_expiry = std::min(event_row_->next_expiry, reservation.now.expires_at);
    }
  }
}

std::vector<const ReservationRow*> NetEffect::new_reservations() const {
  std::vector<const ReservationRow*> rows;
  rows.reserve(made_.size());
  for (const Uuid& id : made_) rows.push_back(&reservations_.find(id)->second.now);
  return rows;
}

std::vector<const ReservationRow*> NetEffect::changed_reservations() const {
  std::vector<const ReservationRow*> rows;
  for (const Uuid& id : to_know_) {
    if (const Reservation& entry = reservations_.find(id)->second; entry.is_changed) rows.push_back(&entry.now);
  }
  return rows;
}

}  // namespace holdfast::pg
