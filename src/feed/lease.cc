#include "feed/lease.h"

#include "access/random.h"
#include "core/check.h"
#include "ledger/data_error.h"
#include "ledger/embedded/clock.h"
#include "sql/postgres_connection.h"

namespace holdfast::feed {
namespace {

using sql::Result;
using sql::Statement;
using sql::Values;

// $1 name, $2 holder, $3 time in ms. The file has only one lease, so SQLite ignores the name and uses $4, the machine's clock
// since boot.
//
// PostgreSQL skips the row while another transaction has locked it. It reads the clock again after locking the row, so that a
// wait for the lock counts. In SQLite, a lease that ends later than the longest time ($5) from now is from before the last
// reboot.
constexpr Statement k_acquire{"lease_acquire", R"(
  INSERT INTO holdfast.lease AS l (name, holder, epoch, until)
  SELECT $1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond'
  WHERE NOT EXISTS (SELECT 1 FROM holdfast.lease WHERE name = $1 AND holder <> $2 AND until > clock_timestamp())
  ON CONFLICT (name) DO UPDATE SET
    holder = $2, epoch = l.epoch + CASE WHEN l.holder = $2 THEN 0 ELSE 1 END, until = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE l.holder = $2 OR l.until <= clock_timestamp()
  RETURNING epoch)",
                              R"(
  UPDATE feed_lease SET holder = $2, epoch = epoch + CASE WHEN holder = $2 THEN 0 ELSE 1 END, until = $4 + $3
  WHERE holder = $2 OR until <= $4 OR until > $4 + $5
  RETURNING epoch)"};
constexpr Statement k_holder{"lease_holder", "SELECT holder FROM holdfast.lease WHERE name = $1", "SELECT holder FROM feed_lease"};
constexpr Statement k_renew{"lease_renew", R"(
  UPDATE holdfast.lease SET until = clock_timestamp() + $3 * interval '1 millisecond' WHERE name = $1 AND holder = $2 AND epoch = $5)",
                            "UPDATE feed_lease SET until = $4 + $3 WHERE holder = $2 AND epoch = $5"};
constexpr Statement k_release{"lease_release",
                              "UPDATE holdfast.lease SET until = '-infinity', holder = '' WHERE name = $1 AND holder = $2 AND epoch = $3",
                              "UPDATE feed_lease SET until = 0, holder = '' WHERE holder = $2 AND epoch = $3"};
// PostgreSQL fails with k_lease_lost, so that the statements after it do nothing. SQLite returns no row.
constexpr Statement k_assert{"assert_lease", "SELECT holdfast.assert_lease($1, $2)", "SELECT 1 FROM feed_lease WHERE epoch = $2"};
constexpr std::string_view k_lease_lost = "HF001";

// This clock runs on while the machine sleeps, and is the same for all processes. A reboot restarts it, and so ends every lease.
std::int64_t boot_ms() { return SystemClockSource().boot_ns() / 1'000'000; }

}  // namespace

Lease::Lease(sql::Database& database, const char* name, std::chrono::milliseconds time, std::string holder)
    : database_(database), name_(name), time_(time), has_name_(!holder.empty()), holder_(std::move(holder)) {
  HOLDFAST_CHECK(time.count() > 0 && time <= k_lease_time_max);
}

std::optional<Epoch> Lease::acquire() {
  if (!has_name_) {
    held_.reset();
    holder_ = to_string(random_uuid());
  }
  const auto transaction = database_.begin();
  transaction->send(k_acquire,
                    Values().text(name_).text(holder_).integer(time_.count()).integer(boot_ms()).integer(k_lease_time_max.count()));
  transaction->send(k_holder, Values().text(name_));
  const std::vector<Result> results = transaction->commit(2);
  if (results[1].rows() != 1) throw DataError(database_.place() + " has lost the row of the lease \"" + name_ + "\".");
  last_holder_ = results[1].text(0, 0);
  held_ = results[0].rows() == 1 ? std::optional(results[0].integer(0, 0)) : std::nullopt;
  return held_;
}

bool Lease::renew() {
  if (!held_) return false;
  const Values values = Values().text(name_).text(holder_).integer(time_.count()).integer(boot_ms()).integer(held_);
  if (database_.query(k_renew, values).affected() == 0) held_.reset();
  return held_.has_value();
}

void Lease::release() {
  if (!held_) return;
  database_.query(k_release, Values().text(name_).text(holder_).integer(held_));
  held_.reset();
}

FencedTransaction::FencedTransaction(sql::Database& database, const char* lease, Epoch epoch) : transaction_(database.begin()) {
  const Values values = Values().text(lease).integer(epoch);
  if (database.file() == nullptr) {
    transaction_->send(k_assert, values);
  } else if (transaction_->ask(k_assert, values).rows() == 0) {
    throw LeaseLost(std::string("the lease \"") + lease + "\" is not in epoch " + std::to_string(epoch) + " any more");
  }
}

std::vector<Result> FencedTransaction::commit(std::size_t wanted) {
  try {
    return transaction_->commit(wanted);
  } catch (const pg::Error& error) {
    if (error.is(k_lease_lost)) throw LeaseLost(error.what());
    throw;
  }
}

}  // namespace holdfast::feed
