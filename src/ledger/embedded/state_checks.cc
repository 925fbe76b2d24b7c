#include "ledger/embedded/state_checks.h"

#include "core/bytes.h"
#include "core/codec.h"
#include "core/hash.h"

namespace holdfast {
namespace {

// They tell rows of different tables apart, and are in every file: they never change.
constexpr std::uint64_t k_seed_of_header = 1;
constexpr std::uint64_t k_seed_of_event = 2;
constexpr std::uint64_t k_seed_of_plan_part = 3;
constexpr std::uint64_t k_seed_of_seat_state = 4;
constexpr std::uint64_t k_seed_of_reservation = 5;

// A file that has one of the two tables has sums of nobody knows what.
constexpr const char* k_sql_create = R"(
  DROP TABLE IF EXISTS reservation_check;
  DROP TABLE IF EXISTS event_check;
  CREATE TABLE reservation_check (place INTEGER PRIMARY KEY, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE event_check (event INTEGER PRIMARY KEY, sum INTEGER NOT NULL) STRICT;
  DELETE FROM meta WHERE name = 'checks_as_of';
)";
constexpr const char* k_sql_has_tables =
    "SELECT count(*) = 2 FROM sqlite_master WHERE type = 'table' AND name IN ('reservation_check', 'event_check')";
// At row 0 there is nothing that a sum would be of.
constexpr const char* k_sql_are_current =
    "SELECT coalesce((SELECT value FROM meta WHERE name = 'checks_as_of'), zeroblob(32)) IS (SELECT value FROM meta WHERE name = 'hash')";
constexpr const char* k_sql_advance = "INSERT OR REPLACE INTO meta VALUES ('checks_as_of', ?1)";
constexpr const char* k_sql_set_reservation = "INSERT OR REPLACE INTO reservation_check VALUES ((?1 << 44) + ?2, ?3)";
constexpr const char* k_sql_set_event = "INSERT OR REPLACE INTO event_check VALUES (?1, ?2)";
constexpr const char* k_sql_missing_events =
    "SELECT event FROM event_check WHERE NOT EXISTS (SELECT 1 FROM event WHERE number = event_check.event) ORDER BY event";
constexpr const char* k_sql_drop_sum_of_missing_event =
    "DELETE FROM event_check WHERE event = ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE number = ?1)";
constexpr const char* k_sql_missing_reservation =
    "SELECT c.place >> 44, c.place & ((1 << 44) - 1) FROM reservation_check c WHERE NOT EXISTS (SELECT 1 FROM reservation r "
    "INDEXED BY reservation_by_event WHERE r.event = c.place >> 44 AND r.created_seq = c.place & ((1 << 44) - 1))";
constexpr const char* k_sql_reservation_sum = "(SELECT c.sum FROM reservation_check c WHERE c.place = (r.event << 44) + r.created_seq)";
constexpr const char* k_sql_event_sum = "(SELECT c.sum FROM event_check c WHERE c.event = event.number)";

// The columns of a row, one after the other, in a form that is different for different rows.
// One at a time in a thread: the buffer is kept, because a step of the tables makes many thousands.
class Columns {
 public:
  Columns() { bytes_.clear(); }
  Columns& integer(std::int64_t value) {
    writer_.signed_varint(value);
    return *this;
  }
  Columns& text(std::string_view value) {
    writer_.text(value);
    return *this;
  }
  RowSum sum(std::uint64_t seed) const { return hash_bytes(bytes_, seed); }

 private:
  static thread_local std::string bytes_;
  Writer writer_{bytes_};
};
thread_local std::string Columns::bytes_;

std::int64_t stored(RowSum sum) { return static_cast<std::int64_t>(sum); }
RowSum read_sum(const sqlite::Statement& row, int column) { return static_cast<RowSum>(row.integer(column)); }

constexpr const char* k_sql_plan_parts = "SELECT event, first, count, body FROM plan_part WHERE true";
const std::string k_sql_events = std::string("SELECT ") + EventColumns::k_names + " FROM event WHERE true";
const std::string k_sql_seat_states = std::string("SELECT ") + SeatStateColumns::k_names + " FROM seat_state WHERE true";
const std::string k_sql_live_reservations =
    std::string("SELECT ") + ReservationColumns::k_names + " FROM reservation r INDEXED BY reservation_live WHERE live = 1";

// Calls `visit` with each row of one event, or of all.
template <typename Visit>
void each_row(sqlite::Database& state, const std::string& select, const char* event_column, std::optional<EventNumber> only, Visit visit) {
  sqlite::Statement rows(state, only ? select + " AND " + event_column + " = ?1" : select);
  if (only) rows.bind(1, std::int64_t{*only});
  while (rows.step()) visit(rows);
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- sums of rows

EventColumns EventColumns::from(const sqlite::Statement& row, int first) {
  return {.number = row.integer(first),
          .starts_at = row.integer(first + 5),
          .status = row.integer(first + 6),
          .hold_seconds = row.integer(first + 7),
          .max_hold_seconds = row.integer(first + 8),
          .seats_per_reservation = row.integer(first + 9),
          .held_seats_per_customer = row.integer(first + 10),
          .seq = row.integer(first + 11),
          .at = row.integer(first + 12),
          .created_at = row.integer(first + 13),
          .id = row.text(first + 1),
          .name = row.text(first + 2),
          .venue = row.text(first + 3),
          .currency = row.text(first + 4),
          .plan_header = sum_of_plan_header(row.blob(first + 14))};
}

SeatStateColumns SeatStateColumns::from(const sqlite::Statement& row, int first) {
  return {.event = row.integer(first),
          .seat = row.integer(first + 1),
          .version = row.integer(first + 3),
          .state = row.text(first + 2),
          .reservation = row.is_null(first + 4) ? std::nullopt : std::optional(row.text(first + 4))};
}

ReservationColumns ReservationColumns::from(const sqlite::Statement& row, int first) {
  return {.event = row.integer(first + 1),
          .kind = row.integer(first + 2),
          .created_at = row.integer(first + 4),
          .expires_at = row.integer(first + 5),
          .live = row.integer(first + 9),
          .created_seq = row.integer(first + 10),
          .id = row.text(first),
          .customer = row.text(first + 3),
          .status = row.text(first + 6),
          .order = row.text(first + 7),
          .seats = row.text(first + 8)};
}

RowSum sum_of_plan_header(std::string_view header) { return hash_bytes(header, k_seed_of_header); }

RowSum sum_of(const EventColumns& row) {
  Columns columns;
  columns.integer(row.number).text(row.id).text(row.name).text(row.venue).text(row.currency);
  columns.integer(row.starts_at).integer(row.status).integer(row.hold_seconds).integer(row.max_hold_seconds);
  columns.integer(row.seats_per_reservation).integer(row.held_seats_per_customer).integer(row.seq).integer(row.at).integer(row.created_at);
  return columns.integer(stored(row.plan_header)).sum(k_seed_of_event);
}

RowSum sum_of(const PlanPartColumns& row) {
  const RowSum body = hash_bytes(row.body, k_seed_of_plan_part);   // may be large, so it is not copied
  return Columns().integer(row.event).integer(row.first).integer(row.count).integer(stored(body)).sum(k_seed_of_plan_part);
}

RowSum sum_of(const SeatStateColumns& row) {
  Columns columns;
  columns.integer(row.event).integer(row.seat).text(row.state).integer(row.version).integer(row.reservation.has_value());
  return columns.text(row.reservation.value_or("")).sum(k_seed_of_seat_state);
}

RowSum sum_of(const ReservationColumns& row) {
  Columns columns;
  columns.text(row.id).integer(row.event).integer(row.kind).text(row.customer).integer(row.created_at).integer(row.expires_at);
  columns.text(row.status).text(row.order).text(row.seats).integer(row.live).integer(row.created_seq);
  return columns.sum(k_seed_of_reservation);
}

// ---------------------------------------------------------------------------------------------------------------- the tables of sums

struct StateChecks::Statements {
  explicit Statements(sqlite::Database& state)
      : set_reservation(state, k_sql_set_reservation), set_event(state, k_sql_set_event), advance(state, k_sql_advance) {}

  sqlite::Statement set_reservation, set_event, advance;
};

StateChecks::StateChecks(sqlite::Database& state, bool writes) : state_(state) {
  has_tables_ = state_.query_int(k_sql_has_tables) != 0;
  if (writes && !has_tables_) {
    sqlite::Transaction transaction(state_);   // the file is new, or a program that does not know them made it
    state_.execute(k_sql_create);
    transaction.commit();
    has_tables_ = true;
  }
  look_again();
  if (writes) statements_ = std::make_unique<Statements>(state_);
}

StateChecks::~StateChecks() = default;

void StateChecks::look_again() { are_current_ = has_tables_ && state_.query_int(k_sql_are_current) != 0; }

std::string StateChecks::reservation_sum_column() const { return has_tables_ ? k_sql_reservation_sum : "NULL"; }

std::string StateChecks::event_sum_column() const { return has_tables_ ? k_sql_event_sum : "NULL"; }

StateChecks::Made StateChecks::make_again(const JournalHead& as_of) {
  Made made;
  sqlite::Transaction transaction(state_);
  state_.execute("DELETE FROM reservation_check; DELETE FROM event_check;");
  are_current_ = true;
  sqlite::Statement rows(state_, std::string("SELECT ") + ReservationColumns::k_names + " FROM reservation r");
  for (; rows.step(); ++made.reservations) {
    const auto row = ReservationColumns::from(rows);
    set_reservation(row, sum_of(row));   // of two rows in one place one has no sum then
  }
  for (const auto& [event, sum] : sums_of_events(std::nullopt)) {
    set_event(event, sum);
    ++made.events;
  }
  advance(as_of.hash);
  transaction.commit();
  return made;
}

void StateChecks::set_reservation(const ReservationColumns& row, RowSum sum) {
  if (are_current_) statements_->set_reservation.bind(1, row.event).bind(2, row.created_seq).bind(3, stored(sum)).run();
}

void StateChecks::set_event(EventNumber event, RowSum sum) {
  if (are_current_) statements_->set_event.bind(1, std::int64_t{event}).bind(2, stored(sum)).run();
}

bool StateChecks::drop_sum_of_missing_event(EventNumber event) {
  sqlite::Statement(state_, k_sql_drop_sum_of_missing_event).bind(1, std::int64_t{event}).run();
  return state_.changes() > 0;
}

void StateChecks::advance(const ChainHash& as_of) {
  if (are_current_) statements_->advance.bind_blob(1, as_bytes(as_of)).run();
}

// ---------------------------------------------------------------------------------------------------------------- comparing

// Rows of an event that has no row in table event are left out.
std::map<EventNumber, RowSum> StateChecks::sums_of_events(std::optional<EventNumber> only) const {
  std::map<EventNumber, RowSum> sums;
  const auto add = [&](std::int64_t event, RowSum sum) {
    const auto of = sums.find(static_cast<EventNumber>(event));
    if (of != sums.end()) of->second += sum;
  };
  each_row(state_, k_sql_events, "number", only, [&](const sqlite::Statement& row) {
    const auto event = EventColumns::from(row);
    sums[static_cast<EventNumber>(event.number)] += sum_of(event);
  });
  each_row(state_, k_sql_plan_parts, "event", only, [&](const sqlite::Statement& row) {
    add(row.integer(0), sum_of(PlanPartColumns{row.integer(0), row.integer(1), row.integer(2), row.blob(3)}));
  });
  each_row(state_, k_sql_seat_states, "event", only,
           [&](const sqlite::Statement& row) { add(row.integer(0), sum_of(SeatStateColumns::from(row))); });
  each_row(state_, k_sql_live_reservations, "event", only,
           [&](const sqlite::Statement& row) { add(row.integer(1), sum_of(ReservationColumns::from(row))); });
  return sums;
}

RowSum StateChecks::sum_of_rows(EventNumber event) const {
  const auto sums = sums_of_events(event);
  const auto found = sums.find(event);
  return found == sums.end() ? 0 : found->second;
}

std::optional<RowSum> StateChecks::written_sum(EventNumber event) const {
  sqlite::Statement row(state_, "SELECT sum FROM event_check WHERE event = ?1");
  row.bind(1, std::int64_t{event});
  return row.step() ? std::optional(read_sum(row, 0)) : std::nullopt;
}

std::vector<std::int64_t> StateChecks::missing_events() const {
  sqlite::Statement rows(state_, k_sql_missing_events);
  std::vector<std::int64_t> missing;
  while (rows.step()) missing.push_back(rows.integer(0));
  return missing;
}

std::string StateChecks::find_false(const StoppedEvents& but) const {
  if (!are_current_) return {};
  const std::string found = find_false_reservation(but);
  return found.empty() ? find_false_event(but) : found;
}

std::string StateChecks::find_false_reservation(const StoppedEvents& but) const {
  sqlite::Statement rows(state_,
                         std::string("SELECT ") + ReservationColumns::k_names + ", " + reservation_sum_column() + " FROM reservation r");
  while (rows.step()) {
    const auto row = ReservationColumns::from(rows);
    if (but.contains(static_cast<EventNumber>(row.event))) continue;
    const bool is_true = !rows.is_null(ReservationColumns::k_count) && read_sum(rows, ReservationColumns::k_count) == sum_of(row);
    if (!is_true) return "reservation " + std::string(row.id) + " is not what was written, or its sum in table reservation_check is not";
  }
  sqlite::Statement missing(state_, k_sql_missing_reservation);
  while (missing.step()) {
    if (but.contains(static_cast<EventNumber>(missing.integer(0)))) continue;
    return "the reservation that change " + std::to_string(missing.integer(1)) + " of event " + std::to_string(missing.integer(0)) +
           " made is missing";
  }
  return {};
}

std::string StateChecks::find_false_event(const StoppedEvents& but) const {
  for (const auto& [event, sum] : sums_of_events(std::nullopt)) {
    if (!but.contains(event) && written_sum(event) != sum) {
      return "the rows of event " + std::to_string(event) + " are not what was written, or their sum in table event_check is not";
    }
  }
  for (const std::int64_t event : missing_events()) {
    if (!but.contains(static_cast<EventNumber>(event))) return "event " + std::to_string(event) + " is missing in table event";
  }
  return {};
}

}  // namespace holdfast
