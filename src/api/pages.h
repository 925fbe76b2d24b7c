// What several endpoints share: paging, caching, finding events, categories, lists of seats.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/query.h"
#include "core/plan.h"
#include "json/fields.h"

namespace holdfast::api {

inline constexpr std::size_t k_page_items = 100;
inline constexpr std::size_t k_page_items_max = 1'000;

// A page of events or reservations ends with the item that brings it to this size.
inline constexpr std::size_t k_page_bytes_max = std::size_t{4} * 1024 * 1024;

struct Page {
  std::size_t limit = k_page_items;
  std::string cursor;   // empty: from the beginning
};

// `limit` and `cursor` of a query that takes nothing else. Nothing if they are malformed; then the answer is there (400).
std::optional<Page> read_page(Call& call);
// The same for a query that takes more.
std::optional<Page> read_page(Call& call, const Query& query);

// The cursor as a number, 0 if it is empty; nothing if it is anything but a number of at most `most`.
std::optional<std::uint64_t> number_of(const Page& page, std::uint64_t most);

// Answers with a page of a list: `items`, each of which `append(json, item)` writes, and the cursor of the next page; empty: there is none.
template <typename Items, typename Append>
void answer_page(Call& call, const Items& items, std::string_view next, Append append) {
  Json json = begin_json(call);
  json.object([&] {
    json.array("items", items, [&](const auto& item) { append(json, item); });
    json.member_or_null("nextCursor", next);
  });
}

// The fault for a failed read: 400, 410 or 503.
Fault fault_of(const ReadProblem& problem);

// Whether the client takes an answer that is compressed by gzip.
bool accepts_gzip(const http::Request& request);
// Whether the client has a version already, according to If-None-Match.
bool names_version(const http::Request& request, std::string_view version);
// Adds the ETag of an answer's version, compressed or not. Whether the client has that version already; then the answer is there (304).
bool has_already(Call& call, std::string_view version, bool compressed = false);

// Whether the event exists for the caller. A draft exists only for operators and for keys that may read.
bool is_there(const Call& call, const PublishedEvent& event);
bool is_draft(const PublishedEvent& event);

// The event with an id, or with the path's first parameter as its id. nullptr if it does not exist for the caller; then the answer is there
// (404).
std::shared_ptr<const PublishedEvent> find_event(Call& call, std::string_view id);
std::shared_ptr<const PublishedEvent> find_event(Call& call);

// A price as a member of an open object; null if there is none.
void append_price(Json& json, std::string_view name, const std::optional<Price>& price);
// Name, price and colour, as members of an open object.
void append_category(Json& json, const Category& category);

// Seats of one event that a request names by their ids.
struct NamedSeats {
  EventNumber event = 0;
  std::vector<SeatIndex> seats;   // in the order of the request, each once
};

// Reads the member `seatIds`; without the member, and if it is not `required`, there are no seats. Nothing if it is malformed (400), names a
// seat that does not exist (404) or seats of several events (422); then the answer is there. `event`: the seats must be of this one. They
// exist for the caller even if it is a draft, because the caller has a reservation in it.
std::optional<NamedSeats> read_seats(Call& call, const boost::json::object& object, Required required,
                                     std::optional<EventNumber> event = {});

// The ids in `seatIds` that can be ids. read_seats says what is wrong with the others.
std::vector<std::string> seat_ids_in(const boost::json::object& object);

// Whether the caller may know of a reservation. For a visitor's session only its own reservations exist.
bool may_touch(const Call& call, const Uuid& reservation);

// Answers a refusal, with the ids of the seats that are its reason.
void refuse(Call& call, EventNumber event, const Outcome& outcome);

}   // namespace holdfast::api
