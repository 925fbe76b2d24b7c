#include "api/pages.h"

#include <boost/unordered/unordered_flat_set.hpp>
#include <charconv>

#include "core/limits.h"

namespace holdfast::api {

std::optional<Page> read_page(Call& call) {
  Page page;
  std::string_view query = call.request.query;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::string_view name = pair.substr(0, pair.find('='));
    const std::string_view value = name.size() < pair.size() ? pair.substr(name.size() + 1) : std::string_view{};
    if (name == "cursor") page.cursor = value;
    if (name != "limit") continue;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), page.limit);
    if (error != std::errc{} || end != value.data() + value.size() || page.limit < 1 || page.limit > k_page_items_max) {
      fail(call, {400, k_invalid_request, "`limit` must be a whole number from 1 to 1000."});
      return std::nullopt;
    }
  }
  return page;
}

void append_category(Json& json, const Category& category) {
  json.member("name", category.name);
  json.member("price");
  if (category.price) {
    std::string price;
    append_price(price, *category.price);
    json.raw(price);
  } else {
    json.null();
  }
  json.member("color");
  category.color.empty() ? json.null() : json.text(category.color);
}

std::optional<NamedSeats> read_seats(Call& call, const boost::json::object& object, bool required, std::optional<EventNumber> event) {
  NamedSeats named;
  named.event = event.value_or(0);
  const boost::json::value* list = object.if_contains("seatIds");
  if (!required && (list == nullptr || list->is_null())) return named;
  const auto malformed = [&](const char* what) {
    fail(call, {400, k_invalid_request, what});
    return std::nullopt;
  };
  if (list == nullptr) return malformed("`seatIds` is missing.");
  if (!list->is_array()) return malformed("`seatIds` must be an array of seat ids.");
  const boost::json::array& ids = list->get_array();
  if (ids.empty() || ids.size() > k_seats_per_reservation_max) return malformed("`seatIds` must have 1 to 1000 seat ids.");
  boost::unordered_flat_set<SeatIndex> seen;
  std::vector<std::string> unknown;
  for (const boost::json::value& id : ids) {
    if (!id.is_string() || id.get_string().empty() || id.get_string().size() > k_seat_id_bytes_max) {
      return malformed("`seatIds` must have strings of 1 to 128 bytes.");
    }
    const auto place = call.ledger().seats().find(std::string_view(id.get_string()));
    if (!place || call.ledger().event(place->event) == nullptr) {
      unknown.emplace_back(id.get_string());
      continue;
    }
    if (named.event == 0) named.event = place->event;
    if (named.event != place->event) {
      fail(call, {422,
                  k_invalid_request,
                  event ? "`seatIds` must be seats of this event." : "`seatIds` must all be of one event.",
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
