#include "ledger/embedded/damaged_rows.h"

#include <spdlog/spdlog.h>

namespace holdfast {
namespace {

constexpr const char* k_what_to_do =
    "Readers do not get these changes; they get all others, and selling goes on. A start, a backup and `holdfast rebuild` may refuse the "
    "file: run `holdfast verify`, look at the disk, and in a quiet moment put back both files from a backup (holdfast restore), or ask for "
    "help and keep the file as it is";

std::string named(const KeptRow& row) {
  const std::string name = "row " + std::to_string(row.position);
  if (row.changes == 0) return name + ", which has no changes";
  const std::string first = std::to_string(row.first_seq);
  const std::string which = row.changes == 1 ? "change " + first : "changes " + first + " to " + std::to_string(row.end_seq() - 1);
  return name + ", which has " + which + " of event " + std::to_string(row.event);
}

}  // namespace

void DamagedRows::found(std::shared_ptr<const KeptRow> row) {
  const std::scoped_lock lock(mutex_);
  const bool is_known = ends_.erase(row->position) > 0;   // now its numbers are known
  if (!has_room() || !rows_.emplace(row->position, row).second || is_known) return;
  if (count_and_name()) spdlog::error("{} is damaged: {}, is not what was written. {}.", journal_, named(*row), k_what_to_do);
}

void DamagedRows::ends_before(Position position, const std::string& what) {
  const std::scoped_lock lock(mutex_);
  rows_.erase(position);   // it was there, and is missing now
  const bool is_known = ends_.contains(position);
  if (!is_known) spdlog::error("{}.", what);   // however many rows are named already: all reading ends here
  if (is_known || ends_.size() < k_known_max) ends_.insert_or_assign(position, what);
  count_ = rows_.size() + ends_.size();
}

bool DamagedRows::count_and_name() {
  count_ = rows_.size() + ends_.size();
  if (count_ == k_named_max + 1) spdlog::error("{}: further damaged rows are not named", journal_);
  return count_ <= k_named_max;
}

void DamagedRows::read_well(Position position) {
  if (count() == 0) return;
  const std::scoped_lock lock(mutex_);
  if (const auto at = rows_.find(position); at != rows_.end()) {
    spdlog::warn("{}: {}, is what was written again", journal_, named(*at->second));
    rows_.erase(at);
  } else if (ends_.erase(position) > 0) {
    spdlog::warn("{}: row {} is what was written again", journal_, position);
  }
  count_ = rows_.size() + ends_.size();
}

void DamagedRows::removed_through(Position position) {
  if (count() == 0) return;
  const std::scoped_lock lock(mutex_);
  rows_.erase(rows_.begin(), rows_.upper_bound(position));
  ends_.erase(ends_.begin(), ends_.upper_bound(position));
  count_ = rows_.size() + ends_.size();
}

std::shared_ptr<const KeptRow> DamagedRows::find(Position position) const {
  if (count() == 0) return nullptr;
  const std::scoped_lock lock(mutex_);
  const auto at = rows_.find(position);
  return at == rows_.end() ? nullptr : at->second;
}

std::string DamagedRows::text() const {
  const std::scoped_lock lock(mutex_);
  if (!ends_.empty()) return ends_.begin()->second;
  if (rows_.empty()) return {};
  const std::string first = named(*rows_.begin()->second);
  const std::string which = rows_.size() == 1 ? first + ", is not what was written"
                                              : std::to_string(rows_.size()) + " rows are not what was written, the first is " + first;
  return journal_ + " is damaged: " + which + ". " + k_what_to_do;
}

}  // namespace holdfast
