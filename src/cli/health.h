// What GET /v1/operations/health shows beside the ledger, for which its home adds probes.
#pragma once

#include <string>

#include "api/api.h"
#include "lock/seat_lock.h"

namespace holdfast::feed {
class Webhooks;
}

namespace holdfast::cli {

class ServedFeed;

// What waits for longer is not being worked on as it should be, whatever the state of the part is that has to.
inline constexpr double k_pending_degraded_seconds = 30;

// What keeps webhooks from going out though no receiver does, in a part of a sentence; empty: nothing.
std::string late_webhooks(feed::Webhooks& webhooks);

// All of them must outlive the api's answers. nullptr: not configured, and shown as `off`.
struct ServedParts {
  const Engine& engine;
  std::size_t queue_max;
  const lock::SeatLock* seat_lock;
  const ServedFeed* feed;
  feed::Webhooks& webhooks;
  std::size_t listeners_max;
};

// Probes for the engine's queue, the lock, the feed, webhooks and live maps.
void add_health_probes(api::Api& api, const ServedParts& parts);

}  // namespace holdfast::cli
