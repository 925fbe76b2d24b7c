// The content of a dead letter: the whole message, or as much of it as its topic accepts.
#include "feed/kafka/dead_letters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

namespace holdfast::feed::kafka {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;

Received message(std::size_t key, std::size_t value, std::size_t header) {
  Received made{.topic = "seats",
                .partition = 2,
                .offset = 7,
                .timestamp = 1'000,
                .key = std::string(key, 'k'),
                .value = std::string(value, 'v'),
                .headers = {}};
  if (header > 0) made.headers.emplace_back("h", std::string(header - 1, 'h'));
  return made;
}

std::size_t bytes_of(const DeadLetter& letter) {
  const Received as_received{.topic = letter.topic, .key = letter.key, .value = letter.value, .headers = letter.headers};
  return as_received.bytes();
}

TEST(DeadLetters, HaveTheWholeMessageIfItFitsWithReasonAndOrigin) {
  const DeadLetter letter = dead_letter_of(message(30, 100, 20), "It is nonsense.", 100);
  EXPECT_EQ(letter.topic, "seats.dead-letter");
  EXPECT_EQ(letter.key, std::string(30, 'k'));
  EXPECT_EQ(letter.value, std::string(100, 'v'));
  EXPECT_THAT(letter.headers, Contains(Pair("h", std::string(19, 'h'))));
  EXPECT_THAT(letter.headers, Contains(Pair("dead_letter_reason", "It is nonsense.")));
  EXPECT_THAT(letter.headers, Contains(Pair("original_topic", "seats")));
  EXPECT_THAT(letter.headers, Contains(Pair("original_partition", "2")));
  EXPECT_THAT(letter.headers, Contains(Pair("original_offset", "7")));
  EXPECT_THAT(letter.headers, Contains(Pair("original_timestamp", "1000")));
  EXPECT_THAT(letter.headers, Not(Contains(Key("original_bytes"))));
  EXPECT_THAT(letter.headers, Not(Contains(Key("original_key_bytes"))));
}

TEST(DeadLetters, HaveTheBeginningOfALongerValue) {
  const DeadLetter letter = dead_letter_of(message(30, 101, 20), "", 100);
  EXPECT_EQ(letter.value, std::string(100, 'v'));
  EXPECT_EQ(letter.key, std::string(30, 'k'));
  EXPECT_THAT(letter.headers, Contains(Pair("original_bytes", "101")));
}

TEST(DeadLetters, LeaveOutKeyAndHeadersLongerThanHalfTheLimit) {
  const DeadLetter letter = dead_letter_of(message(31, 100, 20), "", 100);
  EXPECT_FALSE(letter.key);
  EXPECT_EQ(letter.value, std::string(100, 'v'));
  EXPECT_THAT(letter.headers, Not(Contains(Key("h"))));
  EXPECT_THAT(letter.headers, Contains(Pair("original_key_bytes", "31")));
  EXPECT_THAT(letter.headers, Contains(Pair("original_headers_bytes", "20")));
}

TEST(DeadLetters, AreWithinTheLimitForAnyMessage) {
  for (const Received& each : {message(1'000'000, 10, 0), message(10, 10, 1'000'000), message(500'000, 1'000'000, 500'000)}) {
    EXPECT_LT(bytes_of(dead_letter_of(each, "It is nonsense.", k_dead_letter_bytes_least)), 2 * k_dead_letter_bytes_least);
  }
}

TEST(DeadLetters, OfMessagesWithoutKeyAndValueHaveNone) {
  const DeadLetter letter = dead_letter_of({.topic = "seats", .key = {}, .value = {}, .headers = {}}, "", 100);
  EXPECT_FALSE(letter.key);
  EXPECT_FALSE(letter.value);
}

// So many messages with a value of `bytes`.
std::deque<Dead> dead(std::size_t count, std::size_t bytes) { return std::deque<Dead>(count, Dead{message(0, bytes, 0), "why"}); }

TEST(DeadLetters, AreSentAThousandOrEightMebibytesAtATimeAndLargerOnesAlone) {
  constexpr std::size_t k_mebibyte = 1'024 * 1'024;
  EXPECT_EQ(count_at_once(dead(1'000, 1)), 1'000u);
  EXPECT_EQ(count_at_once(dead(1'001, 1)), 1'000u);
  EXPECT_EQ(count_at_once(dead(9, k_mebibyte)), 8u);
  EXPECT_EQ(count_at_once(dead(9, k_mebibyte + 1)), 7u);
  EXPECT_EQ(count_at_once(dead(2, 9 * k_mebibyte)), 1u);
  EXPECT_EQ(count_at_once({}), 0u);
}

TEST(ReceivedMessages, CountTheBytesOfTheirHeaders) {
  EXPECT_EQ(message(3, 5, 7).bytes(), 15u);
  EXPECT_EQ((Received{.topic = "seats", .key = {}, .value = {}, .headers = {}}).bytes(), 0u);
}

}  // namespace
}  // namespace holdfast::feed::kafka
