// The port to whatever keeps the journal and lets commands through one at a time by event.
//
// A ledger brings the inventory up to date, asks core, and makes the changes durable. It decides nothing. Two sides:
//
//   writing: the engine's workers, one a lane, call execute() and the two calls about expiries, and nobody else does;
//   reading: any thread asks for seats, reservations and events; what it sees was durable before anybody was told of it. What was
//            is read by calls that may wait for a file or a database: not for a thread that has connections to serve.
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

// A share of the events: of each `of` events one. One lane has all.
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
  // incomplete: the event is there, and not all seats that were to be blocked are.
  enum class Kind { event_exists, seat_exists, too_many_events, key_reused, too_many_keys, unavailable, incomplete };
  Kind kind;
  std::string what;
  std::vector<std::string> seat_ids;   // seat_exists: some of them, at most 100
};

// What a batch cost, for metrics.
struct ExecutionReport {
  bool durable = false;            // false: it could not commit, every verdict is `unavailable`; or nothing more can be judged
  std::size_t changes = 0;
  std::size_t swept = 0;
  std::chrono::nanoseconds judging{0};
  std::chrono::nanoseconds committing{0};
};

// What a caller is about to ask for.
struct Wanted {
  std::optional<EventNumber> event{};
  std::optional<Uuid> event_id{};
  std::vector<std::string> seats{};         // ids: their events
  std::optional<Uuid> reservation{};        // its event, and itself however long ago it ended
  bool list_of_events = false;
  bool as_of_now = false;                   // with everything that was answered before this call, on any node
};

// What is kept of a reservation that ended long ago cannot be read. what() names it, says what holds and what an operator can do.
class ReservationUnreadable : public std::runtime_error {
 public:
  ReservationUnreadable(const Uuid& which, const std::string& what) : std::runtime_error(what), reservation(which) {}
  const Uuid reservation;
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  // ---- writing

  // How many threads may write at once: each calls execute() with batches whose first event is of its lane. A set of events may
  // reach into other lanes. 1 to k_lanes_max; the same at each call.
  static constexpr unsigned k_lanes_max = 64;
  virtual unsigned lanes() const { return 1; }

  // Judges every entry, makes what was accepted durable, publishes it, and fills in the verdicts. Blocks.
  virtual ExecutionReport execute(std::span<const Batch> batches) = 0;

  // Gives a new event its number and reserves its id and its seats' ids, all or none; what is refused leaves its number for another event.
  // The event is not there for anybody until commands Create, AppendSeats and Configure (out of `importing`) have gone through execute(). Called from any thread.
  virtual std::expected<EventNumber, CreationProblem> reserve_event(NewEvent event) = 0;
  // Gives the ids back when the import did not end; the number is used up.
  virtual void abandon_event(EventNumber number) = 0;

  // Events of a lane with a reservation whose time is over, at most `limit`; and how long until there is one (zero: now; nothing:
  // not in sight).
  virtual std::vector<EventNumber> events_to_sweep(std::size_t limit, Lane lane) = 0;
  virtual std::optional<std::chrono::milliseconds> until_next_expiry(Lane lane) = 0;

  // ---- reading; any thread

  // The time that commands are judged at. Never goes back.
  virtual Millis now() const = 0;
  // The latest time that no doubt about the clock concerns; at most now(). Use it to decide what is old enough to be removed for good.
  virtual Millis undoubted_now() const { return now(); }

  virtual const SeatDirectory& seats() const = 0;
  // nullptr when there is no such event, or its import has not ended.
  virtual std::shared_ptr<const PublishedEvent> event(EventNumber number) const = 0;
  virtual std::optional<EventNumber> event_by_id(const Uuid& id) const = 0;
  virtual std::vector<EventNumber> events() const = 0;   // rising; those that are open

  // A reservation at now(), also one that ended long ago; nothing when there is none. Throws ReservationUnreadable.
  virtual std::optional<ReservationView> reservation(const Uuid& id) const = 0;

  // ---- reading what was; any thread. What they answer is complete as of the moment of the call, or a problem.

  // Grows each time that changes have been published: whoever saw nothing new looks again when it has.
  virtual std::uint64_t progress() const = 0;
  // Changes of an event that there is after change `after`, numbered without gaps, at most `limit` (1 or more). None: it is up to
  // date.
  virtual Reading<ChangePage> read_changes(EventNumber event, Seq after, std::size_t limit, ReadFrom from) const = 0;
  // Changes of all events in an order that keeps each event's, also of events that are importing or whose import was abandoned,
  // at most `limit` (1 or more). Those that cannot be read because what stands there is damaged are among them as such
  // (RecordedChange::is_unreadable), and keep nobody from the others. `cursor` is ChangePage::next of the page before,
  // RecordedChange::cursor of a change, or k_cursor_….
  virtual Reading<ChangePage> read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const = 0;
  // What a seat went through after its version `after`, at most `limit`, also before the oldest change that is kept. Blocks.
  virtual Reading<std::vector<SeatChange>> seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const = 0;
  // Reservations as they are now, ended ones too, in the order of event and creation. `cursor` is ReservationPage::next of the
  // page before; empty: from the first. Nothing that is there throughout is missed or shown twice. Blocks.
  virtual Reading<ReservationPage> list_reservations(const ReservationFilter& filter, std::string_view cursor, std::size_t limit) const = 0;
  // For each of these orders a reservation that was sold for it, the first that was made of the latest event; nothing where there is none.
  // A ledger without an index of orders looks through all that was ever sold for those that nobody knows. Blocks.
  virtual Reading<std::vector<std::optional<Uuid>>> find_orders(std::span<const std::string> orders) const = 0;

  // ---- bringing things here, for a ledger that has not everything in memory

  // Whether the calls above about events, seats and reservations see everything that there is. Otherwise they see what was
  // brought here, and events() numbers events that event() may not have.
  virtual bool has_all_in_memory() const { return true; }
  // Brings what is wanted here, if it is there at all. False when that cannot be found out at the moment. Blocks: not for a
  // thread that has connections to serve. What was brought stays for a minute at least.
  virtual bool bring(const Wanted&) { return true; }
  // Whether what is kept of the event contradicts itself, as far as is known: then it cannot be brought until it is put right.
  virtual bool is_damaged(EventNumber) const { return false; }

  // Open events with their last change, by rising number, also those that are not here. Blocks; throws std::exception when it cannot be found
  // out.
  virtual std::vector<EventHead> heads() {
    std::vector<EventHead> all;
    for (const EventNumber number : events()) {
      if (const auto open = event(number)) all.push_back({number, open->seq()});
    }
    return all;
  }

  // Why it cannot sell now; empty when it can.
  virtual std::string trouble() const = 0;
};

}   // namespace holdfast
