// Webhooks of the real program, to a scripted receiver: at least once, in order by reservation, signed, and only to allowed
// addresses.
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <random>
#include <set>

#include "support/events.h"
#include "support/problems.h"
#include "support/receiver.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Ids = std::vector<std::string>;

constexpr const char* k_secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";   // 0123456789abcdef, twice

// The header value as a receiver computes it from the specification, without any code of the program.
std::string expected_signature(const std::string& secret, const Received& message) {
  const std::string text = secret.substr(secret.find('_') + 1);
  std::vector<unsigned char> key(text.size());
  const int decoded = EVP_DecodeBlock(key.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  key.resize(static_cast<std::size_t>(decoded) - static_cast<std::size_t>(std::ranges::count(text, '=')));
  const std::string content = message.id() + "." + message.header("webhook-timestamp") + "." + message.body;
  unsigned char digest[32];
  unsigned size = sizeof digest;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(content.data()), content.size(),
       digest, &size);
  char base64[64];
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64), digest, static_cast<int>(size));
  return std::string("v1,") + base64;
}

ServerSettings with_webhooks(std::vector<std::string> more = {}) {
  std::vector<std::string> flags = {"--webhooks-allow-hosts", "127.0.0.1,localhost"};
  flags.insert(flags.end(), more.begin(), more.end());
  return {.flags = std::move(flags)};
}

const std::vector<std::string> k_quick = {"--webhooks-retry", "50ms,100ms,200ms,200ms,200ms,200ms,200ms,200ms"};

std::string webhook_body(const std::string& url, std::string_view more = {}) {
  return R"({"url":)" + json_of(url) + (more.empty() ? "" : "," + std::string(more)) + "}";
}

Json create(Client& client, const std::string& url, std::string_view more = {}) {
  const Answer made = client.post("/v1/webhooks", webhook_body(url, more));
  if (made.status != 201) throw std::runtime_error("no webhook was made: " + made.bytes);
  return made.json();
}

Json status_of(Client& client, const std::string& id) { return client.get("/v1/webhooks/" + id).json(); }
std::int64_t number(const Json& object, const char* member) { return object.at(member).to_number<std::int64_t>(); }

std::string held_id(Client& client, const Ids& seats) {
  const Answer answer = hold(client, "customer-123", seats);
  EXPECT_EQ(answer.status, 201) << answer;
  return string_of(answer.json().at("id"));
}

void act(Client& client, const std::string& reservation, const std::string& action, std::string_view body) {
  const Answer answer = client.post("/v1/reservations/" + reservation + "/" + action, body);
  ASSERT_EQ(answer.status, 200) << answer;
}

bool receives(const Receiver& receiver, std::size_t messages) {
  return eventually([&] { return receiver.received().size() >= messages; });
}

// ---- what is delivered

TEST(Webhooks, AChangeIsDeliveredSignedAndAsItIsRecorded) {
  Receiver receiver;
  Server server(with_webhooks());
  Client client = server.connect();
  const Json made = create(client, receiver.url("/hook?x=1"), R"("types":["held"],"secret":")" + std::string(k_secret) + "\"");
  EXPECT_EQ(string_of(made.at("secret")), k_secret);
  const TestEvent event = make_event(client, 3);
  const Json held = hold(client, "customer-123", {event[2], event[0]}).json();
  ASSERT_TRUE(receives(receiver, 1));

  const Received message = receiver.received().front();
  EXPECT_EQ(message.target, "/hook?x=1");
  EXPECT_EQ(message.header("Host"), receiver.host());
  EXPECT_EQ(message.header("Content-Type"), "application/json");
  EXPECT_EQ(message.header("webhook-signature"), expected_signature(k_secret, message));
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(static_cast<double>(std::stoll(message.header("webhook-timestamp"))), static_cast<double>(now), 30);
  EXPECT_THAT(message.id(), Not(HasSubstr(".")));
  EXPECT_EQ(members_of(message.json()), (std::set<std::string>{"type", "timestamp", "data"}));
  EXPECT_EQ(message.type(), "held");
  const Json data = message.json().at("data");
  EXPECT_EQ(message.json().at("timestamp"), data.at("at"));
  EXPECT_EQ(members_of(data), (std::set<std::string>{"eventId", "seq", "at", "type", "reservationId", "customerId", "expiresAt", "seats"}));
  EXPECT_EQ(string_of(data.at("eventId")), event.id);
  EXPECT_EQ(data.at("reservationId"), held.at("id"));
  EXPECT_EQ(string_of(data.at("customerId")), "customer-123");
  EXPECT_EQ(data.at("expiresAt"), held.at("expiresAt"));
  EXPECT_EQ(data.at("seats"),
            parse_json(R"([{"index":2,"id":")" + event[2] + R"(","state":"h"},{"index":0,"id":")" + event[0] + R"(","state":"h"}])"));
}

TEST(Webhooks, EveryKindOfChangeIsSentWithItsMembers) {
  Receiver receiver;
  Server server(with_webhooks());
  Client client = server.connect();
  create(client, receiver.url());
  const TestEvent event = make_event(client, 6);
  const std::string sold = held_id(client, {event[0]});
  act(client, sold, "add", R"({"seatIds":[")" + event[1] + "\"]}");
  act(client, sold, "extend", R"({"holdSeconds":1200})");
  act(client, sold, "consume", R"({"orderId":"order-9"})");
  act(client, sold, "return", R"({"orderId":"order-9","seatIds":[")" + event[0] + "\"]}");
  const std::string left = held_id(client, {event[2]});
  act(client, left, "release", "{}");
  act(client, left, "consume", R"({"orderId":"late","reinstate":true})");
  ASSERT_EQ(lock_tickets(client, {event[3]}, 1).status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":[")" + event[4] + "\"]}").status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/unblock", R"({"seatIds":[")" + event[4] + "\"]}").status, 200);
  ASSERT_EQ(client.request("PATCH", "/v1/events/" + event.id, R"({"name":"Other"})").status, 200);
  ASSERT_TRUE(eventually([&] { return !receiver.of_type("expired").empty(); }));
  ASSERT_TRUE(receives(receiver, 16));

  // Messages of different reservations may overtake each other; their numbers give the order of the changes.
  const auto data = [&](const char* type, std::size_t at = 0) {
    std::map<std::int64_t, Json> by_seq;
    for (const auto& message : receiver.of_type(type)) {
      const Json change = message.json().at("data");
      by_seq.emplace(number(change, "seq"), change);
    }
    return std::next(by_seq.begin(), static_cast<std::ptrdiff_t>(at))->second;
  };
  const auto seats = [&](const Json& change) {
    Ids all;
    for (const Json& each : change.at("seats").as_array()) all.push_back(string_of(each.at("id")) + " " + string_of(each.at("state")));
    return all;
  };
  EXPECT_EQ(string_of(data("event_created").at("settings").at("status")), "importing");
  EXPECT_EQ(number(data("seats_appended"), "count"), 6);
  EXPECT_EQ(string_of(data("event_configured").at("settings").at("status")), "on_sale");
  EXPECT_EQ(string_of(data("event_configured", 1).at("settings").at("name")), "Other");
  EXPECT_THAT(seats(data("seats_added")), ElementsAre(event[1] + " h"));
  EXPECT_TRUE(data("extended").as_object().contains("expiresAt"));
  EXPECT_FALSE(data("extended").as_object().contains("seats"));
  EXPECT_EQ(string_of(data("consumed").at("orderId")), "order-9");
  EXPECT_THAT(seats(data("consumed")), ElementsAre(event[0] + " s", event[1] + " s"));
  EXPECT_EQ(string_of(data("returned").at("orderId")), "order-9");
  EXPECT_THAT(seats(data("returned")), ElementsAre(event[0] + " a"));
  EXPECT_EQ(data("released").at("ends"), Json(true));
  EXPECT_EQ(data("consumed", 1).at("reinstated"), Json(true));
  EXPECT_TRUE(data("expired").at("customerId").is_null()) << "of a ticket lock";
  EXPECT_THAT(seats(data("expired")), ElementsAre(event[3] + " a"));
  EXPECT_THAT(seats(data("blocked")), ElementsAre(event[4] + " b"));
  EXPECT_THAT(seats(data("unblocked")), ElementsAre(event[4] + " a"));
  std::set<std::int64_t> seqs;
  for (const Received& each : receiver.received()) seqs.insert(each.seq());
  EXPECT_EQ(seqs.size(), 16U);
  EXPECT_EQ(*seqs.begin(), 1);
  EXPECT_EQ(*seqs.rbegin(), 16) << "numbered without gaps";
}

TEST(Webhooks, EachEndpointGetsTheTypesThatItAskedFor) {
  Receiver sales;
  Receiver everything;
  Server server(with_webhooks());
  Client client = server.connect();
  const TestEvent event = make_event(client, 4);
  create(client, sales.url(), R"("types":["consumed","returned"])");
  create(client, everything.url());
  for (int i = 0; i < 4; ++i) act(client, held_id(client, {event[static_cast<std::size_t>(i)]}), "consume", R"({"orderId":"o"})");
  ASSERT_TRUE(receives(everything, 8));
  ASSERT_TRUE(receives(sales, 4));
  EXPECT_EQ(sales.of_type("consumed").size(), sales.received().size());
  EXPECT_EQ(everything.of_type("held").size(), 4U) << "what was before the endpoint is not told";
  EXPECT_NE(sales.received().front().id(), everything.of_type("consumed").front().id());
}

TEST(Webhooks, AtMostEightMessagesAreInFlightAtOnce) {
  constexpr std::chrono::seconds k_timeout{4};
  Receiver receiver;
  receiver.answers([](const Received&) { return Reply{.hangs = true}; });
  Server server(with_webhooks({"--webhooks-timeout-ms", "4000", "--webhooks-retry", "50ms"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 40);
  create(client, receiver.url(), R"("types":["held"])");
  for (std::size_t i = 0; i < 40; ++i) held_id(client, {event[i]});
  ASSERT_TRUE(receives(receiver, 8));
  receiver.answers([](const Received&) { return Reply{}; });
  ASSERT_TRUE(receives(receiver, 48)) << "eight of them twice";
  const std::vector<Received> received = receiver.received();
  EXPECT_LT(received[7].at - received[0].at, k_timeout / 2) << "eight, while the first has no answer";
  EXPECT_GT(received[8].at - received[0].at, k_timeout / 2) << "the ninth, once one of them has been given up";
}

// ---- order, and at least once

TEST(Webhooks, MessagesOfAReservationArriveInTheirOrderWhateverFails) {
  Receiver receiver;
  std::mt19937 random(20260224);
  std::map<std::string, std::vector<std::int64_t>> taken;   // by reservation; the receiver answers one at a time
  std::mutex mutex;
  const auto answering = receiver.answers_while_kept([&](const Received& message) {
    if (random() % 3 == 0) return Reply{.status = 500};
    const std::scoped_lock lock(mutex);
    taken[message.reservation()].push_back(message.seq());
    return Reply{};
  });
  Server server(with_webhooks(k_quick));
  Client client = server.connect();
  const TestEvent event = make_event(client, 60);
  const Json made = create(client, receiver.url(), R"("types":["held","extended","seats_added","released"])");
  for (std::size_t i = 0; i < 30; ++i) {
    const std::string id = held_id(client, {event[i * 2]});
    act(client, id, "extend", R"({"holdSeconds":1000})");
    act(client, id, "add", R"({"seatIds":[")" + event[i * 2 + 1] + "\"]}");
    act(client, id, "release", R"({"seatIds":[")" + event[i * 2] + "\"]}");
    act(client, id, "release", "{}");
  }
  ASSERT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex);
    return taken.size() == 30 && std::ranges::all_of(taken, [](const auto& each) { return each.second.size() >= 5; });
  })) << status_of(client, string_of(made.at("id")));
  const std::scoped_lock lock(mutex);
  for (const auto& [reservation, seqs] : taken) {
    EXPECT_EQ(seqs.size(), 5U) << "nothing was taken twice";
    EXPECT_TRUE(std::ranges::is_sorted(seqs)) << reservation << ": " << testing::PrintToString(seqs);
  }
}

TEST(Webhooks, NothingIsLostWhenTheServerIsKilled) {
  Receiver receiver;
  std::mt19937 random(20260225);
  const auto answering = receiver.answers_while_kept([&](const Received&) { return Reply{.status = random() % 4 == 0 ? 503 : 204}; });
  Server server(with_webhooks(k_quick));
  Client client = server.connect();
  const TestEvent event = make_event(client, 120);
  create(client, receiver.url(), R"("types":["held","consumed"])");
  std::set<std::string> reservations;
  for (std::size_t i = 0; i < 120; ++i) {
    const std::string id = held_id(client, {event[i]});
    act(client, id, "consume", R"({"orderId":"o"})");
    reservations.insert(id);
    if (i % 15 != 14) continue;
    server.kill();
    server.start();
    client = server.connect();
  }
  const auto delivered = [&] {
    std::map<std::string, std::set<std::string>> types;
    for (const Received& each : receiver.received()) types[each.reservation()].insert(each.type());
    return static_cast<std::size_t>(std::ranges::count_if(types, [](const auto& each) { return each.second.size() == 2; }));
  };
  EXPECT_TRUE(eventually([&] { return delivered() == reservations.size(); })) << delivered() << " of " << reservations.size();
  std::map<std::string, std::string> bodies;
  for (const Received& each : receiver.received()) {
    const auto [at, is_new] = bodies.emplace(each.id(), each.body);
    EXPECT_EQ(at->second, each.body) << "an id stands for one message, also after a restart";
  }
  EXPECT_EQ(bodies.size(), 2 * reservations.size());
}

TEST(Webhooks, AFailedMessageIsTriedAgainUnderItsIdAfterAPause) {
  Receiver receiver;
  const auto answering = receiver.answers_while_kept([n = 0](const Received&) mutable { return Reply{.status = ++n < 3 ? 500 : 200}; });
  Server server(with_webhooks({"--webhooks-retry", "200ms,400ms"}));
  Client client = server.connect();
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  held_id(client, {make_event(client, 1)[0]});
  ASSERT_TRUE(receives(receiver, 3));
  const auto messages = receiver.received();
  EXPECT_EQ(messages[0].id(), messages[1].id());
  EXPECT_EQ(messages[0].id(), messages[2].id());
  EXPECT_EQ(messages[0].body, messages[2].body);
  EXPECT_GE(messages[1].at - messages[0].at, milliseconds(170));
  EXPECT_GE(messages[2].at - messages[1].at, milliseconds(350));
  ASSERT_TRUE(eventually([&] { return !status_of(client, id).at("lastSuccessAt").is_null(); }));
  const Json status = status_of(client, id);
  EXPECT_EQ(number(status, "pending"), 0);
  EXPECT_EQ(string_of(status.at("lastError")), "the endpoint answered 500");
  EXPECT_FALSE(status.at("lastFailureAt").is_null());
  EXPECT_EQ(metric(client, "holdfast_webhook_attempts_total", {R"(outcome="delivered")"}), 1);
  EXPECT_EQ(metric(client, "holdfast_webhook_attempts_total", {R"(outcome="rejected")"}), 2);
}

TEST(Webhooks, TheQueueIsKeptOverARestart) {
  Receiver receiver;
  receiver.answers([](const Received&) { return Reply{.status = 500}; });
  Server server(with_webhooks({"--webhooks-retry", "1s"}));
  Client client = server.connect();
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held","extended"])").at("id"));
  const std::string held = held_id(client, {make_event(client, 1)[0]});
  ASSERT_TRUE(receives(receiver, 1));
  act(client, held, "extend", R"({"holdSeconds":1000})");
  ASSERT_TRUE(eventually([&] { return number(status_of(client, id), "pending") == 2; }));
  server.stop();
  receiver.answers([](const Received&) { return Reply{}; });
  server.start();
  ASSERT_TRUE(receives(receiver, 3));
  const auto messages = receiver.received();
  EXPECT_EQ(messages[1].id(), messages[0].id());
  EXPECT_EQ(messages[2].type(), "extended") << "it waited for the one before it";
}

TEST(Webhooks, RetryAfterMakesThePauseLonger) {
  Receiver receiver;
  const auto answering = receiver.answers_while_kept(
      [n = 0](const Received&) mutable { return ++n == 1 ? Reply{.status = 429, .headers = {{"Retry-After", "1"}}} : Reply{}; });
  Server server(with_webhooks(k_quick));
  Client client = server.connect();
  create(client, receiver.url(), R"("types":["held"])");
  held_id(client, {make_event(client, 1)[0]});
  ASSERT_TRUE(receives(receiver, 2));
  EXPECT_GE(receiver.received()[1].at - receiver.received()[0].at, milliseconds(900));
}

TEST(Webhooks, NoAnswerInTimeIsAFailure) {
  Receiver receiver;
  const auto answering = receiver.answers_while_kept([n = 0](const Received&) mutable { return Reply{.hangs = ++n == 1}; });
  Server server(with_webhooks({"--webhooks-retry", "50ms", "--webhooks-timeout-ms", "300"}));
  Client client = server.connect();
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  held_id(client, {make_event(client, 1)[0]});
  ASSERT_TRUE(receives(receiver, 2));
  EXPECT_GE(receiver.received()[1].at - receiver.received()[0].at, milliseconds(300));
  EXPECT_TRUE(eventually([&] { return status_of(client, id).at("lastError") == Json("it took too long to read the answer"); }));
  EXPECT_EQ(metric(client, "holdfast_webhook_attempts_total", {R"(outcome="timed_out")"}), 1);
}

TEST(Webhooks, ARedirectIsAFailureAndIsNotFollowed) {
  Receiver elsewhere;
  Receiver receiver;
  const auto answering =
      receiver.answers_while_kept([&](const Received&) { return Reply{.status = 307, .headers = {{"Location", elsewhere.url()}}}; });
  Server server(with_webhooks({"--webhooks-retry", "50ms"}));
  Client client = server.connect();
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  held_id(client, {make_event(client, 1)[0]});
  ASSERT_TRUE(eventually([&] { return number(status_of(client, id), "dead") == 1; }));
  EXPECT_EQ(receiver.received().size(), 2U);
  EXPECT_EQ(elsewhere.connections(), 0U);
}

TEST(Webhooks, AnAnswersBodyMayHaveMoreThanTheFourKibibytesThatAreRead) {
  Receiver receiver;
  std::size_t bytes = 4 * 1'024;
  const auto answering = receiver.answers_while_kept(
      [&](const Received&) { return Reply{.status = 200, .body = std::string(std::exchange(bytes, 16 * 1'024 * 1'024), 'x')}; });
  Server server(with_webhooks({"--webhooks-retry", "50ms"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 2);
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  held_id(client, {event[0]});
  held_id(client, {event[1]});
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_webhook_attempts_total", {R"(outcome="delivered")"}) == 2; }));
  EXPECT_EQ(number(status_of(client, id), "dead"), 0);
}

TEST(Webhooks, AnAnswersHeaderIsReadUpToSixteenKibibytes) {
  Receiver receiver;
  receiver.answers([](const Received&) { return Reply{.status = 200, .headers = {{"X-Long", std::string(15 * 1'024, 'x')}}}; });
  Server server(with_webhooks({"--webhooks-retry", "50ms"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 2);
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  held_id(client, {event[0]});
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_webhook_attempts_total", {R"(outcome="delivered")"}) == 1; }));
  receiver.answers([](const Received&) { return Reply{.status = 200, .headers = {{"X-Long", std::string(17 * 1'024, 'x')}}}; });
  held_id(client, {event[1]});
  EXPECT_TRUE(eventually([&] { return number(status_of(client, id), "dead") == 1; })) << status_of(client, id);
}

TEST(Webhooks, AnEndpointThatAnswers410IsDisabledUntilItIsEnabledAgain) {
  Receiver receiver;
  receiver.answers([](const Received&) { return Reply{.status = 410}; });
  Server server(with_webhooks(k_quick));
  Client client = server.connect();
  const TestEvent event = make_event(client, 3);
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  held_id(client, {event[0]});
  ASSERT_TRUE(eventually([&] { return string_of(status_of(client, id).at("status")) == "disabled"; }));
  EXPECT_THAT(string_of(status_of(client, id).at("disabledBecause")), HasSubstr("410"));
  held_id(client, {event[1]});
  EXPECT_TRUE(eventually([&] { return number(status_of(client, id), "lag") == 1; }));
  receiver.answers([](const Received&) { return Reply{}; });
  const Answer enabled = client.request("PATCH", "/v1/webhooks/" + id, R"({"enabled":true})");
  ASSERT_EQ(enabled.status, 200) << enabled;
  EXPECT_TRUE(enabled.json().at("disabledBecause").is_null());
  EXPECT_TRUE(receives(receiver, 3)) << "both, and the first twice";
}

// ---- dead messages

TEST(Webhooks, AMessageDiesAfterTheLastPauseAndCanBeRedelivered) {
  Receiver receiver;
  receiver.answers([](const Received& message) { return Reply{.status = message.type() == "held" ? 400 : 204}; });
  Server server(with_webhooks({"--webhooks-retry", "50ms,50ms"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 3);
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held","consumed"])").at("id"));
  for (int i = 0; i < 3; ++i) act(client, held_id(client, {event[static_cast<std::size_t>(i)]}), "consume", R"({"orderId":"o"})");
  ASSERT_TRUE(eventually([&] { return number(status_of(client, id), "dead") == 3 && number(status_of(client, id), "pending") == 0; }));
  EXPECT_EQ(receiver.of_type("held").size(), 9U) << "three attempts each";
  EXPECT_EQ(receiver.of_type("consumed").size(), 3U) << "what follows a dead message goes on";
  EXPECT_EQ(metric(client, "holdfast_webhook_dead"), 3);

  const Answer first = client.get("/v1/webhooks/" + id + "/dead?limit=2");
  ASSERT_EQ(first.status, 200) << first;
  ASSERT_EQ(first.json().at("items").as_array().size(), 2U);
  const Json dead = first.json().at("items").at(0);
  EXPECT_EQ(members_of(dead), (std::set<std::string>{"id", "type", "attempts", "diedAt", "lastError", "message"}));
  EXPECT_EQ(number(dead, "attempts"), 3);
  EXPECT_EQ(string_of(dead.at("message").at("type")), "held");
  const Answer second = client.get("/v1/webhooks/" + id + "/dead?limit=2&cursor=" + string_of(first.json().at("nextCursor")));
  EXPECT_EQ(second.json().at("items").as_array().size(), 1U);
  EXPECT_TRUE(second.json().at("nextCursor").is_null());

  receiver.answers([](const Received&) { return Reply{}; });
  const std::string path = "/v1/webhooks/" + id + "/redeliver";
  const Answer one = client.post(path, R"({"ids":[)" + json_of(string_of(dead.at("id"))) + R"(,"unknown"]})");
  ASSERT_EQ(one.status, 200) << one;
  EXPECT_EQ(one.body, R"({"redelivered":1})");
  EXPECT_TRUE(eventually([&] { return receiver.of_type("held").size() == 10; }));
  EXPECT_EQ(receiver.of_type("held").back().id(), string_of(dead.at("id")));
  EXPECT_EQ(client.post(path, "{}").body, R"({"redelivered":2})");
  EXPECT_TRUE(eventually([&] { return receiver.of_type("held").size() == 12; }));
  EXPECT_TRUE(eventually([&] { return number(status_of(client, id), "pending") == 0; }));
  EXPECT_EQ(number(status_of(client, id), "dead"), 0);
}

TEST(Webhooks, TheOldestDeadMessagesAreDroppedAndCounted) {
  Receiver receiver;
  receiver.answers([](const Received&) { return Reply{.status = 500}; });
  Server server(with_webhooks({"--webhooks-retry", "10ms", "--webhooks-dead-max", "2"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 5);
  const std::string id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  for (std::size_t i = 0; i < 5; ++i) held_id(client, {event[i]});
  EXPECT_TRUE(eventually([&] { return number(status_of(client, id), "deadDropped") == 3; })) << status_of(client, id);
  EXPECT_EQ(number(status_of(client, id), "dead"), 2);
}

TEST(Webhooks, AFullQueueStopsTheEndpointAndTheJournalKeepsTheRest) {
  Receiver down;
  Receiver up;
  down.answers([](const Received&) { return Reply{.status = 500}; });
  Server server(with_webhooks({"--webhooks-retry", "1h", "--webhooks-queue-max", "10"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 400);
  const std::string id = string_of(create(client, down.url(), R"("types":["held"])").at("id"));
  create(client, up.url(), R"("types":["held"])");
  // One after the other, so that the queue is full before everything has been read.
  for (std::size_t i = 0; i < 400; ++i) held_id(client, {event[i]});
  EXPECT_TRUE(receives(up, 400)) << "another endpoint does not wait";
  ASSERT_TRUE(eventually([&] { return number(status_of(client, id), "pending") >= 10; }));
  const std::size_t tried = down.received().size();
  EXPECT_LT(tried, 400U);
  EXPECT_GT(number(status_of(client, id), "lag"), 0);
}

// ---- secrets

TEST(Webhooks, ASecretIsShownOnceAndNeverLogged) {
  Receiver receiver;
  Server server(with_webhooks({"--log-level", "debug"}));
  Client client = server.connect();
  const Json made = create(client, receiver.url());
  const std::string secret = string_of(made.at("secret"));
  EXPECT_EQ(secret.size(), 6U + 44);
  const std::string id = string_of(made.at("id"));
  EXPECT_THAT(client.get("/v1/webhooks").body, Not(HasSubstr("secret\":\"")));
  EXPECT_THAT(client.get("/v1/webhooks/" + id).body, Not(HasSubstr("whsec_")));
  EXPECT_THAT(client.get("/metrics").body, Not(HasSubstr(secret)));
  EXPECT_THAT(server.log(), Not(HasSubstr(secret)));
  if (server.is_in_database()) return;   // there is no file
  const auto mode = std::filesystem::status(server.data() / "registry.db").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(Webhooks, ARotatedSecretSignsBesideTheFormerOne) {
  Receiver receiver;
  Server server(with_webhooks());
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  const Json made = create(client, receiver.url(), R"("types":["held"])");
  const std::string path = "/v1/webhooks/" + string_of(made.at("id")) + "/rotate-secret";
  const Headers key = {{"Idempotency-Key", "rotate-1"}};
  const Answer rotated = client.post(path, "{}", key);
  ASSERT_EQ(rotated.status, 200) << rotated;
  const std::string secret = string_of(rotated.json().at("secret"));
  EXPECT_NE(secret, string_of(made.at("secret")));
  const Answer again = client.post(path, "{}", key);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true") << again;
  EXPECT_EQ(again.body, rotated.body) << "the same key does not rotate twice";
  expect_v1_problem(client.post(path, R"({"secret":")" + std::string(k_secret) + "\"}", key), 422, "idempotency_key_reused");
  held_id(client, {event[0]});
  ASSERT_TRUE(receives(receiver, 1));
  const Received message = receiver.received().front();
  EXPECT_EQ(message.header("webhook-signature"),
            expected_signature(secret, message) + " " + expected_signature(string_of(made.at("secret")), message));
  const auto day = millis_of(rotated.json().at("previousSecretUntil")) - millis_of(message.json().at("timestamp"));
  EXPECT_NEAR(static_cast<double>(day), 86'400'000.0, 60'000.0);
}

// ---- allowed addresses

TEST(Webhooks, AddressesThatAreNotPublicAreRefusedByName) {
  Server server;
  Client client = server.connect();
  for (const char* url : {"http://127.0.0.1/",
                          "http://127.9.9.9:8080/",
                          "https://localhost/x",
                          "http://10.1.2.3/",
                          "http://172.16.0.1/",
                          "http://192.168.1.1/",
                          "http://169.254.169.254/latest/meta-data",
                          "http://100.64.0.1/",
                          "http://0.0.0.0/",
                          "http://224.0.0.1/",
                          "http://255.255.255.255/",
                          "http://[::1]/",
                          "http://[::]/",
                          "http://[fe80::1]/",
                          "http://[fd00::1]/",
                          "http://[ff02::1]/",
                          "http://[::ffff:127.0.0.1]/",
                          "http://[::ffff:a00:1]/",
                          "http://[64:ff9b::7f00:1]/",
                          "http://[2002:7f00:1::]/",
                          "http://2130706433/",
                          "http://0x7f000001/",
                          "http://0177.0.0.1/",
                          "http://127.1/"}) {
    const Answer answer = client.post("/v1/webhooks", webhook_body(url));
    expect_v1_problem(answer, 400, "invalid_request");
    EXPECT_THAT(detail_of(answer), HasSubstr("`url`")) << url;
    EXPECT_THAT(detail_of(answer), HasSubstr("webhooks.allow_hosts")) << url;
  }
  EXPECT_EQ(client.get("/v1/webhooks").body, R"({"items":[],"nextCursor":null})");
}

TEST(Webhooks, AddressesAreCheckedAgainAtEachDelivery) {
  Receiver receiver;
  Server server(with_webhooks(k_quick));
  std::string id;
  {
    Client client = server.connect();
    id = string_of(create(client, receiver.url(), R"("types":["held"])").at("id"));
  }
  server.stop();
  server.settings().flags = k_quick;
  server.start();
  Client client = server.connect();
  held_id(client, {make_event(client, 1)[0]});
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_webhook_attempts_total", {R"(outcome="refused")"}) >= 2; }));
  EXPECT_EQ(receiver.connections(), 0U);
  EXPECT_TRUE(eventually([&] { return !status_of(client, id).at("lastError").is_null(); }));
  EXPECT_THAT(string_of(status_of(client, id).at("lastError")), HasSubstr("webhooks.allow_hosts"));
}

TEST(Webhooks, AHostIsAllowedWithItsPortOrWithAny) {
  Receiver receiver;
  Server server({.flags = {"--webhooks-allow-hosts", receiver.host()}});
  Client client = server.connect();
  EXPECT_EQ(client.post("/v1/webhooks", webhook_body(receiver.url())).status, 201);
  expect_v1_problem(client.post("/v1/webhooks", webhook_body("http://127.0.0.1:1/")), 400, "invalid_request");
  const std::string id = string_of(client.get("/v1/webhooks").json().at("items").at(0).at("id"));
  expect_v1_problem(client.request("PATCH", "/v1/webhooks/" + id, R"({"url":"http://127.0.0.1:1/"})"), 400, "invalid_request");
  EXPECT_EQ(string_of(status_of(client, id).at("url")), receiver.url());
}

TEST(Webhooks, ACertificateMustBeTrustedAndOfTheHost) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "right");
  std::filesystem::create_directory(folder / "wrong");
  const Certificates right(folder / "right", "localhost");
  const Certificates wrong(folder / "wrong", "elsewhere.example");
  Receiver receiver(&right);
  Receiver impostor(&wrong);
  const auto url = [](const Receiver& each) { return "https://localhost:" + std::to_string(each.port()) + "/"; };
  const auto error_of_test = [&](const std::filesystem::path& authority, const Receiver& target) {
    Server server(with_webhooks(authority.empty() ? Ids{} : Ids{"--webhooks-ca-file", authority}));
    Client client = server.connect();
    const std::string id = string_of(create(client, url(target)).at("id"));
    const Json result = client.post("/v1/webhooks/" + id + "/test", "").json();
    return result.at("delivered").as_bool() ? std::string("delivered") : string_of(result.at("error"));
  };
  EXPECT_EQ(error_of_test(right.authority, receiver), "delivered");
  EXPECT_THAT(error_of_test({}, receiver), HasSubstr("certificate verify failed")) << "an authority that is not known";
  EXPECT_THAT(error_of_test(wrong.authority, impostor), HasSubstr("certificate verify failed")) << "a certificate for another name";
  EXPECT_THAT(failing_start(with_webhooks({"--webhooks-ca-file", folder / "none.pem"})).everything(), HasSubstr("webhooks.ca_file"));
}

// ---- administration

TEST(Webhooks, ATestSendsAPingAndReportsItsOutcome) {
  Receiver receiver;
  std::vector<Received> pings;
  const auto answering = receiver.answers_while_kept([&](const Received& message) {
    pings.push_back(message);
    return Reply{.status = pings.size() == 1 ? 204 : 418};
  });
  Server server(with_webhooks());
  Client client = server.connect();
  const Json made = create(client, receiver.url(), R"("types":["held"])");
  const std::string path = "/v1/webhooks/" + string_of(made.at("id")) + "/test";
  const Answer first = client.post(path, "");
  ASSERT_EQ(first.status, 200) << first;
  EXPECT_EQ(members_of(first.json()), (std::set<std::string>{"delivered", "status", "error", "milliseconds"}));
  EXPECT_EQ(first.json().at("delivered"), Json(true));
  EXPECT_EQ(first.json().at("status"), Json(204));
  const Json second = client.post(path, "{}").json();
  EXPECT_EQ(second.at("delivered"), Json(false));
  EXPECT_EQ(string_of(second.at("error")), "the endpoint answered 418");
  ASSERT_EQ(pings.size(), 2U) << "a ping is not tried again";
  EXPECT_EQ(pings[0].type(), "ping");
  EXPECT_EQ(pings[0].header("webhook-signature"), expected_signature(string_of(made.at("secret")), pings[0]));
}

TEST(Webhooks, TheSameIdempotencyKeyGivesTheSameEndpoint) {
  Receiver receiver;
  Server server(with_webhooks());
  Client client = server.connect();
  const Headers key = {{"Idempotency-Key", "crm"}};
  const Answer first = client.post("/v1/webhooks", webhook_body(receiver.url()), key);
  ASSERT_EQ(first.status, 201) << first;
  EXPECT_EQ(first.header("Location"), "/v1/webhooks/" + string_of(first.json().at("id")));
  server.kill();
  server.start();
  client = server.connect();
  const Answer again = client.post("/v1/webhooks", webhook_body(receiver.url()), key);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  expect_v1_problem(client.post("/v1/webhooks", webhook_body(receiver.url("/other")), key), 422, "idempotency_key_reused");
  EXPECT_EQ(client.get("/v1/webhooks").json().at("items").as_array().size(), 1U);
}

TEST(Webhooks, TheNextMessageGoesToTheChangedEndpoint) {
  Receiver before;
  Receiver after;
  Server server(with_webhooks());
  Client client = server.connect();
  const TestEvent event = make_event(client, 4);
  const std::string path = "/v1/webhooks/" + string_of(create(client, before.url(), R"("types":["held"])").at("id"));
  held_id(client, {event[0]});
  ASSERT_TRUE(receives(before, 1));
  const Answer changed =
      client.request("PATCH", path, R"({"url":)" + json_of(after.url()) + R"(,"types":["consumed"],"description":"CRM"})");
  ASSERT_EQ(changed.status, 200) << changed;
  EXPECT_EQ(string_of(changed.json().at("url")), after.url());
  EXPECT_EQ(string_of(changed.json().at("description")), "CRM");
  EXPECT_EQ(strings_of(changed.json().at("types")), Ids{"consumed"});
  act(client, held_id(client, {event[1]}), "consume", R"({"orderId":"o"})");
  ASSERT_TRUE(receives(after, 1));
  EXPECT_EQ(after.received().front().type(), "consumed");

  EXPECT_EQ(client.request("DELETE", path).status, 204);
  expect_v1_problem(client.get(path), 404, "webhook_not_found");
  expect_v1_problem(client.request("DELETE", path), 404, "webhook_not_found");
  create(client, before.url(), R"("types":["consumed"])");
  act(client, held_id(client, {event[2]}), "consume", R"({"orderId":"o"})");
  ASSERT_TRUE(receives(before, 2));
  EXPECT_EQ(after.received().size(), 1U) << "a removed endpoint gets nothing more";
}

TEST(Webhooks, AMalformedMemberIsRefusedWithItsNameAndTheRule) {
  Receiver receiver;
  Server server(with_webhooks());
  Client client = server.connect();
  const std::string long_url = receiver.url("/" + std::string(2'048, 'x'));
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"[]", "object"},
      {"{}", "`url` is missing"},
      {R"({"url":7})", "`url` must be a string"},
      {R"({"url":""})", "`url`"},
      {R"({"url":"ftp://127.0.0.1/"})", "`url` must begin with https:// or http://"},
      {R"({"url":"http://u:p@127.0.0.1/"})", "`url` must not have a user"},
      {R"({"url":"http://127.0.0.1/#x"})", "`url` must not have a fragment"},
      {R"({"url":"http://127.0.0.1:0/"})", "`url` must have a port"},
      {R"({"url":"http://127.0.0.1:99999/"})", "`url` must have a port"},
      {R"({"url":"http://a b/"})", "`url` must be a URL of printable"},
      {R"({"url":"http:///x"})", "`url` must have a host"},
      {R"({"url":"http://[::1/"})", "`url` has an IPv6"},
      {R"({"url":"http://nobody.invalid/"})", "`url` cannot be used"},
      {R"({"url":)" + json_of(long_url) + "}", "`url` must have 1 to 2048 bytes"},
      {webhook_body(receiver.url(), R"("types":[])"), "`types`"},
      {webhook_body(receiver.url(), R"("types":"held")"), "`types`"},
      {webhook_body(receiver.url(), R"("types":["held",5])"), "`types`"},
      {webhook_body(receiver.url(), R"("types":["sold"])"), "`types` has an item that is not a type"},
      {webhook_body(receiver.url(), R"("types":["held","held"])"), "held twice"},
      {webhook_body(receiver.url(), R"("secret":"abc")"), "`secret` must be whsec_"},
      {webhook_body(receiver.url(), R"("secret":"whsec_YWJj")"), "24 to 64 bytes"},
      {webhook_body(receiver.url(), R"("secret":"whsec_****************************************")"), "`secret`"},
      {webhook_body(receiver.url(), R"("description":")" + std::string(257, 'x') + "\""), "`description`"},
      {webhook_body(receiver.url(), R"("type":["held"])"), "does not know `type`"},
  };
  for (const auto& [body, detail] : wrong) {
    const Answer answer = client.post("/v1/webhooks", body);
    expect_v1_problem(answer, 400, "invalid_request");
    EXPECT_THAT(detail_of(answer), HasSubstr(detail)) << body;
  }
  expect_v1_problem(client.post("/v1/webhooks?x=1", webhook_body(receiver.url())), 400, "invalid_request");
  expect_v1_problem(client.post("/v1/webhooks", webhook_body(receiver.url()), {{"Idempotency-Key", std::string(129, 'k')}}), 400,
                    "invalid_request");
  expect_v1_problem(client.post("/v1/webhooks", webhook_body(receiver.url()), {{"Content-Type", "text/plain"}}), 415,
                    "unsupported_media_type");
  EXPECT_EQ(client.get("/v1/webhooks").body, R"({"items":[],"nextCursor":null})");

  const std::string path = "/v1/webhooks/" + string_of(create(client, receiver.url()).at("id"));
  expect_v1_problem(client.request("PATCH", path, R"({"enabled":"yes"})"), 400, "invalid_request");
  expect_v1_problem(client.request("PATCH", path, R"({"secret":"x"})"), 400, "invalid_request");
  expect_v1_problem(client.post(path + "/redeliver", R"({"ids":[]})"), 400, "invalid_request");
  expect_v1_problem(client.post(path + "/redeliver", R"({"ids":[7]})"), 400, "invalid_request");
  expect_v1_problem(client.post(path + "/test", R"({"x":1})"), 400, "invalid_request");
  expect_v1_problem(client.get(path + "/dead?limit=0"), 400, "invalid_request");
  expect_v1_problem(client.get(path + "/dead?cursor=x"), 400, "invalid_request");
  expect_v1_problem(client.get(path + "/dead?after=1"), 400, "invalid_request");
  for (const char* id : {"none", "00000000-0000-4000-8000-000000000000"}) {
    const std::string none = "/v1/webhooks/" + std::string(id);
    expect_v1_problem(client.get(none), 404, "webhook_not_found");
    expect_v1_problem(client.get(none + "/dead"), 404, "webhook_not_found");
    expect_v1_problem(client.request("PATCH", none, "{}"), 404, "webhook_not_found");
    for (const char* action : {"/rotate-secret", "/redeliver", "/test"}) {
      expect_v1_problem(client.post(none + action, "{}"), 404, "webhook_not_found");
    }
  }
}

TEST(Webhooks, AreAtMostAHundred) {
  Receiver receiver;
  Server server(with_webhooks());
  Client client = server.connect();
  for (int i = 0; i < 100; ++i) create(client, receiver.url("/" + std::to_string(i)));
  expect_v1_problem(client.post("/v1/webhooks", webhook_body(receiver.url())), 409, "limit_exceeded");
  EXPECT_EQ(client.get("/v1/webhooks").json().at("items").as_array().size(), 100U);
}

TEST(Webhooks, WrongOptionsAreRefusedAtTheStart) {
  for (const char* retry : {"", "5", "5x", "0s", "8000h", "5s,,1m"}) {
    const Finished failed = failing_start({.flags = {"--webhooks-retry", retry}});
    EXPECT_EQ(failed.status, 2) << retry;
    EXPECT_THAT(failed.everything(), HasSubstr("webhooks-retry")) << retry;
  }
  EXPECT_EQ(failing_start({.flags = {"--webhooks-allow-hosts", "http://x/"}}).status, 2);
}

}  // namespace
}  // namespace holdfast::test
