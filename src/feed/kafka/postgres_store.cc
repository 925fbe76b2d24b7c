#include "feed/kafka/postgres_store.h"

#include <map>

#include "feed/postgres_lease.h"
#include "ledger/data_error.h"

namespace holdfast::feed::kafka {
namespace {

using pg::Parameters;
using pg::Result;
using pg::Statement;

constexpr Statement k_id{"feed_id", "SELECT id FROM holdfast.ledger"};
// As pg::Lease takes it, but for its holder taking it again: then only its end moves.
constexpr Statement k_take{"feed_take", R"(
  INSERT INTO holdfast.lease AS l (name, holder, epoch, until)
  SELECT $1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond'
  WHERE NOT EXISTS (SELECT 1 FROM holdfast.lease WHERE name = $1 AND holder <> $2 AND until > clock_timestamp())
  ON CONFLICT (name) DO UPDATE SET
    holder = $2, epoch = l.epoch + CASE WHEN l.holder = $2 THEN 0 ELSE 1 END, until = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE l.holder = $2 OR l.until <= clock_timestamp()
  RETURNING epoch)"};
constexpr Statement k_lease{"feed_lease", "SELECT epoch, holder FROM holdfast.lease WHERE name = $1"};
constexpr Statement k_give_up{"feed_give_up", "UPDATE holdfast.lease SET until = '-infinity', holder = '' WHERE name = $1 AND epoch = $2"};
constexpr Statement k_positions{"feed_positions", "SELECT event, seq FROM holdfast.feed_position"};
constexpr Statement k_save{"feed_save", R"(
  INSERT INTO holdfast.feed_position (event, seq) SELECT * FROM unnest($1, $2)
  ON CONFLICT (event) DO UPDATE SET seq = excluded.seq)"};
constexpr Statement k_forget{"feed_forget", "DELETE FROM holdfast.payment_rejected WHERE at < $1"};
constexpr Statement k_keep{"feed_keep", R"(
  INSERT INTO holdfast.payment_rejected (digest, told, at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING)"};
constexpr Statement k_told{"feed_told", "SELECT told FROM holdfast.payment_rejected WHERE digest = $1"};

std::string_view view(const PaymentDigest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

}  // namespace

std::string PostgresFeedStore::id() {
  const Result row = pool_.take()->query(k_id);
  if (row.rows() != 1) throw DataError("the table holdfast.ledger has no row: this is not a ledger's database any more");
  return to_string(row.uuid(0, 0));
}

Lease PostgresFeedStore::take_lease(std::string_view holder, std::chrono::milliseconds time) {
  auto connection = pool_.take();
  connection->send(k_take, Parameters().text(pg::k_lease_kafka).text(holder).real8(static_cast<double>(time.count())));
  connection->send(k_lease, Parameters().text(pg::k_lease_kafka));
  connection->sync();
  const Result taken = connection->receive();
  const Result now = connection->receive();
  connection->end_sync();
  if (now.rows() != 1) throw DataError("the row of the Kafka feed's lease has gone from holdfast.lease while it was taken");
  return {.is_mine = taken.rows() == 1, .epoch = static_cast<std::uint64_t>(now.int8(0, 0)), .holder = std::string(now.text(0, 1))};
}

void PostgresFeedStore::give_up_lease(std::uint64_t epoch) {
  pool_.take()->query(k_give_up, Parameters().text(pg::k_lease_kafka).int8(static_cast<std::int64_t>(epoch)));
}

std::vector<FeedPosition> PostgresFeedStore::positions() {
  const Result rows = pool_.take()->query(k_positions);
  std::vector<FeedPosition> all;
  all.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    all.push_back({static_cast<EventNumber>(rows.int4(i, 0)), static_cast<Seq>(rows.int8(i, 1))});
  }
  return all;
}

bool PostgresFeedStore::save(std::uint64_t epoch, std::span<const FeedPosition> positions) {
  std::map<EventNumber, Seq> last;   // of several for one event the last counts
  for (const FeedPosition& each : positions) last[each.event] = each.seq;
  std::vector<std::int32_t> events;
  std::vector<std::int64_t> seqs;
  for (const auto& [event, seq] : last) {
    events.push_back(static_cast<std::int32_t>(event));
    seqs.push_back(static_cast<std::int64_t>(seq));
  }
  auto connection = pool_.take();
  connection->send(pg::k_begin);
  connection->send(pg::k_assert_lease, Parameters().text(pg::k_lease_kafka).int8(static_cast<std::int64_t>(epoch)));
  connection->send(k_save, Parameters().int4s(events).int8s(seqs));
  connection->send(pg::k_commit);
  connection->sync();
  try {
    for (int statement = 0; statement < 4; ++statement) connection->receive();
  } catch (const pg::Error& error) {
    if (error.is(pg::k_lease_lost)) return false;
    throw;
  }
  connection->end_sync();
  return true;
}

std::string PostgresFeedStore::keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) {
  auto connection = pool_.take();
  connection->send(pg::k_begin);
  connection->send(k_forget, Parameters().int8(undoubted_now - k_rejection_days * 86'400 * k_millis_per_second));
  connection->send(k_keep, Parameters().bytes(view(payment)).bytes(told).int8(at));
  connection->send(k_told, Parameters().bytes(view(payment)));   // sees what another node has kept in the meantime
  connection->send(pg::k_commit);
  connection->sync();
  for (int statement = 0; statement < 3; ++statement) connection->receive();
  const Result kept = connection->receive();
  connection->receive();
  connection->end_sync();
  if (kept.rows() != 1) throw DataError("a refused payment has gone from holdfast.payment_rejected while it was kept");
  return std::string(kept.bytes(0, 0));
}

std::optional<std::string> PostgresFeedStore::rejection(const PaymentDigest& payment) {
  const Result row = pool_.take()->query(k_told, Parameters().bytes(view(payment)));
  return row.rows() == 1 ? std::optional(std::string(row.bytes(0, 0))) : std::nullopt;
}

}  // namespace holdfast::feed::kafka
