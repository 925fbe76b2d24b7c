#include <gtest/gtest.h>

#include <set>

#include "lock/seat_lock.h"

namespace holdfast::lock {
namespace {

TEST(LockKey, OfAUuidIsItsDigitsWithoutDashesInLowerCase) {
  EXPECT_EQ(key_of("550E8400-e29b-41d4-A716-446655440002"), "lock:seat:550e8400e29b41d4a716446655440002");
  EXPECT_EQ(key_of(*parse_uuid("550e8400-e29b-41d4-a716-446655440002")), "lock:seat:550e8400e29b41d4a716446655440002");
}

TEST(LockKey, OfAnythingElseIsTheIdItself) {
  using namespace std::string_view_literals;
  for (const auto id : {"JAOTIiQrtU1fMWZZY2IZ-nGxHQ00YzCg9PphEwlYb"sv, "T 1\r\n%s\0\xFF{x}"sv, "550E8400e29b41d4a716446655440002"sv,
                        "{550e8400-e29b-41d4-a716-446655440002}"sv, "*"sv}) {
    EXPECT_EQ(key_of(id), "lock:seat:" + std::string(id));
  }
}

TEST(LockToken, IsLongAndNeverRepeats) {
  std::set<std::string> tokens;
  std::vector<KeyLock> key_locks(1'000);
  for (int i = 0; i < 10; ++i) {
    draw_tokens(key_locks);
    for (const KeyLock& key_lock : key_locks) {
      EXPECT_EQ(key_lock.token.size(), 32u);
      EXPECT_TRUE(tokens.insert(key_lock.token).second);
    }
  }
}

}  // namespace
}  // namespace holdfast::lock
