// The client of Redis and real servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "lock/redis/redis_lock.h"
#include "support/services.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using lock::Grant;
using lock::KeyLock;
using lock::RedisLock;
using testing::HasSubstr;
using testing::Not;

class RedisLocks : public testing::Test {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }   // as `holdfast serve` does

  static lock::RedisUrl url_of(const RedisServer& server, const std::string& credentials = {}, const std::string& behind = {}) {
    return lock::parse_redis_url("redis://" + credentials + "127.0.0.1:" + std::to_string(server.port()) + behind).value();
  }
  static lock::RedisOptions options_for(lock::RedisUrl url) {
    return {.url = std::move(url), .deadline = 500ms};   // a busy machine needs more; deadlines have tests of their own
  }
  // A client that is up.
  RedisLock& open(lock::RedisOptions options) {
    auto& lock = *locks_.emplace_back(std::make_unique<RedisLock>(std::move(options)));
    EXPECT_TRUE(lock.wait_until_up(k_patience)) << lock.health().detail;
    return lock;
  }
  static Grant acquire_when_up(RedisLock& seat_lock, KeyLock& key_lock) {
    EXPECT_TRUE(eventually([&] {
      seat_lock.acquire({&key_lock, 1});
      return key_lock.grant != Grant::unknown;
    })) << seat_lock.health().detail;
    return key_lock.grant;
  }

  RedisServer redis;

 private:
  std::vector<std::unique_ptr<RedisLock>> locks_;
};

TEST_F(RedisLocks, AreTheContractsKeyWithARandomTokenForThirtySeconds) {
  RedisLock& seat_lock = open(options_for(url_of(redis)));
  KeyLock key_lock{.key = lock::key_of("550E8400-e29b-41d4-a716-446655440002")};
  seat_lock.acquire({&key_lock, 1});
  ASSERT_EQ(key_lock.grant, Grant::granted);
  EXPECT_EQ(redis.command({"KEYS", "*"}), redis.command({"KEYS", "lock:seat:550e8400e29b41d4a716446655440002"}));
  EXPECT_EQ(redis.command({"GET", "lock:seat:550e8400e29b41d4a716446655440002"}), key_lock.token);
  const long left = std::stol(redis.command({"PTTL", key_lock.key}));
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 30'000);
  const std::string first = key_lock.token;
  seat_lock.release({&key_lock, 1});
  EXPECT_EQ(redis.command({"EXISTS", key_lock.key}), "0");
  seat_lock.acquire({&key_lock, 1});
  EXPECT_NE(key_lock.token, first);
}

TEST_F(RedisLocks, OfAnotherProgramAreRespectedAndNeverReleased) {
  RedisLock& seat_lock = open(options_for(url_of(redis)));
  redis.command({"SET", "lock:seat:a", "theirs"});
  redis.command({"HSET", "lock:seat:b", "odd", "type"});
  std::vector<KeyLock> key_locks{{.key = "lock:seat:a"}, {.key = "lock:seat:b"}, {.key = "lock:seat:c"}};
  seat_lock.acquire(key_locks);
  EXPECT_EQ(key_locks[0].grant, Grant::held);
  EXPECT_EQ(key_locks[1].grant, Grant::held);
  EXPECT_EQ(key_locks[2].grant, Grant::granted);
  seat_lock.release(key_locks);
  EXPECT_EQ(redis.command({"GET", "lock:seat:a"}), "theirs");
  EXPECT_EQ(redis.command({"EXISTS", "lock:seat:b"}), "1");
  EXPECT_EQ(redis.command({"EXISTS", "lock:seat:c"}), "0");
}

TEST_F(RedisLocks, ThatExpiredAndWereTakenByAnotherProgramAreNotReleased) {
  RedisLock& seat_lock = open(options_for(url_of(redis)));
  std::vector<KeyLock> key_locks{{.key = "lock:seat:a"}, {.key = "lock:seat:b"}};
  seat_lock.acquire(key_locks);
  redis.command({"SET", "lock:seat:a", "theirs"});
  redis.command({"DEL", "lock:seat:b"});
  redis.command({"HSET", "lock:seat:b", "odd", "type"});
  seat_lock.release(key_locks);
  EXPECT_EQ(redis.command({"GET", "lock:seat:a"}), "theirs");
  EXPECT_EQ(redis.command({"EXISTS", "lock:seat:b"}), "1");
  EXPECT_EQ(seat_lock.stats().expired, 2u);
}

TEST_F(RedisLocks, TakeAnyBytesAsAnId) {
  using namespace std::string_literals;
  RedisLock& seat_lock = open(options_for(url_of(redis)));
  for (const std::string& id : {"T 1\r\nDEL x"s, "%s%n%b"s, "a\0b"s, "\xFF\xFE"s, "{tag}"s, std::string(128, '\n')}) {
    KeyLock key_lock{.key = lock::key_of(id)};
    seat_lock.acquire({&key_lock, 1});
    ASSERT_EQ(key_lock.grant, Grant::granted);
    EXPECT_EQ(redis.command({"GET", "lock:seat:" + id}), key_lock.token);
    seat_lock.release({&key_lock, 1});
    EXPECT_EQ(redis.command({"DBSIZE"}), "0");
  }
}

// More than share a deadline, and more than one script releases.
TEST_F(RedisLocks, OfTenThousandAndOneSeatsAreTakenAndReleasedTogether) {
  lock::RedisOptions options = options_for(url_of(redis));
  options.deadline = 5'000ms;
  RedisLock& seat_lock = open(std::move(options));
  std::vector<KeyLock> key_locks(10'001);
  for (std::size_t i = 0; i < key_locks.size(); ++i) key_locks[i].key = lock::key_of("seat-" + std::to_string(i));
  seat_lock.acquire(key_locks);
  for (const KeyLock& key_lock : key_locks) ASSERT_EQ(key_lock.grant, Grant::granted) << key_lock.key;
  EXPECT_EQ(redis.command({"DBSIZE"}), "10001");
  seat_lock.release(key_locks);
  EXPECT_EQ(redis.command({"DBSIZE"}), "0");
}

TEST_F(RedisLocks, AreReleasedAfterTheServerForgotTheScript) {
  RedisLock& seat_lock = open(options_for(url_of(redis)));
  std::vector<KeyLock> key_locks;
  for (int i = 0; i < 2'500; ++i) key_locks.push_back({.key = "lock:seat:" + std::to_string(i)});   // more than fit into one script
  for (int i = 0; i < 2; ++i) {
    seat_lock.acquire(key_locks);
    EXPECT_EQ(redis.command({"DBSIZE"}), "2500");
    redis.command({"SCRIPT", "FLUSH"});
    seat_lock.release(key_locks);
    EXPECT_EQ(redis.command({"DBSIZE"}), "0");
  }
  EXPECT_EQ(seat_lock.stats().failures, 0u);
}

TEST_F(RedisLocks, UseTheUserPasswordAndDatabaseOfTheUrl) {
  redis.command(
      {"ACL", "SETUSER", "shop", "on", ">sec:ret", "~lock:seat:*", "+ping", "+select", "+set", "+get", "+del", "+eval", "+evalsha"});
  RedisLock& seat_lock = open(options_for(url_of(redis, "shop:sec%3Aret@", "/3")));
  KeyLock key_lock{.key = "lock:seat:a"};
  seat_lock.acquire({&key_lock, 1});
  ASSERT_EQ(key_lock.grant, Grant::granted);
  EXPECT_EQ(redis.command({"EXISTS", key_lock.key}), "0") << "not in database 0";
  EXPECT_THAT(redis.command({"INFO", "keyspace"}), HasSubstr("db3:keys=1"));
  seat_lock.release({&key_lock, 1});
  EXPECT_THAT(redis.command({"INFO", "keyspace"}), Not(HasSubstr("db3")));
}

TEST_F(RedisLocks, WithAWrongPasswordAreAwayAndDoNotShowIt) {
  redis.command({"ACL", "SETUSER", "shop", "on", ">right", "+@all"});
  RedisLock seat_lock(options_for(url_of(redis, "shop:secret@")));
  EXPECT_TRUE(eventually([&] { return seat_lock.stats().failures >= 3; }));
  KeyLock key_lock{.key = "lock:seat:a"};
  seat_lock.acquire({&key_lock, 1});
  EXPECT_EQ(key_lock.grant, Grant::unknown);
  EXPECT_THAT(seat_lock.health().detail, HasSubstr("WRONGPASS"));
  EXPECT_THAT(seat_lock.health().detail, Not(HasSubstr("secret")));
}

TEST_F(RedisLocks, AreAwayWhileTheServerIsDown) {
  RedisLock& seat_lock = open(options_for(url_of(redis)));
  KeyLock key_lock{.key = "lock:seat:a"};
  seat_lock.acquire({&key_lock, 1});
  redis.kill();
  seat_lock.release({&key_lock, 1});
  EXPECT_EQ(seat_lock.stats().unreleased, 1u);
  EXPECT_TRUE(eventually([&] { return seat_lock.health().state == lock::Health::State::away; }));
  KeyLock other{.key = "lock:seat:b"};
  seat_lock.acquire({&other, 1});
  EXPECT_EQ(other.grant, Grant::unknown);
  redis.start();
  EXPECT_EQ(acquire_when_up(seat_lock, other), Grant::granted);
}

TEST_F(RedisLocks, ThatAPausedServerGrantsLateAreReleasedOnceItResumes) {
  auto options = options_for(url_of(redis));
  options.deadline = 20ms;
  options.ttl = 1'000ms;
  RedisLock& seat_lock = open(options);
  redis.pause();
  KeyLock key_lock{.key = "lock:seat:a"};
  seat_lock.acquire({&key_lock, 1});
  ASSERT_EQ(key_lock.grant, Grant::unknown);
  seat_lock.release({&key_lock, 1});
  redis.resume();   // it reads what was sent, and grants the lock to nobody
  EXPECT_TRUE(eventually([&] { return seat_lock.stats().leftovers == 0; }));
  // A lock that is granted after its release, because the server read the connections in another order, expires by itself.
  EXPECT_TRUE(eventually([&] { return redis.command({"EXISTS", key_lock.key}) == "0"; }));
}

TEST_F(RedisLocks, AreNotTakenFromAReplica) {
  RedisLock& seat_lock = open(options_for(url_of(redis)));
  RedisServer master;
  redis.command({"REPLICAOF", "127.0.0.1", std::to_string(master.port())});
  KeyLock key_lock{.key = "lock:seat:a"};
  EXPECT_TRUE(eventually([&] {   // it still answers PING, so it takes some requests until it is no longer asked
    seat_lock.acquire({&key_lock, 1});
    EXPECT_EQ(key_lock.grant, Grant::unknown);
    return seat_lock.health().detail.contains("READONLY");
  }));
  redis.command({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(acquire_when_up(seat_lock, key_lock), Grant::granted);
}

TEST_F(RedisLocks, ExcludeEachOtherAcrossThreadsAndNodes) {
  constexpr int k_threads = 4;
  constexpr int k_each = 300;
  auto options = options_for(url_of(redis));
  options.connections = 2;   // fewer than threads
  RedisLock* const nodes[] = {&open(options), &open(options)};
  std::atomic<int> owners{0};
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (RedisLock* node : nodes) {
    for (int t = 0; t < k_threads; ++t) {
      threads.emplace_back([&, node] {
        for (int i = 0; i < k_each; ++i) {
          KeyLock key_lock{.key = "lock:seat:a"};
          node->acquire({&key_lock, 1});
          if (key_lock.grant == Grant::granted) {
            EXPECT_EQ(owners.fetch_add(1), 0);
            ++granted;
            owners.fetch_sub(1);
          }
          node->release({&key_lock, 1});
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(granted, 0);
  EXPECT_EQ(nodes[0]->stats().failures + nodes[1]->stats().failures, 0u);
  EXPECT_EQ(redis.command({"DBSIZE"}), "0");
}

// A master, a replica, and a Sentinel that watches them.
class SentinelLocks : public RedisLocks {
 protected:
  SentinelLocks() {
    replica.command({"REPLICAOF", "127.0.0.1", std::to_string(redis.port())});
    EXPECT_TRUE(eventually([&] { return replica.command({"INFO", "replication"}).contains("master_link_status:up"); }));
    const auto file = folder_.path() / "sentinel.conf";
    write_file(file, "bind 127.0.0.1\nport " + std::to_string(port_) + "\ndir " + folder_.path().string() +
                         "\nsentinel monitor tickets 127.0.0.1 " + std::to_string(redis.port()) +
                         " 1\nsentinel down-after-milliseconds tickets 300\nsentinel failover-timeout tickets 1000\n");
    sentinel_ = Process({.arguments = {"/usr/bin/redis-server", file.string(), "--sentinel"},
                         .environment = {},
                         .stdout_file = folder_.path() / "log",
                         .stderr_file = folder_.path() / "log",
                         .folder = {}});
  }
  ~SentinelLocks() override {
    sentinel_.signal(SIGTERM);
    sentinel_.wait();
  }
  lock::RedisOptions through_sentinel() const {
    return options_for(lock::parse_redis_url("redis-sentinel://127.0.0.1:1,127.0.0.1:" + std::to_string(port_) + "/tickets").value());
  }

  // Asks the Sentinel.
  std::size_t replicas_known() const {
    const auto deadline = Clock::now() + k_patience;
    auto connection = lock::Connection::open({"127.0.0.1", port_}, deadline);
    std::size_t known = 0;
    if (!connection) return known;
    (*connection)->append({"SENTINEL", "REPLICAS", "tickets"});
    (*connection)->exchange(deadline, [&](std::size_t, const redisReply& reply) { known = reply.elements; });
    return known;
  }

  RedisServer replica;

 private:
  ServiceFolder folder_;
  std::uint16_t port_ = free_port();
  Process sentinel_;
};

TEST_F(SentinelLocks, FollowTheMasterWhenItIsKilled) {
  RedisLock& seat_lock = open(through_sentinel());   // the first sentinel of the list does not answer
  KeyLock key_lock{.key = "lock:seat:a"};
  seat_lock.acquire({&key_lock, 1});
  ASSERT_EQ(key_lock.grant, Grant::granted);
  EXPECT_EQ(redis.command({"GET", key_lock.key}), key_lock.token);
  seat_lock.release({&key_lock, 1});
  ASSERT_TRUE(eventually([&] { return replicas_known() == 1; })) << "else there is nobody to fail over to";
  redis.kill();
  KeyLock other{.key = "lock:seat:b"};
  EXPECT_EQ(acquire_when_up(seat_lock, other), Grant::granted);
  EXPECT_EQ(replica.command({"GET", other.key}), other.token) << "the replica was made the master";
  EXPECT_THAT(replica.command({"ROLE"}), HasSubstr("master"));
}

}  // namespace
}  // namespace holdfast::test
