// Invalid paths and queries.
#include <sstream>

#include "contract/bad_input/bad_input.h"

namespace holdfast::test {
namespace {

TEST_F(BadInput, InvalidPathsAre404Or400) {
  for (const char* path : {"/v1/events/%zz",
                           "/v1/events/%",
                           "/v1/seats/%",
                           "/v1/seats/%4",
                           "/v1/seats/%00",
                           "/v1/seats/%ff%fe",
                           "/v1/seats/%ED%A0%80",
                           "/v1/seats/",
                           "/v1/seats//",
                           "/v1/reservations/%2e%2e",
                           "/reservations/%zz",
                           "/reservations/%00",
                           "/reservations/",
                           "/v1/../healthz",
                           "/v1/%2e%2e/healthz",
                           "/%2e/healthz",
                           "/./healthz",
                           "//healthz",
                           "/healthz/",
                           "/healthz%00",
                           "/healthz;x=y",
                           "/%68ealthz%2f",
                           "/v1%2fevents",
                           "/v1/events/%2f/states",
                           "/v1/events/..%2f..%2fmetrics",
                           "/\\healthz"}) {
    const Answer answer = send("GET", path, {});
    EXPECT_THAT(answer.status, testing::AnyOf(404, 400)) << path << ": " << answer;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << path << ": " << answer;
  }
}

// An answer that quotes a caller is still JSON: parse_json() accepts only valid UTF-8.
TEST_F(BadInput, AnswersToBytesThatAreNotUtf8AreUtf8) {
  const auto expect_json = [](const Answer& answer, const std::string& what) {
    EXPECT_GE(answer.status, 400) << what;
    EXPECT_LT(answer.status, 500) << what;
    EXPECT_NO_THROW(answer.json()) << what << ": " << answer;
  };
  const Ids bytes = {"%FF", "%C3", "a%80b", "%ED%A0%80", "%F4%90%80%80", "%C0%AF", "%F0%9F%8E"};
  for (const std::string& id : bytes) {
    for (const char* path : {"/v1/seats/", "/v1/events/", "/v1/reservations/", "/reservations/", "/v1/webhooks/", "/docs/", "/assets/"}) {
      expect_json(send("GET", path + id, {}), path + id);
    }
    for (const std::string& path : {"/v1/seats/" + id + "/history", "/v1/events/" + id + "/states", "/v1/events/" + id + "/live"}) {
      expect_json(send("GET", path, {}), path);
    }
    expect_json(send("POST", "/v1/reservations/" + id + "/release", "{}"), id);
    expect_json(send("POST", "/v1/events/" + id + "/block", R"({"seatIds":["x"]})"), id);
    for (const char* query :
         {"/v1/reservations?eventId=", "/v1/reservations?status=", "/v1/reservations?customerId=", "/v1/events?cursor=", "/v1/events?"}) {
      expect_json(send("GET", query + id, {}), query + id);
    }
  }
  const Ids bodies = {"{\"a\xff\":1}", "{\"a\xff\":\"\xff\"}", "{\"a\":{\"\xc3\":\"\x80\"}}", "{\"\xff\":1,\"\xff\":2}",
                      "{\"a\":[\"\xff\"]}"};
  for (const std::string& body : bodies) {
    for (const char* target :
         {"/reservations", "/tickets_lock", "/tickets_unlock_param", "/v1/reservations", "/v1/events", "/v1/sessions", "/v1/webhooks"}) {
      expect_json(send("POST", target, body), target + body);
    }
  }
  expect_json(send("POST", "/v1/reservations", "{}", {{"Idempotency-Key", "\xff"}}), "Idempotency-Key");
  expect_json(send("POST", "/v1/reservations", "{}", {{"Content-Type", "application/\xff"}}), "Content-Type");
  expect_json(send("POST", "/v1/reservations", "{}", {{"Holdfast-Note", "%FF"}}), "Holdfast-Note");
  expect_json(send("POST", "/v1/reservations", "{}", {{"Holdfast-Note", "\xff"}}), "Holdfast-Note");
  EXPECT_NO_THROW(send("GET", "/v1/operations/actions", {}).json());
  std::istringstream log(server().log());
  for (std::string line; std::getline(log, line);) EXPECT_NO_THROW(parse_json(line)) << line;
}

TEST_F(BadInput, ANoteThatCanChangeHowALineIsShownIsRefused) {
  Client mine = server().connect();
  const TestEvent other = make_event(mine, 1);
  ++events_made;   // this one was made on purpose
  const std::string seats = R"({"seatIds":)" + json_of(other.seats) + "}";
  const auto with_note = [&](const std::string& note) {
    return send("POST", "/v1/events/" + other.id + "/block", seats, {{"Holdfast-Note", note}});
  };
  // C0, DEL, C1, line and paragraph separator, marks, embeddings, overrides and isolates of direction.
  for (const char* note : {"%0A", "%7F", "%C2%80", "%C2%85", "%C2%9B31m", "%C2%9F", "%E2%80%A8", "%E2%80%A9", "%D8%9C", "%E2%80%8E",
                           "%E2%80%8F", "%E2%80%AA", "%E2%80%AE", "%E2%81%A6", "%E2%81%A9"}) {
    expect_problem(with_note(std::string("a") + note + "b"), 400, "invalid_request");
  }
  for (const char* note : {"%C2%A0", "%C3%A9", "%E2%80%90", "%D7%90", "%F0%9F%8E%AD"}) {
    EXPECT_EQ(with_note(note).status, 200) << note;
    EXPECT_EQ(send("POST", "/v1/events/" + other.id + "/unblock", seats).status, 200);
  }
}

TEST_F(BadInput, AnIdThatIsTooLongIs404) {
  const std::string id(3'000, 'x');
  expect_problem(send("GET", "/v1/events/" + id, {}), 404, "event_not_found");
  expect_problem(send("GET", "/v1/seats/" + id, {}), 404, "seat_not_found");
  expect_problem(send("POST", "/v1/reservations/" + id + "/release", "{}"), 404, "reservation_not_found");
  expect_problem(send("GET", "/reservations/" + id, {}), 404, "reservation_not_found");
  expect_problem(send("GET", "/v1/webhooks/" + id, {}), 404, "webhook_not_found");
}

TEST_F(BadInput, MalformedQueriesAre400) {
  const Row rows[] = {{"limit=x", "limit"},
                      {"limit=0", "limit"},
                      {"limit=-1", "limit"},
                      {"limit=1001", "limit"},
                      {"limit=1.5", "limit"},
                      {"limit=", "limit"},
                      {"limit=99999999999999999999", "limit"},
                      {"cursor=%zz", "cursor"},
                      {"cursor=nonsense", "cursor"}};
  for (const Row& row : rows) expect_400(send("GET", "/v1/events?" + row.body, {}), "/v1/events", row.member, row.body);
}

}   // namespace
}   // namespace holdfast::test
