#include "ledger/postgres/change_counter.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "ledger/reading.h"

namespace holdfast::pg {
namespace {

constexpr std::int64_t k_steps_counted_max = 10'000;

constexpr Statement k_count{"count_changes_from", R"(
  SELECT count(*), coalesce(sum(last_seq - first_seq + 1), 0)::bigint,
         coalesce((SELECT max(position) FROM holdfast.change_order), 0)
  FROM (SELECT first_seq, last_seq FROM holdfast.change_order WHERE position >= $1 ORDER BY position LIMIT $2) step)"};

// A cursor is position, or position-skip.
struct Place {
  std::int64_t position = 0;
  std::int64_t skip = 0;
};

Place place_of(std::string_view cursor) {
  Place place;
  if (cursor == k_cursor_first || cursor == k_cursor_oldest) return place;
  const char* const end = cursor.data() + cursor.size();
  auto read = std::from_chars(cursor.data(), end, place.position);
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-') read = std::from_chars(read.ptr + 1, end, place.skip);
  if (read.ec != std::errc{} || read.ptr != end) throw std::runtime_error("`" + std::string(cursor) + "` is not a place in the changes");
  return place;
}

}  // namespace

std::uint64_t count_changes_from(Pool& pool, std::string_view cursor) {
  const Place place = place_of(cursor);
  const Result row = pool.take()->query(k_count, Parameters().int8(place.position).int8(k_steps_counted_max));
  const std::int64_t steps = row.int8(0, 0);
  std::int64_t changes = row.int8(0, 1);
  if (steps == k_steps_counted_max) {
    changes = static_cast<std::int64_t>(static_cast<double>(changes) / static_cast<double>(steps) *
                                        static_cast<double>(row.int8(0, 2) - place.position + 1));
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, changes - place.skip));
}

}  // namespace holdfast::pg
