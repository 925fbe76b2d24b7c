#include "api/router.h"

#include <algorithm>
#include <optional>

#include "api/endpoints.h"
#include "api/query.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_import_bytes_max = std::size_t{4} * 1024 * 1024 * 1024;   // some 30 million seats

// Every route there is, the busiest first, and what it needs of its caller. docs/contracts.md and docs/api.md describe them.
std::vector<Route> all_routes(bool demo) {
  std::vector<Route> routes{
      {"POST", "/reservations", Group::contract1, Need::contract, reserve_seat},
      {"GET", "/reservations/{}", Group::contract1, Need::contract, get_reservation},
      {"PUT", "/api/v1/seats/{}/release", Group::contract1, Need::contract, release_seat},
      {"POST", "/tickets_lock", Group::contract2, Need::contract, tickets_lock},
      {"POST", "/tickets_unlock", Group::contract2, Need::contract, tickets_unlock},
      {"GET", "/tickets_unlock", Group::contract2, Need::contract, tickets_unlock},
      {"POST", "/tickets_unlock_param", Group::contract2, Need::contract, tickets_unlock_param},
      {"POST", "/v1/reservations", Group::v1, Need::hold_or_session, hold_seats},
      {"GET", "/v1/reservations/{}", Group::v1, Need::read_or_session, show_reservation},
      {"GET", "/v1/reservations", Group::v1, Need::read_or_session, list_reservations},
      {"GET", "/v1/reservations/{}/history", Group::v1, Need::read, get_reservation_history},
      {"POST", "/v1/reservations/{}/add", Group::v1, Need::hold_or_session, add_seats},
      {"POST", "/v1/reservations/{}/extend", Group::v1, Need::hold_or_session, extend_reservation},
      {"POST", "/v1/reservations/{}/consume", Group::v1, Need::sell, consume_reservation},
      {"POST", "/v1/reservations/{}/release", Group::v1, Need::hold_or_session, release_reservation},
      {"POST", "/v1/reservations/{}/return", Group::v1, Need::sell, return_reservation},
      {"GET", "/v1/seats/{}", Group::v1, Need::read_or_session, get_seat},
      {"GET", "/v1/seats/{}/history", Group::v1, Need::read, get_seat_history},
      {"POST", "/v1/events", Group::v1, Need::admin, create_event, {.bytes_max = k_import_bytes_max, .streams = true}},
      {"GET", "/v1/events", Group::v1, Need::read_or_session, list_events},
      {"GET", "/v1/events/{}", Group::v1, Need::read_or_session, get_event},
      {"PATCH", "/v1/events/{}", Group::v1, Need::admin, change_event},
      {"GET", "/v1/events/{}/plan", Group::v1, Need::everybody, get_plan},
      {"GET", "/v1/events/{}/states", Group::v1, Need::everybody, get_states},
      {"GET", "/v1/events/{}/live", Group::v1, Need::everybody, follow_event},
      {"GET", "/v1/events/{}/seats", Group::v1, Need::read_or_session, list_seats},
      {"GET", "/v1/events/{}/changes", Group::v1, Need::read, list_event_changes},
      {"GET", "/v1/changes", Group::v1, Need::read, list_changes},
      {"POST", "/v1/events/{}/block", Group::v1, Need::admin, block_seats},
      {"POST", "/v1/events/{}/unblock", Group::v1, Need::admin, unblock_seats},
      {"POST", "/v1/sessions", Group::v1, Need::everybody, create_session},
      {"GET", "/v1/sessions", Group::v1, Need::everybody, show_session},
      {"DELETE", "/v1/sessions", Group::v1, Need::everybody, forget_session},
      {"POST", "/v1/webhooks", Group::v1, Need::admin, create_webhook},
      {"GET", "/v1/webhooks", Group::v1, Need::admin, list_webhooks},
      {"GET", "/v1/webhooks/{}", Group::v1, Need::admin, get_webhook},
      {"PATCH", "/v1/webhooks/{}", Group::v1, Need::admin, change_webhook},
      {"DELETE", "/v1/webhooks/{}", Group::v1, Need::admin, delete_webhook},
      {"POST", "/v1/webhooks/{}/rotate-secret", Group::v1, Need::admin, rotate_webhook_secret},
      {"GET", "/v1/webhooks/{}/dead", Group::v1, Need::admin, list_dead_messages},
      {"POST", "/v1/webhooks/{}/redeliver", Group::v1, Need::admin, redeliver_dead_messages},
      {"POST", "/v1/webhooks/{}/test", Group::v1, Need::admin, test_webhook},
      {"GET", "/v1/operations/health", Group::v1, Need::admin, show_health},
      {"GET", "/v1/operations/series", Group::v1, Need::admin, show_series},
      {"GET", "/v1/operations/actions", Group::v1, Need::admin, list_actions},
      {"GET", "/v1/server", Group::v1, Need::everybody, show_server},
      {"GET", "/", Group::operations, Need::everybody, get_embedded},
      {"GET", "/console", Group::operations, Need::everybody, get_embedded},
      {"GET", "/assets/{}", Group::operations, Need::everybody, get_embedded},
      {"GET", "/health", Group::operations, Need::everybody, show_operations},
      {"GET", "/healthz", Group::operations, Need::everybody, show_operations},
      {"GET", "/readyz", Group::operations, Need::everybody, show_operations},
      {"GET", "/version", Group::operations, Need::everybody, show_operations},
      {"GET", "/metrics", Group::operations, Need::read, show_operations},
      {"GET", "/openapi.json", Group::operations, Need::everybody, get_embedded},
      {"GET", "/docs", Group::operations, Need::everybody, get_embedded},
      {"GET", "/docs/{}", Group::operations, Need::everybody, get_embedded},
      {"GET", "/docs/{}/{}", Group::operations, Need::everybody, get_embedded},
      {"GET", "/llms.txt", Group::operations, Need::everybody, get_embedded},
  };
  if (demo) routes.push_back({"POST", "/v1/demo/payments", Group::v1, Need::hold_or_session, pay_for_demo});
  return routes;
}

// What the statistics count a route's requests as. Those that wait by design, imports and the desk's own are left out.
Traffic traffic_of(const Route& route) {
  const auto is_under = [&](std::string_view folder) { return route.path.starts_with(folder); };
  if (route.group == Group::contract1 || route.group == Group::contract2 || is_under("/v1/reservations") || is_under("/v1/demo/")) {
    return route.method == "GET" && route.group != Group::contract2 ? Traffic::read : Traffic::command;
  }
  if (route.path.ends_with("/block") || route.path.ends_with("/unblock")) return Traffic::command;
  const bool waits = route.path.ends_with("/changes") || route.path.ends_with("/live");
  return route.method == "GET" && (is_under("/v1/events") || is_under("/v1/seats")) && !waits ? Traffic::read : Traffic::none;
}

Group group_of(std::string_view path) {
  if (path.starts_with("/tickets_")) return Group::contract2;
  if (path == "/reservations" || path.starts_with("/reservations/") || path.starts_with("/api/v1/")) return Group::contract1;
  return path.starts_with("/v1/") ? Group::v1 : Group::operations;
}

// Whether `path` is of the pattern; then the parameters are what stood for `{}`. The server's limit for the target bounds them: an id that
// is longer than any can be is for the endpoint to say no to, as to every id that there is not.
bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& parameters) {
  parameters.clear();
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() != '/' || path.front() != '/') return false;
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    const std::string_view wanted = pattern.substr(0, pattern.find('/'));
    const std::string_view segment = path.substr(0, path.find('/'));
    if (wanted == "{}") {
      auto decoded = segment.empty() ? std::nullopt : decode_percent(segment, false);
      if (!decoded) return false;
      parameters.push_back(std::move(*decoded));
    } else if (wanted != segment) {
      return false;
    }
    pattern.remove_prefix(wanted.size());
    path.remove_prefix(segment.size());
  }
  return pattern.empty() && path.empty();
}

}  // namespace

Router::Router(Metrics& metrics, bool demo) : routes_(all_routes(demo)) {
  for (Route& route : routes_) {
    route.metrics = &metrics.endpoint(std::string(route.method) + " " + std::string(route.path));
    route.traffic = traffic_of(route);
    route.changes = route.method != "GET" || route.path == "/tickets_unlock";
  }
}

Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  match.group = group_of(path);
  std::vector<std::string> parameters;
  for (const Route& route : routes_) {
    if (!matches(route.path, path, parameters)) continue;
    // HEAD is answered as GET; the server leaves the body out.
    if (route.method == method || (method == "HEAD" && route.method == "GET")) {
      match.route = &route;
      match.parameters = std::move(parameters);
      return match;
    }
    match.allow.append(match.allow.empty() ? "" : ", ").append(route.method);
    if (route.method == "GET") match.allow.append(", HEAD");
  }
  return match;
}

}  // namespace holdfast::api
