#include "feed/kafka/store.h"

#include "core/bytes.h"
#include "ledger/data_error.h"

namespace holdfast::feed::kafka {
namespace {

using sql::Result;
using sql::Statement;
using sql::Values;

constexpr Statement k_id{"feed_id", "SELECT id::text FROM holdfast.ledger", "SELECT store FROM feed_lease"};
constexpr Statement k_positions{"feed_positions", "SELECT event, seq FROM holdfast.feed_position"};
constexpr Statement k_save{"feed_save", R"(
  INSERT INTO holdfast.feed_position (event, seq) VALUES ($1, $2) ON CONFLICT (event) DO UPDATE SET seq = excluded.seq)"};
constexpr Statement k_forget{"feed_forget", "DELETE FROM holdfast.payment_rejected WHERE at < $1"};
constexpr Statement k_keep{"feed_keep", R"(
  INSERT INTO holdfast.payment_rejected (digest, told, at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING)"};
// Of $2 digests, one after the other in $1; each with its place.
constexpr Statement k_all_told{"feed_all_told", R"(
  SELECT i, told FROM generate_series(0, $2 - 1) i
  JOIN holdfast.payment_rejected ON digest = substr($1, (i * 32 + 1)::integer, 32))",
                               R"(
  WITH RECURSIVE place (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i + 1 < $2)
  SELECT i, told FROM place CROSS JOIN payment_rejected ON digest = substr($1, i * 32 + 1, 32))"};
constexpr Statement k_told{"feed_told", "SELECT told FROM holdfast.payment_rejected WHERE digest = $1"};

}  // namespace

std::string FeedStore::id() {
  const Result row = database_->query(k_id);
  if (row.rows() != 1) throw DataError(database_->place() + " is damaged: the row with its own id is missing.");
  return std::string(row.text(0, 0));
}

std::unique_ptr<Lease> FeedStore::make_lease(std::string holder, std::chrono::milliseconds time) {
  return std::make_unique<Lease>(*database_, k_lease_kafka, time, std::move(holder));
}

std::vector<FeedPosition> FeedStore::positions() {
  const Result rows = database_->query(k_positions);
  std::vector<FeedPosition> all;
  all.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    all.push_back({static_cast<EventNumber>(rows.integer(i, 0)), static_cast<Seq>(rows.integer(i, 1))});
  }
  return all;
}

void FeedStore::save(Epoch epoch, std::span<const FeedPosition> positions) {
  FencedTransaction writing(*database_, k_lease_kafka, epoch);
  for (const FeedPosition& each : positions) {
    writing.send(k_save, Values().integer(each.event).integer(static_cast<std::int64_t>(each.seq)));
  }
  writing.commit();
}

std::string FeedStore::keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) {
  const auto transaction = database_->begin();
  transaction->send(k_forget, Values().integer(undoubted_now - k_rejection_days * 86'400 * k_millis_per_second));
  transaction->send(k_keep, Values().bytes(as_bytes(payment)).bytes(told).integer(at));
  transaction->send(k_told, Values().bytes(as_bytes(payment)));   // sees what another node has kept in the meantime
  const Result kept = std::move(transaction->commit(1).front());
  if (kept.rows() != 1) throw DataError("a refused payment was removed from " + database_->place() + " while it was being kept.");
  return std::string(kept.text(0, 0));
}

std::vector<std::optional<std::string>> FeedStore::rejections(std::span<const PaymentDigest> payments) {
  static_assert(sizeof(PaymentDigest) == 32);   // as k_all_told has it
  std::vector<std::optional<std::string>> all(payments.size());
  if (payments.empty()) return all;
  const std::string_view digests(reinterpret_cast<const char*>(payments.data()), payments.size_bytes());
  const Result rows = database_->query(k_all_told, Values().bytes(digests).integer(static_cast<std::int64_t>(payments.size())));
  for (int i = 0; i < rows.rows(); ++i) all.at(static_cast<std::size_t>(rows.integer(i, 0))) = std::string(rows.text(i, 1));
  return all;
}

}  // namespace holdfast::feed::kafka
