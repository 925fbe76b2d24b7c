#include "ledger/embedded/segments/catalog.h"

#include <algorithm>

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
  return {in_use_, reach_, end_block_};
}

Reach Catalog::reach() const {
  const std::scoped_lock lock(mutex_);
  return reach_;
}

void Catalog::add(Segment segment) {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_CHECK(last() == nullptr || segment.header.number == last()->header.number + 1);
  if (!segment.before) return prepared_.push_back(std::move(segment));
  HOLDFAST_CHECK(prepared_.empty());
  in_use_ = with(std::move(segment));
}

Segment Catalog::begin_next(const Reach& before) {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_CHECK(!prepared_.empty());
  Segment next = std::move(prepared_.front());
  prepared_.pop_front();
  next.before = before;
  in_use_ = with(next);
  reach_ = before;
  end_block_ = k_first_frame;
  return next;
}

std::optional<Segment> Catalog::next_prepared() const {
  const std::scoped_lock lock(mutex_);
  return prepared_.empty() ? std::nullopt : std::optional(prepared_.front());
}

std::size_t Catalog::prepared() const {
  const std::scoped_lock lock(mutex_);
  return prepared_.size();
}

std::optional<std::uint64_t> Catalog::prepared_bytes_min() const {
  const std::scoped_lock lock(mutex_);
  std::optional<std::uint64_t> least;
  for (const Segment& segment : prepared_) least = std::min(least.value_or(segment.header.bytes), segment.header.bytes);
  return least;
}

std::uint64_t Catalog::last_number() const {
  const std::scoped_lock lock(mutex_);
  return last() == nullptr ? 0 : last()->header.number;
}

void Catalog::publish(const Reach& reach, std::uint32_t end_block) {
  const std::scoped_lock lock(mutex_);
  reach_ = reach;
  end_block_ = end_block;
}

void Catalog::show(std::vector<Segment> in_use, const Reach& reach, std::uint32_t end_block) {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_CHECK(prepared_.empty() && !in_use.empty());
  in_use_ = SegmentList(std::move(in_use));
  reach_ = reach;
  end_block_ = end_block;
  gone_before_ = in_use_.back().header.number;   // the writer may remove all the others
}

void Catalog::add_left_over(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  HOLDFAST_CHECK(left_over_.empty() || left_over_.back() < number);
  left_over_.push_back(number);
}

void Catalog::remove_before(std::uint64_t number, const std::function<void(std::uint64_t)>& remove_file) {
  const std::scoped_lock one_removes(removing_);
  while (const auto left_over = first_left_over()) {
    remove_file(*left_over);
    const std::scoped_lock lock(mutex_);
    left_over_.pop_front();
  }
  for (;;) {
    const SegmentList in_use = snapshot().segments;
    if (in_use.size() < 2 || in_use.front().header.number >= number) return;
    note_gone_before(std::min(number, in_use.back().header.number));   // first: a reader may find the file missing before it is forgotten
    remove_file(in_use.front().header.number);
    const std::scoped_lock lock(mutex_);
    in_use_ = SegmentList({in_use_.begin() + 1, in_use_.end()});
  }
}

std::optional<std::uint64_t> Catalog::first_left_over() const {
  const std::scoped_lock lock(mutex_);
  return left_over_.empty() ? std::nullopt : std::optional(left_over_.front());
}

std::vector<std::uint64_t> Catalog::numbers_that_stay() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::uint64_t> numbers;
  for (const Segment& segment : in_use_) {
    if (segment.header.number >= gone_before_) numbers.push_back(segment.header.number);
  }
  for (const Segment& segment : prepared_) numbers.push_back(segment.header.number);
  return numbers;
}

bool Catalog::may_be_gone(std::uint64_t number) const {
  const std::scoped_lock lock(mutex_);
  return number < gone_before_;
}

void Catalog::note_gone_before(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  gone_before_ = std::max(gone_before_, number);
}

// The last one, prepared ones included; null: there is none. Under mutex_.
const Segment* Catalog::last() const {
  if (!prepared_.empty()) return &prepared_.back();
  return in_use_.size() == 0 ? nullptr : &in_use_.back();
}

// Those in use and one more. Under mutex_.
SegmentList Catalog::with(Segment segment) const {
  std::vector<Segment> segments(in_use_.begin(), in_use_.end());
  segments.push_back(std::move(segment));
  return SegmentList(std::move(segments));
}

}   // namespace holdfast::segments
