#include "ledger/embedded/state_store.h"

#include <algorithm>
#include <charconv>

#include "core/check.h"
#include "core/limits.h"
#include "ledger/data_error.h"

namespace holdfast {
namespace {

constexpr std::int64_t k_application_id = 0x48665331;   // "HfS1"

constexpr const char* k_sql_create = R"(
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('position', 0), ('hash', zeroblob(32));
  CREATE TABLE event (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, venue TEXT NOT NULL, currency TEXT NOT NULL,
    starts_at INTEGER NOT NULL, status INTEGER NOT NULL, hold_seconds INTEGER NOT NULL, max_hold_seconds INTEGER NOT NULL,
    seats_per_reservation INTEGER NOT NULL, held_seats_per_customer INTEGER NOT NULL,
    seq INTEGER NOT NULL, at INTEGER NOT NULL, created_at INTEGER NOT NULL, plan_header BLOB NOT NULL
  ) STRICT;
  CREATE TABLE plan_part (
    event INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (event, first)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE seat (
    event INTEGER NOT NULL, seat INTEGER NOT NULL, id TEXT NOT NULL, section TEXT NOT NULL, "row" TEXT NOT NULL, number TEXT NOT NULL,
    category TEXT NOT NULL, x REAL NOT NULL, y REAL NOT NULL, PRIMARY KEY (event, seat)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE seat_state (
    event INTEGER NOT NULL, seat INTEGER NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL, reservation TEXT,
    PRIMARY KEY (event, seat)
  ) STRICT, WITHOUT ROWID;
  CREATE VIEW seats AS
    SELECT s.event, s.seat, s.id, s.section || '-' || s."row" || '-' || s.number AS label, s.category,
           CASE coalesce(t.state, 'a') WHEN 'a' THEN 'available' WHEN 'h' THEN 'held' WHEN 's' THEN 'sold' ELSE 'blocked' END AS state,
           coalesce(t.version, 0) AS version, t.reservation
    FROM seat s LEFT JOIN seat_state t ON t.event = s.event AND t.seat = s.seat;
  CREATE TABLE reservation (
    id TEXT PRIMARY KEY, event INTEGER NOT NULL, kind INTEGER NOT NULL, customer TEXT NOT NULL, created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, status TEXT NOT NULL, order_id TEXT NOT NULL DEFAULT '', seats TEXT NOT NULL, live INTEGER NOT NULL,
    created_seq INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reservation_live ON reservation (event, created_seq) WHERE live = 1;
  CREATE INDEX reservation_by_event ON reservation (event, created_seq);
  CREATE INDEX reservation_by_customer ON reservation (customer, event, created_seq) WHERE customer <> '';
  CREATE TABLE seat_change (
    event INTEGER NOT NULL, seat INTEGER NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    kind INTEGER NOT NULL, reservation TEXT, PRIMARY KEY (event, seat, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE idempotency_key (
    key BLOB PRIMARY KEY, request BLOB NOT NULL, event INTEGER NOT NULL, at INTEGER NOT NULL, outcomes BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_key_at ON idempotency_key (at);
  CREATE TABLE journal_index (
    event INTEGER NOT NULL, first_seq INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (event, first_seq)
  ) STRICT, WITHOUT ROWID;
)";

constexpr const char* k_sql_index_orders =
    "CREATE INDEX IF NOT EXISTS reservation_by_order ON reservation (order_id, event DESC, created_seq) WHERE order_id <> ''";

constexpr const char* k_sql_index_emptied = "INSERT OR REPLACE INTO meta VALUES ('index_emptied_through', ?1)";
constexpr const char* k_columns_of_event =
    "SELECT number, id, name, venue, currency, starts_at, status, hold_seconds, max_hold_seconds, seats_per_reservation, "
    "held_seats_per_customer, seq, at, plan_header FROM event";
constexpr const char* k_columns_of_reservation =
    "SELECT id, kind, customer, created_at, expires_at, status, order_id, seats, event, created_seq FROM reservation";

std::string json_of(Seats seats) {
  std::string json = "[";
  for (const SeatIndex seat : seats) json.append(json.size() > 1 ? "," : "").append(std::to_string(seat));
  return json + "]";
}

// Reads what json_of() wrote; false for anything else.
bool read_json(std::string_view json, std::vector<SeatIndex>& seats) {
  seats.clear();
  if (json.size() < 2 || json.front() != '[' || json.back() != ']') return false;
  const char* at = json.data() + 1;
  const char* end = json.data() + json.size() - 1;
  while (at < end) {
    SeatIndex seat = 0;
    const auto [next, error] = std::from_chars(at, end, seat);
    if (error != std::errc{} || (next < end && *next != ',')) return false;
    seats.push_back(seat);
    at = next + 1;
  }
  return true;
}

// Accepts an id only as to_string() writes it: in any other form, another program has changed it.
std::optional<Uuid> exact_uuid(std::string_view text) {
  const auto id = parse_uuid(text);
  return id && to_string(*id) == text ? id : std::nullopt;
}

std::optional<ReservationStatus> status_named(std::string_view name) {
  for (const auto status :
       {ReservationStatus::active, ReservationStatus::consumed, ReservationStatus::released, ReservationStatus::expired}) {
    if (name == name_of(status)) return status;
  }
  return std::nullopt;
}

}  // namespace

struct StateStore::Statements {
  explicit Statements(sqlite::Database& db)
      : set_meta(db, "UPDATE meta SET value = ?2 WHERE name = ?1"),
        insert_event(db, "INSERT INTO event VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?13,?14)"),
        configure_event(
            db,
            "UPDATE event SET name=?2, starts_at=?3, status=?4, hold_seconds=?5, max_hold_seconds=?6, seats_per_reservation=?7, "
            "held_seats_per_customer=?8 WHERE number=?1"),
        advance_event(db, "UPDATE event SET seq=?2, at=?3 WHERE number=?1"),
        insert_part(db, "INSERT INTO plan_part VALUES (?1,?2,?3,?4)"),
        insert_seat(db, "INSERT INTO seat VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)"),
        find_event(db,
                   "SELECT id, name, venue, currency, starts_at, status, hold_seconds, max_hold_seconds, seats_per_reservation, "
                   "held_seats_per_customer, created_at, plan_header, coalesce((SELECT first + count FROM plan_part WHERE event = number "
                   "ORDER BY first DESC LIMIT 1), 0) FROM event WHERE number=?1"),
        find_seat(db, "SELECT state, version, reservation FROM seat_state WHERE event=?1 AND seat=?2"),
        find_reservation(db, std::string(k_columns_of_reservation) + " WHERE id=?1 AND event=?2"),
        set_seat(db,
                 "INSERT INTO seat_state VALUES (?1,?2,?3,?4,?5) "
                 "ON CONFLICT DO UPDATE SET state=excluded.state, version=excluded.version, reservation=excluded.reservation"),
        insert_seat_change(db, "INSERT INTO seat_change VALUES (?1,?2,?3,?4,?5,?6,?7)"),
        insert_reservation(db, "INSERT INTO reservation VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)"),
        change_reservation(db, "UPDATE reservation SET expires_at=?2, seats=?3 WHERE id=?1"),
        end_reservation(db, "UPDATE reservation SET expires_at=?2, seats=?3, status=?4, order_id=?5, live=?6 WHERE id=?1"),
        insert_key(db, "INSERT OR REPLACE INTO idempotency_key VALUES (?1,?2,?3,?4,?5)"),
        drop_keys(db, "DELETE FROM idempotency_key WHERE at <= ?1"),
        insert_index(db, "INSERT OR REPLACE INTO journal_index VALUES (?1,?2,?3)"),
        drop_index(db, "DELETE FROM journal_index WHERE event=?1 AND first_seq=?2") {}

  sqlite::Statement set_meta, insert_event, configure_event, advance_event, insert_part, insert_seat, find_event, find_seat,
      find_reservation, set_seat, insert_seat_change, insert_reservation, change_reservation, end_reservation, insert_key, drop_keys,
      insert_index, drop_index;
};

StateStore::StateStore(const std::string& path, Mode mode)
    : database_(path, mode == Mode::create  ? sqlite::Database::Mode::create
                      : mode == Mode::write ? sqlite::Database::Mode::read_write
                                            : sqlite::Database::Mode::read_only) {
  if (mode == Mode::create) {
    create_tables();
  } else if (const auto cut = database_.find_cut()) {
    throw DataError(path + " is damaged: " + *cut +
                    ". Nothing was changed. Make it again with `holdfast rebuild`, or put back both files "
                    "from a backup (holdfast restore).");
  }
  const std::int64_t application_id = mode == Mode::read_backup ? Journal::k_backup_application_id : k_application_id;
  if (database_.query_int("PRAGMA application_id") != application_id) {
    throw DataError(path + " is not a state file of Holdfast. Nothing was changed. Is this the right folder?");
  }
  if (const auto format = database_.query_int("PRAGMA user_version"); format != k_format && format != k_state_format_with_stopped_events) {
    throw DataError(path + " has format " + std::to_string(format) + "; this version of Holdfast reads formats " +
                    std::to_string(k_format) + " and " + std::to_string(k_state_format_with_stopped_events) +
                    ". Nothing was changed. Use the version that wrote it, or a later one.");
  }
  stopped_ = load_stopped_events(database_);
  if (mode == Mode::read || mode == Mode::read_backup) return;
  // Earlier versions create tables without this index. Once it exists, SQLite maintains it under those versions too.
  database_.execute(k_sql_index_orders);
  // NORMAL: a power loss may take the tables back to an older position. The start replays the rest from the journal.
  database_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF; PRAGMA cache_size = -65536;");
  statements_ = std::make_unique<Statements>(database_);
}

StateStore::~StateStore() = default;

void StateStore::create_tables() {
  database_.execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;");
  sqlite::Transaction transaction(database_);
  database_.execute(k_sql_create);
  database_.execute(("PRAGMA application_id = " + std::to_string(k_application_id)).c_str());
  database_.execute(("PRAGMA user_version = " + std::to_string(k_format)).c_str());
  transaction.commit();
}

void StateStore::damaged(const std::string& what) const {
  throw TableDamage(
      database_.path() + " is damaged: " + what +
          ". Nothing was changed and nothing is sold from it. If journal.db is whole (holdfast verify), make the tables again "
          "with `holdfast rebuild`; else put back both files from a backup (holdfast restore).",
      what);
}

JournalHead StateStore::as_of() {
  JournalHead head;
  sqlite::Statement position(database_, "SELECT value FROM meta WHERE name = 'position'");
  if (!position.step()) damaged("it does not say which journal row it is as of");
  head.position = position.integer(0);
  sqlite::Statement hash(database_, "SELECT value FROM meta WHERE name = 'hash'");
  if (!hash.step() || hash.blob(0).size() != head.hash.size()) damaged("it does not say which journal row it is as of");
  std::memcpy(head.hash.data(), hash.blob(0).data(), head.hash.size());
  return head;
}

Millis StateStore::last_now() { return database_.query_int("SELECT coalesce(max(at), 0) FROM event"); }

// ---------------------------------------------------------------------------------------------------------------- following

void StateStore::roll_back() {
  following_.clear();
  if (!reads_again_) {
    transaction_.reset();
    return;
  }
  statements_.reset();
  transaction_.reset();
  statements_ = std::make_unique<Statements>(database_);
  stopped_ = load_stopped_events(database_);
  reads_again_ = false;
}

void StateStore::commit(const JournalHead& as_of) {
  for (const auto& [event, followed] : following_) {
    concerning(event, [&] { write(event, followed); });
  }
  following_.clear();
  statements_->set_meta.bind_text(1, "position").bind(2, as_of.position).run();
  statements_->set_meta.bind_text(1, "hash").bind_blob(2, {reinterpret_cast<const char*>(as_of.hash.data()), as_of.hash.size()}).run();
  transaction_->commit();
  transaction_.reset();
  reads_again_ = false;
}

void StateStore::sync_commits(bool on) { database_.execute(on ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"); }

// A key that is there twice, or a value of another type, is of the event that the statement is about.
template <typename Work>
void StateStore::concerning(EventNumber event, Work work) {
  try {
    work();
  } catch (const TableDamage& damage) {
    reads_again_ = true;
    throw EventDamage(event, damage.what(), damage.found());
  } catch (const sqlite::Error& error) {
    if (error.code() != SQLITE_CONSTRAINT) throw;
    reads_again_ = true;
    throw EventDamage(event, error.what(), "event " + std::to_string(event) + " has a row that should not be there: " + error.what());
  }
}

bool StateStore::follow(const JournalRow& row) {
  JournalBody body;
  if (!decode_body(row, body)) damaged("journal row " + std::to_string(row.position) + " cannot be read");
  const bool follows = !stopped_.contains(row.event);
  if (follows) fold(row, body);
  keep_keys(row, body);
  if (row.changes == 0) return follows;   // only keys: the next row has the same first_seq
  statements_->insert_index.bind(1, std::int64_t{row.event}).bind(2, static_cast<std::int64_t>(row.first_seq)).bind(3, row.position).run();
  return follows;
}

void StateStore::fold(const JournalRow& row, const JournalBody& body) {
  concerning(row.event, [&] {
    Followed& followed = followed_of(row.event);
    try {
      followed.effect.fold(row, body);
    } catch (const DamagedRow& damage) {
      damaged("journal row " + std::to_string(row.position) + " " + damage.what());
    } catch (const Contradiction& contradiction) {
      damaged(told_of(row, contradiction));
    }
    followed.seq = row.first_seq + row.changes - 1;
    followed.at = row.at;
    for (const PlanPart& part : followed.effect.take_plan_parts()) write_part(row.event, part);
  });
}

void StateStore::keep_keys(const JournalRow& row, const JournalBody& body) {
  for (const KeptKey& kept : body.keys) {
    statements_->insert_key.bind_blob(1, {reinterpret_cast<const char*>(kept.key.key.data()), kept.key.key.size()})
        .bind_blob(2, {reinterpret_cast<const char*>(kept.key.request.data()), kept.key.request.size()})
        .bind(3, std::int64_t{kept.event})
        .bind(4, row.at)
        .bind_blob(5, kept.outcomes)
        .run();
  }
  if (!body.keys.empty()) statements_->drop_keys.bind(1, row.at - k_keys_kept - keys_kept_longer_).run();
}

void StateStore::stop(EventNumber event, StoppedEvent stopped) {
  reads_again_ = true;
  save_stopped_event(database_, event, stopped);
  stopped_[event] = std::move(stopped);
}

// Its keys and its place in the index are there.
void StateStore::follow_stopped(const JournalRow& row) {
  JournalBody body;
  if (!decode_body(row, body)) damaged("journal row " + std::to_string(row.position) + " cannot be read");
  fold(row, body);
}

void StateStore::advance_stopped(EventNumber event, Position through) {
  StoppedEvent stopped = stopped_.at(event);
  stopped.through = through;
  stop(event, std::move(stopped));
}

void StateStore::go_on(EventNumber event) {
  reads_again_ = true;
  remove_stopped_event(database_, event, k_format);
  stopped_.erase(event);
}

void StateStore::forget_rows(std::span<const JournalRow> old, Position through) {
  for (const JournalRow& row : old) {
    if (row.changes == 0) continue;
    statements_->drop_index.bind(1, std::int64_t{row.event}).bind(2, static_cast<std::int64_t>(row.first_seq)).run();
  }
  sqlite::Statement(database_, k_sql_index_emptied).bind(1, through).run();
}

void StateStore::forget_rows_through(Position through) {
  sqlite::Transaction transaction(database_);
  sqlite::Statement(database_, "DELETE FROM journal_index WHERE position <= ?1").bind(1, through).run();
  sqlite::Statement(database_, k_sql_index_emptied).bind(1, through).run();
  transaction.commit();
}

Position StateStore::index_emptied_through() {
  return database_.query_int("SELECT coalesce((SELECT value FROM meta WHERE name = 'index_emptied_through'), 0)");
}

StateStore::Followed& StateStore::followed_of(EventNumber event) {
  const auto known = following_.find(event);
  if (known != following_.end()) return known->second;
  TableLookup lookup{.seat = [this, event](SeatIndex seat) { return find_seat(event, seat); },
                     .reservation = [this, event](const Uuid& id) { return find_reservation_row(event, id); }};
  return following_.emplace(event, Followed{.effect = NetEffect(find_event(event), std::move(lookup))}).first->second;
}

std::optional<EventRow> StateStore::find_event(EventNumber event) {
  sqlite::Statement& row = statements_->find_event;
  row.bind(1, std::int64_t{event});
  if (!row.step()) return std::nullopt;
  const auto id = parse_uuid(row.text(0));
  const std::int64_t status = row.integer(5);
  if (!id) damaged("event " + std::to_string(event) + " has no id");
  EventRow found{.id = *id,
                 .created_at = row.integer(10),
                 .venue = std::string(row.text(2)),
                 .currency = std::string(row.text(3)),
                 .settings = {.name = std::string(row.text(1)),
                              .starts_at = row.integer(4),
                              .status = static_cast<EventStatus>(status),
                              .hold_seconds = row.integer(6),
                              .max_hold_seconds = row.integer(7),
                              .limits = {.seats_per_reservation = static_cast<std::uint32_t>(row.integer(8)),
                                         .held_seats_per_customer = static_cast<std::uint32_t>(row.integer(9))}},
                 .seats = static_cast<std::size_t>(row.integer(12)),
                 .plan_header = std::string(row.blob(11))};
  row.reset();
  return found;
}

// The seat as the tables have it, before the rows that are being followed.
std::optional<SeatRow> StateStore::find_seat(EventNumber event, SeatIndex seat) {
  sqlite::Statement& row = statements_->find_seat;
  row.bind(1, std::int64_t{event}).bind(2, std::int64_t{seat});
  if (!row.step()) return std::nullopt;
  const std::string_view letter = row.text(0);
  const auto owner = exact_uuid(row.text(2));
  if (letter.size() != 1 || (!row.is_null(2) && !owner)) {
    damaged("the state of seat " + std::to_string(seat) + " of event " + std::to_string(event) + " cannot be read");
  }
  const SeatRow found{.seat = seat,
                      .version = static_cast<std::uint32_t>(row.integer(1)),
                      .state = static_cast<SeatState>(letter[0]),
                      .reservation = owner.value_or(k_no_reservation)};
  row.reset();
  return found;
}

// The reservation as the tables have it. No column says how many seats it owns: all until it ends or is sold, then those that
// name it.
std::optional<ReservationRow> StateStore::find_reservation_row(EventNumber event, const Uuid& id) {
  sqlite::Statement& row = statements_->find_reservation;
  const std::string text = to_string(id);
  row.bind_text(1, text).bind(2, std::int64_t{event});
  if (!row.step()) return std::nullopt;
  const StoredReservation stored = stored_of(row);
  row.reset();
  const ReservationView& view = stored.view;
  ReservationRow found{.id = id,
                       .kind = view.kind,
                       .status = view.status,
                       .created_seq = stored.created_seq,
                       .created_at = view.created_at,
                       .expires_at = view.expires_at,
                       .customer = view.customer,
                       .order = view.order};
  for (const ReservedSeat& reserved : view.seats) {
    found.seats.push_back(reserved.seat);
    if (view.status == ReservationStatus::active) ++found.owned;
    if (view.status != ReservationStatus::consumed) continue;
    const auto seat = find_seat(event, reserved.seat);
    if (seat && seat->reservation == id) ++found.owned;
  }
  return found;
}

// ---- writing the net effect of an event's rows

void StateStore::write(EventNumber event, const Followed& followed) {
  if (followed.effect.event_is_new() || followed.effect.event_has_changed()) write_event(event, followed);
  for (const NetEffect::Reservation* made : followed.effect.new_reservations()) insert_reservation(event, made->now);
  for (const NetEffect::Reservation* changed : followed.effect.changed_reservations()) update_reservation(*changed->before, changed->now);
  for (const auto& [index, seat] : followed.effect.seats()) {
    if (seat.now.version != seat.before.version) write_seat(event, seat.now);
  }
  for (const SeatChangeRow& change : followed.effect.seat_changes()) write_seat_change(event, change);
  statements_->advance_event.bind(1, std::int64_t{event}).bind(2, static_cast<std::int64_t>(followed.seq)).bind(3, followed.at).run();
}

void StateStore::write_event(EventNumber event, const Followed& followed) {
  const EventRow& row = followed.effect.event_row();
  const EventSettings& settings = row.settings;
  const std::string id = to_string(row.id);
  if (followed.effect.event_is_new()) {
    statements_->insert_event.bind(1, std::int64_t{event})
        .bind_text(2, id)
        .bind_text(3, settings.name)
        .bind_text(4, row.venue)
        .bind_text(5, row.currency)
        .bind(6, settings.starts_at)
        .bind(7, static_cast<std::int64_t>(settings.status))
        .bind(8, settings.hold_seconds)
        .bind(9, settings.max_hold_seconds)
        .bind(10, std::int64_t{settings.limits.seats_per_reservation})
        .bind(11, std::int64_t{settings.limits.held_seats_per_customer})
        .bind(12, static_cast<std::int64_t>(followed.seq))
        .bind(13, row.created_at)
        .bind_blob(14, row.plan_header)
        .run();
    return;
  }
  statements_->configure_event.bind(1, std::int64_t{event})
      .bind_text(2, settings.name)
      .bind(3, settings.starts_at)
      .bind(4, static_cast<std::int64_t>(settings.status))
      .bind(5, settings.hold_seconds)
      .bind(6, settings.max_hold_seconds)
      .bind(7, std::int64_t{settings.limits.seats_per_reservation})
      .bind(8, std::int64_t{settings.limits.held_seats_per_customer})
      .run();
}

void StateStore::write_part(EventNumber event, const PlanPart& part) {
  const Plan& plan = *part.seats;
  statements_->insert_part.bind(1, std::int64_t{event})
      .bind(2, std::int64_t{part.first})
      .bind(3, static_cast<std::int64_t>(plan.size()))
      .bind_blob(4, part.body)
      .run();
  std::string id;
  for (SeatIndex seat = 0; seat < plan.size(); ++seat) {
    id.clear();
    plan.append_seat_id(id, seat);
    statements_->insert_seat.bind(1, std::int64_t{event})
        .bind(2, std::int64_t{part.first} + seat)
        .bind_text(3, id)
        .bind_text(4, plan.section_of(seat))
        .bind_text(5, plan.row_of(seat))
        .bind_text(6, plan.number_of(seat))
        .bind_text(7, plan.categories()[plan.category_of(seat)].name)
        .bind(8, double{plan.x_of(seat)})
        .bind(9, double{plan.y_of(seat)})
        .run();
  }
}

void StateStore::insert_reservation(EventNumber event, const ReservationRow& row) {
  const std::string id = to_string(row.id);
  const std::string seats = json_of(row.seats);
  statements_->insert_reservation.bind_text(1, id)
      .bind(2, std::int64_t{event})
      .bind(3, static_cast<std::int64_t>(row.kind))
      .bind_text(4, row.customer)
      .bind(5, row.created_at)
      .bind(6, row.expires_at)
      .bind_text(7, name_of(row.status))
      .bind_text(8, row.order)
      .bind_text(9, seats)
      .bind(10, std::int64_t{row.owned > 0})
      .bind(11, static_cast<std::int64_t>(row.created_seq))
      .run();
}

// Writes columns that are in an index only if they have changed.
void StateStore::update_reservation(const ReservationRow& before, const ReservationRow& row) {
  const std::string id = to_string(row.id);
  const std::string seats = json_of(row.seats);
  const bool is_live = row.owned > 0;
  if (row.status == before.status && row.order == before.order && is_live == (before.owned > 0)) {
    statements_->change_reservation.bind_text(1, id).bind(2, row.expires_at).bind_text(3, seats).run();
    return;
  }
  statements_->end_reservation.bind_text(1, id)
      .bind(2, row.expires_at)
      .bind_text(3, seats)
      .bind_text(4, name_of(row.status))
      .bind_text(5, row.order)
      .bind(6, std::int64_t{is_live})
      .run();
}

void StateStore::write_seat(EventNumber event, const SeatRow& row) {
  const char letter = static_cast<char>(row.state);
  sqlite::Statement& set = statements_->set_seat;
  set.bind(1, std::int64_t{event}).bind(2, std::int64_t{row.seat}).bind_text(3, {&letter, 1}).bind(4, std::int64_t{row.version});
  bind_reservation(set, 5, row.reservation);
  set.run();
}

void StateStore::write_seat_change(EventNumber event, const SeatChangeRow& row) {
  sqlite::Statement& insert = statements_->insert_seat_change;
  insert.bind(1, std::int64_t{event})
      .bind(2, std::int64_t{row.seat})
      .bind(3, std::int64_t{row.version})
      .bind(4, static_cast<std::int64_t>(row.seq))
      .bind(5, row.at)
      .bind(6, static_cast<std::int64_t>(row.kind));
  bind_reservation(insert, 7, row.reservation);
  insert.run();
}

// The statement must run before the next reservation is bound.
void StateStore::bind_reservation(sqlite::Statement& statement, int parameter, const Uuid& reservation) {
  if (reservation == k_no_reservation) {
    statement.bind_null(parameter);
    return;
  }
  bound_reservation_.clear();
  append_uuid(bound_reservation_, reservation);
  statement.bind_text(parameter, bound_reservation_);
}

// ---------------------------------------------------------------------------------------------------------------- loading

std::unique_ptr<PlanBuilder> StateStore::load_plan(EventNumber number, const Uuid& id, std::string_view header) {
  Reader reader(header);
  auto builder = PlanBuilder::decode_header(id, reader);
  if (!builder) damaged("the plan of event " + std::to_string(number) + " cannot be read");
  sqlite::Statement parts(database_, "SELECT body FROM plan_part WHERE event = ? ORDER BY first");
  parts.bind(1, std::int64_t{number});
  while (parts.step()) {
    Reader body(parts.blob(0));
    if (!builder->decode_seats(body)) damaged("the seats of event " + std::to_string(number) + " cannot be read");
  }
  return std::make_unique<PlanBuilder>(std::move(*builder));
}

void StateStore::load_states(Inventory& inventory, std::map<Uuid, std::vector<SeatIndex>>& sold_to,
                             std::map<Uuid, std::vector<SeatIndex>>& held_by) {
  sqlite::Statement states(database_, "SELECT seat, state, version, reservation FROM seat_state WHERE event = ? ORDER BY seat");
  states.bind(1, std::int64_t{inventory.card().number});
  while (states.step()) {
    const auto seat = states.integer(0);
    const std::string_view letter = states.text(1);
    if (seat < 0 || static_cast<std::size_t>(seat) >= inventory.seat_count() || letter.size() != 1 ||
        std::string_view("ahsb").find(letter) == std::string_view::npos) {
      damaged("the state of a seat of event " + std::to_string(inventory.card().number) + " cannot be read");
    }
    const auto state = static_cast<SeatState>(letter[0]);
    inventory.restore_seat(static_cast<SeatIndex>(seat), state, static_cast<std::uint32_t>(states.integer(2)));
    const bool is_owned = state == SeatState::held || state == SeatState::sold;
    const auto owner = exact_uuid(states.text(3));
    if (is_owned != owner.has_value() || is_owned == states.is_null(3)) {
      damaged("seat " + std::to_string(seat) + " of event " + std::to_string(inventory.card().number) +
              " has no reservation, or one that it should not have");
    }
    if (is_owned) (state == SeatState::sold ? sold_to : held_by)[*owner].push_back(static_cast<SeatIndex>(seat));
  }
}

ReservationView StateStore::view_of(sqlite::Statement& row) {
  ReservationView view;
  const auto id = exact_uuid(row.text(0));   // in another form it would be a second row of the same reservation
  const auto status = status_named(row.text(5));
  std::vector<SeatIndex> seats;
  if (!id || !status || !read_json(row.text(7), seats) || seats.empty() || seats.size() > k_seats_per_reservation_max)
    damaged("reservation " + std::string(row.text(0)) + " cannot be read");
  view.id = *id;
  view.kind = static_cast<ReservationKind>(row.integer(1) & 1);
  view.customer = row.text(2);
  view.created_at = row.integer(3);
  view.expires_at = row.integer(4);
  view.status = *status;
  view.order = row.text(6);
  for (const SeatIndex seat : seats) view.seats.push_back({seat, *status == ReservationStatus::active});
  return view;
}

void StateStore::load_events(std::uint64_t hash_seed, const std::function<void(StoredEvent)>& visit,
                             const std::function<void(const EventDamage&)>& on_damage) {
  sqlite::Statement events(database_, std::string(k_columns_of_event) + " ORDER BY number");
  while (events.step()) {
    const std::int64_t number = events.integer(0);
    if (number < 1 || number > std::int64_t{k_events_max}) damaged("there is an event with the number " + std::to_string(number));
    const auto event = static_cast<EventNumber>(number);
    if (stopped_.contains(event)) continue;
    StoredEvent stored;
    try {
      concerning(event, [&] { stored = load_event(events, hash_seed); });
    } catch (const EventDamage& damage) {
      if (!on_damage) throw;
      on_damage(damage);
      continue;
    }
    visit(std::move(stored));
  }
}

void StateStore::check_event(EventNumber event) {
  sqlite::Statement row(database_, std::string(k_columns_of_event) + " WHERE number = ?1");
  row.bind(1, std::int64_t{event});
  concerning(event, [&] {
    if (!row.step()) damaged("event " + std::to_string(event) + " is missing in table event");
    load_event(row, 0);
  });
}

StoredEvent StateStore::load_event(sqlite::Statement& row, std::uint64_t hash_seed) {
  EventCard card{.number = static_cast<EventNumber>(row.integer(0)),
                 .id = exact_uuid(row.text(1)).value_or(Uuid{}),
                 .venue = std::string(row.text(3)),
                 .currency = std::string(row.text(4))};
  EventSettings settings{.name = std::string(row.text(2)),
                         .starts_at = row.integer(5),
                         .status = static_cast<EventStatus>(row.integer(6)),
                         .hold_seconds = row.integer(7),
                         .max_hold_seconds = row.integer(8),
                         .limits = {static_cast<std::uint32_t>(row.integer(9)), static_cast<std::uint32_t>(row.integer(10))}};
  if (row.integer(6) < 0 || settings.status > EventStatus::abandoned)
    damaged("event " + std::to_string(card.number) + " has an unknown status");
  StoredEvent stored;
  auto builder = load_plan(card.number, card.id, row.blob(13));
  stored.inventory = std::make_unique<Inventory>(card, settings, hash_seed);
  Inventory& inventory = *stored.inventory;
  inventory.restore_seats(builder->size());
  std::map<Uuid, std::vector<SeatIndex>> sold_to;
  std::map<Uuid, std::vector<SeatIndex>> held_by;
  load_states(inventory, sold_to, held_by);
  sqlite::Statement live(database_, std::string(k_columns_of_reservation) + " INDEXED BY reservation_live WHERE event = ? AND live = 1");
  live.bind(1, std::int64_t{card.number});
  while (live.step()) {
    ReservationView view = view_of(live);
    if (view.status == ReservationStatus::consumed) {
      const auto owned = sold_to.find(view.id);
      if (owned == sold_to.end()) damaged("reservation " + to_string(view.id) + " has no sold seat left");
      for (ReservedSeat& reserved : view.seats) reserved.owned = std::ranges::binary_search(owned->second, reserved.seat);
    }
    if (inventory.find(view.id) != Inventory::k_no_slot) damaged("reservation " + to_string(view.id) + " has two rows");
    for (const ReservedSeat& reserved : view.seats) {
      if (reserved.seat >= inventory.seat_count()) damaged("reservation " + to_string(view.id) + " names a seat that there is not");
    }
    if (std::max(view.customer.size(), view.order.size()) > BlockPool::k_text_bytes_max) {
      damaged("reservation " + to_string(view.id) + " has too long a customer or order");
    }
    inventory.restore_reservation(view);
  }
  for (const auto& [owner, seats] : held_by) {
    for (const SeatIndex seat : seats) {
      if (inventory.owner_of(seat, 0) != owner) damaged("seat " + std::to_string(seat) + " is held by another reservation than it says");
    }
  }
  inventory.restore_position(static_cast<Seq>(row.integer(11)), row.integer(12));
  if (const auto contradiction = inventory.find_contradiction()) {
    damaged("event " + std::to_string(card.number) + " contradicts itself: " + *contradiction);
  }
  if (settings.status != EventStatus::importing && settings.status != EventStatus::abandoned) {
    auto plan = builder->finish();
    if (!plan) damaged("event " + std::to_string(card.number) + " has no seats");
    stored.plan = *plan;
  }
  return stored;
}

void StateStore::load_imports(const std::function<void(EventNumber, std::unique_ptr<PlanBuilder>)>& visit) {
  sqlite::Statement events(database_, "SELECT number, id, plan_header FROM event WHERE status = ?");
  events.bind(1, static_cast<std::int64_t>(EventStatus::importing));
  while (events.step()) {
    const auto number = static_cast<EventNumber>(events.integer(0));
    if (stopped_.contains(number)) continue;
    visit(number, load_plan(number, parse_uuid(events.text(1)).value_or(Uuid{}), events.blob(2)));
  }
}

void StateStore::each_reservation(const std::function<void(const StoredReservation&)>& visit) {
  sqlite::Statement rows(database_, k_columns_of_reservation);
  while (rows.step()) visit(stored_of(rows));
}

StoredReservation StateStore::stored_of(sqlite::Statement& row) {
  return {static_cast<EventNumber>(row.integer(8)), static_cast<Seq>(row.integer(9)), view_of(row)};
}

void StateStore::list_reservations(const std::optional<std::string>& customer, bool only_live, EventNumber after_event, Seq after_seq,
                                   const std::function<bool(const StoredReservation&)>& visit) {
  // Each filter has an index in the order of event and creation. No change of a reservation changes that order.
  const char* way = customer    ? " INDEXED BY reservation_by_customer WHERE customer = ?3 AND customer <> '' AND"
                    : only_live ? " INDEXED BY reservation_live WHERE live = 1 AND"
                                : " INDEXED BY reservation_by_event WHERE";
  sqlite::Statement rows(database_,
                         std::string(k_columns_of_reservation) + way + " (event, created_seq) > (?1, ?2) ORDER BY event, created_seq");
  rows.bind(1, std::int64_t{after_event}).bind(2, static_cast<std::int64_t>(after_seq));
  if (customer) rows.bind_text(3, *customer);
  while (rows.step()) {
    if (!visit(stored_of(rows))) return;
  }
}

std::optional<Uuid> StateStore::find_order(std::string_view order) {
  sqlite::Statement rows(database_,
                         "SELECT id FROM reservation WHERE order_id = ?1 AND order_id <> '' ORDER BY event DESC, created_seq LIMIT 1");
  rows.bind_text(1, order);
  return rows.step() ? parse_uuid(rows.text(0)) : std::nullopt;
}

std::vector<SeatChange> StateStore::history_of(EventNumber event, SeatIndex seat, std::uint32_t after, std::size_t limit) {
  sqlite::Statement rows(database_,
                         "SELECT c.version, c.seq, c.at, c.kind, c.reservation, r.customer, r.order_id FROM seat_change c "
                         "LEFT JOIN reservation r ON r.id = c.reservation "
                         "WHERE c.event = ?1 AND c.seat = ?2 AND c.version > ?3 ORDER BY c.version LIMIT ?4");
  rows.bind(1, std::int64_t{event}).bind(2, std::int64_t{seat}).bind(3, std::int64_t{after}).bind(4, static_cast<std::int64_t>(limit));
  std::vector<SeatChange> history;
  while (rows.step()) {
    SeatChange change{.seq = static_cast<Seq>(rows.integer(1)),
                      .at = rows.integer(2),
                      .kind = static_cast<ChangeKind>(rows.integer(3)),
                      .version = static_cast<std::uint32_t>(rows.integer(0))};
    const auto state = state_after(change.kind);
    const bool is_right = state && concerns_reservation(change.kind) == !rows.is_null(4) && rows.is_null(4) == rows.is_null(5);
    if (!is_right) damaged("the history of seat " + std::to_string(seat) + " of event " + std::to_string(event) + " cannot be read");
    change.state = *state;
    if (!rows.is_null(4)) change.reservation = parse_uuid(rows.text(4));
    change.customer = rows.text(5);
    if (change.kind == ChangeKind::consumed || change.kind == ChangeKind::returned) change.order = rows.text(6);
    history.push_back(std::move(change));
  }
  return history;
}

void StateStore::each_seat_change(const std::function<void(EventNumber, const SeatChangeRow&)>& visit) {
  sqlite::Statement rows(database_, "SELECT event, seat, version, seq, at, kind, reservation FROM seat_change");
  while (rows.step()) {
    const auto reservation = exact_uuid(rows.text(6));
    if (!rows.is_null(6) && !reservation) damaged("a row of table seat_change names a reservation that cannot be");
    visit(static_cast<EventNumber>(rows.integer(0)), {.seat = static_cast<SeatIndex>(rows.integer(1)),
                                                      .version = static_cast<std::uint32_t>(rows.integer(2)),
                                                      .kind = static_cast<ChangeKind>(rows.integer(5)),
                                                      .seq = static_cast<Seq>(rows.integer(3)),
                                                      .at = rows.integer(4),
                                                      .reservation = reservation.value_or(k_no_reservation)});
  }
}

void StateStore::each_indexed_row(const std::function<void(EventNumber, Seq first_seq, Position)>& visit) {
  sqlite::Statement rows(database_, "SELECT event, first_seq, position FROM journal_index");
  while (rows.step()) visit(static_cast<EventNumber>(rows.integer(0)), static_cast<Seq>(rows.integer(1)), rows.integer(2));
}

void StateStore::load_keys(const std::function<void(const KeptKey&, Millis at)>& visit) {
  sqlite::Statement keys(database_, "SELECT key, request, event, at, outcomes FROM idempotency_key ORDER BY at");
  while (keys.step()) {
    KeptKey kept;
    if (keys.blob(0).size() != kept.key.key.size() || keys.blob(1).size() != kept.key.request.size())
      damaged("an idempotency key cannot be read");
    std::memcpy(kept.key.key.data(), keys.blob(0).data(), kept.key.key.size());
    std::memcpy(kept.key.request.data(), keys.blob(1).data(), kept.key.request.size());
    kept.event = static_cast<EventNumber>(keys.integer(2));
    kept.outcomes = keys.blob(4);
    visit(kept, keys.integer(3));
  }
}

bool StateStore::has_seats_of(EventNumber event, const Plan& plan) {
  sqlite::Statement rows(database_, "SELECT seat, id, section, \"row\", number, category, x, y FROM seat WHERE event = ? ORDER BY seat");
  rows.bind(1, std::int64_t{event});
  std::string id;
  SeatIndex seat = 0;
  for (; rows.step(); ++seat) {
    if (rows.integer(0) != std::int64_t{seat} || seat >= plan.size()) return false;
    id.clear();
    plan.append_seat_id(id, seat);
    const bool same = rows.text(1) == id && rows.text(2) == plan.section_of(seat) && rows.text(3) == plan.row_of(seat) &&
                      rows.text(4) == plan.number_of(seat) && rows.text(5) == plan.categories()[plan.category_of(seat)].name &&
                      rows.real(6) == double{plan.x_of(seat)} && rows.real(7) == double{plan.y_of(seat)};
    if (!same) return false;
  }
  return seat == plan.size();
}

void StateStore::each_plan_part(EventNumber event, const std::function<void(std::string_view)>& visit) {
  sqlite::Statement header(database_, "SELECT plan_header FROM event WHERE number = ?");
  header.bind(1, std::int64_t{event});
  while (header.step()) visit(header.blob(0));
  sqlite::Statement parts(database_, "SELECT body FROM plan_part WHERE event = ? ORDER BY first");
  parts.bind(1, std::int64_t{event});
  while (parts.step()) visit(parts.blob(0));
}

void StateStore::each_event_head(const std::function<void(EventNumber, Seq last)>& visit) {
  sqlite::Statement rows(database_, "SELECT number, seq FROM event");
  while (rows.step()) visit(static_cast<EventNumber>(rows.integer(0)), static_cast<Seq>(rows.integer(1)));
}

void StateStore::each_event_time(const std::function<void(EventNumber, Millis created_at, Millis at)>& visit) {
  sqlite::Statement rows(database_, "SELECT number, created_at, at FROM event");
  while (rows.step()) visit(static_cast<EventNumber>(rows.integer(0)), rows.integer(1), rows.integer(2));
}

std::string StateStore::find_broken_index() {
  sqlite::Statement check(database_, "PRAGMA integrity_check(1)");
  std::string found = check.step() ? std::string(check.text(0)) : "no answer";
  return found == "ok" ? "" : found;
}

std::optional<ReservationView> StateStore::find_reservation(const Uuid& id) {
  sqlite::Statement query(database_, std::string(k_columns_of_reservation) + " WHERE id = ?");
  const std::string text = to_string(id);
  query.bind_text(1, text);
  if (!query.step()) return std::nullopt;
  ReservationView view = view_of(query);
  const auto event = query.integer(8);
  query.reset();
  if (view.status == ReservationStatus::consumed) {
    sqlite::Statement owner(database_, "SELECT reservation FROM seat_state WHERE event=?1 AND seat=?2");
    for (ReservedSeat& reserved : view.seats) {
      owner.bind(1, event).bind(2, std::int64_t{reserved.seat});
      reserved.owned = owner.step() && owner.text(0) == text;
      owner.reset();
    }
  }
  return view;
}

}  // namespace holdfast
