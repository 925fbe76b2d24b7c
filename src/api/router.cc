#include "api/router.h"

#include <algorithm>
#include <optional>

#include "api/endpoints.h"
#include "api/query.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_import_bytes_max = std::size_t{2} * 1024 * 1024 * 1024;   // 20 million seats of 107 bytes

constexpr RouteDetails k_shown{.shows_body = true};
constexpr RouteDetails k_import{.body = {.bytes_max = k_import_bytes_max, .streams = true}};
constexpr RouteDetails k_endless{.admission = Admission::never};
constexpr RouteDetails k_probe{.admission = Admission::probe};

// All routes, the busiest first. docs/contracts.md and docs/api.md describe them.
std::vector<Route> all_routes(bool demo) {
  using enum Group;
  using enum Effect;
  // clang-format off
  std::vector<Route> routes{
      {"POST", "/reservations", contract1, Need::contract, changes, Subject::none, Traffic::command, reserve_seat},
      {"GET", "/reservations/{}", contract1, Need::contract, reads, Subject::reservation, Traffic::read, get_reservation},
      {"PUT", "/api/v1/seats/{}/release", contract1, Need::contract, changes, Subject::seat, Traffic::command, release_seat},
      {"POST", "/tickets_lock", contract2, Need::contract, changes, Subject::none, Traffic::command, tickets_lock},
      {"POST", "/tickets_unlock", contract2, Need::contract, changes, Subject::none, Traffic::command, tickets_unlock},
      {"GET", "/tickets_unlock", contract2, Need::contract, changes, Subject::none, Traffic::command, tickets_unlock},
      {"POST", "/tickets_unlock_param", contract2, Need::contract, changes, Subject::none, Traffic::command, tickets_unlock_param},
      {"POST", "/v1/reservations", v1, Need::hold_or_session, changes, Subject::none, Traffic::command, hold_seats, k_shown},
      {"GET", "/v1/reservations/{}", v1, Need::read_or_session, reads, Subject::reservation, Traffic::read, show_reservation},
      {"GET", "/v1/reservations", v1, Need::read_or_session, reads, Subject::none, Traffic::read, list_reservations},
      {"GET", "/v1/reservations/{}/history", v1, Need::read, reads, Subject::reservation, Traffic::read, get_reservation_history},
      {"POST", "/v1/reservations/{}/add", v1, Need::hold_or_session, changes, Subject::reservation, Traffic::command, add_seats, k_shown},
      {"POST", "/v1/reservations/{}/extend", v1, Need::hold_or_session, changes, Subject::reservation, Traffic::command, extend_reservation, k_shown},
      {"POST", "/v1/reservations/{}/consume", v1, Need::sell, changes, Subject::reservation, Traffic::command, consume_reservation, k_shown},
      {"POST", "/v1/reservations/{}/release", v1, Need::hold_or_session, changes, Subject::reservation, Traffic::command, release_reservation, k_shown},
      {"POST", "/v1/reservations/{}/return", v1, Need::sell, changes, Subject::reservation, Traffic::command, return_reservation, k_shown},
      {"GET", "/v1/seats/{}", v1, Need::read_or_session, reads, Subject::seat, Traffic::read, get_seat},
      {"GET", "/v1/seats/{}/history", v1, Need::read, reads, Subject::seat, Traffic::read, get_seat_history},
      {"POST", "/v1/events", v1, Need::admin, changes, Subject::none, Traffic::none, create_event, k_import},
      {"GET", "/v1/events", v1, Need::read_or_session, reads, Subject::none, Traffic::read, list_events},
      {"GET", "/v1/events/{}", v1, Need::read_or_session, reads, Subject::event, Traffic::read, get_event},
      {"PATCH", "/v1/events/{}", v1, Need::admin, changes, Subject::event, Traffic::none, change_event, k_shown},
      {"GET", "/v1/events/{}/plan", v1, Need::everybody, reads, Subject::event, Traffic::read, get_plan},
      {"GET", "/v1/events/{}/states", v1, Need::everybody, reads, Subject::event, Traffic::read, get_states},
      {"GET", "/v1/events/{}/live", v1, Need::everybody, reads, Subject::event, Traffic::none, follow_event, k_endless},
      {"GET", "/v1/events/{}/seats", v1, Need::read_or_session, reads, Subject::event, Traffic::read, list_seats},
      {"GET", "/v1/events/{}/changes", v1, Need::read, reads, Subject::event, Traffic::none, list_event_changes},
      {"GET", "/v1/changes", v1, Need::read, reads, Subject::none, Traffic::none, list_changes},
      {"POST", "/v1/events/{}/block", v1, Need::admin, changes, Subject::event, Traffic::command, block_seats, k_shown},
      {"POST", "/v1/events/{}/unblock", v1, Need::admin, changes, Subject::event, Traffic::command, unblock_seats, k_shown},
      {"POST", "/v1/sessions", v1, Need::everybody, changes, Subject::none, Traffic::none, create_session},
      {"GET", "/v1/sessions", v1, Need::everybody, reads, Subject::none, Traffic::none, show_session},
      {"DELETE", "/v1/sessions", v1, Need::everybody, changes, Subject::none, Traffic::none, forget_session},
      {"POST", "/v1/webhooks", v1, Need::admin, changes, Subject::none, Traffic::none, create_webhook},
      {"GET", "/v1/webhooks", v1, Need::admin, reads, Subject::none, Traffic::none, list_webhooks},
      {"GET", "/v1/webhooks/{}", v1, Need::admin, reads, Subject::none, Traffic::none, get_webhook},
      {"PATCH", "/v1/webhooks/{}", v1, Need::admin, changes, Subject::none, Traffic::none, change_webhook},
      {"DELETE", "/v1/webhooks/{}", v1, Need::admin, changes, Subject::none, Traffic::none, delete_webhook},
      {"POST", "/v1/webhooks/{}/rotate-secret", v1, Need::admin, changes, Subject::none, Traffic::none, rotate_webhook_secret},
      {"GET", "/v1/webhooks/{}/dead", v1, Need::admin, reads, Subject::none, Traffic::none, list_dead_messages},
      {"POST", "/v1/webhooks/{}/redeliver", v1, Need::admin, changes, Subject::none, Traffic::none, redeliver_dead_messages},
      {"POST", "/v1/webhooks/{}/test", v1, Need::admin, changes, Subject::none, Traffic::none, test_webhook},
      {"GET", "/v1/operations/health", v1, Need::admin, reads, Subject::none, Traffic::none, show_health},
      {"GET", "/v1/operations/series", v1, Need::admin, reads, Subject::none, Traffic::none, show_series},
      {"GET", "/v1/operations/actions", v1, Need::admin, reads, Subject::none, Traffic::none, list_actions},
      {"GET", "/v1/server", v1, Need::everybody, reads, Subject::none, Traffic::none, show_server},
      {"GET", "/", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
      {"GET", "/console", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
      {"GET", "/assets/{}", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
      {"GET", "/health", operations, Need::everybody, reads, Subject::none, Traffic::none, show_liveness, k_probe},
      {"GET", "/healthz", operations, Need::everybody, reads, Subject::none, Traffic::none, show_liveness, k_probe},
      {"GET", "/readyz", operations, Need::everybody, reads, Subject::none, Traffic::none, show_readiness, k_probe},
      {"GET", "/version", operations, Need::everybody, reads, Subject::none, Traffic::none, show_version},
      {"GET", "/metrics", operations, Need::read, reads, Subject::none, Traffic::none, show_metrics},
      {"GET", "/openapi.json", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
      {"GET", "/docs", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
      {"GET", "/docs/{}", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
      {"GET", "/docs/{}/{}", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
      {"GET", "/llms.txt", operations, Need::everybody, reads, Subject::none, Traffic::none, get_embedded},
  };
  if (demo) {
    routes.push_back({"POST", "/v1/demo/payments", v1, Need::hold_or_session, changes, Subject::none, Traffic::command, pay_for_demo});
  }
  // clang-format on
  return routes;
}

// The form of errors at paths that no route has, by the beginning of the path. Everything else belongs to the operations.
struct Family {
  std::string_view beginning;
  Group group;
};
constexpr Family k_families[] = {
    {"/tickets_", Group::contract2},
    {"/reservations/", Group::contract1},
    {"/api/v1/", Group::contract1},
    {"/v1/", Group::v1},
};

Group group_of(std::string_view path) {
  for (const Family& family : k_families) {
    if (path.starts_with(family.beginning)) return family.group;
  }
  return Group::operations;
}

// Whether `path` fits the pattern. If so, `parameters` are the segments that stand for `{}`, decoded. Only the server's limit for a request's
// target bounds them: the endpoint refuses an id that is too long like any other id that does not exist.
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

}   // namespace

Router::Router(Metrics& metrics, bool demo) : routes_(all_routes(demo)) {
  for (Route& route : routes_) route.metrics = &metrics.endpoint(std::string(route.method) + " " + std::string(route.path));
}

Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  std::vector<std::string> parameters;
  for (const Route& route : routes_) {
    if (!matches(route.path, path, parameters)) continue;
    match.at_path = &route;
    match.parameters = std::move(parameters);
    match.group = route.group;
    // HEAD is answered as GET; the server leaves the body out.
    if (route.method == method || (method == "HEAD" && route.method == "GET")) {
      match.route = &route;
      return match;
    }
    match.allow.append(match.allow.empty() ? "" : ", ").append(route.method);
    if (route.method == "GET") match.allow.append(", HEAD");
  }
  if (match.at_path == nullptr) match.group = group_of(path);
  return match;
}

}   // namespace holdfast::api
