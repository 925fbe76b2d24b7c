// What the ledger over PostgreSQL tells about itself, in Prometheus' words. Names and meanings: docs/operations.md.
#pragma once

#include <prometheus/collectable.h>

#include "ledger/postgres/postgres_ledger.h"

namespace holdfast::api {

// Any thread.
class PostgresMetrics final : public prometheus::Collectable {
 public:
  explicit PostgresMetrics(const PostgresLedger& ledger) : ledger_(ledger) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const PostgresLedger& ledger_;
};

}  // namespace holdfast::api
