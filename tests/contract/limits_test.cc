// Limits of docs/internals/limits.md over HTTP, at their edge: the largest accepted value, and one more. Other limits are tested
// beside their subject; docs/testing.md names the test that reaches each limit.
#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "support/events.h"
#include "support/problems.h"
#include "support/process.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

class LimitsOfRequests : public OneServer {
 protected:
  // A body that creates an event with one unique seat.
  static std::string body_with(std::string_view categories, std::string_view more) {
    return R"({"name":"E","categories":)" + std::string(categories) + R"(,"seats":[{"id":")" + new_uuid() +
           R"(","section":"A","row":"1","number":"1","category":"c0"}])" + std::string(more) + "}";
  }
  Answer create(std::string_view more) { return client.post("/v1/events", body_with(R"([{"name":"c0"}])", more)); }
};

TEST_F(LimitsOfRequests, TextsAreAcceptedUpToTheirLimit) {
  for (const std::size_t over : {0U, 1U}) {
    SCOPED_TRACE(over);
    const bool is_taken = over == 0;
    const auto long_text = [&](std::size_t bytes) { return std::string(bytes + over, 'x'); };
    EXPECT_EQ(create(R"(,"venue":")" + long_text(200) + "\"").status, is_taken ? 201 : 400);
    const Answer named = client.post("/v1/events", R"({"name":")" + long_text(200) + R"(","categories":[{"name":"c0"}],"seats":[{"id":")" +
                                                       new_uuid() + R"(","section":"A","row":"1","number":"1","category":"c0"}]})");
    EXPECT_EQ(named.status, is_taken ? 201 : 400) << named;
    const TestEvent event = make_event(client, 1);
    const Answer keyed = hold(client, "customer", {event[0]}, {}, {{"Idempotency-Key", long_text(128)}});
    EXPECT_EQ(keyed.status, is_taken ? 201 : 400) << keyed;
    const TestEvent other = make_event(client, 1);
    const Answer held = hold(client, long_text(256), {other[0]});
    EXPECT_EQ(held.status, is_taken ? 201 : 400) << held;
    const Answer reserved = is_taken ? held : hold(client, "customer", {other[0]});
    ASSERT_EQ(reserved.status, 201) << reserved;
    const Answer sold =
        client.post("/v1/reservations/" + string_of(reserved.json().at("id")) + "/consume", R"({"orderId":")" + long_text(128) + "\"}");
    EXPECT_EQ(sold.status, is_taken ? 200 : 400) << sold;
  }
}

TEST_F(LimitsOfRequests, AnEventHasAtMostAThousandCategories) {
  std::string categories;
  for (int i = 0; i < 1'000; ++i) categories.append(i == 0 ? "" : ",").append(R"({"name":"c)" + std::to_string(i) + "\"}");
  const Answer taken = client.post("/v1/events", body_with("[" + categories + "]", ""));
  EXPECT_EQ(taken.status, 201) << taken;
  const Answer refused = client.post("/v1/events", body_with("[" + categories + R"(,{"name":"more"}])", ""));
  expect_problem(refused, 400, "invalid_request");
  EXPECT_THAT(refused.body, HasSubstr("categories"));
}

TEST_F(LimitsOfRequests, ASetOfTicketLocksCoversAtMostAHundredEvents) {
  std::vector<std::string> tickets;
  for (int i = 0; i < 101; ++i) tickets.push_back(make_event(client, 1)[0]);
  const Answer refused = lock_tickets(client, tickets);
  EXPECT_EQ(refused.status, 400) << refused;
  EXPECT_THAT(refused.body, HasSubstr("more than 100 events"));
  EXPECT_EQ(seat_state(client, tickets[0]), "available");
  tickets.pop_back();
  const Answer taken = lock_tickets(client, tickets);
  EXPECT_EQ(taken.status, 200) << taken;
  EXPECT_EQ(seat_state(client, tickets[99]), "held");
}

// Unknown members of a plan are not mistakes.
std::string plan_with(std::string_view more) {
  return R"({"plan":{)" + std::string(more) + R"("categories":[{"name":"c0"}],"zones":[{"name":"A","rows":[{"row_number":"1","seats":[)" +
         R"({"seat_number":"1","category":"c0"}]}]}]},"name":"E"})";
}

TEST_F(LimitsOfRequests, ABodyHasAtMostSixteenLevelsAndAnEventsBodyTwentyFour) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };   // within an object
  const TestEvent event = make_event(client, 1);
  EXPECT_THAT(hold(client, "c", {event[0]}, R"("more":)" + nested(15)).body, HasSubstr("does not know `more`"));
  EXPECT_THAT(hold(client, "c", {event[0]}, R"("more":)" + nested(16)).body, testing::Not(HasSubstr("`more`")));
  const Answer taken = client.post("/v1/events", plan_with(R"("more":)" + nested(22) + ","));
  EXPECT_EQ(taken.status, 201) << taken;
  EXPECT_EQ(client.post("/v1/events", plan_with(R"("more":)" + nested(23) + ",")).status, 400);
}

TEST_F(LimitsOfRequests, AnEventsBodyHasNamesOfAThousandAndTwentyFourBytesAndAHundredThousandMembersAroundAPlace) {
  EXPECT_EQ(client.post("/v1/events", plan_with("\"" + std::string(1'024, 'n') + "\":1,")).status, 201);
  EXPECT_EQ(client.post("/v1/events", plan_with("\"" + std::string(1'025, 'n') + "\":1,")).status, 400);
  const auto members = [](int count) {
    std::string text = R"("more":{)";
    for (int i = 0; i < count; ++i) text.append(i == 0 ? "\"m" : ",\"m").append(std::to_string(i)).append("\":0");
    return text + "},";
  };
  const Answer taken = client.post("/v1/events", plan_with(members(99'998)));   // and `plan` and `more` themselves
  EXPECT_EQ(taken.status, 201) << taken;
  const Answer refused = client.post("/v1/events", plan_with(members(99'999)));
  expect_problem(refused, 400, "invalid_request");
  EXPECT_THAT(refused.body, HasSubstr("100,000 members"));
}

TEST_F(LimitsOfRequests, AWaitForChangesLastsAtMostThirtySeconds) {
  const TestEvent event = make_event(client, 1);
  const std::string changes = "/v1/events/" + event.id + "/changes?after=0&wait=";   // there are changes, so the call does not wait
  EXPECT_EQ(client.get(changes + "30").status, 200);
  EXPECT_EQ(client.get(changes + "31").status, 400);
}

TEST_F(LimitsOfRequests, AnEventsBodyHasTwoGibibytesAndNoMore) {
  constexpr std::size_t k_most = std::size_t{2} * 1'024 * 1'024 * 1'024;
  const auto announce = [&](Client& to, std::size_t bytes, std::string_view expect = "") {
    to.write("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + std::string(expect) +
             "Content-Length: " + std::to_string(bytes) + "\r\n\r\n");
  };
  Client other = server().connect();
  announce(other, k_most + 1, "Expect: 100-continue\r\n");
  EXPECT_EQ(other.read_answer().status, 413);
  if (k_is_sanitized) GTEST_SKIP() << "a sanitizer takes too long for so many bytes";
  const std::string event = plan_with("");
  const std::string spaces(1'024 * 1'024, ' ');
  announce(client, k_most);
  for (std::size_t left = k_most - event.size(); left > 0;) {
    const std::size_t part = std::min(left, spaces.size());
    client.write(std::string_view(spaces).substr(0, part));
    left -= part;
  }
  client.write(event);
  const Answer taken = client.read_answer();
  EXPECT_EQ(taken.status, 201) << taken;
}

TEST_F(LimitsOfRequests, AnotherBodyHas256KibibytesAndNoMore) {
  constexpr std::size_t k_most = 256 * 1'024;
  const TestEvent event = make_event(client, 2);
  const auto reserve_in = [&](std::size_t seat, std::size_t bytes) {
    std::string body = R"({"seatId":")" + event[seat] + R"(","customerId":"c"})";
    body.resize(bytes, ' ');
    return client.post("/reservations", body).status;
  };
  EXPECT_EQ(reserve_in(0, k_most), 201);
  EXPECT_EQ(reserve_in(1, k_most + 1), 413);
}

TEST_F(LimitsOfRequests, APageHasAtMostAThousandItems) {
  const TestEvent event = make_event(client, 1'001);
  const Json page = client.get("/v1/events/" + event.id + "/seats?limit=1000").json();
  EXPECT_EQ(page.at("items").as_array().size(), 1'000U);
  EXPECT_TRUE(page.at("nextCursor").is_string());
  EXPECT_EQ(client.get("/v1/events/" + event.id + "/seats?limit=1001").status, 400);
}

constexpr std::size_t k_page_bytes = 4 * 1'024 * 1'024;

TEST_F(LimitsOfRequests, APageOfEventsEndsWithTheOneThatFillsFourMebibytes) {
  std::string categories;   // some 200 KB
  for (int i = 0; i < 1'000; ++i) {
    const std::string name = "c" + std::to_string(i);
    categories.append(i == 0 ? "" : ",").append(R"({"name":")" + name + (i == 0 ? "" : std::string(200 - name.size(), 'x')) + "\"}");
  }
  for (int i = 0; i < 30; ++i) ASSERT_EQ(client.post("/v1/events", body_with("[" + categories + "]", "")).status, 201);
  const Answer answer = client.get("/v1/events?limit=1000");
  const Json page = answer.json();
  EXPECT_TRUE(page.at("nextCursor").is_string()) << answer.body.size() << " bytes have all events";
  EXPECT_GE(answer.body.size(), k_page_bytes);
  EXPECT_LT(answer.body.size(), k_page_bytes + 1'024 * 1'024);
}

// Counted as in the journal: an import's parts of 2,000 seats are its largest rows.
TEST_F(LimitsOfRequests, APageOfChangesEndsAfterTheRowThatFillsFourMebibytes) {
  const TestEvent event = make_event(client, 200'000);
  const std::int64_t last = states(client, event).seq;
  std::int64_t seen = 0;
  int pages = 0;
  for (; seen < last && pages < 10; ++pages) {
    const Json page = client.get("/v1/events/" + event.id + "/changes?limit=1000&after=" + std::to_string(seen)).json();
    const auto& items = page.at("items").as_array();
    ASSERT_FALSE(items.empty());
    seen = items.back().at("seq").to_number<std::int64_t>();
  }
  EXPECT_LT(last, 1'000) << "the number of items would end a page too";
  EXPECT_EQ(pages, 2) << last << " changes";
}

// ---- options that are lists, and numbers

std::string list_of(int count, const std::function<std::string(int)>& item) {
  std::string list;
  for (int i = 0; i < count; ++i) list.append(i == 0 ? "" : ",").append(item(i));
  return list;
}

TEST(LimitsOfOptions, AtMostAHundredProxiesAndOriginsAreAccepted) {
  const auto proxy = [](int i) { return "10.0.0." + std::to_string(i); };
  const auto origin = [](int i) { return "https://shop" + std::to_string(i) + ".example"; };
  const Server server({.flags = {"--http-trusted-proxies", list_of(100, proxy), "--cors-origins", list_of(100, origin)}});
  EXPECT_THAT(failing_start({.flags = {"--http-trusted-proxies", list_of(101, proxy)}}).err, HasSubstr(", at most 100;"));
  EXPECT_THAT(failing_start({.flags = {"--cors-origins", list_of(101, origin)}}).err, HasSubstr(", at most 100;"));
}

TEST(LimitsOfOptions, AKeysNameHasAtMostAHundredBytes) {
  const TempFolder folder;
  const std::string data = (folder / "data").string();
  const auto create = [&](std::size_t bytes) {
    return run_holdfast({"keys", "create", "--data", data, "--name", std::string(bytes, 'n'), "--scopes", "read"}).status;
  };
  EXPECT_EQ(create(101), 2);
  EXPECT_EQ(create(100), 0);
}

TEST(LimitsOfOptions, LanesAndEventsInMemoryAreRefusedBeyondTheirMaximum) {
  for (const auto& [flag, value] : {std::pair("--ledger-lanes", "65"), std::pair("--ledger-events-in-memory-max", "100001")}) {
    EXPECT_THAT(failing_start({.flags = {flag, value}}).err, HasSubstr(flag));
  }
}

}   // namespace
}   // namespace holdfast::test
