// /v1/webhooks: the endpoints to which changes are sent (docs/api.md).
#include "feed/webhooks/webhooks.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "access/random.h"
#include "api/background.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "api/query.h"
#include "api/request_facts.h"
#include "api/v1/members.h"
#include "core/bytes.h"
#include "feed/webhooks/signature.h"
#include "http/outgoing_client.h"
#include "json/fields.h"

namespace holdfast::api {
namespace {

using feed::Endpoint;
using feed::EndpointReport;
using feed::WebhookStore;

constexpr std::size_t k_type_bytes_max = 32;
constexpr std::size_t k_secret_text_bytes_max = 128;
constexpr std::size_t k_message_ids_max = 1'000;
constexpr std::size_t k_message_id_bytes_max = 128;

// ---- requests

// Runs work that uses the store, and so waits for the disk, on a background thread. False if it failed; then the answer is there (503).
template <typename Work>
boost::asio::awaitable<bool> ask_store(Call& call, Work work) {
  std::string problem;
  co_await call.services.background.run([&] {
    try {
      work(call.services.webhooks.store());
    } catch (const std::exception& error) {
      problem = error.what();
    }
  });
  if (problem.empty()) co_return true;
  fail(call, {503, k_unavailable, "The server cannot read or write its webhooks at the moment. Try again in a moment."});
  const LogMembers members(facts_of(call, nullptr));
  spdlog::error("request {}: {}", call.request.request_id, problem);
  co_return false;
}

Fault not_found(Call& call) { return {404, "webhook_not_found", "There is no webhook " + call.parameters[0] + "."}; }

// The id in the path. Nothing if no webhook can have it; then the answer is there (404).
std::optional<Uuid> read_id(Call& call) {
  const auto id = parse_uuid(call.parameters[0]);
  if (!id) fail(call, not_found(call));
  return id;
}

// What a body says about a webhook. Absent members are not set.
struct Wish {
  std::optional<std::string> url{};
  std::optional<feed::KindSet> kinds{};
  std::optional<std::string> secret{};   // bytes
  std::optional<bool> enabled{};
  std::optional<std::string> description{};
};

std::optional<ChangeKind> kind_named(std::string_view name) {
  for (auto kind = static_cast<unsigned>(ChangeKind::event_created); kind <= static_cast<unsigned>(ChangeKind::unblocked); ++kind) {
    if (name == name_of(static_cast<ChangeKind>(kind))) return static_cast<ChangeKind>(kind);
  }
  return std::nullopt;
}

std::string names_of_kinds() {
  std::string names;
  for (unsigned each = 1; each <= static_cast<unsigned>(ChangeKind::unblocked); ++each) {
    names.append(names.empty() ? "" : ", ").append(name_of(static_cast<ChangeKind>(each)));
  }
  return names;
}

std::optional<feed::KindSet> read_kinds(const boost::json::object& object, FieldReader& fields) {
  const boost::json::value* list = object.if_contains("types");
  if (list == nullptr) return std::nullopt;
  if (!list->is_array() || list->get_array().empty()) {
    fields.reject("types", "must be an array of one or more types of changes");
    return std::nullopt;
  }
  feed::KindSet kinds = 0;
  for (const boost::json::value& item : list->get_array()) {
    const auto kind = item.is_string() && item.get_string().size() <= k_type_bytes_max ? kind_named(item.get_string()) : std::nullopt;
    if (!kind) {
      fields.reject("types", "has an item that is not a type of change; the types are " + names_of_kinds());
      return std::nullopt;
    }
    if ((kinds & feed::kind_bit(*kind)) != 0) {
      fields.reject("types", std::string("has ") + name_of(*kind) + " twice");
      return std::nullopt;
    }
    kinds |= feed::kind_bit(*kind);
  }
  return kinds;
}

std::optional<std::string> read_secret(FieldReader& fields) {
  const auto text = fields.text("secret", k_secret_text_bytes_max);
  if (!text) return std::nullopt;
  auto secret = feed::parse_secret(*text);
  if (!secret) fields.reject("secret", "must be whsec_ and 24 to 64 bytes in base64");
  return secret;
}

// The description may be empty.
std::optional<std::string> read_description(const boost::json::object& object, FieldReader& fields) {
  const boost::json::value* text = object.if_contains("description");
  if (text != nullptr && text->is_string() && text->get_string().empty()) return "";
  const auto description = fields.text("description", feed::k_description_bytes_max);
  return description ? std::optional<std::string>(*description) : std::nullopt;
}

// Reads a body about a webhook. Nothing if it is malformed; then the answer is there (400).
std::optional<Wish> read_wish(BodyReader& body, Required url_is_required) {
  if (!body.is_good()) return std::nullopt;
  FieldReader& fields = body.fields();
  Wish wish;
  if (const auto url = fields.text("url", http::k_outgoing_url_bytes_max, url_is_required)) {
    if (const auto parsed = http::parse_outgoing_url(*url); !parsed) fields.reject("url", parsed.error());
    wish.url = *url;
  }
  wish.kinds = read_kinds(body.object(), fields);
  wish.secret = read_secret(fields);
  wish.enabled = fields.flag("enabled");
  wish.description = read_description(body.object(), fields);
  return body.is_good() ? std::optional(std::move(wish)) : std::nullopt;
}

std::string new_secret() {
  std::uint8_t bytes[feed::k_new_secret_bytes];
  fill_random(bytes);
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

// Reads the Idempotency-Key in the form in which the store keeps it. False if it is malformed; then the answer is there (400).
bool read_call_key(Call& call, feed::CallKey& call_key) {
  std::optional<IdempotencyKey> key;
  if (!read_key(call, call.request.body, key)) return false;
  if (key) call_key = {std::string(as_bytes(key->key)), std::string(as_bytes(key->request))};
  return true;
}

Fault key_reused() { return {422, name_of(Reason::idempotency_key_reused), "This Idempotency-Key was used with another request."}; }

// ---- answers

void append_time(Json& json, std::string_view name, Millis at) { json.member_or_null(name, at == 0 ? "" : rfc3339(at)); }

// Writes the members of an endpoint into an open object. `lag` is nothing if it is unknown.
void append_endpoint(Json& json, const EndpointReport& report, std::optional<std::uint64_t> lag, Millis now) {
  const Endpoint& endpoint = report.endpoint;
  json.member("id", to_string(endpoint.id));
  json.member("url", endpoint.url);
  json.array("types", [&] {
    for (unsigned kind = 1; kind <= static_cast<unsigned>(ChangeKind::unblocked); ++kind) {
      if ((endpoint.kinds & feed::kind_bit(static_cast<ChangeKind>(kind))) != 0) json.text(name_of(static_cast<ChangeKind>(kind)));
    }
  });
  json.member("description", endpoint.description);
  json.member("status", endpoint.enabled ? "active" : "disabled");
  json.member_or_null("disabledBecause", endpoint.disabled_because);
  json.member("createdAt", rfc3339(endpoint.created_at));
  append_time(json, "previousSecretUntil", endpoint.previous_until > now ? endpoint.previous_until : 0);
  json.member("lag");
  lag ? json.number(static_cast<std::int64_t>(*lag)) : json.null();
  json.member("pending", report.pending);
  json.member("dead", report.dead);
  json.member("deadDropped", report.dead_dropped);
  append_time(json, "lastSuccessAt", report.last_success_at);
  append_time(json, "lastFailureAt", report.last_failure_at);
  json.member_or_null("lastError", report.last_error);
}

void answer_endpoint(Call& call, unsigned status, const EndpointReport& report, std::optional<std::uint64_t> lag,
                     bool with_secret = false) {
  Json json = with_secret ? begin_uncached_json(call, status) : begin_json(call, status);
  json.object([&] {
    append_endpoint(json, report, lag, call.services.webhooks.now());
    if (with_secret) json.member("secret", feed::secret_text(report.endpoint.secret));
  });
}

// Answers with the webhook as it is now.
Answer show(Call& call, Uuid id) {
  std::optional<EndpointReport> report;
  std::uint64_t lag = 0;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) {
    report = store.find(id);
    if (report) lag = call.services.webhooks.source().behind(report->endpoint.position);
  });
  if (!asked) co_return;
  if (!report) co_return fail(call, not_found(call));
  answer_endpoint(call, 200, *report, lag);
}

// Whether the server may call the addresses of a URL's host. If not, the answer is there (400).
boost::asio::awaitable<bool> check_host(Call& call, std::string url) {
  const std::string refusal = co_await call.services.webhooks.why_refused(std::move(url));
  const bool may_be_called = refusal.empty();
  if (!may_be_called) fail(call, {400, k_invalid_request, "`url` cannot be used: " + refusal + "."});
  co_return may_be_called;
}

}  // namespace

// POST /v1/webhooks
Answer create_webhook(Call& call) {
  if (!check_content_type(call, true)) co_return;
  BodyReader body(call, Required::yes, {"url", "types", "secret", "description"});
  auto wish = read_wish(body, Required::yes);
  feed::CallKey key;
  if (!wish || !read_call_key(call, key)) co_return;
  const bool is_allowed = co_await check_host(call, *wish->url);
  if (!is_allowed) co_return;
  EndpointReport report;
  report.endpoint = {.id = random_uuid(),
                     .url = std::move(*wish->url),
                     .kinds = wish->kinds.value_or(feed::k_all_kinds),
                     .secret = wish->secret ? std::move(*wish->secret) : new_secret(),
                     .description = wish->description.value_or(""),
                     .created_at = call.services.webhooks.now()};
  auto made = WebhookStore::Made::created;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) {
    report.endpoint.position = call.services.webhooks.source().end();
    made = store.create(report.endpoint, key);
  });
  if (!asked) co_return;
  if (made == WebhookStore::Made::key_reused) co_return fail(call, key_reused());
  if (made == WebhookStore::Made::too_many) {
    co_return fail(call, {409, "limit_exceeded", "There are already 100 webhooks, which is the maximum. Remove one first."});
  }
  if (made == WebhookStore::Made::replayed) {
    call.response.headers.emplace_back("Idempotency-Replayed", "true");
  } else {
    call.services.webhooks.changed(report.endpoint.id);
  }
  call.response.headers.emplace_back("Location", "/v1/webhooks/" + to_string(report.endpoint.id));
  answer_endpoint(call, 201, report, 0, true);
}

// GET /v1/webhooks
Answer list_webhooks(Call& call) {
  if (!Query::read(call, {})) co_return;
  std::vector<std::pair<EndpointReport, std::uint64_t>> reports;   // each with its lag
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) {
    for (EndpointReport& each : store.list()) {
      const std::uint64_t lag = call.services.webhooks.source().behind(each.endpoint.position);
      reports.emplace_back(std::move(each), lag);
    }
  });
  if (!asked) co_return;
  answer_page(call, reports, "", [&](Json& json, const auto& each) {   // all webhooks fit on one page
    json.object([&] { append_endpoint(json, each.first, each.second, call.services.webhooks.now()); });
  });
}

// GET /v1/webhooks/{webhookId}
Answer get_webhook(Call& call) {
  if (!Query::read(call, {})) co_return;
  const auto id = read_id(call);
  if (!id) co_return;
  co_await show(call, *id);
}

// PATCH /v1/webhooks/{webhookId}
Answer change_webhook(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto id = read_id(call);
  if (!id) co_return;
  BodyReader body(call, Required::yes, {"url", "types", "enabled", "description"},
                  {{"secret", "`POST …/rotate-secret` gives a new one"}, {"status", "`enabled` sets it"}, {"id", "it names the webhook"}});
  const auto wish = read_wish(body, Required::no);
  feed::CallKey key;   // only its form is checked: a change that is repeated changes nothing more
  if (!wish || !read_call_key(call, key)) co_return;
  if (wish->url) {
    const bool is_allowed = co_await check_host(call, *wish->url);
    if (!is_allowed) co_return;
  }
  bool changed = false;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) {
    changed = store.change(*id, [&](Endpoint& endpoint) {
      if (wish->url) endpoint.url = *wish->url;
      if (wish->kinds) endpoint.kinds = *wish->kinds;
      if (wish->description) endpoint.description = *wish->description;
      if (!wish->enabled) return;
      endpoint.enabled = *wish->enabled;
      endpoint.disabled_because.clear();
    });
  });
  if (!asked) co_return;
  if (!changed) co_return fail(call, not_found(call));
  call.services.webhooks.changed(*id);
  co_await show(call, *id);
}

// DELETE /v1/webhooks/{webhookId}
Answer delete_webhook(Call& call) {
  if (!takes_nothing(call)) co_return;
  const auto id = read_id(call);
  if (!id) co_return;
  bool removed = false;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) { removed = store.remove(*id); });
  if (!asked) co_return;
  if (!removed) co_return fail(call, not_found(call));
  call.services.webhooks.changed(*id);
  call.response.status = 204;
}

// POST /v1/webhooks/{webhookId}/rotate-secret
Answer rotate_webhook_secret(Call& call) {
  if (!check_content_type(call, false)) co_return;
  const auto id = read_id(call);
  if (!id) co_return;
  BodyReader body(call, Required::no, {"secret"});
  auto wish = read_wish(body, Required::no);
  feed::CallKey key;
  if (!wish || !read_call_key(call, key)) co_return;
  const std::string secret = wish->secret ? std::move(*wish->secret) : new_secret();
  auto changed = WebhookStore::Changed::changed;
  std::optional<EndpointReport> report;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) {
    changed = store.change_once(*id, key, [&](Endpoint& endpoint) {
      if (endpoint.secret == secret) return;
      endpoint.previous_secret = std::move(endpoint.secret);
      endpoint.previous_until = call.services.webhooks.now() + std::chrono::milliseconds(feed::k_rotation_time).count();
      endpoint.secret = secret;
    });
    report = store.find(*id);
  });
  if (!asked) co_return;
  if (changed == WebhookStore::Changed::key_reused) co_return fail(call, key_reused());
  if (changed == WebhookStore::Changed::not_found || !report) co_return fail(call, not_found(call));
  if (changed == WebhookStore::Changed::replayed) call.response.headers.emplace_back("Idempotency-Replayed", "true");
  call.services.webhooks.changed(*id);
  Json json = begin_uncached_json(call);
  json.object([&] {
    json.member("id", to_string(*id));
    json.member("secret", feed::secret_text(report->endpoint.secret));
    append_time(json, "previousSecretUntil", report->endpoint.previous_until);
  });
}

// GET /v1/webhooks/{webhookId}/dead
Answer list_dead_messages(Call& call) {
  const auto page = read_page(call);
  const auto id = page ? read_id(call) : std::nullopt;
  if (!id) co_return;
  const auto after = number_of(*page, INT64_MAX);
  if (!after) co_return fail(call, fault_of(ReadProblem{ReadProblem::Kind::bad_cursor}));
  bool is_there = false;
  std::vector<feed::QueuedMessage> messages;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) {
    is_there = store.find(*id).has_value();
    messages = store.dead(*id, static_cast<std::int64_t>(*after), page->limit + 1);
  });
  if (!asked) co_return;
  if (!is_there) co_return fail(call, not_found(call));
  const bool more = messages.size() > page->limit;
  if (more) messages.pop_back();
  answer_page(call, messages, more ? std::to_string(messages.back().number) : "", [](Json& json, const feed::QueuedMessage& each) {
    json.object([&] {
      json.member("id", each.id);
      json.member("type", name_of(each.kind));
      json.member("attempts", each.attempts);
      json.member("diedAt", rfc3339(each.died_at));
      json.member("lastError", each.last_error);
      json.member("message");
      json.raw(each.body);
    });
  });
}

// The ids in the member `ids`; empty if the member is absent. Leaves a problem with `fields`.
std::vector<std::string> read_message_ids(const boost::json::object& object, FieldReader& fields) {
  const boost::json::value* list = object.if_contains("ids");
  if (list == nullptr) return {};
  const auto is_id = [](const boost::json::value& each) {
    return each.is_string() && !each.get_string().empty() && each.get_string().size() <= k_message_id_bytes_max;
  };
  if (!list->is_array() || list->get_array().empty() || list->get_array().size() > k_message_ids_max ||
      !std::ranges::all_of(list->get_array(), is_id)) {
    fields.reject("ids", "must be an array of 1 to 1000 ids of dead messages");
    return {};
  }
  std::vector<std::string> ids;
  for (const boost::json::value& each : list->get_array()) ids.emplace_back(each.get_string());
  return ids;
}

// POST /v1/webhooks/{webhookId}/redeliver
Answer redeliver_dead_messages(Call& call) {
  if (!check_content_type(call, false)) co_return;
  const auto id = read_id(call);
  if (!id) co_return;
  BodyReader body(call, Required::no, {"ids"});
  feed::CallKey key;   // only its form is checked: a message that is in the queue again cannot be put there twice
  if (!body.is_good() || !read_call_key(call, key)) co_return;
  const std::vector<std::string> ids = read_message_ids(body.object(), body.fields());
  if (!body.is_good()) co_return;
  bool is_there = false;
  std::uint64_t revived = 0;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) {
    is_there = store.find(*id).has_value();
    if (is_there) revived = store.revive(*id, ids, call.services.webhooks.now());
  });
  if (!asked) co_return;
  if (!is_there) co_return fail(call, not_found(call));
  call.services.webhooks.changed(*id);
  Json json = begin_json(call);
  json.object([&] { json.member("redelivered", revived); });
}

// POST /v1/webhooks/{webhookId}/test
Answer test_webhook(Call& call) {
  if (!check_content_type(call, false)) co_return;
  const auto id = read_id(call);
  if (!id) co_return;
  BodyReader body(call, Required::no, {});
  feed::CallKey key;   // only its form is checked: a test may be repeated
  if (!body.is_good() || !read_call_key(call, key)) co_return;
  std::optional<EndpointReport> report;
  const bool asked = co_await ask_store(call, [&](WebhookStore& store) { report = store.find(*id); });
  if (!asked) co_return;
  if (!report) co_return fail(call, not_found(call));
  const auto started = std::chrono::steady_clock::now();
  const feed::Attempt attempt = co_await call.services.webhooks.ping(report->endpoint, "ping_" + to_string(random_uuid()));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  Json json = begin_json(call);
  json.object([&] {
    json.member("delivered", attempt.outcome == feed::Attempt::Outcome::delivered);
    json.member("status");
    attempt.status == 0 ? json.null() : json.number(std::int64_t{attempt.status});
    json.member_or_null("error", attempt.error);
    json.member("milliseconds", took.count());
  });
}

}  // namespace holdfast::api
