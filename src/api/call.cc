#include "api/call.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

#include "api/access.h"
#include "core/ascii.h"
#include "core/check.h"
#include "http/answer.h"
#include "http/proxies.h"

namespace holdfast::api {
namespace {

// The contracts have one code for everything that a server cannot do at the moment.
std::string_view code_for(const Fault& fault, Group group) {
  const bool is_contract = group == Group::contract1 || group == Group::contract2;
  return is_contract && fault.code == k_no_room ? k_unavailable : fault.code;
}

// Contract 2 repeats the status in the body.
void write_as_ticket_lock(const Fault& fault, http::Response& response) {
  response.content_type = "application/json";
  Json json(response.body);
  json.object([&] {
    json.member("message", fault.detail);
    json.member("status", fault.status);
    json.object("data", [&] {
      json.member("valido", false);
      json.member("code", code_for(fault, Group::contract2));
    });
  });
}

void write_as_problem(const Fault& fault, Group group, std::string_view path, http::Response& response) {
  response.content_type = "application/problem+json";
  Json json(response.body);
  json.object([&] {
    json.member("type", "about:blank");
    json.member("title", http::reason_phrase(fault.status));
    json.member("status", fault.status);
    json.member("detail", fault.detail);
    json.member("instance", path);
    json.member("code", code_for(fault, group));
    if (group == Group::contract1) json.member("error", fault.detail);
    if (!fault.members.empty()) json.raw(fault.members);
    if (!fault.seat_ids.empty()) json.texts("seatIds", fault.seat_ids);
  });
}

// The owner of an Idempotency-Key, because two callers may choose the same one. Callers without an API key are told apart by their addresses;
// all callers on this machine are one.
std::string name_of(const Call& call) {
  switch (call.caller.kind) {
    case Caller::Kind::anonymous: {
      const auto client = http::one_client(call.request.client());
      return client.is_loopback() ? "anonymous" : "anonymous " + client.to_string();
    }
    case Caller::Kind::key: return "key " + call.caller.id;
    case Caller::Kind::session: return "customer " + call.caller.id;
  }
  return {};
}

Fingerprint fingerprint(std::string_view a, std::string_view b) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  std::string text;
  text.reserve(a.size() + b.size() + 1);
  text.append(a).append(1, '\0').append(b);
  const bool hashed = EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha256(), nullptr) == 1;
  HOLDFAST_CHECK(hashed);
  Fingerprint result;
  std::copy_n(digest, result.size(), result.begin());
  return result;
}

// On a server that lets every caller in, callers without an API key are its operators.
KeyOwner owner_of(const Call& call, std::string_view name) {
  if (call.caller.kind == Caller::Kind::anonymous && call.services.access.is_open()) return {};
  const Fingerprint hash = fingerprint("owner of a key", name);
  std::uint32_t number = 0;
  std::memcpy(&number, hash.data(), sizeof number);
  return {.caller = std::max(number >> 1U, 1U), .is_stranger = call.caller.kind != Caller::Kind::key};
}

Fault unreadable(const std::string& which) {
  return {
      .status = 503,
      .code = k_unavailable,
      .detail = which +
                " ended long ago, and its record cannot be read. Nothing was changed, and sales go on. Repeating the request soon does not "
                "help: an operator has to mend the record first. The server's log says how.",
      .retry_after = k_retry_when_mended};
}

}   // namespace

void write_fault(const Fault& fault, Group group, std::string_view path, http::Response& response) {
  response.status = fault.status;
  response.body.clear();
  if (fault.status == 503) response.headers.emplace_back("Retry-After", std::to_string(fault.retry_after));
  if (group == Group::contract2) {
    write_as_ticket_lock(fault, response);
  } else {
    write_as_problem(fault, group, path, response);
  }
}

Submission Call::submission() const {
  Submission made;
  if (const std::string_view* header = request.header("traceparent")) made.trace = parse_traceparent(*header);
  return made;
}

Json begin_json(Call& call, unsigned status) {
  call.response.status = status;
  call.response.content_type = "application/json";
  return Json(call.response.body);
}

Json begin_uncached_json(Call& call, unsigned status) {
  call.response.headers.emplace_back("Cache-Control", "no-store");
  return begin_json(call, status);
}

void fail(Call& call, const Fault& fault) {
  call.code = fault.code;
  write_fault(fault, call.group, call.request.path, call.response);
}

std::nullopt_t malformed(Call& call, std::string detail) {
  fail(call, {400, k_invalid_request, std::move(detail)});
  return std::nullopt;
}

Fault busy() { return {503, k_unavailable, "Too many requests are waiting. Nothing was done; try again in a moment."}; }

Fault unavailable() {
  return {503, k_unavailable,
          "The store or the seat lock cannot be reached at the moment. The request was not carried out, or its outcome is unknown. Repeat "
          "it with "
          "the same Idempotency-Key to find out."};
}

Fault no_room(bool comes_soon) {
  if (comes_soon) return {503, k_no_room, "The server is making room on its disk. Nothing was done; try again in a moment."};
  return {
      .status = 503,
      .code = k_no_room,
      .detail =
          "The server's disk has no room for new holds, events and changes of events. Nothing was done. Payments, releases, returns and "
          "extensions go on as long as a reserve lasts. Holds go on by themselves once an operator has freed space.",
      .retry_after = k_retry_when_room};
}

Fault unreadable(const Uuid& reservation) { return unreadable("Reservation " + to_string(reservation)); }

Fault fault_of(const Outcome& outcome) {
  const std::string_view code = name_of(outcome.reason);
  switch (outcome.reason) {
    case Reason::none: break;
    case Reason::seat_unavailable:
      if (outcome.seats.empty()) return {409, code, "Fewer seats are available than the request asks for; nothing was changed."};
      return {409, code, "At least one of the seats is not available; nothing was changed."};
    case Reason::seat_not_found: return {404, code, "At least one of the seats does not exist; nothing was changed."};
    case Reason::event_not_on_sale: return {409, code, "The event is not on sale."};
    case Reason::limit_exceeded:
      if (outcome.limit == Limit::idempotency_keys) {
        return {503, k_unavailable,
                "The server keeps no more Idempotency-Keys of this caller. Nothing was done; repeat the request without a key, or later."};
      }
      if (outcome.limit == Limit::reservations_in_memory) return busy();
      if (outcome.limit == Limit::held_seats_visitor) {
        return {409, code, "A visitor may not hold this many seats of one event (limits.held_seats_visitor); nothing was changed."};
      }
      return {409, code, std::string("The request would exceed the event's limit `") + name_of(outcome.limit) + "`; nothing was changed."};
    case Reason::hold_too_long: return {409, code, "The hold is longer than the event allows (maxHoldSeconds)."};
    case Reason::reservation_not_found:
    case Reason::event_not_found:
      return {404, code, outcome.reason == Reason::event_not_found ? "There is no such event." : "There is no such reservation."};
    case Reason::reservation_expired: return {409, code, "The reservation has expired."};
    case Reason::reservation_not_active: return {409, code, "The reservation is not active: it was consumed or released."};
    case Reason::seat_not_sold: return {409, code, "The seats are not sold to this reservation; nothing was changed."};
    case Reason::order_mismatch: return {409, code, "The reservation was consumed for another order."};
    case Reason::idempotency_key_reused: return {422, code, "This Idempotency-Key was used with another request."};
    case Reason::lock_held: return {409, code, "Another program has locked at least one of the seats; nothing was changed."};
    case Reason::another_part_refused: return {409, code, "Another part of the request was refused; nothing was changed."};
    case Reason::unavailable: return unavailable();
    case Reason::reservation_unreadable: return unreadable("The reservation");
    case Reason::no_room: return no_room(outcome.room_comes_soon);
    case Reason::no_adjacent_seats:
      return {409, code,
              "No row has that many available seats side by side; nothing was changed. With `adjacent` false the seats may be apart."};
    case Reason::settings_conflict:
      return {400, code,
              "`holdSeconds` (" + std::to_string(outcome.hold_seconds) + ") would be more than `maxHoldSeconds` (" +
                  std::to_string(outcome.max_hold_seconds) + "); nothing was changed."};
  }
  HOLDFAST_CHECK(false && "an accepted outcome is no fault");
}

bool check_content_type(Call& call, bool required) {
  const std::string_view* type = call.request.header("Content-Type");
  if (type == nullptr && !required) return true;
  std::string_view media = type == nullptr ? std::string_view{} : type->substr(0, type->find(';'));
  while (!media.empty() && (media.back() == ' ' || media.back() == '\t')) media.remove_suffix(1);
  if (equals_ignoring_case(media, "application/json")) return true;
  fail(call, {415, "unsupported_media_type", "The Content-Type must be application/json."});
  return false;
}

bool read_key(Call& call, std::string_view request, std::optional<IdempotencyKey>& key) {
  const std::string_view* header = call.request.header("Idempotency-Key");
  if (header == nullptr) return true;
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7F; };
  if (header->empty() || header->size() > k_idempotency_key_bytes_max || !std::ranges::all_of(*header, printable)) {
    fail(call, {400, k_invalid_request, "The Idempotency-Key must be 1 to 128 printable ASCII characters."});
    return false;
  }
  const std::string name = name_of(call);
  key = IdempotencyKey{fingerprint(name, *header), fingerprint(call.request.path, request), owner_of(call, name)};
  return true;
}

void mark_replayed(Call& call, const Verdict& verdict) {
  if (verdict.replayed) call.response.headers.emplace_back("Idempotency-Replayed", "true");
}

}   // namespace holdfast::api
