// The desk's calls: sales over time, the state of the server's parts, operators' actions, a seat by its label, and the history of
// a reservation.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::int64_t sum_of(const Json& column) {
  std::int64_t sum = 0;
  for (const Json& value : column.as_array()) sum += value.to_number<std::int64_t>();
  return sum;
}

std::vector<std::string> types_of(const Answer& page) {
  std::vector<std::string> types;
  const Json json = page.json();
  for (const Json& change : json.at("items").as_array()) types.push_back(string_of(change.at("type")));
  return types;
}

Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

std::string make_key(const Server& server, const std::string& name, const std::string& scopes) {
  std::vector<std::string> create = server.place();
  create.insert(create.begin(), {"keys", "create"});
  create.insert(create.end(), {"--name", name, "--scopes", scopes});
  const Finished made = run_holdfast(create);
  EXPECT_EQ(made.status, 0) << made.err;
  return made.out.substr(0, made.out.find('\n'));
}

class Desk : public OneServer {};

// ---------------------------------------------------------------------------------------------------------------- over time

TEST(Series, ChangesOfEachTypeAreCountedAsInTheJournal) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 20);
  const std::string sold = string_of(hold(client, "c", event.first(3)).json().at("id"));
  ASSERT_EQ(client.post("/v1/reservations/" + sold + "/add", R"({"seatIds":[")" + event[3] + R"("]})").status, 200);
  ASSERT_EQ(client.post("/v1/reservations/" + sold + "/extend", R"({"holdSeconds":1800})").status, 200);
  ASSERT_EQ(client.post("/v1/reservations/" + sold + "/consume", R"({"orderId":"o"})").status, 200);
  ASSERT_EQ(client.post("/v1/reservations/" + sold + "/consume", R"({"orderId":"o"})").status, 200) << "again: moves nothing";
  ASSERT_EQ(client.post("/v1/reservations/" + sold + "/return", R"({"orderId":"o"})").status, 200);
  const std::string released = string_of(hold(client, "c", {event[5], event[6]}).json().at("id"));
  ASSERT_EQ(client.post("/v1/reservations/" + released + "/release", "").status, 200);
  ASSERT_EQ(hold(client, "c", {event[7]}, R"("holdSeconds":1)").status, 201);
  ASSERT_EQ(reserve(client, event[8], "c").status, 201);
  const std::string seat = R"({"seatIds":[")" + event[9] + R"("]})";
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", seat).status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event.id + "/unblock", seat).status, 200);
  EXPECT_TRUE(eventually([&] { return sum_of(client.get("/v1/operations/series").json().at("changes").at("expired")) == 1; }));

  std::map<std::string, std::int64_t> in_journal;
  std::map<std::string, std::int64_t> seats_in_journal;
  const Json journal = client.get("/v1/events/" + event.id + "/changes?limit=1000").json();
  for (const Json& change : journal.at("items").as_array()) {
    const std::string type = string_of(change.at("type"));
    ++in_journal[type];
    if (const auto* seats = change.as_object().if_contains("seats")) {
      seats_in_journal[type] += static_cast<std::int64_t>(seats->as_array().size());
    }
  }
  const Json series = client.get("/v1/operations/series").json();
  for (const auto& [type, column] : series.at("changes").as_object()) {
    EXPECT_EQ(sum_of(column), in_journal[std::string(type)]) << type;
    EXPECT_GT(sum_of(column), 0) << type;
  }
  for (const auto& [type, column] : series.at("seats").as_object()) EXPECT_EQ(sum_of(column), seats_in_journal[std::string(type)]) << type;
}

TEST(Series, RefusedCommandsAreCountedByTheirCodeWhateverTheContract) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 3);
  ASSERT_EQ(reserve(client, event[0], "c").status, 201);
  ASSERT_EQ(reserve(client, event[0], "d").status, 409);
  ASSERT_EQ(hold(client, "d", {event[0]}).status, 409);
  ASSERT_EQ(lock_tickets(client, {event[0]}).status, 400);
  ASSERT_EQ(hold(client, "d", {event[1]}, R"("holdSeconds":9999999)").status, 400);
  ASSERT_EQ(client.post("/v1/reservations/" + new_uuid() + "/release", "").status, 404);
  ASSERT_EQ(client.get("/v1/reservations/" + new_uuid()).status, 404) << "a question is no command";
  const auto refusals = [&] { return client.get("/v1/operations/series").json().at("refusals").as_object(); };
  ASSERT_TRUE(eventually([&] { return refusals().contains("reservation_not_found"); }));
  EXPECT_EQ(sum_of(refusals().at("seat_unavailable")), 3);
  EXPECT_EQ(sum_of(refusals().at("invalid_request")), 1);
  EXPECT_EQ(sum_of(refusals().at("reservation_not_found")), 1);
  EXPECT_EQ(refusals().size(), 3U);
}

TEST(Series, LatencyCoversCommandsAndReadsAndNoLongPolls) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 2);
  ASSERT_EQ(client.get("/v1/events/" + event.id + "/changes?after=3&wait=1").status, 200);
  ASSERT_EQ(reserve(client, event[0], "c").status, 201);
  const auto series = [&] { return client.get("/v1/operations/series").json(); };
  ASSERT_TRUE(eventually([&] { return sum_of(series().at("commands").at("count")) == 1; }));
  const Json commands = series().at("commands");
  std::size_t measured = 0;
  for (std::size_t i = 0; i < commands.at("count").as_array().size(); ++i) {
    const Json& p50 = commands.at("p50Ms").at(i);
    EXPECT_EQ(p50.is_null(), commands.at("count").at(i) == 0);
    if (p50.is_null()) continue;
    ++measured;
    EXPECT_GT(p50.to_number<double>(), 0);
    EXPECT_LE(p50.to_number<double>(), commands.at("p99Ms").at(i).to_number<double>());
    EXPECT_LE(commands.at("p99Ms").at(i).to_number<double>(), commands.at("maxMs").at(i).to_number<double>());
  }
  EXPECT_EQ(measured, 1U);
  EXPECT_EQ(sum_of(series().at("reads").at("count")), 0) << "who waits for changes, and the desk itself, are not counted";
  EXPECT_GE(sum_of(series().at("commits").at("count")), 1);
}

TEST_F(Desk, SinceGivesOnlyNewerIntervalsInColumnsOfOneLength) {
  ASSERT_TRUE(eventually([&] { return client.get("/v1/operations/series").json().at("at").as_array().size() >= 3; }));
  const Json all = client.get("/v1/operations/series").json();
  const auto& at = all.at("at").as_array();
  const std::string second = string_of(at.at(1));
  const Json newer = client.get("/v1/operations/series?resolution=second&since=" + second).json();
  EXPECT_EQ(string_of(newer.at("at").at(0)), string_of(at.at(2)));
  const std::size_t size = newer.at("at").as_array().size();
  for (const char* name : {"seconds", "failures", "rounds", "roundCommands", "queuedMax"}) {
    EXPECT_EQ(newer.at(name).as_array().size(), size) << name;
  }
  for (const char* name : {"changes", "seats", "commands", "reads", "commits"}) {
    for (const auto& [member, column] : newer.at(name).as_object()) EXPECT_EQ(column.as_array().size(), size) << name << "." << member;
  }
  const std::int64_t covered = sum_of(all.at("seconds"));
  EXPECT_GE(covered, static_cast<std::int64_t>(at.size())) << "no second is counted twice";
  EXPECT_THAT(client.get("/v1/operations/series?since=" + string_of(all.at("asOf"))).json().at("resolution"), Json("second"));
}

TEST_F(Desk, SeriesRefuseUnknownParameters) {
  for (const char* query : {"?resolution=hour", "?since=yesterday", "?since=", "?from=1", "?resolution=second&resolution=minute"}) {
    const Answer answer = client.get(std::string("/v1/operations/series") + query);
    EXPECT_EQ(answer.status, 400) << query << answer;
    EXPECT_EQ(string_of(answer.json().at("code")), "invalid_request") << query;
  }
  EXPECT_EQ(client.get("/v1/operations/series?resolution=minute").status, 200);
}

// ---------------------------------------------------------------------------------------------------------------- parts

TEST_F(Desk, HealthNamesEveryPartWithItsStatusAndLag) {
  const Json health = client.get("/v1/operations/health").json();
  EXPECT_EQ(string_of(health.at("status")), "ok");
  EXPECT_EQ(health.at("version"), client.get("/version").json().at("version"));
  EXPECT_EQ(health.at("hasKeys"), Json(false));
  EXPECT_TRUE(health.at("key").is_null());
  std::map<std::string, std::string> statuses;
  for (const Json& part : health.at("components").as_array()) {
    statuses[string_of(part.at("name"))] = string_of(part.at("status"));
    EXPECT_FALSE(string_of(part.at("detail")).empty()) << part.at("name");
    if (string_of(part.at("name")) == "tables") EXPECT_EQ(string_of(part.at("lag").at("unit")), is_in_database() ? "changes" : "rows");
  }
  const std::map<std::string, std::string> expected{{"ledger", "ok"}, {"tables", "ok"}, {"clock", "ok"}, {"engine", "ok"},
                                                    {"live", "ok"},   {"lock", "off"},  {"feed", "off"}, {"webhooks", "off"}};
  EXPECT_EQ(statuses, expected);
}

TEST(Health, ADisabledWebhookDegradesItsPartAndTheWhole) {
  Server server({.flags = {"--webhooks-allow-hosts", "127.0.0.1"}});
  Client client = server.connect();
  const Json webhook = client.post("/v1/webhooks", R"({"url":"http://127.0.0.1:9/"})").json();
  const auto status_of = [&](const std::string& name) {
    const Json health = client.get("/v1/operations/health").json();
    for (const Json& part : health.at("components").as_array()) {
      if (string_of(part.at("name")) == name) return string_of(part.at("status")) + " of " + string_of(health.at("status"));
    }
    return std::string("not there");
  };
  EXPECT_EQ(status_of("webhooks"), "ok of ok");
  ASSERT_EQ(client.request("PATCH", "/v1/webhooks/" + string_of(webhook.at("id")), R"({"enabled":false})").status, 200);
  EXPECT_EQ(status_of("webhooks"), "degraded of degraded");
}

// ---------------------------------------------------------------------------------------------------------------- operators

// Whether the program has noticed these keys. It may notice one before the other.
bool knows(Client& client, const std::vector<std::string>& keys) {
  return eventually([&] {
    return client.get("/v1/events").status == 401 &&
           std::ranges::all_of(keys, [&](const std::string& key) { return client.get("/v1/events", bearer(key)).status == 200; });
  });
}

TEST(Operators, OnlyAnAdminKeyOpensTheDesk) {
  Server server;
  const std::string admin = make_key(server, "front desk", "admin");
  const std::string shop = make_key(server, "shop", "read,hold,sell");
  Client client = server.connect();
  ASSERT_TRUE(knows(client, {admin, shop})) << "keys are noticed within a second";
  for (const char* path : {"/v1/operations/health", "/v1/operations/series", "/v1/operations/actions"}) {
    EXPECT_EQ(client.get(path).status, 401) << path;
    EXPECT_EQ(client.get(path, bearer("hf_wrong")).status, 401) << path;
    const Answer refused = client.get(path, bearer(shop));
    EXPECT_EQ(refused.status, 403) << path;
    EXPECT_THAT(string_of(refused.json().at("detail")), HasSubstr("`admin`")) << path;
    EXPECT_EQ(client.get(path, bearer(admin)).status, 200) << path;
    EXPECT_EQ(client.get(path, bearer(admin)).header("Cache-Control"), "no-store") << path;
  }
  const Json health = client.get("/v1/operations/health", bearer(admin)).json();
  EXPECT_EQ(health.at("hasKeys"), Json(true));
  EXPECT_EQ(string_of(health.at("key").at("name")), "front desk");
  EXPECT_EQ(client.get("/v1/reservations/" + new_uuid() + "/history").status, 401);
  EXPECT_EQ(client.get("/v1/reservations/" + new_uuid() + "/history", bearer(shop)).status, 404);
}

TEST(Operators, OnlyTheirChangesAreInTheListAndInTheLog) {
  Server server;
  const std::string admin = make_key(server, "front desk", "admin");
  const std::string shop = make_key(server, "shop", "read,hold,sell");
  Client client = server.connect();
  ASSERT_TRUE(knows(client, {admin, shop}));
  const std::string body = event_body({"S-1", "S-2", "S-3"});
  const Answer made = client.post("/v1/events", body, bearer(admin));
  ASSERT_EQ(made.status, 201) << made;
  const std::string event = string_of(made.json().at("id"));
  const auto as = [](const std::string& key, const std::string& note) {
    return Headers{{"Authorization", "Bearer " + key}, {"Holdfast-Note", note}};
  };
  ASSERT_EQ(client.post("/v1/events/" + event + "/block", R"({"seatIds":["S-1"]})", as(admin, "B%C3%BChne%20l%C3%A4rmt")).status, 200);
  ASSERT_EQ(client.post("/v1/events/" + event + "/block", R"({"seatIds":["S-1"]})", bearer(admin)).status, 409);
  const std::string held = string_of(client.post("/v1/reservations", hold_body("c", {"S-2"}), as(shop, "not an operator")).json().at("id"));
  const std::string other = string_of(client.post("/v1/reservations", hold_body("c", {"S-3"}), bearer(admin)).json().at("id"));
  ASSERT_EQ(client.post("/v1/reservations/" + held + "/release", "{}", as(admin, " ")).status, 200) << "an empty note is one";
  ASSERT_EQ(client.post("/v1/reservations/" + other + "/release", "{}", bearer(admin)).status, 200) << "without one: no trace";
  const Answer webhook =
      client.post("/v1/webhooks", R"({"url":"http://127.0.0.1:9/","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})", bearer(admin));
  ASSERT_EQ(webhook.status, 400);

  const Json actions = client.get("/v1/operations/actions", bearer(admin)).json();
  std::vector<std::string> seen;
  for (const Json& action : actions.at("items").as_array()) {
    EXPECT_EQ(string_of(action.at("key").at("name")), "front desk");
    const std::string path = string_of(action.at("path"));
    seen.push_back(path.substr(path.rfind('/') + 1) + " " + std::to_string(action.at("status").to_number<int>()) + " " +
                   string_of(action.at("note")));
  }
  EXPECT_THAT(seen, ElementsAre("webhooks 400 ", "release 200 ", "block 409 ", "block 200 Bühne lärmt", "events 201 "));
  ASSERT_EQ(seen.size(), 5U);
  const Json& refused = actions.at("items").at(2);
  EXPECT_EQ(string_of(refused.at("code")), "seat_unavailable");
  EXPECT_EQ(string_of(refused.at("request")), R"({"seatIds":["S-1"]})");
  EXPECT_EQ(client.get("/v1/operations/actions?limit=1", bearer(admin)).json().at("items").as_array().size(), 1U);
  EXPECT_EQ(client.get("/v1/operations/actions?limit=501", bearer(admin)).status, 400);

  for (const char* said : {"an operator with the key", "Bühne lärmt", "409 seat_unavailable"}) EXPECT_TRUE(server.says(said)) << said;
  const std::string log = server.log();
  for (const std::string& secret : {admin, shop, std::string("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}) {
    EXPECT_THAT(log, Not(HasSubstr(secret)));
    EXPECT_THAT(client.get("/v1/operations/actions", bearer(admin)).body, Not(HasSubstr(secret)));
  }
}

TEST_F(Desk, ANoteThatCouldForgeALogLineIsRefusedAndChangesNothing) {
  const TestEvent event = make_event(client, 1);
  const std::string path = "/v1/events/" + event.id + "/block";
  const std::string body = R"({"seatIds":[")" + event[0] + R"("]})";
  for (const std::string& note : {std::string("a%0Ab"), std::string("%"), std::string("%FF"), std::string("%7F"), std::string(201, 'x')}) {
    const Answer answer = client.post(path, body, {{"Holdfast-Note", note}});
    EXPECT_EQ(answer.status, 400) << note << answer;
    EXPECT_THAT(string_of(answer.json().at("detail")), HasSubstr("Holdfast-Note"));
  }
  EXPECT_EQ(seat_state(client, event[0]), "available");
  EXPECT_EQ(client.post(path, body, {{"Holdfast-Note", std::string(200, 'x')}}).status, 200);
}

TEST(Operators, TheListKeepsTheNewestFiveHundred) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  const std::string body = R"({"seatIds":[")" + event[0] + R"("]})";
  for (int i = 0; i < 260; ++i) {
    ASSERT_EQ(client.post("/v1/events/" + event.id + "/block", body).status, 200);
    ASSERT_EQ(client.post("/v1/events/" + event.id + "/unblock", body, {{"Holdfast-Note", std::to_string(i)}}).status, 200);
  }
  const Json actions = client.get("/v1/operations/actions?limit=500").json();
  EXPECT_EQ(actions.at("items").as_array().size(), 500U);
  EXPECT_EQ(string_of(actions.at("items").at(0).at("note")), "259");
}

// ---------------------------------------------------------------------------------------------------------------- looking up

TEST_F(Desk, ASeatIsFoundByItsWholeLabelAndByNothingLess) {
  const std::string id = new_uuid();
  const std::string body =
      R"({"id":")" + id + R"(","name":"Labels","categories":[{"name":"P"}],"seats":[)" +
      R"({"section":"A-1","row":"2","number":"3","category":"P"},{"section":"B","row":"1-2","number":"3","category":"P"},)" +
      R"({"section":"B","row":"1","number":"2-33","category":"P"},{"section":"B","row":"1","number":"","category":"P"}]})";
  ASSERT_EQ(client.post("/v1/events", body).status, 400) << "a seat needs a number";
  const std::string good = body.substr(0, body.rfind(",{")) + "]}";
  ASSERT_EQ(client.post("/v1/events", good).status, 201);
  const auto found = [&](const std::string& label) {
    std::vector<std::string> labels;
    const Json page = client.get("/v1/events/" + id + "/seats?label=" + label).json();
    for (const Json& seat : page.at("items").as_array()) labels.push_back(string_of(seat.at("label")));
    return labels;
  };
  EXPECT_THAT(found("A-1-2-3"), ElementsAre("A-1-2-3"));
  EXPECT_THAT(found("B-1-2-3"), ElementsAre("B-1-2-3"));
  EXPECT_THAT(found("B-1-2-33"), ElementsAre("B-1-2-33"));
  for (const char* label : {"A-1-2", "A-1-2-33", "-1-2-3", "B", "", "b-1-2-3", "A-1-2-3-"}) EXPECT_THAT(found(label), IsEmpty()) << label;
}

TEST_F(Desk, AReservationShowsItsHistoryPageByPage) {
  const TestEvent event = make_event(client, 6);
  ASSERT_EQ(hold(client, "somebody else", {event[5]}).status, 201);
  const std::string id = string_of(hold(client, "c", event.first(2)).json().at("id"));
  const std::string path = "/v1/reservations/" + id;
  ASSERT_EQ(client.post(path + "/add", R"({"seatIds":[")" + event[2] + R"("]})").status, 200);
  ASSERT_EQ(client.post(path + "/extend", R"({"holdSeconds":1800})").status, 200);
  ASSERT_EQ(client.post(path + "/release", R"({"seatIds":[")" + event[0] + R"("]})").status, 200);
  EXPECT_THAT(types_of(client.get(path + "/history")), ElementsAre("held", "seats_added", "extended", "released")) << "as far as it is";
  ASSERT_EQ(client.post(path + "/consume", R"({"orderId":"o"})").status, 200);
  for (int i = 0; i < 40; ++i) {
    const std::string other = string_of(hold(client, "d", {event[4]}).json().at("id"));
    ASSERT_EQ(client.post("/v1/reservations/" + other + "/release", "").status, 200);
  }
  ASSERT_EQ(client.post(path + "/return", R"({"orderId":"o","seatIds":[")" + event[1] + R"("]})").status, 200);
  ASSERT_EQ(client.post(path + "/return", R"({"orderId":"o"})").status, 200);

  const std::vector<std::string> all{"held", "seats_added", "extended", "released", "consumed", "returned", "returned"};
  const Answer whole = client.get(path + "/history");
  EXPECT_EQ(types_of(whole), all) << whole;
  EXPECT_TRUE(whole.json().at("nextCursor").is_null());
  EXPECT_EQ(string_of(whole.json().at("items").at(0).at("customerId")), "c");
  EXPECT_EQ(string_of(whole.json().at("items").at(4).at("orderId")), "o");

  std::vector<std::string> paged;
  std::string cursor;
  for (int pages = 0; pages < 20; ++pages) {
    const Answer page = client.get(path + "/history?limit=1" + (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(page.status, 200) << page;
    for (const std::string& type : types_of(page)) paged.push_back(type);
    if (page.json().at("nextCursor").is_null()) break;
    cursor = string_of(page.json().at("nextCursor"));
  }
  EXPECT_EQ(paged, all);

  for (const char* query : {"?cursor=0", "?cursor=x", "?cursor=99999", "?cursor=4-over", "?limit=0", "?after=1"}) {
    EXPECT_EQ(client.get(path + "/history" + query).status, 400) << query;
  }
  for (const std::string& unknown : {new_uuid(), std::string("x"), id.substr(0, 30)}) {
    const Answer answer = client.get("/v1/reservations/" + unknown + "/history");
    EXPECT_EQ(answer.status, 404) << unknown;
    EXPECT_EQ(string_of(answer.json().at("code")), "reservation_not_found") << unknown;
  }
}

TEST_F(Desk, AReservationsHistoryShowsThatItWasReinstated) {
  const TestEvent event = make_event(client, 2);
  const std::string id = string_of(hold(client, "c", {event[0]}, R"("holdSeconds":1)").json().at("id"));
  const std::string path = "/v1/reservations/" + id;
  ASSERT_TRUE(eventually([&] { return types_of(client.get(path + "/history")).size() == 2; })) << "its expiry is recorded";
  ASSERT_EQ(client.post(path + "/consume", R"({"orderId":"late","reinstate":true})").status, 200);
  EXPECT_THAT(types_of(client.get(path + "/history")), ElementsAre("held", "expired", "consumed"));
}

TEST_F(Desk, HistoriesAreThereAfterARestartToo) {
  Server other;
  Client there = other.connect();
  const TestEvent event = make_event(there, 2);
  const std::string id = string_of(hold(there, "c", event.first(2)).json().at("id"));
  ASSERT_EQ(there.post("/v1/reservations/" + id + "/consume", R"({"orderId":"o"})").status, 200);
  other.stop();
  other.start();
  Client again = other.connect();
  EXPECT_THAT(types_of(again.get("/v1/reservations/" + id + "/history")), ElementsAre("held", "consumed"));
  const Json series = again.get("/v1/operations/series").json();
  EXPECT_EQ(sum_of(series.at("changes").at("held")), 0) << "what was before the start is not of this series";
}

}  // namespace
}  // namespace holdfast::test
