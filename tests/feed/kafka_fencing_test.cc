// Two relays on one store, in processes of their own: the one that publishes is paused in the middle of its work, the other takes over, and
// the first comes back with a full queue. Whoever reads committed messages sees each once, in order by seat.
#include <gtest/gtest.h>
#include <signal.h>

#include <random>

#include "feed/scripted_feed.h"
#include "ledger/embedded/embedded_feed_store.h"
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

class TwoRelays : public testing::Test {
 protected:
  void SetUp() override {
    if (test::shared_service("KAFKA").empty()) {
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
  static bool is_stopped(const Process& process) {
    return test::read_file("/proc/" + std::to_string(process.id()) + "/stat").find(") T ") != std::string::npos;
  }
  void pause(const Process& process) {
    process.signal(SIGSTOP);
    ASSERT_TRUE(eventually([&] { return is_stopped(process); }));
  }
  std::size_t count_of(Isolation isolation, std::size_t least) {
    KafkaReader reader(kafka, {prefix + "reservation-created", prefix + "reservation-released"}, isolation);
    EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= least; }, 3 * k_patience));
    reader.read_for(milliseconds(500));
    return reader.messages().size();
  }
  void expect_each_once_in_order(std::size_t messages) {
    KafkaReader reader(kafka, {prefix + "reservation-created", prefix + "reservation-released"});
    ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() >= messages; }, 3 * k_patience))
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

  const std::string kafka = test::shared_service("KAFKA");
  const std::string prefix = "t" + std::to_string(test::Clock::now().time_since_epoch().count()) + "-";
  test::TempFolder folder;
  const std::string file = (folder / "feed.db").string();
  EmbeddedFeedStore store{file};
};

TEST_F(TwoRelays, OfWhichTheOlderWasPausedBetweenKafkasCommitAndItsOwnSavingRepeatNothing) {
  constexpr EventNumber k_events = 3;
  constexpr Seq k_changes = 3'000;
  Process a = start("a", k_events, k_changes, 3);
  ASSERT_TRUE(eventually([&] { return is_stopped(a); }, 3 * k_patience)) << log_of("a");
  const Seq known = published();
  Process b = start("b", k_events, k_changes);
  ASSERT_TRUE(eventually([&] { return published() == k_events * k_changes; }, 3 * k_patience)) << log_of("b");
  EXPECT_LT(known, k_events * k_changes);
  EXPECT_NE(log_of("b").find("as Kafka knows"), std::string::npos) << log_of("b");
  a.signal(SIGCONT);
  ASSERT_TRUE(eventually([&] { return log_of("a").find("standby") != std::string::npos; }, 3 * k_patience)) << log_of("a");
  for (Process* each : {&a, &b}) {
    each->signal(SIGTERM);
    EXPECT_EQ(each->wait(), (test::Ending{.status = 0, .signal = 0}));
  }
  expect_each_once_in_order(k_events * k_changes);
}

// Again and again at a moment of its own, until a transaction was open in one of them: those that read uncommitted messages see what it had
// sent, and what it had queued is refused when it comes back.
TEST_F(TwoRelays, OfWhichTheOlderIsPausedWithAnOpenTransactionAndResumedPublishEachMessageOnce) {
  constexpr EventNumber k_events = 4;
  constexpr Seq k_changes = 25'000;
  std::mt19937 random(std::random_device{}());
  Process a = start("a", k_events, k_changes);
  ASSERT_TRUE(eventually([&] { return published() > 0; }, 3 * k_patience)) << log_of("a");
  Process b = start("b", k_events, k_changes);
  Process* publishes = &a;
  Process* waits = &b;
  int pauses = 0;
  for (; pauses < 10 && published() < k_events * k_changes; ++pauses) {
    // Where in its work it is paused is left to chance.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    pause(*publishes);
    const Seq reached = published();
    if (reached == k_events * k_changes) {
      publishes->signal(SIGCONT);
      break;
    }
    ASSERT_TRUE(eventually([&] { return published() > reached; }, 3 * k_patience)) << log_of("a") << log_of("b");
    publishes->signal(SIGCONT);
    std::swap(publishes, waits);
  }
  EXPECT_GE(pauses, 3) << "it was too fast to be paused";
  ASSERT_TRUE(eventually([&] { return published() == k_events * k_changes; }, 6 * k_patience)) << log_of("a") << log_of("b");
  for (Process* each : {&a, &b}) {
    each->signal(SIGTERM);
    EXPECT_EQ(each->wait(), (test::Ending{.status = 0, .signal = 0}));
  }
  expect_each_once_in_order(k_events * k_changes);
  EXPECT_GT(count_of(Isolation::read_uncommitted, k_events * k_changes), k_events * k_changes)
      << "no transaction was open at any of " << pauses << " pauses";
}

TEST_F(TwoRelays, OneOfThemKilledAgainAndAgainPublishEachMessageOnce) {
  constexpr EventNumber k_events = 4;
  constexpr Seq k_changes = 20'000;
  std::mt19937 random(std::random_device{}());
  int kills = 0;
  for (; kills < 8 && published() < k_events * k_changes / 2; ++kills) {
    const Seq before = published();
    Process relay = start("a", k_events, k_changes);
    ASSERT_TRUE(eventually([&] { return published() > before; }, 3 * k_patience)) << log_of("a");
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));   // where it dies is left to chance
    relay.signal(SIGKILL);
    relay.wait();
  }
  EXPECT_GE(kills, 2);
  Process last = start("b", k_events, k_changes);
  ASSERT_TRUE(eventually([&] { return published() == k_events * k_changes; }, 6 * k_patience)) << log_of("b");
  last.signal(SIGTERM);
  EXPECT_EQ(last.wait(), (test::Ending{.status = 0, .signal = 0}));
  expect_each_once_in_order(k_events * k_changes);
}

}   // namespace
}   // namespace holdfast::feed::kafka
