// Starting: every mistake in the configuration or the data is named, with the remedy. Stopping: requests in flight are answered,
// and everything answered is there after the next start.
#include <gmock/gmock.h>
#include <signal.h>
#include <sqlite3.h>

#include <atomic>
#include <fstream>
#include <optional>
#include <thread>

#include "ledger/embedded/journal.h"
#include "support/events.h"
#include "support/problems.h"
#include "support/receiver.h"
#include "support/server.h"
#include "support/stored_journal.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

using Ids = std::vector<std::string>;

// --- configuration ---

void expect_configuration_error(const Finished& finished, std::string_view names) {
  EXPECT_EQ(finished.status, 2) << finished.everything();
  EXPECT_THAT(finished.err, HasSubstr(names));
}

Finished start_with_file(std::string_view toml) {
  const TempFolder folder;
  write_file(folder / "holdfast.toml", toml);
  return failing_start({.flags = {"--port", "0", "--config", (folder / "holdfast.toml").string()}});
}

TEST(Configuration, AnUnknownKeyIsNamedInEverySource) {
  expect_configuration_error(failing_start({.flags = {"--http-body-byte-max", "5"}}), "--http-body-byte-max");
  expect_configuration_error(failing_start({.environment = {{"HOLDFAST_HTTP_BODY_BYTE_MAX", "5"}}}), "HOLDFAST_HTTP_BODY_BYTE_MAX");
  expect_configuration_error(start_with_file("[http]\nbody_byte_max = 5\n"), "body_byte_max");
  expect_configuration_error(start_with_file("[htpp]\nbody_bytes_max = 5\n"), "htpp");
  expect_configuration_error(start_with_file("prot = 5\n"), "prot");
}

TEST(Configuration, AnInvalidValueIsNamed) {
  const std::vector<std::vector<std::string>> flags = {{"--port", "70000"},
                                                       {"--port", "x"},
                                                       {"--threads", "65"},
                                                       {"--threads", "many"},
                                                       {"--sweep", "perhaps"},
                                                       {"--log-format", "xml"},
                                                       {"--log-level", "loud"},
                                                       {"--engine-queue-max", "-1"},
                                                       {"--listen", "not-an-address"},
                                                       {"--http-body-bytes-max", "10k"},
                                                       {"--http-idle-timeout-ms", "-1"},
                                                       {"--access-anonymous", "contract3"}};
  for (const auto& flag : flags) expect_configuration_error(failing_start({.flags = flag}), flag[0].substr(2));
  expect_configuration_error(failing_start({.environment = {{"HOLDFAST_THREADS", "none"}}}), "HOLDFAST_THREADS");
  expect_configuration_error(failing_start({.flags = {"--feed-seats", "on", "--feed-seats-group", "holdfast-payments"}}),
                             "feed.seats_group");
  expect_configuration_error(start_with_file("sweep = \"perhaps\"\n"), "sweep");
  expect_configuration_error(start_with_file("[log]\nlevel = 5\n"), "level");
  expect_configuration_error(start_with_file("[http]\nbody_bytes_max = \"ten\"\n"), "body_bytes_max");
  expect_configuration_error(start_with_file("[access]\nanonymous = [\"contract3\"]\n"), "anonymous");
}

TEST(Configuration, AFileThatCannotBeReadIsNamed) {
  expect_configuration_error(failing_start({.flags = {"--port", "0", "--config", "/nowhere/holdfast.toml"}}), "/nowhere/holdfast.toml");
  expect_configuration_error(start_with_file("[http\n"), "holdfast.toml");
  expect_configuration_error(start_with_file("port = \n"), "holdfast.toml");
}

// Whether a body of this many bytes is read.
bool takes_body_of(Server& server, std::size_t bytes) {
  return server.connect().post("/reservations", std::string(bytes, ' ')).status != 413;
}

TEST(Configuration, FlagsOverrideTheEnvironmentWhichOverridesTheFile) {
  const TempFolder folder;
  const std::string file = (folder / "holdfast.toml").string();
  write_file(file, "port = 0\n[http]\nbody_bytes_max = 1000\n");
  const ServerSettings of_file{.flags = {"--config", file}};
  ServerSettings of_environment = of_file;
  of_environment.environment = {{"HOLDFAST_HTTP_BODY_BYTES_MAX", "2000"}};
  ServerSettings of_flag = of_environment;
  of_flag.flags.insert(of_flag.flags.end(), {"--http-body-bytes-max", "3000"});
  std::size_t limit = 0;
  for (const ServerSettings& settings : {of_file, of_environment, of_flag}) {
    limit += 1'000;
    Server server(settings);
    EXPECT_TRUE(takes_body_of(server, limit)) << limit;
    EXPECT_FALSE(takes_body_of(server, limit + 1)) << limit;
  }
}

TEST(Configuration, EveryOptionCanBeInTheFile) {
  const TempFolder folder;
  write_file(folder / "holdfast.toml", "data = \"" + (folder / "the-data").string() + R"("
port = 0
listen = "127.0.0.1"
threads = 1
sweep = "off"
[http]
header_bytes_max = 4096
body_bytes_max = 4096
connections_max = 100
header_timeout_ms = 5000
body_timeout_ms = 5000
idle_timeout_ms = 5000
drain_timeout_ms = 5000
[engine]
queue_max = 1000
[ledger]
idempotency_keys_max = 1000
[log]
format = "json"
level = "debug"
file = ")" + (folder / "the-log").string() +
                                           R"("
[access]
anonymous = ["contract1", "contract2"]
)");
  ProcessSettings command;
  command.arguments = {HOLDFAST_BINARY,           "serve", "--config", (folder / "holdfast.toml").string(), "--port-file",
                       (folder / "port").string()};
  command.stdout_file = command.stderr_file = folder / "output";
  Process process(command);
  ASSERT_TRUE(eventually([&] { return !process.runs() || read_file(folder / "port").ends_with('\n'); }));
  ASSERT_TRUE(process.runs()) << read_file(folder / "output");
  const auto port = static_cast<std::uint16_t>(std::stoul(read_file(folder / "port")));
  EXPECT_TRUE(eventually([&] { return Client(port).get("/readyz").status == 200; }));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), Ending{}) << read_file(folder / "output");
  EXPECT_TRUE(fs::exists(folder / "the-data" / "journal.db"));
  std::istringstream lines(read_file(folder / "the-log"));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(parse_json(line).is_object()) << line;
  EXPECT_GT(count, 0U);
}

// --- a start that is blocked ---

TEST(Start, APortThatIsInUseIsNamed) {
  Server first;
  const std::string port = std::to_string(first.port());
  const Finished second = failing_start({.flags = {"--port", port}});
  EXPECT_NE(second.status, 0);
  EXPECT_THAT(second.err, HasSubstr(port));
  EXPECT_EQ(first.connect().get("/readyz").status, 200);
}

TEST(Start, ADataFolderInUseByAnotherProcessIsRefusedAndNamed) {
  Server first;
  Client client = first.connect();
  const TestEvent event = make_event(client, 1);
  const Finished second = failing_start({.data = first.data()});
  EXPECT_NE(second.status, 0);
  EXPECT_THAT(second.err, HasSubstr(first.data().string()));
  const Finished import =
      run_holdfast({"import", "--data", first.data().string(), "--name", "X", std::string(HOLDFAST_VENUES) + "/theatre.seating-plan.json"});
  EXPECT_NE(import.status, 0);
  EXPECT_THAT(import.err, HasSubstr(first.data().string()));
  EXPECT_EQ(reserve(client, event[0], "c").status, 201) << "the first goes on";
}

TEST(Start, ADataFolderThatCannotBeCreatedIsNamed) {
  const TempFolder folder;
  write_file(folder / "file", "x");
  const Finished finished = failing_start({.data = folder / "file" / "data"});
  EXPECT_NE(finished.status, 0);
  EXPECT_THAT(finished.err, HasSubstr((folder / "file").string()));
}

TEST(Start, BeyondLoopbackWithoutKeysMustBeConfigured) {
  for (const char* address : {"0.0.0.0", "::"}) {
    const Finished finished = failing_start({.flags = {"--listen", address}});
    EXPECT_NE(finished.status, 0);
    EXPECT_THAT(finished.err, HasSubstr("access.anonymous")) << "it says what to do";
  }
  Server allowed({.flags = {"--listen", "0.0.0.0", "--access-anonymous", "contract1,contract2"}});
  Client client = allowed.connect();
  EXPECT_EQ(client.get("/healthz").status, 200);
  expect_contract_1_problem(reserve(client, new_uuid(), "c"), 404, "seat_not_found");
  EXPECT_EQ(lock_tickets(client, {"x"}).status, 400);
  expect_v1_problem(hold(client, "c", {new_uuid()}), 401, "unauthorized");
  expect_v1_problem(client.post("/v1/events", event_body({new_uuid()})), 401, "unauthorized");
}

TEST(Start, BeyondLoopbackOnlyConfiguredContractsAreAdmitted) {
  Server allowed({.flags = {"--listen", "0.0.0.0", "--access-anonymous", "contract1"}});
  Client client = allowed.connect();
  expect_contract_1_problem(reserve(client, new_uuid(), "c"), 404, "seat_not_found");
  expect_contract_2_refusal(lock_tickets(client, {"x"}), 401);
}

// --- damage ---

// Runs statements in a file of a data folder, and puts everything into that one file.
void run_sql(const fs::path& file, const char* statements) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_busy_timeout(database, 10'000), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, statements, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  EXPECT_EQ(sqlite3_close(database), SQLITE_OK);
}
constexpr const char* k_fold_log = "PRAGMA wal_checkpoint(TRUNCATE)";

// A data folder that a server has stopped in, with something in it. Seat 0 is held by `customer-in-the-data`, seat 1 is sold.
class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    Server server({.data = data});
    Client client = server.connect();
    event = make_event(client, 50);
    ASSERT_EQ(reserve(client, event[0], k_customer).status, 201);
    const Answer sold = hold(client, "c", {event[1]});
    ASSERT_EQ(client.post("/v1/reservations/" + string_of(sold.json().at("id")) + "/consume", R"({"orderId":"o"})").status, 200);
    stop_with_everything_in_its_files(server);
  }

  void stop_with_everything_in_its_files(Server& server) {
    Client client = server.connect();
    ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_state_rows_behind") == 0; })) << "state.db does not follow";
    server.stop();
    for (const char* file : {"journal.db", "state.db"}) run_sql(data / file, k_fold_log);   // so that damage to the file counts
  }

  static void overwrite(const fs::path& file, std::size_t at, std::string_view bytes) {
    ASSERT_TRUE(fs::exists(file)) << file;
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(stream.flush());
  }

  // Changes one letter of every place where the customer is written.
  static void falsify(const fs::path& file) {
    const std::string content = read_file(file);
    std::size_t found = 0;
    for (std::size_t at = content.find(k_customer); at != std::string::npos; at = content.find(k_customer, at + 1), ++found) {
      overwrite(file, at, "C");
    }
    ASSERT_GT(found, 0U) << file << " does not have the customer in it";
  }

  void expect_refused(std::string_view file, std::string_view way_out) {
    const Finished finished = failing_start({.data = data});
    EXPECT_NE(finished.status, 0);
    EXPECT_THAT(finished.err, HasSubstr((data / file).string()));
    EXPECT_THAT(finished.err, HasSubstr(way_out));
  }

  void expect_everything_there() {
    Server server({.data = data});
    Client client = server.connect();
    EXPECT_EQ(letters(client, event), "hs" + std::string(48, 'a'));
  }

  Finished run(const char* command) { return run_holdfast({command, "--data", data.string()}); }

  static constexpr const char* k_customer = "customer-in-the-data";
  TempFolder folder;
  fs::path data = folder / "data";
  TestEvent event;
};

TEST_F(Damage, AJournalThatIsNotADatabaseIsRefusedByName) {
  overwrite(data / "journal.db", 0, std::string(100, 'x'));
  expect_refused("journal.db", "restore");
}

TEST_F(Damage, TablesThatAreNotADatabaseAreRefusedByNameAndCanBeRebuilt) {
  overwrite(data / "state.db", 0, std::string(100, 'x'));
  expect_refused("state.db", "rebuild");
  const Finished rebuilt = run("rebuild");
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.everything();
  expect_everything_there();
  EXPECT_EQ(run("verify").status, 0);
}

TEST_F(Damage, AJournalThatEndsBeforeItsTablesIsRefusedByName) {
  const std::string older = read_file(data / "journal.db");
  {
    Server server({.data = data});
    Client client = server.connect();
    ASSERT_EQ(hold(client, "c", {event[2]}).status, 201);
    stop_with_everything_in_its_files(server);
  }
  write_file(data / "journal.db", older);
  expect_refused("journal.db", "restore");
  const Finished verified = run("verify");
  EXPECT_EQ(verified.status, 1) << verified.everything();
}

TEST_F(Damage, AJournalThatContradictsItselfIsNamedByEveryCommand) {
  {
    sqlite::Database tables((data / "state.db").string(), sqlite::Database::Mode::read_only);
    Journal journal((data / "journal.db").string(), Journal::Mode::write);
    ChangeBatch batch;
    batch.count = 1;
    Writer writer(batch.bytes);
    const Millis at = tables.query_int("SELECT max(at) FROM event");
    encode_change({.kind = ChangeKind::consumed, .reservation = {.data = {7}}, .text = "o"}, at, writer);
    std::string body;
    encode_body(batch, {}, body);
    journal.begin();
    journal.append(1, static_cast<Seq>(tables.query_int("SELECT seq FROM event WHERE number = 1")) + 1, 1, at, body);
    journal.commit();
  }
  run_sql(data / "state.db", k_fold_log);
  const std::string tables = read_file(data / "state.db");
  const std::string backup = folder / "backup";
  for (const Finished& finished :
       {run("verify"), run_holdfast({"backup", "--data", data.string(), backup}), run("rebuild"), failing_start({.data = data})}) {
    EXPECT_EQ(finished.status, 1) << finished.everything();
    EXPECT_THAT(finished.everything(), HasSubstr("journal.db contradicts itself: change "));
    EXPECT_THAT(finished.everything(), HasSubstr("(consumed, journal row "));
    EXPECT_THAT(finished.everything(), HasSubstr("holdfast restore"));
  }
  EXPECT_EQ(read_file(data / "state.db"), tables);
  for (const fs::path& left : {fs::path(backup), fs::path(backup + ".partial"), data / "state.db.replaced", data / "state.db.partial"}) {
    EXPECT_FALSE(fs::exists(left)) << left;
  }
}

TEST_F(Damage, AMissingJournalIsRefusedByName) {
  fs::remove(data / "journal.db");
  expect_refused("journal.db", "restore");
}

TEST_F(Damage, AJournalThatIsCutIsRefusedByName) {
  fs::resize_file(data / "journal.db", fs::file_size(data / "journal.db") / 2 / 4096 * 4096);
  expect_refused("journal.db", "restore");
}

TEST_F(Damage, AJournalWhoseLogWasDeletedIsRefusedUntilTheLossIsAccepted) {
  {
    Server server({.data = data});
    Client client = server.connect();
    ASSERT_EQ(hold(client, "c", {event[2]}).status, 201);
    server.kill();
  }
  for (const char* file : {"journal.db", "state.db", "registry.db"}) {
    for (const char* suffix : {"-wal", "-shm"}) fs::remove(data / (std::string(file) + suffix));
  }
  expect_refused("journal.db", "repair --accept-loss");
  const Finished verified = run("verify");
  EXPECT_EQ(verified.status, 1) << verified.everything();
  EXPECT_THAT(verified.out, HasSubstr("rows are missing"));
  EXPECT_EQ(run_holdfast({"backup", "--data", data.string(), (folder / "copy").string()}).status, 1);
  const Finished listed = run("repair");
  EXPECT_EQ(listed.status, 1) << listed.everything();
  EXPECT_THAT(listed.out, HasSubstr("Nothing was changed"));
  expect_refused("journal.db", "repair --accept-loss");
  const Finished repaired = run_holdfast({"repair", "--accept-loss", "--data", data.string()});
  EXPECT_EQ(repaired.status, 0) << repaired.everything();
  expect_everything_there();   // except for the accepted loss
}

TEST_F(Damage, AFalsifiedJournalIsFoundByVerifyAndRefusedByRebuild) {
  falsify(data / "journal.db");
  const Finished verified = run("verify");
  EXPECT_EQ(verified.status, 1) << verified.everything();
  EXPECT_THAT(verified.everything(), HasSubstr("journal.db"));
  const Finished rebuilt = run("rebuild");
  EXPECT_NE(rebuilt.status, 0);
  EXPECT_THAT(rebuilt.everything(), HasSubstr("journal.db"));
}

TEST_F(Damage, FalsifiedTablesAreFoundByVerifyAndCanBeRebuilt) {
  falsify(data / "state.db");
  const Finished verified = run("verify");
  EXPECT_EQ(verified.status, 1) << verified.everything();
  EXPECT_THAT(verified.everything(), HasSubstr("state.db"));
  EXPECT_EQ(run("rebuild").status, 0);
  EXPECT_EQ(run("verify").status, 0);
  expect_everything_there();
}

// --- a row of the journal that is damaged while a server uses it ---

// Like Damage, with a second event. Both are from before the start, so that reads go to the file.
class DamagedRow : public Damage {
 protected:
  static constexpr std::int64_t k_held = 4;   // of the first event: its first change after the import

  void SetUp() override {
    Damage::SetUp();
    server = std::make_unique<Server>(ServerSettings{.flags = {"--webhooks-allow-hosts", "127.0.0.1"}, .data = data});
    client.emplace(server->connect());
    other = make_event(*client, 5);
    ASSERT_EQ(hold(*client, "c", {other[0]}).status, 201);
    journal.emplace(data);
  }
  void restart() {
    ASSERT_TRUE(eventually([&] { return metric(*client, "holdfast_state_rows_behind") == 0; }));
    server->stop();
    server->start();
    client.emplace(server->connect());
  }
  // Each is in a row of its own.
  void damage(const std::vector<std::int64_t>& changes) {
    for (const std::int64_t change : changes) {
      good.push_back(journal->row_with(1, change));
      journal->falsify(good.back().position, [](StoredRowInTest& row) { row.body = "\xFF\xFF\xFF\xFF"; });
    }
  }
  void put_right() {
    for (const StoredRowInTest& row : good) journal->put(row);
  }
  // Numbers and types of an event's changes in /v1/changes.
  std::vector<std::string> changes_of(const TestEvent& of) {
    std::vector<std::string> all;
    const Answer answer = client->get("/v1/changes?limit=1000");
    EXPECT_EQ(answer.status, 200) << answer;
    for (const Json& each : answer.json().at("items").as_array()) {
      if (string_of(each.at("eventId")) != of.id) continue;
      all.push_back(std::to_string(each.at("seq").to_number<std::int64_t>()) + " " + string_of(each.at("type")));
    }
    return all;
  }
  std::string readiness() { return client->get("/readyz").bytes; }

  std::unique_ptr<Server> server;
  std::optional<Client> client;
  TestEvent other;
  std::optional<StoredJournal> journal;
  std::vector<StoredRowInTest> good;   // as they were before damage()
};

TEST_F(DamagedRow, IsReportedAsUnreadableAndDoesNotStopOtherChanges) {
  restart();
  damage({k_held});
  const std::vector<std::string> damaged = {"1 event_created", "2 seats_appended", "3 event_configured",
                                            "4 unreadable",    "5 held",           "6 consumed"};
  const std::vector<std::string> others = {"1 event_created", "2 seats_appended", "3 event_configured", "4 held"};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(changes_of(event), damaged);
  EXPECT_EQ(changes_of(other), others);
  EXPECT_EQ(client->get("/v1/events/" + event.id + "/changes?after=3").status, 503);
  EXPECT_EQ(client->get("/v1/events/" + event.id + "/changes?after=4").status, 200);
  EXPECT_EQ(client->get("/v1/events/" + other.id + "/changes").status, 200);
  EXPECT_EQ(client->get("/readyz").status, 200);
  EXPECT_THAT(readiness(), HasSubstr("degraded: " + (data / "journal.db").string() + " is damaged: row "));
  EXPECT_THAT(readiness(), HasSubstr("change 4 of event 1"));
  EXPECT_EQ(metric(*client, "holdfast_journal_rows_damaged"), 1);
  const std::string line = "has change 4 of event 1, is not what was written. ";
  EXPECT_TRUE(server->says(line + "Readers do not get"));
  EXPECT_EQ(server->log().find(line), server->log().rfind(line)) << "once";
  for (const TestEvent* each : {&event, &other}) EXPECT_EQ(hold(*client, "c", {(*each)[3]}).status, 201) << "selling goes on";
  put_right();
  EXPECT_EQ(changes_of(event).at(3), "4 held");
  EXPECT_EQ(metric(*client, "holdfast_journal_rows_damaged"), 0);
  EXPECT_THAT(readiness(), Not(HasSubstr("damaged")));
  EXPECT_TRUE(server->says("has change 4 of event 1, is what was written again"));
  EXPECT_EQ(client->get("/v1/events/" + event.id + "/changes?after=3").status, 200);
}

TEST_F(DamagedRow, WaitsInAWebhooksQueueWhileOthersAreSentUntilItIsRepaired) {
  Receiver receiver;
  const Answer made = client->post("/v1/webhooks", R"({"types":["held"],"url":)" + json_of(receiver.url()) + "}");
  ASSERT_EQ(made.status, 201) << made;
  const std::string webhook = "/v1/webhooks/" + string_of(made.json().at("id"));
  ASSERT_EQ(client->request("PATCH", webhook, R"({"enabled":false})").status, 200);
  const Answer held = hold(*client, "c", {event[5]});   // change 7
  ASSERT_EQ(held.status, 201);
  const std::string released = "/v1/reservations/" + string_of(held.json().at("id")) + "/release";
  ASSERT_EQ(client->post(released, "{}").status, 200);   // change 8, which this webhook does not want
  ASSERT_EQ(hold(*client, "c", {other[1]}).status, 201);
  restart();
  damage({7, 8});
  ASSERT_EQ(client->request("PATCH", webhook, R"({"enabled":true})").status, 200);
  ASSERT_TRUE(eventually([&] { return receiver.received().size() == 1; }));
  EXPECT_EQ(string_of(receiver.received()[0].json().at("data").at("eventId")), other.id);
  EXPECT_TRUE(eventually([&] { return metric(*client, "holdfast_webhook_events_held_back") == 1; }));
  const auto shows = [&](const char* member, int number) {
    return eventually([&] { return client->get(webhook).json().at(member) == number; }, 4 * k_patience);
  };
  EXPECT_TRUE(shows("pending", 2));
  EXPECT_TRUE(shows("lag", 0)) << "its position has come past them";
  EXPECT_TRUE(server->says("webhooks: event 1 is left out and retried; other events go on"));
  put_right();
  ASSERT_TRUE(shows("pending", 0));
  ASSERT_EQ(receiver.received().size(), 2U);
  EXPECT_EQ(receiver.received()[1].type(), "held");
  EXPECT_EQ(receiver.received()[1].seq(), 7);
  EXPECT_EQ(receiver.received()[1].reservation(), string_of(held.json().at("id")));
  EXPECT_EQ(metric(*client, "holdfast_webhook_events_held_back"), 0);
}

// --- tables that cannot be read, and those of one event that contradict the journal ---

TEST(UnreadableReservation, IsToldInReadinessAndMetricsUntilItReadsWell) {
  Server server{{.flags = {"--ledger-ended-in-memory-max", "0"}}};
  Client client = server.connect();
  const TestEvent event = make_event(client, 2);
  const auto end_one = [&](std::size_t seat) {
    const std::string id = string_of(hold(client, "c", {event[seat]}).json().at("id"));
    EXPECT_EQ(client.post("/v1/reservations/" + id + "/release", "{}").status, 200);
    return id;
  };
  const auto unreadable = [&] { return metric(client, "holdfast_state_reservations_unreadable"); };
  const std::string id = end_one(0);
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_state_rows_behind") == 0; }));
  for (int i = 0; i < 300; ++i) end_one(1);   // memory forgets every 512 rounds
  const std::string path = "/v1/reservations/" + id;

  run_sql(server.data() / "state.db", ("UPDATE reservation SET seats = '[0,' WHERE id = '" + id + "'").c_str());
  EXPECT_EQ(unreadable(), 0) << "nobody has asked for it";
  for (const Answer& refused : {client.get(path), client.get("/reservations/" + id), client.post(path + "/release", "{}")}) {
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("Retry-After"), "60") << "only an operator can help";
  }
  EXPECT_EQ(unreadable(), 1);
  const Answer ready = client.get("/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_THAT(ready.body, HasSubstr("degraded: reservation " + id + ", which ended long ago, cannot be read from "));
  EXPECT_THAT(ready.body, HasSubstr("holdfast rebuild"));

  run_sql(server.data() / "state.db", ("UPDATE reservation SET seats = '[0]' WHERE id = '" + id + "'").c_str());
  EXPECT_EQ(client.get(path).status, 200);
  EXPECT_EQ(unreadable(), 0);
  EXPECT_THAT(client.get("/readyz").body, testing::Not(HasSubstr("reservation")));
}

class ContradictedTables : public ::testing::Test {
 protected:
  // The tables say that a held seat is sold; its release contradicts that.
  void contradict() {
    const Answer held = hold(client, "c", {bad[0]});
    ASSERT_EQ(held.status, 201);
    ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_state_rows_behind") == 0; }));
    run_sql(server.data() / "state.db", "UPDATE seat_state SET state = 's' WHERE event = 1 AND seat = 0");
    ASSERT_EQ(client.post("/v1/reservations/" + string_of(held.json().at("id")) + "/release", "{}").status, 200);
    ASSERT_TRUE(eventually([&] { return stopped() == 1; }));
  }
  double stopped() { return metric(client, "holdfast_state_events_stopped"); }
  Answer list(const TestEvent& event) { return client.get("/v1/reservations?eventId=" + event.id); }
  void expect_only_the_good_one_is_listed(std::size_t reservations) {
    EXPECT_EQ(list(good).json().at("items").as_array().size(), reservations);
    for (const Answer& refused : {list(bad), client.get("/v1/seats/" + bad[0] + "/history")}) {
      EXPECT_EQ(refused.status, 503);
      EXPECT_THAT(refused.body, HasSubstr("Its sales go on, and so do other events. Repeating the request soon does not help"));
      EXPECT_THAT(refused.body, HasSubstr("`GET /readyz` and the server's log say how"));
      EXPECT_EQ(refused.header("Retry-After"), "60") << "only an operator can help";
    }
    EXPECT_EQ(client.get("/v1/seats/" + good[0] + "/history").status, 200);
  }

  Server server;
  Client client = server.connect();
  TestEvent bad = make_event(client, 5);
  TestEvent good = make_event(client, 5);
};

TEST_F(ContradictedTables, AreThoseOfOneEventAndAllOthersGoOnUntilARebuildMendsThem) {
  contradict();
  EXPECT_TRUE(server.says("finds seat 0 sold"));
  for (const TestEvent* each : {&bad, &good}) ASSERT_EQ(hold(client, "c", {(*each)[0]}).status, 201) << "selling goes on";
  EXPECT_EQ(server.log().find("finds seat 0 sold"), server.log().rfind("finds seat 0 sold")) << "once";
  expect_only_the_good_one_is_listed(1);
  EXPECT_EQ(metric(client, "holdfast_state_follows"), 1);
  EXPECT_EQ(client.get("/readyz").status, 200);
  EXPECT_THAT(client.get("/readyz").body, HasSubstr("the tables of event 1 in state.db stand still at journal row "));
  EXPECT_THAT(client.get("/readyz").body, HasSubstr("holdfast rebuild"));

  server.stop();
  server.start();
  client = server.connect();
  EXPECT_EQ(letters(client, bad), "haaaa") << "it is sold from the journal";
  EXPECT_EQ(stopped(), 1);
  for (const TestEvent* each : {&bad, &good}) EXPECT_EQ(hold(client, "c", {(*each)[1]}).status, 201);
  expect_only_the_good_one_is_listed(2);

  server.stop();
  const Finished verified = run_holdfast({"verify", "--data", server.data().string()});
  EXPECT_EQ(verified.status, 1) << verified.everything();
  EXPECT_THAT(verified.out, HasSubstr("the tables of event 1 in "));
  const Finished backup = run_holdfast({"backup", "--data", server.data().string(), server.data().string() + ".backup"});
  EXPECT_EQ(backup.status, 1) << backup.everything();
  EXPECT_THAT(backup.everything(), HasSubstr("no backup was written: the tables of event 1 in "));
  const Finished rebuilt = run_holdfast({"rebuild", "--data", server.data().string()});
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.everything();
  server.start();
  client = server.connect();
  EXPECT_EQ(stopped(), 0);
  EXPECT_EQ(list(bad).json().at("items").as_array().size(), 3u);
  EXPECT_EQ(letters(client, bad), "hhaaa");
}

// The tables are from before the last change of their event, and false. The journal is too large to be compared with them.
TEST_F(ContradictedTables, StopTheirEventAtAStartAndAllOthersGoOn) {
  const auto stop = [&] {
    ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_state_rows_behind") == 0; }));
    server.stop();
    run_sql(server.data() / "state.db", k_fold_log);
  };
  const auto start = [&] {
    server.start();
    client = server.connect();
  };
  const Answer held = hold(client, "c", {bad[0]});
  ASSERT_EQ(held.status, 201);
  stop();
  const std::string earlier = read_file(server.data() / "state.db");
  start();
  ASSERT_EQ(client.post("/v1/reservations/" + string_of(held.json().at("id")) + "/release", "{}").status, 200);
  ASSERT_EQ(hold(client, "c", {good[0]}).status, 201);
  stop();
  write_file(server.data() / "state.db", earlier);
  run_sql(server.data() / "state.db",
          "DROP TABLE reservation_check; DROP TABLE event_check; "   // or the sums would tell
          "UPDATE seat_state SET state = 's' WHERE event = 1; UPDATE reservation SET status = 'consumed', order_id = 'o' WHERE event = 1");
  run_sql(server.data() / "journal.db", "CREATE TABLE filler AS SELECT zeroblob(17000000) AS bytes");

  start();
  EXPECT_EQ(letters(client, bad), "aaaaa");
  EXPECT_EQ(letters(client, good), "haaaa");
  EXPECT_EQ(stopped(), 1);
  EXPECT_THAT(client.get("/readyz").body, HasSubstr("the tables of event 1 in state.db stand still at journal row "));
  EXPECT_TRUE(server.says("(released, journal row "));
  for (const TestEvent* each : {&bad, &good}) EXPECT_EQ(hold(client, "c", {(*each)[1]}).status, 201);
  expect_only_the_good_one_is_listed(2);
  server.stop();
  const Finished rebuilt = run_holdfast({"rebuild", "--data", server.data().string()});
  EXPECT_EQ(rebuilt.status, 0) << rebuilt.everything();
  start();
  EXPECT_EQ(stopped(), 0);
  EXPECT_EQ(letters(client, bad), "ahaaa");
}

// --- files that vanish while a server uses them ---

struct Disappearance {
  const char* name;
  void (*act)(const fs::path& data);
  const char* way_out = "/proc/";
};
const Disappearance k_disappearances[] = {
    {"LogDeleted", [](const fs::path& data) { fs::remove(data / "journal.db-wal"); }},
    {"JournalReplaced",
     [](const fs::path& data) {
       fs::copy_file(data / "journal.db", data / "copy");
       fs::rename(data / "copy", data / "journal.db");
     }},
    {"JournalCut", [](const fs::path& data) { fs::resize_file(data / "journal.db", 4'096); }, "GET /v1/reservations"},
    {"TablesCut", [](const fs::path& data) { fs::resize_file(data / "state.db", 4'096); }, "holdfast rebuild"},
    {"LockDeleted", [](const fs::path& data) { fs::remove(data / "lock"); }},
    {"KeysDeleted", [](const fs::path& data) { fs::remove(data / "registry.db"); }},
};

class LostFile : public ::testing::TestWithParam<Disappearance> {};

INSTANTIATE_TEST_SUITE_P(Is, LostFile, testing::ValuesIn(k_disappearances), [](const auto& file) { return std::string(file.param.name); });

TEST_P(LostFile, EndsTheSaleButNotTheProcessWhichStillHasIt) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 50);
  ASSERT_EQ(hold(client, "c", {event[0]}).status, 201);
  // The server remembers its files in its first second.
  ASSERT_TRUE(eventually([&] { return client.get("/v1/operations/series").json().at("at").as_array().size() >= 2; }));
  GetParam().act(server.data());
  ASSERT_TRUE(eventually([&] { return client.get("/readyz").status == 503; }));
  EXPECT_EQ(hold(client, "c", {event[1]}).status, 503);
  EXPECT_THAT(client.get("/readyz").body, HasSubstr(GetParam().way_out));
  EXPECT_TRUE(server.says("critical"));
  EXPECT_EQ(seat_state(client, event[0]), "held") << "reading goes on";
  EXPECT_TRUE(server.process().runs());
  server.stop();
}

// Rows that are in the log and not in the file yet would be missing at the next start.
class OverwrittenLog : public ::testing::TestWithParam<Disappearance> {};

const Disappearance k_overwritings[] = {
    {"CutAndGrownAgain", [](const fs::path& data) { fs::resize_file(data / "journal.db-wal", 0); }},
    {"Garbage",
     [](const fs::path& data) {
       std::fstream log(data / "journal.db-wal", std::ios::in | std::ios::out | std::ios::binary);
       log.seekp(32);
       log << std::string(20'000, 'x');
     }},
};

INSTANTIATE_TEST_SUITE_P(Is, OverwrittenLog, testing::ValuesIn(k_overwritings),
                         [](const auto& file) { return std::string(file.param.name); });

TEST_P(OverwrittenLog, EndsTheSaleAndIsRefusedByTheNextStart) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 50);
  for (std::size_t i = 0; i < 10; ++i) ASSERT_EQ(hold(client, "c", {event[i]}).status, 201);
  ASSERT_TRUE(eventually([&] { return client.get("/v1/operations/series").json().at("at").as_array().size() >= 2; }));
  GetParam().act(server.data());
  static_cast<void>(hold(client, "c", {event[10]}));   // a truncated log has its old length again
  ASSERT_TRUE(eventually([&] { return client.get("/readyz").status == 503; }));
  EXPECT_EQ(hold(client, "c", {event[11]}).status, 503);
  EXPECT_THAT(client.get("/readyz").body, HasSubstr("journal.db-wal"));
  EXPECT_EQ(seat_state(client, event[0]), "held") << "reading goes on";
  EXPECT_TRUE(server.process().runs());
  server.stop();
  const Finished verified = run_holdfast({"verify", "--data", server.data().string()});
  EXPECT_EQ(verified.status, 1) << verified.everything();
  EXPECT_THAT(verified.everything(), HasSubstr("journal.db"));
}

// Before the server has looked.
TEST_P(OverwrittenLog, StaysOutOfTheJournalIfTheServerStopsAtOnce) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 50);
  for (std::size_t i = 0; i < 10; ++i) ASSERT_EQ(hold(client, "c", {event[i]}).status, 201);
  GetParam().act(server.data());
  server.stop();
  EXPECT_TRUE(fs::exists(server.data() / "journal.db-wal"));
  const Finished verified = run_holdfast({"verify", "--data", server.data().string()});
  EXPECT_EQ(verified.status, 1) << verified.everything();
  EXPECT_THAT(verified.everything(), HasSubstr("journal.db"));
}

// --- stop ---

class Stop : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Signal, Stop, testing::Values(SIGTERM, SIGINT),
                         [](const auto& signal) { return signal.param == SIGTERM ? "SIGTERM" : "SIGINT"; });

TEST_P(Stop, EndsWithStatusZeroDespiteIdleConnections) {
  Server server;
  Client idle = server.connect();
  Client used = server.connect();
  EXPECT_EQ(used.get("/healthz").status, 200);
  server.process().signal(GetParam());
  EXPECT_EQ(server.process().wait(), Ending{});
  EXPECT_TRUE(used.is_closed_by_server());
}

TEST_P(Stop, AnswersARequestWhoseBodyIsStillArriving) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  const std::string body = reserve_body(event[0], "c");
  client.write(
      request_bytes("POST", "/reservations", {},
                    {{"Expect", "100-continue"}, {"Content-Type", "application/json"}, {"Content-Length", std::to_string(body.size())}}));
  ASSERT_EQ(client.read_answer().status, 100) << "now it is known to be in flight";
  server.process().signal(GetParam());
  client.write(body);
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 201) << answer;
  EXPECT_TRUE(client.is_closed_by_server());
  EXPECT_EQ(server.process().wait(), Ending{});
  server.start();
  Client again = server.connect();
  EXPECT_EQ(seat_state(again, event[0]), "held");
}

// A plan that keeps a background thread busy for a while.
std::string large_event(int rows) {
  std::string body = R"({"name":"Large","categories":[{"name":"C","price":1}],)"
                     R"("plan":{"categories":[{"name":"C"}],"zones":[{"name":"Z","rows":[)";
  for (int row = 0; row < rows; ++row) {
    body += (row > 0 ? "," : "") + (R"({"row_number":")" + std::to_string(row)) + R"(","seats":[)";
    for (int seat = 0; seat < 1'000; ++seat) {
      body += (seat > 0 ? "," : "") + (R"({"seat_number":")" + std::to_string(seat)) + R"(","category":"C"})";
    }
    body += "]}";
  }
  return body + "]}]}}";
}

// When the time for requests in flight is over, work that waits for a background thread is dropped, and nothing of it is touched
// afterwards. Freed memory is overwritten, so that such an access would be noticed.
TEST(StopUnderLoad, EndsWithStatusZeroDespiteQueuedWork) {
  Server server({.flags = {"--threads", "1", "--http-drain-timeout-ms", "200"}, .environment = {{"MALLOC_PERTURB_", "165"}}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 20);
  const std::string body = large_event(100);
  // More imports than background threads, and readers' work queued after them.
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server.connect());
    clients.back().write(request_bytes("POST", "/v1/events", body, {{"Content-Type", "application/json"}}));
  }
  for (int i = 0; i < 8; ++i) {
    clients.push_back(server.connect());
    clients.back().write(request_bytes("GET", "/v1/events/" + event.id + "/plan", {}));
    clients.push_back(server.connect());
    clients.back().write(request_bytes("GET", "/v1/reservations?limit=10", {}));
  }
  EXPECT_EQ(client.get("/healthz").status, 200) << "the one thread has come by, so the requests have been read";
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait(), Ending{});
}

TEST(StopUnderLoad, EveryAnswerIsCompleteAndEveryAnsweredHoldSurvives) {
  Server server;
  constexpr std::size_t k_connections = 8, k_seats_each = 2'000;
  TestEvent event;
  {
    Client client = server.connect();
    event = make_event(client, k_connections * k_seats_each);
  }
  std::vector<Ids> held(k_connections);
  std::atomic<std::size_t> answers{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < k_connections; ++t) {
    threads.emplace_back([&, t] {
      try {
        Client client = server.connect();
        for (std::size_t i = 0; i < k_seats_each; ++i) {
          const std::string& seat = event[t * k_seats_each + i];
          client.write(request_bytes("POST", "/reservations", reserve_body(seat, "c")));
          const auto answer = client.try_read_answer();
          if (!answer) return;   // closed without an answer: the request had not been read
          if (answer->status == 201) {
            held[t].push_back(seat);
            ++answers;
          } else {
            ++wrong;
          }
          if (answer->header("Connection") == "close") return;
        }
      } catch (const ConnectionLost& lost) {
        // The connection may close while the test writes the next request, but not within an answer.
        if (std::string_view(lost.what()).find("in the middle") != std::string_view::npos) ++wrong;
      } catch (const std::exception&) {
        ++wrong;
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return answers >= 200; }));
  server.process().signal(SIGTERM);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.process().wait(), Ending{});
  EXPECT_EQ(wrong, 0);
  server.start();
  Client client = server.connect();
  const std::string letters = states(client, event).letters;
  std::map<std::string, char> by_seat;
  for (std::size_t i = 0; i < event.seats.size(); ++i) by_seat[event[i]] = letters[i];
  for (const Ids& seats : held) {
    for (const std::string& seat : seats) EXPECT_EQ(by_seat[seat], 'h');
  }
}

// --- restart ---

TEST(Restart, KeepsEverythingAndIsQuick) {
  Server server;
  TestEvent event;
  std::vector<Json> reservations, events, seats;
  Ids before;
  const auto see = [&] {
    Client client = server.connect();
    std::vector<Json> seen;
    for (const Json& known : reservations) seen.push_back(reservation(client, string_of(known.at("id"))));
    return seen;
  };
  {
    Client client = server.connect();
    const std::string plan = read_file(std::string(HOLDFAST_VENUES) + "/race-track.seating-plan.json");
    ASSERT_EQ(client.post("/v1/events", R"({"name":"Race Day","plan":)" + plan + "}").status, 201);
    event = make_event(client, 40, R"("maxHoldSeconds":7200,"limits":{"heldSeatsPerCustomer":12})");
    for (std::size_t i = 0; i < 10; ++i) {
      const Answer made = hold(client, "customer-" + std::to_string(i), {event[i * 3], event[i * 3 + 1]});
      ASSERT_EQ(made.status, 201);
      const std::string path = "/v1/reservations/" + string_of(made.json().at("id"));
      if (i % 5 == 1) ASSERT_EQ(client.post(path + "/consume", R"({"orderId":"order"})").status, 200);
      if (i % 5 == 2) ASSERT_EQ(client.post(path + "/release", "{}").status, 200);
      if (i % 5 == 3) ASSERT_EQ(client.post(path + "/extend", R"({"holdSeconds":5000})").status, 200);
      if (i % 5 == 4) ASSERT_EQ(client.post(path + "/add", R"({"seatIds":)" + json_of(Ids{event[i * 3 + 2]}) + "}").status, 200);
      reservations.push_back(made.json());
    }
    ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":)" + json_of(Ids{event[39]}) + "}").status, 200);
    ASSERT_EQ(lock_tickets(client, {event[38]}).status, 200);
    before = look(client, event);
    ASSERT_TRUE(eventually([&] { return states(client, event).letters == letters(client, event); }));   // as recorded, and as it is now
    events.push_back(client.get("/v1/events/" + event.id).json());
    seats.push_back(seat(client, event[0]));
  }
  const std::vector<Json> seen_before = see();
  for (const bool is_killed : {false, true}) {
    is_killed ? server.kill() : server.stop();
    const auto began = Clock::now();
    server.start();
    EXPECT_LT(Clock::now() - began, std::chrono::seconds{2} * k_slowness);
    Client client = server.connect();
    EXPECT_EQ(see(), seen_before);
    EXPECT_EQ(look(client, event), before);
    EXPECT_EQ(client.get("/v1/events/" + event.id).json(), events[0]);
    EXPECT_EQ(seat(client, event[0]), seats[0]);
  }
}

// --- the log ---

TEST(Log, IsReopenedOnSighup) {
  const TempFolder folder;
  const fs::path log = folder / "holdfast.log";
  Server server({.flags = {"--log-file", log.string(), "--log-level", "debug", "--log-format", "json"}});
  ASSERT_TRUE(eventually([&] { return !read_file(log).empty(); }));
  fs::rename(log, folder / "holdfast.log.1");
  server.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return fs::exists(log); }));
  EXPECT_EQ(server.connect().get("/readyz").status, 200);
  server.stop();
  const std::string content = read_file(log);
  EXPECT_FALSE(content.empty()) << "the end is written to the new file";
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(parse_json(line).is_object()) << line;
}

TEST(Log, HasTheRequestIdOfAFailure) {
  const TempFolder folder;
  const fs::path log = folder / "holdfast.log";
  Server server({.flags = {"--log-file", log.string(), "--log-level", "debug"}});
  server.connect().get("/v1/events/" + new_uuid(), {{"X-Request-Id", "find-me-in-the-log"}});
  EXPECT_TRUE(eventually([&] { return read_file(log).find("find-me-in-the-log") != std::string::npos; }));
}

}  // namespace
}  // namespace holdfast::test
