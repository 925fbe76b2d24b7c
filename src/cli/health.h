// The probes behind GET /v1/operations/health, except those of the ledger, which its home adds.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>

#include "api/api.h"
#include "cli/options.h"
#include "lock/seat_lock.h"

namespace holdfast::feed {
class Webhooks;
}

namespace holdfast::cli {

class ServedFeed;

// Work that has waited longer than this degrades the server, whatever the responsible part says about itself.
inline constexpr double k_pending_degraded_seconds = 30;

// Degraded by `fault`, a sentence; if that is empty, ok as `fine` says.
api::HealthComponent ok_unless(std::string fault, const char* kind, std::string fine, std::optional<api::HealthLag> lag = {});

// The first of the texts that is not empty; empty: all are.
std::string first_said(std::initializer_list<std::string> texts);

// How late expiries are recorded, as part of a sentence. `due`: how long ago the oldest unrecorded hold ended. Empty if that is not worth a
// look, or if this node does not sweep.
std::string late_expiries(std::chrono::milliseconds due, bool sweeps);

// What delays webhooks although their receivers do not, as part of a sentence; empty: nothing.
std::string late_webhooks(feed::Webhooks& webhooks);

// Adds probes of the engine's queue, the lock, the feed, webhooks and live maps. All must outlive the api's answers. nullptr: not
// configured, and shown as `off`.
void add_health_probes(api::Api& api, const ServeOptions& options, const Engine& engine, const lock::SeatLock* seat_lock,
                       const ServedFeed* feed, feed::Webhooks& webhooks);

}   // namespace holdfast::cli
