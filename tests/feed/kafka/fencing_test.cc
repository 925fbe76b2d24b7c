// Two relays on one store, in processes of their own. The publishing one is paused in the middle of its work, the other takes
// over, and the first comes back with a full queue. A reader of committed messages sees each once, in order by seat.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <random>

#include "feed/kafka/feed_file.h"
#include "feed/kafka/scripted_feed.h"
#include "feed/kafka/store.h"
#include "sql/sqlite.h"
#include "support/kafka.h"
#include "support/process.h"
#include "support/services.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using test::eventually;
using test::Isolation;
using test::k_patience;
using test::KafkaReader;
using test::Process;

// A broker, two relays and a reader share the processors, and a takeover takes several calls to the broker and the end of a
// lease.
constexpr milliseconds k_long = 9 * k_patience;

class TwoRelays : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_real_kafka()) {
      GTEST_SKIP()
          << "the mock cluster of librdkafka fences nobody: this needs Apache Kafka (./dev test starts it where its jars can be had)";
    }
  }

  Process start(const char* name, EventNumber events, Seq changes, int stop_before_save = 0) {
    const std::filesystem::path log = folder / (std::string(name) + ".log");
    test::ProcessSettings settings{.arguments = {RELAY_PROGRAM, kafka, prefix, file, std::to_string(events), std::to_string(changes)},
                                   .environment = {},
                                   .stdout_file = log,
                                   .stderr_file = log,
                                   .folder = {}};
    if (stop_before_save > 0) settings.arguments.push_back(std::to_string(stop_before_save));
    return Process(settings);
  }
  std::string log_of(const char* name) { return test::read_file(folder / (std::string(name) + ".log")); }

  // Changes that the store knows to be published.
  Seq published() {
    Seq sum = 0;
    for (const FeedPosition& each : store.positions()) sum += each.seq;
    return sum;
  }
  // Waits for all of its threads to stop: one that is still running could take a lock.
  static bool is_stopped(const Process& process) {
    const std::filesystem::path tasks = "/proc/" + std::to_string(process.id()) + "/task";
    return std::ranges::all_of(std::filesystem::directory_iterator(tasks),
                               [](const auto& task) { return test::read_file(task.path() / "stat").find(") T ") != std::string::npos; });
  }
  // Stops it with a transaction open whose messages are at the broker, somewhere in its work: before it has told Kafka its position, while
  // it does, or before it commits. Not in the middle of saving: the lock of a SQLite file outlasts any pause, which that of a database
  // server does not. False: everything is published.
  bool pause_in_a_transaction(const Process& process, Seq changes) {
    sqlite::Database probe(file, sqlite::Database::Mode::read_write);
    sqlite3_busy_timeout(probe.handle(), 0);
    const auto is_free = [&] {
      try {
        sqlite::Transaction writes(probe);
        return true;
      } catch (const sqlite::Error&) {
        return false;
      }
    };
    while (published() < changes) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));   // where in its work is left to chance
      process.signal(SIGSTOP);
      EXPECT_TRUE(eventually([&] { return is_stopped(process); }));
      if (test::has_open_transaction(kafka, topics) && is_free()) return true;
      process.signal(SIGCONT);
    }
    return false;
  }
  std::size_t count_of(Isolation isolation, std::size_t least) {
    KafkaReader reader(kafka, topics, isolation);
    EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= least; }, k_long));
    reader.read_for(milliseconds(500));
    return reader.messages().size();
  }
  void expect_each_once_in_order(std::size_t messages) {
    KafkaReader reader(kafka, topics);
    ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() >= messages; }, k_long))
        << reader.messages().size() << " of " << messages << "\n"
        << log_of("a") << "\n"
        << log_of("b");
    reader.read_for(milliseconds(500));
    const OnKafka found(reader.messages());
    EXPECT_EQ(found.different(), messages);
    EXPECT_EQ(found.repeated(), 0u) << log_of("a") << "\n" << log_of("b");
    EXPECT_TRUE(found.out_of_order.empty());
    EXPECT_EQ(found.ids_with_two_bodies(), 0u);
  }

  const std::string kafka = test::shared_kafka();
  const std::string prefix = "t" + std::to_string(test::Clock::now().time_since_epoch().count()) + "-";
  const std::vector<std::string> topics = {prefix + "reservation-created", prefix + "reservation-released"};
  std::mt19937 random{std::random_device{}()};
  test::TempFolder folder;
  const std::string file = (folder / "feed.db").string();
  FeedStore store{open_feed_file(file)};
};

TEST_F(TwoRelays, RepeatNothingIfOneIsPausedBetweenCommitAndSaving) {
  constexpr EventNumber k_events = 3;
  constexpr Seq k_changes = 3'000;
  Process a = start("a", k_events, k_changes, 3);
  ASSERT_TRUE(eventually([&] { return is_stopped(a); }, k_long)) << log_of("a");
  const Seq known = published();
  Process b = start("b", k_events, k_changes);
  ASSERT_TRUE(eventually([&] { return published() == k_events * k_changes; }, k_long)) << log_of("b");
  EXPECT_LT(known, k_events * k_changes);
  EXPECT_NE(log_of("b").find("according to Kafka"), std::string::npos) << log_of("b");
  a.signal(SIGCONT);
  ASSERT_TRUE(eventually([&] { return log_of("a").find("standby") != std::string::npos; }, k_long)) << log_of("a");
  for (Process* each : {&a, &b}) {
    each->signal(SIGTERM);
    EXPECT_EQ(each->wait(k_long), (test::Ending{.status = 0, .signal = 0}));
  }
  expect_each_once_in_order(k_events * k_changes);
}

// Repeated, at a different moment of each transaction. Readers of uncommitted messages see what the paused relay had sent, and
// what it had queued is refused when it comes back.
TEST_F(TwoRelays, PublishEachMessageOnceIfOneIsPausedInATransaction) {
  constexpr EventNumber k_events = 4;
  constexpr Seq k_changes = 25'000;
  constexpr int k_pauses = 4;
  Process a = start("a", k_events, k_changes);
  ASSERT_TRUE(eventually([&] { return published() > 0; }, k_long)) << log_of("a");
  Process b = start("b", k_events, k_changes);
  Process* publishes = &a;
  Process* waits = &b;
  for (int pause = 0; pause < k_pauses; ++pause) {
    ASSERT_TRUE(pause_in_a_transaction(*publishes, k_events * k_changes)) << "it was too fast to be paused " << k_pauses << " times";
    const Seq reached = published();
    EXPECT_TRUE(eventually([&] { return published() > reached || !waits->runs(); }, k_long));
    ASSERT_GT(published(), reached) << log_of("a") << log_of("b");
    publishes->signal(SIGCONT);
    std::swap(publishes, waits);
  }
  EXPECT_TRUE(eventually([&] { return published() == k_events * k_changes || !a.runs() || !b.runs(); }, k_long));
  ASSERT_EQ(published(), k_events * k_changes) << log_of("a") << log_of("b");
  for (Process* each : {&a, &b}) {
    each->signal(SIGTERM);
    EXPECT_EQ(each->wait(k_long), (test::Ending{.status = 0, .signal = 0}));
  }
  expect_each_once_in_order(k_events * k_changes);
  EXPECT_GT(count_of(Isolation::read_uncommitted, k_events * k_changes), k_events * k_changes)
      << "what was sent in the transactions that were open is nowhere";
}

TEST_F(TwoRelays, PublishEachMessageOnceWhileOneIsKilledRepeatedly) {
  constexpr EventNumber k_events = 4;
  constexpr Seq k_changes = 20'000;
  int kills = 0;
  for (; kills < 5 && published() < k_events * k_changes / 2; ++kills) {
    const Seq before = published();
    Process relay = start("a", k_events, k_changes);
    ASSERT_TRUE(eventually([&] { return published() > before; }, k_long)) << log_of("a");
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));   // where it dies is left to chance
    relay.signal(SIGKILL);
    relay.wait();
  }
  EXPECT_GE(kills, 2);
  Process last = start("b", k_events, k_changes);
  ASSERT_TRUE(eventually([&] { return published() == k_events * k_changes; }, k_long)) << log_of("b");
  last.signal(SIGTERM);
  EXPECT_EQ(last.wait(k_long), (test::Ending{.status = 0, .signal = 0}));
  expect_each_once_in_order(k_events * k_changes);
}

}   // namespace
}   // namespace holdfast::feed::kafka
