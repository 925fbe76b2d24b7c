// What anonymous callers can use up: seats, sessions, idempotency keys, connections. Callers with a key are not affected.
#include <gmock/gmock.h>
#include <list>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }
Headers with_key(Headers headers, const std::string& key) {
  headers.emplace_back("Idempotency-Key", key);
  return headers;
}

Headers new_session(Client& client) {
  const Answer made = client.post("/v1/sessions", "");
  if (made.status != 201) throw std::runtime_error("no session was made");
  const std::string cookie = made.header("Set-Cookie");
  return {{"Cookie", cookie.substr(0, cookie.find(';'))}};
}

// Creates a key for a running server, which requires keys from then on.
std::string make_key(const Server& server, const std::string& scopes) {
  std::vector<std::string> arguments = {"keys", "create", "--name", "shop", "--scopes", scopes};
  const auto place = server.place();
  arguments.insert(arguments.end(), place.begin(), place.end());
  const Finished made = run_holdfast(arguments);
  if (made.status != 0) throw std::runtime_error("no key was made: " + made.everything());
  const std::string token = made.out.substr(0, made.out.find('\n'));
  Client client = server.connect();
  if (!eventually([&] { return client.get("/v1/events").status == 401; })) throw std::runtime_error("the key was not noticed");
  return token;
}

std::string seats_body(const TestEvent& event, std::size_t first, std::size_t count, const std::string& more = {}) {
  std::vector<std::string> ids(event.seats.begin() + static_cast<std::ptrdiff_t>(first),
                               event.seats.begin() + static_cast<std::ptrdiff_t>(first + count));
  return R"({"seatIds":)" + json_of(ids) + more + "}";
}

// ---- seats

class Visitors : public ::testing::Test {
 protected:
  Server server{{.flags = {"--limits-requests-per-second-customer", "0"}}};
  Client client = server.connect();
  TestEvent event = make_event(client, 40);
  std::string key = make_key(server, "read,hold,admin");
  Headers session = new_session(client);

  Answer hold(std::size_t first, std::size_t count, const Headers& caller) {
    const std::string customer = caller == session ? "" : R"(,"customerId":"c")";
    return client.post("/v1/reservations", seats_body(event, first, count, customer), caller);
  }
};

TEST_F(Visitors, HoldAtMostTenSeatsOfAnEventByAnyCalls) {
  const Answer held = hold(0, 8, session);
  ASSERT_EQ(held.status, 201) << held;
  const Answer refused = hold(8, 3, session);
  expect_v1_problem(refused, 409, "limit_exceeded");
  EXPECT_THAT(refused.body, HasSubstr("limits.held_seats_visitor"));
  const std::string path = "/v1/reservations/" + string_of(held.json().at("id"));
  expect_v1_problem(client.post(path + "/add", seats_body(event, 8, 3), session), 409, "limit_exceeded");
  const std::string best = R"({"bestAvailable":{"eventId":")" + event.id + R"(","quantity":3,"adjacent":false}})";
  expect_v1_problem(client.post("/v1/reservations", best, session), 409, "limit_exceeded");
  EXPECT_EQ(client.post(path + "/add", seats_body(event, 8, 2), session).status, 200);
  expect_v1_problem(hold(10, 1, session), 409, "limit_exceeded");
  EXPECT_EQ(hold(10, 11, bearer(key)).status, 201) << "the limit is not that of a key's customers";
}

TEST_F(Visitors, SeeTheirOwnLimit) {
  const auto most = [&](const Headers& caller) {
    return client.get("/v1/events/" + event.id, caller).json().at("limits").at("heldSeatsPerCustomer");
  };
  EXPECT_EQ(most(session), Json(10));
  EXPECT_EQ(most(bearer(key)), Json(0));
  ASSERT_EQ(client.request("PATCH", "/v1/events/" + event.id, R"({"limits":{"heldSeatsPerCustomer":4}})", bearer(key)).status, 200);
  EXPECT_EQ(most(session), Json(4));
  expect_v1_problem(hold(0, 5, session), 409, "limit_exceeded");
}

// ---- addresses

int status_of_new_session(Client& client, const std::string& forwarded) {
  return client.post("/v1/sessions", "", {{"X-Forwarded-For", forwarded}}).status;
}

TEST(Addresses, NamedByATrustedProxyHaveRatesOfTheirOwn) {
  Server server({.flags = {"--http-trusted-proxies", "127.0.0.0/8,::1", "--limits-sessions-per-minute-address", "1"}});
  Client client = server.connect();
  for (const int expected : {201, 201, 429}) EXPECT_EQ(status_of_new_session(client, "198.51.100.1, 203.0.113.1"), expected);
  EXPECT_EQ(status_of_new_session(client, "198.51.100.7, 203.0.113.1"), 429) << "what the client wrote in front makes it nobody else";
  EXPECT_EQ(status_of_new_session(client, "203.0.113.2"), 201);
}

TEST(Addresses, NamedByOtherClientsAreIgnored) {
  Server server({.flags = {"--http-trusted-proxies", "192.0.2.1", "--limits-sessions-per-minute-address", "1"}});
  Client client = server.connect();
  EXPECT_EQ(status_of_new_session(client, "203.0.113.1"), 201);
  EXPECT_EQ(status_of_new_session(client, "203.0.113.2"), 201);
  EXPECT_EQ(status_of_new_session(client, "203.0.113.3"), 429);
}

TEST(Addresses, OfTheProxyProtocolCountToo) {
  // Not a Server, which waits until it is ready and does not speak the protocol.
  const ServerSettings settings{
      .flags = {"--http-trusted-proxies", "127.0.0.1", "--http-proxy-protocol", "on", "--limits-sessions-per-minute-address", "1"}};
  const TempFolder folder;
  ProcessSettings command = serve_command(settings, folder / "data", folder / "port");
  command.stdout_file = command.stderr_file = folder / "log";
  Process process(command);
  ASSERT_TRUE(eventually([&] { return read_file(folder / "port").ends_with('\n'); })) << read_file(folder / "log");
  const auto port = static_cast<std::uint16_t>(std::stoul(read_file(folder / "port")));
  const auto new_session_from = [&](const std::string& client) {
    Client connection(port);
    connection.write("PROXY TCP4 " + client + " 127.0.0.1 4711 443\r\n" + request_bytes("POST", "/v1/sessions"));
    return connection.read_answer().status;
  };
  for (const int expected : {201, 201, 429}) EXPECT_EQ(new_session_from("203.0.113.1"), expected);
  EXPECT_EQ(new_session_from("203.0.113.2"), 201);
}

TEST(Addresses, AnInvalidNetworkAndAProtocolWithoutProxiesAreErrors) {
  EXPECT_THAT(failing_start({.flags = {"--http-trusted-proxies", "10.0.0.0/33"}}).err,
              HasSubstr("--http-trusted-proxies must be a list of addresses"));
  EXPECT_THAT(failing_start({.flags = {"--http-proxy-protocol", "on"}}).err, HasSubstr("http.trusted_proxies names no proxy"));
}

// ---- idempotency keys

class KeysOfStrangers : public ::testing::Test {
 protected:
  // Of 40 keys strangers have 10, and a caller with a key 20.
  Server server{
      {.flags = {"--ledger-idempotency-keys-max", "40", "--access-anonymous", "contract2", "--limits-requests-per-second-customer", "0"}}};
  Client client = server.connect();
  TestEvent event = make_event(client, 60);
  std::string key = make_key(server, "hold,read");
  Headers session = new_session(client);

  int hold_and_release(const std::string& number) {
    const Answer held = client.post("/v1/reservations", seats_body(event, 0, 1), with_key(session, "k" + number));
    if (held.status == 201) {
      EXPECT_EQ(client.post("/v1/reservations/" + string_of(held.json().at("id")) + "/release", "{}", session).status, 200);
    }
    return held.status;
  }
  int shop_holds(std::size_t seat) {
    return client
        .post("/v1/reservations", seats_body(event, seat, 1, R"(,"customerId":"c")"), with_key(bearer(key), "s" + std::to_string(seat)))
        .status;
  }
};

TEST_F(KeysOfStrangers, FillOnlyAPartOfTheTableAndTheLogSaysSo) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(hold_and_release(std::to_string(i)), 201) << i;
  EXPECT_EQ(hold_and_release("more"), 503);
  const Headers another = new_session(client);
  EXPECT_EQ(client.post("/v1/reservations", seats_body(event, 1, 1), with_key(another, "x")).status, 503) << "together they have a quarter";
  EXPECT_EQ(client.post("/v1/reservations", seats_body(event, 1, 1), another).status, 201) << "without a key they go on";
  EXPECT_EQ(shop_holds(10), 201);
  const std::string metrics = client.get("/metrics", bearer(key)).body;
  EXPECT_THAT(metrics, HasSubstr(R"(holdfast_idempotency_keys_refused_total{from="stranger"} 2)"));
  EXPECT_THAT(metrics, HasSubstr(R"(holdfast_idempotency_keys_refused_total{from="caller"} 0)"));
  EXPECT_TRUE(eventually([&] { return server.log().find("idempotency keys have no room left") != std::string::npos; }));
  server.stop();
  server.start();   // afterwards their owners are still known
  client = server.connect();
  EXPECT_EQ(client.post("/v1/reservations", seats_body(event, 2, 1), with_key(session, "after")).status, 503);
  EXPECT_EQ(shop_holds(11), 201);
}

TEST_F(KeysOfStrangers, AreNotKeptIfNothingChanges) {
  for (int i = 0; i < 30; ++i) {
    const Answer unlocked = client.post("/tickets_unlock_param", unlock_body({event[0]}), {{"Idempotency-Key", "u" + std::to_string(i)}});
    ASSERT_EQ(unlocked.status, 200) << unlocked;
  }
  EXPECT_EQ(lock_tickets(client, {event[0]}, 600, {{"Idempotency-Key", "lock"}}).status, 200);
  EXPECT_EQ(lock_tickets(client, {event[0]}, 600, {{"Idempotency-Key", "lock"}}).header("Idempotency-Replayed"), "true");
}

TEST_F(KeysOfStrangers, OfDifferentAddressesAreDifferent) {
  server.stop();
  server.settings().flags.insert(server.settings().flags.end(), {"--http-trusted-proxies", "127.0.0.1"});
  server.start();
  client = server.connect();
  const auto lock = [&](const std::string& seat, const std::string& address) {
    return lock_tickets(client, {seat}, 600, {{"Idempotency-Key", "same"}, {"X-Forwarded-For", address}});
  };
  EXPECT_EQ(lock(event[0], "203.0.113.1").status, 200);
  EXPECT_EQ(lock(event[1], "203.0.113.2").status, 200) << "somebody else, with a key that happens to be the same";
  EXPECT_EQ(lock(event[0], "203.0.113.1").header("Idempotency-Replayed"), "true");
  EXPECT_EQ(lock(event[2], "203.0.113.1").status, 422);
}

// ---- file descriptors

// A program that runs Holdfast with limits of its own for descriptors.
std::string limited(const TempFolder& folder, const std::string& soft, const std::string& hard) {
  const auto script = folder / "limited.sh";
  write_file(script, "#!/bin/sh\nulimit -Sn " + soft + "; ulimit -Hn " + hard + "; exec " HOLDFAST_BINARY " \"$@\"\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  return script.string();
}

TEST(Descriptors, AreRaisedToTheSystemsLimit) {
  if (is_in_database()) GTEST_SKIP() << "a database takes descriptors of its own";
  const TempFolder folder;
  Server server({.program = limited(folder, "256", "1500")});
  EXPECT_THAT(read_file("/proc/" + std::to_string(server.process().id()) + "/limits"),
              testing::ContainsRegex("Max open files +1500 +1500"));
  EXPECT_TRUE(server.says("the limit of 1500 file descriptors"));
}

TEST(Descriptors, WhenUsedUpSomeAreLeftForProbesAndKeysAndOthersGet503) {
  if (is_in_database()) GTEST_SKIP() << "a database takes descriptors of its own";
  const TempFolder folder;
  Server server({.flags = {"--threads", "1"}, .program = limited(folder, "200", "200")});
  Client before = server.connect();
  const TestEvent event = make_event(before, 4);
  const std::string key = make_key(server, "hold");
  std::list<Client> idle;
  for (int i = 0; i < 220; ++i) {
    idle.push_back(server.connect());
    idle.back().write("GET ");   // a request that has begun keeps its connection for http.header_timeout_ms
  }
  const auto now = [&] { return server.connect(); };
  const Answer refused = now().get("/v1/events/" + event.id + "/states");
  EXPECT_EQ(refused.status, 503) << refused;
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(now().get("/healthz").status, 200);
  EXPECT_EQ(now().get("/readyz").status, 200);
  EXPECT_EQ(now().post("/v1/reservations", seats_body(event, 0, 1, R"(,"customerId":"c")"), bearer(key)).status, 201);
  EXPECT_TRUE(server.says("connections are open; further ones are answered 503"));
  idle.clear();
  EXPECT_TRUE(eventually([&] { return now().get("/v1/events/" + event.id + "/states").status == 200; }));
}

TEST(Descriptors, TheLastOneServesToAnswer) {
  if (is_in_database()) GTEST_SKIP() << "a database takes descriptors of its own";
  const TempFolder folder;
  Server server({.flags = {"--threads", "1"}, .program = limited(folder, "60", "60")});   // its files are more than it has planned for
  std::list<Client> idle;
  const auto answers_503 = [&] {
    idle.push_back(server.connect());
    idle.back().write("GET ");
    return server.log().find("file descriptors (the limit is") != std::string::npos ||
           server.log().find("further ones are answered") != std::string::npos;
  };
  for (int i = 0; i < 100 && !answers_503(); ++i) {}
  EXPECT_TRUE(eventually([&] {
    const Answer answer = server.connect().get("/v1/events");
    return answer.status == 503 && answer.header("Retry-After") == "1";
  }));
  idle.clear();
  EXPECT_TRUE(eventually([&] { return server.connect().get("/healthz").status == 200; }));
}

// ---- slow ones

TEST(SlowBodies, AreEndedEvenIfTheyNeverStop) {
  Server server({.flags = {"--http-body-timeout-ms", "500", "--http-body-bytes-per-second-min", "1000"}});
  Client slow = server.connect();
  slow.write("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{");
  bool is_over = false;
  ASSERT_TRUE(eventually([&] {
    try {
      if (!is_over) slow.write(" ");
      Client other = server.connect();
      is_over = other.get("/metrics").body.find("holdfast_http_events{kind=\"timeouts\"} 0") == std::string::npos;
    } catch (const ConnectionLost&) {
      is_over = true;
    }
    return is_over;
  }));
  EXPECT_EQ(slow.read_answer().status, 408);
}

}  // namespace
}  // namespace holdfast::test
