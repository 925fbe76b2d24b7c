// The port to the component that keeps the journal and lets commands through one at a time per event.
//
// A ledger brings the inventory up to date, asks core, and makes the changes durable. It decides nothing. It has two sides:
//
//   writing: only the engine's workers, one per lane, call execute() and the two functions about expiries;
//   reading: any thread asks for seats, reservations and events. It sees only what is durable. Functions that read the past may wait for
//            a file or a database, so a thread that serves connections must not call them.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/submission.h"
#include "core/time.h"
#include "ledger/published.h"
#include "ledger/reading.h"
#include "ledger/seat_directory.h"

namespace holdfast {

// One submission on its way through a ledger.
struct Entry {
  Submission submission;
  Verdict verdict;
};

// Submissions for the same event, or for the same set of events, in the order of their arrival.
struct Batch {
  UsuallyOne<EventNumber> events;   // rising
  std::vector<Entry*> entries;
};

// A share of the events: one of every `of` events. A single lane has all of them.
struct Lane {
  unsigned index = 0;
  unsigned of = 1;
  bool has(EventNumber event) const { return event % of == index; }
};

// A new event, ready to be written.
struct NewEvent {
  EventCard card;   // its number is given by the ledger
  EventSettings settings;
  std::shared_ptr<const Plan> plan;
};

struct CreationProblem {
  // no_room: the journal has no room for a new event, and nothing was created.
  // incomplete: the event exists, but not all seats that should be blocked are blocked.
  enum class Kind { event_exists, seat_exists, too_many_events, key_reused, too_many_keys, unavailable, no_room, incomplete };
  Kind kind;
  std::string what;
  std::vector<std::string> seat_ids;   // seat_exists: some of them, at most 100
};

// What a batch cost, for metrics.
struct ExecutionReport {
  bool durable = false;            // false: the commit failed, so every verdict is `unavailable`; or nothing more can be judged
  std::size_t changes = 0;
  std::size_t swept = 0;
  std::chrono::nanoseconds judging{0};
  std::chrono::nanoseconds committing{0};
};

// The data that a caller is about to ask for.
struct Wanted {
  std::optional<EventNumber> event{};
  std::optional<Uuid> event_id{};
  std::vector<std::string> seats{};         // ids: their events
  std::optional<Uuid> reservation{};        // its event, and the reservation itself, however long ago it ended
  bool list_of_events = false;
  bool as_of_now = false;                   // with everything that was answered before this call, on any node
};

// The stored row of a reservation that ended long ago cannot be read. what() names it, says what still holds and what an operator can do.
class ReservationUnreadable : public std::runtime_error {
 public:
  ReservationUnreadable(const Uuid& which, const std::string& what) : std::runtime_error(what), reservation(which) {}
  const Uuid reservation;
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  // ---- writing

  // The number of threads that may write at once, 1 to k_lanes_max; constant. Each thread calls execute() with batches whose first event
  // belongs to its lane. The other events of a batch may belong to other lanes.
  static constexpr unsigned k_lanes_max = 64;
  virtual unsigned lanes() const { return 1; }

  // Judges every entry, makes the accepted changes durable, publishes them, and fills in the verdicts. Blocks.
  virtual ExecutionReport execute(std::span<const Batch> batches) = 0;

  // Gives a new event its number and reserves its id and its seats' ids, all or none. After a refusal another event may get the number.
  // Nobody sees the event until the commands Create, AppendSeats and Configure (out of `importing`) have gone through execute(). Any thread.
  virtual std::expected<EventNumber, CreationProblem> reserve_event(NewEvent event) = 0;
  // Frees the ids if the import did not finish; the number stays used.
  virtual void abandon_event(EventNumber number) = 0;

  // Events of a lane with an expired reservation, at most `limit`; and how long until the next one expires (zero: now; nothing: none in
  // sight).
  virtual std::vector<EventNumber> events_to_sweep(std::size_t limit, Lane lane) = 0;
  virtual std::optional<std::chrono::milliseconds> until_next_expiry(Lane lane) = 0;

  // ---- reading; any thread

  // The time at which commands are judged. Never goes back.
  virtual Millis now() const = 0;
  // The latest time that no doubt about the clock concerns; at most now(). Use it to decide what is old enough to be removed for good.
  virtual Millis undoubted_now() const { return now(); }

  virtual const SeatDirectory& seats() const = 0;
  // nullptr if the event does not exist, or is still being imported.
  virtual std::shared_ptr<const PublishedEvent> event(EventNumber number) const = 0;
  virtual std::optional<EventNumber> event_by_id(const Uuid& id) const = 0;
  virtual std::vector<EventNumber> events() const = 0;   // the open ones, rising

  // A reservation as of now(), even if it ended long ago; nothing if it does not exist. Throws ReservationUnreadable.
  virtual std::optional<ReservationView> reservation(const Uuid& id) const = 0;

  // ---- reading the past; any thread. An answer is complete as of the moment of the call, or it is a problem.

  // Grows each time changes are published. A reader that found nothing new looks again once it has grown.
  virtual std::uint64_t progress() const = 0;
  // The changes of an event after change `after`, numbered without gaps, at most `limit` (1 or more). None: the caller is up to date.
  virtual Reading<ChangePage> read_changes(EventNumber event, Seq after, std::size_t limit, ReadFrom from) const = 0;
  // The changes of all events, at most `limit` (1 or more), in an order that keeps each event's own order. Includes events that are being
  // imported or whose import was abandoned. A damaged change is marked (RecordedChange::is_unreadable) and does not hold up the others.
  // `cursor` is ChangePage::next of the previous page, RecordedChange::cursor of a change, or k_cursor_….
  virtual Reading<ChangePage> read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const = 0;
  // The history of a seat after its version `after`, at most `limit`; reaches back beyond the oldest change that is kept. Blocks.
  virtual Reading<std::vector<SeatChange>> seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const = 0;
  // Reservations as they are now, ended ones included, in the order of event and creation. `cursor` is ReservationPage::next of the
  // previous page; empty: from the first. A reservation that exists throughout is neither missed nor shown twice. Blocks.
  virtual Reading<ReservationPage> list_reservations(const ReservationFilter& filter, std::string_view cursor, std::size_t limit) const = 0;
  // For each order a reservation that was sold for it: the first one made in the latest event; nothing if there is none. A ledger without an
  // index of orders searches all sales for an unknown order. Blocks.
  virtual Reading<std::vector<std::optional<Uuid>>> find_orders(std::span<const std::string> orders) const = 0;

  // ---- loading, for a ledger that does not have everything in memory

  // Whether the functions above about events, seats and reservations see everything. Otherwise they see what bring() has loaded, and events()
  // lists events that event() may not have.
  virtual bool has_all_in_memory() const { return true; }
  // Loads what is wanted, if it exists. False if that cannot be found out at the moment. Blocks: not for a thread that serves connections.
  // What was loaded stays for at least a minute.
  virtual bool bring(const Wanted&) { return true; }
  // Whether the stored data of the event are known to contradict themselves. Then it cannot be loaded until they are repaired.
  virtual bool is_damaged(EventNumber) const { return false; }

  // Open events with their last change, by rising number, including events that are not loaded. Blocks. Throws std::exception if they cannot
  // be read.
  virtual std::vector<EventHead> heads() {
    std::vector<EventHead> all;
    for (const EventNumber number : events()) {
      if (const auto open = event(number)) all.push_back({number, open->seq()});
    }
    return all;
  }

  // Why it cannot sell at the moment; empty if it can.
  virtual std::string trouble() const = 0;
};

}   // namespace holdfast
