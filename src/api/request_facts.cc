#include "api/request_facts.h"

#include <fmt/format.h>

#include <utility>

#include "api/access.h"
#include "api/call.h"
#include "api/router.h"
#include "core/trace.h"

namespace holdfast::api {
namespace {

thread_local const RequestFacts* current_facts = nullptr;

// The event that the call names, or that of its reservation.
std::optional<Uuid> event_of(const Call& call) {
  if (call.event || !call.reservation) return call.event;
  const auto number = event_of_reservation(*call.reservation);
  const auto found = number ? call.ledger().event(*number) : nullptr;
  return found == nullptr ? std::nullopt : std::optional(found->card().id);
}

std::string text_of(const std::optional<Uuid>& id) { return id ? to_string(*id) : std::string(); }

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
  facts.reservation = text_of(call.reservation);
  facts.event = text_of(event_of(call));
  if (const std::string_view* header = call.request.header("traceparent")) {
    if (const auto trace = parse_traceparent(*header)) facts.trace_id = to_string(*trace).substr(3, 32);
  }
  return facts;
}

LogMembers::LogMembers(RequestFacts facts) : facts_(std::move(facts)), before_(std::exchange(current_facts, &facts_)) {}

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
