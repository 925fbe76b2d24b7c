// The import of seats, with a failing desk, with little room, and with two nodes: nothing is lost, and nothing stops all others.
#include "feed/kafka/seat_imports.h"

#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>

#include "support/kafka.h"
#include "support/services.h"
#include "support/waiting.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using test::eventually;
using test::k_patience;
using testing::HasSubstr;

Uuid id_of(int number) {
  Uuid id{};
  id.data[0] = 0xE0;
  id.data[15] = static_cast<std::uint8_t>(number);
  return id;
}
int number_of(const Uuid& id) { return id.data[15]; }

constexpr int k_never_readable = 100;   // events from here on

// A message is `EVENT TOTAL SEAT SEAT …`, all of them numbers.
class ScriptedDesk final : public SeatsDesk {
 public:
  std::expected<SeatsPart, std::string> read(std::string_view text) override {
    std::istringstream in{std::string(text)};
    int event = 0;
    SeatsPart part;
    if (!(in >> event >> part.total)) return std::unexpected("It is nonsense.");
    part.event = id_of(event);
    for (int seat = 0; in >> seat;) part.seats.push_back({.id = id_of(seat), .section = "A", .row = "1", .number = seat});
    return part;
  }
  Standing standing(const Uuid& event, std::span<const GeneratedSeat>) override {
    const std::scoped_lock lock(mutex_);
    ++asked;
    if (closed || unreadable == number_of(event) || number_of(event) >= k_never_readable)
      return {Standing::Kind::unavailable, "It cannot be read at the moment."};
    return {imported_.contains(number_of(event)) ? Standing::Kind::has_all : Standing::Kind::absent, {}};
  }
  Standing import(const Uuid& event, std::vector<GeneratedSeat>) override {
    const std::scoped_lock lock(mutex_);
    ++asked;
    if (closed || unmakeable == number_of(event)) return {Standing::Kind::unavailable, "It cannot be made at the moment."};
    imported_.insert(number_of(event));
    return {Standing::Kind::has_all, {}};
  }
  std::string trouble() override { return closed ? "it is closed" : ""; }

  std::set<int> imported() {
    const std::scoped_lock lock(mutex_);
    return imported_;
  }
  std::atomic<bool> closed{false};
  std::atomic<int> unreadable{0};
  std::atomic<int> unmakeable{0};
  std::atomic<int> asked{0};

 private:
  std::mutex mutex_;
  std::set<int> imported_;
};

class SeatImportsOnKafka : public testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::info);   // the first use creates the logger: before there are threads, as in the program
    board.set_leads(true);
  }
  SeatsOptions options() const {
    return {.kafka = {.brokers = kafka, .more = {}}, .topic_prefix = prefix, .group = prefix + "seats", .back_off_max = milliseconds(200)};
  }
  void write(const std::string& text, const std::string& key = "key") { writer.write(prefix + "seats-generated", key, text); }
  bool comes(int event) {
    return eventually([&] { return desk.imported().contains(event); }, 4 * k_patience);
  }
  std::vector<test::KafkaMessage> dead(std::size_t least) {
    test::KafkaReader reader(kafka, {prefix + "seats-generated.dead-letter"});
    EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= least; }, 4 * k_patience)) << reader.messages().size();
    reader.read_for(milliseconds(200));
    return reader.messages();
  }

  const std::string kafka = test::shared_kafka();
  const std::string prefix = "t" + std::to_string(test::Clock::now().time_since_epoch().count()) + "-";
  test::KafkaWriter writer{kafka};
  ScriptedDesk desk;
  FeedBoard board;
};

TEST_F(SeatImportsOnKafka, WaitForTheLedgerBeforeAnEventsPatienceBegins) {
  SeatsOptions patient = options();
  patient.event_patience = milliseconds(3'000);
  SeatImports imports(patient, desk, board);
  desk.closed = true;
  imports.start();
  write("1 1 1");
  // With pauses of 200 ms: longer than it would wait for a single event.
  ASSERT_TRUE(eventually([&] { return desk.asked >= 20; }, 4 * k_patience));
  EXPECT_EQ(board.status().seats, ConsumerState::away);
  desk.unreadable = 1;
  desk.closed = false;
  const int before = desk.asked;
  ASSERT_TRUE(eventually([&] { return desk.asked > before; }, 4 * k_patience)) << "the ledger is back, and the event not at once";
  desk.unreadable = 0;
  EXPECT_TRUE(comes(1));
  EXPECT_EQ(board.counters.seats_dead, 0u);
}

TEST_F(SeatImportsOnKafka, WaitOncePerUnreadableEventAndNotForEachPart) {
  SeatsOptions impatient = options();
  impatient.event_patience = milliseconds(1'000);
  desk.unreadable = 1;
  constexpr std::size_t k_parts = 30;
  for (std::size_t i = 0; i < k_parts; ++i) write("1 100 " + std::to_string(i));
  write("2 1 1");
  SeatImports imports(impatient, desk, board);
  imports.start();
  ASSERT_TRUE(comes(2));
  EXPECT_EQ(board.counters.seats_dead, k_parts);
  EXPECT_LT(board.counters.seats_retried, k_parts) << "some 6 for the first part, and none for the others";
  const auto letters = dead(k_parts);
  ASSERT_EQ(letters.size(), k_parts);
  EXPECT_EQ(letters[0].headers.at("dead_letter_reason"), "It cannot be read at the moment.");
  desk.unreadable = 0;
  write("1 2 1 2");
  EXPECT_TRUE(comes(1)) << "it may come anew";
}

TEST_F(SeatImportsOnKafka, WaitOnceForAnEventThatCannotBeCreated) {
  SeatsOptions impatient = options();
  impatient.event_patience = milliseconds(1'000);
  desk.unmakeable = 1;
  for (int i = 0; i < 20; ++i) write("1 1 1");
  write("2 1 1");
  SeatImports imports(impatient, desk, board);
  imports.start();
  ASSERT_TRUE(comes(2));
  EXPECT_EQ(board.counters.seats_dead, 20u);
  EXPECT_LT(board.counters.seats_retried, 20u);
}

TEST_F(SeatImportsOnKafka, RememberALimitedNumberOfFailingEvents) {
  SeatsOptions forgetful = options();
  forgetful.event_patience = milliseconds(300);
  forgetful.failing_max = 2;
  SeatImports imports(forgetful, desk, board);
  imports.start();
  const auto is_waited_for = [&](int event) {
    const std::uint64_t dead = board.counters.seats_dead;
    const std::uint64_t retried = board.counters.seats_retried;
    write(std::to_string(event) + " 9 1");
    EXPECT_TRUE(eventually([&] { return board.counters.seats_dead == dead + 1; }, 4 * k_patience)) << event;
    return board.counters.seats_retried > retried;
  };
  const int first = k_never_readable, second = first + 1, third = first + 2;
  EXPECT_TRUE(is_waited_for(first));
  EXPECT_TRUE(is_waited_for(second));
  EXPECT_FALSE(is_waited_for(first)) << "both are known";
  EXPECT_FALSE(is_waited_for(second));
  EXPECT_TRUE(is_waited_for(third));
  EXPECT_TRUE(is_waited_for(first)) << "the list has begun anew";
  EXPECT_FALSE(is_waited_for(third)) << "with the one more";
}

TEST_F(SeatImportsOnKafka, MakeADeadLetterOfAMessageWithAVeryLongKey) {
  constexpr std::size_t k_key_bytes = 1'048'400;   // with the headers of a dead letter, more than a topic accepts by default
  SeatImports imports(options(), desk, board);
  imports.start();
  write("nonsense", std::string(k_key_bytes, 'k'));
  write("1 1 1");
  ASSERT_TRUE(comes(1)) << "the import goes on behind it";
  const auto letters = dead(1);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].value, "nonsense");
  EXPECT_EQ(letters[0].key, "");
  EXPECT_EQ(letters[0].headers.at("original_key_bytes"), std::to_string(k_key_bytes));
  EXPECT_EQ(letters[0].headers.at("dead_letter_reason"), "It is nonsense.");
}

TEST_F(SeatImportsOnKafka, TakeAMessageOfEightMebibytesAndNoneThatIsLarger) {
  constexpr std::size_t k_most = 8 * 1'024 * 1'024;
  if (test::has_real_kafka()) writer.create_topic(prefix + "seats-generated", {{"max.message.bytes", "20000000"}});
  std::string largest = "1 2 1 2";
  largest.resize(k_most, ' ');
  std::string too_large = "2 1 1";
  too_large.resize(k_most + 1, ' ');
  SeatImports imports(options(), desk, board);
  imports.start();
  write(too_large);
  write(largest);
  ASSERT_TRUE(comes(1)) << "at the limit";
  const auto letters = dead(1);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].headers.at("dead_letter_reason"), "The message has more than 8388608 bytes.");
}

TEST_F(SeatImportsOnKafka, RefuseOneWaitingEventTooManyAndImportCompleteOnes) {
  SeatsOptions small = options();
  small.limits.events_max = 1;
  SeatImports imports(small, desk, board);
  imports.start();
  write("1 2 1");
  write("2 2 1");
  write("3 2 1 2");
  ASSERT_TRUE(comes(3));
  const auto letters = dead(1);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].value, "2 2 1");
  EXPECT_THAT(letters[0].headers.at("dead_letter_reason"), HasSubstr("1 events wait for seats already"));
  write("1 2 2");
  EXPECT_TRUE(comes(1));
}

TEST_F(SeatImportsOnKafka, GiveUpAnIncompleteEventInTimeDespiteRestarts) {
  SeatsOptions hasty = options();
  hasty.limits.age_max = milliseconds(6'000);
  hasty.limits.stay_least = milliseconds(100);
  const auto begins = [&] { return std::make_unique<SeatImports>(hasty, desk, board); };
  auto imports = begins();
  imports->start();
  write("1 3 1");
  const auto written = test::Clock::now();
  ASSERT_TRUE(eventually([&] { return board.status().events_gathered == 1; }, 4 * k_patience));
  while (test::Clock::now() < written + milliseconds(6'000)) {
    imports = begins();
    imports->start();
    ASSERT_TRUE(eventually([&] { return board.status().events_gathered == 1 || board.counters.seats_dead == 1; }, 4 * k_patience));
  }
  // If its age counted from this node's start, it would restart each time.
  ASSERT_TRUE(eventually([&] { return board.counters.seats_dead == 1; }, 4 * k_patience));
  const auto letters = dead(1);
  EXPECT_EQ(letters.at(0).headers.at("dead_letter_reason"), "After 6 s only 1 of 3 seats of the event have come.");
  write("1 3 1 2 3");
  EXPECT_TRUE(comes(1));
}

TEST_F(SeatImportsOnKafka, AreDoneByTheLeaderAndTheNextOneContinuesWithWaitingParts) {
  FeedBoard other_board;
  SeatImports first(options(), desk, board);
  SeatImports second(options(), desk, other_board);
  first.start();
  second.start();
  write("1 2 1");
  write("2 1 1");
  ASSERT_TRUE(comes(2));
  EXPECT_EQ(board.status().events_gathered, 1u);
  EXPECT_EQ(other_board.status().seats, ConsumerState::standby);
  board.set_leads(false);
  ASSERT_TRUE(eventually([&] { return board.status().seats == ConsumerState::standby; }, 4 * k_patience));
  EXPECT_EQ(board.status().events_gathered, 0u);
  write("1 2 2");
  write("3 1 1");
  other_board.set_leads(true);
  ASSERT_TRUE(comes(1)) << "its first part was read by the other";
  ASSERT_TRUE(comes(3));
  EXPECT_EQ(other_board.counters.seats_skipped, 1u) << "what was imported behind the part that waited";
  EXPECT_EQ(board.counters.seats_imported, 1u);
}

// Waiting for further parts is normal for this node: only unhandled messages count.
TEST_F(SeatImportsOnKafka, DistinguishPartsThatWaitFromUnhandledMessages) {
  SeatImports imports(options(), desk, board);
  imports.start();
  write("1 2 1");
  ASSERT_TRUE(eventually([&] { return board.status().events_gathered == 1; }, 4 * k_patience));
  EXPECT_TRUE(eventually([&] { return board.status().seats_unhandled_seconds == 0; }, 4 * k_patience));
  EXPECT_GT(board.status().seats_pending_seconds, 0);
  desk.closed = true;
  write("2 1 1");
  EXPECT_TRUE(eventually([&] { return board.status().seats_unhandled_seconds > 0; }, 4 * k_patience));
}

}   // namespace
}   // namespace holdfast::feed::kafka
