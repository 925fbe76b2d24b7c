// What is said of a database that is away: one line when it goes, one when it is back, and counts in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>


#include "ledger/ledger_in_test.h"
#include "ledger/postgres/failure_log.h"
#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/schema.h"
#include "support/services.h"

namespace holdfast::test {
namespace {

using pg::FailureLog;
using pg::Work;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// What is logged from level warning on, as long as this lives.
class Warnings {
 public:
  Warnings() {
    auto logger = std::make_shared<spdlog::logger>("warnings", std::make_shared<Sink>(*this));
    logger->set_level(spdlog::level::warn);
    spdlog::set_default_logger(std::move(logger));
  }
  ~Warnings() { spdlog::set_default_logger(before_); }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;

  std::vector<std::string> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  std::vector<std::string> with(std::string_view text) const {
    std::vector<std::string> found = lines();
    std::erase_if(found, [&](const std::string& line) { return line.find(text) == std::string::npos; });
    return found;
  }

 private:
  class Sink : public spdlog::sinks::base_sink<std::mutex> {
   public:
    explicit Sink(Warnings& warnings) : warnings_(warnings) {}

   protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
      const std::scoped_lock lock(warnings_.mutex_);
      warnings_.lines_.emplace_back(message.payload.data(), message.payload.size());
    }
    void flush_() override {}

   private:
    Warnings& warnings_;
  };

  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// ---------------------------------------------------------------------------------------------------------------- with a made-up clock

class FailuresInTheLog : public testing::Test {
 protected:
  Warnings warnings;
  FailureLog::Timer::time_point now{};
  FailureLog log;
};

TEST_F(FailuresInTheLog, AreSaidWhenTheyBeginAndCountedFromThenOn) {
  for (int i = 0; i < 1'000; ++i) log.failed(Work::batch, "it is away", now);
  EXPECT_THAT(warnings.lines(), ElementsAre("postgresql: a batch was not taken: it is away"));
}

TEST_F(FailuresInTheLog, AreSummedUpEveryTenSeconds) {
  for (int i = 0; i < 200; ++i) {
    log.failed(i % 2 == 0 ? Work::batch : Work::reading, "it is away", now);
    now += std::chrono::milliseconds(100);
  }
  // The first line speaks of one; the second comes with the 101st, ten seconds later.
  EXPECT_THAT(warnings.lines(),
              ElementsAre(HasSubstr("a batch was not taken"),
                          AllOf(HasSubstr("for 10 s by now"), HasSubstr("50 attempts at a batch, 50 readings for callers"))));
}

TEST_F(FailuresInTheLog, AreSaidToBeOverWhenNoneHasComeForAMomentWithAllThatFailed) {
  for (int i = 0; i < 30; ++i) log.failed(Work::batch, "it is away", now);
  log.failed(Work::settlement, "it is away", now += seconds(5));
  log.worked(now += seconds(1));
  EXPECT_EQ(warnings.lines().size(), 1u) << "another thread may still fail";
  log.worked(now += FailureLog::k_over_after);
  EXPECT_THAT(warnings.with("again"), ElementsAre(HasSubstr("30 attempts at a batch, 1 looks for a lost commit")));
  log.worked(now += seconds(1));
  EXPECT_EQ(warnings.lines().size(), 2u) << "once";
}

TEST_F(FailuresInTheLog, NowAndThenBetweenWorkThatIsDoneAreOneTrouble) {
  for (int i = 0; i < 90; ++i) {
    log.failed(Work::batch, "a session was ended", now);
    log.worked(now += std::chrono::milliseconds(100));
  }
  EXPECT_EQ(warnings.lines().size(), 1u);
}

TEST_F(FailuresInTheLog, ThatNobodyHasHeardOfAreSaidAtTheEnd) {
  {
    FailureLog ends;
    ends.failed(Work::batch, "it is away", now);
    EXPECT_EQ(warnings.lines().size(), 1u);
    ends.failed(Work::batch, "it is still away", now);
  }
  EXPECT_THAT(warnings.lines(),
              ElementsAre(HasSubstr("it is away"), AllOf(HasSubstr("1 attempts at a batch"), HasSubstr("it is still away"))));
}

// ---------------------------------------------------------------------------------------------------------------- a database that goes

TEST(PostgresAwayInTheLog, IsOneLineWhenItGoesAndOneWhenItIsBackHoweverManyBatchesFail) {
  constexpr int k_refused = 200;
  PostgresServer postgres;
  pg::migrate({.url = postgres.url()});
  PostgresLedger ledger({.url = postgres.url()});
  const Uuid id = uuid_of(1);
  const EventNumber event = Desk(ledger).create_event(id, plan_of(id, k_refused + 2));
  ASSERT_NE(event, 0u);
  ASSERT_TRUE(Desk(ledger).hold(event, reservation_id(event, 1), {0}).accepted());

  Warnings warnings;
  postgres.stop_immediately();
  for (int i = 1; i <= k_refused; ++i) {
    EXPECT_EQ(Desk(ledger).hold(event, reservation_id(event, static_cast<std::uint64_t>(i) + 1), {static_cast<SeatIndex>(i)}).reason,
              Reason::unavailable);
  }
  const auto of_batches = warnings.with("postgresql:");
  ASSERT_FALSE(of_batches.empty());
  EXPECT_LE(of_batches.size(), 1 + k_refused / 20) << "a line for the beginning, and one every ten seconds:\n"
                                                   << testing::PrintToString(of_batches);
  EXPECT_LE(warnings.lines().size(), of_batches.size() + 4) << "others say so once each:\n" << testing::PrintToString(warnings.lines());

  postgres.start();
  EXPECT_TRUE(eventually([&] { return Desk(ledger).hold(event, reservation_id(event, 1'000), {k_refused + 1}).accepted(); }));
  EXPECT_TRUE(eventually([&] { return !warnings.with("it does what it is asked again").empty(); }))
      << testing::PrintToString(warnings.lines());
  // Nobody was refused without being in the count.
  const std::string back = warnings.with("it does what it is asked again").at(0);
  const std::string_view before = " attempts at a batch";
  const std::size_t end = back.find(before);
  ASSERT_NE(end, std::string::npos) << back;
  const std::size_t begin = back.rfind(' ', end - 1) + 1;
  EXPECT_GE(std::stoi(back.substr(begin, end - begin)), k_refused) << back;
}

}   // namespace
}   // namespace holdfast::test
