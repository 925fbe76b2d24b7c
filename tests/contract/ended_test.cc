// Reservations that ended long ago, in the real program with room for a few of them in memory.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_reservations = 24;
constexpr std::size_t k_connections = 12;

// The embedded ledger forgets every 512 rounds, the PostgreSQL ledger after each round.
int rounds_until_forgotten() { return is_in_database() ? 20 : 1'100; }

class EndedOverHttp : public testing::Test {
 protected:
  std::string hold_one(std::size_t seat) {
    const Answer made = hold(client_, "customer-" + std::to_string(seat), {event_[seat]});
    EXPECT_EQ(made.status, 201) << made;
    return string_of(made.json().at("id"));
  }
  Answer does(Client& client, const std::string& id, const std::string& what, const std::string& body = "{}") {
    return client.post("/v1/reservations/" + id + "/" + what, body);
  }
  Answer extend(Client& client, const std::string& id) { return does(client, id, "extend", R"({"holdSeconds":60})"); }
  // Runs empty rounds until the tables have everything so far and memory has forgotten the ended ones.
  void let_rounds_go_by(const std::string& id) {
    for (int i = 0; i < rounds_until_forgotten(); ++i) ASSERT_EQ(extend(client_, id).status, 409);
  }
  // Over many connections at once, so that several share a round.
  void at_once(const std::vector<std::function<void(Client&)>>& calls) {
    std::vector<std::thread> threads;
    for (std::size_t n = 0; n < k_connections; ++n) {
      threads.emplace_back([&, n] {
        try {
          Client client = server_.connect();
          for (std::size_t i = n; i < calls.size(); i += k_connections) calls[i](client);
        } catch (const std::exception& error) {
          ADD_FAILURE() << error.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  Server server_{{.flags = {"--ledger-ended-in-memory-max", "3"}}};
  Client client_ = server_.connect();
  TestEvent event_ = make_event(client_, 2 * k_reservations);
};

TEST_F(EndedOverHttp, AreReadAndReinstatedWhileOthersEndInTheSameRounds) {
  for (int turn = 0; turn < 3; ++turn) {
    const std::string order = R"({"orderId":"order-)" + std::to_string(turn) + R"(","reinstate":true})";
    std::vector<std::string> old;
    std::vector<std::string> young;
    for (std::size_t seat = 0; seat < k_reservations; ++seat) old.push_back(hold_one(seat));
    for (const std::string& id : old) ASSERT_EQ(does(client_, id, "release").status, 200);
    let_rounds_go_by(old.back());
    for (std::size_t seat = 0; seat < k_reservations; ++seat) young.push_back(hold_one(k_reservations + seat));
    std::vector<std::function<void(Client&)>> mixed;
    for (std::size_t i = 0; i < k_reservations; ++i) {
      mixed.emplace_back([&, i](Client& client) { EXPECT_EQ(extend(client, old[i]).status, 409); });
      mixed.emplace_back([&, i](Client& client) { EXPECT_EQ(does(client, young[i], "release").status, 200); });
    }
    at_once(mixed);
    let_rounds_go_by(young.front());
    std::vector<std::function<void(Client&)>> touched;
    for (std::size_t i = 0; i < k_reservations; ++i) {
      touched.emplace_back([&, i](Client& client) { EXPECT_EQ(does(client, old[i], "consume", order).status, 200); });
      touched.emplace_back([&, i](Client& client) { EXPECT_EQ(does(client, young[i], "release").status, 200); });
    }
    at_once(touched);
    for (const std::string& id : old) {
      EXPECT_EQ(string_of(reservation(client_, id).at("status")), "consumed");
      ASSERT_EQ(does(client_, id, "return", R"({"orderId":"order-)" + std::to_string(turn) + R"("})").status, 200);
    }
    for (const std::string& id : young) EXPECT_EQ(string_of(reservation(client_, id).at("status")), "released");
  }
  EXPECT_EQ(client_.get("/readyz").body, "ready\n");
}

// Overwrites every page of the file that has the text.
std::size_t damage_pages_with(const std::filesystem::path& file, const std::string& text) {
  constexpr std::size_t k_page = 4'096;
  const std::string bytes = read_file(file);
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  std::size_t pages = 0;
  for (std::size_t page = 0; page * k_page < bytes.size(); ++page) {
    if (bytes.substr(page * k_page, k_page).find(text) == std::string::npos) continue;
    out.seekp(static_cast<std::streamoff>(page * k_page));
    out << std::string(k_page, '\xff');
    ++pages;
  }
  return pages;
}

TEST_F(EndedOverHttp, ThatCannotBeReadRefuseOnlyTheirOwnCommands) {
  if (is_in_database()) GTEST_SKIP() << "there is no state.db";
  std::vector<std::string> ended;
  for (std::size_t i = 0; i < 200; ++i) {
    ended.push_back(hold_one(i % k_reservations));
    ASSERT_EQ(does(client_, ended.back(), "release").status, 200);
  }
  server_.stop();
  server_.start();   // ended reservations are only in state.db, and none of them has been read yet
  client_ = server_.connect();
  ASSERT_GT(damage_pages_with(server_.data() / "state.db", ended[50]), 0u);
  for (const Answer& answer :
       {does(client_, ended[50], "release"), client_.get("/v1/reservations/" + ended[50]), client_.get("/reservations/" + ended[50])}) {
    EXPECT_EQ(answer.status, 503) << answer;
    EXPECT_NE(answer.body.find(ended[50]), std::string::npos) << answer.body;
  }
  EXPECT_TRUE(server_.says("holdfast rebuild")) << "the log must say what to do";
  EXPECT_EQ(client_.post("/v1/reservations/" + hold_one(0) + "/release", "{}").status, 200);
  EXPECT_EQ(client_.get("/readyz").status, 200);
  server_.kill();   // kill it, because a stop would report the damaged tables
}

// Runs a statement in the tables of a server, as another program does.
void change_tables(const std::filesystem::path& file, const std::string& sql) {
  sqlite3* tables = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &tables), SQLITE_OK);
  EXPECT_EQ(sqlite3_busy_timeout(tables, 10'000), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(tables, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(tables);
  EXPECT_EQ(sqlite3_close(tables), SQLITE_OK);
}

TEST_F(EndedOverHttp, WithOtherSeatsInTheTablesThanWereWrittenAreNotReinstated) {
  if (is_in_database()) GTEST_SKIP() << "there is no state.db";
  std::vector<std::string> ended;
  for (std::size_t seat = 0; seat < k_reservations; ++seat) {
    ended.push_back(hold_one(seat));
    ASSERT_EQ(does(client_, ended.back(), "release").status, 200);
  }
  let_rounds_go_by(ended.back());
  const std::string where = " WHERE id = '" + ended[3] + "'";
  change_tables(server_.data() / "state.db", "UPDATE reservation SET seats = '[5]'" + where);
  const Answer reinstated = does(client_, ended[3], "consume", R"({"orderId":"order-1","reinstate":true})");
  EXPECT_EQ(reinstated.status, 503) << reinstated;
  EXPECT_EQ(seat_state(client_, event_[5]), "available");
  EXPECT_EQ(client_.get("/v1/reservations/" + ended[3]).status, 503);
  EXPECT_EQ(client_.get("/v1/reservations?eventId=" + event_.id).status, 503);
  EXPECT_TRUE(server_.says("the row of reservation " + ended[3] + " is not what was written"));
  EXPECT_TRUE(server_.says("holdfast rebuild")) << "the log must say what to do";
  EXPECT_EQ(does(client_, ended[4], "consume", R"({"orderId":"order-2","reinstate":true})").status, 200) << "others go on";
  change_tables(server_.data() / "state.db", "UPDATE reservation SET seats = '[3]'" + where);
  EXPECT_EQ(does(client_, ended[3], "consume", R"({"orderId":"order-1","reinstate":true})").status, 200) << "it was put right";
  EXPECT_EQ(seat_state(client_, event_[3]), "sold");
}

}  // namespace
}  // namespace holdfast::test
