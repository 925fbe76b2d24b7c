// The program's other commands: import, verify, backup, restore, rebuild, and their errors.
#include <gmock/gmock.h>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

using Ids = std::vector<std::string>;

const std::string k_theatre = std::string(HOLDFAST_VENUES) + "/theatre.seating-plan.json";
const std::string k_race_track = std::string(HOLDFAST_VENUES) + "/race-track.seating-plan.json";
constexpr const char* k_known_seat = "550e8400-e29b-41d4-a716-446655440002";

std::string last_word(const std::string& text) {
  const auto end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return {};
  const auto before = text.find_last_of(" \n", end);
  return text.substr(before == std::string::npos ? 0 : before + 1, end - (before == std::string::npos ? 0 : before + 1) + 1);
}

class CommandLine : public ::testing::Test {
 protected:
  Finished import(const std::vector<std::string>& more, const fs::path& into) {
    std::vector<std::string> arguments = {"import", "--data", into.string(), "--name", "Theatre"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_holdfast(arguments);
  }

  // An event with reservations of every kind, made by a server that has stopped.
  void fill(const fs::path& into) {
    Server server({.data = into});
    Client client = server.connect();
    event = make_event(client, 30);
    for (std::size_t i = 0; i < 8; ++i) {
      const Answer made = hold(client, "customer-" + std::to_string(i), {event[i * 2], event[i * 2 + 1]});
      ASSERT_EQ(made.status, 201);
      reservations.push_back(string_of(made.json().at("id")));
      const std::string path = "/v1/reservations/" + reservations.back();
      if (i % 3 == 1) ASSERT_EQ(client.post(path + "/consume", R"({"orderId":"order"})").status, 200);
      if (i % 3 == 2) ASSERT_EQ(client.post(path + "/release", "{}").status, 200);
    }
    ASSERT_EQ(lock_tickets(client, {event[20]}).status, 200);
    keyed = reserve(client, event[21], "keyed", {{"Idempotency-Key", "the-key"}});
    ASSERT_EQ(keyed.status, 201);
    ASSERT_TRUE(eventually([&] { return states(client, event).letters == letters(client, event); }));   // as recorded, and as it is now
    seen = see(client);
  }

  // Everything that can be read of it.
  std::vector<Json> see(Client& client) {
    std::vector<Json> all = {client.get("/v1/events/" + event.id).json(), client.get("/v1/events/" + event.id + "/states").json(),
                             client.get("/v1/events/" + event.id + "/plan").json()};
    for (const std::string& id : reservations) all.push_back(reservation(client, id));
    for (const std::string& id : event.seats) all.push_back(seat(client, id));
    return all;
  }

  // A server on this folder shows all of it, and continues to sell.
  void expect_all_of_it(const fs::path& in) {
    Server server({.data = in});
    Client client = server.connect();
    EXPECT_EQ(see(client), seen);
    const Answer replay = reserve(client, event[21], "keyed", {{"Idempotency-Key", "the-key"}});
    EXPECT_EQ(replay.status, 201) << "keys are part of it: " << replay;
    EXPECT_EQ(replay.body, keyed.body);
    EXPECT_EQ(hold(client, "new", {event[29]}).status, 201);
  }

  void expect_verified(const fs::path& in) {
    const Finished verified = run_holdfast({"verify", "--data", in.string()});
    EXPECT_EQ(verified.status, 0) << verified.everything();
    EXPECT_FALSE(verified.out.empty()) << "it says what it found";
  }

  TempFolder folder;
  fs::path data = folder / "data";
  TestEvent event;
  Ids reservations;
  Answer keyed;
  std::vector<Json> seen;
};

TEST_F(CommandLine, EveryCommandHasHelp) {
  const Finished all = run_holdfast({"--help"});
  EXPECT_EQ(all.status, 0);
  for (const char* command : {"serve", "import", "verify", "backup", "restore", "rebuild"}) {
    EXPECT_THAT(all.out, HasSubstr(command));
    const Finished one = run_holdfast({command, "--help"});
    EXPECT_EQ(one.status, 0) << command;
    EXPECT_THAT(one.out, HasSubstr("--data")) << command;
  }
}

TEST_F(CommandLine, VersionIsPrinted) {
  const Finished version = run_holdfast({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, MatchesRegex("holdfast [0-9]+\\.[0-9]+\\.[0-9]+( \\(commit [0-9a-f]{12}(, modified)?\\))?\n"));
}

TEST_F(CommandLine, AnUnknownCommandOrNoneIsAnErrorThatNamesIt) {
  const Finished unknown = run_holdfast({"conquer"});
  EXPECT_NE(unknown.status, 0);
  EXPECT_THAT(unknown.err, HasSubstr("conquer"));
  EXPECT_NE(run_holdfast({}).status, 0);
  const Finished flag = run_holdfast({"verify", "--data", data.string(), "--depth", "5"});
  EXPECT_NE(flag.status, 0);
  EXPECT_THAT(flag.err, HasSubstr("--depth"));
}

TEST_F(CommandLine, ImportPutsAPlanOnSaleWithItsOwnSeatIds) {
  const Finished imported = import({"--keep-ids", k_theatre}, data);
  ASSERT_EQ(imported.status, 0) << imported.everything();
  const std::string id = last_word(imported.out);
  Server server({.data = data});
  Client client = server.connect();
  EXPECT_EQ(string_of(client.get("/v1/events/" + id).json().at("name")), "Theatre");
  EXPECT_EQ(string_of(seat(client, k_known_seat).at("eventId")), id);
  EXPECT_EQ(reserve(client, k_known_seat, "customer-123").status, 201);
}

TEST_F(CommandLine, ImportWithoutKeepIdsGivesTheSameIdsForTheSameEventEachTime) {
  const std::string id = new_uuid();
  std::vector<Json> ids;
  for (const char* name : {"one", "two"}) {
    const Finished imported = import({"--id", id, k_race_track}, folder / name);
    ASSERT_EQ(imported.status, 0) << imported.everything();
    EXPECT_EQ(last_word(imported.out), id);
    Server server({.data = folder / name});
    Client client = server.connect();
    const Answer plan = client.get("/v1/events/" + id + "/plan");
    ids.push_back(plan.json().at("seats").at("id"));
    EXPECT_EQ(states(client, {id, {}}).letters, std::string(8'897, 'a'));
  }
  EXPECT_EQ(ids[0], ids[1]);
}

TEST_F(CommandLine, ImportOfAnEventThatExistsEndsWithStatus3AndChangesNothing) {
  const std::string id = new_uuid();
  ASSERT_EQ(import({"--id", id, "--keep-ids", k_theatre}, data).status, 0);
  const Finished again = import({"--id", id, "--keep-ids", k_theatre}, data);
  EXPECT_EQ(again.status, 3) << again.everything();
  EXPECT_THAT(again.err, HasSubstr(id));
  const Finished same_seats = import({"--keep-ids", k_theatre}, data);
  EXPECT_NE(same_seats.status, 0) << "seat ids are unique everywhere";
  EXPECT_NE(same_seats.status, 3);
  Server server({.data = data});
  EXPECT_EQ(server.connect().get("/v1/events").json().at("items").as_array().size(), 1U);
}

TEST_F(CommandLine, ImportIntoARunningServer) {
  Server server;
  const std::string id = new_uuid();
  const std::vector<std::string> arguments = {"import", "--server", server.url(), "--name", "Race Day", "--id", id, k_race_track};
  const Finished imported = run_holdfast(arguments);
  ASSERT_EQ(imported.status, 0) << imported.everything();
  EXPECT_EQ(last_word(imported.out), id);
  Client client = server.connect();
  EXPECT_EQ(states(client, {id, {}}).letters.size(), 8'897U);
  EXPECT_EQ(run_holdfast(arguments).status, 3);
}

TEST_F(CommandLine, ImportSaysWhenNoServerAnswers) {
  const Finished finished = run_holdfast({"import", "--server", "http://127.0.0.1:1", "--name", "X", k_theatre});
  EXPECT_NE(finished.status, 0);
  EXPECT_THAT(finished.err, HasSubstr("127.0.0.1:1"));
}

TEST_F(CommandLine, ImportNamesTheMistakeInAPlanAndCreatesNothing) {
  struct Mistake {
    std::string plan;
    const char* named;
  };
  const auto plan = [](std::string_view seats, std::string_view row = R"("row_number":"7")") {
    return R"({"name":"P","categories":[{"name":"C","color":"#000000"}],"size":{"width":10,"height":10},"zones":[{"name":"Zone","position":{"x":0,"y":0},
      "rows":[{)" +
           std::string(row) + R"(,"position":{"x":0,"y":0},"seats":)" + std::string(seats) + "}]}]}";
  };
  const std::string good = R"({"seat_guid":"g1","seat_number":"1","position":{"x":0,"y":0},"category":"C"})";
  const Mistake mistakes[] = {
      {"", "plan.json"},
      {"{", "plan.json"},
      {"[]", "plan.json"},
      {R"({"name":"P","categories":[],"zones":5})", "zones"},
      {R"({"name":"P","categories":[{"name":"C"}],"zones":[]})", "seat"},
      {plan(R"([{"seat_guid":"g1","seat_number":"1","position":{"x":0,"y":0},"category":"D"}])"), "`D`"},
      {plan("[" + good + R"(,{"seat_guid":"g2","seat_number":"1","position":{"x":1,"y":0},"category":"C"}])"), "Zone-7-1"},
      {plan("[" + good + R"(,{"seat_guid":"g1","seat_number":"2","position":{"x":1,"y":0},"category":"C"}])"), "Zone-7-2"},
      {plan(R"([{"seat_guid":"g1","seat_number":"1","position":{"x":"left","y":0},"category":"C"}])"),
       "zones[0].rows[0].seats[0].position.x`"},
      {plan(R"([{"seat_guid":"g1","seat_number":"","position":{"x":0,"y":0},"category":"C"}])"), "number"},
      {plan("[" + good + "]", R"("row_number":[5])"), "row"},
      {plan("7"), "seats"},
  };
  for (const Mistake& mistake : mistakes) {
    write_file(folder / "plan.json", mistake.plan);
    const Finished finished = import({"--keep-ids", (folder / "plan.json").string()}, data);
    EXPECT_NE(finished.status, 0) << mistake.plan;
    EXPECT_NE(finished.status, 3) << mistake.plan;
    EXPECT_THAT(finished.err, HasSubstr(mistake.named)) << mistake.plan;
  }
  const Finished missing = import({"--keep-ids", (folder / "no-such-plan.json").string()}, data);
  EXPECT_NE(missing.status, 0);
  EXPECT_THAT(missing.err, HasSubstr("no-such-plan.json"));
  Server server({.data = data});
  EXPECT_TRUE(server.connect().get("/v1/events").json().at("items").as_array().empty());
}

// After a byte order mark, which some editors write.
const std::string k_plan_with_more =
    "\xEF\xBB\xBF"
    R"({"name":"P","categories":[{"name":"C"}],"zones":[
{"name":"Zone","areas":[{"shape":"text"},{"shape":"text"}],"rows":[{"row_number":"7","seats":[
{"seat_number":"1","category":"C","status":"sold"},
{"seat_number":"2","category":"C"}]}]}]})";

void expect_told(const Finished& imported) {
  ASSERT_EQ(imported.status, 0) << imported.everything();
  EXPECT_THAT(imported.err, AllOf(HasSubstr("Not taken over from the plan:"), HasSubstr("zones[].areas: 2, the first on line 2"),
                                  HasSubstr("Blocked seats: 1 (")));
}

TEST_F(CommandLine, ImportReportsWhatItIgnoresAndBlocksTakenSeats) {
  write_file(folder / "plan.json", k_plan_with_more);
  const Finished imported = import({(folder / "plan.json").string()}, data);
  expect_told(imported);
  EXPECT_THAT(imported.out, HasSubstr("1 seats are on sale as event "));
  Server server({.data = data});
  Client client = server.connect();
  const Json counts = client.get("/v1/events/" + last_word(imported.out)).json().at("counts");
  EXPECT_EQ(counts.at("blocked").to_number<int>(), 1);
  EXPECT_EQ(counts.at("available").to_number<int>(), 1);
  const Finished sent =
      run_holdfast({"import", "--server", server.url(), "--name", "X", "--id", new_uuid(), (folder / "plan.json").string()});
  expect_told(sent);
}

TEST_F(CommandLine, ImportListsEveryMistakeInAPlan) {
  write_file(folder / "plan.json", R"({"categories":[{"name":"C"}],"zones":[{"name":"Zone","rows":[{"row_number":"7","seats":[
{"seat_number":"1","category":"D"},
{"seat_number":"2","category":"C","position":{"x":"left"}}]}]}]})");
  const auto expect_both = [](const Finished& finished) {
    EXPECT_EQ(finished.status, 1) << finished.everything();
    EXPECT_THAT(finished.err, AllOf(HasSubstr("Line 2, seat Zone-7-1: has the category `D`"), HasSubstr("Line 3, seat Zone-7-2: `"),
                                    HasSubstr("zones[0].rows[0].seats[1].position.x` must be a number")));
  };
  expect_both(import({(folder / "plan.json").string()}, data));
  Server server({.data = folder / "other"});
  expect_both(run_holdfast({"import", "--server", server.url(), "--name", "X", (folder / "plan.json").string()}));
}

TEST_F(CommandLine, VerifyAcceptsTheDataOfAServer) {
  fill(data);
  expect_verified(data);
  Server server({.data = data});
  Client client = server.connect();
  ASSERT_EQ(hold(client, "c", {event[28]}).status, 201);
  server.kill();
  expect_verified(data);
  server.start();
}

TEST_F(CommandLine, BackupAndRestoreCarryEverything) {
  fill(data);
  const std::string file = (folder / "backup").string();
  const Finished backup = run_holdfast({"backup", "--data", data.string(), file});
  ASSERT_EQ(backup.status, 0) << backup.everything();
  const fs::path restored = folder / "restored";
  const Finished restore = run_holdfast({"restore", "--data", restored.string(), file});
  ASSERT_EQ(restore.status, 0) << restore.everything();
  expect_verified(restored);
  expect_all_of_it(restored);
  expect_verified(restored);
  expect_all_of_it(data);
}

TEST_F(CommandLine, BackupOfARunningServerHasEverythingAnsweredBefore) {
  fill(data);
  Server server({.data = data});
  Client client = server.connect();
  ASSERT_EQ(hold(client, "c", {event[27]}).status, 201);
  const std::string file = (folder / "backup").string();
  const Finished backup = run_holdfast({"backup", "--data", data.string(), file});
  ASSERT_EQ(backup.status, 0) << backup.everything();
  ASSERT_EQ(hold(client, "c", {event[28]}).status, 201) << "the server goes on";
  server.kill();
  const fs::path restored = folder / "restored";
  ASSERT_EQ(run_holdfast({"restore", "--data", restored.string(), file}).status, 0);
  expect_verified(restored);
  Server second({.data = restored});
  Client other = second.connect();
  EXPECT_EQ(seat_state(other, event[27]), "held");
  EXPECT_EQ(seat_state(other, event[28]), "available");
}

TEST_F(CommandLine, RestoreOverExistingDataIsRefused) {
  fill(data);
  const std::string file = (folder / "backup").string();
  ASSERT_EQ(run_holdfast({"backup", "--data", data.string(), file}).status, 0);
  const Finished restore = run_holdfast({"restore", "--data", data.string(), file});
  EXPECT_NE(restore.status, 0);
  EXPECT_THAT(restore.err, HasSubstr(data.string()));
  expect_all_of_it(data);
}

TEST_F(CommandLine, RestoreOfAFileThatIsNotABackupIsRefusedAndLeavesNothing) {
  write_file(folder / "nonsense", std::string(10'000, 'x'));
  const fs::path target = folder / "target";
  for (const char* name : {"nonsense", "not-there"}) {
    const Finished restore = run_holdfast({"restore", "--data", target.string(), (folder / name).string()});
    EXPECT_NE(restore.status, 0);
    EXPECT_THAT(restore.err, HasSubstr(name));
    EXPECT_FALSE(fs::exists(target / "journal.db"));
  }
}

TEST_F(CommandLine, ADamagedBackupIsRefused) {
  fill(data);
  const fs::path file = folder / "backup";
  ASSERT_EQ(run_holdfast({"backup", "--data", data.string(), file.string()}).status, 0);
  std::string content = read_file(file);
  std::size_t changed = 0;
  for (std::size_t at = content.find("customer-3"); at != std::string::npos; at = content.find("customer-3", at + 1), ++changed)
    content[at] = 'C';
  ASSERT_GT(changed, 0U);
  write_file(file, content);
  const Finished restore = run_holdfast({"restore", "--data", (folder / "restored").string(), file.string()});
  EXPECT_NE(restore.status, 0) << restore.everything();
}

TEST_F(CommandLine, RebuildMakesTheTablesAgainFromTheJournal) {
  fill(data);
  for (const char* name : {"state.db", "state.db-wal", "state.db-shm"}) fs::remove(data / name);
  const Finished rebuilt = run_holdfast({"rebuild", "--data", data.string()});
  ASSERT_EQ(rebuilt.status, 0) << rebuilt.everything();
  EXPECT_TRUE(fs::exists(data / "state.db"));
  expect_verified(data);
  expect_all_of_it(data);
}

TEST_F(CommandLine, CommandsOnAFolderWithoutDataSayWhichFolder) {
  for (const char* command : {"verify", "rebuild", "backup"}) {
    std::vector<std::string> arguments = {command, "--data", (folder / "nowhere").string()};
    if (std::string_view(command) == "backup") arguments.push_back((folder / "file").string());
    const Finished finished = run_holdfast(arguments);
    EXPECT_NE(finished.status, 0) << command;
    EXPECT_THAT(finished.err, HasSubstr((folder / "nowhere").string())) << command;
  }
}

TEST_F(CommandLine, RebuildOfARunningServersDataIsRefused) {
  Server server;
  Client client = server.connect();
  const TestEvent here = make_event(client, 1);
  const Finished rebuilt = run_holdfast({"rebuild", "--data", server.data().string()});
  EXPECT_NE(rebuilt.status, 0);
  EXPECT_THAT(rebuilt.err, HasSubstr(server.data().string()));
  EXPECT_EQ(reserve(client, here[0], "c").status, 201);
}

}  // namespace
}  // namespace holdfast::test
