#include "api/request_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/access.h"
#include "api/call.h"
#include "api/router.h"
#include "core/trace.h"

namespace holdfast::api {
namespace {

thread_local const RequestFacts* current_facts = nullptr;

// The id that a path has right behind this folder, as it is printed: what is no UUID is whatever a caller wrote.
std::string id_behind(std::string_view folder, std::string_view path) {
  if (!path.starts_with(folder)) return {};
  path.remove_prefix(folder.size());
  const auto id = parse_uuid(path.substr(0, path.find('/')));
  return id ? to_string(*id) : std::string();
}

// Where something was made its id is in `Location` only.
std::string_view location_of(const http::Response& response) {
  const auto at = std::ranges::find(response.headers, "Location", [](const auto& header) { return std::string_view(header.first); });
  return at == response.headers.end() ? std::string_view() : std::string_view(at->second);
}

std::string id_of(std::initializer_list<std::string_view> folders, const Call& call) {
  for (const std::string_view where : {call.request.path, location_of(call.response)}) {
    for (const std::string_view folder : folders) {
      if (std::string id = id_behind(folder, where); !id.empty()) return id;
    }
  }
  return {};
}

std::string event_of(const Call& call, const std::string& reservation) {
  std::string event = id_of({"/v1/events/"}, call);
  if (!event.empty() || reservation.empty()) return event;
  const auto number = event_of_reservation(*parse_uuid(reservation));
  const auto found = number ? call.ledger().event(*number) : nullptr;
  return found == nullptr ? std::string() : to_string(found->card().id);
}

void append(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.append(",\"").append(name).append("\":");
  append_json(out, value);
}

}  // namespace

RequestFacts facts_of(const Call& call, const Route* route, std::optional<std::chrono::nanoseconds> took) {
  RequestFacts facts{.request_id = std::string(call.request.request_id), .status = call.response.status, .took = took, .code = call.code};
  if (route != nullptr) facts.route = std::string(route->method) + " " + std::string(route->path);
  if (call.caller.kind == Caller::Kind::key) facts.key_name = call.services.access.name_of_key(call.caller.id);
  facts.reservation = id_of({"/v1/reservations/", "/reservations/"}, call);
  facts.event = event_of(call, facts.reservation);
  if (const std::string_view* header = call.request.header("traceparent")) {
    if (const auto trace = parse_traceparent(*header)) facts.trace_id = to_string(*trace).substr(3, 32);
  }
  return facts;
}

LogMembers::LogMembers(const RequestFacts& facts) : before_(std::exchange(current_facts, &facts)) {}

LogMembers::~LogMembers() { current_facts = before_; }

void append_log_members(std::string& out) {
  if (current_facts == nullptr) return;
  const RequestFacts& facts = *current_facts;
  append(out, "requestId", facts.request_id);
  append(out, "route", facts.route);
  if (facts.status != 0) out.append(",\"status\":").append(std::to_string(facts.status));
  if (facts.took) out.append(fmt::format(",\"durationMs\":{:.3f}", std::chrono::duration<double, std::milli>(*facts.took).count()));
  append(out, "code", facts.code);
  append(out, "key", facts.key_name);
  append(out, "event", facts.event);
  append(out, "reservation", facts.reservation);
  append(out, "traceId", facts.trace_id);
}

}  // namespace holdfast::api
