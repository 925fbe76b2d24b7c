#include "live/touches.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>

#include "core/check.h"
#include "core/decimal.h"

namespace holdfast {
namespace {

constexpr std::size_t k_entries_start = 256;
constexpr std::size_t k_pair_bytes = 12;         // roughly, of `[123456,"h"],`
constexpr std::size_t k_always_as_pairs = 64;    // touches; fewer are never sent as a snapshot, however small the event

void append_head(std::string& out, std::string_view event, Seq seq) {
  out.append("event: ").append(event).append("\nid: ");
  append_decimal(out, seq);
  out += "\ndata: {\"seq\":";
  append_decimal(out, seq);
}

}  // namespace

void RecentTouches::add(Seq seq, Seats seats, std::span<const SeatState> states) {
  HOLDFAST_CHECK(seq == seq_ + 1);
  seq_ = seq;
  if (!seats.empty()) touched_ = seq;
  for (const SeatIndex seat : seats) {
    if (entries_.full()) make_room();
    entries_.push_back({seq, {seat, states[seat]}});
  }
}

void RecentTouches::make_room() {
  if (entries_.capacity() < touches_max_) {
    entries_.set_capacity(std::min(touches_max_, std::max(k_entries_start, 2 * entries_.capacity())));
  } else {
    covered_ = entries_.front().seq;   // push_back() drops it
  }
}

std::vector<Touch> RecentTouches::between(Seq after, Seq through) const {
  HOLDFAST_CHECK(covers(after));
  const auto first = std::ranges::upper_bound(entries_, after, {}, &Entry::seq);
  const auto end = std::upper_bound(first, entries_.end(), through, [](Seq seq, const Entry& entry) { return seq < entry.seq; });
  std::vector<Touch> touches;
  boost::unordered_flat_set<SeatIndex> seen;
  for (auto at = end; at != first;) {   // the last touch of a seat counts
    --at;
    if (seen.insert(at->touch.seat).second) touches.push_back(at->touch);
  }
  std::ranges::sort(touches, {}, &Touch::seat);
  return touches;
}

bool is_shorter_whole(std::size_t touches, std::size_t seats) { return touches > k_always_as_pairs && touches * k_pair_bytes > seats; }

std::string snapshot_message(Seq seq, unsigned plan_version, std::string_view states) {
  std::string out;
  out.reserve(states.size() + 128);
  append_head(out, "snapshot", seq);
  out += ",\"planVersion\":";
  append_decimal(out, plan_version);
  out.append(",\"states\":\"").append(states).append("\"}\n\n");
  return out;
}

std::string changes_message(Seq seq, std::span<const Touch> touches) {
  std::string out;
  out.reserve(touches.size() * k_pair_bytes + 128);
  append_head(out, "changes", seq);
  out += ",\"seats\":[";
  for (const Touch& touch : touches) {
    if (out.back() != '[') out += ',';
    out += '[';
    append_decimal(out, touch.seat);
    out.append(",\"").append(1, static_cast<char>(touch.state)).append("\"]");
  }
  out += "]}\n\n";
  return out;
}

}  // namespace holdfast
