// Texts that many answers share: made once at a time, kept within limits, refused beyond them.
#include "api/shared_texts.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <latch>

namespace holdfast::api {
namespace {

using Kind = SharedTexts::Kind;

class SharedTextsTest : public ::testing::Test {
 protected:
  ~SharedTextsTest() override {
    background.stop();
    texts.stop();
  }

  // Calls `times` callers at the same moment, and runs until all have their answer.
  std::vector<SharedTexts::Text> get(SharedTexts::Key key, std::size_t bytes, std::size_t times = 1) {
    std::vector<SharedTexts::Text> got(times);
    context.restart();
    std::latch asked(static_cast<std::ptrdiff_t>(times));
    const auto make = [&, bytes] {
      asked.wait();   // all are waiting: later callers wait for this one
      ++made;
      return std::string(bytes, 'x');
    };
    for (std::size_t i = 0; i < times; ++i) {
      const auto ask = [&, i]() -> boost::asio::awaitable<void> {
        asked.count_down();
        got[i] = co_await texts.get(key, source, make, background);
      };
      boost::asio::co_spawn(context, ask, boost::asio::detached);
    }
    context.run();
    return got;
  }

  boost::asio::io_context context;   // a background thread may still post its end to this when run() has returned
  BackgroundPool background;
  SharedTexts texts{{.kept_bytes_max = 1'000, .bytes_max = 3'000}};
  std::shared_ptr<const void> source = std::make_shared<int>(1);
  std::atomic<int> made{0};
};

TEST_F(SharedTextsTest, IsMadeOnceForConcurrentAndLaterCallers) {
  const auto first = get({1, Kind::plan}, 100, 50);
  EXPECT_EQ(made, 1);
  for (const auto& text : first) EXPECT_EQ(text, first[0]) << "one text, not a copy";
  EXPECT_EQ(get({1, Kind::plan}, 100)[0], first[0]);
  EXPECT_EQ(made, 1);
  EXPECT_EQ(get({1, Kind::plan_gzip}, 20)[0]->size(), 20U) << "another coding is another text";
  EXPECT_EQ(texts.bytes(), 120U);
}

TEST_F(SharedTextsTest, OfAnotherSourceIsMadeAgain) {
  const auto old = get({1, Kind::plan}, 100)[0];
  source = std::make_shared<int>(2);
  EXPECT_NE(get({1, Kind::plan}, 100)[0], old);
  EXPECT_EQ(made, 2);
}

TEST_F(SharedTextsTest, UnusedTextsAreForgottenOldestFirst) {
  for (EventNumber event = 1; event <= 4; ++event) get({event, Kind::plan}, 300);
  EXPECT_EQ(texts.bytes(), 900U);
  get({2, Kind::plan}, 300);
  EXPECT_EQ(made, 4) << "it is still there";
  get({1, Kind::plan}, 300);
  EXPECT_EQ(made, 5) << "the oldest was forgotten";
  get({7, Kind::plan}, 2'000);
  EXPECT_EQ(texts.bytes(), 900U) << "one that is too large is not kept";
}

TEST_F(SharedTextsTest, BeyondTheLimitNothingIsMadeUntilAReaderIsDone) {
  std::vector<SharedTexts::Text> readers;
  for (EventNumber event = 1; event <= 3; ++event) readers.push_back(get({event, Kind::plan}, 1'100)[0]);
  EXPECT_EQ(get({4, Kind::plan}, 10)[0], nullptr);
  const auto states = std::make_shared<int>(3);
  EXPECT_EQ(texts.get_now({5, Kind::states}, states, [] { return std::string("x"); }), nullptr);
  EXPECT_EQ(get({2, Kind::plan}, 1'100)[0], readers[1]) << "what is there already costs nothing";
  readers.pop_back();
  EXPECT_NE(get({4, Kind::plan}, 10)[0], nullptr);
}

TEST_F(SharedTextsTest, MadeAtOnceIsSharedAndKeptForLaterCallers) {
  const auto make = [&] {
    ++made;
    return std::string("aaaa");
  };
  EXPECT_EQ(*texts.get_now({1, Kind::states}, source, make), "aaaa");
  EXPECT_EQ(*texts.get_now({1, Kind::states}, source, make), "aaaa");
  EXPECT_EQ(made, 1);
  EXPECT_EQ(texts.bytes(), 4U);
}

TEST_F(SharedTextsTest, OfAnOlderSourceIsNotKeptAndGoneFromTheCountWithItsLastReader) {
  const auto make = [&] {
    ++made;
    return std::string(500, 'a');
  };
  auto older = texts.get_now({1, Kind::states}, source, make);
  EXPECT_EQ(texts.passing_bytes(), 0U) << "it is kept";
  source = std::make_shared<int>(2);
  texts.get_now({1, Kind::states}, source, make);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(texts.bytes(), 1'000U);
  EXPECT_EQ(texts.passing_bytes(), 500U) << "a reader still has the older one";
  older.reset();
  EXPECT_EQ(texts.bytes(), 500U);
  EXPECT_EQ(texts.passing_bytes(), 0U);
}

TEST_F(SharedTextsTest, TooLargeToBeKeptIsGoneFromTheCountWithItsLastReader) {
  auto text = texts.get_now({1, Kind::states}, source, [] { return std::string(1'001, 'a'); });
  EXPECT_EQ(texts.passing_bytes(), 1'001U);
  text.reset();
  EXPECT_EQ(texts.bytes(), 0U);
}

TEST(SharedTextsByDefault, Have512MebibytesInUse) {
  constexpr std::size_t k_most = std::size_t{512} * 1'024 * 1'024;
  constexpr std::size_t k_parts = 8;
  SharedTexts texts;
  const auto source = std::make_shared<int>(1);
  const auto make = [&](EventNumber event, std::size_t bytes) {
    return texts.get_now({event, Kind::states}, source, [bytes] {
      std::string text;
      text.resize_and_overwrite(bytes, [](char*, std::size_t size) { return size; });   // pages that nobody writes take no memory
      return text;
    });
  };
  std::vector<SharedTexts::Text> in_use;
  for (EventNumber event = 1; event < k_parts; ++event) in_use.push_back(make(event, k_most / k_parts));
  in_use.push_back(make(k_parts, k_most / k_parts - 1));
  EXPECT_EQ(texts.bytes(), k_most - 1);
  in_use.push_back(make(k_parts + 1, 1));
  for (const SharedTexts::Text& text : in_use) EXPECT_NE(text, nullptr);
  EXPECT_EQ(texts.bytes(), k_most);
  EXPECT_EQ(make(k_parts + 2, 1), nullptr);
}

}  // namespace
}  // namespace holdfast::api
