// What seat locks tell about themselves, in Prometheus' words. Names and meanings: docs/operations.md.
#pragma once

#include <prometheus/collectable.h>

#include "lock/seat_lock.h"

namespace holdfast::api {

// Any thread. Tells nothing where there is no lock (nullptr).
class LockMetrics final : public prometheus::Collectable {
 public:
  explicit LockMetrics(const lock::SeatLock* seat_lock) : seat_lock_(seat_lock) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const lock::SeatLock* seat_lock_;
};

}  // namespace holdfast::api
