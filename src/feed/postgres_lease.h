// A lease by a row in PostgreSQL (feed/lease.h): who, in which epoch, until when by the database's clock.
//
//   pg::Lease lease(pool, pg::k_lease_webhooks);
#pragma once

#include <string>

#include "feed/lease.h"
#include "sql/postgres_pool.h"

namespace holdfast::pg {

inline constexpr const char* k_lease_webhooks = "webhooks";
inline constexpr const char* k_lease_kafka = "kafka";   // kafka/postgres_store.h

inline constexpr std::chrono::milliseconds k_lease_time{3'000};

// What holdfast.assert_lease() answers when the epoch is over.
inline constexpr std::string_view k_lease_lost = "HF001";
// Into a transaction, before its writes: they are done only while the lease is in this epoch, which nobody can end before the
// commit. Parameters: name, epoch.
inline constexpr Statement k_assert_lease{"assert_lease", "SELECT holdfast.assert_lease($1, $2)"};

class Lease final : public feed::Lease {
 public:
  // Another object is another holder, also in the same process. `pool` must outlive it.
  Lease(Pool& pool, std::string name, std::chrono::milliseconds time = k_lease_time);

  std::optional<feed::Epoch> acquire() override;
  bool renew() override;
  void release() override;
  std::chrono::milliseconds time() const override { return time_; }

 private:
  Pool& pool_;
  const std::string name_;
  const std::chrono::milliseconds time_;
  const std::string holder_;
  std::optional<feed::Epoch> held_;
};

}  // namespace holdfast::pg
