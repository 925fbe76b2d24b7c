// The live seat map of one event as server-sent events: which seats were touched recently, merged, and the bytes of the messages. Pure: no
// clock, no threads, no I/O.
//
//   RecentTouches recent(seq);                       // begins with the state after change `seq`
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

// The last touches of an event, at most `touches_max`, 16 bytes each; memory grows with their number. Not thread-safe.
class RecentTouches {
 public:
  static constexpr std::size_t k_touches_max = 65'536;

  explicit RecentTouches(Seq seq, std::size_t touches_max = k_touches_max) : touches_max_(touches_max), covered_(seq), seq_(seq) {}

  // The next change: it set `seats`; `states` are those of all seats after it. `seq` must be one more than the last.
  void add(Seq seq, Seats seats, std::span<const SeatState> states);

  Seq seq() const { return seq_; }   // of the last change
  Seq touched() const { return touched_; }   // of the last change that set a seat; 0: none yet
  // Whether all touches between `after` and the last change are kept. False if `after` is too old, or in the future.
  bool covers(Seq after) const { return covered_ <= after && after <= seq_; }
  // The seats that the changes after `after` up to `through` have set: each once, in plan order, with its last state. covers(after) must
  // hold.
  std::vector<Touch> between(Seq after, Seq through) const;

 private:
  struct Entry {
    Seq seq;
    Touch touch;
  };

  void make_room();

  std::size_t touches_max_;
  boost::circular_buffer<Entry> entries_;
  Seq covered_;   // entries_ has everything after it
  Seq seq_;
  Seq touched_ = 0;
};

// Whether a snapshot of all seats takes fewer bytes than this many touches.
bool is_shorter_whole(std::size_t touches, std::size_t seats);

// Complete messages, with the empty line at the end; `id:` is the seq.
std::string snapshot_message(Seq seq, unsigned plan_version, std::string_view states);
std::string changes_message(Seq seq, std::span<const Touch> touches);
inline constexpr std::string_view k_comment = ":\n\n";   // shows proxies and clients that the stream is alive

}   // namespace holdfast
