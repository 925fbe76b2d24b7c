// Changes: facts about one event, numbered without gaps and never edited, and their bytes in the journal.
//
// The encoding is part of the journal's format (docs/internals/journal.md): kinds and fields are only added, never reused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/codec.h"
#include "core/command.h"
#include "core/event.h"
#include "core/trace.h"

namespace holdfast {

enum class ChangeKind : std::uint8_t {
  event_created = 1,
  seats_appended = 2,
  event_configured = 3,
  held = 4,
  seats_added = 5,
  extended = 6,
  released = 7,
  consumed = 8,
  expired = 9,
  returned = 10,
  blocked = 11,
  unblocked = 12,
};

const char* name_of(ChangeKind kind);

// The state that a change of this kind gives to its seats; nullopt if it sets no seat's state.
constexpr std::optional<SeatState> state_after(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::held:
    case ChangeKind::seats_added: return SeatState::held;
    case ChangeKind::consumed: return SeatState::sold;
    case ChangeKind::released:
    case ChangeKind::expired:
    case ChangeKind::returned:
    case ChangeKind::unblocked: return SeatState::available;
    case ChangeKind::blocked: return SeatState::blocked;
    case ChangeKind::event_created:
    case ChangeKind::seats_appended:
    case ChangeKind::event_configured:
    case ChangeKind::extended: break;
  }
  return std::nullopt;
}

// Whether a change of this kind belongs to a reservation: held to returned.
constexpr bool concerns_reservation(ChangeKind kind) { return kind >= ChangeKind::held && kind <= ChangeKind::returned; }

// One change. Texts and seats are views: into the command that caused it, or into the journal's bytes and the decoder's scratch.
struct Change {
  ChangeKind kind{};
  Uuid reservation{};                                     // held to returned
  ReservationKind reservation_kind = ReservationKind::customer;   // held
  Millis expires_at = 0;                                  // held, extended
  bool ends = false;                                      // released: no seat is left; consumed: it had ended before (reinstated)
  std::string_view text{};                                // held: customer; consumed: order; seats_appended: encoded seats
  std::uint64_t count = 0;                                // seats_appended
  Seats seats{};                                          // held, seats_added, released, returned, blocked, unblocked
  const EventCard* card = nullptr;                        // event_created
  const EventSettings* settings = nullptr;                // event_created, event_configured: all settings, as they are from now on
};

// Appends one change's bytes. `at` is the time of the batch, which the journal's row keeps once.
void encode_change(const Change& change, Millis at, Writer& writer);

// Reads changes back, one after the other.
class ChangeDecoder {
 public:
  explicit ChangeDecoder(Millis at) : at_(at) {}

  // Reads the next change, which is valid until the next call. False if the bytes are damaged.
  bool decode(Reader& reader, Change& change);

 private:
  Millis at_;
  std::vector<SeatIndex> seats_;
  EventCard card_;
  EventSettings settings_;
};

// The changes of one event in one batch, as they are written to the journal, and their details.
struct ChangeBatch {
  std::string bytes;
  std::uint32_t count = 0;
  std::uint32_t wished = 0;   // of these, how many are not expiries recorded on the way
  // The versions after each change of the seats whose state it sets, in their order: varints, with their number first where the
  // change does not name its seats (consumed, expired: all of the reservation's). After those of added seats, until when they are
  // held: a signed varint.
  std::string versions;
  // For each change whose request had a trace: a varint of the change's place in the batch (from 0), and the trace.
  std::string traces;
  const TraceParent* trace = nullptr;   // of the request that is being judged; nullptr: none

  void clear() {
    bytes.clear();
    count = 0;
    wished = 0;
    versions.clear();
    traces.clear();
  }
};

// Details that the journal keeps of one change.
struct ChangeDetails {
  FewOf<std::uint32_t> versions;   // of the seats whose state it sets, after the change
  Millis expires_at = 0;   // of the reservation that seats were added to; 0: not kept, or another change
  std::optional<TraceParent> trace;   // of the request that caused it
};

// Reads ChangeBatch::versions and ::traces back, change by change. Rows of early versions of Holdfast have neither: both are empty.
class DetailsDecoder {
 public:
  DetailsDecoder(std::string_view versions, std::string_view traces);

  // Reads the details of the next change, which is `change`. False if the bytes are damaged.
  bool decode(const Change& change, ChangeDetails& details);
  // Whether everything has been read.
  bool at_end() const { return versions_.at_end() && !next_traced_; }

 private:
  bool read_next_trace();

  bool has_versions_;
  Reader versions_;
  Reader traces_;
  std::uint32_t at_ = 0;   // changes read
  std::optional<std::uint64_t> next_traced_;   // place of the next change that has a trace
  TraceParent next_trace_{};
  bool failed_ = false;
};

void encode_settings(const EventSettings& settings, Writer& writer);
bool decode_settings(Reader& reader, EventSettings& settings);

}   // namespace holdfast
