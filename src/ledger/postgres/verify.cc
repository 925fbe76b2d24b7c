#include "ledger/postgres/verify.h"

#include <algorithm>
#include <optional>

#include "core/bytes.h"
#include "ledger/postgres/schema_sql.h"
#include "ledger/postgres/stored.h"
#include "ledger/replay.h"

namespace holdfast::pg {
namespace {

constexpr std::int32_t k_rows_at_once = 64;
constexpr std::int32_t k_reservations_at_once = 5'000;
constexpr std::int32_t k_history_at_once = 50'000;
constexpr std::int32_t k_seats_at_once = 20'000;

constexpr Statement k_events{
    "verify_events",
    "SELECT number FROM holdfast.event UNION SELECT event FROM holdfast.event_state UNION SELECT DISTINCT event FROM "
    "holdfast.journal ORDER BY 1"};
constexpr Statement k_anchor{"verify_anchor", "SELECT first_seq, ordinal, hash FROM holdfast.journal_anchor WHERE event = $1"};
constexpr Statement k_rows{"verify_rows",
                           "SELECT first_seq, ordinal, changes, at, hash, body FROM holdfast.journal WHERE event = $1 AND "
                           "(first_seq, ordinal) >= ($2, $3) ORDER BY first_seq, ordinal LIMIT $4"};
constexpr Statement k_reservations{"verify_reservations", "SELECT " HOLDFAST_RESERVATION_COLUMNS
                                                          " FROM holdfast.reservation WHERE event = $1 AND created_seq > $2 "
                                                          "ORDER BY created_seq LIMIT $3"};
constexpr Statement k_history{"verify_history",
                              "SELECT seat, version, kind, seq, at, reservation FROM holdfast.seat_change WHERE event = $1 AND "
                              "(seat, version) > ($2, $3) ORDER BY seat, version LIMIT $4"};
constexpr Statement k_seats{
    "verify_seats",
    "SELECT s.seat, s.id, s.uuid, s.section, s.row, s.number, s.category, s.price_ten_thousandths FROM holdfast.seat s "
    "WHERE s.event = $1 AND s.seat >= $2 ORDER BY s.seat LIMIT $3"};
constexpr Statement k_count{
    "verify_counts", "SELECT (SELECT count(*) FROM holdfast.seat WHERE event = $1), (SELECT count(*) FROM holdfast.step WHERE event = $1)"};
constexpr Statement k_parts{"verify_parts", "SELECT plan_header FROM holdfast.event_state WHERE event = $1"};
constexpr Statement k_bodies{"verify_bodies",
                             "SELECT first, body FROM holdfast.plan_part WHERE event = $1 AND first > $2 ORDER BY first LIMIT $3"};
constexpr Statement k_order{
    "verify_order",
    "SELECT count(*), coalesce(min(first_seq), 0), coalesce(max(last_seq), 0), coalesce(bool_and(follows), true) FROM ("
    "SELECT first_seq, last_seq, first_seq = coalesce(lag(last_seq) OVER (ORDER BY first_seq) + 1, first_seq) AND "
    "coalesce(lag(position) OVER (ORDER BY first_seq), 0) < position AS follows "
    "FROM holdfast.change_order WHERE event = $1) o"};
// Only if the views are of the revision that uses the table. Before that, the table is missing or being filled.
constexpr Statement k_may_read_rows_of_views{"verify_may_read_rows",
                                             "SELECT to_regclass('holdfast.view_revision') IS NOT NULL, "
                                             "coalesce(has_table_privilege(to_regclass('holdfast.view_revision'), 'SELECT') "
                                             "AND has_table_privilege(to_regclass('holdfast.reservation_row'), 'SELECT'), false)"};
constexpr Statement k_revision_of_views{"verify_revision", "SELECT coalesce(max(revision), 0) FROM holdfast.view_revision"};
constexpr Statement k_rows_of_views{
    "verify_rows_of_views",
    "SELECT count(*) FROM holdfast.reservation r CROSS JOIN LATERAL unnest(r.seats) u(seat) "
    "CROSS JOIN LATERAL (SELECT uuid FROM holdfast.seat WHERE event = r.event AND seat = u.seat LIMIT 1) s "
    "LEFT JOIN holdfast.reservation_row x ON x.id = encode(substr(sha256(uuid_send(r.id) || uuid_send(s.uuid)), 1, 16), 'hex')::uuid "
    "AND x.reservation = r.id AND x.event = r.event AND x.seat = u.seat "
    "WHERE r.event = $1 AND r.kind = 0 AND cardinality(r.seats) > 1 AND s.uuid IS NOT NULL AND x.id IS NULL"};

// Verifies one event, in a transaction with one snapshot.
class Verification {
 public:
  Verification(Connection& connection, EventNumber event)
      : connection_(connection),
        event_(event),
        name_("event " + std::to_string(event)),
        replay_("the journal of event " + std::to_string(event)) {}

  EventVerified run() {
    find_place();
    read_anchor();
    if (report_.journal_is_whole && wanted_ && *wanted_ == JournalPlace{}) compare();
    try {
      read_journal();
    } catch (const DataError& error) {
      problem(error.what());
      return std::move(report_);
    }
    if (!compared_ && wanted_) {
      problem("the tables of " + name_ + " are as of change " + std::to_string(wanted_->seq) +
              ", and its journal has no row that ends there with that hash: the journal is cut short, or another one");
    }
    compare_order();
    compare_rows_of_views();
    return std::move(report_);
  }

 private:
  void problem(const std::string& what) { report_.problems.push_back(what); }
  void tables_differ(const std::string& what) { problem("the tables of " + name_ + " do not agree with its journal: " + what); }

  void find_difference(const std::string& found) {
    if (!found.empty()) tables_differ(found);
  }

  void find_place() {
    try {
      wanted_ = place_of(connection_, event_);
    } catch (const DataError& error) {
      problem(error.what());
    }
  }

  void read_anchor() {
    const Result anchor = connection_.query(k_anchor, Parameters().event(event_));
    if (anchor.rows() == 0) return;
    report_.journal_is_whole = false;
    place_.seq = anchor.seq(0, 0) - 1;
    place_.ordinal = anchor.int2(0, 1);
    if (!read_bytes(anchor.bytes(0, 2), place_.hash)) problem("the anchor of the journal of " + name_ + " cannot be read");
  }

  void read_journal() {
    for (int count = k_rows_at_once; count == k_rows_at_once;) {
      const Result rows =
          connection_.query(k_rows, Parameters().event(event_).seq(place_.seq + 1).int2(place_.ordinal).int4(k_rows_at_once));
      count = rows.rows();
      if (count == 0 && report_.rows == 0) check_nothing_before();
      for (int at = 0; at < count; ++at) read_row(rows, at);
    }
  }

  // Called if the first expected row is missing: there may be others before it.
  void check_nothing_before() {
    const Result rows = connection_.query(k_rows, Parameters().event(event_).int8(0).int2(0).int4(1));
    if (rows.rows() > 0) throw DataError("the journal of " + name_ + " has rows before the first that it should have");
  }

  void read_row(const Result& rows, int at) {
    const JournalRow row = pg::read_row(rows, at, 0, event_);
    const auto fail = [&](const std::string& what) {
      throw DataError("the journal of " + name_ + " is damaged: the row with first_seq " + std::to_string(row.first_seq) + " and ordinal " +
                      std::to_string(row.position) + " " + what);
    };
    if (rows.bytes(at, 4).size() != row.hash.size()) fail("has no hash");
    if (row.first_seq != place_.seq + 1 || row.position != place_.ordinal) {
      fail("stands where the one with first_seq " + std::to_string(place_.seq + 1) + " and ordinal " + std::to_string(place_.ordinal) +
           " should: a row was removed or added");
    }
    if (row.at < place_.at) fail("is of an earlier time than the one before it");
    if (chain(place_.hash, row) != row.hash) fail("is not the one that was written: its hash does not fit");
    if (report_.journal_is_whole) replay_.fold(row);
    place_.advance(row);
    ++report_.rows;
    report_.changes += row.changes;
    if (compared_) report_.changes_behind += row.changes;
    if (wanted_ && place_ == *wanted_) compare();
  }

  void compare() {
    compared_ = true;
    std::optional<LoadedEvent> stored;
    try {
      stored = load_event_within(connection_, event_, 0);
    } catch (const DataError& error) {
      return problem(error.what());
    }
    if (!stored) return;
    report_.seats = stored->inventory->seat_count();
    compare_counts(stored->inventory->seat_count());
    if (!report_.journal_is_whole) return;
    const Inventory& expected = *replay_.events.at(event_);
    if (const std::string difference = compare_seats(expected, *stored->inventory); !difference.empty()) tables_differ("it " + difference);
    compare_reservations(expected);
    compare_plan(stored->plan.get());
    compare_history();
    compare_keys(*stored);
  }

  void compare_counts(std::size_t seats) {
    const Result counts = connection_.query(k_count, Parameters().event(event_));
    if (static_cast<std::size_t>(counts.int8(0, 0)) != seats)
      tables_differ("table seat has another number of rows than the event has seats");
    if (counts.int8(0, 1) != 1) tables_differ("table step has another number of rows than one");
  }

  void compare_reservations(const Inventory& expected) {
    std::int64_t last = 0;
    std::uint64_t created = 0;
    for (int count = k_reservations_at_once; count == k_reservations_at_once;) {
      const Result rows = connection_.query(k_reservations, Parameters().event(event_).int8(last).int4(k_reservations_at_once));
      count = rows.rows();
      for (int at = 0; at < count; ++at) {
        ++report_.reservations;
        last = rows.int8(at, 4);
        created += Replay::digest_of({event_, static_cast<std::uint64_t>(last)}, rows.uuid(at, 0));
        compare_reservation(rows, at, expected);
      }
    }
    find_difference(holdfast::compare_reservations(replay_, report_.reservations, created));
  }

  void compare_reservation(const Result& rows, int at, const Inventory& expected) {
    ReservationRow row;
    const bool agrees = read_reservation(rows, at, row) && replay_.has(event_, view_of(row)) &&
                        row.owned == expected.reservation(expected.find(row.id)).owned_count;
    if (!agrees && ++reservations_named_ <= k_named_max) tables_differ("reservation " + to_string(rows.uuid(at, 0)) + " is another one");
  }

  void compare_plan(const Plan* plan) {
    std::uint64_t digest = 0;
    const Result header = connection_.query(k_parts, Parameters().event(event_));
    if (header.rows() == 1) Replay::fold_into(digest, header.bytes(0, 0));
    std::int32_t last = -1;
    for (int count = k_rows_at_once; count == k_rows_at_once;) {
      const Result parts = connection_.query(k_bodies, Parameters().event(event_).int4(last).int4(k_rows_at_once));
      count = parts.rows();
      for (int at = 0; at < count; ++at) {
        Replay::fold_into(digest, parts.bytes(at, 1));
        last = parts.int4(at, 0);
      }
    }
    if (digest != replay_.plans.at(event_)) return tables_differ("it has another plan");
    if (plan != nullptr) compare_seat_rows(*plan);
  }

  void compare_seat_rows(const Plan& plan) {
    SeatIndex next = 0;
    for (int count = k_seats_at_once; count == k_seats_at_once;) {
      const Result rows = connection_.query(k_seats, Parameters().event(event_).seat(next).int4(k_seats_at_once));
      count = rows.rows();
      for (int at = 0; at < count; ++at, ++next) {
        if (!is_seat(rows, at, plan, next)) return tables_differ("table seat has another seat " + std::to_string(next) + " than the plan");
      }
    }
  }

  static bool is_seat(const Result& rows, int at, const Plan& plan, SeatIndex seat) {
    if (seat >= plan.size() || rows.seat(at, 0) != seat) return false;
    const Uuid* uuid = plan.seat_uuid(seat);
    const Category& category = plan.categories()[plan.category_of(seat)];
    const bool same_uuid = uuid == nullptr ? rows.is_null(at, 2) : !rows.is_null(at, 2) && rows.uuid(at, 2) == *uuid;
    const bool same_price =
        category.price ? !rows.is_null(at, 7) && rows.int8(at, 7) == category.price->ten_thousandths : rows.is_null(at, 7);
    return rows.text(at, 1) == plan.seat_id(seat) && same_uuid && rows.text(at, 3) == plan.section_of(seat) &&
           rows.text(at, 4) == plan.row_of(seat) && rows.text(at, 5) == plan.number_of(seat) && rows.text(at, 6) == category.name &&
           same_price;
  }

  void compare_history() {
    std::int32_t seat = -1;
    std::int32_t version = 0;
    std::uint64_t history = 0;
    for (int count = k_history_at_once; count == k_history_at_once;) {
      const Result rows = connection_.query(k_history, Parameters().event(event_).int4(seat).int4(version).int4(k_history_at_once));
      count = rows.rows();
      for (int at = 0; at < count; ++at) {
        seat = rows.int4(at, 0);
        version = rows.int4(at, 1);
        history += Replay::digest_of(event_, {.seat = static_cast<SeatIndex>(seat),
                                              .version = static_cast<std::uint32_t>(version),
                                              .kind = static_cast<ChangeKind>(rows.int2(at, 2)),
                                              .seq = rows.seq(at, 3),
                                              .at = rows.int8(at, 4),
                                              .reservation = rows.is_null(at, 5) ? k_no_reservation : rows.uuid(at, 5)});
      }
    }
    find_difference(holdfast::compare_history(replay_, history));
  }

  void compare_keys(const LoadedEvent& stored) {
    const auto agrees = [&](const LoadedKey& key) { return replay_.has(key.kept, key.at); };
    if (!std::ranges::all_of(stored.keys, agrees) || stored.keys.size() != replay_.keys_after(stored.as_of.at - k_keys_kept)) {
      tables_differ("its idempotency keys are others");
    }
  }

  // The event's places in the order of all changes: no gaps, and no change that the tables do not have. Removed rows may lack a
  // place.
  void compare_order() {
    const Result order = connection_.query(k_order, Parameters().event(event_));
    const std::int64_t last = order.int8(0, 2);
    const auto has = static_cast<std::int64_t>(wanted_ ? wanted_->seq : 0);
    const bool begins = !report_.journal_is_whole || order.int8(0, 0) == 0 || order.int8(0, 1) == 1;
    if (!order.boolean(0, 3) || !begins || last > has) tables_differ("table change_order has other changes than the tables");
  }

  // The rows by which the view Reservations finds larger reservations. Surplus rows do no harm: the view shows nothing by them.
  void compare_rows_of_views() {
    const Result may = connection_.query(k_may_read_rows_of_views);
    if (!may.boolean(0, 0)) return;
    report_.views_were_compared = may.boolean(0, 1);
    if (!report_.views_were_compared || connection_.query(k_revision_of_views).int4(0, 0) < k_reservation_rows_revision) return;
    const std::int64_t missing = connection_.query(k_rows_of_views, Parameters().event(event_)).int8(0, 0);
    if (missing > 0) {
      problem("table reservation_row of " + name_ + " lacks " + std::to_string(missing) +
              " rows, which view Reservations does not show therefore");
    }
  }

  static constexpr int k_named_max = 20;   // reservations; a longer list would be too long to read

  Connection& connection_;
  const EventNumber event_;
  const std::string name_;
  Replay replay_;
  EventVerified report_;
  std::optional<JournalPlace> wanted_;   // the tables are as of here
  JournalPlace place_;                   // after the current row
  bool compared_ = false;
  int reservations_named_ = 0;
};

}  // namespace

EventVerified verify_event(Connection& connection, EventNumber event) {
  connection.query(k_begin_snapshot);
  return connection.reset_on_error([&] {
    EventVerified report = Verification(connection, event).run();
    connection.query(k_commit);
    return report;
  });
}

std::vector<EventNumber> events_to_verify(Connection& connection) { return read_events(connection.query(k_events)); }

Settings for_verifying(Settings settings) {
  settings.application = "holdfast verify";
  settings.read_write = false;   // a standby is enough
  settings.statement_timeout = std::chrono::minutes(30);
  settings.deadline = std::chrono::minutes(31);
  settings.idle_in_transaction = std::chrono::minutes(30);
  return settings;
}

}  // namespace holdfast::pg
