// `bestAvailable` of POST /v1/reservations (docs/api.md).
#pragma once

#include "api/call.h"
#include "core/command.h"

namespace holdfast::api {

// What a body asks for, with section and category as numbers in the event's plan.
struct WishedBest {
  EventNumber event = 0;
  std::int64_t hold_seconds = 0;   // the event's
  BestAvailable wish{};

  // Equal for equal wishes, and different from that of any list of seats. Part of what an Idempotency-Key stands for.
  std::string meaning() const;
};

// The event's id in the member `bestAvailable`, which must be there; nothing if it is malformed.
std::optional<Uuid> event_wished_for(const boost::json::object& body);

// Reads the member `bestAvailable`, which must be there. Nothing if it is malformed (400), its event does not exist (404), or the event does
// not have its section or category (422); then the answer is there.
std::optional<WishedBest> read_best_available(Call& call, const boost::json::object& body);

}   // namespace holdfast::api
