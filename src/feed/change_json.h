// A change as JSON, the same wherever changes go out (docs/api.md, "Changes").
#pragma once

#include "core/plan.h"
#include "json/json.h"
#include "ledger/reading.h"

namespace holdfast::feed {

// In the place of its type, of a change of which only event and number are known.
inline constexpr std::string_view k_unreadable = "unreadable";
void append_unreadable_change(Json& json, const RecordedChange& change);

// Appends a change as one object. `plan` is that of its event; it may be nullptr when the change names no seats.
void append_change(Json& json, const RecordedChange& change, const Plan* plan);

}  // namespace holdfast::feed
