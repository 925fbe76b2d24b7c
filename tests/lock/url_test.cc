#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lock/redis/url.h"

namespace holdfast::lock {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RedisUrl, NamesAServerWithItsDefaults) {
  const auto url = parse_redis_url("redis://cache.example");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->servers, (std::vector<Address>{{"cache.example", 6379}}));
  EXPECT_FALSE(url->is_sentinel());
  EXPECT_EQ(url->database, 0u);
  EXPECT_TRUE(url->user.empty() && url->password.empty());
}

TEST(RedisUrl, HasUserPasswordPortAndDatabase) {
  const auto url = parse_redis_url("redis://shop:p%40ss%3a%2F@[::1]:7000/12");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->servers, (std::vector<Address>{{"::1", 7000}}));
  EXPECT_EQ(url->user, "shop");
  EXPECT_EQ(url->password, "p@ss:/");
  EXPECT_EQ(url->database, 12u);
  EXPECT_EQ(parse_redis_url("redis://:secret@h")->password, "secret");
  EXPECT_EQ(parse_redis_url("redis://shop@h")->user, "shop");
}

TEST(RedisUrl, NamesSentinelsAndTheirMaster) {
  const auto url = parse_redis_url("redis-sentinel://:secret@a,b:26380,[fe80::1]/tickets/3");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->servers, (std::vector<Address>{{"a", 26379}, {"b", 26380}, {"fe80::1", 26379}}));
  EXPECT_EQ(url->master, "tickets");
  EXPECT_EQ(url->database, 3u);
}

TEST(RedisUrl, IsShownWithoutUserAndPassword) {
  EXPECT_EQ(parse_redis_url("redis://shop:secret@[::1]:7000/12")->shown(), "redis://[::1]:7000/12");
  EXPECT_EQ(parse_redis_url("redis-sentinel://:secret@a,b/tickets")->shown(), "redis-sentinel://a:26379,b:26379/tickets");
}

TEST(RedisUrl, ThatCannotBeReadIsRefusedWithoutBeingRepeated) {
  for (const char* text : {"",
                           "localhost:6379",
                           "http://secret@h",
                           "redis://",
                           "redis://:secret@",
                           "redis://h:0",
                           "redis://h:65536",
                           "redis://h:6379x",
                           "redis://h/one",
                           "redis://h/1/2",
                           "redis://h/-1",
                           "redis://:%zz@secret",
                           "redis://u:@secret",
                           "redis://[::1",
                           "redis://a,secret",
                           "redis-sentinel://a",
                           "redis-sentinel://a/",
                           "redis-sentinel:///secret",
                           "redis-sentinel://a,/secret",
                           "redis-sentinel://a,,b/secret",
                           "redis://h/secret",
                           "redis://se cret"}) {
    const auto url = parse_redis_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error(), Not(HasSubstr("secret"))) << text;
  }
}

TEST(RedisUrl, WithTlsIsRefusedAsUnsupported) { EXPECT_THAT(parse_redis_url("rediss://h").error(), HasSubstr("TLS")); }

}  // namespace
}  // namespace holdfast::lock
