#include "api/pages.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>

#include "api/access.h"
#include "core/decimal.h"
#include "core/limits.h"

namespace holdfast::api {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// Removes the first item, up to `separator`, from `list` and returns it.
std::string_view next(std::string_view& list, char separator) {
  const std::string_view item = list.substr(0, list.find(separator));
  list.remove_prefix(std::min(list.size(), item.size() + 1));
  return trimmed(item);
}

// Whether an If-None-Match names this version, compressed or not: `"VERSION"` or `"VERSION-gzip"`.
bool is_named(std::string_view if_none_match, std::string_view version) {
  while (!if_none_match.empty()) {
    std::string_view tag = next(if_none_match, ',');
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag.size() < 2 || tag.front() != '"' || tag.back() != '"') continue;
    tag = tag.substr(1, tag.size() - 2);
    if (tag.starts_with(version) && (tag.size() == version.size() || tag.substr(version.size()) == "-gzip")) return true;
  }
  return false;
}

}  // namespace

std::optional<Page> read_page(Call& call) {
  const auto query = Query::read(call, {"limit", "cursor"});
  return query ? read_page(call, *query) : std::nullopt;
}

std::optional<Page> read_page(Call& call, const Query& query) {
  const auto limit = query.whole(call, "limit", 1, k_page_items_max, k_page_items);
  if (!limit) return std::nullopt;
  const std::string* cursor = query.find("cursor");
  return Page{.limit = static_cast<std::size_t>(*limit), .cursor = cursor == nullptr ? "" : *cursor};
}

std::optional<std::uint64_t> number_of(const Page& page, std::uint64_t most) {
  const auto number = page.cursor.empty() ? std::optional<std::uint64_t>(0) : parse_decimal<std::uint64_t>(page.cursor);
  return number && *number <= most ? number : std::nullopt;
}

bool accepts_gzip(const http::Request& request) {
  const std::string_view* codings = request.header("Accept-Encoding");
  std::string_view accept_encoding = codings == nullptr ? std::string_view{} : *codings;
  while (!accept_encoding.empty()) {
    std::string_view item = next(accept_encoding, ',');
    const std::string_view coding = next(item, ';');
    if (coding != "gzip" && coding != "x-gzip" && coding != "*") continue;
    // `q=0`, `q=0.0`, …: not this one.
    const std::string_view weight = trimmed(item);
    return !weight.starts_with("q=") || weight.find_first_not_of("0.", 2) != std::string_view::npos;
  }
  return false;
}

bool names_version(const http::Request& request, std::string_view version) {
  const std::string_view* known = request.header("If-None-Match");
  return known != nullptr && is_named(*known, version);
}

bool has_already(Call& call, std::string_view version, bool compressed) {
  call.response.headers.emplace_back("ETag", '"' + std::string(version) + (compressed ? "-gzip\"" : "\""));
  if (!names_version(call.request, version)) return false;
  call.response.status = 304;
  return true;
}

bool is_draft(const PublishedEvent& event) { return event.status() == EventStatus::draft; }

bool is_there(const Call& call, const PublishedEvent& event) { return !is_draft(event) || call.services.access.sees_drafts(call); }

std::shared_ptr<const PublishedEvent> find_event(Call& call, std::string_view text) {
  const auto id = parse_uuid(text);
  const auto number = id ? call.ledger().event_by_id(*id) : std::nullopt;
  auto event = number ? call.ledger().event(*number) : nullptr;
  if (event != nullptr && is_there(call, *event)) return event;
  // No cache may keep this answer: a draft may go on sale a moment later.
  call.response.headers.emplace_back("Cache-Control", "no-store");
  fail(call, {404, "event_not_found", "There is no event " + std::string(text) + "."});
  return nullptr;
}

std::shared_ptr<const PublishedEvent> find_event(Call& call) { return find_event(call, call.parameters[0]); }

Fault fault_of(const ReadProblem& problem) {
  if (problem.kind == ReadProblem::Kind::bad_cursor) return {400, k_invalid_request, "`cursor` is not a cursor that this server issued."};
  if (problem.kind == ReadProblem::Kind::stands_still) {
    return {.status = 503,
            .code = k_unavailable,
            .detail =
                "The tables of an event stand still, and the request needs them. Its sales go on, and so do other events. Repeating the "
                "request soon does not help: an operator has to mend the tables first. `GET /readyz` and the server's log say how.",
            .retry_after = k_retry_when_mended};
  }
  if (problem.kind != ReadProblem::Kind::archived) {
    return {503, k_unavailable,
            "The server cannot read its records at the moment. Try again in a moment. If that does not help, `GET /readyz` and the "
            "server's log tell the operator what is wrong and what to do."};
  }
  if (problem.oldest == 0) {
    return {410, "changes_archived",
            "Changes this old are no longer kept. `cursor=oldest` begins with the oldest that are, `cursor=latest` with the next to come."};
  }
  return {410, "changes_archived",
          "Changes this old are no longer kept. The oldest has number " + std::to_string(problem.oldest) + ", so `after` must be " +
              std::to_string(problem.oldest - 1) + " or more."};
}

void append_price(Json& json, std::string_view name, const std::optional<Price>& price) {
  json.member(name);
  if (!price) return json.null();
  std::string text;
  append_price(text, *price);
  json.raw(text);
}

void append_category(Json& json, const Category& category) {
  json.member("name", category.name);
  append_price(json, "price", category.price);
  json.member_or_null("color", category.color);
}

std::vector<std::string> seat_ids_in(const boost::json::object& object) {
  std::vector<std::string> ids;
  const boost::json::value* list = object.if_contains("seatIds");
  if (list == nullptr || !list->is_array() || list->get_array().size() > k_seats_per_reservation_max) return ids;
  for (const boost::json::value& id : list->get_array()) {
    if (id.is_string() && id.get_string().size() <= k_seat_id_bytes_max) ids.emplace_back(id.get_string());
  }
  return ids;
}

std::optional<NamedSeats> read_seats(Call& call, const boost::json::object& object, Required required, std::optional<EventNumber> event) {
  NamedSeats named;
  named.event = event.value_or(0);
  const boost::json::value* list = object.if_contains("seatIds");
  if (required == Required::no && (list == nullptr || list->is_null())) return named;
  if (list == nullptr) return malformed(call, "`seatIds` is missing.");
  if (!list->is_array()) return malformed(call, "`seatIds` must be an array of seat ids.");
  const boost::json::array& ids = list->get_array();
  if (ids.empty() || ids.size() > k_seats_per_reservation_max) return malformed(call, "`seatIds` must have 1 to 1000 seat ids.");
  boost::unordered_flat_set<SeatIndex> seen;
  std::vector<std::string> unknown;
  EventNumber looked_at = 0;   // the event of the seat before, and whether it exists for the caller
  bool is_known = false;
  for (const boost::json::value& id : ids) {
    if (!id.is_string() || id.get_string().empty() || id.get_string().size() > k_seat_id_bytes_max) {
      return malformed(call, "`seatIds` must have only strings of 1 to 128 bytes.");
    }
    const auto place = call.ledger().seats().find(std::string_view(id.get_string()));
    if (place && place->event != looked_at) {
      const auto published = call.ledger().event(place->event);
      looked_at = place->event;
      is_known = published != nullptr && (event == place->event || is_there(call, *published));
    }
    if (!place || !is_known) {
      unknown.emplace_back(id.get_string());
      continue;
    }
    if (named.event == 0) named.event = place->event;
    if (named.event != place->event) {
      fail(call, {422,
                  k_invalid_request,
                  event ? "`seatIds` must be seats of this event." : "`seatIds` must be seats of one event.",
                  {std::string(id.get_string())}});
      return std::nullopt;
    }
    if (seen.insert(place->seat).second) named.seats.push_back(place->seat);
  }
  if (unknown.empty()) return named;
  fail(call, {404, "seat_not_found", "At least one of the seats does not exist; nothing was changed.", std::move(unknown)});
  return std::nullopt;
}

bool may_touch(const Call& call, const Uuid& reservation) {
  if (!call.caller.is_session()) return true;
  const auto view = call.ledger().reservation(reservation);
  return view && view->customer == call.caller.id;
}

void refuse(Call& call, EventNumber event, const Outcome& outcome) {
  Fault fault = fault_of(outcome);
  const auto published = call.ledger().event(event);
  if (published != nullptr) {
    for (const SeatIndex seat : outcome.seats) fault.seat_ids.push_back(published->plan()->seat_id(seat));
  }
  fail(call, fault);
}

}  // namespace holdfast::api
