// Content that cannot be, in tables or in a journal whose rows are all what was written: named by every command, and never the end by a signal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/maintenance.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string what_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

// Two events of twenty seats, of which the tables have everything, and one change more for a journal.
class Contradicted : public testing::Test {
 protected:
  Contradicted() {
    LedgerInTest it(folder / "good", time);
    const Uuid id = uuid_of(7);
    bad = it.create_event(id, plan_of(id, 20), {}, 10);   // in two parts
    good = it.create_event(20);
    for (Uuid* each : {&held, &also_held, &sold, &released}) *each = it.new_id(bad);
    EXPECT_TRUE(it.hold(bad, held, {1, 2}, "anna").accepted());
    EXPECT_TRUE(it.hold(bad, also_held, {3}, "anna").accepted());
    EXPECT_TRUE(it.hold(bad, sold, {4}, "ben").accepted());
    EXPECT_TRUE(it.consume(bad, sold).accepted());
    EXPECT_TRUE(it.hold(bad, released, {5}, "cleo").accepted());
    EXPECT_TRUE(it.release(bad, released).accepted());
    Submission keyed;
    keyed.parts.push_back({good, Hold{.reservation = it.new_id(good), .customer = "dora", .seats = one_seat, .duration = k_minute}});
    keyed.key = key_of(1, 1);
    EXPECT_TRUE(it.asks(keyed).outcomes.front().accepted());
    it.wait_for_tables();
    next = it.ledger().event(bad)->seq() + 1;
    at = it.ledger().now();
  }

  fs::path copy() {
    const fs::path to = folder.path() / ("copy" + std::to_string(++copies));
    fs::copy(folder / "good", to, fs::copy_options::recursive);
    return to;
  }

  // Appends a row to the journal that nobody has judged. The tables lack it.
  void append(const fs::path& data, const std::vector<Change>& changes) const { append(data, bad, next, changes); }
  void append(const fs::path& data, EventNumber event, Seq first, const std::vector<Change>& changes) const {
    ChangeBatch batch;
    Writer writer(batch.bytes);
    for (const Change& change : changes) {
      encode_change(change, at, writer);
      ++batch.count;
    }
    std::string body;
    encode_body(batch, {}, body);
    append_row(data, event, first, batch.count, at, body);
  }

  // A start that believes the tables without replaying the whole journal, as one with a large journal.
  EmbeddedOptions believing(const fs::path& data) const { return {.data = data, .clock = &time, .journal_bytes_verified_max = 0}; }
  std::string refusal_of(const fs::path& data) const {
    return what_of([&] { const EmbeddedLedger ledger(believing(data)); });
  }
  void rebuild(const fs::path& data) const {
    cli::rebuild(data, [](Position, Position) {});
  }
  static std::string tables_of(const fs::path& data) { return read_whole(data / "state.db"); }
  // All that a ledger knows of the two events.
  std::string picture_of(const fs::path& data) const {
    LedgerInTest it(data, time, believing(data));
    for (int i = 0; i < 6; ++i) it.new_id(bad);
    return it.picture();
  }

  LedgerFolder folder;
  TestTime time;
  const SeatList one_seat{1};
  EventNumber bad = 0;
  EventNumber good = 0;
  Uuid held{}, also_held{}, sold{}, released{};
  Seq next = 0;
  Millis at = 0;
  int copies = 0;
};

TEST_F(Contradicted, JournalsAreNamedByEveryCommandAndNothingIsChanged) {
  const SeatList taken{4, 6};
  const SeatList beyond{20};
  EventSettings importing{.status = EventStatus::importing};
  const struct {
    std::vector<Change> changes;
    const char* said;
  } cases[] = {
      {{{.kind = ChangeKind::held, .reservation = uuid_of(1), .expires_at = at + 1, .seats = taken}},
       "(held, journal row 15) finds seat 4 sold"},
      {{{.kind = ChangeKind::consumed, .reservation = sold, .text = "o"}}, "(consumed, journal row 15) is of reservation "},
      {{{.kind = ChangeKind::consumed, .reservation = uuid_of(1), .ends = true, .text = "o"}}, "which does not exist"},
      {{{.kind = ChangeKind::expired, .reservation = held}, {.kind = ChangeKind::expired, .reservation = held}}, "which has ended"},
      {{{.kind = ChangeKind::blocked, .seats = beyond}}, "names seat 20, which does not exist"},
      {{{.kind = ChangeKind::seats_appended, .count = 3}}, "appends seats to an event whose import has ended"},
      {{{.kind = ChangeKind::event_configured, .settings = &importing}, {.kind = ChangeKind::seats_appended, .text = "x", .count = 3}}, ""},
  };
  for (const auto& [changes, said] : cases) {
    SCOPED_TRACE(said);
    const fs::path data = copy();
    append(data, changes);
    const std::string before = tables_of(data);
    const fs::path file = folder / "backup";
    for (const std::string& told :
         {verify_folder(data).problem, what_of([&] { cli::backup(data, file); }), what_of([&] { rebuild(data); }),
          what_of([&] { cli::accept_loss(data, [](Position, Position) {}); }), refusal_at_start(data, time), refusal_of(data)}) {
      EXPECT_THAT(told, HasSubstr(said));
      EXPECT_TRUE(names_the_way_out(told, "journal"));
      EXPECT_THAT(told, HasSubstr("othing was changed"));
    }
    EXPECT_EQ(tables_of(data), before);
    for (const char* left : {"state.db.replaced", "state.db.partial", "../backup", "../backup.partial"})
      EXPECT_FALSE(fs::exists(data / left)) << left;
  }
}

TEST_F(Contradicted, AJournalWithKeysOfAnEventThatThereIsNotIsNamed) {
  const fs::path data = copy();
  std::string body;
  encode_body({}, std::vector<KeptKey>{{.event = 9, .key = key_of(2, 2), .outcomes = {}}}, body);
  append_row(data, 9, 1, 0, at, body);
  for (const std::string& told : {what_of([&] { rebuild(data); }), refusal_of(data), verify_folder(data).problem}) {
    EXPECT_THAT(told, HasSubstr("is of an event that was never created"));
    EXPECT_TRUE(names_the_way_out(told, "journal"));
  }
}

// The tables lack a row of the journal, and what they have of one event is false.
TEST_F(Contradicted, TablesOfOneEventStopItAndItIsStartedFromTheJournal) {
  const SeatList seat_15{15};
  const SeatList seats_of_held{1, 2};
  const std::vector<Change> changes{{.kind = ChangeKind::released, .reservation = held, .ends = true, .seats = seats_of_held},
                                    {.kind = ChangeKind::blocked, .seats = seat_15},
                                    {.kind = ChangeKind::consumed, .reservation = released, .ends = true, .text = "o"}};
  const fs::path right = copy();
  append(right, changes);
  const std::string expected = picture_of(right);
  const struct {
    const char* sql;
    const char* said;
    bool stays = true;   // otherwise the row that the tables lacked puts them right
  } cases[] = {
      {"UPDATE seat_state SET state = 's' WHERE event = 1 AND seat < 3;"
       "UPDATE reservation SET status = 'consumed', order_id = 'o' WHERE event = 1 AND seats = '[1,2]'",
       "(released, journal row 15) is of reservation "},
      {"DELETE FROM plan_part WHERE event = 1 AND first = 10", "(blocked, journal row 15) names seat 15, which does not exist"},
      {"INSERT INTO seat_state VALUES (1, 15, 'b', 1, NULL)", "finds seat 15 blocked"},
      {"UPDATE event SET seq = seq - 1 WHERE number = 1", "(journal row 15) is where change", false},
      {"UPDATE event SET seq = seq + 3 WHERE number = 1", "(journal row 15) is where change", false},
      {"DELETE FROM event WHERE number = 1", "is of an event that was never created"},
      {"DELETE FROM reservation WHERE event = 1 AND seats = '[5]'", "which does not exist"},
      {"UPDATE reservation SET seats = '[5,5]' WHERE event = 1 AND seats = '[5]'", "which has not ended in the tables"},
      {"UPDATE seat_state SET state = 's' WHERE event = 1 AND seat = 1", "belongs to a reservation that has ended"},
      {"UPDATE seat_state SET state = 'z' WHERE event = 1 AND seat = 1", "cannot be read"},
      {"UPDATE reservation SET seats = '[3,3]' WHERE event = 1 AND seats = '[3]'", ""},
      {"UPDATE reservation SET seats = '[77]' WHERE event = 1 AND seats = '[3]'", "names a seat that there is not"},
      {"UPDATE event SET plan_header = x'' WHERE number = 1", "the plan of event 1 cannot be read"},
      {"UPDATE event SET status = 77 WHERE number = 1", "has an unknown status"},
      {"UPDATE reservation SET customer = printf('%.*c', 2000000, 'x') WHERE event = 1 AND seats = '[3]'", "too long"},
  };
  for (const auto& [sql, said, stays] : cases) {
    SCOPED_TRACE(sql);
    const fs::path data = copy();
    append(data, changes);
    change_by_hand(data / "state.db", "DROP TABLE reservation_check; DROP TABLE event_check");   // or the sums would tell
    change_by_hand(data / "state.db", sql);
    {
      EmbeddedOptions standing = believing(data);
      standing.has_tables_thread = false;   // it would try the tables again
      const EmbeddedLedger ledger(standing);
      const StoppedEvents stopped = ledger.stopped_events();
      ASSERT_EQ(stopped.size(), 1u);
      EXPECT_THAT(stopped.at(bad).why, HasSubstr(said));
    }
    for (int start = 0; start < 2; ++start) {
      LedgerInTest it(data, time, believing(data));
      if (stays) EXPECT_FALSE(it.ledger().list_reservations({.event = bad}, "", 100));
      for (int i = 0; i < 6; ++i) it.new_id(bad);
      it.wait_for_tables();
      EXPECT_EQ(it.picture(), expected);
      EXPECT_TRUE(it.ledger().list_reservations({.event = good}, "", 100));
    }
    const VerifyReport report = verify_folder(data);
    EXPECT_TRUE(report.only_stopped_events || report.problem.empty()) << report.problem;
    rebuild(data);
    EXPECT_EQ(verify_folder(data).problem, "");
    EXPECT_EQ(picture_of(data), expected);
  }
}

TEST_F(Contradicted, TablesOfSeveralEventsStopTheseAlone) {
  const fs::path data = copy();
  change_by_hand(data / "state.db", "UPDATE seat_state SET state = 's'");
  LedgerInTest it(data, time, believing(data));
  EXPECT_EQ(it.ledger().stopped_events().size(), 2u);
  for (const EventNumber event : {bad, good}) EXPECT_EQ(told(it.hold(event, reservation_id(event, 100), {9})), "accepted");
}

// Its rows fit, but that does not make its other rows right.
TEST_F(Contradicted, TablesDoNotGoOnBecauseTheJournalHasNothingNew) {
  const fs::path data = copy();
  change_by_hand(data / "state.db", "UPDATE seat_state SET state = 's' WHERE event = 1 AND seat = 1");
  LedgerInTest it(data, time, believing(data));
  EXPECT_TRUE(it.hold(good, reservation_id(good, 100), {9}).accepted());
  it.wait_for_tables();   // the step in which the stopped event is tried again
  EXPECT_TRUE(it.hold(good, reservation_id(good, 101), {10}).accepted());
  it.wait_for_tables();
  EXPECT_EQ(it.ledger().stopped_events().size(), 1u);
  it.close();
  change_by_hand(data / "state.db", "UPDATE seat_state SET state = 'h' WHERE event = 1 AND seat = 1");
  it.reopen();
  EXPECT_TRUE(eventually([&] { return it.ledger().stopped_events().empty(); })) << "somebody has put them right";
}

TEST_F(Contradicted, TablesAreNotReplacedByAJournalThatIsNoLongerWhole) {
  const fs::path data = copy();
  remove_old_rows(data, 3);
  change_by_hand(data / "state.db", "UPDATE seat_state SET state = 's' WHERE event = 1 AND seat = 1");
  const std::string before = tables_of(data);
  for (int start = 0; start < 2; ++start) {
    const std::string refusal = refusal_of(data);
    EXPECT_THAT(refusal, AllOf(HasSubstr("the tables of event 1 in "), HasSubstr("the journal no longer has its first ones")));
    EXPECT_TRUE(names_the_way_out(refusal, "state.db"));
    EXPECT_EQ(tables_of(data), before);
  }
}

TEST_F(Contradicted, TablesAndJournalRefuseTheStartAndStateDbStaysAsItIs) {
  const fs::path data = copy();
  append(data, {{.kind = ChangeKind::expired, .reservation = sold}});
  change_by_hand(data / "state.db", "UPDATE seat_state SET state = 's' WHERE event = 1 AND seat = 1");
  const std::string before = tables_of(data);
  EXPECT_THAT(refusal_of(data), HasSubstr(journal_name_in_test() + " contradicts itself: "));
  EXPECT_EQ(tables_of(data), before);
}

// Its import has not ended, so readers do not know its reservations.
TEST_F(Contradicted, JournalWithAReservationOfAnEventThatNeverOpenedIsReadAsUnreadable) {
  const fs::path data = copy();
  const auto plan = plan_of(uuid_of(9), 3);
  std::string header;
  std::string seats;
  Writer header_writer(header);
  plan->encode_header(header_writer);
  Writer seats_writer(seats);
  plan->encode_seats(0, 3, seats_writer);
  const EventCard card{.id = uuid_of(9)};
  const EventSettings importing{.status = EventStatus::importing};
  append(data, 3, 1,
         {{.kind = ChangeKind::event_created, .text = header, .card = &card, .settings = &importing},
          {.kind = ChangeKind::seats_appended, .text = seats, .count = 3},
          {.kind = ChangeKind::held, .reservation = reservation_id(3, 1), .expires_at = at + 1, .seats = one_seat},
          {.kind = ChangeKind::expired, .reservation = reservation_id(3, 1)}});
  LedgerInTest it(data, time, believing(data));
  const auto page = it.ledger().read_all_changes(k_cursor_first, 100, ReadFrom::anywhere);
  ASSERT_TRUE(page);
  EXPECT_GT(page->changes.size(), next);
}

// ---------------------------------------------------------------------------------------------------------------- anything

// Does with a folder what an operator may do, and with a ledger that starts what its callers may do. Nothing is expected but that it comes back.
struct Use {
  explicit Use(const TestTime& time) : time(time) {}

  void of(const EmbeddedOptions& options) {
    const std::string refusal = what_of([&] {
      LedgerInTest it(options.data, time, options);
      ++started;
      for (const EventNumber event : it.ledger().events()) {
        Round round;   // one commit
        for (std::uint64_t id = 1; id < 6; ++id) {
          round.add(event, Consume{reservation_id(event, id), "order-2", true});
          round.add(event, Release{reservation_id(event, id), {}});
          round.add(event, Return{reservation_id(event, id), "order-1", {}});
        }
        for (SeatIndex seat = 0; seat < 20; ++seat) {
          round.add(
              event,
              Hold{
                  .reservation = reservation_id(event, 100 + seat), .customer = "anna", .seats = round.keep({seat}), .duration = k_minute});
        }
        round.add(event, Sweep{1'000});
        round.run(it.ledger());
        what_of([&] { (void)it.ledger().list_reservations({.event = event}, "", 100); });
        what_of([&] { (void)it.ledger().seat_history({.event = event, .seat = 1}, 0, 10); });
      }
      Submission keyed;
      const SeatList seats{1};
      keyed.parts.push_back({2, Hold{.reservation = reservation_id(2, 200), .customer = "dora", .seats = seats, .duration = k_minute}});
      keyed.key = key_of(1, 1);
      it.asks(keyed);
      (void)it.ledger().read_all_changes(k_cursor_first, 1'000, ReadFrom::anywhere);
    });
    if (!refusal.empty()) ++refused;
  }

  const TestTime& time;
  int started = 0;
  int refused = 0;
};

constexpr int k_uses_at_least = k_is_sanitized ? 1 : 6;   // that start, and that are refused: there are fewer cases under a sanitizer

TEST_F(Contradicted, TablesWithAnythingInAnyColumnEndNoCommandByASignal) {
  const fs::path data = copy();
  append(data, {{.kind = ChangeKind::expired, .reservation = held},
                {.kind = ChangeKind::consumed, .reservation = released, .ends = true, .text = "o"}});
  std::vector<std::string> changes;
  {
    sqlite::Database state(DataFolder::state_in(data), sqlite::Database::Mode::read_only);
    sqlite::Statement columns(
        state, "SELECT t.name, c.name, c.type FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY 1, 2");
    while (columns.step()) {
      const std::string column = "\"" + std::string(columns.text(1)) + "\"";
      const std::string update = "UPDATE OR IGNORE " + std::string(columns.text(0)) + " SET " + column + " = ";
      const std::string_view type = columns.text(2);
      changes.push_back(update + (type == "BLOB" ? "x'00'" : type == "TEXT" ? "'x'" : "-1"));
      if (k_is_sanitized || type == "BLOB" || type == "TEXT") continue;
      for (const std::string& value : {std::string("4294967297"), column + " + 1"}) changes.push_back(update + value);
    }
  }
  Use use(time);
  for (const std::string& change : changes) {
    SCOPED_TRACE(change);
    const fs::path falsified = folder / "falsified";
    fs::remove_all(falsified);
    fs::copy(data, falsified, fs::copy_options::recursive);
    if (!what_of([&] { change_by_hand(falsified / "state.db", change.c_str()); }).empty()) continue;   // a value of another type
    (void)verify_folder(falsified);
    use.of(believing(falsified));
  }
  EXPECT_GE(use.started, k_uses_at_least);
  EXPECT_GE(use.refused, k_uses_at_least);
}

TEST_F(Contradicted, JournalsWithAnyByteChangedBeforeTheyWereWrittenEndNoCommandByASignal) {
  struct Row {
    EventNumber event;
    Seq first;
    std::uint32_t changes;
    Millis at;
    std::string body;
  };
  std::vector<Row> rows;
  {
    const std::unique_ptr<JournalRows> journal = open_journal_rows(folder / "good");
    journal->read(journal->anchor(), [&](const JournalRow& row) {
      rows.push_back({row.event, row.first_seq, row.changes, row.at, std::string(row.body)});
      return true;
    });
  }
  Use use(time);
  int verified = 0;
  const auto try_rows = [&] {
    const fs::path data = folder / "falsified";
    fs::remove_all(data);
    fs::create_directory(data);
    {
      Journal journal(DataFolder::journal_in(data), Journal::Mode::create);
      journal.begin();
      for (const Row& row : rows) journal.append(row.event, row.first, row.changes, row.at, row.body);
      journal.commit();
      HeadMarker::create(HeadMarker::file_in(data), journal.head(), std::nullopt);
      const StateStore state(DataFolder::state_in(data), StateStore::Mode::create);   // so that a start folds the whole journal
    }
    verified += verify_folder(data).problem.empty();
    use.of(believing(data));
    what_of([&] { rebuild(data); });
  };
  for (Row& row : rows) {
    const Row before = row;
    const auto with = [&](const auto& falsify) {
      falsify();
      try_rows();
      row = before;
    };
    with([&] { row.event = 3 - row.event; });
    with([&] { ++row.first; });
    with([&] { ++row.changes; });
    with([&] { row.changes = 0; });
    const std::size_t step = std::max<std::size_t>(1, row.body.size() / (k_is_sanitized ? 1 : 6));
    for (std::size_t byte = 0; byte < row.body.size(); byte += step) {
      with([&] { row.body[byte] = static_cast<char>(row.body[byte] ^ 1); });
    }
  }
  EXPECT_GE(use.started, k_uses_at_least);
  EXPECT_GE(use.refused, k_uses_at_least);
  if (!k_is_sanitized) EXPECT_GT(verified, 0) << "a customer's name may be any";
}

}   // namespace
}   // namespace holdfast::test
