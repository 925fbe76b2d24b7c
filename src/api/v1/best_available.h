// `bestAvailable` of POST /v1/reservations (docs/api.md).
#pragma once

#include "api/call.h"
#include "core/command.h"

namespace holdfast::api {

// What a body asks for, in the numbers of its event's plan.
struct WishedBest {
  EventNumber event = 0;
  std::int64_t hold_seconds = 0;   // the event's
  BestAvailable wish{};

  // The same for equal wishes, and never that of a list of seats.
  std::string meaning() const;
};

// The event that the member `bestAvailable` names, as far as it can be one.
std::optional<Uuid> event_wished_for(const boost::json::object& body);

// Reads the member `bestAvailable`, which must be there; or nothing, with the answer written: 400 malformed, 404 no such event,
// 422 a section or category that the event does not have.
std::optional<WishedBest> read_best_available(Call& call, const boost::json::object& body);

}   // namespace holdfast::api
