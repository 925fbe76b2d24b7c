// Who may call what: every route, called by every kind of caller, against a table; and keys, sessions, rates and origins of the
// real program.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <map>
#include <regex>

#include "access/registry_file.h"
#include "access/tokens.h"
#include "api/router.h"
#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// Written from docs/api.md and not from the code. `session`: a visitor's session is let in too.
struct Allowed {
  std::string scope;   // empty: everybody
  bool session = false;
};
const std::map<std::string, Allowed> k_allowed = {
    {"POST /reservations", {"hold"}},
    {"GET /reservations/{}", {"hold"}},
    {"PUT /api/v1/seats/{}/release", {"hold"}},
    {"POST /tickets_lock", {"hold"}},
    {"POST /tickets_unlock", {"hold"}},
    {"GET /tickets_unlock", {"hold"}},
    {"POST /tickets_unlock_param", {"hold"}},
    {"POST /v1/reservations", {"hold", true}},
    {"GET /v1/reservations/{}", {"read", true}},
    {"GET /v1/reservations", {"read", true}},
    {"POST /v1/reservations/{}/add", {"hold", true}},
    {"POST /v1/reservations/{}/extend", {"hold", true}},
    {"POST /v1/reservations/{}/release", {"hold", true}},
    {"POST /v1/reservations/{}/consume", {"sell"}},
    {"POST /v1/reservations/{}/return", {"sell"}},
    {"GET /v1/seats/{}", {"read", true}},
    {"GET /v1/seats/{}/history", {"read"}},
    {"GET /v1/events/{}/seats", {"read", true}},
    {"GET /v1/events/{}/changes", {"read"}},
    {"GET /v1/changes", {"read"}},
    {"GET /v1/events/{}/live", {}},
    {"GET /v1/events", {"read", true}},
    {"GET /v1/events/{}", {"read", true}},
    {"POST /v1/events", {"admin"}},
    {"PATCH /v1/events/{}", {"admin"}},
    {"POST /v1/events/{}/block", {"admin"}},
    {"POST /v1/events/{}/unblock", {"admin"}},
    {"GET /v1/events/{}/plan", {}},
    {"GET /v1/events/{}/states", {}},
    {"POST /v1/sessions", {}},
    {"GET /v1/sessions", {}},
    {"DELETE /v1/sessions", {}},
    {"POST /v1/webhooks", {"admin"}},
    {"GET /v1/webhooks", {"admin"}},
    {"GET /v1/webhooks/{}", {"admin"}},
    {"PATCH /v1/webhooks/{}", {"admin"}},
    {"DELETE /v1/webhooks/{}", {"admin"}},
    {"POST /v1/webhooks/{}/rotate-secret", {"admin"}},
    {"GET /v1/webhooks/{}/dead", {"admin"}},
    {"POST /v1/webhooks/{}/redeliver", {"admin"}},
    {"POST /v1/webhooks/{}/test", {"admin"}},
    {"GET /v1/reservations/{}/history", {"read"}},
    {"GET /v1/operations/health", {"admin"}},
    {"GET /v1/operations/series", {"admin"}},
    {"GET /v1/operations/actions", {"admin"}},
    {"GET /v1/server", {}},
    {"GET /", {}},
    {"GET /console", {}},
    {"GET /assets/{}", {}},
    {"GET /health", {}},
    {"GET /healthz", {}},
    {"GET /readyz", {}},
    {"GET /version", {}},
    {"GET /metrics", {"read"}},
    {"GET /openapi.json", {}},
    {"GET /docs", {}},
    {"GET /docs/{}", {}},
    {"GET /docs/{}/{}", {}},
    {"GET /llms.txt", {}},
};

std::string make_key(const std::filesystem::path& data, const std::string& scopes, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"keys", "create", "--data", data.string(), "--name", "of " + scopes, "--scopes", scopes};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Finished made = run_holdfast(arguments);
  if (made.status != 0 || made.out.size() != 47) throw std::runtime_error("no key was made: " + made.everything());
  return made.out.substr(0, 46);
}

std::string id_of_last_key(const std::filesystem::path& data) {
  const std::string list = run_holdfast({"keys", "list", "--data", data.string()}).out;
  const std::size_t line = list.rfind('\n', list.size() - 2);
  return list.substr(line == std::string::npos ? 0 : line + 1, 13);
}

Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

Headers new_session(Client& client) {
  const Answer made = client.post("/v1/sessions", "");
  if (made.status != 201) throw std::runtime_error("no session was made");
  const std::string cookie = made.header("Set-Cookie");
  return {{"Cookie", cookie.substr(0, cookie.find(';'))}};
}

std::string customer_of(Client& client, const Headers& session) {
  return string_of(client.get("/v1/sessions", session).json().at("customerId"));
}

// A server with a key for each scope, and an event.
class Access : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* scope : {"read", "hold", "sell", "admin"}) keys[scope] = make_key(folder / "data", scope);
    server.emplace(ServerSettings{.flags = flags(), .data = folder / "data"});
    client.emplace(server->connect());
    const Answer made = client->post("/v1/events", event_body(seats), bearer(keys["admin"]));
    ASSERT_EQ(made.status, 201) << made;
  }
  virtual std::vector<std::string> flags() { return {"--limits-requests-per-second-customer", "0"}; }

  Answer hold_as(const Headers& caller, std::size_t seat, const std::string& more = {}) {
    return client->post("/v1/reservations", R"({"seatIds":[")" + seats[seat] + R"("])" + more + "}", caller);
  }

  TempFolder folder;
  std::map<std::string, std::string> keys;
  const std::vector<std::string> seats = {new_uuid(), new_uuid(), new_uuid(), new_uuid()};
  std::optional<Server> server;
  std::optional<Client> client;
};

std::string path_of(const api::Route& route) {
  return std::regex_replace(std::string(route.path), std::regex("\\{\\}"), "0e000000-0000-4000-8000-00000000ffff");
}

TEST_F(Access, EveryRouteAdmitsExactlyTheCallersInTheTable) {
  const std::string expired = new_api_token();   // the tool creates no expired keys
  RegistryFile((folder / "data" / "registry.db").string())
      .add({.id = "kexpired",
            .name = "n",
            .hash = *hash_of_api_token(expired),
            .scopes = *parse_scopes("admin"),
            .created_at = 1,
            .expires_at = 2});
  const std::string revoked = make_key(folder / "data", "admin");
  ASSERT_EQ(run_holdfast({"keys", "revoke", "--data", (folder / "data").string(), id_of_last_key(folder / "data")}).status, 0);
  ASSERT_TRUE(eventually([&] { return client->get("/metrics", bearer(revoked)).status == 401; }));
  const Headers session = new_session(*client);
  api::Metrics metrics;
  const api::Router router(metrics, false);   // the demo payment has tests of its own (pages_test.cc)
  const std::vector<Headers> nobodies = {{},
                                         bearer("hf_" + std::string(43, 'A')),
                                         bearer(expired),
                                         bearer(revoked),
                                         bearer("x"),
                                         {{"Authorization", "Basic eDp5"}},
                                         {{"Cookie", "holdfast_session=x.y"}}};
  std::size_t walked = 0;
  for (const api::Route& route : router.routes()) {
    const std::string name = std::string(route.method) + " " + std::string(route.path);
    const auto at = k_allowed.find(name);
    if (at == k_allowed.end()) {
      ADD_FAILURE() << name << " is not in the table of this test: who may call it?";
      continue;
    }
    const Allowed& allowed = at->second;
    const auto ask = [&](const Headers& caller) {
      return client->request(route.method, path_of(route), route.method == "GET" ? "" : "{}", caller).status;
    };
    // The status with which it was refused; 0: it was admitted, whatever the route itself answered.
    const auto refusal = [&](const Headers& caller) {
      const int status = ask(caller);
      return status == 401 || status == 403 ? status : 0;
    };
    const bool is_public = allowed.scope.empty();
    if (name != "GET /v1/sessions") {   // which itself answers 401 without a session
      for (const Headers& nobody : nobodies) EXPECT_EQ(refusal(nobody), is_public ? 0 : 401) << name;
      for (const auto& [scope, token] : keys) {
        const bool expects = is_public || scope == allowed.scope || scope == "admin";
        EXPECT_EQ(refusal(bearer(token)), expects ? 0 : 403) << name << " with " << scope;
      }
    }
    EXPECT_EQ(refusal(session), is_public || allowed.session ? 0 : 403) << name << " in a session";
    ++walked;
  }
  EXPECT_EQ(walked, k_allowed.size()) << "a route of the table is not there";
}

TEST_F(Access, A401SaysWhatIsMissingAndA403NamesTheScope) {
  const Answer nobody = client->get("/v1/events");
  expect_v1_problem(nobody, 401, "unauthorized");
  EXPECT_EQ(nobody.header("WWW-Authenticate"), "Bearer");
  const Answer reader = client->post("/v1/events", "{}", bearer(keys["read"]));
  expect_v1_problem(reader, 403, "forbidden");
  EXPECT_THAT(detail_of(reader), HasSubstr("`admin`"));
}

TEST_F(Access, ARunningServerNoticesANewOrRevokedKeyWithinTwoSeconds) {
  const std::string token = make_key(folder / "data", "read");
  const milliseconds soon(2'000 * k_slowness);
  EXPECT_TRUE(eventually([&] { return client->get("/v1/events", bearer(token)).status == 200; }, soon));
  ASSERT_EQ(run_holdfast({"keys", "revoke", "--data", (folder / "data").string(), id_of_last_key(folder / "data")}).status, 0);
  EXPECT_TRUE(eventually([&] { return client->get("/v1/events", bearer(token)).status == 401; }, soon));
}

TEST_F(Access, NoTokenIsInLogsOrFiles) {
  server->stop();
  server->settings().flags.insert(server->settings().flags.end(), {"--log-level", "debug"});
  server->start();
  Client other = server->connect();
  const Headers session = new_session(other);
  for (const auto& [scope, token] : keys) other.get("/v1/events", bearer(token));
  other.get("/v1/events", session);
  server->stop();
  std::string all = server->log();
  for (const char* file : {"registry.db", "journal.db", "state.db"}) all += read_file(folder / "data" / file);
  for (const auto& [scope, token] : keys) EXPECT_THAT(all, Not(HasSubstr(token.substr(3)))) << scope;
  EXPECT_THAT(all, Not(HasSubstr(session[0].second.substr(17))));
}

TEST_F(Access, TheRegistryIsForItsOwnerOnly) {
  struct stat status{};
  ASSERT_EQ(::stat((folder / "data" / "registry.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(Access, ABackupHasTheKeysAndARestoreKeepsWhatWasRevokedSince) {
  const std::string data = (folder / "data").string();
  const std::string copy = (folder / "copy").string();
  ASSERT_EQ(run_holdfast({"backup", "--data", data, copy}).status, 0);
  struct stat status{};
  ASSERT_EQ(::stat(copy.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const Headers session = new_session(*client);
  server->stop();
  ASSERT_EQ(run_holdfast({"restore", "--data", (folder / "restored").string(), copy}).status, 0);
  {
    Server restored({.data = folder / "restored"});
    Client other = restored.connect();
    EXPECT_EQ(other.get("/v1/events", bearer(keys["read"])).status, 200);
    EXPECT_EQ(other.get("/v1/events", session).status, 200) << "the same secret";
    EXPECT_EQ(other.get("/v1/events").status, 401);
  }
  ASSERT_EQ(run_holdfast({"keys", "revoke", "--data", (folder / "restored").string(), id_of_last_key(folder / "restored")}).status, 0);
  const std::string list = run_holdfast({"keys", "list", "--data", (folder / "restored").string()}).out;
  for (const char* file : {"journal.db", "state.db"}) std::filesystem::remove(folder / "restored" / file);
  ASSERT_EQ(run_holdfast({"restore", "--data", (folder / "restored").string(), copy}).status, 0);
  EXPECT_EQ(run_holdfast({"keys", "list", "--data", (folder / "restored").string()}).out, list);
}

TEST_F(Access, TheSameIdempotencyKeyOfTwoCallersIsTwoKeys) {
  Headers one = new_session(*client);
  Headers two = new_session(*client);
  one.emplace_back("Idempotency-Key", "same");
  two.emplace_back("Idempotency-Key", "same");
  const Answer first = hold_as(one, 0);
  ASSERT_EQ(first.status, 201) << first;
  EXPECT_EQ(hold_as(one, 0).header("Idempotency-Replayed"), "true");
  expect_v1_problem(hold_as(two, 0), 409, "seat_unavailable");
}

TEST_F(Access, AnImportSendsTheKeyFromItsEnvironment) {
  const std::vector<std::string> import = {"import", "--server", server->url(),
                                           "--name", "Theatre",  std::string(HOLDFAST_VENUES) + "/theatre.seating-plan.json"};
  EXPECT_THAT(run_holdfast(import).err, HasSubstr("401"));
  EXPECT_THAT(run_holdfast(import, {{"HOLDFAST_API_KEY", keys["read"]}}).err, HasSubstr("403"));
  EXPECT_EQ(run_holdfast(import, {{"HOLDFAST_API_KEY", "not-a-key"}}).status, 2);
  const Finished imported = run_holdfast(import, {{"HOLDFAST_API_KEY", keys["admin"]}});
  EXPECT_EQ(imported.status, 0) << imported.everything();
}

// --- sessions ---

TEST_F(Access, ASessionIsACustomerWithACookieThatScriptsCannotRead) {
  const Answer made = client->post("/v1/sessions", "");
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(members_of(made.json()), (std::set<std::string>{"customerId", "expiresAt"}));
  EXPECT_THAT(
      made.header("Set-Cookie"),
      testing::MatchesRegex("holdfast_session=[-_A-Za-z0-9]+[.][-_A-Za-z0-9]{43}; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict"));
  EXPECT_EQ(made.header("Cache-Control"), "no-store");
  const Headers session = {{"Cookie", "a=b; " + made.header("Set-Cookie").substr(0, made.header("Set-Cookie").find(';'))}};
  EXPECT_EQ(client->post("/v1/sessions", "{}", session).json().at("customerId"), made.json().at("customerId")) << "renewed";
  const Answer forgotten = client->request("DELETE", "/v1/sessions", {}, session);
  EXPECT_EQ(forgotten.status, 204);
  EXPECT_THAT(forgotten.header("Set-Cookie"), HasSubstr("Max-Age=0"));
  expect_v1_problem(client->get("/v1/sessions"), 401, "unauthorized");
  expect_v1_problem(client->post("/v1/sessions", R"({"customerId":"me"})"), 400, "invalid_request");
  expect_v1_problem(client->post("/v1/sessions?x=1", ""), 400, "invalid_request");
  EXPECT_EQ(client->get("/v1/events", {{"Cookie", session[0].second + "; " + session[0].second}}).status, 401) << "two of one name";
}

TEST_F(Access, ASessionIsRenewedUntilItsLongestLifeIsOver) {
  constexpr Millis k_day = 24 * 3'600'000;
  const Millis now = millis_of(client->get("/v1/server").json().at("now"));
  const SessionSecret secret = RegistryFile((folder / "data" / "registry.db").string()).session_secret();
  const auto renew = [&](Millis began) {
    const Session session{.customer = new_visitor(began), .expires_at = now + k_day};
    const Answer answer = client->post("/v1/sessions", "", {{"Cookie", "holdfast_session=" + sign(session, secret)}});
    EXPECT_EQ(answer.status, 201) << answer;
    const bool is_same = string_of(answer.json().at("customerId")) == session.customer;
    return std::pair(is_same, millis_of(answer.json().at("expiresAt")));
  };
  const auto young = renew(now - 10 * k_day);
  EXPECT_TRUE(young.first);
  EXPECT_GE(young.second, now + k_day - 60'000);
  const auto old = renew(now - 30 * k_day + 3'600'000);
  EXPECT_TRUE(old.first);
  EXPECT_LE(old.second, now + 3'600'000) << "not beyond 30 days";
  EXPECT_FALSE(renew(now - 31 * k_day).first) << "another customer";
}

TEST_F(Access, ASessionHoldsForItselfOnly) {
  const Headers session = new_session(*client);
  const std::string customer = customer_of(*client, session);
  const Answer held = hold_as(session, 0);
  ASSERT_EQ(held.status, 201) << held;
  EXPECT_EQ(string_of(held.json().at("customerId")), customer);
  EXPECT_EQ(hold_as(session, 1, R"(,"customerId":")" + customer + "\"").status, 201);
  expect_v1_problem(hold_as(session, 2, R"(,"customerId":"somebody")"), 403, "forbidden");
  expect_v1_problem(hold_as(bearer(keys["hold"]), 2), 400, "invalid_request");
}

TEST_F(Access, ASessionGets404ForAnotherCustomersReservation) {
  const Headers owner = new_session(*client);
  const Headers other = new_session(*client);
  const std::string id = string_of(hold_as(owner, 0).json().at("id"));
  const std::string none = "00000001-19c5-84df-8f12-6ae831d26241";
  const std::string add = R"({"seatIds":[")" + seats[1] + "\"]}";
  const std::vector<std::pair<std::string, std::string>> calls = {{"/add", add}, {"/extend", R"({"holdSeconds":60})"}, {"/release", "{}"}};
  const auto without_id = [&](const Answer& answer, const std::string& its) {
    return std::regex_replace(answer.body, std::regex(its), "ID");
  };
  for (const auto& [path, body] : calls) {
    const Answer theirs = client->post("/v1/reservations/" + id + path, body, other);
    expect_v1_problem(theirs, 404, "reservation_not_found");
    EXPECT_EQ(without_id(theirs, id), without_id(client->post("/v1/reservations/" + none + path, body, other), none));
  }
  expect_v1_problem(client->get("/v1/reservations/" + id, other), 404, "reservation_not_found");
  EXPECT_TRUE(client->get("/v1/seats/" + seats[0], other).json().at("reservationId").is_null());
  EXPECT_EQ(string_of(client->get("/v1/seats/" + seats[0], owner).json().at("reservationId")), id);
  EXPECT_EQ(client->get("/v1/reservations/" + id, owner).status, 200);
  for (const auto& [path, body] : calls) EXPECT_EQ(client->post("/v1/reservations/" + id + path, body, owner).status, 200) << path;
}

TEST_F(Access, AStrangePageCannotUseAVisitorsSession) {
  const Headers session = new_session(*client);
  const std::string own = "http://127.0.0.1:" + std::to_string(server->port());
  const auto from = [&](Headers more) {
    more.push_back(session[0]);
    if (more[0].first == "Origin") more.emplace_back("Host", own.substr(7));
    return client->post("/v1/sessions", "", more).status;
  };
  EXPECT_EQ(from({{"Origin", "https://evil.example"}}), 403);
  EXPECT_EQ(from({{"Origin", "null"}}), 403);
  EXPECT_EQ(from({{"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(from({{"Sec-Fetch-Site", "same-site"}}), 403);
  EXPECT_EQ(from({{"Sec-Fetch-Site", "same-origin"}}), 201);
  EXPECT_EQ(from({{"Origin", own}}), 201);
  Headers strange = session;
  strange.emplace_back("Sec-Fetch-Site", "cross-site");
  expect_v1_problem(hold_as(strange, 0), 403, "forbidden");
  EXPECT_EQ(client->get("/v1/events", strange).status, 200) << "without CORS the page cannot read the answer";
}

// --- pages of other origins ---

// Written from the docs and not from the code: everything but GET, and the one GET that records something.
bool changes_something(const api::Route& route) { return route.method != "GET" || route.path == "/tickets_unlock"; }

void expect_forbidden(const Answer& answer, const api::Route& route) {
  SCOPED_TRACE(std::string(route.method) + " " + std::string(route.path));
  switch (route.group) {
    case api::Group::contract1: return expect_contract_1_problem(answer, 403, "forbidden");
    case api::Group::contract2:
      expect_contract_2_refusal(answer, 403);
      EXPECT_EQ(string_of(answer.json().at("data").at("code")), "forbidden");
      return;
    default: return expect_v1_problem(answer, 403, "forbidden");
  }
}

// Calls every route that changes something, and passes each answer to `check`.
template <typename Check>
void walk_changing_routes(Client& client, const Headers& headers, Check check, bool demo = false) {
  api::Metrics metrics;
  const api::Router router(metrics, demo);
  std::size_t walked = 0;
  for (const api::Route& route : router.routes()) {
    if (!changes_something(route)) continue;
    check(client.request(route.method, path_of(route), route.method == "GET" ? "" : "{}", headers), route);
    ++walked;
  }
  EXPECT_GE(walked, 20U);
}

std::vector<Headers> headers_of_strange_pages() {
  return {{{"Origin", "https://evil.example"}},
          {{"Origin", "null"}},
          {{"Sec-Fetch-Site", "cross-site"}},
          {{"Sec-Fetch-Site", "same-site"}},
          {{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}}};
}

const auto k_is_let_in = [](const Answer& answer, const api::Route& route) {
  EXPECT_NE(answer.status, 403) << route.method << " " << route.path << ": " << answer;
};

TEST(StrangePages, ChangeNothingOnAServerWithoutKeys) {
  Server server({.flags = {"--demo"}});
  Client client = server.connect();
  for (const Headers& page : headers_of_strange_pages()) walk_changing_routes(client, page, expect_forbidden, true);
  const TestEvent event = make_event(client, 2);
  // A request that a form, or `fetch` with `no-cors`, sends without a preflight: a body without a Content-Type.
  const Answer locked =
      client.post("/tickets_lock", lock_body(event.seats, 86'400), {{"Content-Type", ""}, {"Origin", "https://evil.example"}});
  expect_contract_2_refusal(locked, 403);
  EXPECT_EQ(letters(client, event), "aa");
  const std::string own = "127.0.0.1:" + std::to_string(server.port());
  const auto not_as_a_page = [](const Answer& answer, const api::Route& route) {
    if (route.path != "/v1/demo/payments") k_is_let_in(answer, route);   // which is for sessions
  };
  for (const Headers& caller : std::vector<Headers>{
           {}, {{"Host", own}, {"Origin", "http://" + own}}, {{"Sec-Fetch-Site", "same-origin"}}, {{"Sec-Fetch-Site", "none"}}}) {
    walk_changing_routes(client, caller, not_as_a_page, true);
  }
}

TEST(StrangePages, WithAReboundNameChangeNothingThroughTheContractsEither) {
  Server server;
  Client client = server.connect();
  for (const char* path : {"/reservations", "/tickets_lock", "/tickets_unlock", "/tickets_unlock_param"}) {
    const Headers page = {{"Host", "evil.example:80"}, {"Origin", "http://evil.example:80"}};
    EXPECT_EQ(client.post(path, "{}", page).status, 403) << path;
    EXPECT_EQ(client.post(path, "{}", {{"Host", "evil.example"}, {"Sec-Fetch-Site", "same-origin"}}).status, 403) << path;
    EXPECT_NE(client.post(path, "{}", {{"Host", "tickets.internal"}}).status, 403) << path << ": programs may call by any name";
  }
}

TEST_F(Access, AStrangePageChangesNothingWithAnyKey) {
  Headers callers = bearer(keys["admin"]);
  for (const Headers& page : headers_of_strange_pages()) {
    walk_changing_routes(*client, page, expect_forbidden);
    Headers with_key = page;
    with_key.push_back(callers[0]);
    walk_changing_routes(*client, with_key, expect_forbidden);
  }
  walk_changing_routes(*client, callers, k_is_let_in);
}

// --- drafts ---

struct Reader {
  const char* what;
  Headers headers;
};

class Drafts : public Access {
 protected:
  void SetUp() override {
    Access::SetUp();
    const std::string more = R"("id":")" + draft.id + R"(","status":"draft")";
    ASSERT_EQ(client->post("/v1/events", event_body(draft.seats, more), bearer(keys["admin"])).status, 201);
    const Headers session = new_session(*client);
    strangers = {{"nobody", {}}, {"a session", session}, {"hold", bearer(keys["hold"])}, {"sell", bearer(keys["sell"])}};
    strangers.push_back({"an unknown key", bearer("hf_" + std::string(43, 'A'))});
    readers = {{"read", bearer(keys["read"])}, {"admin", bearer(keys["admin"])}};
  }
  std::vector<std::string> flags() override {
    return {"--limits-requests-per-second-customer", "0", "--access-anonymous", "contract1,contract2"};
  }
  void set_status(const char* status) {
    const std::string body = std::string(R"({"status":")") + status + "\"}";
    ASSERT_EQ(client->request("PATCH", "/v1/events/" + draft.id, body, bearer(keys["admin"])).status, 200);
  }
  std::vector<std::string> paths() const {
    const std::string event = "/v1/events/" + draft.id;
    return {event + "/plan",
            event + "/states",
            event,
            event + "/seats",
            "/v1/seats/" + draft[0],
            event + "/changes",
            "/v1/seats/" + draft[0] + "/history",
            "/v1/reservations?eventId=" + draft.id};
  }

  double metric_with(const Headers& reader, const std::string& name) {
    const std::string text = client->get("/metrics", reader).body;
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }

  const TestEvent draft{new_uuid(), {new_uuid(), new_uuid()}};
  std::vector<Reader> strangers;
  std::vector<Reader> readers;
};

TEST_F(Drafts, AreVisibleOnlyToKeysThatMayRead) {
  const TestEvent none{new_uuid(), {new_uuid()}};
  for (const std::string& path : paths()) {
    std::string path_of_none = path;
    for (const auto& [from, to] : {std::pair(draft.id, none.id), std::pair(draft[0], none[0])}) {
      if (const std::size_t at = path_of_none.find(from); at != std::string::npos) path_of_none.replace(at, from.size(), to);
    }
    for (const Reader& reader : readers) EXPECT_EQ(client->get(path, reader.headers).status, 200) << path << " with " << reader.what;
    for (const Reader& stranger : strangers) {
      for (const Headers& more : std::vector<Headers>{{}, {{"If-None-Match", "\"plan-1\""}}, {{"If-None-Match", "*"}}}) {
        Headers headers = stranger.headers;
        headers.insert(headers.end(), more.begin(), more.end());
        const Answer hidden = client->get(path, headers);
        const Answer nothing = client->get(path_of_none, headers);
        EXPECT_EQ(hidden.status, nothing.status) << path << " by " << stranger.what << ": " << hidden;
        EXPECT_GE(hidden.status, 401) << path << " by " << stranger.what << ": " << hidden;
        EXPECT_EQ(hidden.json().at("code"), nothing.json().at("code")) << path << " by " << stranger.what;
        EXPECT_EQ(hidden.header("Cache-Control"), nothing.header("Cache-Control")) << path << " by " << stranger.what;
        EXPECT_FALSE(hidden.has("ETag")) << path << " by " << stranger.what;
      }
    }
  }
  const Answer live = client->get("/v1/events/" + draft.id + "/live");
  expect_v1_problem(live, 404, "event_not_found");
  EXPECT_EQ(live.header("Cache-Control"), "no-store") << "it may be on sale a moment later";
  for (const char* part : {"/plan", "/states"}) {
    const Answer shown = client->get("/v1/events/" + draft.id + part, bearer(keys["admin"]));
    EXPECT_EQ(shown.header("Cache-Control"), "no-store") << "no cache may show it to others";
  }
}

TEST_F(Drafts, AreListedOnlyForThoseWhoMaySeeThem) {
  const auto listed = [&](const Headers& caller) {
    std::vector<std::string> ids;
    std::string cursor;
    do {
      const Json page = client->get("/v1/events?limit=1" + (cursor.empty() ? "" : "&cursor=" + cursor), caller).json();
      for (const Json& event : page.at("items").as_array()) ids.push_back(string_of(event.at("id")));
      cursor = page.at("nextCursor").is_null() ? "" : string_of(page.at("nextCursor"));
      if (page.at("items").as_array().empty()) EXPECT_TRUE(cursor.empty());
    } while (!cursor.empty());
    return ids;
  };
  EXPECT_THAT(listed(bearer(keys["read"])), testing::Contains(draft.id));
  const auto of_a_session = listed(strangers[1].headers);
  EXPECT_THAT(of_a_session, Not(testing::Contains(draft.id)));
  EXPECT_EQ(of_a_session.size(), 1U);
}

TEST_F(Drafts, TheirSeatsCannotBeHeldByCallersWhoMayNotSeeThem) {
  const Headers holder = bearer(keys["hold"]);
  const Answer one = hold(*client, "c", {draft[0]}, {}, holder);
  expect_v1_problem(one, 404, "seat_not_found");
  EXPECT_EQ(one.json().at("seatIds"), parse_json(json_of(std::vector<std::string>{draft[0]})));
  expect_v1_problem(hold(*client, "c", {seats[0], draft[0]}, {}, holder), 404, "seat_not_found");
  for (const std::string& more : {std::string(R"("quantity":1)"), std::string(R"("quantity":1,"section":"nowhere")")}) {
    const std::string body = R"({"customerId":"c","bestAvailable":{"eventId":")" + draft.id + "\"," + more + "}}";
    expect_v1_problem(client->post("/v1/reservations", body, holder), 404, "event_not_found");
  }
  expect_contract_1_problem(reserve(*client, draft[0], "c"), 404, "seat_not_found");
  expect_contract_1_problem(reserve(*client, draft[0], "c", holder), 404, "seat_not_found");
  const Answer locked = lock_tickets(*client, {draft[0], seats[0]});
  expect_contract_2_refusal(locked, 400);
  const std::string unknown = new_uuid();
  std::string like_unknown = lock_tickets(*client, {unknown, seats[0]}).body;
  like_unknown.replace(like_unknown.find(unknown), unknown.size(), draft[0]);
  EXPECT_EQ(locked.body, like_unknown);
  expect_contract_1_problem(reserve(*client, draft[0], "c", bearer(keys["admin"])), 409, "event_not_on_sale");
}

TEST_F(Drafts, BeginAndEndWithTheStatus) {
  set_status("on_sale");
  const std::string path = "/v1/events/" + draft.id;
  EXPECT_EQ(client->get(path + "/plan").header("Cache-Control"), "public, max-age=31536000, immutable");
  const Headers session = strangers[1].headers;
  const Answer held = client->post("/v1/reservations", R"({"seatIds":[")" + draft[0] + "\"]}", session);
  ASSERT_EQ(held.status, 201) << held;
  const auto listeners = [&] { return metric_with(bearer(keys["read"]), "holdfast_live_listeners"); };
  Client listener = server->connect();
  listener.write(request_bytes("GET", path + "/live"));
  ASSERT_TRUE(eventually([&] { return listeners() == 1; }));
  set_status("draft");
  EXPECT_TRUE(eventually([&] { return listeners() == 0; })) << "its stream has ended";
  EXPECT_EQ(client->get(path + "/states").status, 404);
  Client of_a_reader = server->connect();
  of_a_reader.write(request_bytes("GET", path + "/live", {}, bearer(keys["read"])));
  EXPECT_TRUE(eventually([&] { return listeners() == 1; })) << "who may see a draft may listen";
  const std::string reservation = "/v1/reservations/" + string_of(held.json().at("id"));
  EXPECT_EQ(client->get(reservation, session).status, 200) << "a reservation stays its owner's";
  EXPECT_EQ(client->post(reservation + "/release", R"({"seatIds":[")" + draft[0] + "\"]}", session).status, 200);
}

TEST(OpenServer, ShowsDraftsToEveryoneExceptSessions) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 1, R"("status":"draft")");
  const Headers session = new_session(client);
  for (const std::string& path : {"/v1/events/" + event.id, "/v1/events/" + event.id + "/plan", "/v1/seats/" + event[0]}) {
    EXPECT_EQ(client.get(path).status, 200) << path;
    EXPECT_EQ(client.get(path, session).status, 404) << path;
  }
  EXPECT_EQ(client.get("/v1/events/" + event.id + "/plan", {{"Host", "evil.example"}}).status, 404) << "a page of a rebound name";
}

// --- rates ---

class Rates : public Access {
  std::vector<std::string> flags() override {
    return {"--limits-requests-per-second-customer", "1", "--limits-requests-per-second-key", "1000",
            "--limits-sessions-per-minute-address",  "2"};
  }
};

TEST_F(Rates, OverTheLimitIs429WithRetryAfter) {
  const Headers session = new_session(*client);
  Answer last;
  for (int i = 0; i < 50 && last.status != 429; ++i) last = client->get("/v1/events", session);
  expect_v1_problem(last, 429, "rate_limited");
  EXPECT_EQ(last.header("Retry-After"), "1");
  Answer made;
  for (int i = 0; i < 5 && made.status != 429; ++i) made = client->post("/v1/sessions", "");
  expect_v1_problem(made, 429, "rate_limited");
  EXPECT_GE(std::stoi(made.header("Retry-After")), 1);
  EXPECT_EQ(client->get("/v1/events", bearer(keys["read"])).status, 200) << "a key has a bucket of its own";
}

// --- origins ---

class Origins : public Access {
  std::vector<std::string> flags() override { return {"--cors-origins", "https://shop.example"}; }
};

TEST_F(Origins, APageOfAListedOriginMayChangeWhatItsKeyMay) {
  Headers page = bearer(keys["admin"]);
  page.emplace_back("Origin", "https://shop.example");
  walk_changing_routes(*client, page, k_is_let_in);
  page.emplace_back("Sec-Fetch-Site", "cross-site");
  walk_changing_routes(*client, page, k_is_let_in);
}

TEST_F(Origins, AListedOriginMayCallAndReadAndAnyOtherMayNot) {
  const Headers ahead = {{"Origin", "https://shop.example"}, {"Access-Control-Request-Method", "POST"}};
  const Answer preflight = client->request("OPTIONS", "/v1/reservations", {}, ahead);
  EXPECT_EQ(preflight.status, 204) << preflight;
  EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "https://shop.example");
  EXPECT_EQ(preflight.header("Access-Control-Allow-Credentials"), "true");
  EXPECT_THAT(preflight.header("Access-Control-Allow-Methods"), HasSubstr("POST"));
  EXPECT_THAT(preflight.header("Access-Control-Allow-Headers"), HasSubstr("Idempotency-Key"));
  EXPECT_EQ(client->request("OPTIONS", "/nowhere", {}, ahead).status, 404);
  const Answer read = client->get("/v1/events", {{"Origin", "https://shop.example"}});
  EXPECT_EQ(read.status, 401);
  EXPECT_EQ(read.header("Access-Control-Allow-Origin"), "https://shop.example") << "errors can be read too";
  EXPECT_THAT(read.header("Access-Control-Expose-Headers"), HasSubstr("Retry-After"));
  EXPECT_EQ(client->post("/v1/sessions", "", {{"Origin", "https://shop.example"}, {"Sec-Fetch-Site", "same-site"}}).status, 201);
  for (const char* origin : {"https://shop.example.evil", "http://shop.example", "https://shop.example:444", "null"}) {
    const Answer strange =
        client->request("OPTIONS", "/v1/reservations", {}, {{"Origin", origin}, {"Access-Control-Request-Method", "POST"}});
    EXPECT_EQ(strange.status, 405) << origin;
    EXPECT_FALSE(strange.has("Access-Control-Allow-Origin")) << origin;
    EXPECT_EQ(strange.header("Vary"), "Origin");
  }
}

TEST_F(Access, WithoutListedOriginsOptionsIsNotTaken) {
  const Answer preflight =
      client->request("OPTIONS", "/v1/reservations", {}, {{"Origin", "https://shop.example"}, {"Access-Control-Request-Method", "POST"}});
  EXPECT_EQ(preflight.status, 405);
  EXPECT_FALSE(preflight.has("Vary"));
}

// --- starting ---

TEST(OpenServer, ClosesWithItsFirstKeyAndNeverOpensAgain) {
  Server server;
  Client client = server.connect();
  EXPECT_EQ(client.get("/v1/events").status, 200);
  EXPECT_TRUE(server.says("no keys are configured"));
  make_key(server.data(), "read");
  EXPECT_TRUE(eventually([&] { return client.get("/v1/events").status == 401; }));
  ASSERT_EQ(run_holdfast({"keys", "revoke", "--data", server.data().string(), id_of_last_key(server.data())}).status, 0);
  server.stop();
  server.start();
  EXPECT_EQ(server.connect().get("/v1/events").status, 401);
}

TEST(OpenServer, AdmitsSessionsAsCustomersAndNoStrangePages) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 2);
  const Headers session = new_session(client);
  const std::string body = R"({"seatIds":[")" + event[0] + "\"]}";
  expect_v1_problem(client.post("/v1/reservations", body, {{"Sec-Fetch-Site", "cross-site"}}), 403, "forbidden");
  const Answer held = client.post("/v1/reservations", body, session);
  ASSERT_EQ(held.status, 201) << held;
  const std::string path = "/v1/reservations/" + string_of(held.json().at("id"));
  EXPECT_EQ(client.get(path, new_session(client)).status, 404);
  EXPECT_EQ(client.get(path).status, 200) << "without a cookie everybody is let in";
}

TEST(OpenServer, AnswersOnlyUnderItsOwnNamesAndRefusesReboundPages) {
  Server server;
  Client client = server.connect();
  for (const char* own : {"localhost", "LocalHost:50002", "shop.localhost:1", "127.0.0.1", "127.0.0.1:50002", "[::1]", "[::1]:50002"}) {
    EXPECT_EQ(client.get("/v1/events", {{"Host", own}}).status, 200) << own;
  }
  for (const char* strange : {"evil.example", "evil.example:50002", "localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example"}) {
    expect_v1_problem(client.get("/v1/events", {{"Host", strange}}), 403, "forbidden");
    expect_v1_problem(client.post("/v1/events", "{}", {{"Host", strange}, {"Sec-Fetch-Site", "same-origin"}}), 403, "forbidden");
    EXPECT_EQ(client.get("/reservations/x", {{"Host", strange}}).status, 404) << "a contract's clients call it as they always did";
    EXPECT_EQ(client.get("/healthz", {{"Host", strange}}).status, 200);
  }
}

TEST(BeyondLoopback, AKeyOrAConfiguredContractIsRequired) {
  const TempFolder folder;
  const Finished refused = failing_start({.flags = {"--listen", "0.0.0.0"}, .data = folder / "data"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("keys create"));
  EXPECT_FALSE(std::filesystem::exists(folder / "data" / "journal.db")) << "nothing was made";
  const std::string token = make_key(folder / "data", "hold");
  Server server({.flags = {"--listen", "0.0.0.0"}, .data = folder / "data"});
  Client client = server.connect();
  expect_contract_1_problem(reserve(client, new_uuid(), "c"), 401, "unauthorized");
  expect_contract_1_problem(reserve(client, new_uuid(), "c", bearer(token)), 404, "seat_not_found");
  const Answer session = client.post("/v1/sessions", "");
  EXPECT_THAT(session.header("Set-Cookie"),
              testing::MatchesRegex("__Host-holdfast_session=[^;]+; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict; Secure"));
  const std::string cookie = session.header("Set-Cookie").substr(0, session.header("Set-Cookie").find(';'));
  EXPECT_EQ(client.get("/v1/sessions", {{"Cookie", cookie}}).status, 200);
  EXPECT_EQ(client.get("/v1/sessions", {{"Cookie", cookie.substr(7)}}).status, 401) << "without the prefix anybody may have set it";
  const Answer ended = client.request("DELETE", "/v1/sessions", {}, {{"Cookie", cookie}});
  EXPECT_EQ(ended.header("Set-Cookie"), "__Host-holdfast_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure");
}

TEST(BeyondLoopback, AConfiguredContractNeedsNoKeyEvenIfKeysExist) {
  const TempFolder folder;
  make_key(folder / "data", "read");
  Server server({.flags = {"--listen", "0.0.0.0", "--access-anonymous", "contract1"}, .data = folder / "data"});
  Client client = server.connect();
  expect_contract_1_problem(reserve(client, new_uuid(), "c"), 404, "seat_not_found");
  expect_contract_1_problem(reserve(client, new_uuid(), "c", bearer("hf_wrong")), 404, "seat_not_found");
  expect_contract_2_refusal(lock_tickets(client, {"x"}), 401);
}

// Contract 1's release of a seat may end contract 2's ticket locks.
TEST(BeyondLoopback, WithoutAKeyContract1EndsNoTicketLockThatNeedsOne) {
  const TempFolder folder;
  const std::string admin = make_key(folder / "data", "admin");
  const std::string hold = make_key(folder / "data", "hold");
  const std::string read = make_key(folder / "data", "read");
  const std::string seat = new_uuid();
  const auto release = [&](Client& client, const Headers& caller) {
    return client.request("PUT", "/api/v1/seats/" + seat + "/release", "", caller);
  };
  {
    Server server({.flags = {"--listen", "0.0.0.0", "--access-anonymous", "contract1"}, .data = folder / "data"});
    Client client = server.connect();
    ASSERT_EQ(client.post("/v1/events", event_body({seat}), bearer(admin)).status, 201);
    EXPECT_EQ(release(client, {}).status, 200) << "a free seat is nobody's";
    ASSERT_EQ(lock_tickets(client, {seat}, 600, bearer(hold)).status, 200);
    expect_contract_1_problem(release(client, {}), 401, "unauthorized");
    expect_contract_1_problem(release(client, bearer("hf_wrong")), 401, "unauthorized");
    expect_contract_1_problem(release(client, bearer(read)), 403, "forbidden");
    EXPECT_EQ(string_of(client.get("/v1/seats/" + seat, bearer(admin)).json().at("state")), "held");
    EXPECT_EQ(release(client, bearer(hold)).status, 200);
    ASSERT_EQ(lock_tickets(client, {seat}, 600, bearer(hold)).status, 200);
  }
  Server server({.flags = {"--listen", "0.0.0.0", "--access-anonymous", "contract1,contract2"}, .data = folder / "data"});
  Client client = server.connect();
  EXPECT_EQ(release(client, {}).status, 200) << "anybody may end one through contract 2";
}

// The possible states of registry.db beside data whose server was killed; its log has the last changes.
struct Loss {
  const char* name;
  void (*act)(const std::filesystem::path& data);
};
const Loss k_losses[] = {
    {"AllOfIt",
     [](const std::filesystem::path& data) {
       for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(data / (std::string("registry.db") + suffix));
     }},
    {"TheLog", [](const std::filesystem::path& data) { std::filesystem::remove(data / "registry.db-wal"); }},
    {"HalfOfTheLog",
     [](const std::filesystem::path& data) {
       const auto log = data / "registry.db-wal";
       std::filesystem::resize_file(log, std::filesystem::file_size(log) / 2);
     }},
    {"ABitOfTheLog",
     [](const std::filesystem::path& data) {
       std::string log = read_file(data / "registry.db-wal");
       log[100] = static_cast<char>(log[100] ^ 1);
       write_file(data / "registry.db-wal", log);
     }},
};

class LostRegistry : public testing::TestWithParam<Loss> {};

INSTANTIATE_TEST_SUITE_P(Loses, LostRegistry, testing::ValuesIn(k_losses), [](const auto& loss) { return std::string(loss.param.name); });

TEST_P(LostRegistry, IsNotTakenForOneWithoutKeysOrWithRevokedOnes) {
  const TempFolder folder;
  const std::string data = (folder / "data").string();
  {
    Server server({.data = data});
    Client client = server.connect();
    make_key(data, "admin");
    const std::string revoked = make_key(data, "admin");
    ASSERT_EQ(run_holdfast({"keys", "revoke", "--data", data, id_of_last_key(data)}).status, 0);
    ASSERT_TRUE(eventually([&] { return client.get("/v1/events", bearer(revoked)).status == 401; }));
    server.kill();
  }
  GetParam().act(data);
  EXPECT_THAT(failing_start({.data = data}).err, HasSubstr("keys accept"));
  for (const std::vector<std::string>& command : {std::vector<std::string>{"list"}, {"create", "--name", "n", "--scopes", "read"}}) {
    std::vector<std::string> arguments{"keys", "--data", data};
    arguments.insert(arguments.begin() + 1, command.begin(), command.end());
    const Finished refused = run_holdfast(arguments);
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("registry.db"));
  }
  const Finished accepted = run_holdfast({"keys", "accept", "--data", data});
  EXPECT_EQ(accepted.status, 0) << accepted.everything();
  make_key(data, "read");
  Server server({.data = data});
  EXPECT_EQ(server.connect().get("/v1/events").status, 401);
}

TEST(Registry, AChangeThatACrashLeftUnnotedIsAccepted) {
  const TempFolder folder;
  const std::string data = (folder / "data").string();
  { Server server({.data = data}); }
  const std::string noted = read_file(folder / "data" / "journal.head");
  const std::string key = make_key(data, "read");
  write_file(folder / "data" / "journal.head", noted);
  Server server({.data = data});
  EXPECT_EQ(server.connect().get("/v1/events", bearer(key)).status, 200);
  server.stop();
  EXPECT_NE(read_file(folder / "data" / "journal.head"), noted);
}

TEST(Registry, ADamagedOneIsRefusedByName) {
  const TempFolder folder;
  make_key(folder / "data", "read");
  write_file(folder / "data" / "registry.db", std::string(16'384, 'x'));
  EXPECT_THAT(failing_start({.data = folder / "data"}).err, HasSubstr("registry.db"));
  std::filesystem::resize_file(folder / "data" / "registry.db", 0);
  EXPECT_THAT(failing_start({.data = folder / "data"}).err, HasSubstr("registry.db"));
}

// --- command line ---

TEST(Keys, WrongUseIsNamed) {
  const TempFolder folder;
  const std::string data = (folder / "data").string();
  const auto create = [&](const std::string& name, const std::string& scopes, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"keys", "create", "--data", data, "--name", name, "--scopes", scopes};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_holdfast(arguments);
  };
  for (const Finished& wrong :
       {create("n", "everything", {}), create("n", "read,", {}), create(" ", "read", {}), create("a\nb", "read", {}),
        create(std::string(101, 'n'), "read", {}), create("n", "read", {"--expires-days", "0"}),
        create("n", "read", {"--expires-days", "36501"}), create("n", "read", {"--expires-days", "x"}), run_holdfast({"keys"}),
        run_holdfast({"keys", "delete"}), run_holdfast({"keys", "create", "--data", data})}) {
    EXPECT_EQ(wrong.status, 2) << wrong.everything();
    EXPECT_THAT(wrong.out, Not(HasSubstr("hf_")));
  }
  EXPECT_FALSE(std::filesystem::exists(data)) << "nothing was made";
  EXPECT_EQ(run_holdfast({"keys", "list", "--data", data}).status, 1);
  const std::string token = make_key(data, "read,sell");
  EXPECT_EQ(run_holdfast({"keys", "revoke", "--data", data, "knone"}).status, 2);
  const std::string list = run_holdfast({"keys", "list", "--data", data}).out;
  EXPECT_THAT(list, HasSubstr("read,sell"));
  EXPECT_THAT(list, Not(HasSubstr(token)));
}

}  // namespace
}  // namespace holdfast::test
