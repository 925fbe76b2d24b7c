// The log about a database that is away: one line when it goes, one when it is back, and counts in between. And following without
// notifications: other nodes' changes are found even where LISTEN is not possible.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <list>
#include <system_error>
#include <thread>

#include "ledger/ledger_in_test.h"
#include "ledger/logged_lines.h"
#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/schema.h"
#include "sql/failure_log.h"
#include "support/services.h"

namespace holdfast::test {
namespace {

using pg::FailureLog;
using pg::Work;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ---------------------------------------------------------------------------------------------------------------- with a made-up clock

class FailuresInTheLog : public testing::Test {
 protected:
  LoggedLines warnings;
  FailureLog::Timer::time_point now{};
  FailureLog log;
};

TEST_F(FailuresInTheLog, AreLoggedOnceAndCountedFromThenOn) {
  for (int i = 0; i < 1'000; ++i) log.failed(Work::batch, "it is away", now);
  EXPECT_THAT(warnings.lines(), ElementsAre("postgresql: a batch failed: it is away"));
}

TEST_F(FailuresInTheLog, AreSummedUpEveryTenSeconds) {
  for (int i = 0; i < 200; ++i) {
    log.failed(i % 2 == 0 ? Work::batch : Work::reading, "it is away", now);
    now += std::chrono::milliseconds(100);
  }
  // The first line is about one failure; the second comes with the 101st, ten seconds later.
  EXPECT_THAT(warnings.lines(),
              ElementsAre(HasSubstr("a batch failed"),
                          AllOf(HasSubstr("has been failing for 10 s"), HasSubstr("50 attempts at a batch, 50 readings for callers"))));
}

TEST_F(FailuresInTheLog, EndWithALineThatHasTheTotals) {
  for (int i = 0; i < 30; ++i) log.failed(Work::batch, "it is away", now);
  log.failed(Work::settlement, "it is away", now += seconds(5));
  log.worked(now += seconds(1));
  EXPECT_EQ(warnings.lines().size(), 1u) << "another thread may still fail";
  log.worked(now += FailureLog::k_over_after);
  EXPECT_THAT(warnings.with("again"), ElementsAre(HasSubstr("30 attempts at a batch, 1 checks for a lost commit")));
  log.worked(now += seconds(1));
  EXPECT_EQ(warnings.lines().size(), 2u) << "once";
}

TEST_F(FailuresInTheLog, OccasionalOnesAreOnePeriodOfTrouble) {
  for (int i = 0; i < 90; ++i) {
    log.failed(Work::batch, "a session was ended", now);
    log.worked(now += std::chrono::milliseconds(100));
  }
  EXPECT_EQ(warnings.lines().size(), 1u);
}

TEST_F(FailuresInTheLog, UnreportedOnesAreLoggedAtTheEnd) {
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

TEST(PostgresAwayInTheLog, IsOneLineAtItsBeginningAndOneAtItsEnd) {
  constexpr int k_refused = 200;
  PostgresServer postgres;
  pg::migrate({.url = postgres.url()});
  PostgresLedger ledger({.url = postgres.url()});
  const Uuid id = uuid_of(1);
  const EventNumber event = Desk(ledger).create_event(id, plan_of(id, k_refused + 2));
  ASSERT_NE(event, 0u);
  ASSERT_TRUE(Desk(ledger).hold(event, reservation_id(event, 1), {0}).accepted());

  LoggedLines warnings;
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
  EXPECT_TRUE(eventually([&] { return !warnings.with("postgresql: works again").empty(); })) << testing::PrintToString(warnings.lines());
  // Every refusal is in the count.
  const std::string back = warnings.with("postgresql: works again").at(0);
  const std::string_view before = " attempts at a batch";
  const std::size_t end = back.find(before);
  ASSERT_NE(end, std::string::npos) << back;
  const std::size_t begin = back.rfind(' ', end - 1) + 1;
  EXPECT_GE(std::stoi(back.substr(begin, end - begin)), k_refused) << back;
}

// ---------------------------------------------------------------------------------------------------------------- nobody may LISTEN

// A proxy between a node and its database that does not support LISTEN, like a pooler that assigns sessions to transactions.
class DeafPooler {
 public:
  explicit DeafPooler(std::uint16_t server) : server_(server), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, size) != 0 || ::listen(listener_, 16) != 0 || ::getsockname(listener_, any, &size) != 0) {
      throw std::system_error(errno, std::system_category(), "a listening socket");
    }
    port_ = ntohs(address.sin_port);
    accepts_ = std::jthread([this] { accept(); });
  }
  ~DeafPooler() {
    ::shutdown(listener_, SHUT_RDWR);
    accepts_.join();
    for (const Link& link : links_) {
      ::shutdown(link.client, SHUT_RDWR);
      ::shutdown(link.server, SHUT_RDWR);
    }
    links_.clear();   // and joins
    ::close(listener_);
  }
  DeafPooler(const DeafPooler&) = delete;
  DeafPooler& operator=(const DeafPooler&) = delete;

  std::uint16_t port() const { return port_; }
  int refused() const { return refused_; }

 private:
  struct Link {
    int client;
    int server;
    std::jthread there{};
    std::jthread back{};
    ~Link() {
      if (there.joinable()) there.join();
      if (back.joinable()) back.join();
      ::close(client);
      ::close(server);
    }
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void accept() {
    for (int client = 0; (client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = loopback(server_);
      if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::shutdown(server, SHUT_RDWR);
      Link& link = links_.emplace_back(client, server);
      link.there = std::jthread([this, &link] { pass(link.client, link.server, true); });
      link.back = std::jthread([this, &link] { pass(link.server, link.client, false); });
    }
  }
  // Replaces the word by one that no server knows: it answers with an error, and the session goes on.
  void pass(int from, int to, bool spoils) {
    std::string bytes(65'536, '\0');
    for (ssize_t size = 0; (size = ::recv(from, bytes.data(), bytes.size(), 0)) > 0;) {
      const std::string_view word = "LISTEN holdfast";
      const std::size_t at = spoils ? std::string_view(bytes.data(), static_cast<std::size_t>(size)).find(word) : std::string_view::npos;
      if (at != std::string_view::npos) {
        bytes.replace(at, 6, "LISTEM");
        ++refused_;
      }
      for (ssize_t sent = 0; sent < size;) {
        const ssize_t more = ::send(to, bytes.data() + sent, static_cast<std::size_t>(size - sent), MSG_NOSIGNAL);
        if (more <= 0) break;
        sent += more;
      }
    }
    ::shutdown(from, SHUT_RDWR);
    ::shutdown(to, SHUT_RDWR);
  }

  const std::uint16_t server_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> refused_{0};
  std::list<Link> links_;   // used by the accepting thread until it has ended
  std::jthread accepts_;
};

TEST(PostgresWithoutListen, OtherNodesChangesAreFoundByComparingAndReportedAsLate) {
  const PostgresDatabase database;
  pg::migrate({.url = database.url()});
  const std::size_t colon = database.url().rfind(':');
  const std::size_t slash = database.url().find('/', colon);
  DeafPooler pooler(static_cast<std::uint16_t>(std::stoul(database.url().substr(colon + 1, slash - colon - 1))));
  const std::string deaf_url = database.url().substr(0, colon + 1) + std::to_string(pooler.port()) + database.url().substr(slash);

  const LoggedLines warnings;
  PostgresLedger writes({.url = database.url()});
  PostgresLedger deaf({.url = deaf_url});
  const Uuid id = uuid_of(1);
  const EventNumber event = Desk(writes).create_event(id, plan_of(id, 10));
  ASSERT_TRUE(deaf.bring({.event = event, .as_of_now = true}));
  for (SeatIndex seat = 0; seat < 3; ++seat) {
    ASSERT_TRUE(Desk(writes).hold(event, reservation_id(event, seat + 1), {seat}).accepted());
    EXPECT_TRUE(eventually([&] { return deaf.event(event)->seat(seat, deaf.now()).state == SeatState::held; })) << "seat " << seat;
  }
  EXPECT_TRUE(eventually([&] { return pooler.refused() >= 3; })) << "it is asked for again";
  EXPECT_THAT(warnings.with("up to a second late"), ElementsAre(HasSubstr("LISTEM"))) << "once";
  EXPECT_THAT(warnings.with("LISTEN works again"), IsEmpty());
}

}   // namespace
}   // namespace holdfast::test
