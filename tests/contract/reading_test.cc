// Reading the past over HTTP: changes, long polls, histories, lists.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Ids = std::vector<std::string>;
using Names = std::set<std::string>;

class Reading : public OneServer {
 protected:
  Json ok(std::string_view target) {
    const Answer answer = client.get(target);
    EXPECT_EQ(answer.status, 200) << target << "\n" << answer;
    return answer.json();
  }
  std::string held_id(std::string_view customer, const Ids& seats, std::string_view more = {}) {
    const Answer answer = hold(client, customer, seats, more);
    EXPECT_EQ(answer.status, 201) << answer;
    return string_of(answer.json().at("id"));
  }
  Answer act(const std::string& reservation, std::string_view action, std::string_view body) {
    return client.post("/v1/reservations/" + reservation + "/" + std::string(action), body);
  }
  static std::string changes_of(const TestEvent& event, std::string_view query) {
    return "/v1/events/" + event.id + "/changes?" + std::string(query);
  }
  // All items of a list, page by page.
  std::vector<Json> pages(const std::string& target, int limit) {
    std::vector<Json> items;
    const std::string first = target + (target.contains('?') ? "&" : "?") + "limit=" + std::to_string(limit);
    for (std::string at = first; !at.empty();) {
      const Json page = ok(at);
      EXPECT_LE(page.at("items").as_array().size(), static_cast<std::size_t>(limit));
      for (const Json& item : page.at("items").as_array()) items.push_back(item);
      at = page.at("nextCursor").is_null() ? "" : first + "&cursor=" + string_of(page.at("nextCursor"));
    }
    return items;
  }
};

// --- changes ---

TEST_F(Reading, ChangesOfAnEventNameTheSeatsWhoseStateChanged) {
  const TestEvent event = make_event(client, 4);
  const std::string id = held_id("anna", {event[0], event[2]});
  ASSERT_EQ(act(id, "release", R"({"seatIds":[")" + event[2] + R"("]})").status, 200);
  ASSERT_EQ(act(id, "consume", R"({"orderId":"order-1"})").status, 200);
  const Json page = ok(changes_of(event, "after=3"));
  EXPECT_EQ(page.at("seq"), 6);
  const auto& items = page.at("items").as_array();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(members_of(items[0]), (Names{"eventId", "seq", "at", "type", "reservationId", "customerId", "expiresAt", "seats"}));
  EXPECT_EQ(items[0].at("eventId"), event.id.c_str());
  EXPECT_EQ(items[0].at("type"), "held");
  EXPECT_EQ(items[0].at("customerId"), "anna");
  EXPECT_EQ(items[0].at("seats"),
            parse_json(R"([{"index":0,"id":")" + event[0] + R"(","state":"h"},{"index":2,"id":")" + event[2] + R"(","state":"h"}])"));
  EXPECT_EQ(members_of(items[1]), (Names{"eventId", "seq", "at", "type", "reservationId", "customerId", "seats"}));
  EXPECT_EQ(items[1].at("type"), "released");
  EXPECT_EQ(items[1].at("seats"), parse_json(R"([{"index":2,"id":")" + event[2] + R"(","state":"a"}])"));
  EXPECT_EQ(members_of(items[2]), (Names{"eventId", "seq", "at", "type", "reservationId", "customerId", "orderId", "seats"}));
  EXPECT_EQ(items[2].at("orderId"), "order-1");
  EXPECT_EQ(items[2].at("reservationId"), id.c_str());
  EXPECT_EQ(items[2].at("seats"), parse_json(R"([{"index":0,"id":")" + event[0] + R"(","state":"s"}])"));
  const Json first = ok(changes_of(event, "limit=1"));
  EXPECT_EQ(first.at("items").at(0).at("type"), "event_created");
  EXPECT_EQ(first.at("items").at(0).at("settings").at("name"), ok("/v1/events/" + event.id).at("name"));
}

TEST_F(Reading, OfATicketLockTheCustomerIsNull) {
  const TestEvent event = make_event(client, 1);
  ASSERT_EQ(lock_tickets(client, {event[0]}).status, 200);
  EXPECT_TRUE(ok(changes_of(event, "after=3")).at("items").at(0).at("customerId").is_null());
}

TEST_F(Reading, BadParametersAreRefusedByName) {
  const TestEvent event = make_event(client, 2);
  const auto refused = [&](const std::string& target, std::string_view what, int status = 400, std::string_view code = "invalid_request") {
    const Answer answer = client.get(target);
    expect_v1_problem(answer, status, code);
    EXPECT_THAT(answer.body, HasSubstr(std::string(what))) << target;
  };
  for (const char* bad : {"limit=0", "limit=1001", "limit=", "limit=x", "limit=-1", "limit=1.5", "limit=99999999999999999999"}) {
    for (const std::string& path : Ids{"/v1/events/" + event.id + "/changes", "/v1/changes", "/v1/seats/" + event[0] + "/history",
                                       "/v1/reservations", "/v1/events/" + event.id + "/seats", "/v1/events"}) {
      refused(path + "?" + bad, "`limit`");
    }
  }
  for (const char* bad : {"wait=31", "wait=-1", "wait=", "wait=x"}) {
    refused(changes_of(event, bad), "`wait`");
    refused("/v1/changes?" + std::string(bad), "`wait`");
  }
  for (const char* bad : {"after=-1", "after=x", "after=", "after=99999999999999999999"}) refused(changes_of(event, bad), "`after`");
  refused(changes_of(event, "after=4"), "`after`", 422);
  for (const std::string& path :
       Ids{"/v1/changes", "/v1/seats/" + event[0] + "/history", "/v1/reservations", "/v1/events/" + event.id + "/seats", "/v1/events"}) {
    refused(path + "?cursor=nonsense", "`cursor`");
    refused(path + "?cursor=-1", "`cursor`");
    refused(path + "?cursor=1&cursor=1", "Duplicate query parameter");
    refused(path + "?colour=red", "takes only");
    refused(path + "?cursor=%zz", "malformed percent-encoding");
    refused(path + "?cursor=%00", "malformed percent-encoding");
  }
  refused("/v1/reservations?status=held", "`status`");
  refused("/v1/reservations?customerId=", "`customerId`");
  refused("/v1/reservations?customerId=" + std::string(257, 'x'), "`customerId`");
  refused("/v1/reservations?orderId=", "`orderId`");
  refused("/v1/reservations?orderId=" + std::string(129, 'x'), "`orderId`");
  refused("/v1/reservations?eventId=x", "`eventId`");
  refused("/v1/reservations?eventId=" + new_uuid(), "no event", 404, "event_not_found");
  refused("/v1/events/" + event.id + "/seats?state=free", "`state`");
  refused("/v1/events/" + event.id + "/seats?section=Z", "`section`");
  refused("/v1/events/" + event.id + "/seats?category=Z", "`category`");
  refused("/v1/events/" + new_uuid() + "/seats", "no event", 404, "event_not_found");
  refused("/v1/events/" + new_uuid() + "/changes", "no event", 404, "event_not_found");
  refused("/v1/seats/" + new_uuid() + "/history", "not found", 404, "seat_not_found");
}

// --- long polls ---

// The median of several, because other users of the machine slow down some.
TEST_F(Reading, ALongPollIsAnsweredWithinAHundredMillisecondsOfTheChange) {
  constexpr std::size_t k_rounds = 9;
  const TestEvent event = make_event(client, k_rounds);
  std::string cursor = string_of(ok("/v1/changes?cursor=latest").at("nextCursor"));
  Client of_event = server().connect();
  Client of_all = server().connect();
  std::vector<Clock::duration> took;
  for (std::size_t round = 0; round < k_rounds; ++round) {
    const std::size_t seq = 3 + round;
    of_event.write(request_bytes("GET", changes_of(event, "wait=30&after=" + std::to_string(seq))));
    of_all.write(request_bytes("GET", "/v1/changes?wait=30&cursor=" + cursor));
    ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_changes_waiters") == 2; }));
    held_id("anna", {event[round]});
    const auto changed = Clock::now();
    EXPECT_EQ(of_event.read_answer().json().at("items").at(0).at("seq"), seq + 1);
    const Json all = of_all.read_answer().json();
    took.push_back(Clock::now() - changed);
    EXPECT_EQ(all.at("items").at(0).at("seq"), seq + 1);
    cursor = string_of(all.at("nextCursor"));
  }
  std::ranges::sort(took);
  EXPECT_LT(took[k_rounds / 2], milliseconds(100) * (k_is_sanitized ? 10 : 1));
}

TEST_F(Reading, ALongPollIsAnsweredEmptyAtItsEnd) {
  const TestEvent event = make_event(client, 2);
  const auto began = Clock::now();
  const Json page = ok(changes_of(event, "after=3&wait=1"));
  EXPECT_GE(Clock::now() - began, milliseconds(990));
  EXPECT_TRUE(page.at("items").as_array().empty());
  EXPECT_EQ(page.at("seq"), 3);
  const Json all = ok("/v1/changes?cursor=latest&wait=1");
  EXPECT_TRUE(all.at("items").as_array().empty());
  EXPECT_TRUE(all.at("nextCursor").is_string());
}

TEST_F(Reading, ThousandsCanWaitForOneChange) {
  constexpr std::size_t k_waiters = k_is_sanitized ? 200 : 2'000;
  const TestEvent event = make_event(client, 2);
  std::vector<Client> waiting;
  for (std::size_t i = 0; i < k_waiters; ++i) {
    waiting.push_back(server().connect());
    waiting.back().write(request_bytes("GET", changes_of(event, "after=3&wait=30")));
  }
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_changes_waiters") == k_waiters; }));
  EXPECT_EQ(client.get("/v1/seats/" + event[0]).status, 200) << "others are served meanwhile";
  held_id("anna", {event[0]});
  for (Client& each : waiting) {
    const Answer answer = each.read_answer();
    ASSERT_EQ(answer.status, 200) << answer;
    EXPECT_EQ(answer.json().at("items").at(0).at("seq"), 4);
  }
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_changes_waiters") == 0; }));
}

TEST(ReadingAlone, ALongPollIsAnsweredAtOnceWhenTheServerStops) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  Client waiting = server.connect();
  waiting.write(request_bytes("GET", "/v1/events/" + event.id + "/changes?after=3&wait=30"));
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_changes_waiters") == 1; }));
  const auto began = Clock::now();
  server.stop();
  EXPECT_LT(Clock::now() - began, milliseconds(15'000)) << "half of what it would wait";
  const Answer answer = waiting.read_answer();
  EXPECT_EQ(answer.status, 200) << answer;
  EXPECT_TRUE(answer.json().at("items").as_array().empty());
}

// --- following ---

// Folds what /changes returns, as a client would.
class Follower {
 public:
  explicit Follower(std::size_t seats) : letters(seats, 'a') {}
  void fold(const Json& change) {
    ASSERT_EQ(change.at("seq").as_int64(), ++seq) << "numbered without gaps";
    const auto* seats = change.as_object().if_contains("seats");
    if (seats == nullptr) return;
    for (const Json& seat : seats->as_array()) {
      letters[static_cast<std::size_t>(seat.at("index").as_int64())] = string_of(seat.at("state"))[0];
    }
  }
  std::int64_t seq = 0;
  std::string letters;
};

// Holds, sells, returns and releases seats of an event, until told to stop.
void sell(Server& server, const TestEvent& event, unsigned number, const std::atomic<bool>& stop) {
  Client client = server.connect();
  for (std::size_t i = number; !stop; i += 7) {
    const Answer held =
        hold(client, "c" + std::to_string(number), {event.seats[i % event.seats.size()]}, i % 5 == 0 ? R"("holdSeconds":1)" : "");
    if (held.status != 201 || i % 5 == 0) continue;
    const std::string path = "/v1/reservations/" + string_of(held.json().at("id"));
    if (i % 3 == 0) {
      client.post(path + "/release", "");
    } else if (i % 3 == 1) {
      client.post(path + "/consume", R"({"orderId":"o"})");
      client.post(path + "/return", R"({"orderId":"o"})");
    }
  }
}

TEST_F(Reading, FollowingAllChangesGivesExactlyTheStates) {
  constexpr std::size_t k_seats = 200;
  const std::vector<TestEvent> events = {make_event(client, k_seats), make_event(client, k_seats)};
  std::atomic<bool> stop{false};
  std::vector<std::thread> sellers;
  for (unsigned i = 0; i < 4; ++i) sellers.emplace_back([&, i] { sell(server(), events[i % 2], i, stop); });
  Follower of_event(k_seats);
  std::map<std::string, Follower> of_all;
  for (const TestEvent& event : events) of_all.emplace(event.id, Follower(k_seats));
  std::string cursor;
  const auto follow = [&] {
    for (const Json& change : ok(changes_of(events[0], "limit=1000&wait=1&after=" + std::to_string(of_event.seq))).at("items").as_array()) {
      of_event.fold(change);
    }
    const Json page = ok("/v1/changes?limit=1000&cursor=" + cursor);
    for (const Json& change : page.at("items").as_array()) {
      const auto at = of_all.find(string_of(change.at("eventId")));   // ignores events of other tests
      if (at != of_all.end()) at->second.fold(change);
    }
    cursor = string_of(page.at("nextCursor"));
    return page.at("items").as_array().empty();
  };
  const auto began = Clock::now();
  const auto has_enough = [&] { return Clock::now() >= began + milliseconds(2'000) && of_event.seq > 100; };
  while (!has_enough() && Clock::now() < began + k_patience && !HasFailure()) follow();
  stop = true;
  for (std::thread& seller : sellers) seller.join();
  EXPECT_GT(of_event.seq, 100);
  // Follows the rest; the last holds of one second end in the meantime.
  EXPECT_TRUE(eventually([&] {
    const bool is_done = follow();
    const States now = states(client, events[0]);
    const States other = states(client, events[1]);
    const Follower& all = of_all.at(events[0].id);
    const Follower& all_other = of_all.at(events[1].id);
    return is_done && of_event.seq == now.seq && of_event.letters == now.letters && all.seq == now.seq && all.letters == now.letters &&
           all_other.seq == other.seq && all_other.letters == other.letters;
  }));
}

// --- histories and lists ---

TEST_F(Reading, ASeatsHistoryHasEveryChangeItWentThrough) {
  const TestEvent event = make_event(client, 2);
  const std::string id = held_id("anna", {event[0]});
  ASSERT_EQ(act(id, "consume", R"({"orderId":"order-1"})").status, 200);
  ASSERT_EQ(act(id, "return", R"({"orderId":"order-1"})").status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", R"({"seatIds":[")" + event[0] + R"("]})").status, 200);
  const std::string path = "/v1/seats/" + event[0] + "/history";
  for (const int limit : {1, 3, 100}) {
    const std::vector<Json> items = pages(path, limit);
    ASSERT_EQ(items.size(), 4u);
    Ids told;
    for (const Json& item : items) {
      told.push_back(std::to_string(item.at("version").as_int64()) + " " + std::to_string(item.at("seq").as_int64()) + " " +
                     string_of(item.at("type")) + " " + string_of(item.at("state")));
    }
    EXPECT_THAT(told, ElementsAre("1 4 held held", "2 5 consumed sold", "3 6 returned available", "4 7 blocked blocked"));
    EXPECT_EQ(members_of(items[0]), (Names{"seq", "at", "type", "state", "version", "reservationId", "customerId"}));
    EXPECT_EQ(members_of(items[2]), (Names{"seq", "at", "type", "state", "version", "reservationId", "customerId", "orderId"}));
    EXPECT_EQ(members_of(items[3]), (Names{"seq", "at", "type", "state", "version"}));
    EXPECT_EQ(items[2].at("reservationId"), id.c_str());
    EXPECT_EQ(items[2].at("orderId"), "order-1");
  }
  EXPECT_TRUE(pages("/v1/seats/" + event[1] + "/history", 100).empty());
}

TEST_F(Reading, SeatsOfAnEventAreListedInPlanOrderAsTheyAreNow) {
  const TestEvent event = make_event(client, 450);   // sections A, B and C
  held_id("anna", {event[3], event[205]});
  const std::string sold = held_id("berta", {event[207]});
  ASSERT_EQ(act(sold, "consume", R"({"orderId":"order-1"})").status, 200);
  const std::string path = "/v1/events/" + event.id + "/seats";
  const auto ids = [&](const std::string& query, int limit) {
    Ids found;
    for (const Json& item : pages(path + query, limit)) found.push_back(string_of(item.at("id")));
    return found;
  };
  for (const int limit : {1, 7, 1'000}) {
    if (limit > 1) EXPECT_EQ(ids("", limit), event.seats);
    EXPECT_THAT(ids("?state=held", limit), ElementsAre(event[3], event[205]));
    EXPECT_THAT(ids("?state=held&section=B", limit), ElementsAre(event[205]));
    EXPECT_THAT(ids("?state=sold&category=Standard", limit), ElementsAre(event[207]));
    EXPECT_THAT(ids("?state=blocked", limit), ElementsAre());
  }
  EXPECT_EQ(ids("?section=C", 1'000).size(), 50u);
  EXPECT_EQ(pages(path + "?state=held", 10)[0], ok("/v1/seats/" + event[3])) << "as the seat alone is shown";
}

TEST_F(Reading, AnExpiredHoldIsAvailableAndExpiredInListsFromItsMillisecondOn) {
  Server alone({.flags = {"--sweep", "off"}});
  client = alone.connect();
  const TestEvent event = make_event(client, 2);
  const std::string id = held_id("anna", {event[0]}, R"("holdSeconds":1)");
  EXPECT_EQ(pages("/v1/reservations?status=active", 10).size(), 1u);
  ASSERT_TRUE(eventually([&] { return string_of(reservation(client, id).at("status")) == "expired"; }));
  EXPECT_TRUE(pages("/v1/reservations?status=active", 10).empty());
  EXPECT_EQ(pages("/v1/reservations?status=expired", 10).size(), 1u);
  EXPECT_EQ(pages("/v1/events/" + event.id + "/seats?state=available", 10).size(), 2u);
  client = server().connect();
}

TEST_F(Reading, ReservationsOfAnOrderAreFoundAmongAllOthersAtAnyPageSize) {
  const TestEvent event = make_event(client, 130);
  const std::string order = "order /" + new_uuid();
  Ids of_order;
  for (std::size_t i = 0; i < 120; ++i) {   // more than are read at once
    const std::string id = held_id("anna", {event[i]});
    const bool is_wanted = i == 3 || i == 4 || i == 118;
    if (is_wanted) of_order.push_back(id);
    if (is_wanted || i == 5) ASSERT_EQ(act(id, "consume", R"({"orderId":")" + (is_wanted ? order : order + "0") + R"("})").status, 200);
  }
  const auto ids = [&](const std::string& query, int limit) {
    Ids found;
    for (const Json& item : pages("/v1/reservations?orderId=" + escaped(order) + query, limit)) found.push_back(string_of(item.at("id")));
    return found;
  };
  for (const int limit : {1, 2, 3, 1'000}) {
    EXPECT_EQ(ids("", limit), of_order);
    EXPECT_EQ(ids("&status=consumed&eventId=" + event.id, limit), of_order);
    EXPECT_THAT(ids("&status=active", limit), ElementsAre());
    EXPECT_THAT(ids("&customerId=nobody", limit), ElementsAre());
  }
}

TEST_F(Reading, ReservationsAreListedByCustomerEventAndStatusAsEachIsShownAlone) {
  const TestEvent event = make_event(client, 10);
  const std::string customer = "Zoë & Co " + new_uuid();
  Ids held;
  for (std::size_t i = 0; i < 5; ++i) held.push_back(held_id(customer, {event[i]}));
  ASSERT_EQ(act(held[1], "release", "").status, 200);
  ASSERT_EQ(act(held[3], "consume", R"({"orderId":"order-1"})").status, 200);
  const auto ids = [&](const std::string& query, int limit) {
    Ids found;
    for (const Json& item : pages("/v1/reservations" + query, limit)) found.push_back(string_of(item.at("id")));
    return found;
  };
  std::string encoded = escaped(customer);
  for (const int limit : {1, 2, 100}) {
    EXPECT_EQ(ids("?customerId=" + encoded, limit), held);
    EXPECT_EQ(ids("?eventId=" + event.id, limit), held);
    EXPECT_THAT(ids("?status=released&eventId=" + event.id, limit), ElementsAre(held[1]));
    EXPECT_THAT(ids("?status=consumed&customerId=" + encoded + "&eventId=" + event.id, limit), ElementsAre(held[3]));
    EXPECT_THAT(ids("?status=active&customerId=" + encoded, limit), ElementsAre(held[0], held[2], held[4]));
  }
  EXPECT_EQ(pages("/v1/reservations?status=consumed&eventId=" + event.id, 10)[0], reservation(client, held[3]));
  EXPECT_GE(ids("", 1'000).size(), held.size());
}

}  // namespace
}  // namespace holdfast::test
