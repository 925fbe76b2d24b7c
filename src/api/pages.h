// What several endpoints of /v1 share: paging, categories, lists of seats.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/query.h"
#include "core/plan.h"

namespace holdfast::api {

inline constexpr std::size_t k_page_items = 100;
inline constexpr std::size_t k_page_items_max = 1'000;

// A page of events or reservations ends after the item with which it has so many bytes.
inline constexpr std::size_t k_page_bytes_max = std::size_t{4} * 1024 * 1024;

struct Page {
  std::size_t limit = k_page_items;
  std::string cursor;   // empty: from the beginning
};

// `limit` and `cursor` of the query, which has nothing else. Nothing when they are malformed; then the answer is there (400).
std::optional<Page> read_page(Call& call);
// The same for a query that has more.
std::optional<Page> read_page(Call& call, const Query& query);

// The fault for what could not be read: 400, 410 or 503.
Fault fault_of(const ReadProblem& problem);

// Whether the event exists for the caller: a draft does for operators and for keys that read, and for nobody else.
bool is_there(const Call& call, const PublishedEvent& event);
bool is_draft(const PublishedEvent& event);

// The event of an id, or the one that the path names first; nullptr with the answer written (404) when it does not exist for the caller.
std::shared_ptr<const PublishedEvent> find_event(Call& call, std::string_view id);
std::shared_ptr<const PublishedEvent> find_event(Call& call);

// Name, price and colour, as members of an object that is open.
void append_category(Json& json, const Category& category);

// Seats that a request names by id, all of one event.
struct NamedSeats {
  EventNumber event = 0;
  std::vector<SeatIndex> seats;   // in the order asked, each once
};

// Reads the member `seatIds`. Nothing when it is malformed (400), names a seat that there is not (404) or seats of several events
// (422); then the answer is there. `required` false: a member that is not there is an empty list. `event`: the seats must be of
// this one, and exist for the caller though it be a draft: he has a reservation in it.
std::optional<NamedSeats> read_seats(Call& call, const boost::json::object& object, bool required, std::optional<EventNumber> event = {});

// The ids that `seatIds` names, as far as they can be ids; read_seats says what is wrong with the others.
std::vector<std::string> seat_ids_in(const boost::json::object& object);

// Whether the caller may know of a reservation: a visitor's session knows its own only; to it, somebody else's do not exist.
bool may_touch(const Call& call, const Uuid& reservation);

// Answers a refusal, with the ids of the seats that are its reason.
void refuse(Call& call, EventNumber event, const Outcome& outcome);

}   // namespace holdfast::api
