// A server whose journal is in segment files (`ledger.journal = segments`): what was answered stays through kills, and a folder with journal.db
// is converted at its start.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "support/events.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::vector<std::string> k_segments{"--ledger-journal", "segments"};

class Segments : public ::testing::Test {
 protected:
  Finished run(const char* command) { return run_holdfast({command, "--data", data.string()}); }
  void sell(Client& client, const TestEvent& event, std::size_t seat) {
    const Answer held = hold(client, "c", {event[seat]});
    ASSERT_EQ(held.status, 201) << held;
    ASSERT_EQ(client.post("/v1/reservations/" + string_of(held.json().at("id")) + "/consume", R"({"orderId":"o"})").status, 200);
  }

  TempFolder folder;
  fs::path data = folder / "data";
};

TEST_F(Segments, KeepWhatWasAnsweredThroughKills) {
  Server server({.flags = k_segments, .data = data});
  Client client = server.connect();
  const TestEvent event = make_event(client, 20);
  std::string expected(20, 'a');
  for (std::size_t i = 0; i < 6; ++i) {
    if (i % 2 == 0) sell(client, event, i);
    else ASSERT_EQ(hold(client, "c", {event[i]}).status, 201);
    expected[i] = i % 2 == 0 ? 's' : 'h';
    server.kill();
    server.start();
    client = server.connect();
    ASSERT_EQ(letters(client, event), expected);
  }
  EXPECT_TRUE(fs::exists(data / "journal" / "0000000001.segment"));
  EXPECT_FALSE(fs::exists(data / "journal.db"));
  server.stop();
  const Finished verified = run("verify");
  EXPECT_EQ(verified.status, 0) << verified.everything();
}

TEST_F(Segments, OfAFolderWithAnOldJournalGoOnWhereItWas) {
  Server server({.data = data});
  Client client = server.connect();
  const TestEvent event = make_event(client, 20);
  sell(client, event, 0);
  ASSERT_EQ(hold(client, "c", {event[1]}).status, 201);
  const Answer before = client.get("/v1/changes?limit=1000");
  const std::string cursor = string_of(before.json().at("nextCursor"));
  server.stop();

  server.settings().flags = k_segments;
  server.start();
  client = server.connect();
  EXPECT_TRUE(fs::exists(data / "journal.db.converted"));
  EXPECT_FALSE(fs::exists(data / "journal.db"));
  EXPECT_EQ(letters(client, event), "sh" + std::string(18, 'a'));
  EXPECT_EQ(client.get("/v1/changes?limit=1000").json().at("items"), before.json().at("items"));
  sell(client, event, 2);
  const Answer after = client.get("/v1/changes?cursor=" + cursor);
  EXPECT_EQ(after.json().at("items").as_array().size(), 2U) << after;

  server.kill();
  server.settings().flags = {};   // what a folder has stays, whatever the option says
  server.start();
  client = server.connect();
  EXPECT_EQ(letters(client, event), "shs" + std::string(17, 'a'));
  server.stop();
  EXPECT_EQ(run("verify").status, 0);
}

TEST_F(Segments, ThatAreDamagedAreRefusedByName) {
  {
    Server server({.flags = k_segments, .data = data});
    Client client = server.connect();
    sell(client, make_event(client, 20), 0);
    server.stop();
  }
  const fs::path segment = data / "journal" / "0000000001.segment";
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(2 * 4'096 + 100);   // in the first round
  file << "damage";
  file.close();
  const Finished finished = failing_start({.data = data});
  EXPECT_NE(finished.status, 0);
  EXPECT_THAT(finished.err, HasSubstr(segment.string()));
  EXPECT_THAT(finished.err, HasSubstr("restore"));
}

TEST_F(Segments, BesideAnOldJournalAreRefused) {
  Server server({.flags = k_segments, .data = data});
  server.stop();
  std::ofstream(data / "journal.db") << "of another folder";
  const Finished finished = failing_start({.data = data});
  EXPECT_NE(finished.status, 0);
  EXPECT_THAT(finished.err, HasSubstr("are both there"));
}

}   // namespace
}   // namespace holdfast::test
