// The seat lock, of three nodes and of other programs: it keeps others out, and a seat has one owner whatever happens to the
// lock.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "cluster/cluster.h"
#include "cluster/load.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_seats = 200;

// `lock:seat:{seatId:N}`
std::string lock_of(std::string seat) {
  std::erase(seat, '-');
  return "lock:seat:" + seat;
}

std::string take_by_another_program(RedisServer& redis, const std::string& seat, const std::string& token = "another program") {
  return redis.command({"SET", lock_of(seat), token, "NX", "PX", "30000"});
}

bool is_locked(RedisServer& redis, const std::string& seat) { return redis.command({"EXISTS", lock_of(seat)}) == "1"; }

// Bytes that have arrived for a paused server, which has not read them.
std::size_t bytes_waiting_at(std::uint16_t port) {
  std::ifstream connections("/proc/net/tcp");
  std::size_t waiting = 0;
  for (std::string line; std::getline(connections, line);) {
    unsigned local_port = 0, state = 0;
    unsigned long unread = 0;
    // sl local_address rem_address st tx_queue:rx_queue …, all in hex
    if (std::sscanf(line.c_str(), " %*d: %*8s:%x %*8s:%*4s %x %*8s:%lx", &local_port, &state, &unread) == 3 && local_port == port) {
      waiting += unread;
    }
  }
  return waiting;
}

TEST(SeatLock, OfAnotherProgramIsRespectedByEveryNode) {
  Cluster cluster;
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, 10);
  ASSERT_EQ(take_by_another_program(cluster.redis(), event[0]), "OK");
  for (std::size_t node = 0; node < cluster.count(); ++node) {
    Client asking = cluster.client(node);
    const Answer refused = reserve(asking, event[0], "c");
    EXPECT_EQ(refused.status, 409) << refused;
    EXPECT_EQ(string_of(refused.json().at("error")), "Could not acquire lock for seat " + event[0] + ". Seat may be reserved or locked.");
    EXPECT_EQ(reserve(asking, event[node + 1], "c").status, 201);
    EXPECT_FALSE(is_locked(cluster.redis(), event[node + 1])) << "given up before the answer leaves";
  }
  EXPECT_EQ(cluster.redis().command({"GET", lock_of(event[0])}), "another program") << "ours is never released by somebody else";
  cluster.redis().command({"DEL", lock_of(event[0])});
  EXPECT_EQ(reserve(client, event[0], "c").status, 201);
  cluster.verify({event});
}

TEST(SeatLock, RedisKilledFlushedAndPausedUnderLoadSellsNothingTwiceAndReservationsGoOn) {
  Cluster cluster;
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, k_seats);
  Load load(cluster, event);
  ASSERT_TRUE(load.goes_on(100));

  for (int i = 0; i < 5; ++i) {
    cluster.redis().flush();
    ASSERT_TRUE(load.goes_on(20));
  }
  cluster.redis().kill();
  EXPECT_TRUE(load.goes_on(100)) << "the ledger guards reservations, not the lock";
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_lock_state", {"state=\"away\""}) == 1; })) << "a metric says so";
  EXPECT_EQ(client.get("/readyz").status, 200);
  cluster.redis().start();
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_lock_state", {"state=\"up\""}) == 1; })) << "used again by itself";
  ASSERT_TRUE(load.goes_on(100));
  cluster.redis().pause();
  EXPECT_TRUE(load.goes_on(100)) << "a server that does not answer meets a deadline";
  cluster.redis().resume();
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_lock_state", {"state=\"up\""}) == 1; }));
  ASSERT_TRUE(load.goes_on(100));

  load.stop();
  EXPECT_EQ(load.unavailable(), 0U);
  load.expect_kept(client);
  cluster.verify({event});
}

TEST(SeatLock, WithRejectOnlyReservationsStopWhileRedisIsAway) {
  Cluster cluster({.nodes = 2, .flags = {"--lock-on-failure", "reject"}, .has_feed = false});
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, 10);
  const Answer first = reserve(client, event[0], "c");
  ASSERT_EQ(first.status, 201) << first;
  cluster.redis().kill();
  const Answer refused = reserve(client, event[1], "c");
  EXPECT_EQ(refused.status, 503) << refused;
  EXPECT_FALSE(refused.header("Retry-After").empty());
  const std::string id = string_of(first.json().at("reservationId"));
  EXPECT_EQ(client.post("/v1/reservations/" + id + "/release", "{}").status, 200) << "only holding locks";
  cluster.redis().start();
  EXPECT_TRUE(eventually([&] { return reserve(client, event[1], "c").status == 201; }));
}

// The journal does not accept the row until the lock has ended: another session has locked its table.
TEST(SeatLock, ThatExpiresInABatchIsLeftToAnotherProgram) {
  Cluster cluster({.flags = {"--lock-ttl-ms", "1000"}});
  Client client = cluster.client(0);
  const TestEvent event = make_event(client, 10);
  Sql sql(cluster.ledger_url());
  sql.run("begin; lock table holdfast.journal in share mode");
  Client asking = cluster.client(1);
  asking.write(request_bytes("POST", "/reservations", reserve_body(event[0], "first")));
  ASSERT_TRUE(eventually([&] { return is_locked(cluster.redis(), event[0]); })) << "the lock is taken before the commit";
  ASSERT_TRUE(eventually([&] { return take_by_another_program(cluster.redis(), event[0]) == "OK"; })) << "it ends by itself";
  sql.run("commit");
  const Answer answer = asking.read_answer();
  // The transaction may have waited longer than its node's patience. Then it was judged again, and the lock belongs to another
  // program.
  EXPECT_TRUE(answer.status == 201 || answer.status == 409) << answer;
  EXPECT_EQ(cluster.redis().command({"GET", lock_of(event[0])}), "another program");
  cluster.redis().command({"DEL", lock_of(event[0])});
  Client other = cluster.client(2);
  EXPECT_EQ(reserve(other, event[0], "second").status, answer.status == 201 ? 409 : 201);
  cluster.verify({event});
}

// A node that is paused in the middle of its work, with the seat's lock, for longer than the contract's 30 seconds.
TEST(SeatLock, ANodePausedLongerThanItsLocksSellsNothingTwice) {
  Cluster cluster({.flags = {"--lock-deadline-ms", "10000"}});
  Client client = cluster.client(1);
  const TestEvent event = make_event(client, 10);

  // Redis is paused first, so that the node stops between locking the seat and writing it.
  cluster.redis().pause();
  Client late = cluster.client(0);
  const std::string request = request_bytes("POST", "/reservations", reserve_body(event[0], "late"), {{"Idempotency-Key", "late-1"}});
  late.write(request);
  constexpr std::size_t k_request = 50;   // longer than a probe, shorter than a SET of a seat's lock
  ASSERT_TRUE(eventually([&] { return bytes_waiting_at(cluster.redis().port()) > k_request; })) << "the node has asked for the lock";
  Paused paused(cluster.at(0).process());
  cluster.redis().resume();
  ASSERT_TRUE(eventually([&] { return is_locked(cluster.redis(), event[0]); }))
      << "what was sent to Redis is done, though nobody reads the answer";

  // The others continue after at most 2 seconds, the limit for an idle transaction; only the seat itself is locked.
  const Answer meanwhile = reserve(client, event[1], "on time");
  EXPECT_EQ(meanwhile.status, 201) << meanwhile;
  const auto locked_since = Clock::now();
  EXPECT_EQ(reserve(client, event[0], "on time").status, 409);
  Answer won;
  ASSERT_TRUE(eventually([&] { return (won = reserve(client, event[0], "on time")).status == 201; }, milliseconds{40'000} + k_patience))
      << won;
  EXPECT_GT(Clock::now() - locked_since, milliseconds{20'000}) << "the lock was to hold for 30 s";

  paused.resume();
  // Its batch is judged again and finds the seat taken, or its time was over before that; then a retry says so.
  Answer refused = late.read_answer();
  EXPECT_TRUE(refused.status == 409 || refused.status == 503) << refused;
  for (int tries = 0; refused.status == 503 && tries < 20; ++tries) {
    late.write(request);
    refused = late.read_answer();
  }
  EXPECT_EQ(refused.status, 409) << refused;
  const Json found = seat(client, event[0]);
  EXPECT_EQ(string_of(found.at("reservationId")), string_of(won.json().at("reservationId")));
  cluster.verify({event});
}

}   // namespace
}   // namespace holdfast::test
