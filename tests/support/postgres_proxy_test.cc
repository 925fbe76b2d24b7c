// The network of postgres_proxy.h fails as it says, at the message that it says, and as often with the same seed.
#include "support/postgres_proxy.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/services.h"
#include "support/sql.h"
#include "support/wire.h"

namespace holdfast::test {
namespace {

std::vector<std::string> drawn(FaultPlan& plan, Trip trip, Way way, std::size_t messages) {
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < messages; ++i) {
    const auto fault = plan.next(trip, way);
    if (fault) faults.push_back(std::to_string(i) + " " + std::string(name_of(fault->kind)) + " " + std::to_string(fault->lasts.count()));
  }
  return faults;
}

TEST(FaultPlan, MeetsTheSameMessagesOfATripWithTheSameSeedWhateverOtherTripsDo) {
  constexpr std::size_t k_messages = 20'000;
  FaultPlan one(7), same(7), other(8);
  drawn(same, Trip::read, Way::to_client, k_messages);
  const auto faults = drawn(one, Trip::write, Way::to_client, k_messages);
  EXPECT_GT(faults.size(), 10U);
  EXPECT_EQ(drawn(same, Trip::write, Way::to_client, k_messages), faults);
  EXPECT_NE(drawn(other, Trip::write, Way::to_client, k_messages), faults);
  EXPECT_NE(drawn(one, Trip::write, Way::to_server, k_messages), faults);
}

class Proxy : public testing::Test {
 protected:
  std::string url() const { return with_port(database_.url(), proxy_.port()); }
  // Whether a statement over this connection fails because the connection ends.
  static bool ends(Sql& sql) {
    try {
      sql.value("select 1");
      return false;
    } catch (const SqlError&) {
      return true;
    }
  }

  PostgresDatabase database_;
  PostgresProxy proxy_{port_in(database_.url()), 1};
};

TEST_F(Proxy, WithoutFaultsPassesEverythingOn) {
  Sql sql(url());
  sql.run("create table kept (n int, text text)");
  sql.query("insert into kept select n, repeat('x', 1000) from generate_series(1, $1::int) n", {"1000"});
  EXPECT_EQ(sql.query("select text from kept").size(), 1000U);
  EXPECT_THROW(sql.value("select 1/0"), SqlError);
  EXPECT_EQ(sql.value("select length(repeat('y', $1::int))", {"3000000"}), "3000000");
  EXPECT_EQ(sql.value("select repeat('y', 3000000)").size(), 3'000'000U);
  EXPECT_EQ(proxy_.faults(), 0U);
}

TEST_F(Proxy, CutsBeforeWithinAndAfterTheMessageThatItIsToldTo) {
  Sql(url()).run("create table kept (n int)");
  const auto kept = [&] { return Sql(database_.url()).value("select count(*) from kept"); };
  const auto inserts = [&](Way way, char type, Fault fault) {
    Sql sql(url());
    proxy_.meet(Trip::other, way, type, fault);
    try {
      sql.query("insert into kept values (1)");
      return true;
    } catch (const SqlError&) {
      return false;
    }
  };
  EXPECT_FALSE(inserts(Way::to_server, 'S', {.kind = FaultKind::cut_before}));
  EXPECT_FALSE(inserts(Way::to_server, 'E', {.kind = FaultKind::cut_within, .part = 0.5}));
  EXPECT_EQ(kept(), "0") << "the Sync that would have committed it never arrived";
  EXPECT_FALSE(inserts(Way::to_client, 'C', {.kind = FaultKind::cut_before}));
  EXPECT_FALSE(inserts(Way::to_client, 'Z', {.kind = FaultKind::cut_within, .part = 0.9}));
  EXPECT_FALSE(inserts(Way::to_server, 'S', {.kind = FaultKind::cut_after}));
  EXPECT_TRUE(eventually([&] { return kept() == "3"; })) << "the server had the Sync, and only the answer was lost: " << kept();
  EXPECT_EQ(proxy_.faults(), 5U);
}

TEST_F(Proxy, DelaysAMessageAndAllAfterIt) {
  Sql sql(url());
  constexpr milliseconds k_delay{200};
  proxy_.meet(Trip::other, Way::to_client, 'D', {.kind = FaultKind::delay, .lasts = k_delay});
  const auto asked = Clock::now();
  EXPECT_EQ(sql.value("select 1"), "1");
  EXPECT_GE(Clock::now() - asked, k_delay);
  EXPECT_EQ(sql.value("select 2"), "2");
}

TEST_F(Proxy, IsSilentForAWhileAndThenEndsTheConnection) {
  Sql sql(url());
  constexpr milliseconds k_silence{200};
  proxy_.meet(Trip::other, Way::to_client, 'T', {.kind = FaultKind::swallow, .lasts = k_silence});
  const auto asked = Clock::now();
  EXPECT_TRUE(ends(sql));
  EXPECT_GE(Clock::now() - asked, k_silence);
}

TEST_F(Proxy, EndsASilenceWhenFaultsEnd) {
  Sql sql(url());
  proxy_.meet(Trip::other, Way::to_server, 'S', {.kind = FaultKind::swallow, .lasts = 10 * k_patience});
  std::thread ender([&] {
    eventually([&] { return proxy_.faults() == 1; });
    proxy_.end_faults();
  });
  EXPECT_TRUE(ends(sql));
  ender.join();
  Sql again(url());
  EXPECT_FALSE(ends(again));
}

TEST_F(Proxy, RefusesConnectionsDuringAnOutageAndTakesThemAfterIt) {
  Sql one(url());
  Sql other(url());
  proxy_.meet(Trip::other, Way::to_server, 0, {.kind = FaultKind::outage, .lasts = 10 * k_patience});
  EXPECT_TRUE(ends(one));
  EXPECT_TRUE(ends(other));
  EXPECT_THROW(Sql{url()}, SqlError);
  proxy_.end_faults();
  EXPECT_TRUE(eventually([&] {
    try {
      return Sql(url()).value("select 1") == "1";
    } catch (const SqlError&) {
      return false;
    }
  }));
  proxy_.meet(Trip::startup, Way::to_client, 'Z', {.kind = FaultKind::outage, .lasts = milliseconds{50}});
  EXPECT_THROW(Sql{url()}, SqlError);
  EXPECT_TRUE(eventually([&] {
    try {
      return Sql(url()).value("select 1") == "1";
    } catch (const SqlError&) {
      return false;
    }
  })) << "a second outage ends by itself";
}

}   // namespace
}   // namespace holdfast::test
