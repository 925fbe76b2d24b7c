// The past as a ledger shows it: changes in order, a seat's history, reservations by customer, event and status.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.h"

namespace holdfast {

// A change as readers see it. It owns its data, including what the journal keeps elsewhere. Members that a kind does not have are empty.
struct RecordedChange {
  EventNumber event = 0;
  Uuid event_id{};
  Seq seq = 0;
  Millis at = 0;
  ChangeKind kind{};
  Uuid reservation{};                        // held to returned
  std::string customer{};                    // of that reservation; empty: a ticket lock
  std::string order{};                       // consumed, returned
  Millis expires_at = 0;                     // held, extended; seats_added, unless it was recorded before versions were kept
  bool ends = false;                         // released: none is left; consumed: it had ended before (reinstated)
  std::uint64_t count = 0;                   // seats_appended
  FewOf<SeatIndex> seats{};                  // exactly those whose state it sets: to state_after(kind)
  FewOf<std::uint32_t> versions{};           // theirs after it, in the same order; none: recorded before versions were kept
  std::optional<TraceParent> trace{};        // of the request that caused it
  std::optional<EventSettings> settings{};   // event_created, event_configured: all of them, as they are from now on
  // Damaged, or cannot be read at the moment. Event, event_id and seq are known; kind, at and reservation too if only what the journal keeps
  // elsewhere is missing. Otherwise `kind` is none.
  bool is_unreadable = false;
  std::string cursor{};   // read_all_changes: reading from here gives what follows this change
};

// Cursors of read_all_changes that do not come from a page.
inline constexpr std::string_view k_cursor_first = "";   // the first change ever made
inline constexpr std::string_view k_cursor_oldest = "oldest";   // the first change that is kept
inline constexpr std::string_view k_cursor_latest = "latest";   // changes from now on

// Consecutive changes, and where to continue.
struct ChangePage {
  std::vector<RecordedChange> changes;   // fewer than asked for if there are no more, or if they are large
  std::string next;   // read_all_changes: the cursor after the last change; never empty
};

// An event and its last change.
struct EventHead {
  EventNumber event = 0;
  Seq seq = 0;
};

// Where a reading may look. Memory has recent changes, which most readers ask for, and reading it never waits.
enum class ReadFrom { memory, anywhere };

// Why something could not be read.
struct ReadProblem {
  enum class Kind {
    not_in_memory,   // ReadFrom::memory: ask again with ReadFrom::anywhere, on a thread that may wait for a file
    archived,   // older than the oldest change that is kept
    bad_cursor,   // not a cursor of this ledger
    unavailable,   // the tables are too far behind, or cannot be read at the moment; the log says why
    stands_still,   // the tables of an event follow its changes no longer, until an operator has mended them; the log says how
  };
  Kind kind;
  Seq oldest = 0;   // archived, of one event: the first change that is kept
};

template <typename T>
using Reading = std::expected<T, ReadProblem>;

// One change of one seat.
struct SeatChange {
  Seq seq = 0;
  Millis at = 0;
  ChangeKind kind{};
  SeatState state{};   // after it
  std::uint32_t version = 0;   // after it: 1, 2, 3, … without gaps
  std::optional<Uuid> reservation{};
  std::string customer{};   // of that reservation; empty: a ticket lock
  std::string order{};   // consumed, returned
};

// Selects reservations; a member that is not set matches all.
struct ReservationFilter {
  std::optional<std::string> customer{};
  std::optional<EventNumber> event{};
  std::optional<ReservationStatus> status{};   // as it holds now
};

struct ListedReservation {
  EventNumber event = 0;
  ReservationView view;
  std::string cursor{};   // of what comes after it
};

// A page in the order of event and creation. It may have fewer items than asked for, even none, although more follow: the number of
// reservations searched for one page is limited.
struct ReservationPage {
  std::vector<ListedReservation> items;
  std::string next;   // the cursor of the next page; empty: this is the last
};

}   // namespace holdfast
