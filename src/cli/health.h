// What GET /v1/operations/health shows beside the ledger, for which its home adds probes.
#pragma once

#include "api/api.h"
#include "lock/seat_lock.h"

namespace holdfast::feed {
class Webhooks;
}

namespace holdfast::cli {

class ServedFeed;

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
