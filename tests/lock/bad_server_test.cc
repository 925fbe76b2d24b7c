// The client of Redis and a server that answers late, half, garbage, too much, or never.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "lock/fake_redis.h"
#include "lock/redis/redis_lock.h"
#include "support/waiting.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using lock::Grant;
using lock::KeyLock;
using lock::RedisLock;
using testing::HasSubstr;

constexpr auto k_deadline = 50ms;
constexpr auto k_grace = 2s;   // extra time for a busy machine

class BadServer : public testing::Test {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }   // as `holdfast serve` does

  RedisLock& seat_lock() {
    if (!lock_) {
      lock_.emplace(lock::RedisOptions{.url = redis.url(), .deadline = k_deadline});
      EXPECT_TRUE(lock_->wait_until_up(k_patience));
    }
    return *lock_;
  }
  // Expects this grant of one lock, within its deadline.
  Grant acquire() {
    KeyLock key_lock{.key = "lock:seat:a"};
    const auto started = Clock::now();
    seat_lock().acquire({&key_lock, 1});
    EXPECT_LT(Clock::now() - started, k_deadline + k_grace);
    return key_lock.grant;
  }
  // Waits until the client has found the server well again.
  Grant acquire_when_up() {
    Grant grant = Grant::unknown;
    EXPECT_TRUE(eventually([&] { return (grant = acquire()) != Grant::unknown; }));
    return grant;
  }

  // The health of a server that answers PING but no request correctly: between two requests all may seem well.
  std::string problem_seen() {
    std::string detail;
    EXPECT_TRUE(eventually([&] {
      EXPECT_EQ(acquire(), Grant::unknown);
      detail = seat_lock().health().detail;
      return detail.contains(": ");
    }));
    return detail;
  }

  FakeRedis redis;

 private:
  std::optional<RedisLock> lock_;
};

TEST_F(BadServer, ALateAnswerIsNotTakenForThatOfTheNextRequest) {
  ASSERT_EQ(acquire(), Grant::granted);
  redis.on("SET", [this](Wire& wire) {
    redis.on("SET", [](Wire& later) { later.say("$-1\r\n"); });   // the next one: another program has it
    wire.wait_until_closed();
    wire.say("+OK\r\n");
  });
  EXPECT_EQ(acquire(), Grant::unknown);
  EXPECT_EQ(acquire_when_up(), Grant::held) << "on a connection that the late answer cannot come on";
  EXPECT_GE(redis.connections(), 2u);
}

TEST_F(BadServer, AnswersInTimeCountEvenIfTheRestNeverCome) {
  // Shared, because the server may answer after the end of this body.
  redis.on("SET", [count = std::make_shared<int>(0)](Wire& wire) {
    int& answered = *count;
    if (answered++ < 2) wire.say(answered == 1 ? "+OK\r\n" : "$-1\r\n");
  });
  std::vector<KeyLock> key_locks{{.key = "a"}, {.key = "b"}, {.key = "c"}};
  seat_lock().acquire(key_locks);
  EXPECT_EQ(key_locks[0].grant, Grant::granted);
  EXPECT_EQ(key_locks[1].grant, Grant::held);
  EXPECT_EQ(key_locks[2].grant, Grant::unknown);
}

TEST_F(BadServer, AfterAPartialAnswerGarbageOrACloseItRecovers) {
  for (const std::string_view bytes :
       {"+O", "$2\r\nO", "GET / HTTP/1.1\r\n\r\n", "*-7\r\n", ":1\r\n", "-ERR no\r\n", "+NO\r\n", "*1\r\n$2\r\nOK\r\n"}) {
    redis.on("SET", [bytes](Wire& wire) { wire.say(bytes); });
    EXPECT_EQ(acquire(), Grant::unknown) << bytes;
    redis.on("SET", [](Wire& wire) { wire.say("+OK\r\n"); });
    EXPECT_EQ(acquire_when_up(), Grant::granted) << bytes;
  }
  redis.on("SET", [](Wire& wire) { wire.close(); });
  EXPECT_EQ(acquire(), Grant::unknown);
}

TEST_F(BadServer, AfterASurplusAnswerTheConnectionIsNotUsedAgain) {
  ASSERT_EQ(acquire(), Grant::granted);
  redis.on("SET", [](Wire& wire) { wire.say("+OK\r\n+OK\r\n"); });
  acquire();
  redis.on("SET", [](Wire& wire) { wire.say("$-1\r\n"); });
  EXPECT_EQ(acquire_when_up(), Grant::held);
}

TEST_F(BadServer, ThatNeverAnswersIsSoonNoLongerAsked) {
  ASSERT_EQ(acquire(), Grant::granted);
  redis.on("SET", [](Wire& wire) { wire.wait_until_closed(); });
  redis.on("PING", [](Wire& wire) { wire.wait_until_closed(); });
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(acquire(), Grant::unknown);
    return seat_lock().health().state != lock::Health::State::up && seat_lock().stats().failures >= 3;
  }));
  EXPECT_THAT(seat_lock().health().detail, HasSubstr("in time"));   // nothing answers PING, so it stays so
  // With the breaker open nobody waits: thousands of requests take less than a few deadlines would.
  const auto sets = redis.commands("SET");
  const auto started = Clock::now();
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(acquire(), Grant::unknown);
  EXPECT_LT(Clock::now() - started, 10'000 * k_deadline / 10);
  EXPECT_EQ(redis.commands("SET"), sets);
  redis.on("SET", [](Wire& wire) { wire.say("+OK\r\n"); });
  redis.on("PING", [](Wire& wire) { wire.say("+PONG\r\n"); });
  EXPECT_EQ(acquire_when_up(), Grant::granted);
  EXPECT_EQ(seat_lock().health().state, lock::Health::State::up);
}

TEST_F(BadServer, ItsTextIsShortAndPrintableInTheHealth) {
  redis.on("SET", [](Wire& wire) { wire.say("-ERR \x1B[31m" + std::string(10'000, 'x') + "\r\n"); });
  const std::string detail = problem_seen();
  EXPECT_THAT(detail, HasSubstr("ERR ?[31m"));
  EXPECT_LT(detail.size(), 300u);
}

TEST_F(BadServer, LocksThatMayHaveBeenGrantedAreReleasedLaterAndOnceMore) {
  KeyLock key_lock{.key = "lock:seat:a"};
  redis.on("SET", [](Wire& wire) { wire.wait_until_closed(); });
  seat_lock().acquire({&key_lock, 1});
  ASSERT_EQ(key_lock.grant, Grant::unknown);
  ASSERT_FALSE(key_lock.token.empty());
  seat_lock().release({&key_lock, 1});
  EXPECT_TRUE(eventually([&] { return redis.commands("EVALSHA") >= 2; })) << "the server may have read the first request late";
  EXPECT_TRUE(eventually([&] { return seat_lock().stats().leftovers == 0; }));
}

TEST_F(BadServer, AHundredThousandLocksWaitForReleaseAndOneMoreExpiresByItself) {
  constexpr std::size_t k_most = 100'000;
  redis.on("EVALSHA", [](Wire& wire) { wire.wait_until_closed(); });
  for (const std::size_t more : {0U, 1U}) {
    RedisLock keeping({.url = redis.url(), .deadline = k_deadline});
    ASSERT_TRUE(keeping.wait_until_up(k_patience));
    std::vector<KeyLock> key_locks(k_most + more);
    for (std::size_t i = 0; i < key_locks.size(); ++i) {
      key_locks[i] = {.key = "lock:seat:" + std::to_string(i), .token = "token", .grant = Grant::granted};
    }
    keeping.release(key_locks);
    EXPECT_EQ(keeping.stats().unreleased, k_most + more);
    EXPECT_EQ(keeping.stats().abandoned, more);
  }
}

TEST_F(BadServer, OnlyRequestedLocksAreReleased) {
  redis.on("SET", [](Wire& wire) { wire.say("$-1\r\n"); });
  KeyLock key_lock{.key = "lock:seat:a"};
  seat_lock().acquire({&key_lock, 1});
  ASSERT_EQ(key_lock.grant, Grant::held);
  seat_lock().release({&key_lock, 1});
  KeyLock never{.key = "lock:seat:b"};
  seat_lock().release({&never, 1});
  EXPECT_EQ(redis.commands("EVALSHA"), 0u);
}

TEST_F(BadServer, AClusterIsRefusedAsUnsupported) {
  redis.on("SET", [](Wire& wire) { wire.say("-MOVED 3999 127.0.0.1:6381\r\n"); });
  EXPECT_THAT(problem_seen(), HasSubstr("Redis Cluster is not supported"));
}

}  // namespace
}  // namespace holdfast::test
