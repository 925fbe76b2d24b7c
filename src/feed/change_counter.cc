#include "feed/change_counter.h"

#include <algorithm>
#include <limits>

#include "feed/lease.h"
#include "ledger/change_pages.h"

namespace holdfast::pg {
namespace {

constexpr Statement k_count{"count_changes_from", R"(
  SELECT count(*), coalesce(sum(last_seq - first_seq + 1), 0)::bigint,
         coalesce((SELECT max(position) FROM holdfast.change_order), 0)
  FROM (SELECT first_seq, last_seq FROM holdfast.change_order WHERE position >= $1 ORDER BY position LIMIT $2) step)"};

constexpr Statement k_enabled{"relayed_webhooks", "SELECT position FROM holdfast.webhook_endpoint WHERE enabled"};
constexpr Statement k_before{"relayed_before", R"(
  SELECT last_seq FROM holdfast.change_order WHERE event = $1 AND position < $2 ORDER BY first_seq DESC LIMIT 1)"};
// The lease's row exists as soon as any node has published.
constexpr Statement k_feed{"relayed_feed",
                           "SELECT EXISTS (SELECT 1 FROM holdfast.lease WHERE name = $2), "
                           "coalesce((SELECT seq FROM holdfast.feed_position WHERE event = $1), 0)"};

Seq seq_of(const Result& rows) { return rows.rows() == 0 ? 0 : static_cast<Seq>(rows.int8(0, 0)); }

}  // namespace

std::uint64_t count_changes_from(Pool& pool, std::string_view cursor) {
  const ChangePlace place = place_to_count_from(cursor);
  const Result row = pool.take()->query(k_count, Parameters().int8(place.position).int8(k_rows_counted_max));
  return changes_from(place, {.rows = row.int8(0, 0), .changes = row.int8(0, 1), .last = row.int8(0, 2)});
}

Seq relayed_through(Pool& pool, EventNumber event, bool feeds_here) {
  auto connection = pool.take();
  const auto number = static_cast<std::int32_t>(event);
  Seq through = std::numeric_limits<Seq>::max();
  const Result webhooks = connection->query(k_enabled);
  std::int64_t first_needed = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < webhooks.rows(); ++i) first_needed = std::min(first_needed, place_to_count_from(webhooks.text(i, 0)).position);
  if (webhooks.rows() > 0) through = seq_of(connection->query(k_before, Parameters().int4(number).int8(first_needed)));
  const Result feed = connection->query(k_feed, Parameters().int4(number).text(feed::k_lease_kafka));
  if (feeds_here || feed.boolean(0, 0)) through = std::min(through, static_cast<Seq>(feed.int8(0, 1)));
  return through;
}

}  // namespace holdfast::pg
