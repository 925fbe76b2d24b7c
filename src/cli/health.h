// What GET /v1/operations/health shows of a server with the embedded ledger: a probe for each of its parts.
#pragma once

#include "api/api.h"
#include "ledger/embedded/embedded_ledger.h"

namespace holdfast::feed {
class Webhooks;
}

namespace holdfast::cli {

// Probes for the ledger, the tables behind it, the engine's queue, the lock, the feed, webhooks and live maps. What is not configured is
// shown as `off`; whoever configures it adds a probe of the same name, which takes its place. All of them must outlive the api's answers.
void add_health_probes(api::Api& api, const EmbeddedLedger& ledger, const Engine& engine, std::size_t queue_max, feed::Webhooks& webhooks,
                       std::size_t listeners_max);

}  // namespace holdfast::cli
