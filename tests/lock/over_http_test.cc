// The real program with a seat lock in a real Redis: what the contracts' clients see, also while Redis is away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "support/events.h"
#include "support/json.h"
#include "support/server.h"
#include "support/services.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string key_of(std::string seat) {
  std::erase(seat, '-');
  return "lock:seat:" + seat;
}

class SeatLockOverHttp : public testing::Test {
 protected:
  ServerSettings settings(std::vector<std::string> more = {}) const {
    ServerSettings settings{.flags = {"--lock", redis.url()}};
    settings.flags.insert(settings.flags.end(), more.begin(), more.end());
    return settings;
  }

  // Reservations of separate seats over several connections, until it is told to end.
  class Load {
   public:
    Load(const Server& server, const TestEvent& event, int threads) {
      for (int i = 0; i < threads; ++i) {
        threads_.emplace_back([this, &server, &event] { run(server, event); });
      }
    }
    ~Load() { end(); }
    void end() {
      ends_ = true;
      for (std::thread& thread : threads_) thread.join();
      threads_.clear();
    }
    // Waits until as many more have been answered.
    void wait_for_more(std::size_t answers) {
      const std::size_t wanted = answered_ + answers;
      ASSERT_TRUE(eventually([&] { return answered_ >= wanted; }));
    }
    std::size_t answered() const { return answered_; }
    std::vector<int> statuses() const { return statuses_; }   // after end(): those other than 201
    std::vector<Clock::duration> times() const { return times_; }

   private:
    void run(const Server& server, const TestEvent& event) {
      Client client = server.connect();
      while (!ends_) {
        const std::size_t next = next_++;
        if (next >= event.seats.size()) return;
        const auto started = Clock::now();
        const Answer answer = reserve(client, event[next], "customer-" + std::to_string(next));
        const auto took = Clock::now() - started;
        ++answered_;
        const std::scoped_lock lock(mutex_);
        times_.push_back(took);
        if (answer.status != 201) statuses_.push_back(answer.status);
      }
    }

    std::atomic<bool> ends_{false};
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> answered_{0};
    std::mutex mutex_;
    std::vector<int> statuses_;
    std::vector<Clock::duration> times_;
    std::vector<std::thread> threads_;
  };

  bool becomes(Server& server, std::string_view text) {
    Client client = server.connect();
    return eventually([&] { return client.get("/readyz").body.contains(text); });
  }

  // How often Redis has executed a command.
  std::size_t calls_of(const std::string& command) const {
    const std::string stats = redis.command({"INFO", "commandstats"});
    const std::string name = "cmdstat_" + command + ":calls=";
    const std::size_t at = stats.find(name);
    return at == std::string::npos ? 0 : std::stoul(stats.substr(at + name.size()));
  }

  RedisServer redis;
};

TEST_F(SeatLockOverHttp, ASeatThatAnotherProgramHasLockedIsRefusedInTheContractsWords) {
  Server server(settings());
  Client client = server.connect();
  const TestEvent event = make_event(client, 4);
  redis.command({"SET", key_of(event[1]), "another program's"});

  const Answer contract1 = reserve(client, upper_case(event[1]), "customer-123");
  EXPECT_EQ(contract1.status, 409);
  EXPECT_EQ(string_of(contract1.json().at("error")), "Could not acquire lock for seat " + event[1] + ". Seat may be reserved or locked.");
  EXPECT_EQ(string_of(contract1.json().at("code")), "lock_held");
  const Answer contract2 = lock_tickets(client, {event[0], event[1]});
  EXPECT_EQ(contract2.status, 400);
  EXPECT_THAT(contract2.body, HasSubstr(R"("nodisponible":[")" + event[1] + R"("])"));
  const Answer v1 = hold(client, "anna", {event[1], event[2]});
  EXPECT_EQ(v1.status, 409);
  EXPECT_EQ(string_of(v1.json().at("code")), "lock_held");
  EXPECT_THAT(v1.body, HasSubstr(R"("seatIds":[")" + event[1] + R"("])"));

  EXPECT_EQ(letters(client, event), "aaaa");
  EXPECT_EQ(redis.command({"GET", key_of(event[1])}), "another program's");
  redis.command({"DEL", key_of(event[1])});
  EXPECT_EQ(reserve(client, event[1], "customer-123").status, 201);
}

TEST_F(SeatLockOverHttp, LocksAreReleasedBeforeTheAnswerLeaves) {
  Server server(settings());
  Client client = server.connect();
  const TestEvent event = make_event(client, 50);
  for (const std::string& seat : event.seats) {
    ASSERT_EQ(reserve(client, seat, "anna").status, 201);
    ASSERT_EQ(redis.command({"EXISTS", key_of(seat)}), "0");
  }
  EXPECT_EQ(calls_of("set"), 50u);
  EXPECT_EQ(reserve(client, event[0], "ben").status, 409);
  EXPECT_EQ(calls_of("set"), 50u) << "what the ledger refuses is not locked";
}

TEST_F(SeatLockOverHttp, ATicketIdThatIsNotAUuidIsItsOwnKey) {
  Server server(settings());
  Client client = server.connect();
  const TestEvent event = make_event(client, std::vector<std::string>{"JAOTIiQrtU1fMWZZY2IZ-nGxHQ00YzCg9PphEwlYb", "T 1 %s {x}"});
  for (const std::string& ticket : event.seats) {
    redis.command({"SET", "lock:seat:" + ticket, "another program's"});
    EXPECT_EQ(lock_tickets(client, {ticket}).status, 400);
    redis.command({"DEL", "lock:seat:" + ticket});
    EXPECT_EQ(lock_tickets(client, {ticket}).status, 200);
  }
}

TEST_F(SeatLockOverHttp, AReplayedRequestTakesAndHeedsNoLock) {
  Server server(settings());
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  const Headers key = {{"Idempotency-Key", "order-7"}};
  const Answer first = reserve(client, event[0], "anna", key);
  ASSERT_EQ(first.status, 201);
  redis.command({"SET", key_of(event[0]), "another program's"});
  const auto sets = calls_of("set");
  const Answer again = reserve(client, event[0], "anna", key);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(calls_of("set"), sets);
}

TEST_F(SeatLockOverHttp, RequestsThatWaitTogetherShareOneRoundTripEachWay) {
  Server server(settings());
  Client client = server.connect();
  const TestEvent event = make_event(client, 2'000);
  Load load(server, event, 32);
  ASSERT_TRUE(eventually([&] { return load.answered() == event.seats.size(); }));
  load.end();
  EXPECT_THAT(load.statuses(), ElementsAre());
  const auto acquired = static_cast<std::size_t>(metric(client, "holdfast_lock_round_trip_seconds_count", {"call=\"acquire\""}));
  const auto released = static_cast<std::size_t>(metric(client, "holdfast_lock_round_trip_seconds_count", {"call=\"release\""}));
  EXPECT_LT(acquired, event.seats.size());
  EXPECT_EQ(released, acquired);
  EXPECT_EQ(calls_of("set"), event.seats.size());
  EXPECT_EQ(calls_of("evalsha"), released) << "one script a round";
  EXPECT_EQ(metric(client, "holdfast_lock_acquisitions_total", {"result=\"granted\""}), static_cast<double>(event.seats.size()));
}

TEST_F(SeatLockOverHttp, ReservationsGoOnWithoutRedisAndUseItAgainOnceItIsBack) {
  Server server(settings());
  Client client = server.connect();
  const TestEvent event = make_event(client, 200'000);
  Load load(server, event, 8);
  load.wait_for_more(200);
  redis.kill();
  EXPECT_TRUE(becomes(server, "degraded: the seat lock is away"));
  EXPECT_EQ(client.get("/readyz").status, 200);
  load.wait_for_more(200);
  EXPECT_GT(metric(client, "holdfast_lock_acquisitions_total", {"result=\"unknown\""}), 0);
  EXPECT_EQ(metric(client, "holdfast_lock_state", {"state=\"up\""}), 0);
  redis.start();
  EXPECT_TRUE(eventually([&] { return client.get("/readyz").body == "ready\n"; }));
  load.wait_for_more(200);
  EXPECT_TRUE(eventually([&] { return calls_of("set") > 0; }));
  redis.flush();
  load.wait_for_more(200);
  load.end();
  EXPECT_THAT(load.statuses(), ElementsAre());
}

TEST_F(SeatLockOverHttp, APausedRedisCostsOneDeadline) {
  Server server(settings());
  Client client = server.connect();
  const TestEvent event = make_event(client, 200'000);
  Load load(server, event, 8);
  load.wait_for_more(200);
  const auto paused_at = Clock::now();
  redis.pause();
  EXPECT_TRUE(becomes(server, "degraded: the seat lock is away"));
  load.wait_for_more(5'000);
  const auto paused_for = Clock::now() - paused_at;
  redis.resume();
  EXPECT_TRUE(eventually([&] { return client.get("/readyz").body == "ready\n"; }));
  load.wait_for_more(200);
  load.end();
  EXPECT_THAT(load.statuses(), ElementsAre());
  std::vector<Clock::duration> times = load.times();
  std::ranges::sort(times);
  // The deadline is 50 ms, and a round may wait behind one that uses it up; the rest is for a busy machine.
  EXPECT_LT(times[times.size() / 2], 50ms * k_slowness) << "most do not wait for it";
  EXPECT_LT(times[times.size() * 99 / 100], 500ms * k_slowness);
  EXPECT_LT(times.back(), paused_for) << "nobody waited until it was back";
  EXPECT_TRUE(eventually([&] { return redis.command({"DBSIZE"}) == "0"; })) << "what was granted in vain is given up";
}

TEST_F(SeatLockOverHttp, IfRequiredHoldsAre503WithoutItAndEverythingElseWorks) {
  Server server(settings({"--lock-on-failure", "reject"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 8);
  const Answer held = hold(client, "anna", {event[0]});
  const Answer sold = hold(client, "anna", {event[1]});
  ASSERT_EQ(held.status, 201);
  ASSERT_EQ(sold.status, 201);
  redis.kill();
  EXPECT_TRUE(becomes(server, "degraded: the seat lock is away"));
  const Answer refused = reserve(client, event[2], "ben");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(string_of(refused.json().at("code")), "unavailable");
  EXPECT_EQ(lock_tickets(client, {event[2]}).status, 503);
  EXPECT_EQ(reserve(client, event[0], "ben").status, 409) << "what the ledger refuses anyway";
  EXPECT_EQ(client.post("/v1/reservations/" + string_of(held.json().at("id")) + "/release", "").status, 200);
  EXPECT_EQ(client.post("/v1/reservations/" + string_of(sold.json().at("id")) + "/consume", R"({"orderId":"o-1"})").status, 200);
  EXPECT_EQ(client.get("/readyz").status, 200);
  EXPECT_EQ(letters(client, event), "asaaaaaa");
  redis.start();
  EXPECT_TRUE(eventually([&] { return reserve(client, event[2], "ben").status == 201; }));
}

TEST_F(SeatLockOverHttp, ANodeRefusesASeatThatAnotherHasLocked) {
  Server one(settings());
  Server two(settings());
  const std::string seat = new_uuid();
  std::atomic<int> taken{0};
  std::atomic<int> excluded{0};
  std::vector<std::thread> threads;
  for (Server* node : {&one, &two}) {
    Client client = node->connect();
    make_event(client, std::vector<std::string>{seat});
    threads.emplace_back([&, node] {
      Client mine = node->connect();
      const auto enough = [&] { return taken > 100 && excluded > 0; };
      for (const auto until = Clock::now() + k_patience; !enough() && Clock::now() < until;) {
        const Answer answer = hold(mine, "anna", {seat});
        if (answer.status == 409 && string_of(answer.json().at("code")) == "lock_held") ++excluded;
        if (answer.status != 201) continue;
        ++taken;
        EXPECT_EQ(mine.post("/v1/reservations/" + string_of(answer.json().at("id")) + "/release", "").status, 200);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(taken, 100);
  EXPECT_GT(excluded, 0);
}

TEST_F(SeatLockOverHttp, StartsWithoutRedisAndSaysSo) {
  redis.kill();
  Server server(settings());
  Client client = server.connect();
  EXPECT_THAT(client.get("/readyz").body, HasSubstr("degraded: the seat lock is away"));
  const TestEvent event = make_event(client, 1);
  EXPECT_EQ(reserve(client, event[0], "anna").status, 201);
}

TEST_F(SeatLockOverHttp, ItsPasswordComesFromAFileOrVariableAndIsInNoLog) {
  redis.command({"CONFIG", "SET", "requirepass", "tops3cret"});
  const TempFolder folder;
  write_file(folder / "password", "tops3cret\n");
  for (const bool by_file : {true, false}) {
    ServerSettings with = settings();
    if (by_file) with.flags.insert(with.flags.end(), {"--lock-password-file", (folder / "password").string()});
    if (!by_file) with.environment["HOLDFAST_LOCK_PASSWORD"] = "tops3cret";
    Server server(with);
    Client client = server.connect();
    EXPECT_EQ(client.get("/readyz").body, "ready\n");
    EXPECT_THAT(server.log(), Not(HasSubstr("tops3cret")));
  }
  ServerSettings twice = settings({"--lock-password-file", (folder / "password").string()});
  twice.environment["HOLDFAST_LOCK_PASSWORD"] = "tops3cret";
  EXPECT_EQ(failing_start(twice).status, 2);
}

TEST_F(SeatLockOverHttp, AUrlThatCannotBeReadIsRefusedWithoutBeingRepeated) {
  for (const std::string& url : {"rediss://:tops3cret@127.0.0.1"s, "redis://:tops3cret@127.0.0.1:x"s, "valkey://:tops3cret@127.0.0.1"s}) {
    const Finished finished = failing_start({.flags = {"--lock", url}});
    EXPECT_EQ(finished.status, 2);
    EXPECT_THAT(finished.everything(), HasSubstr("lock.url"));
    EXPECT_THAT(finished.everything(), Not(HasSubstr("tops3cret")));
  }
}

TEST_F(SeatLockOverHttp, ItsOptionsMayBeInAFile) {
  const TempFolder folder;
  for (const std::string& text : {"lock = \"" + redis.url() + "\"\n", "[lock]\nurl = \"" + redis.url() + "\"\ndeadline_ms = 40\n"}) {
    write_file(folder / "holdfast.toml", text);
    Server server({.flags = {"--config", (folder / "holdfast.toml").string(), "--port", "0"}});
    Client client = server.connect();
    EXPECT_EQ(metric(client, "holdfast_lock_state", {"state=\"up\""}), 1);
  }
}

}  // namespace
}  // namespace holdfast::test
