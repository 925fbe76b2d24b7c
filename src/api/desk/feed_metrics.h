// What the Kafka feed tells about itself, in Prometheus' words. Names and meanings: docs/operations.md.
#pragma once

#include <prometheus/collectable.h>

#include "feed/kafka/status.h"

namespace holdfast::api {

// Any thread.
class FeedMetrics final : public prometheus::Collectable {
 public:
  explicit FeedMetrics(const feed::kafka::FeedBoard& board) : board_(board) {}   // which must outlive it
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const feed::kafka::FeedBoard& board_;
};

}  // namespace holdfast::api
