#include "ledger/postgres/tables.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "core/bytes.h"
#include "core/limits.h"
#include "ledger/postgres/piece_size.h"
#include "ledger/postgres/stored.h"

namespace holdfast::pg {
namespace {

constexpr std::int32_t k_parts_at_once = 64;         // about 70 KB each
constexpr std::size_t k_seats_first = 1'000;        // visited by the first statement, whether they have changed or not
constexpr std::size_t k_seats_at_once_max = 10'000;
constexpr std::size_t k_reservations_at_once = 5'000;
constexpr std::int32_t k_steps_with_keys_at_once = 200;
constexpr std::chrono::seconds k_told_every{5};      // progress of a long load, in the log

// A load holds no lock that others wait for. With millions of seats, the node works for longer between two statements than a batch may.
// This is also the first statement, which takes the snapshot.
constexpr Statement k_patient{"load_patiently", "SELECT set_config('idle_in_transaction_session_timeout', '60s', true)"};

constexpr Statement k_event{
    "load_event", "SELECT " HOLDFAST_EVENT_COLUMNS
                  ", s.digest FROM holdfast.event_state e CROSS JOIN LATERAL (SELECT digest FROM holdfast.step WHERE step.event = e.event "
                  "ORDER BY base_seq DESC, base_ordinal DESC LIMIT 1) s WHERE e.event = $1"};
constexpr Statement k_place{
    "place_of_event",
    "SELECT seq, ordinal, hash, at FROM holdfast.step WHERE event = $1 ORDER BY base_seq DESC, base_ordinal DESC LIMIT 1"};
constexpr Statement k_row_at_place{"journal_row_at_place",
                                   "SELECT first_seq, ordinal, changes, hash FROM holdfast.journal WHERE event = $1 AND "
                                   "(first_seq, ordinal) < ($2, $3) ORDER BY first_seq DESC, ordinal DESC LIMIT 1"};
constexpr Statement k_parts{"load_plan_parts",
                            "SELECT first, count, body FROM holdfast.plan_part WHERE event = $1 AND first >= $2 ORDER BY first LIMIT $3"};
constexpr Statement k_seats{"load_seats", "SELECT s.seat, c.version, c.kind, c.reservation FROM holdfast.seat s " HOLDFAST_LAST_CHANGE_OF(
                                              "s.seat") "WHERE s.event = $1 AND s.seat >= $2 AND s.seat < $3 ORDER BY s.seat"};
constexpr Statement k_reservations{"load_reservations",
                                   "SELECT " HOLDFAST_RESERVATION_COLUMNS " FROM holdfast.reservation WHERE event = $1 AND id = ANY ($2)"};
constexpr Statement k_keys{"load_keys",
                           "SELECT body, base_seq, base_ordinal FROM holdfast.kept_keys WHERE event = $1 AND at > $2 AND "
                           "(base_seq, base_ordinal) > ($3, $4) ORDER BY base_seq, base_ordinal LIMIT $5"};
// One statement, so that reservation and place are of one snapshot.
constexpr Statement k_find{"find_reservation", "SELECT " HOLDFAST_RESERVATION_COLUMNS ", " HOLDFAST_LAST_STEP(
                                                   "seq", "$2") " FROM holdfast.reservation WHERE id = $1 AND event = $2"};
// The seats among $2 of event $1 that reservation $3 owns.
constexpr Statement k_owned_seats{"owned_seats", "SELECT u.seat FROM unnest($2::int4[]) u(seat) " HOLDFAST_LAST_CHANGE_OF(
                                                     "u.seat") "WHERE c.reservation = $3 AND c.kind IN (4, 5, 8)"};
constexpr Statement k_due{"events_with_expiries",
                          "SELECT event FROM holdfast.event_state WHERE next_expiry <= $1 ORDER BY next_expiry LIMIT $2"};
constexpr Statement k_lock_state{"lock_event_state", "SELECT FROM holdfast.event_state WHERE event = $1 FOR UPDATE"};
constexpr Statement k_raise{"raise_next_expiry",
                            "UPDATE holdfast.event_state SET next_expiry = $2 WHERE event = $1 AND next_expiry IS DISTINCT FROM $2"};

std::string way_out(EventNumber event) {
  return "Run `holdfast verify --ledger URL`. If the journal is intact, rebuild the tables with `holdfast rebuild --ledger URL --event " +
         std::to_string(event) + "`; otherwise restore the database from a backup.";
}

[[noreturn]] void damaged(EventNumber event, const std::string& what) {
  throw DataError("the tables of event " + std::to_string(event) + " in PostgreSQL are damaged: " + what +
                  ". Nothing was changed, and nothing is sold from this event. " + way_out(event));
}

std::optional<JournalPlace> place_in(const Result& result, EventNumber event) {
  if (result.rows() == 0) return std::nullopt;
  const auto place = read_place(result);
  if (!place) damaged(event, k_unreadable_place);
  return place;
}

// Loads one event: read() in a transaction with one snapshot, then finish() after it, without the database. Every statement reads a piece
// that takes a fraction of its time limit. Work that takes seconds for millions of seats is in finish(), because an open snapshot holds
// back VACUUM.
class Loading {
 public:
  Loading(Connection& connection, EventNumber event, std::uint64_t hash_seed, Millis keys_longer = 0)
      : connection_(connection), event_(event), hash_seed_(hash_seed), keys_longer_(keys_longer) {}

  // False if the tables do not have the event.
  bool read() {
    const auto place = place_of(connection_, event_);
    if (!place) return false;
    loaded_.as_of = *place;
    check_place();
    load_card();
    load_plan();
    load_seats();
    load_reservations();
    load_keys();
    return true;
  }

  LoadedEvent finish() {
    loaded_.inventory->restore_position(loaded_.as_of.seq, loaded_.as_of.at);
    if (const auto contradiction = loaded_.inventory->find_contradiction()) damaged(event_, *contradiction);
    if (digest_ != expected_digest_) damaged(event_, "its seats and reservations do not match their digest");
    finish_plan();
    return std::move(loaded_);
  }

 private:
  // Checks that the journal has the row that the tables are as of: the journal may have been restored from an older copy than the tables.
  void check_place() {
    const JournalPlace& place = loaded_.as_of;
    const auto row = row_at(connection_, event_, place);
    if (!row) {
      damaged(event_, "they have change " + std::to_string(place.seq) + ", but the journal does not have the row that they were made from");
    }
    loaded_.as_of_row = *row;
  }

  void load_card() {
    const Result result = connection_.query(k_event, Parameters().event(event_));
    if (result.rows() == 0) damaged(event_, "it has steps but no row in event_state");
    const std::int16_t status = result.int2(0, 6);
    if (status < 0 || status > static_cast<std::int16_t>(EventStatus::abandoned)) damaged(event_, "its status is unknown");
    for (const int column : {9, 10}) {
      const std::int64_t limit = result.int8(0, column);
      if (limit < 0 || limit > UINT32_MAX) damaged(event_, "a limit of its settings cannot be read");
    }
    EventRow row = read_event(result);
    seats_ = result.int4(0, 11);
    expected_digest_ = result.unsigned8(0, k_event_columns);
    Reader header(row.plan_header);
    auto builder = PlanBuilder::decode_header(row.id, header);
    if (!builder) damaged(event_, "its plan cannot be read");
    loaded_.importing = std::make_unique<PlanBuilder>(std::move(*builder));
    loaded_.created_at = row.created_at;
    EventCard card{.number = event_, .id = row.id, .venue = std::move(row.venue), .currency = std::move(row.currency)};
    loaded_.inventory = std::make_unique<Inventory>(std::move(card), std::move(row.settings), hash_seed_);
  }

  void load_plan() {
    for (std::int32_t rows = k_parts_at_once; rows == k_parts_at_once;) {
      const auto first = static_cast<std::int32_t>(loaded_.importing->size());
      const Result parts = connection_.query(k_parts, Parameters().event(event_).int4(first).int4(k_parts_at_once));
      rows = parts.rows();
      for (int row = 0; row < rows; ++row) {
        Reader body(parts.bytes(row, 2));
        const auto before = static_cast<std::int64_t>(loaded_.importing->size());
        if (parts.int4(row, 0) != before || !loaded_.importing->decode_seats(body) ||
            static_cast<std::int64_t>(loaded_.importing->size()) != before + parts.int4(row, 1)) {
          damaged(event_, "its seats from " + std::to_string(before) + " on cannot be read");
        }
      }
      tell("plan", static_cast<std::int64_t>(loaded_.importing->size()), seats_);
    }
    if (static_cast<std::int64_t>(loaded_.importing->size()) != seats_) damaged(event_, "its number of seats is not that of its plan");
    loaded_.inventory->restore_seats(loaded_.importing->size());
  }

  // By ranges, not with LIMIT: seats that never changed have no row, so the first row may be millions of seats away.
  void load_seats() {
    PieceSize piece(k_seats_first, k_seats_at_once_max);
    for (std::int32_t first = 0;;) {
      const auto some = static_cast<std::int32_t>(piece.now());
      const bool is_last = seats_ - first <= some;
      const std::int32_t end = is_last ? INT32_MAX : first + some;   // also finds rows of seats that the plan does not have
      const auto began = PieceSize::Timer::now();
      load_seats(first, end);
      if (is_last) break;
      piece.took(PieceSize::Timer::now() - began);
      tell("states of seats", end, seats_);
      first = end;
    }
    std::ranges::sort(owned_);
  }

  void load_seats(std::int32_t first, std::int32_t end) {
    Inventory& inventory = *loaded_.inventory;
    const Result seats = connection_.query(k_seats, Parameters().event(event_).int4(first).int4(end));
    for (int row = 0; row < seats.rows(); ++row) {
      SeatRow seat;
      if (!read_seat(seats, row, seat) || seat.seat >= inventory.seat_count()) damaged(event_, "the state of a seat cannot be read");
      inventory.restore_seat(seat.seat, seat.state, seat.version);
      digest_ += digest_of(event_, seat);
      if (seat.reservation != k_no_reservation) owned_.emplace_back(seat.reservation, seat.seat);
    }
  }

  void load_reservations() {
    std::vector<Uuid> ids;
    for (std::size_t at = 0; at < owned_.size(); ++at) {
      if (at == 0 || owned_[at].first != owned_[at - 1].first) ids.push_back(owned_[at].first);
    }
    for (std::size_t first = 0; first < ids.size(); first += k_reservations_at_once) {
      const auto some = std::span<const Uuid>(ids).subspan(first, std::min(k_reservations_at_once, ids.size() - first));
      const Result rows = connection_.query(k_reservations, Parameters().event(event_).uuids(some));
      if (static_cast<std::size_t>(rows.rows()) != some.size()) damaged(event_, "a seat belongs to a reservation that does not exist");
      for (int row = 0; row < rows.rows(); ++row) restore(rows, row);
      tell("reservations", static_cast<std::int64_t>(first + some.size()), static_cast<std::int64_t>(ids.size()));
    }
  }

  void restore(const Result& rows, int at) {
    ReservationRow row;
    if (!read_reservation(rows, at, row)) damaged(event_, "reservation " + to_string(rows.uuid(at, 0)) + " cannot be read");
    digest_ += digest_of(event_, row);
    ReservationView view = view_of(row);
    std::size_t owned = 0;
    for (ReservedSeat& reserved : view.seats) {
      if (reserved.seat >= loaded_.inventory->seat_count())
        damaged(event_, "reservation " + to_string(row.id) + " names a seat that does not exist");
      reserved.owned = std::ranges::binary_search(owned_, std::pair(row.id, reserved.seat));
      owned += reserved.owned;
    }
    if (owned != row.owned) damaged(event_, "reservation " + to_string(row.id) + " does not own as many seats as it counts");
    loaded_.inventory->restore_reservation(view);
  }

  void load_keys() {
    const Millis oldest = loaded_.as_of.at - k_keys_kept - keys_longer_;
    std::int64_t seq = -1;
    std::int16_t ordinal = 0;
    for (int count = k_steps_with_keys_at_once; count == k_steps_with_keys_at_once;) {
      const Result rows =
          connection_.query(k_keys, Parameters().event(event_).int8(oldest).int8(seq).int2(ordinal).int4(k_steps_with_keys_at_once));
      count = rows.rows();
      for (int row = 0; row < count; ++row) {
        read_keys(rows.bytes(row, 0), oldest);
        seq = rows.int8(row, 1);
        ordinal = rows.int2(row, 2);
      }
    }
  }

  void read_keys(std::string_view body, Millis oldest) {
    for (Reader reader(body); !reader.at_end();) {
      LoadedKey key{.kept = {.event = event_, .key = {}, .outcomes = {}}, .at = 0};
      if (!unpack_key(reader, key.kept, key.at)) damaged(event_, "its idempotency keys cannot be read");
      if (key.at > oldest) loaded_.keys.push_back(std::move(key));
    }
  }

  // Logs the progress of a long load.
  void tell(const char* what, std::int64_t done, std::int64_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (now < told_at_ + k_told_every) return;
    told_at_ = now;
    spdlog::info("event {} is being loaded: {} of {}, {}", event_, done, all, what);
  }

  void finish_plan() {
    const EventStatus status = loaded_.inventory->settings().status;
    if (status == EventStatus::importing) return;
    if (status != EventStatus::abandoned) {
      auto plan = loaded_.importing->finish();
      if (!plan) damaged(event_, "it has no seats");
      loaded_.plan = *plan;
    }
    loaded_.importing.reset();
  }

  Connection& connection_;
  EventNumber event_;
  std::uint64_t hash_seed_;
  Millis keys_longer_;
  LoadedEvent loaded_;
  std::chrono::steady_clock::time_point told_at_ = std::chrono::steady_clock::now();
  std::int64_t seats_ = 0;
  std::uint64_t digest_ = 0;
  std::uint64_t expected_digest_ = 0;
  std::vector<std::pair<Uuid, SeatIndex>> owned_;   // ascending
};

}   // namespace

void JournalPlace::advance(const JournalRow& row) {
  seq = row.first_seq + row.changes - 1;
  ordinal = static_cast<std::int16_t>(row.changes > 0 ? 0 : row.position + 1);
  hash = row.hash;
  at = row.at;
}

std::optional<JournalPlace> read_place(const Result& step) {
  JournalPlace place{.seq = step.seq(0, 0), .ordinal = step.int2(0, 1), .at = step.int8(0, 3)};
  return read_bytes(step.bytes(0, 2), place.hash) ? std::optional(place) : std::nullopt;
}

std::optional<JournalPlace> place_of(Connection& connection, EventNumber event) {
  return place_in(connection.query(k_place, Parameters().event(event)), event);
}

std::optional<RowKey> row_at(Connection& connection, EventNumber event, const JournalPlace& place) {
  const Result row = connection.query(k_row_at_place, Parameters().event(event).seq(place.seq + 1).int2(place.ordinal));
  if (row.rows() == 0) return std::nullopt;
  const RowKey key{row.seq(0, 0), row.int2(0, 1)};
  const std::uint32_t changes = row.unsigned4(0, 2);
  const Seq seq = key.first_seq + changes - 1;
  const int ordinal = changes > 0 ? 0 : key.ordinal + 1;
  if (seq != place.seq || ordinal != place.ordinal || row.bytes(0, 3) != as_bytes(place.hash)) return std::nullopt;
  return key;
}

std::optional<LoadedEvent> load_event_within(Connection& connection, EventNumber event, std::uint64_t hash_seed) {
  Loading loading(connection, event, hash_seed);
  return loading.read() ? std::optional(loading.finish()) : std::nullopt;
}

std::optional<LoadedEvent> load_event(Connection& connection, EventNumber event, std::uint64_t hash_seed, Millis keys_longer) {
  Loading loading(connection, event, hash_seed, keys_longer);
  const bool is_there = connection.reset_on_error([&] {
    connection.round_trip({{k_begin_snapshot}, {k_patient}});
    const bool is_read = loading.read();
    connection.query(k_commit);
    return is_read;
  });
  return is_there ? std::optional(loading.finish()) : std::nullopt;
}

DataError unreadable(const Uuid& reservation, const std::string& why) {
  const EventNumber event = event_of_reservation(reservation).value_or(0);
  return DataError("reservation " + to_string(reservation) + " of event " + std::to_string(event) +
                   ", which ended long ago, cannot be read from PostgreSQL (" + why + "). " + way_out(event));
}

namespace {

std::optional<FoundReservation> find_of_event(Connection& connection, const Uuid& id, EventNumber event) {
  const Result rows = connection.query(k_find, Parameters().uuid(id).event(event));
  if (rows.rows() == 0) return std::nullopt;
  ReservationRow row;
  if (rows.is_null(0, k_reservation_columns)) throw unreadable(id, "its event has no step");
  if (!read_reservation(rows, 0, row)) throw unreadable(id, "its row is damaged");
  FoundReservation found{.view = view_of(row), .created_seq = row.created_seq, .as_of = rows.seq(0, k_reservation_columns)};
  if (row.owned > 0) mark_owned(connection, event, row, found.view);
  return found;
}

}   // namespace

std::optional<FoundReservation> find_reservation(Connection& connection, const Uuid& id) {
  const auto event = event_of_reservation(id);
  if (!event || *event > k_events_max) return std::nullopt;
  try {
    return find_of_event(connection, id, *event);
  } catch (const Error& error) {
    if (!error.is_damage()) throw;
    connection.take_rest();
    throw unreadable(id, error.what());
  }
}

void mark_owned(Connection& connection, EventNumber event, const ReservationRow& row, ReservationView& view) {
  const Result owned = connection.query(k_owned_seats, Parameters().event(event).seats(row.seats).uuid(row.id));
  for (int at = 0; at < owned.rows(); ++at) {
    for (ReservedSeat& reserved : view.seats) reserved.owned |= owned.seat(at, 0) == reserved.seat;
  }
}

std::vector<EventNumber> events_with_expiries(Connection& connection, Millis now, std::size_t limit) {
  return read_events(connection.query(k_due, Parameters().int8(now).unsigned8(limit)));
}

bool raise_next_expiry(Connection& connection, EventNumber event, Seq known, Millis next) {
  // The place is read after the lock, by a statement of its own, so that it includes what was committed during the wait.
  const auto read = connection.round_trip({{k_begin}, {k_lock_state, Parameters().event(event)}, {k_place, Parameters().event(event)}});
  const auto place = place_in(read[2], event);
  const bool knows_all = place && place->seq <= known;
  if (knows_all) {
    Parameters parameters;
    parameters.event(event);
    next == k_never ? parameters.null(k_oid_int8) : parameters.int8(next);
    connection.send(k_raise, parameters);
  }
  connection.round_trip({{k_commit}});
  return knows_all;
}

}   // namespace holdfast::pg
