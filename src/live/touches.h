// The live seat map of one event, as server-sent events: which seats were touched lately, coalesced, and the messages' bytes. Pure: no clock,
// no threads, no I/O.
//
//   RecentTouches recent(seq);                       // from the state after change `seq` on
//   recent.add(seq + 1, seats, states);              // each change, in order
//   if (recent.covers(last_event_id)) send(changes_message(recent.seq(), recent.between(last_event_id, recent.seq())));
//   else send(snapshot_message(…));
#pragma once

#include <boost/circular_buffer.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/command.h"
#include "core/ids.h"
#include "core/seat.h"

namespace holdfast {

// A seat and the state that a change gave it.
struct Touch {
  SeatIndex seat;
  SeatState state;
  bool operator==(const Touch&) const = default;
};

// The last touches of an event, of at most `touches_max` seats: 16 bytes each, and memory only for those that there are. Not for several
// threads at once.
class RecentTouches {
 public:
  static constexpr std::size_t k_touches_max = 65'536;

  explicit RecentTouches(Seq seq, std::size_t touches_max = k_touches_max) : touches_max_(touches_max), covered_(seq), seq_(seq) {}

  // The next change: it set `seats`, and of all seats these are the states after it. `seq` is one more than the last.
  void add(Seq seq, Seats seats, std::span<const SeatState> states);

  Seq seq() const { return seq_; }   // of the last change
  Seq touched() const { return touched_; }   // of the last that set a seat; 0: none since the beginning
  // Whether everything between `after` and the last change is known: false for what is too old or has not been yet.
  bool covers(Seq after) const { return covered_ <= after && after <= seq_; }
  // Every seat that changes after `after`, up to `through`, have set: once, in plan order, with the state that the last of them gave it.
  // covers(after) must hold.
  std::vector<Touch> between(Seq after, Seq through) const;

 private:
  struct Entry {
    Seq seq;
    Touch touch;
  };

  void make_room();

  std::size_t touches_max_;
  boost::circular_buffer<Entry> entries_;
  Seq covered_;   // what came after it is in `entries_`
  Seq seq_;
  Seq touched_ = 0;
};

// Whether so many touches take more bytes than all letters do.
bool is_shorter_whole(std::size_t touches, std::size_t seats);

// Messages, whole with the empty line; `id:` is the seq.
std::string snapshot_message(Seq seq, unsigned plan_version, std::string_view states);
std::string changes_message(Seq seq, std::span<const Touch> touches);
inline constexpr std::string_view k_comment = ":\n\n";   // tells proxies and clients that the stream lives

}   // namespace holdfast
