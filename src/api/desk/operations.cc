// /v1/operations: health, statistics and operators' actions, for the console (docs/api.md).
#include <fmt/format.h>

#include "api/access.h"
#include "api/background.h"
#include "api/desk/health.h"
#include "api/desk/metrics.h"
#include "api/desk/operator_log.h"
#include "api/endpoints.h"
#include "api/query.h"
#include "core/version.h"

namespace holdfast::api {
namespace {

void append_key(Json& json, std::string_view id, std::string_view name) {
  if (id.empty()) return json.member_or_null("key", "");
  json.object("key", [&] {
    json.member("id", id);
    json.member("name", name);
  });
}

void append_component(Json& json, const HealthComponent& each) {
  json.object([&] {
    json.member("name", each.name);
    json.member("kind", each.kind);
    json.member("status", name_of(each.status));
    json.member("detail", each.detail);
    if (!each.lag) return json.member_or_null("lag", "");
    json.object("lag", [&] {
      json.member("value");
      json.raw(fmt::format("{:.6g}", each.lag->value));
      json.member("unit", each.lag->unit);
    });
  });
}

void append_action(Json& json, const OperatorAction& action) {
  json.object([&] {
    json.member("at", rfc3339(action.at));
    append_key(json, action.key_id, action.facts.key_name);
    json.member("method", action.method);
    json.member("path", action.path);
    json.member("request", action.request);
    json.member("note", action.note);
    json.member("status", action.facts.status);
    json.member_or_null("code", action.facts.code);
    json.member("requestId", action.facts.request_id);
  });
}

}  // namespace

// GET /v1/operations/health
Answer show_health(Call& call) {
  if (!Query::read(call, {})) co_return;
  std::vector<HealthComponent> components;
  co_await call.services.background.run([&] { components = call.services.health.look(); });
  const Millis now = call.ledger().now();
  const Millis began_at = call.services.metrics.statistics().began_at();
  Json json = begin_uncached_json(call);
  json.object([&] {
    json.member("status", name_of(worst_of(components)));
    json.member("at", rfc3339(now));
    json.member("version", k_version);
    json.member("startedAt", rfc3339(began_at));
    json.member("uptimeSeconds", (now - began_at) / k_millis_per_second);
    json.member("hasKeys", !call.services.access.is_open());
    append_key(json, call.caller.id, call.services.access.name_of_key(call.caller.id));
    json.array("components", components, [&](const HealthComponent& each) { append_component(json, each); });
  });
}

// GET /v1/operations/series?resolution=&since=
Answer show_series(Call& call) {
  const auto query = Query::read(call, {"resolution", "since"});
  if (!query) co_return;
  Resolution resolution = Resolution::second;
  if (const std::string* asked = query->find("resolution")) {
    if (*asked != "second" && *asked != "minute") {
      co_return fail(call, {400, k_invalid_request, "`resolution` must be second or minute."});
    }
    if (*asked == "minute") resolution = Resolution::minute;
  }
  Millis since = 0;
  if (const std::string* text = query->find("since")) {
    const auto time = parse_rfc3339(*text);
    if (!time) co_return fail(call, {400, k_invalid_request, "`since` must be a time in the format of RFC 3339."});
    since = *time;
  }
  Json json = begin_uncached_json(call);
  // A day in minutes is about a hundred thousand numbers, which would keep this thread from its other connections.
  co_await call.services.background.run(
      [&] { json.object([&] { call.services.metrics.statistics().append_series(json, resolution, since); }); });
}

// GET /v1/operations/actions?limit=
Answer list_actions(Call& call) {
  const auto query = Query::read(call, {"limit"});
  const auto limit =
      query ? query->whole(call, "limit", 1, static_cast<std::int64_t>(OperatorLog::k_actions_kept), 100) : std::optional<std::int64_t>();
  if (!limit) co_return;
  const auto actions = call.services.operators.newest(static_cast<std::size_t>(*limit));
  Json json = begin_uncached_json(call);
  json.object([&] { json.array("items", actions, [&](const OperatorAction& action) { append_action(json, action); }); });
}

}  // namespace holdfast::api
