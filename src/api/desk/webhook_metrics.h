// What webhooks tell about themselves, in Prometheus' words. Names and meanings: docs/operations.md.
#pragma once

#include <prometheus/collectable.h>

#include "feed/webhooks/webhooks.h"

namespace holdfast::api {

// Any thread. A store or a source that cannot be read leaves out what it would have told, and is logged.
class WebhookMetrics final : public prometheus::Collectable {
 public:
  explicit WebhookMetrics(feed::Webhooks& webhooks) : webhooks_(webhooks) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  feed::Webhooks& webhooks_;
};

}  // namespace holdfast::api
