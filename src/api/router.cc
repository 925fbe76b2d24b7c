#include "api/router.h"

#include <algorithm>
#include <optional>

#include "api/endpoints.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_import_bytes_max = std::size_t{4} * 1024 * 1024 * 1024;   // some 30 million seats
constexpr std::size_t k_segment_bytes_max = 3 * k_seat_id_bytes_max;              // every byte of an id percent-encoded

// Every route there is, the busiest first. docs/contracts.md and docs/api.md describe them.
std::vector<Route> all_routes() {
  return {
      {"POST", "/reservations", Group::contract1, reserve_seat},
      {"GET", "/reservations/{}", Group::contract1, get_reservation},
      {"POST", "/tickets_lock", Group::contract2, tickets_lock},
      {"POST", "/tickets_unlock", Group::contract2, tickets_unlock},
      {"GET", "/tickets_unlock", Group::contract2, tickets_unlock},
      {"POST", "/tickets_unlock_param", Group::contract2, tickets_unlock_param},
      {"POST", "/v1/reservations", Group::v1, hold_seats},
      {"GET", "/v1/reservations/{}", Group::v1, show_reservation},
      {"POST", "/v1/reservations/{}/add", Group::v1, add_seats},
      {"POST", "/v1/reservations/{}/extend", Group::v1, extend_reservation},
      {"POST", "/v1/reservations/{}/consume", Group::v1, consume_reservation},
      {"POST", "/v1/reservations/{}/release", Group::v1, release_reservation},
      {"POST", "/v1/reservations/{}/return", Group::v1, return_reservation},
      {"GET", "/v1/seats/{}", Group::v1, get_seat},
      {"POST", "/v1/events", Group::v1, create_event, {.bytes_max = k_import_bytes_max, .streams = true}},
      {"GET", "/v1/events", Group::v1, list_events},
      {"GET", "/v1/events/{}", Group::v1, get_event},
      {"PATCH", "/v1/events/{}", Group::v1, change_event},
      {"GET", "/v1/events/{}/plan", Group::v1, get_plan, {}, true},
      {"GET", "/v1/events/{}/states", Group::v1, get_states, {}, true},
      {"POST", "/v1/events/{}/block", Group::v1, block_seats},
      {"POST", "/v1/events/{}/unblock", Group::v1, unblock_seats},
      {"GET", "/openapi.json", Group::operations, get_document, {}, true},
      {"GET", "/docs", Group::operations, get_document, {}, true},
      {"GET", "/docs/{}", Group::operations, get_document, {}, true},
      {"GET", "/llms.txt", Group::operations, get_document, {}, true},
  };
}

Group group_of(std::string_view path) {
  if (path.starts_with("/tickets_")) return Group::contract2;
  if (path == "/reservations" || path.starts_with("/reservations/")) return Group::contract1;
  return path.starts_with("/v1/") ? Group::v1 : Group::operations;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A path segment without its percent-encoding; nothing when that is malformed or gives a NUL.
std::optional<std::string> decode(std::string_view segment) {
  std::string decoded;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      decoded += segment[i];
      continue;
    }
    const int high = segment.size() - i > 2 ? hex_value(segment[i + 1]) : -1;
    const int low = segment.size() - i > 2 ? hex_value(segment[i + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    decoded += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return decoded;
}

// Whether `path` is of the pattern; then the parameters are what stood for `{}`.
bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& parameters) {
  parameters.clear();
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() != '/' || path.front() != '/') return false;
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    const std::string_view wanted = pattern.substr(0, pattern.find('/'));
    const std::string_view segment = path.substr(0, path.find('/'));
    if (wanted == "{}") {
      auto decoded = segment.empty() || segment.size() > k_segment_bytes_max ? std::nullopt : decode(segment);
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

Router::Router(Metrics& metrics) : routes_(all_routes()) {
  for (Route& route : routes_) route.metrics = &metrics.endpoint(std::string(route.method) + " " + std::string(route.path));
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
