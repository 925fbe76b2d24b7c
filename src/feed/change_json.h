// A change as JSON, the same on every way out (docs/api.md, "Changes"). Any thread.
#pragma once

#include "core/plan.h"
#include "json/json.h"
#include "ledger/reading.h"

namespace holdfast::feed {

// A change whose event and number are known, and nothing else: of type `unreadable`.
void append_unreadable_change(Json& json, const RecordedChange& change);

// Appends an event's settings as the member `settings`.
void append_settings(Json& json, const EventSettings& settings);

// Appends a change as one object. `plan` is its event's; it may be nullptr if the change names no seats.
void append_change(Json& json, const RecordedChange& change, const Plan* plan);

}  // namespace holdfast::feed
