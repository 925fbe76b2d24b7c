// Tools that read the data of a running server leave its files intact: everything answered afterwards survives a kill.
#include <gtest/gtest.h>

#include "support/events.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

class ToolsBesideAServer : public ::testing::Test {
 protected:
  // A server whose files were closed once, so that no earlier log is left.
  void SetUp() override {
    Client client = server.connect();
    event = make_event(client, 3);
    server.stop();
    server.start();
  }

  void expect_what_is_answered_now_to_survive_a_kill() {
    Client client = server.connect();
    ASSERT_EQ(reserve(client, event[1], "after").status, 201);
    server.kill();
    server.start();
    Client again = server.connect();
    EXPECT_EQ(seat_state(again, event[1]), "held");
  }

  TempFolder folder;
  Server server;
  TestEvent event;
};

TEST_F(ToolsBesideAServer, BackupLeavesTheServersLogToTheServer) {
  const Finished backup = run_holdfast({"backup", "--data", server.data().string(), (folder / "copy").string()});
  ASSERT_EQ(backup.status, 0) << backup.everything();
  expect_what_is_answered_now_to_survive_a_kill();
}

TEST_F(ToolsBesideAServer, VerifyLeavesTheServersLogToTheServer) {
  const Finished verify = run_holdfast({"verify", "--data", server.data().string()});
  ASSERT_EQ(verify.status, 0) << verify.everything();
  expect_what_is_answered_now_to_survive_a_kill();
}

TEST_F(ToolsBesideAServer, ABackupHasEverythingAnsweredBeforeItBegan) {
  Client client = server.connect();
  ASSERT_EQ(reserve(client, event[0], "before").status, 201);
  const Finished backup = run_holdfast({"backup", "--data", server.data().string(), (folder / "copy").string()});
  ASSERT_EQ(backup.status, 0) << backup.everything();
  const Finished restore = run_holdfast({"restore", "--data", (folder / "restored").string(), (folder / "copy").string()});
  ASSERT_EQ(restore.status, 0) << restore.everything();
  Server restored({.data = folder / "restored"});
  Client other = restored.connect();
  EXPECT_EQ(seat_state(other, event[0]), "held");
}

}  // namespace
}  // namespace holdfast::test
