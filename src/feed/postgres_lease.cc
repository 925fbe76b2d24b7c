#include "feed/postgres_lease.h"

#include <boost/uuid/random_generator.hpp>

namespace holdfast::pg {
namespace {

// While somebody holds it the row is not even locked. The clock is read again when it is, so a wait for it counts.
constexpr Statement k_acquire{"lease_acquire", R"(
  INSERT INTO holdfast.lease AS l (name, holder, epoch, until)
  SELECT $1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond'
  WHERE NOT EXISTS (SELECT 1 FROM holdfast.lease WHERE name = $1 AND until > clock_timestamp())
  ON CONFLICT (name) DO UPDATE SET holder = $2, epoch = l.epoch + 1, until = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE l.until <= clock_timestamp()
  RETURNING epoch)"};
// Also when its time is over, as long as nobody else has taken it.
constexpr Statement k_renew{"lease_renew", R"(
  UPDATE holdfast.lease SET until = clock_timestamp() + $4 * interval '1 millisecond' WHERE name = $1 AND holder = $2 AND epoch = $3)"};
constexpr Statement k_release{"lease_release",
                              "UPDATE holdfast.lease SET until = '-infinity' WHERE name = $1 AND holder = $2 AND epoch = $3"};

}  // namespace

Lease::Lease(Pool& pool, std::string name, std::chrono::milliseconds time)
    : pool_(pool), name_(std::move(name)), time_(time), holder_(to_string(boost::uuids::random_generator()())) {}

std::optional<feed::Epoch> Lease::acquire() {
  held_.reset();
  const auto connection = pool_.take();
  const Result taken = connection->query(k_acquire, Parameters().text(name_).text(holder_).real8(static_cast<double>(time_.count())));
  if (taken.rows() == 1) held_ = taken.int8(0, 0);
  return held_;
}

bool Lease::renew() {
  if (!held_) return false;
  const auto connection = pool_.take();
  const auto values = Parameters().text(name_).text(holder_).int8(*held_).real8(static_cast<double>(time_.count()));
  if (connection->query(k_renew, values).affected() == 0) held_.reset();
  return held_.has_value();
}

void Lease::release() {
  if (!held_) return;
  const auto connection = pool_.take();
  connection->query(k_release, Parameters().text(name_).text(holder_).int8(*held_));
  held_.reset();
}

}  // namespace holdfast::pg
