// What parts of the server tell about themselves, in Prometheus' words, for Metrics::include(). Names and meanings: docs/operations.md.
// Any thread.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace holdfast {
class PostgresLedger;
}
namespace holdfast::feed {
class Webhooks;
}
namespace holdfast::feed::kafka {
class FeedBoard;
}
namespace holdfast::lock {
class SeatLock;
}

namespace holdfast::api {

std::vector<prometheus::MetricFamily> feed_metrics(const feed::kafka::FeedBoard& board);
std::vector<prometheus::MetricFamily> lock_metrics(const lock::SeatLock& seat_lock);
std::vector<prometheus::MetricFamily> postgres_metrics(const PostgresLedger& ledger);
// A store or a source that cannot be read leaves out what it would have told, and is logged.
std::vector<prometheus::MetricFamily> webhook_metrics(feed::Webhooks& webhooks);

}  // namespace holdfast::api
