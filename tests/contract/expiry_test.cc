// Promise 3: a hold ends on time. Measured with the server's own times only, so that no test depends on how fast this machine is.
//
// A probe asks the server for the time in between: extending a reservation is answered with now + its seconds. The requests of
// one connection are judged in order, so a request between two probes was judged between their times.
#include <gmock/gmock.h>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::AnyOf;

using Ids = std::vector<std::string>;

class Expiry : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    server.emplace(ServerSettings{.flags = {"--sweep", GetParam()}});
    client.emplace(server->connect());
    event = make_event(*client, 40, R"("maxHoldSeconds":86400)");
    const Answer made = hold(*client, "probe", {event.seats.back()}, R"("holdSeconds":1000)");
    probe_ = request_bytes("POST", "/v1/reservations/" + string_of(made.json().at("id")) + "/extend", R"({"holdSeconds":2000})");
  }

  void TearDown() override {
    if (!server) return;
    client.reset();
    server->stop();
    std::vector<std::string> verify = server->place();
    verify.insert(verify.begin(), "verify");
    const Finished verified = run_holdfast(verify);
    EXPECT_EQ(verified.status, 0) << verified.everything();
  }

  static bool sweeps() { return std::string_view(GetParam()) == "on"; }

  std::int64_t read_probe() {
    const Answer answer = client->read_answer();
    if (answer.status != 200) throw std::runtime_error("the probe was answered " + answer.bytes);
    return millis_of(answer.json().at("expiresAt")) - 2'000'000;
  }

  std::int64_t server_now() {
    client->write(probe_);
    return read_probe();
  }

  // Waits until the server's clock shows `time`.
  void wait_for(std::int64_t time) {
    ASSERT_TRUE(eventually([&] { return server_now() >= time; }));
  }

  // An answer, and the server's times before and after it.
  struct Bracketed {
    std::int64_t not_before;
    std::vector<Answer> answers;
    std::int64_t not_after;
  };

  Bracketed between_probes(const std::vector<std::string>& requests) {
    std::string bytes = probe_;
    for (const std::string& request : requests) bytes += request;
    client->write(bytes + probe_);
    Bracketed result;
    result.not_before = read_probe();
    for (std::size_t i = 0; i < requests.size(); ++i) result.answers.push_back(client->read_answer());
    result.not_after = read_probe();
    return result;
  }

  // A hold of one second through one of the two APIs that can create one: its id and its end.
  struct Held {
    std::string seat;
    std::string id;
    std::int64_t expires_at;
    bool is_lock;
  };

  Held hold_for_a_second(const std::string& seat, bool is_lock) {
    std::string id;
    if (is_lock) {
      id = strings_of(lock_tickets(*client, {seat}, 1).json().at("data").at("reservationIds")).at(0);
    } else {
      id = string_of(hold(*client, "first", {seat}, R"("holdSeconds":1)").json().at("id"));
    }
    const Json made = reservation(*client, id);
    EXPECT_EQ(millis_of(made.at("expiresAt")) - millis_of(made.at("createdAt")), 1'000);
    return {seat, id, millis_of(made.at("expiresAt")), is_lock};
  }

  // The i-th of the ways to take a seat.
  static std::string attempt(std::size_t i, const std::string& seat) {
    switch (i % 3) {
      case 0: return request_bytes("POST", "/reservations", reserve_body(seat, "next"));
      case 1: return request_bytes("POST", "/v1/reservations", hold_body("next", {seat}));
      default: return request_bytes("POST", "/tickets_lock", lock_body({seat}));
    }
  }

  // When an accepted attempt was made, by the server.
  std::int64_t created_at(std::size_t i, const Answer& answer) {
    switch (i % 3) {
      case 0: return millis_of(answer.json().at("expiresAt")) - 900'000;
      case 1: return millis_of(answer.json().at("createdAt"));
      default: return millis_of(reservation(*client, strings_of(answer.json().at("data").at("reservationIds")).at(0)).at("createdAt"));
    }
  }

  std::optional<Server> server;
  std::optional<Client> client;
  TestEvent event;

 private:
  std::string probe_;
};

INSTANTIATE_TEST_SUITE_P(Sweep, Expiry, testing::Values("on", "off"), [](const auto& sweep) { return std::string(sweep.param); });

TEST_P(Expiry, ASeatIsNeverTakenBeforeItsHoldEndsAndAlwaysFromThatMillisecondOn) {
  for (int round = 0; round < 2; ++round) {
    std::vector<Held> open;
    for (std::size_t i = 0; i < 12; ++i) open.push_back(hold_for_a_second(event[static_cast<std::size_t>(round) * 12 + i], i % 2 == 0));
    wait_for(open.front().expires_at - 40);
    std::size_t attempts = 0;
    const auto deadline = Clock::now() + k_patience;
    while (!open.empty() && Clock::now() < deadline) {
      std::vector<Held> still_open;
      for (const Held& held : open) {
        const std::size_t way = attempts++;
        const Bracketed tried = between_probes({attempt(way, held.seat)});
        const Answer& answer = tried.answers[0];
        if (answer.status == 200 || answer.status == 201) {
          EXPECT_GE(created_at(way, answer), held.expires_at) << "taken too early: " << answer;
          EXPECT_GE(tried.not_after, held.expires_at) << "taken too early: " << answer;
        } else {
          EXPECT_THAT(answer.status, AnyOf(409, 400)) << answer;
          EXPECT_LT(tried.not_before, held.expires_at) << "refused although its time was over: " << answer;
          if (tried.not_before < held.expires_at) still_open.push_back(held);
        }
      }
      open = std::move(still_open);
    }
    EXPECT_TRUE(open.empty()) << "holds that never ended";
    EXPECT_GE(attempts, 12U);
  }
}

TEST_P(Expiry, IsSeenByEveryReadFromThatMillisecondOn) {
  std::vector<Held> open;
  for (std::size_t i = 0; i < 8; ++i) open.push_back(hold_for_a_second(event[i], i % 2 == 0));
  wait_for(open.front().expires_at - 30);
  const auto deadline = Clock::now() + k_patience;
  while (!open.empty() && Clock::now() < deadline) {
    std::vector<Held> still_open;
    for (const Held& held : open) {
      std::vector<std::string> reads = {request_bytes("GET", "/v1/reservations/" + held.id),
                                        request_bytes("GET", "/v1/seats/" + held.seat)};
      if (!held.is_lock) reads.push_back(request_bytes("GET", "/reservations/" + held.id));
      const Bracketed read = between_probes(reads);
      const bool is_over = read.not_before >= held.expires_at;
      for (std::size_t i = 0; i < reads.size(); ++i) {
        ASSERT_EQ(read.answers[i].status, 200) << read.answers[i];
        const Json body = read.answers[i].json();
        const std::string shown = string_of(body.at(i == 1 ? "state" : "status"));
        if (is_over) EXPECT_EQ(shown, i == 1 ? "available" : "expired") << read.answers[i];
        if (read.not_after < held.expires_at) EXPECT_EQ(shown, i == 1 ? "held" : "active") << read.answers[i];
      }
      if (!is_over) still_open.push_back(held);
    }
    open = std::move(still_open);
  }
  EXPECT_TRUE(open.empty());
}

TEST_P(Expiry, AnExpiredReservationCanDoNothingButBeReinstated) {
  const Held held = hold_for_a_second(event[0], false);
  const Held late = hold_for_a_second(event[1], false);
  wait_for(std::max(held.expires_at, late.expires_at));
  const std::string path = "/v1/reservations/" + held.id;
  expect_v1_problem(client->post(path + "/add", R"({"seatIds":)" + json_of(Ids{event[2]}) + "}"), 409, "reservation_expired");
  expect_v1_problem(client->post(path + "/extend", R"({"holdSeconds":60})"), 409, "reservation_expired");
  expect_v1_problem(client->post(path + "/release", "{}"), 409, "reservation_expired");
  expect_v1_problem(client->post(path + "/consume", R"({"orderId":"o"})"), 409, "reservation_expired");
  ASSERT_EQ(reserve(*client, event[0], "next").status, 201);
  expect_v1_problem(client->post(path + "/consume", R"({"orderId":"o","reinstate":true})"), 409, "seat_unavailable");
  EXPECT_EQ(client->post("/v1/reservations/" + late.id + "/consume", R"({"orderId":"o","reinstate":true})").status, 200);
  EXPECT_EQ(seat_state(*client, event[1]), "sold");
}

TEST_P(Expiry, AnExpiredHoldDoesNotCountAgainstItsCustomersLimit) {
  const TestEvent limited = make_event(*client, 3, R"("limits":{"heldSeatsPerCustomer":1})");
  const Answer made = hold(*client, "c", {limited[0]}, R"("holdSeconds":1)");
  ASSERT_EQ(made.status, 201);
  wait_for(millis_of(made.json().at("expiresAt")));
  EXPECT_EQ(hold(*client, "c", {limited[1]}).status, 201);
  expect_v1_problem(hold(*client, "c", {limited[2]}), 409, "limit_exceeded");
}

TEST_P(Expiry, StatesShowItWhenItIsRecorded) {
  const Held customer = hold_for_a_second(event[0], false);
  const Held ticket = hold_for_a_second(event[1], true);
  ASSERT_EQ(lock_tickets(*client, {event[2]}, 600).status, 200);
  const std::int64_t seq_before = states(*client, event).seq;
  wait_for(std::max(customer.expires_at, ticket.expires_at));
  if (sweeps()) {
    EXPECT_TRUE(eventually([&] { return states(*client, event).letters.starts_with("aah"); })) << "swept by itself";
  } else {
    EXPECT_EQ(states(*client, event).letters.substr(0, 3), "hhh") << "not recorded yet";
    EXPECT_TRUE(eventually([&] { return metric(*client, "holdfast_expiries_oldest_pending_seconds") > 0; }));
    const double expired = metric(*client, "holdfast_holds_expired_total");
    EXPECT_EQ(client->get("/tickets_unlock").status, 200);
    EXPECT_TRUE(eventually([&] { return states(*client, event).letters.starts_with("aah"); }))
        << "every hold whose time is over, and no other";
    EXPECT_TRUE(eventually([&] { return metric(*client, "holdfast_holds_expired_total") == expired + 2; }));
  }
  EXPECT_GT(states(*client, event).seq, seq_before);
  EXPECT_EQ(string_of(reservation(*client, customer.id).at("status")), "expired");
}

TEST_P(Expiry, UnlockReleasesThousandsAtOnce) {
  const TestEvent large = make_event(*client, 2'500);
  std::string bytes;
  for (const std::string& seat : large.seats) bytes += request_bytes("POST", "/tickets_lock", lock_body({seat}, 1));
  Client other = server->connect();
  other.write(bytes);
  std::string last_id;
  for (std::size_t i = 0; i < large.seats.size(); ++i) {
    const Answer answer = other.read_answer();
    ASSERT_EQ(answer.status, 200) << answer;
    last_id = strings_of(answer.json().at("data").at("reservationIds")).at(0);
  }
  wait_for(millis_of(reservation(*client, last_id).at("expiresAt")));
  EXPECT_EQ(client->post("/tickets_unlock", "").status, 200);
  EXPECT_TRUE(eventually([&] { return states(*client, large).letters == std::string(2'500, 'a'); }));
}

TEST_P(Expiry, GoesOnWhileTheServerIsDown) {
  const Held stopped = hold_for_a_second(event[0], false);
  const Held killed = hold_for_a_second(event[1], true);
  const Answer lasting = hold(*client, "lasting", {event[2]}, R"("holdSeconds":500)");
  server->kill();
  server->start();
  client.emplace(server->connect());
  wait_for(std::max(stopped.expires_at, killed.expires_at));
  for (const Held& held : {stopped, killed}) {
    EXPECT_EQ(string_of(reservation(*client, held.id).at("status")), "expired");
    const Answer next = reserve(*client, held.seat, "next");
    ASSERT_EQ(next.status, 201) << next;
    EXPECT_GE(millis_of(next.json().at("expiresAt")) - 900'000, held.expires_at);
  }
  EXPECT_EQ(string_of(reservation(*client, string_of(lasting.json().at("id"))).at("status")), "active");
  EXPECT_EQ(reservation(*client, string_of(lasting.json().at("id"))).at("expiresAt"), lasting.json().at("expiresAt"));
}

}  // namespace
}  // namespace holdfast::test
