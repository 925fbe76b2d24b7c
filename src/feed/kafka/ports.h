// The ports of the Kafka feed: a source of changes, and desks that carry out payments and import events. Implementations: ledger_source.h,
// payment_desk.h, seats_desk.h.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.h"
#include "core/ids.h"
#include "core/plan.h"
#include "core/time.h"
#include "core/trace.h"
#include "ledger/reading.h"

namespace holdfast::feed::kafka {

// ---------------------------------------------------------------------------------------------------------------- changes

// A seat, as a message describes it.
struct FedSeat {
  std::string id{};               // a UUID in lower case, or the platform's own
  bool has_uuid = false;
  std::string section{};
  std::string row{};
  std::string number{};
  std::optional<Price> price{};
  std::uint32_t version = 0;      // after the change; 0: it was recorded before versions were kept
};

// A change with everything that its messages say. If its kind has no messages, only the first members are set.
struct FedChange {
  Seq seq = 0;
  Millis at = 0;
  ChangeKind kind{};
  Uuid event{};
  Uuid reservation{};
  std::string customer{};               // of the reservation; empty: a ticket lock
  std::string order{};                  // consumed, returned
  Millis created_at = 0;                // of the reservation
  Millis expires_at = 0;                // held, seats_added: as of the change
  std::vector<FedSeat> seats{};         // whose state the change sets
  std::optional<TraceParent> trace{};   // of the request that caused it
};

struct FedPage {
  std::vector<FedChange> changes;   // in order, without gaps
  Seq oldest = 0;                   // not 0: the change asked for is no longer kept, and this is the first one that is
};

struct News {
  std::vector<EventHead> events;   // whose last change was not published yet
  std::uint64_t behind = 0;        // changes to publish, over all events
};

struct FeedPosition {
  EventNumber event = 0;
  Seq seq = 0;          // of the last change that was published, or that has no messages
  bool operator==(const FeedPosition&) const = default;
};

// Only the relay's thread calls it. May block on a disk or a database, but never waits for time to pass. Throws std::exception if
// it cannot read.
class FeedSource {
 public:
  virtual ~FeedSource() = default;

  // At most `limit` events with news: those after event `after`, then from the first on, so that none is left waiting.
  // `published` returns the position of an event.
  virtual News news(const std::function<Seq(EventNumber)>& published, EventNumber after, std::size_t limit) = 0;
  // At most `limit` changes of an event after change `after`. If there are no changes and `oldest` is 0, there are none.
  virtual FedPage read(EventNumber event, Seq after, std::size_t limit) = 0;
  // These positions are saved. An implementation that keeps changes for the feed may drop them up to here.
  virtual void published(std::span<const FeedPosition> positions) { static_cast<void>(positions); }
  // The ledger's time.
  virtual Millis now() = 0;
};

// ---------------------------------------------------------------------------------------------------------------- payments

// The content of a payment service's message.
struct Payment {
  bool succeeded = false;
  Uuid reservation{};   // nil: it names only its order
  std::string order{};
  std::string payment{};   // may be empty for a failed payment
  std::optional<TraceParent> trace{};
};

// A refused payment, as a digest of what it named.
using PaymentDigest = std::array<std::uint8_t, 32>;

struct Effect {
  enum class Kind : std::uint8_t {
    settled,   // the payment was carried out, or nothing was left to do
    refused,   // succeeded, but the reservation cannot be sold for this order
    unknown,   // the reservation does not exist
    unavailable,   // try again later. Concerns only the payment's event, unless trouble() says that it concerns all
  };
  Kind kind = Kind::unavailable;
  std::string reason{};   // refused, unknown: a stable word
  std::vector<std::string> seat_ids{};   // refused: all seats of the reservation
  Millis at = 0;   // refused, unknown: the time
};

// Only the payments' thread calls it. Blocks until the ledger has made durable what it returns.
class PaymentDesk {
 public:
  virtual ~PaymentDesk() = default;

  // Reads a message. The error is a sentence that says why it is not a payment. `succeeded`: the message is from that topic.
  virtual std::expected<Payment, std::string> read(bool succeeded, std::string_view text) = 0;
  // For each order, a reservation that was sold for it; nothing if none is known. Throws std::exception if orders cannot be
  // looked up now: these payments then wait, and others are carried out unless trouble() is set.
  virtual std::vector<std::optional<Uuid>> find_orders(std::span<const std::string> orders) = 0;
  // Carries payments out in order. Returns one effect for each.
  virtual std::vector<Effect> settle(std::span<const Payment> payments) = 0;
  // A sentence on why no payment can be carried out at the moment. Empty if there is no such reason.
  virtual std::string trouble() = 0;
  // As Ledger::undoubted_now().
  virtual Millis undoubted_now() = 0;
};

// ---------------------------------------------------------------------------------------------------------------- seats

struct GeneratedSeat {
  Uuid id{};
  std::string section{};
  std::string row{};
  std::int64_t number = 0;
};

// The seats in all parts of one event. They wait in memory for the rest of the event (GatheringLimits::bytes_max).
inline constexpr std::uint64_t k_generated_seats_max = 500'000;

// The content of a message of seats-generated: some of an event's seats.
struct SeatsPart {
  Uuid event{};
  std::uint64_t total = 0;   // seats in all parts of the event; 1 to k_generated_seats_max
  std::vector<GeneratedSeat> seats{};
};

// Whether an event has the seats that it should have.
struct Standing {
  enum class Kind : std::uint8_t {
    absent,   // the event does not exist
    has_all,   // it is open, and has these seats
    refused,   // it is open without one of them, or cannot be created
    unavailable,   // try again later
  };
  Kind kind = Kind::unavailable;
  std::string why{};   // refused, unavailable: a sentence
};

// Only the imports' thread calls it. Blocks until the ledger has made durable what it returns.
class SeatsDesk {
 public:
  virtual ~SeatsDesk() = default;

  // Reads a message. The error is a sentence that says why it has no seats. Ids of seats are never nil, and names are within
  // core's limits.
  virtual std::expected<SeatsPart, std::string> read(std::string_view text) = 0;
  virtual Standing standing(const Uuid& event, std::span<const GeneratedSeat> seats) = 0;
  // Creates an event with exactly these seats, on sale, or does nothing. `has_all` if the event exists.
  virtual Standing import(const Uuid& event, std::vector<GeneratedSeat> seats) = 0;
  // A sentence on why nothing can be imported at the moment. Empty if there is no such reason.
  virtual std::string trouble() = 0;
};

}   // namespace holdfast::feed::kafka
