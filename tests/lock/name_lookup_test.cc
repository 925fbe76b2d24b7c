// The client of Redis and names: servers that are found, and name servers that do not answer.
#include "lock/redis/name_lookup.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "lock/fake_redis.h"
#include "lock/redis/redis_lock.h"
#include "support/waiting.h"

namespace {

constexpr const char* k_host_that_hangs = "hangs.example";
std::atomic<int> look_ups_that_hang{0};
std::atomic<int> look_ups_begun{0};   // of names whose lookup may hang
std::atomic<bool> name_server_answers{false};

}  // namespace

// The system's resolver, except that for one name and those under it no name server seems to answer.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto system_call = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (host == nullptr || !std::string_view(host).ends_with(k_host_that_hangs)) return system_call(host, service, hints, found);
  ++look_ups_begun;
  ++look_ups_that_hang;
  name_server_answers.wait(false);
  --look_ups_that_hang;
  return system_call("127.0.0.1", service, hints, found);
}

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using lock::NameLookup;
using lock::RedisLock;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class NameServer : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);   // as `holdfast serve` does
    name_server_answers = false;
    look_ups_begun = 0;
  }
  void TearDown() override {
    answer();
    EXPECT_TRUE(eventually([] { return look_ups_that_hang == 0; }));
  }
  static void answer() {
    name_server_answers = true;
    name_server_answers.notify_all();
  }
  static lock::RedisUrl url_of(const std::string& host, std::uint16_t port) {
    return lock::parse_redis_url("redis://" + host + ":" + std::to_string(port)).value();
  }
};

TEST_F(NameServer, ThatDoesNotAnswerDoesNotDelayTheEnd) {
  auto seat_lock = std::make_unique<RedisLock>(lock::RedisOptions{.url = url_of(k_host_that_hangs, 1), .deadline = 50ms});
  ASSERT_TRUE(eventually([] { return look_ups_that_hang == 1; }));
  seat_lock.reset();
  EXPECT_EQ(look_ups_that_hang, 1) << "the look-up was not waited for";
}

TEST_F(NameServer, ThatDoesNotAnswerIsNamedAndAskedOnceAtATime) {
  RedisLock seat_lock({.url = url_of(k_host_that_hangs, 1), .deadline = 50ms});
  EXPECT_TRUE(eventually([&] { return seat_lock.health().detail.contains("its name could not be looked up in time"); }));
  NameLookup names;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(names.find(k_host_that_hangs, Clock::now() + 20ms, {}).error(), HasSubstr("in time"));
  }
  EXPECT_TRUE(eventually([] { return look_ups_that_hang == 2; })) << "one for the lock, one for the test";
  answer();
  const auto found = names.find(k_host_that_hangs, Clock::now() + k_patience, {});
  ASSERT_TRUE(found) << found.error();
  EXPECT_THAT(*found, ElementsAre("127.0.0.1"));
}

TEST_F(NameServer, ALateAnswerServesTheNextTry) {
  FakeRedis redis;
  RedisLock seat_lock({.url = url_of(k_host_that_hangs, redis.url().servers.front().port), .deadline = 500ms});
  ASSERT_TRUE(eventually([] { return look_ups_that_hang == 1; }));
  answer();
  EXPECT_TRUE(seat_lock.wait_until_up(k_patience)) << seat_lock.health().detail;
}

TEST_F(NameServer, AnAnswerBetweenTwoTriesServesTheSecond) {
  NameLookup names;
  EXPECT_THAT(names.find(k_host_that_hangs, Clock::now(), {}).error(), HasSubstr("in time"));
  ASSERT_TRUE(eventually([] { return look_ups_that_hang == 1; }));
  answer();
  ASSERT_TRUE(eventually([] { return look_ups_that_hang == 0; }));
  // With no time left it can only take an answer that is there. The answer comes a moment after the resolver returned it.
  EXPECT_TRUE(eventually([&] { return names.find(k_host_that_hangs, Clock::now(), {}).has_value(); }));
  EXPECT_EQ(look_ups_begun, 1) << "it was asked anew";
}

TEST_F(NameServer, ALateAnswerCountsAfterAnotherNameWasAskedFor) {
  NameLookup names;
  EXPECT_FALSE(names.find(k_host_that_hangs, Clock::now(), {}));
  ASSERT_TRUE(eventually([] { return look_ups_that_hang == 1; }));
  answer();
  ASSERT_TRUE(eventually([] { return look_ups_that_hang == 0; }));
  EXPECT_TRUE(names.find("localhost", Clock::now() + k_patience, {}).has_value());
  EXPECT_TRUE(eventually([&] { return names.find(k_host_that_hangs, Clock::now(), {}).has_value(); }));
  EXPECT_EQ(look_ups_begun, 1) << "it was asked anew";
}

TEST_F(NameServer, FindsTheServerByAnyAddressOfItsName) {
  FakeRedis redis;   // on 127.0.0.1, while localhost may be ::1 first
  RedisLock seat_lock({.url = url_of("localhost", redis.url().servers.front().port), .deadline = 500ms});
  EXPECT_TRUE(seat_lock.wait_until_up(k_patience)) << seat_lock.health().detail;
}

TEST_F(NameServer, IsNotAskedForAddresses) {
  NameLookup names;
  for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
    EXPECT_THAT(names.find(address, Clock::now(), {}).value(), ElementsAre(address));
  }
  EXPECT_THAT(names.find("localhost", Clock::now() + k_patience, {}).value(), Contains("127.0.0.1"));
}

TEST_F(NameServer, IsAskedForAtMostOneNamePerThread) {
  NameLookup names;
  for (std::size_t i = 0; i < lock::k_lookups_at_once; ++i) {
    EXPECT_THAT(names.find(std::to_string(i) + "." + k_host_that_hangs, Clock::now(), {}).error(), HasSubstr("in time"));
  }
  EXPECT_THAT(names.find("localhost", Clock::now() + k_patience, {}).error(), HasSubstr("too many names"));
  answer();
  EXPECT_TRUE(eventually([&] { return names.find("localhost", Clock::now() + k_patience, {}).has_value(); }));
}

}  // namespace
}  // namespace holdfast::test
