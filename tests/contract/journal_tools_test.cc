// `holdfast journal dump` and `tail`: what they print of a folder's journal, beside a server and past damage.
#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/segment_writer.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "support/events.h"
#include "support/server.h"
#include "support/stored_journal.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(parse_json(line));
  return lines;
}

// The positions of lines, with `!` behind those that are damaged.
std::vector<std::string> positions_in(const std::vector<Json>& lines) {
  std::vector<std::string> positions;
  for (const Json& line : lines) {
    std::string position = std::to_string(line.at("position").as_int64());
    if (const auto* through = line.as_object().if_contains("through")) position += "-" + std::to_string(through->as_int64());
    positions.push_back(position + (line.as_object().contains("damaged") ? "!" : ""));
  }
  return positions;
}
std::vector<std::string> positions_in(const std::string& text) { return positions_in(lines_of(text)); }

// seq, type and reservation of each change of an event.
std::vector<std::string> told(const Json& change) {
  const auto* reservation = change.as_object().if_contains("reservationId");
  return {std::to_string(change.at("seq").as_int64()), string_of(change.at("type")),
          reservation == nullptr ? std::string() : string_of(*reservation)};
}

class JournalTools : public ::testing::Test {
 protected:
  Finished dump(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"journal", "dump", "--data", server.data().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_holdfast(arguments);
  }
  std::string sell(std::size_t seat) {
    const Answer made = hold(client, "customer-123", {event[seat]});
    EXPECT_EQ(made.status, 201);
    const std::string id = string_of(made.json().at("id"));
    EXPECT_EQ(client.post("/v1/reservations/" + id + "/consume", R"({"orderId":"order-1"})").status, 200);
    return id;
  }
  // Stops it once the tables have all rows, so that a start does not need the journal's damaged ones.
  void stop() {
    ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_state_rows_behind") == 0; }));
    server.stop();
  }

  Server server;
  Client client = server.connect();
  TestEvent event = make_event(client, 20);
};

// ---------------------------------------------------------------------------------------------------------------- dump

TEST_F(JournalTools, DumpPrintsEveryChangeBesideAServer) {
  const std::string id = sell(3);
  ASSERT_EQ(lock_tickets(client, {event[4]}).status, 200);
  ASSERT_EQ(reserve(client, event[5], "keyed", {{"Idempotency-Key", "the-key"}}).status, 201);
  const Finished dumped = dump();
  ASSERT_EQ(dumped.status, 0) << dumped.err;
  EXPECT_THAT(dumped.err, IsEmpty());
  std::vector<std::vector<std::string>> changes;
  std::int64_t keys = 0;
  std::int64_t next = 1;
  for (const Json& line : lines_of(dumped.out)) {
    EXPECT_EQ(line.at("position"), next++);
    EXPECT_EQ(line.at("event"), 1);
    EXPECT_EQ(string_of(line.at("eventId")), event.id);
    EXPECT_GT(millis_of(line.at("at")), 0);
    EXPECT_THAT(string_of(line.at("hash")), SizeIs(64));
    keys += line.at("keys").as_int64();
    for (const Json& change : line.at("changes").as_array()) changes.push_back(told(change));
  }
  EXPECT_EQ(keys, 1);
  std::vector<std::vector<std::string>> expected;
  for (const Json& change : client.get("/v1/events/" + event.id + "/changes?limit=1000").json().at("items").as_array()) {
    expected.push_back(told(change));
  }
  EXPECT_EQ(changes, expected);
  EXPECT_THAT(expected, Contains(Contains(id)));
}

TEST_F(JournalTools, DumpShowsWhatTheRowHasOfAChange) {
  sell(3);
  const std::vector<Json> lines = lines_of(dump().out);
  const Json held = lines.at(lines.size() - 2).at("changes").at(0);
  EXPECT_EQ(string_of(held.at("type")), "held");
  EXPECT_EQ(string_of(held.at("customerId")), "customer-123");
  EXPECT_EQ(held.at("seats"), parse_json("[3]"));
  EXPECT_EQ(held.at("versions"), parse_json("[1]"));
  EXPECT_GT(millis_of(held.at("expiresAt")), 0);
  const Json sold = lines.back().at("changes").at(0);
  EXPECT_EQ(string_of(sold.at("type")), "consumed");
  EXPECT_EQ(string_of(sold.at("orderId")), "order-1");
  EXPECT_FALSE(sold.as_object().contains("seats")) << "the row does not name them";
}

TEST_F(JournalTools, DumpPrintsTheRowsThatAreAskedFor) {
  const TestEvent other = make_event(client, 5);
  ASSERT_EQ(hold(client, "c", {other[0]}).status, 201);
  sell(0);
  const std::vector<std::string> all = positions_in(dump().out);
  EXPECT_THAT(positions_in(dump({"--from", "3", "--to", "5"}).out), ElementsAre("3", "4", "5"));
  EXPECT_THAT(positions_in(dump({"--from", all.back()}).out), ElementsAre(all.back()));
  EXPECT_THAT(dump({"--from", "1000000"}).out, IsEmpty());
  for (const std::string& name : {other.id, upper_case(other.id), std::string("2")}) {
    const std::vector<Json> lines = lines_of(dump({"--event", name}).out);
    ASSERT_FALSE(lines.empty()) << name;
    for (const Json& line : lines) EXPECT_EQ(string_of(line.at("eventId")), other.id);
    EXPECT_EQ(string_of(lines.back().at("changes").at(0).at("type")), "held");
  }
}

TEST_F(JournalTools, DumpRefusesWhatItCannotFind) {
  EXPECT_EQ(dump({"--from", "0"}).status, 2);
  EXPECT_EQ(dump({"--from", "5", "--to", "4"}).status, 2);
  EXPECT_EQ(dump({"--event", "the-evening"}).status, 2);
  EXPECT_EQ(dump({"--event", "0"}).status, 2);
  EXPECT_EQ(dump({"--event", "100001"}).status, 2);
  const std::string unknown = new_uuid();
  const Finished of_unknown = dump({"--event", unknown});
  EXPECT_EQ(of_unknown.status, 1);
  EXPECT_THAT(of_unknown.err, HasSubstr(unknown));
  const TempFolder empty;
  const Finished of_nothing = run_holdfast({"journal", "dump", "--data", empty.path().string()});
  EXPECT_EQ(of_nothing.status, 1);
  EXPECT_THAT(of_nothing.err, HasSubstr(empty.path().string()));
}

TEST_F(JournalTools, DumpGoesOnBehindDamagedAndMissingRows) {
  for (std::size_t seat = 0; seat < 8; ++seat) sell(seat);
  stop();
  const std::size_t rows = positions_in(dump().out).size();
  StoredJournal journal(server.data());
  journal.falsify(5, [](StoredRowInTest& row) { row.body.back() ^= 1; });
  journal.falsify(7, [](StoredRowInTest& row) { row.event = std::int64_t{1} << 40; });
  for (const int missing : {9, 10, 12}) journal.remove(missing);
  for (const std::vector<std::string>& event_or_all : {std::vector<std::string>{}, {"--event", event.id}}) {
    const Finished dumped = dump(event_or_all);
    EXPECT_EQ(dumped.status, 1) << "a script must notice";
    EXPECT_THAT(dumped.err, HasSubstr("5 rows of " + (server.data() / "journal.db").string()));
    const std::vector<Json> lines = lines_of(dumped.out);
    EXPECT_THAT(positions_in(std::vector<Json>(lines.begin() + 3, lines.begin() + 12)),
                ElementsAre("4", "5!", "6", "7!", "8", "9-10!", "11", "12!", "13"));
    EXPECT_THAT(string_of(lines.at(4).at("damaged")), HasSubstr("is not what was written"));
    EXPECT_THAT(string_of(lines.at(8).at("damaged")), HasSubstr("missing"));
    EXPECT_EQ(lines.at(9).at("unchecked"), true) << "the row before it is missing";
    EXPECT_FALSE(lines.at(5).as_object().contains("unchecked"));
    EXPECT_EQ(lines.size(), rows - 1);
  }
  EXPECT_EQ(dump({"--event", "99"}).status, 1) << "nobody knows whose the damaged rows are";
  EXPECT_EQ(dump({"--from", "13"}).status, 0) << "only what was asked for counts";
}

TEST_F(JournalTools, DumpDoesWithoutTables) {
  sell(0);
  stop();
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(server.data() / (std::string("state.db") + suffix));
  const Finished all = dump({"--event", event.id});
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_EQ(string_of(lines_of(all.out).back().at("eventId")), event.id) << "the first row has it";
  const Finished late = dump({"--from", "4"});
  EXPECT_FALSE(lines_of(late.out).at(0).as_object().contains("eventId"));
  EXPECT_THAT(late.err, HasSubstr("state.db"));
}

// ---------------------------------------------------------------------------------------------------------------- tail

class JournalTail : public JournalTools {
 protected:
  void begin(const std::vector<std::string>& more = {}) {
    ProcessSettings settings;
    settings.arguments = {HOLDFAST_BINARY, "journal", "tail", "--data", server.data().string()};
    settings.stdout_file = folder / "out";
    settings.stderr_file = folder / "err";
    settings.arguments.insert(settings.arguments.end(), more.begin(), more.end());
    tail = Process(settings);
  }
  bool prints(std::string_view text) {
    return eventually([&] { return read_file(folder / "out").find(text) != std::string::npos; });
  }
  // Holds seats until the tail, which may just have been started, prints one. Returns the reservation.
  std::string hold_until_it_prints() {
    std::string id;
    EXPECT_TRUE(eventually([&] {
      if (next_seat < event.seats.size()) id = string_of(hold(client, "c", {event[next_seat++]}).json().at("id"));
      return eventually([&] { return read_file(folder / "out").find(id) != std::string::npos; }, milliseconds(1'000));
    }));
    return id;
  }

  TempFolder folder;
  Process tail;
  std::size_t next_seat = 0;
};

TEST_F(JournalTail, FollowsAServerOverItsRestart) {
  const std::string before = sell(19);
  begin();
  hold_until_it_prints();
  stop();
  server.start();
  client = server.connect();
  const Answer made = hold(client, "c", {event[18]});
  ASSERT_EQ(made.status, 201) << "nobody has locked anything";
  EXPECT_TRUE(prints(string_of(made.json().at("id"))));
  const std::string out = read_file(folder / "out");
  EXPECT_THAT(out, Not(HasSubstr(before))) << "it begins with what is new";
  const std::vector<std::string> positions = positions_in(out);
  for (std::size_t i = 1; i < positions.size(); ++i) {
    EXPECT_EQ(std::stoll(positions[i]), std::stoll(positions[i - 1]) + 1) << "each row once";
  }
  EXPECT_TRUE(tail.runs());
  tail.signal(SIGINT);
  EXPECT_EQ(tail.wait().signal, SIGINT);
  EXPECT_THAT(read_file(folder / "err"), IsEmpty());
}

TEST_F(JournalTail, BeginsWithAnOldRowIfItIsTold) {
  const std::string before = sell(19);
  begin({"--from", "1", "--event", event.id});
  EXPECT_TRUE(prints(before));
  const std::string after = sell(18);
  EXPECT_TRUE(prints(after));
  EXPECT_EQ(positions_in(read_file(folder / "out")).front(), "1");
}

TEST_F(JournalTail, EndsIfTheJournalIsReplaced) {
  begin({"--from", "1"});
  EXPECT_TRUE(prints(event.id));
  server.stop();
  fs::rename(server.data() / "journal.db", server.data() / "moved.db");
  const Ending ending = tail.wait();
  EXPECT_EQ(ending.status, 1);
  EXPECT_THAT(read_file(folder / "err"), HasSubstr("was removed or replaced"));
  fs::rename(server.data() / "moved.db", server.data() / "journal.db");
  server.start();
}

// ---------------------------------------------------------------------------------------------------------------- segment files

// The server's rows once more, in a folder of segments: each in a round of its own.
class JournalOfSegments : public JournalTail {
 protected:
  void write_segments() {
    for (std::size_t seat = 0; seat < 6; ++seat) sell(seat);
    stop();
    fs::create_directories(other / "journal");
    disk.emplace(other / "journal");
    segments::SegmentWriter::create(*disk, small_segments(), k_test_journal, {});
    segments::SegmentWriter writer(*disk, small_segments());
    writer.settle();
    const auto rows = open_journal_rows(server.data());
    rows->read(rows->anchor(), [&](const JournalRow& row) {
      append(writer, row);
      return true;
    });
    writer.stop();
    fs::copy_file(server.data() / "state.db", other / "state.db");
  }
  static void append(segments::SegmentWriter& writer, const JournalRow& row) {
    segments::Round round(writer.reach());
    round.add_row(row.event, row.first_seq, row.changes, row.at, row.body);
    writer.append(round);
  }
  // Changes a byte of the row.
  void damage(std::int64_t position) {
    const std::string body = journal_of(server.data()).row(position).body;
    for (const auto& entry : fs::directory_iterator(other / "journal")) {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const std::size_t at = bytes.find(body);
      if (at == std::string::npos) continue;
      file.clear();
      file.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(body.front() ^ 1));
      return;
    }
    ADD_FAILURE() << "row " << position << " is in no file";
  }
  Finished dump_segments(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"journal", "dump", "--data", other.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_holdfast(arguments);
  }

  const fs::path other = folder / "other";
  std::optional<segments::PosixDisk> disk;
};

TEST_F(JournalOfSegments, IsDumpedAsTheSameLines) {
  write_segments();
  EXPECT_EQ(dump_segments().out, dump().out);
  EXPECT_EQ(dump_segments({"--from", "4", "--to", "6", "--event", event.id}).out, dump({"--from", "4", "--to", "6"}).out);
  EXPECT_EQ(dump_segments().status, 0);
}

TEST_F(JournalOfSegments, IsDumpedPastDamageThatAStartRefuses) {
  write_segments();
  const std::size_t rows = positions_in(dump().out).size();
  damage(6);
  const Finished dumped = dump_segments();
  EXPECT_EQ(dumped.status, 1);
  EXPECT_THAT(dumped.err, HasSubstr((other / "journal").string()));
  const std::vector<std::string> positions = positions_in(dumped.out);
  ASSERT_EQ(positions.size(), rows);
  EXPECT_THAT(std::vector<std::string>(positions.begin() + 4, positions.begin() + 7), ElementsAre("5", "6!", "7"));
  EXPECT_EQ(positions.back(), std::to_string(rows));
  EXPECT_THAT(positions_in(dump_segments({"--from", "6", "--to", "7"}).out), ElementsAre("6!", "7"));
}

TEST_F(JournalOfSegments, IsFollowedFromBeforeItsServerHasStarted) {
  write_segments();
  ProcessSettings settings;
  settings.arguments = {HOLDFAST_BINARY, "journal", "tail", "--data", other.string(), "--from", "3"};
  settings.stdout_file = folder / "out";
  settings.stderr_file = folder / "err";
  tail = Process(settings);
  ASSERT_TRUE(prints("\"position\":3,"));
  const DataFolder lock(other);   // as a server has it
  segments::SegmentWriter writer(*disk, small_segments());
  writer.settle();
  const Position first = writer.reach().head.position + 1;
  std::string body;
  for (int i = 0; i < 30; ++i) append(writer, test_row(writer.reach().head.position + 1, body));   // more than a segment
  EXPECT_TRUE(prints("\"position\":" + std::to_string(first + 29) + ","));
  const std::vector<std::string> positions = positions_in(read_file(folder / "out"));
  ASSERT_EQ(positions.size(), static_cast<std::size_t>(first + 29 - 2));
  for (std::size_t i = 0; i < positions.size(); ++i) EXPECT_THAT(positions[i], testing::StartsWith(std::to_string(i + 3)));
}

}  // namespace
}  // namespace holdfast::test
