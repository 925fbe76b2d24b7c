// Events that cannot be imported: how long each is retried, and how many are remembered.
#include "feed/kafka/failing_imports.h"

#include <gtest/gtest.h>

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds k_patience_of_one{60'000};
constexpr FailingImports::Time k_begin{};

Uuid event(std::size_t number) {
  Uuid id{};
  id.data[13] = static_cast<std::uint8_t>(number / 65'536);
  id.data[14] = static_cast<std::uint8_t>(number / 256 % 256);
  id.data[15] = static_cast<std::uint8_t>(number % 256);
  return id;
}

TEST(FailingImports, AreRetriedForTheirPatienceOnceUntilTheyWorkAgain) {
  FailingImports failing(k_patience_of_one);
  EXPECT_TRUE(failing.must_wait(event(1), false, k_begin));
  EXPECT_TRUE(failing.must_wait(event(1), false, k_begin + k_patience_of_one - milliseconds(1)));
  const auto over = k_begin + k_patience_of_one;
  EXPECT_FALSE(failing.must_wait(event(1), true, over));
  failing.note_read(event(1));
  EXPECT_FALSE(failing.must_wait(event(1), true, over)) << "it could be read before, and not created";
  failing.forget(event(1));
  EXPECT_TRUE(failing.must_wait(event(1), false, over));
}

TEST(FailingImports, AreTenThousandAndOneMoreBeginsTheListAnew) {
  constexpr std::size_t k_most = 10'000;
  FailingImports failing(k_patience_of_one);
  for (std::size_t i = 0; i < k_most; ++i) ASSERT_TRUE(failing.must_wait(event(i), false, k_begin));
  const auto over = k_begin + k_patience_of_one;
  for (std::size_t i = 0; i < k_most; ++i) ASSERT_FALSE(failing.must_wait(event(i), false, over)) << i;
  EXPECT_TRUE(failing.must_wait(event(k_most), false, over));
  EXPECT_TRUE(failing.must_wait(event(0), false, over)) << "it was forgotten";
}

}   // namespace
}   // namespace holdfast::feed::kafka
