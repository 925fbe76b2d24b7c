// The parts of an event's text that are kept while it is read.
#include "api/v1/event_draft.h"

#include <gtest/gtest.h>

#include "support/waiting.h"

namespace holdfast::api {
namespace {

TEST(Texts, KeepsEachTextOnceUnderItsNumber) {
  Texts texts;
  EXPECT_EQ(texts.number(""), 0U);
  const std::uint32_t first = texts.number("Stalls");
  for (int i = 0; i < 10'000; ++i) texts.number(std::to_string(i));
  EXPECT_EQ(texts.number("Stalls"), first);
  EXPECT_EQ(texts[first], "Stalls");
  EXPECT_EQ(texts[texts.number("9999")], "9999");
  EXPECT_EQ(texts[0], "");
}

TEST(Texts, IsFullAtItsLimitOfBytes) {
  Texts texts(10);
  const std::uint32_t five = texts.number("five.");
  const std::uint32_t more = texts.number("more.");
  EXPECT_FALSE(texts.is_full());
  EXPECT_EQ(texts.number("five."), five) << "a text that it has takes no room";
  EXPECT_FALSE(texts.is_full());
  EXPECT_EQ(texts.number("x"), 0U);
  EXPECT_TRUE(texts.is_full());
  EXPECT_EQ(texts[more], "more.");
}

TEST(Texts, Have256MebibytesUnlessTheyAreToldOtherwise) {
  constexpr std::size_t k_most = std::size_t{256} * 1'024 * 1'024;
  constexpr std::size_t k_name_bytes = test::k_is_sanitized ? 65'536 : 200;   // to a sanitizer, each allocation costs more
  Texts texts;
  std::size_t left = k_most;
  for (std::size_t i = 10'000'000; left >= k_name_bytes; ++i, left -= k_name_bytes) {
    std::string name = std::to_string(i);
    name.resize(k_name_bytes, 'x');
    texts.number(name);
  }
  if (left > 0) texts.number(std::string(left, 'y'));
  EXPECT_FALSE(texts.is_full());
  texts.number("z");
  EXPECT_TRUE(texts.is_full());
}

}  // namespace
}  // namespace holdfast::api
