#include "ledger/postgres/projection.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <ranges>

#include "core/bytes.h"
#include "core/check.h"
#include "ledger/net_effect.h"
#include "ledger/postgres/stored.h"

namespace holdfast::pg {
namespace {

constexpr std::int32_t k_rows_a_step = 4'096;
constexpr std::size_t k_seats_a_step = 50'000;           // larger steps gain nothing
constexpr std::int64_t k_no_price = INT64_MIN;           // as k_add_seats has it
constexpr std::size_t k_changes_of_import_row = 1'024;   // such a row counts as so many changes: it has some 70 KB and 2,000 seats

#define HOLDFAST_EVENT_STATE "SELECT " HOLDFAST_EVENT_COLUMNS ", next_expiry FROM holdfast.event_state WHERE event = $1 "
constexpr Statement k_take{"step_take", HOLDFAST_EVENT_STATE "FOR UPDATE SKIP LOCKED"};
constexpr Statement k_wait{"step_wait", HOLDFAST_EVENT_STATE "FOR UPDATE"};
// Statements of their own, after the lock: so they see everything that was committed before it.
constexpr Statement k_place{"step_place",
                            "SELECT seq, ordinal, hash, at, base_seq, base_ordinal, digest FROM holdfast.step WHERE event = $1 "
                            "ORDER BY base_seq DESC, base_ordinal DESC LIMIT 1"};
constexpr Statement k_rows{"step_rows",
                           "SELECT first_seq, ordinal, changes, at, hash, body FROM holdfast.journal WHERE event = $1 AND "
                           "(first_seq, ordinal) >= (coalesce(" HOLDFAST_LAST_STEP("seq + 1", "$1") ", 1), coalesce(" HOLDFAST_LAST_STEP(
                               "ordinal", "$1") ", 0::smallint)) AND first_seq <= coalesce(" HOLDFAST_LAST_STEP("seq", "$1") ", 0) + $2 "
                           "ORDER BY first_seq, ordinal LIMIT CASE WHEN (SELECT status FROM holdfast.event_state e WHERE e.event = $1) >= 1 "
                           "THEN $3::integer ELSE $4::integer END"};

// A join with an array has a LIMIT as large as the array, and takes the event's number along. The planner cannot see into the
// array, so only one plan is left to it: one index lookup per element, also while the tables are empty. Otherwise it would scan
// all of an event's rows.
constexpr Statement k_know_seats{
    "step_know_seats",
    "SELECT u.seat, c.version, c.kind, c.reservation FROM unnest($2::int4[]) u(seat) " HOLDFAST_LAST_CHANGE_OF("u.seat")};
constexpr Statement k_know_reservations{
    "step_know_reservations", "SELECT " HOLDFAST_RESERVATION_COLUMNS " FROM holdfast.reservation WHERE event = $1 AND id = ANY ($2)"};
constexpr Statement k_know_seats_of{"step_know_seats_of",
                                    "SELECT u.seat, c.version, c.kind, c.reservation FROM holdfast.reservation r CROSS JOIN LATERAL "
                                    "unnest(r.seats) u(seat) " HOLDFAST_LAST_CHANGE_OF("u.seat") "WHERE r.event = $1 AND r.id = ANY ($2)"};

constexpr Statement k_add_event{"step_add_event",
                                "INSERT INTO holdfast.event_state (event, " HOLDFAST_EVENT_COLUMNS
                                ", next_expiry) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"};
constexpr Statement k_set_event{"step_set_event",
                                "UPDATE holdfast.event_state SET name = $2, starts_at = $3, status = $4, hold_seconds = $5, "
                                "max_hold_seconds = $6, seats_per_reservation = $7, held_seats_per_customer = $8, seats = $9, "
                                "next_expiry = $10 WHERE event = $1"};
constexpr Statement k_add_parts{
    "step_add_parts",
    "INSERT INTO holdfast.plan_part (event, first, count, body) "
    "SELECT $1, u.first, u.count, u.body FROM unnest($2::int4[], $3::int4[], $4::bytea[]) u(first, count, body)"};
constexpr Statement k_add_seats{
    "step_add_seats",
    "INSERT INTO holdfast.seat (event, seat, uuid, price_ten_thousandths, x, y, id, section, \"row\", number, category) "
    "SELECT $1, $2 + u.at - 1, u.uuid, nullif(($13::int8[])[u.price], -9223372036854775808), u.x::real, u.y::real, u.id, "
    "($11::text[])[u.section], ($12::text[])[u.row], "
    "u.number, ($14::text[])[u.price] "
    "FROM unnest($3::uuid[], $4::int4[], $5::float8[], $6::float8[], $7::text[], $8::int4[], $9::int4[], $10::text[]) "
    "WITH ORDINALITY u(uuid, price, x, y, id, section, row, number, at)"};

constexpr Statement k_add_reservations{
    "step_add_reservations",
    "INSERT INTO holdfast.reservation (event, kind, status, owned, created_seq, created_at, expires_at, id, customer, order_id, seats) "
    "SELECT $1, u.kind, u.status, u.owned, u.created_seq, u.created_at, u.expires_at, u.id, u.customer, u.order_id, "
    "($13::int4[])[u.first : u.last] FROM unnest($2::int2[], $3::int2[], $4::int2[], $5::int8[], $6::int8[], $7::int8[], $8::uuid[], "
    "$9::text[], $10::text[], $11::int4[], $12::int4[]) "
    "u(kind, status, owned, created_seq, created_at, expires_at, id, customer, order_id, first, last)"};
constexpr Statement k_set_reservations{
    "step_set_reservations",
    "UPDATE holdfast.reservation r SET status = u.status, owned = u.owned, expires_at = u.expires_at, order_id = u.order_id, "
    "seats = ($9::int4[])[u.first : u.last] FROM (SELECT *, $1::int4 AS event FROM unnest($2::uuid[], $3::int2[], $4::int2[], $5::int8[], "
    "$6::text[], $7::int4[], $8::int4[]) t(id, status, owned, expires_at, order_id, first, last) LIMIT cardinality($2::uuid[])) u "
    "WHERE r.id = u.id AND r.event = u.event"};
constexpr Statement k_add_history{"step_add_history",
                                  "INSERT INTO holdfast.seat_change (event, seat, version, kind, seq, at, reservation) SELECT $1, u.seat, "
                                  "u.version, u.kind, u.seq, u.at, "
                                  "u.reservation FROM unnest($2::int4[], $3::int4[], $4::int2[], $5::int8[], $6::int8[], $7::uuid[]) "
                                  "u(seat, version, kind, seq, at, reservation)"};
constexpr Statement k_add_keys{"step_add_keys",
                               "INSERT INTO holdfast.kept_keys (event, base_seq, base_ordinal, at, body) VALUES ($1, $2, $3, $4, $5)"};
constexpr Statement k_add_step{"step_add_step",
                               "INSERT INTO holdfast.step (event, base_seq, base_ordinal, seq, ordinal, hash, at, digest) "
                               "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"};
constexpr Statement k_drop_step{"step_drop_step", "DELETE FROM holdfast.step WHERE event = $1 AND base_seq = $2 AND base_ordinal = $3"};

constexpr Statement k_order_lock{"order_lock", "SELECT FROM holdfast.change_order_lock WHERE one FOR UPDATE"};
constexpr Statement k_order_add{
    "order_add",
    "INSERT INTO holdfast.change_order (position, event, first_seq, last_seq) "
    "SELECT (SELECT coalesce(max(position), 0) FROM holdfast.change_order) + row_number() OVER (ORDER BY w.event), w.event, w.ordered + 1, "
    "w.seq "
    "FROM (SELECT e.event, coalesce((SELECT o.last_seq FROM holdfast.change_order o WHERE o.event = e.event ORDER BY o.first_seq DESC "
    "LIMIT 1), 0) "
    "ordered, " HOLDFAST_LAST_STEP("seq", "e.event") " seq "
    "FROM unnest($1::int4[]) e(event)) w WHERE w.seq > w.ordered"};

constexpr Statement k_drop_keys{
    "drop_old_keys",
    "DELETE FROM holdfast.kept_keys WHERE event = $1 AND base_seq <= (SELECT max(base_seq) FROM (SELECT base_seq "
    "FROM holdfast.kept_keys WHERE event = $1 ORDER BY base_seq, base_ordinal LIMIT 64) o) AND "
    "at <= " HOLDFAST_LAST_STEP("at", "$1") " - $2"};

constexpr Statement k_lagging{
    "find_lagging",
    "SELECT e.number, (j.last_seq, j.ordinal) IS DISTINCT FROM (s.seq, s.ordinal) OR s.seq IS DISTINCT FROM o.last_seq "
    "FROM (SELECT number FROM holdfast.event WHERE number >= $1 ORDER BY number LIMIT $2) e "
    "LEFT JOIN LATERAL (SELECT first_seq + changes - 1 AS last_seq, CASE WHEN changes > 0 THEN 0 ELSE ordinal + 1 END AS ordinal "
    "FROM holdfast.journal WHERE event = e.number ORDER BY first_seq DESC, journal.ordinal DESC LIMIT 1) j ON true "
    "LEFT JOIN LATERAL (SELECT seq, step.ordinal::integer AS ordinal FROM holdfast.step WHERE event = e.number ORDER BY base_seq DESC, "
    "base_ordinal DESC LIMIT 1) s ON true "
    "LEFT JOIN LATERAL (SELECT last_seq FROM holdfast.change_order WHERE event = e.number ORDER BY first_seq DESC LIMIT 1) o ON true "
    "ORDER BY e.number"};

std::optional<Uuid> or_null(const Uuid& id) { return id == k_no_reservation ? std::nullopt : std::optional(id); }

// One value of each row, for an array of a statement. `value_of` is a member of a row, or a function of it.
template <typename Value, typename Rows, typename ValueOf>
std::vector<Value> column(const Rows& rows, ValueOf value_of) {
  std::vector<Value> values;
  values.reserve(rows.size());
  for (const auto& row : rows) values.push_back(static_cast<Value>(std::invoke(value_of, row)));
  return values;
}

// The seats of several reservations, one after the other: those of the first from firsts[0] to lasts[0], counted from 1.
struct SeatLists {
  explicit SeatLists(const std::vector<const ReservationRow*>& rows) {
    for (const ReservationRow* row : rows) {
      firsts.push_back(static_cast<std::int32_t>(seats.size()) + 1);
      seats.insert(seats.end(), row->seats.begin(), row->seats.end());
      lasts.push_back(static_cast<std::int32_t>(seats.size()));
    }
  }
  std::vector<SeatIndex> seats;
  std::vector<std::int32_t> firsts;
  std::vector<std::int32_t> lasts;
};

std::vector<const ReservationRow*> rows_of(const std::vector<const NetEffect::Reservation*>& reservations) {
  return column<const ReservationRow*>(reservations, [](const NetEffect::Reservation* each) { return &each->now; });
}

DataError damage_of(EventNumber event, const std::string& what) {
  return DataError("the tables of event " + std::to_string(event) + " in PostgreSQL are damaged: " + what +
                   ". Nothing was changed. Make them again with `holdfast rebuild --ledger URL --event " + std::to_string(event) + "`.");
}

// A row that the projector did not write is in the way or has an impossible value, or the server cannot read a page.
bool tells_of_damage(const Error& error) { return error.state().starts_with("23") || error.state().starts_with("22") || error.is_damage(); }

// One step of one event in an open transaction.
class Step {
 public:
  Step(Connection& connection, EventNumber event) : connection_(connection), event_(event) {}

  // Locks the event and reads what is new. take_reading() takes the results of these three statements.
  void send_reading(bool wait, std::size_t changes_max) {
    changes_max_ = changes_max;
    rows_max_ = static_cast<std::int32_t>(std::max<std::size_t>(1, changes_max / k_changes_of_import_row));
    connection_.send(wait ? k_wait : k_take, Parameters().event(event_));
    connection_.send(k_place, Parameters().event(event_));
    connection_.send(k_rows, Parameters().event(event_).unsigned8(changes_max).int4(k_rows_a_step).int4(rows_max_));
  }

  StepReport::Result take_reading(std::span<Result> results) {
    const Result& state = results[0];
    const Result& place = results[1];
    rows_.emplace(std::move(results[2]));
    if (place.rows() > 0) take_place(place);
    if (place.rows() > 0 && state.rows() == 0) return StepReport::Result::busy;
    // Between two of these statements another node committed the event's first step: the rows begin after that step, the place
    // before it.
    if (place.rows() == 0 && rows_->rows() > 0 && rows_->int8(0, 0) != 1) return StepReport::Result::busy;
    std::optional<EventRow> event_row;
    if (state.rows() > 0) {
      event_row = read_event(state);
      next_expiry_known_ = next_expiry_ = state.is_null(0, k_event_columns) ? k_never : state.int8(0, k_event_columns);
    }
    if (event_row && event_row->settings.status != EventStatus::importing) rows_max_ = k_rows_a_step;
    effect_.emplace(std::move(event_row));
    if (rows_->rows() == 0) return StepReport::Result::up_to_date;
    look_at_rows();
    return StepReport::Result::done;
  }

  // Writes the net effect of the rows in two round trips, or in one if nothing must be read from the tables first.
  void write() {
    know();
    fold();
    write_event();
    write_plan();
    write_reservations();
    write_history();
    write_place();
    const std::vector<Result> results = connection_.round_trip();
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto& [statement, rows] = written_[i];
      if (results[i].affected() != rows) {
        damaged(std::string(statement) + " touched " + std::to_string(results[i].affected()) + " rows instead of " + std::to_string(rows));
      }
    }
  }

  StepReport report() const {
    StepReport report{.place = place_};
    if (taken_.empty()) return report;
    report.result = StepReport::Result::done;
    report.changes = place_.seq - from_.seq;
    report.rows = taken_.size();
    report.there_is_more =
        static_cast<std::size_t>(rows_->rows()) > report.rows || rows_->rows() >= rows_max_ || report.changes >= changes_max_;
    report.has_keys = !keys_.empty();
    report.import_has_ended = effect_->import_has_ended();
    report.seats = effect_->event_row().seats;
    return report;
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const { throw damage_of(event_, what); }

  void take_place(const Result& place) {
    const auto from = read_place(place);
    if (!from) damaged(k_unreadable_place);
    from_ = *from;
    before_ = {place.int8(0, 4), place.int2(0, 5)};
    digest_ = place.unsigned8(0, 6);
    place_ = from_;
  }

  void look_at_rows() {
    for (int at = 0; at < rows_->rows(); ++at) {
      if (effect_->seats_looked_at() >= k_seats_a_step) return;
      look_at(read_row(*rows_, at, 0, event_));
    }
  }

  // Checks that the row is the next one of the journal and unaltered, then looks at its changes.
  void look_at(const JournalRow& row) {
    if (row.first_seq != place_.seq + 1 || row.position != place_.ordinal) fail(row, "is not the one after the row before it");
    if (row.at < place_.at) fail(row, "is of an earlier time than the row before it");
    if (chain(place_.hash, row) != row.hash) fail(row, "is not the one that was written: its hash does not fit");
    if (!decode_body(row, body_)) fail(row, "cannot be read");
    guarded(row, [&] { effect_->look_at(row, body_); });
    place_.advance(row);
    taken_.push_back(row);
  }

  // Calls `action` for a row. Turns a contradiction into an error that says what to do.
  template <typename Do>
  void guarded(const JournalRow& row, Do action) const {
    try {
      action();
    } catch (const DamagedRow& damage) {
      fail(row, damage.what());
    } catch (const Contradiction& contradiction) {
      throw DataError("the tables of event " + std::to_string(event_) + " in PostgreSQL do not agree with its journal: change " +
                      std::to_string(contradiction.seq()) + " (" + name_of(contradiction.kind()) + ", journal row " +
                      std::to_string(row.first_seq) + ") " + contradiction.what() +
                      ". Nothing was changed. `holdfast verify --ledger URL` says whether the journal is whole; if it is, make the tables "
                      "of the event again with `holdfast rebuild --ledger URL --event " +
                      std::to_string(event_) + "`.");
    }
  }

  [[noreturn]] void fail(const JournalRow& row, const std::string& what) const {
    throw DataError("the journal of event " + std::to_string(event_) + " in PostgreSQL is damaged: the row with first_seq " +
                    std::to_string(row.first_seq) + " and ordinal " + std::to_string(row.position) + " " + what +
                    ". Nothing was changed. Restore the database from a backup, or set the row right if it was changed by hand.");
  }

  // Updates the digest, and the earliest expiry with that of the new holds.
  void sum_up() {
    for (const auto& [index, seat] : effect_->seats()) {
      if (seat.now.version != seat.before.version) digest_ += digest_of(event_, seat.now) - digest_of(event_, seat.before);
    }
    for (const auto& [id, reservation] : effect_->reservations()) {
      if (reservation.before && reservation.before->owned > 0) digest_ -= digest_of(event_, *reservation.before);
      if (reservation.now.owned > 0) digest_ += digest_of(event_, reservation.now);
      if (!reservation.before && reservation.now.status == ReservationStatus::active && !reservation.now.seats.empty()) {
        next_expiry_ = std::min(next_expiry_, reservation.now.expires_at);
      }
    }
  }

  void know_seats(const Result& seats) {
    for (int row = 0; row < seats.rows(); ++row) {
      SeatRow seat;
      if (!read_seat(seats, row, seat)) damaged("the state of seat " + std::to_string(seats.int4(row, 0)) + " cannot be read");
      effect_->know(seat);
    }
  }

  void send(const Statement& statement, const Parameters& parameters, std::size_t rows) {
    connection_.send(statement, parameters);
    written_.emplace_back(statement.name, rows);
  }

  // Reads what the rows need from the tables. No round trip if they need nothing.
  void know() {
    const auto seats = effect_->seats_to_know();
    const auto& reservations = effect_->reservations_to_know();
    const auto& with_all_seats = effect_->reservations_with_all_seats();
    if (seats.empty() && reservations.empty()) return;
    const auto results =
        connection_.round_trip({{k_know_seats, Parameters().event(event_).seats(seats)},
                                {k_know_reservations, Parameters().event(event_).uuids(std::span<const Uuid>(reservations))},
                                {k_know_seats_of, Parameters().event(event_).uuids(std::span<const Uuid>(with_all_seats))}});
    know_seats(results[0]);
    const Result& known = results[1];
    for (int row = 0; row < known.rows(); ++row) {
      ReservationRow reservation;
      if (!read_reservation(known, row, reservation)) damaged("reservation " + to_string(known.uuid(row, 0)) + " cannot be read");
      effect_->know(std::move(reservation));
    }
    know_seats(results[2]);
  }

  void fold() {
    for (const JournalRow& row : taken_) {
      HOLDFAST_CHECK(decode_body(row, body_));   // as look_at() did
      guarded(row, [&] { effect_->fold(row, body_); });
      for (const KeptKey& kept : body_.keys) pack_key(kept, row.at, keys_);
      if (!body_.keys.empty()) keys_at_ = row.at;
    }
    sum_up();
  }

  void write_event() {
    const EventRow& row = effect_->event_row();
    Parameters values;
    values.event(event_);
    if (effect_->event_is_new()) values.uuid(row.id).int8(row.created_at).text(row.venue).text(row.currency);
    values.text(row.settings.name)
        .int8(row.settings.starts_at)
        .int2(static_cast<std::int16_t>(row.settings.status))
        .int8(row.settings.hold_seconds)
        .int8(row.settings.max_hold_seconds)
        .int8(row.settings.limits.seats_per_reservation)
        .int8(row.settings.limits.held_seats_per_customer)
        .int4(static_cast<std::int32_t>(row.seats));
    if (effect_->event_is_new()) values.bytes(row.plan_header);
    if (next_expiry_ == k_never) {
      values.null(k_oid_int8);
    } else {
      values.int8(next_expiry_);
    }
    if (effect_->event_is_new()) {
      send(k_add_event, values, 1);
    } else if (effect_->event_has_changed() || next_expiry_ != next_expiry_known_) {
      send(k_set_event, values, 1);
    }
  }

  void write_plan() {
    const std::vector<PlanPart>& parts = effect_->plan_parts();
    if (parts.empty()) return;
    for (const PlanPart& part : parts) write_part(part);
    send(k_add_parts,
         Parameters()
             .event(event_)
             .seats(column<SeatIndex>(parts, &PlanPart::first))
             .seats(column<SeatIndex>(parts, [](const PlanPart& part) { return part.seats->size(); }))
             .byte_strings(column<std::string_view>(parts, &PlanPart::body)),
         parts.size());
  }

  // Adds the seats of a part. Names that many seats share are sent once, and counted from 1.
  void write_part(const PlanPart& part) {
    const Plan& plan = *part.seats;
    const auto seats = std::views::iota(SeatIndex{0}, static_cast<SeatIndex>(plan.size()));
    const auto uuid_of = [&](SeatIndex seat) {
      const Uuid* uuid = plan.seat_uuid(seat);
      return uuid == nullptr ? std::nullopt : std::optional(*uuid);
    };
    const auto price_of = [](const Category& category) { return category.price ? category.price->ten_thousandths : k_no_price; };
    send(k_add_seats,
         Parameters()
             .event(event_)
             .seat(part.first)
             .uuids(column<std::optional<Uuid>>(seats, uuid_of))
             .int4s(column<std::int32_t>(seats, [&](SeatIndex seat) { return plan.category_of(seat) + 1; }))
             .real8s(column<double>(seats, [&](SeatIndex seat) { return plan.x_of(seat); }))
             .real8s(column<double>(seats, [&](SeatIndex seat) { return plan.y_of(seat); }))
             .texts(column<std::string>(seats, [&](SeatIndex seat) { return plan.seat_id(seat); }))
             .int4s(column<std::int32_t>(seats, [&](SeatIndex seat) { return plan.segment_of(seat).section + 1; }))
             .int4s(column<std::int32_t>(seats, [&](SeatIndex seat) { return plan.segment_of(seat).row + 1; }))
             .texts(column<std::string_view>(seats, [&](SeatIndex seat) { return plan.number_of(seat); }))
             .texts(plan.sections())
             .texts(plan.names())
             .int8s(column<std::int64_t>(plan.categories(), price_of))
             .texts(column<std::string>(plan.categories(), &Category::name)),
         plan.size());
  }

  void write_reservations() {
    if (const auto made = rows_of(effect_->new_reservations()); !made.empty()) {
      const SeatLists lists(made);
      send(k_add_reservations,
           Parameters()
               .event(event_)
               .int2s(column<std::int16_t>(made, &ReservationRow::kind))
               .int2s(column<std::int16_t>(made, &ReservationRow::status))
               .int2s(column<std::int16_t>(made, &ReservationRow::owned))
               .seqs(column<Seq>(made, &ReservationRow::created_seq))
               .int8s(column<std::int64_t>(made, &ReservationRow::created_at))
               .int8s(column<std::int64_t>(made, &ReservationRow::expires_at))
               .uuids(column<Uuid>(made, &ReservationRow::id))
               .texts(column<std::string_view>(made, &ReservationRow::customer))
               .texts(column<std::string_view>(made, &ReservationRow::order))
               .int4s(lists.firsts)
               .int4s(lists.lasts)
               .seats(lists.seats),
           made.size());
    }
    if (const auto changed = rows_of(effect_->changed_reservations()); !changed.empty()) {
      const SeatLists lists(changed);
      send(k_set_reservations,
           Parameters()
               .event(event_)
               .uuids(column<Uuid>(changed, &ReservationRow::id))
               .int2s(column<std::int16_t>(changed, &ReservationRow::status))
               .int2s(column<std::int16_t>(changed, &ReservationRow::owned))
               .int8s(column<std::int64_t>(changed, &ReservationRow::expires_at))
               .texts(column<std::string_view>(changed, &ReservationRow::order))
               .int4s(lists.firsts)
               .int4s(lists.lasts)
               .seats(lists.seats),
           changed.size());
    }
  }

  void write_history() {
    const std::vector<SeatChangeRow>& changes = effect_->seat_changes();
    if (changes.empty()) return;
    send(k_add_history,
         Parameters()
             .event(event_)
             .seats(column<SeatIndex>(changes, &SeatChangeRow::seat))
             .int4s(column<std::int32_t>(changes, &SeatChangeRow::version))
             .int2s(column<std::int16_t>(changes, &SeatChangeRow::kind))
             .seqs(column<Seq>(changes, &SeatChangeRow::seq))
             .int8s(column<std::int64_t>(changes, &SeatChangeRow::at))
             .uuids(column<std::optional<Uuid>>(changes, [](const SeatChangeRow& row) { return or_null(row.reservation); })),
         changes.size());
  }

  void write_place() {
    if (!keys_.empty()) {
      send(k_add_keys, Parameters().event(event_).seq(from_.seq).int2(from_.ordinal).int8(keys_at_).bytes(keys_), 1);
    }
    send(k_add_step,
         Parameters()
             .event(event_)
             .seq(from_.seq)
             .int2(from_.ordinal)
             .seq(place_.seq)
             .int2(place_.ordinal)
             .bytes(as_bytes(place_.hash))
             .int8(place_.at)
             .unsigned8(digest_),
         1);
    if (before_) send(k_drop_step, Parameters().event(event_).int8(before_->first).int2(before_->second), 1);
  }

  Connection& connection_;
  EventNumber event_;
  JournalPlace from_;
  JournalPlace place_;   // after the last row taken
  std::optional<std::pair<std::int64_t, std::int16_t>> before_;   // the key of the last step
  std::uint64_t digest_ = 0;
  Millis next_expiry_known_ = k_never;
  Millis next_expiry_ = k_never;
  std::size_t changes_max_ = 0;
  std::int32_t rows_max_ = 1;
  std::optional<Result> rows_;
  std::optional<NetEffect> effect_;
  std::vector<JournalRow> taken_;   // views into rows_
  JournalBody body_;
  std::string keys_;   // packed
  Millis keys_at_ = 0;   // of the last key
  std::vector<std::pair<const char*, std::size_t>> written_;   // statements sent, each with the number of rows that it must touch
};

// Whether another node has made the event's first step meanwhile.
bool tells_of_first_step(const Error& error) {
  return error.is(k_unique_violation) && std::string_view(error.what()).starts_with(k_add_event.name);
}

StepReport take_step(Connection& connection, EventNumber event, std::size_t changes_max) {
  Step step(connection, event);
  connection.send(k_begin);
  step.send_reading(false, changes_max);
  std::vector<Result> read = connection.round_trip();
  const auto result = step.take_reading(std::span(read).subspan(1));
  if (result != StepReport::Result::done) {
    connection.query(k_rollback);
    StepReport report = step.report();
    report.result = result;
    return report;
  }
  step.write();
  connection.query(k_commit);
  return step.report();
}

StepReport take_all_steps(Connection& connection, EventNumber event) {
  StepReport all;
  for (;;) {
    Step step(connection, event);
    step.send_reading(true, k_changes_a_step);
    std::vector<Result> read = connection.round_trip();
    const auto result = step.take_reading(read);
    if (result != StepReport::Result::done) {
      all.place = step.report().place;
      return all;
    }
    step.write();
    const StepReport one = step.report();
    all.result = StepReport::Result::done;
    all.changes += one.changes;
    all.rows += one.rows;
    if (one.import_has_ended) {
      all.import_has_ended = true;
      all.seats = one.seats;
    }
    all.place = one.place;
    if (!one.there_is_more) return all;
  }
}

}   // namespace

StepReport project(Connection& connection, EventNumber event, std::size_t changes_max) {
  try {
    return connection.reset_on_error([&] { return take_step(connection, event, changes_max); });
  } catch (const Error& error) {
    if (tells_of_first_step(error)) return {.result = StepReport::Result::busy};
    if (tells_of_damage(error)) throw damage_of(event, error.what());
    throw;
  }
}

StepReport project_within(Connection& connection, EventNumber event) {
  try {
    return take_all_steps(connection, event);
  } catch (const Error& error) {
    if (tells_of_damage(error) && !tells_of_first_step(error)) throw damage_of(event, error.what());
    throw;
  }
}

void order_changes(Connection& connection, std::span<const EventNumber> events) {
  if (events.empty()) return;
  connection.reset_on_error(
      [&] { connection.round_trip({{k_begin}, {k_order_lock}, {k_order_add, Parameters().events(events)}, {k_commit}}); });
}

void drop_old_keys(Connection& connection, EventNumber event) {
  connection.query(k_drop_keys, Parameters().event(event).int8(k_keys_kept));
}

Lagging find_lagging(Connection& connection, EventNumber first, std::size_t limit) {
  const Result rows = connection.query(k_lagging, Parameters().event(first).unsigned8(limit));
  Lagging lagging;
  for (int row = 0; row < rows.rows(); ++row) {
    if (rows.boolean(row, 1)) lagging.events.push_back(rows.event(row, 0));
  }
  if (static_cast<std::size_t>(rows.rows()) == limit) lagging.next = rows.event(rows.rows() - 1, 0) + 1;
  return lagging;
}

namespace {

constexpr Statement k_first_row{"first_row_is_there",
                                "SELECT FROM holdfast.journal WHERE event = $1 AND first_seq = 1 AND ordinal = 0 AND changes > 0"};
constexpr Statement k_forget[] = {{"forget_step", "DELETE FROM holdfast.step WHERE event = $1"},
                                  {"forget_state", "DELETE FROM holdfast.event_state WHERE event = $1"},
                                  {"forget_parts", "DELETE FROM holdfast.plan_part WHERE event = $1"},
                                  {"forget_seats", "DELETE FROM holdfast.seat WHERE event = $1"},
                                  {"forget_reservations", "DELETE FROM holdfast.reservation WHERE event = $1"},
                                  {"forget_history", "DELETE FROM holdfast.seat_change WHERE event = $1"},
                                  {"forget_keys", "DELETE FROM holdfast.kept_keys WHERE event = $1"}};

}   // namespace

void forget_tables(Connection& connection, EventNumber event) {
  connection.reset_on_error([&] {
    connection.query(k_begin);
    connection.query(k_wait, Parameters().event(event));   // so that no step of the event is in progress
    if (connection.query(k_first_row, Parameters().event(event)).rows() == 0) {
      throw DataError("the journal does not have the beginning of event " + std::to_string(event) +
                      " any more (or never had one), so its tables cannot be made again from it. Nothing was changed. Restore the database "
                      "from a backup.");
    }
    for (const Statement& forget : k_forget) connection.query(forget, Parameters().event(event));
    connection.query(k_commit);
  });
}

namespace {

constexpr Statement k_hot[] = {
    k_take,      k_place,     k_rows,      k_know_seats, k_know_reservations, k_know_seats_of, k_set_event, k_set_reservations,
    k_drop_step, k_order_add, k_drop_keys, k_lagging};

int parameters_of(std::string_view sql) {
  int most = 0;
  for (std::size_t at = sql.find('$'); at != std::string_view::npos; at = sql.find('$', at + 1)) {
    most = std::max(most, std::atoi(sql.data() + at + 1));
  }
  return most;
}

// The plan that the server uses for any parameters.
std::string plan_of(Connection& connection, const Statement& statement) {
  std::string nulls;
  for (int i = parameters_of(statement.sql); i > 0; --i) nulls.append(nulls.empty() ? "NULL" : ", NULL");
  connection.run_script("PREPARE holdfast_looked_at AS " + std::string(statement.sql));
  const Result lines = connection.run_script("EXPLAIN EXECUTE holdfast_looked_at" + (nulls.empty() ? "" : "(" + nulls + ")"));
  connection.run_script("DEALLOCATE holdfast_looked_at");
  std::string plan;
  for (int row = 0; row < lines.rows(); ++row) plan.append(lines.text(row, 0)).append("\n");
  return plan;
}

}   // namespace

std::vector<std::string> find_bad_plans(Connection& connection) {
  // On empty tables all plans cost the same. After an import the tables are analysed, and statements are planned again.
  constexpr Statement k_has_seats{"has_seats", "SELECT EXISTS (SELECT FROM holdfast.seat)"};
  if (!connection.query(k_has_seats).boolean(0, 0)) return {};
  std::vector<std::string> bad;
  for (const Statement& statement : k_hot) {
    const std::string plan = plan_of(connection, statement);
    // Scanning or hashing a whole table takes longer the larger the table is.
    for (const std::string_view slow :
         {"Seq Scan on journal", "Seq Scan on seat", "Seq Scan on reservation", "Seq Scan on step", "Seq Scan on event",
          "Seq Scan on change_order ", "Hash Join", "Merge Join", "Join Filter", "Materialize"}) {
      if (plan.find(slow) != std::string::npos)
        bad.push_back(std::string(statement.name) + " would do a " + std::string(slow) + ":\n" + plan);
    }
  }
  return bad;
}

}   // namespace holdfast::pg
