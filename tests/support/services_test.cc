// The servers of services.h behave as other tests expect.
#include "support/services.h"

#include <gtest/gtest.h>

#include "support/kafka.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

TEST(Services, PostgresKeepsWhatWasCommittedWhenItIsStoppedAtOnceAndWhenItIsKilled) {
  PostgresServer server;
  Sql(server.url()).run("create table kept as select 1 as n");
  server.restart_immediately();
  Sql(server.url()).run("insert into kept values (2)");
  server.kill();
  EXPECT_THROW(Sql(server.url()), SqlError);
  server.start();
  EXPECT_EQ(Sql(server.url()).value("select sum(n) from kept"), "3");
}

TEST(Services, PostgresThatGoesBackToItsCopyHasNothingOfWhatCameLater) {
  PostgresServer server;
  Sql(server.url()).run("create table kept as select 1 as n");
  server.keep_copy();
  Sql(server.url()).run("insert into kept values (2)");
  server.go_back_to_copy();
  EXPECT_EQ(Sql(server.url()).value("select sum(n) from kept"), "1");
}

TEST(Services, PostgresIsAsProductionHasIt) {
  const PostgresServer server;
  Sql sql(server.url());
  EXPECT_EQ(sql.value("show fsync"), "on");
  EXPECT_EQ(sql.value("show full_page_writes"), "on");
  EXPECT_EQ(sql.value("show synchronous_commit"), "on");
  EXPECT_EQ(sql.value("select rolsuper from pg_roles where rolname = current_user"), "f");
}

TEST(Services, APausedPostgresAnswersAgainWhenItIsResumed) {
  PostgresServer server;
  Sql sql(server.url());
  server.pause();
  EXPECT_TRUE(server.runs());
  server.resume();
  EXPECT_EQ(sql.value("select 1"), "1");
}

TEST(Services, DatabasesAreEmptyAndApart) {
  const PostgresDatabase one;
  const PostgresDatabase other;
  Sql(one.url()).run("create table mine as select 1");
  EXPECT_EQ(Sql(other.url()).value("select count(*) from pg_class where relname = 'mine'"), "0");
}

TEST(Services, RedisForgetsWhenItIsFlushedAndWhenItIsKilled) {
  RedisServer server;
  EXPECT_EQ(server.command({"SET", "key", "token", "NX"}), "OK");
  EXPECT_EQ(server.command({"SET", "key", "token", "NX"}), "(nil)");
  server.flush();
  EXPECT_EQ(server.command({"SET", "key", "token", "NX"}), "OK");
  server.kill();
  server.start();
  EXPECT_EQ(server.command({"GET", "key"}), "(nil)");
  server.pause();
  server.resume();
  EXPECT_EQ(server.command({"PING"}), "PONG");
}

TEST(Services, KafkaKeepsMessagesInOrderByKeyWhenItIsStoppedAndKilled) {
  KafkaServer server;
  KafkaReader reader(server.bootstrap(), {"letters"});
  const auto write = [&](const std::string& value) { KafkaWriter(server.bootstrap()).write("letters", "key", value); };
  write("a");
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() == 1; }, 3 * k_patience));
  server.stop();
  server.start();
  write("b");
  server.kill();
  server.start();
  write("c");
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() >= 3; }, 6 * k_patience));
  std::string all;
  for (const KafkaMessage& message : reader.messages()) all += message.value;
  EXPECT_EQ(all, "abc");
}

}  // namespace
}  // namespace holdfast::test
