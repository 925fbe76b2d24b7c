// The pages / and /console as they are served, what they learn about the server, and the demo payment. Looks and behaviour:
// tests/browser.
#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"
#include "support/waiting.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::size_t k_first_load_bytes_max = 150 * 1024;   // compressed
const Headers k_compressed = {{"Accept-Encoding", "gzip"}};

std::vector<std::string> matches_of(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.push_back((*it)[1]);
  return found;
}

class Pages : public OneServer {
 protected:
  bool were_built() { return client.get("/").body.find("/assets/") != std::string::npos; }

  // The page, and everything that it loads before it is complete: scripts, their static imports, style sheets, fonts, icon.
  std::set<std::string> files_of(const std::string& page) {
    std::set<std::string> files;
    std::vector<std::string> open = {page};
    while (!open.empty()) {
      const std::string file = open.back();
      open.pop_back();
      if (!files.insert(file).second) continue;
      const std::string body = client.get(file).body;
      if (file == page) {
        for (auto& each : matches_of(body, "(?:src|href)=\"(/assets/[^\"]*)\"")) open.push_back(std::move(each));
      } else if (file.ends_with(".js")) {
        for (auto& each : matches_of(body, "(?:from|import)\\s*[\"'](/assets/[^\"']+)[\"']")) open.push_back(std::move(each));
      } else if (file.ends_with(".css")) {
        for (auto& each : matches_of(body, "url\\([\"']?(/assets/[^\"')]*)")) open.push_back(std::move(each));
      }
    }
    return files;
  }
};

TEST_F(Pages, LoadNothingFromElsewhereAndHaveNothingInline) {
  for (const char* path : {"/", "/console"}) {
    const Answer page = client.get(path);
    ASSERT_EQ(page.status, 200) << page;
    EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(page.header("Content-Security-Policy"),
              "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; "
              "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    EXPECT_EQ(page.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(page.header("Referrer-Policy"), "no-referrer");
    EXPECT_THAT(page.body, Not(HasSubstr("://")));
    EXPECT_FALSE(std::regex_search(page.body, std::regex("<script(?![^>]* src=)|<style|style=|\\bon[a-z]+="))) << page.body;
  }
}

TEST_F(Pages, AreLessThan150KiBAtFirstCompressed) {
  if (!were_built()) GTEST_SKIP() << "this program was built without the pages: npm did not answer";
  for (const char* path : {"/", "/console"}) {
    std::size_t bytes = 0;
    const auto files = files_of(path);
    for (const std::string& file : files) bytes += client.get(file, k_compressed).bytes.size();
    EXPECT_GE(files.size(), 4U) << path;
    EXPECT_GT(bytes, 10'000U) << path << ": was nothing found in it?";
    EXPECT_LT(bytes, k_first_load_bytes_max) << path;
    RecordProperty(std::string("bytes of ") + path, static_cast<int>(bytes));
  }
}

TEST_F(Pages, AreRevalidatedAndTheirFilesAreCachedForEver) {
  if (!were_built()) GTEST_SKIP() << "this program was built without the pages: npm did not answer";
  for (const std::string& file : files_of("/")) {
    const Answer answer = client.get(file, k_compressed);
    ASSERT_EQ(answer.status, 200) << file;
    EXPECT_EQ(answer.header("Cache-Control"), file == "/" ? "no-cache" : "public, max-age=31536000, immutable") << file;
    EXPECT_EQ(answer.header("Vary"), "Accept-Encoding") << file;
    EXPECT_EQ(client.get(file, {{"If-None-Match", answer.header("ETag")}}).status, 304) << file;
    if (file != "/") EXPECT_TRUE(std::regex_match(file, std::regex("/assets/[\\w.-]+-[\\w-]{8}\\.(js|css|svg|woff2)"))) << file;
    // Files that do not get smaller are sent uncompressed.
    EXPECT_EQ(answer.has("Content-Encoding"), !file.ends_with(".woff2")) << file;
  }
  expect_v1_problem(client.get("/assets/map-00000000.js"), 404, "not_found");
  expect_v1_problem(client.post("/console", "{}"), 405, "method_not_allowed");
}

TEST_F(Pages, GetTheLedgersClockAndThatThereIsNoDemo) {
  const Answer before = client.get("/v1/server");
  ASSERT_EQ(before.status, 200) << before;
  EXPECT_EQ(before.header("Cache-Control"), "no-store");
  EXPECT_EQ(before.json().at("demo"), false);
  TestEvent event = make_event(client, 1);
  const Answer held = hold(client, "c", event.first(1));
  ASSERT_EQ(held.status, 201) << held;
  // RFC 3339 in UTC sorts by time, except for milliseconds, which are left out when they are zero.
  const auto comparable = [](std::string time) { return time.size() == 20 ? time.insert(19, ".000") : time; };
  const std::string created = comparable(string_of(held.json().at("createdAt")));
  EXPECT_LE(comparable(string_of(before.json().at("now"))), created);
  EXPECT_GE(comparable(string_of(client.get("/v1/server").json().at("now"))), created);
  expect_v1_problem(client.get("/v1/server?x=1"), 400, "invalid_request");
}

TEST_F(Pages, CannotBuyWithoutADemo) {
  expect_v1_problem(client.post("/v1/demo/payments", R"({"reservationId":"00000003-1a1c-8f13-84ca-b164a6afc48b"})"), 404, "not_found");
  expect_v1_problem(client.get("/v1/demo/payments"), 404, "not_found");
}

class Demo : public ::testing::Test {
 protected:
  static Headers new_session(Client& client) {
    const std::string cookie = client.post("/v1/sessions", "").header("Set-Cookie");
    return {{"Cookie", cookie.substr(0, cookie.find(';'))}};
  }
  static std::string payment(const std::string& reservation) { return R"({"reservationId":")" + reservation + R"("})"; }
  std::string hold_as(const Headers& session, std::size_t seat, const std::string& more = {}) {
    const Answer held = client.post("/v1/reservations", R"({"seatIds":[")" + event[seat] + R"("])" + more + "}", session);
    if (held.status != 201) throw std::runtime_error("nothing was held: " + held.body);
    return string_of(held.json().at("id"));
  }

  Server server{ServerSettings{.flags = {"--demo"}}};
  Client client = server.connect();
  TestEvent event = make_event(client, 4);
  Headers visitor = new_session(client);
};

TEST_F(Demo, LetsVisitorsBuyTheirHoldsUnderAnOrderOfTheServers) {
  EXPECT_EQ(client.get("/v1/server").json().at("demo"), true);
  const std::string id = hold_as(visitor, 0);
  for (int times = 0; times < 2; ++times) {   // again: the same payment
    const Answer paid = client.post("/v1/demo/payments", payment(id), visitor);
    ASSERT_EQ(paid.status, 200) << paid;
    EXPECT_EQ(string_of(paid.json().at("status")), "consumed");
    EXPECT_EQ(string_of(paid.json().at("orderId")), "demo-" + id);
  }
  EXPECT_EQ(seat_state(client, event[0]), "sold");
}

TEST_F(Demo, LetsNobodyBuyAnothersHold) {
  const std::string id = hold_as(visitor, 0);
  const Headers other = new_session(client);
  expect_v1_problem(client.post("/v1/demo/payments", payment(id), other), 404, "reservation_not_found");
  expect_v1_problem(client.post("/v1/demo/payments", payment(id)), 403, "forbidden");   // no session at all, on an open server
  const std::string of_customer = string_of(hold(client, "somebody", {event[1]}).json().at("id"));
  expect_v1_problem(client.post("/v1/demo/payments", payment(of_customer), visitor), 404, "reservation_not_found");
  EXPECT_EQ(seat_state(client, event[0]), "held");
  EXPECT_EQ(seat_state(client, event[1]), "held");
}

TEST_F(Demo, SellsNothingThatHasEnded) {
  const std::string brief = hold_as(visitor, 0, R"(,"holdSeconds":1)");
  ASSERT_TRUE(eventually([&] { return seat_state(client, event[0]) == "available"; }));
  expect_v1_problem(client.post("/v1/demo/payments", payment(brief), visitor), 409, "reservation_expired");
  const std::string released = hold_as(visitor, 1);
  ASSERT_EQ(client.post("/v1/reservations/" + released + "/release", "", visitor).status, 200);
  expect_v1_problem(client.post("/v1/demo/payments", payment(released), visitor), 409, "reservation_not_active");
  EXPECT_EQ(seat_state(client, event[1]), "available");
}

TEST_F(Demo, RefusesWhatIsMalformed) {
  for (const char* body : {"{}", "[]", R"({"reservationId":7})", R"({"reservationId":""})"}) {
    expect_v1_problem(client.post("/v1/demo/payments", body, visitor), 400, "invalid_request");
  }
  expect_v1_problem(client.post("/v1/demo/payments", R"({"reservationId":"nonsense"})", visitor), 404, "reservation_not_found");
  Headers as_text = visitor;
  as_text.emplace_back("Content-Type", "text/plain");
  expect_v1_problem(client.post("/v1/demo/payments", payment("x"), as_text), 415, "unsupported_media_type");
  Headers elsewhere = visitor;
  elsewhere.emplace_back("Sec-Fetch-Site", "cross-site");
  expect_v1_problem(client.post("/v1/demo/payments", payment("x"), elsewhere), 403, "forbidden");
}

TEST_F(Demo, TakesASessionBehindKeysAndNoKey) {
  const Finished made = run_holdfast({"keys", "create", "--data", server.data().string(), "--name", "k", "--scopes", "admin"});
  ASSERT_EQ(made.status, 0) << made.everything();
  const Headers key = {{"Authorization", "Bearer " + made.out.substr(0, 46)}};
  ASSERT_TRUE(eventually([&] { return client.get("/v1/events").status == 401; }));
  const std::string id = hold_as(visitor, 0);
  expect_v1_problem(client.post("/v1/demo/payments", payment(id)), 401, "unauthorized");
  expect_v1_problem(client.post("/v1/demo/payments", payment(id), key), 403, "forbidden");
  EXPECT_EQ(client.post("/v1/demo/payments", payment(id), visitor).status, 200);
}

TEST_F(Demo, IsMentionedInTheLog) { EXPECT_TRUE(server.says("demo is on")); }

}   // namespace
}   // namespace holdfast::test
