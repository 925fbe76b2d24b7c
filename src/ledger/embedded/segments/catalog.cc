#include "ledger/embedded/segments/catalog.h"

#include "core/check.h"

namespace holdfast::segments {

void SegmentIndex::add(Position before, std::uint32_t block) {
  const std::scoped_lock lock(mutex_);
  const auto after = blocks_.upper_bound(before);
  if (after != blocks_.begin() && block < std::prev(after)->second + k_apart) return;
  blocks_.emplace(before, block);
}

std::uint32_t SegmentIndex::find(Position position) const {
  const std::scoped_lock lock(mutex_);
  const auto at = blocks_.lower_bound(position);   // the first that begins with this row's or a later position before it
  return at == blocks_.begin() ? k_first_frame : std::prev(at)->second;
}

Catalog::Snapshot Catalog::snapshot() const {
  const std::scoped_lock lock(mutex_);
  return {{segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(in_use_)}, reach_, end_block_};
}

Reach Catalog::reach() const {
  const std::scoped_lock lock(mutex_);
  return reach_;
}

void Catalog::add(Segment segment) {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_CHECK(segments_.empty() || segment.header.number == segments_.back().header.number + 1);
  if (segment.before) {
    HOLDFAST_CHECK(in_use_ == segments_.size());
    ++in_use_;
  }
  segments_.push_back(std::move(segment));
}

Segment Catalog::begin_next(const Reach& before) {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_CHECK(in_use_ < segments_.size());
  Segment& next = segments_[in_use_++];
  next.before = before;
  reach_ = before;
  end_block_ = k_first_frame;
  return next;
}

std::optional<Segment> Catalog::next_prepared() const {
  const std::scoped_lock lock(mutex_);
  return in_use_ < segments_.size() ? std::optional(segments_[in_use_]) : std::nullopt;
}

std::size_t Catalog::prepared() const {
  const std::scoped_lock lock(mutex_);
  return segments_.size() - in_use_;
}

std::uint64_t Catalog::last_number() const {
  const std::scoped_lock lock(mutex_);
  return segments_.empty() ? 0 : segments_.back().header.number;
}

void Catalog::publish(const Reach& reach, std::uint32_t end_block) {
  const std::scoped_lock lock(mutex_);
  reach_ = reach;
  end_block_ = end_block;
}

std::vector<std::uint64_t> Catalog::remove_before(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  std::vector<std::uint64_t> removed;
  while (in_use_ > 1 && segments_.front().header.number < number) {
    removed.push_back(segments_.front().header.number);
    segments_.erase(segments_.begin());
    --in_use_;
  }
  return removed;
}

}  // namespace holdfast::segments
