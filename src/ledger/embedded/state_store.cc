#include "ledger/embedded/state_store.h"

#include <algorithm>
#include <charconv>

#include "core/check.h"
#include "core/limits.h"
#include "ledger/data_error.h"
#include "ledger/embedded/sqlite_rows.h"
#include "ledger/embedded/state_columns.h"

namespace holdfast {
namespace {

struct ResetAtEnd {
  sqlite::Statement& statement;
  ~ResetAtEnd() { statement.reset(); }
};

constexpr std::int64_t k_application_id = 0x48665331;   // "HfS1"

constexpr int k_log_frames_to_move = 1'000;   // 4 MB

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

constexpr const char* k_sql_index_emptied =
    "INSERT INTO meta VALUES ('index_emptied_through', ?1) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";

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

EventColumns columns_of(EventNumber event, std::string_view id, const EventRow& row, Seq seq, Millis at, RowSum plan_header) {
  const EventSettings& settings = row.settings;
  return {.number = event,
          .starts_at = settings.starts_at,
          .status = static_cast<std::int64_t>(settings.status),
          .hold_seconds = settings.hold_seconds,
          .max_hold_seconds = settings.max_hold_seconds,
          .seats_per_reservation = settings.limits.seats_per_reservation,
          .held_seats_per_customer = settings.limits.held_seats_per_customer,
          .seq = static_cast<std::int64_t>(seq),
          .at = at,
          .created_at = row.created_at,
          .id = id,
          .name = settings.name,
          .venue = row.venue,
          .currency = row.currency,
          .plan_header = plan_header};
}

ReservationColumns columns_of(EventNumber event, std::string_view id, const ReservationRow& row, std::string_view seats) {
  return {.event = event,
          .kind = static_cast<std::int64_t>(row.kind),
          .created_at = row.created_at,
          .expires_at = row.expires_at,
          .live = row.owned > 0,
          .created_seq = static_cast<std::int64_t>(row.created_seq),
          .id = id,
          .customer = row.customer,
          .status = name_of(row.status),
          .order = row.order,
          .seats = seats};
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
  Statements(sqlite::Database& db, const std::string& select_event, const std::string& select_reservation)
      : set_meta(db, "UPDATE meta SET value = ?2 WHERE name = ?1"),
        insert_event(db, "INSERT INTO event VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?13,?14)"),
        configure_event(
            db,
            "UPDATE event SET name=?2, starts_at=?3, status=?4, hold_seconds=?5, max_hold_seconds=?6, seats_per_reservation=?7, "
            "held_seats_per_customer=?8 WHERE number=?1"),
        advance_event(db, "UPDATE event SET seq=?2, at=?3 WHERE number=?1"),
        insert_part(db, "INSERT INTO plan_part VALUES (?1,?2,?3,?4)"),
        insert_seat(db, "INSERT INTO seat VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)"),
        find_event(db, select_event),
        find_seat(db, "SELECT state, version, reservation FROM seat_state WHERE event=?1 AND seat=?2"),
        find_reservation(db, select_reservation),
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
                                            : sqlite::Database::Mode::read_only),
      is_settled_(mode == Mode::create) {
  if (mode == Mode::write) keep_log_at_close();
  // Before the first commit: SQLite's own hook would move a log that is not settled.
  sqlite3_wal_hook(
      database_.handle(),
      [](void* self, sqlite3*, const char*, int frames) { return static_cast<StateStore*>(self)->move_long_log(frames); }, this);
  if (mode == Mode::create) {
    create_tables();
  } else if (const auto cut = database_.find_cut()) {
    throw DataError(path + " is damaged: " + *cut +
                    ". Nothing was changed. Make it again with `holdfast rebuild`, or put back both files "
                    "from a backup (holdfast restore).");
  }
  const std::int64_t application_id = mode == Mode::read_backup ? SqliteRows::k_backup_application_id : k_application_id;
  if (database_.query_int("PRAGMA application_id") != application_id) {
    throw DataError(path + " is not a state file of Holdfast. Nothing was changed. Is this the right folder?");
  }
  if (const auto format = database_.query_int("PRAGMA user_version"); format != k_format && format != k_state_format_with_stopped_events) {
    throw DataError(path + " has format " + std::to_string(format) + "; this version of Holdfast reads formats " +
                    std::to_string(k_format) + " and " + std::to_string(k_state_format_with_stopped_events) +
                    ". Nothing was changed. Use the version that wrote it, or a later one.");
  }
  stopped_ = load_stopped_events(database_);
  const bool writes = mode == Mode::create || mode == Mode::write;
  checks_.emplace(database_, writes);
  if (!writes) return;
  // Earlier versions create tables without this index. Once it exists, SQLite maintains it under those versions too.
  database_.execute(k_sql_index_orders);
  // NORMAL: a power loss may take the tables back to an older position. The start replays the rest from the journal.
  database_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF; PRAGMA cache_size = -65536;");
  prepare();
}

StateStore::~StateStore() = default;

// After each commit. SQLite would do the same by itself, but hide that a sync has failed. An error returned here is that of the commit,
// which stays.
int StateStore::move_long_log(int frames) {
  if (!is_settled_ || frames < k_log_frames_to_move) return SQLITE_OK;
  const int result = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return (result & 0xFF) == SQLITE_BUSY || (result & 0xFF) == SQLITE_LOCKED ? SQLITE_OK : result;
}

void StateStore::settle() {
  database_.rewrite_log();
  database_.move_log();
  database_.keep_log_at_close(false);
  is_settled_ = true;
}

void StateStore::prepare() {
  const std::string event = std::string("SELECT ") + EventColumns::k_names + ", " + checks_->event_sum_column() +
                            ", coalesce((SELECT first + count FROM plan_part WHERE event = number ORDER BY first DESC LIMIT 1), 0) "
                            "FROM event WHERE number=?1";
  statements_ = std::make_unique<Statements>(database_, event, select_reservations("WHERE id=?1 AND event=?2"));
}

std::optional<StateChecks::Made> StateStore::make_missing_checks() {
  if (checks_->are_current()) return std::nullopt;
  return checks_->make_again(as_of());
}

void StateStore::create_tables() {
  database_.execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;");
  sqlite::Transaction transaction(database_);
  database_.execute(k_sql_create);
  database_.execute(("PRAGMA application_id = " + std::to_string(k_application_id)).c_str());
  database_.execute(("PRAGMA user_version = " + std::to_string(k_format)).c_str());
  transaction.commit();
}

void StateStore::damaged(const std::string& what) const { throw TableDamage(told_of_damage(what), what); }

std::string StateStore::told_of_damage(const std::string& what) const {
  return database_.path() + " is damaged: " + what +
         ". Nothing was changed and nothing is sold from it. If journal.db is whole (holdfast verify), make the tables again "
         "with `holdfast rebuild`; else put back both files from a backup (holdfast restore).";
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
  going_on_.clear();
  if (!reads_again_) {
    transaction_.reset();
    return;
  }
  statements_.reset();
  transaction_.reset();
  prepare();
  stopped_ = load_stopped_events(database_);
  reads_again_ = false;
}

void StateStore::commit(const JournalHead& as_of) {
  for (auto& [event, followed] : following_) {
    concerning(event, [&] { write(event, followed); });
  }
  following_.clear();
  for (const EventNumber event : std::exchange(going_on_, {})) {
    concerning(event, [&] { expect_sum(event, checks_->written_sum(event), checks_->sum_of_rows(event)); });
  }
  statements_->set_meta.bind_text(1, "position").bind(2, as_of.position).run();
  statements_->set_meta.bind_text(1, "hash").bind_blob(2, {reinterpret_cast<const char*>(as_of.hash.data()), as_of.hash.size()}).run();
  checks_->advance(as_of.hash);
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
    for (const PlanPart& part : followed.effect.take_plan_parts()) write_part(row.event, part, followed.sum);
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

bool StateStore::go_on_without(EventNumber event) {
  if (!checks_->drop_sum_of_missing_event(event)) return false;
  reads_again_ = true;
  remove_stopped_event(database_, event, k_format);
  stopped_.erase(event);
  return true;
}

EventNumber StateStore::last_known_event() {
  constexpr const char* k_sql =
      "SELECT max(coalesce((SELECT max(event) FROM event_check WHERE event BETWEEN 0 AND ?1), 0), "
      "coalesce((SELECT max(event) FROM journal_index WHERE event BETWEEN 0 AND ?1), 0))";   // each from the end of an index
  sqlite::Statement row(database_, k_sql);
  row.bind(1, std::int64_t{k_events_max});
  return row.step() ? static_cast<EventNumber>(row.integer(0)) : 0;
}

void StateStore::go_on(EventNumber event) {
  reads_again_ = true;
  remove_stopped_event(database_, event, k_format);
  stopped_.erase(event);
  going_on_.push_back(event);
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
  const auto known_event = find_event(event);
  Followed followed{.effect = NetEffect(known_event ? std::optional(known_event->row) : std::nullopt, std::move(lookup))};
  if (known_event) {
    followed.sum = known_event->others;
    followed.plan_header = known_event->plan_header;
  }
  return following_.emplace(event, std::move(followed)).first->second;
}

std::optional<StateStore::KnownEvent> StateStore::find_event(EventNumber event) {
  sqlite::Statement& row = statements_->find_event;
  row.bind(1, std::int64_t{event});
  if (!row.step()) return std::nullopt;
  const auto columns = EventColumns::from(row);
  const auto id = parse_uuid(columns.id);
  if (!id) damaged("event " + std::to_string(event) + " has no id");
  if (checks_->are_current() && row.is_null(k_column_of_event_sum)) damaged("event " + std::to_string(event) + " has no sum");
  KnownEvent found{.row = {.id = *id,
                           .created_at = columns.created_at,
                           .venue = std::string(columns.venue),
                           .currency = std::string(columns.currency),
                           .settings = {.name = std::string(columns.name),
                                        .starts_at = columns.starts_at,
                                        .status = static_cast<EventStatus>(columns.status),
                                        .hold_seconds = columns.hold_seconds,
                                        .max_hold_seconds = columns.max_hold_seconds,
                                        .limits = {.seats_per_reservation = static_cast<std::uint32_t>(columns.seats_per_reservation),
                                                   .held_seats_per_customer = static_cast<std::uint32_t>(columns.held_seats_per_customer)}},
                           .seats = static_cast<std::size_t>(row.integer(k_column_of_event_sum + 1)),
                           .plan_header = std::string(row.blob(k_column_of_event_sum - 1))},
                   .plan_header = columns.plan_header,
                   .others = static_cast<RowSum>(row.integer(k_column_of_event_sum)) - sum_of(columns)};
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

void StateStore::write(EventNumber event, Followed& followed) {
  if (followed.effect.event_is_new() || followed.effect.event_has_changed()) write_event(event, followed);
  for (const NetEffect::Reservation* made : followed.effect.new_reservations()) insert_reservation(event, made->now, followed.sum);
  for (const NetEffect::Reservation* changed : followed.effect.changed_reservations()) {
    update_reservation(event, *changed->before, changed->now, followed.sum);
  }
  for (const auto& [index, seat] : followed.effect.seats()) {
    if (seat.now.version != seat.before.version) write_seat(event, seat, followed.sum);
  }
  for (const SeatChangeRow& change : followed.effect.seat_changes()) write_seat_change(event, change);
  statements_->advance_event.bind(1, std::int64_t{event}).bind(2, static_cast<std::int64_t>(followed.seq)).bind(3, followed.at).run();
  const EventRow& row = followed.effect.event_row();
  const std::string id = to_string(row.id);
  checks_->set_event(event, followed.sum + sum_of(columns_of(event, id, row, followed.seq, followed.at, followed.plan_header)));
}

void StateStore::write_event(EventNumber event, Followed& followed) {
  const EventRow& row = followed.effect.event_row();
  const EventSettings& settings = row.settings;
  const std::string id = to_string(row.id);
  if (followed.effect.event_is_new()) {
    followed.plan_header = sum_of_plan_header(row.plan_header);
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

void StateStore::write_part(EventNumber event, const PlanPart& part, RowSum& sum) {
  const Plan& plan = *part.seats;
  sum += sum_of(PlanPartColumns{event, part.first, static_cast<std::int64_t>(plan.size()), part.body});
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

void StateStore::insert_reservation(EventNumber event, const ReservationRow& row, RowSum& sum) {
  const std::string id = to_string(row.id);
  const std::string seats = json_of(row.seats);
  const ReservationColumns columns = columns_of(event, id, row, seats);
  const RowSum of_row = sum_of(columns);
  checks_->set_reservation(columns, of_row);
  if (row.owned > 0) sum += of_row;
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
void StateStore::update_reservation(EventNumber event, const ReservationRow& before, const ReservationRow& row, RowSum& sum) {
  const std::string id = to_string(row.id);
  const std::string seats = json_of(row.seats);
  const bool is_live = row.owned > 0;
  const ReservationColumns columns = columns_of(event, id, row, seats);
  const RowSum of_row = sum_of(columns);
  checks_->set_reservation(columns, of_row);
  if (is_live) sum += of_row;
  if (before.owned > 0) sum -= sum_of(columns_of(event, id, before, json_of(before.seats)));
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

// A seat of version 0 has no row.
void StateStore::write_seat(EventNumber event, const NetEffect::Seat& seat, RowSum& sum) {
  const auto sum_of_seat = [&](const SeatRow& row) {
    const char letter = static_cast<char>(row.state);
    SeatStateColumns columns{.event = event, .seat = row.seat, .version = row.version, .state = {&letter, 1}, .reservation = std::nullopt};
    if (row.reservation != k_no_reservation) columns.reservation = text_of(row.reservation);
    return sum_of(columns);
  };
  const SeatRow& row = seat.now;
  sum += sum_of_seat(row);
  if (seat.before.version > 0) sum -= sum_of_seat(seat.before);
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
  statement.bind_text(parameter, text_of(reservation));
}

// Valid until the next call.
std::string_view StateStore::text_of(const Uuid& reservation) {
  reservation_text_.clear();
  append_uuid(reservation_text_, reservation);
  return reservation_text_;
}

// ---------------------------------------------------------------------------------------------------------------- reading

std::string StateStore::select_reservations(std::string_view more) const {
  std::string sql =
      std::string("SELECT ") + ReservationColumns::k_names + ", " + checks_->reservation_sum_column() + " FROM reservation r ";
  return sql.append(more);
}

// A row of table reservation with the sum behind it. Throws TableDamage if they are not of each other.
ReservationColumns StateStore::as_written(const sqlite::Statement& row, int first) const {
  const auto columns = ReservationColumns::from(row, first);
  const int sum = first + ReservationColumns::k_count;
  if (!checks_->are_current() || (!row.is_null(sum) && static_cast<RowSum>(row.integer(sum)) == sum_of(columns))) return columns;
  const std::string found = "the row of reservation " + std::string(columns.id) + " is not what was written";
  const auto id = exact_uuid(columns.id);
  if (!id) damaged(found);
  throw ReservationDamage(*id, told_of_damage(found), found);
}

void StateStore::expect_sum(EventNumber event, const std::optional<RowSum>& written, RowSum sum) const {
  if (!checks_->are_current() || written == sum) return;
  damaged("rows of event " + std::to_string(event) + " in table event, plan_part, seat_state or reservation are not what was written");
}

ReservationView StateStore::view_of(const ReservationColumns& row) const {
  ReservationView view;
  const auto id = exact_uuid(row.id);   // in another form it would be a second row of the same reservation
  const auto status = status_named(row.status);
  std::vector<SeatIndex> seats;
  if (!id || !status || !read_json(row.seats, seats) || seats.empty() || seats.size() > k_seats_per_reservation_max)
    damaged("reservation " + std::string(row.id) + " cannot be read");
  view.id = *id;
  view.kind = static_cast<ReservationKind>(row.kind & 1);
  view.customer = row.customer;
  view.created_at = row.created_at;
  view.expires_at = row.expires_at;
  view.status = *status;
  view.order = row.order;
  for (const SeatIndex seat : seats) view.seats.push_back({seat, *status == ReservationStatus::active});
  return view;
}

StoredReservation StateStore::stored_of(const sqlite::Statement& row) const {
  const ReservationColumns columns = as_written(row);
  return {static_cast<EventNumber>(columns.event), static_cast<Seq>(columns.created_seq), view_of(columns)};
}

void StateStore::each_reservation(const std::function<void(const StoredReservation&)>& visit) {
  sqlite::Statement rows(database_, std::string("SELECT ") + ReservationColumns::k_names + " FROM reservation r");
  while (rows.step()) {
    const auto row = ReservationColumns::from(rows);
    visit({static_cast<EventNumber>(row.event), static_cast<Seq>(row.created_seq), view_of(row)});
  }
}

void StateStore::list_reservations(const std::optional<std::string>& customer, bool only_live, EventNumber after_event, Seq after_seq,
                                   const std::function<bool(EventNumber)>& wants,
                                   const std::function<void(const StoredReservation&)>& visit) {
  // Each filter has an index in the order of event and creation. No change of a reservation changes that order.
  const std::string way = customer    ? "INDEXED BY reservation_by_customer WHERE customer = ?3 AND customer <> '' AND"
                          : only_live ? "INDEXED BY reservation_live WHERE live = 1 AND"
                                      : "INDEXED BY reservation_by_event WHERE";
  sqlite::Statement rows(database_, select_reservations(way + " (event, created_seq) > (?1, ?2) ORDER BY event, created_seq"));
  rows.bind(1, std::int64_t{after_event}).bind(2, static_cast<std::int64_t>(after_seq));
  if (customer) rows.bind_text(3, *customer);
  while (rows.step() && wants(static_cast<EventNumber>(ReservationColumns::from(rows).event))) visit(stored_of(rows));
}

std::optional<Uuid> StateStore::find_order(std::string_view order) {
  sqlite::Statement rows(database_, select_reservations("WHERE order_id = ?1 AND order_id <> '' ORDER BY event DESC, created_seq LIMIT 1"));
  rows.bind_text(1, order);
  return rows.step() ? std::optional(stored_of(rows).view.id) : std::nullopt;
}

std::vector<SeatChange> StateStore::history_of(EventNumber event, SeatIndex seat, std::uint32_t after, std::size_t limit) {
  sqlite::Statement rows(database_, std::string("SELECT h.version, h.seq, h.at, h.kind, h.reservation, ") + ReservationColumns::k_names +
                                        ", " + checks_->reservation_sum_column() +
                                        " FROM seat_change h LEFT JOIN reservation r ON r.id = h.reservation "
                                        "WHERE h.event = ?1 AND h.seat = ?2 AND h.version > ?3 ORDER BY h.version LIMIT ?4");
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
    if (!rows.is_null(4)) {
      const ReservationColumns reservation = as_written(rows, 5);
      change.reservation = parse_uuid(reservation.id);
      change.customer = reservation.customer;
      if (change.kind == ChangeKind::consumed || change.kind == ChangeKind::returned) change.order = reservation.order;
    }
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
  if (!by_id_) by_id_ = std::make_unique<sqlite::Statement>(database_, select_reservations("WHERE id = ?"));
  sqlite::Statement& query = *by_id_;
  const std::string text = to_string(id);
  const ResetAtEnd reset{query};   // also after an exception: a query that has not ended would keep the log from being moved
  query.bind_text(1, text);
  if (!query.step()) return std::nullopt;
  const ReservationColumns columns = as_written(query);
  ReservationView view = view_of(columns);
  const std::int64_t event = columns.event;
  const bool is_live = columns.live != 0;   // otherwise it owns nothing, whatever rows of seats say
  if (is_live && view.status == ReservationStatus::consumed) {
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
