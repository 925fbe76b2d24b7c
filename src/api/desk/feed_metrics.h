// What the Kafka feed tells about itself, in Prometheus' words. Names and meanings: docs/operations.md.
#pragma once

#include <prometheus/collectable.h>

#include "feed/kafka/feed.h"

namespace holdfast::api {

// Any thread.
class FeedMetrics final : public prometheus::Collectable {
 public:
  explicit FeedMetrics(const feed::kafka::KafkaFeed& feed) : feed_(feed) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const feed::kafka::KafkaFeed& feed_;
};

}  // namespace holdfast::api
