// What the Kafka feed needs of the rest of the program: a source of changes, a store of positions and refused payments, and desks that
// carry out what a payment says and import events. Implementations: ledger_source.h, sql_store.h, payment_desk.h, seats_desk.h.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
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
#include "feed/lease.h"
#include "ledger/reading.h"

namespace holdfast::feed::kafka {

// ---------------------------------------------------------------------------------------------------------------- changes

// A seat as a message tells it.
struct FedSeat {
  std::string id{};               // a UUID in lower case, or the platform's own
  bool has_uuid = false;
  std::string section{};
  std::string row{};
  std::string number{};
  std::optional<Price> price{};
  std::uint32_t version = 0;      // after the change; 0: it was recorded before versions were kept
};

// A change with all that its messages say. Of changes that give no messages only what stands first.
struct FedChange {
  Seq seq = 0;
  Millis at = 0;
  ChangeKind kind{};
  Uuid event{};
  Uuid reservation{};
  std::string customer{};               // of the reservation; empty: a ticket lock
  std::string order{};                  // consumed, returned
  Millis created_at = 0;                // of the reservation
  Millis expires_at = 0;                // held, seats_added: as it was then
  std::vector<FedSeat> seats{};         // those whose state it sets
  std::optional<TraceParent> trace{};   // of the request that caused it
};

struct FedPage {
  std::vector<FedChange> changes;   // in order, without gaps
  Seq oldest = 0;                   // not 0: the change that was asked for is not kept any more, and this is the first that is
};

struct News {
  std::vector<EventHead> events;   // those whose last change is not the one that was published last
  std::uint64_t behind = 0;        // changes to publish, in all events
};

struct FeedPosition {
  EventNumber event = 0;
  Seq seq = 0;          // of the last change that was published, or gives no message
  bool operator==(const FeedPosition&) const = default;
};

// Of the relay's thread. Blocks on a disk or a database, not on time. Throws std::exception when it cannot read.
class FeedSource {
 public:
  virtual ~FeedSource() = default;

  // Events with news, at most `limit`, beginning after event `after` and going on from the first (so that none is kept waiting).
  // `published` says how far an event is.
  virtual News news(const std::function<Seq(EventNumber)>& published, EventNumber after, std::size_t limit) = 0;
  // Changes of an event that there is after change `after`, at most `limit`. None, and no `oldest`: there are none.
  virtual FedPage read(EventNumber event, Seq after, std::size_t limit) = 0;
  // These positions are saved: whoever keeps changes for the feed may let go of those up to there.
  virtual void published(std::span<const FeedPosition> positions) { static_cast<void>(positions); }
  // The ledger's time.
  virtual Millis now() = 0;
};

// ---------------------------------------------------------------------------------------------------------------- store

// A payment that was refused, as a digest of what it named.
using PaymentDigest = std::array<std::uint8_t, 32>;

// Any thread, several at once. What has returned is durable. Throws std::exception if the disk or database does not answer.
// tests/feed/kafka/store_test.cc is its conformance suite.
class FeedStore {
 public:
  virtual ~FeedStore() = default;

  // The name of this store for ever, 1 to 64 letters, digits and dashes: relays of one store fence each other by it in Kafka.
  virtual std::string id() = 0;

  // The right to publish, for `holder` (feed/lease.h). The store must outlive it.
  virtual std::unique_ptr<Lease> make_lease(std::string holder, std::chrono::milliseconds time) = 0;

  virtual std::vector<FeedPosition> positions() = 0;   // of every event that has one
  // Sets these positions, all or none. Throws LeaseLost if another relay has taken the lease since this epoch: then nothing is saved.
  virtual void save(Epoch epoch, std::span<const FeedPosition> positions) = 0;

  // Keeps that a payment was refused and what was told of it, and gives back what is kept: of several calls with one digest, what
  // the first one told. So a payment that comes again is told of in the same words, and is never carried out once its money was
  // sent back. Forgets rejections that at `undoubted_now` are more than k_rejection_days old; `at` may be later, because the clock may be
  // wrong.
  virtual std::string keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) = 0;
  virtual std::optional<std::string> rejection(const PaymentDigest& payment) = 0;
};

inline constexpr std::int64_t k_rejection_days = 90;

// ---------------------------------------------------------------------------------------------------------------- payments

// What a message of a payment service says.
struct Payment {
  bool succeeded = false;
  Uuid reservation{};   // nil: it names its order only
  std::string order{};
  std::string payment{};   // of a failed one it may be empty
  std::optional<TraceParent> trace{};
};

struct Effect {
  enum class Kind : std::uint8_t {
    settled,   // it did what it says, or there was nothing left to do
    refused,   // succeeded: the reservation cannot be sold for this order
    unknown,   // there is no such reservation
    unavailable,   // not now: ask again. Of the payment's event alone, unless trouble() says that it is of all
  };
  Kind kind = Kind::unavailable;
  std::string reason{};   // refused, unknown: a stable word
  std::vector<std::string> seat_ids{};   // refused: all of the reservation's
  Millis at = 0;   // refused, unknown: when
};

// Of the payments' thread. Blocks until the ledger has made durable what it answers.
class PaymentDesk {
 public:
  virtual ~PaymentDesk() = default;

  // What a message says, or why it says nothing (a sentence). `succeeded`: of which topic it is.
  virtual std::expected<Payment, std::string> read(bool succeeded, std::string_view text) = 0;
  // For each of these orders a reservation that was sold for it; nothing where none is known. Throws std::exception while that cannot be
  // found out: these wait then, and others are carried out unless trouble() says otherwise.
  virtual std::vector<std::optional<Uuid>> find_orders(std::span<const std::string> orders) = 0;
  // Carries payments out in their order; one effect for each.
  virtual std::vector<Effect> settle(std::span<const Payment> payments) = 0;
  // Why no payment can be carried out at the moment, in a sentence; empty: there is no such reason.
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

// Seats of an event in all its parts: they wait in memory for the rest of their event, and so many fit (GatheringLimits::bytes_max).
inline constexpr std::uint64_t k_generated_seats_max = 500'000;

// What a message of seats-generated says: some of an event's seats.
struct SeatsPart {
  Uuid event{};
  std::uint64_t total = 0;   // seats in all parts of the event; 1 to k_generated_seats_max
  std::vector<GeneratedSeat> seats{};
};

// How an event stands to seats that it shall have.
struct Standing {
  enum class Kind : std::uint8_t {
    absent,   // there is no such event
    has_all,   // it is open, and has these seats
    refused,   // it is open without one of them, or cannot be made
    unavailable,   // not now: ask again
  };
  Kind kind = Kind::unavailable;
  std::string why{};   // refused, unavailable: a sentence
};

// Of the thread of the imports. Blocks until the ledger has made durable what it answers.
class SeatsDesk {
 public:
  virtual ~SeatsDesk() = default;

  // What a message says, or why it says nothing (a sentence). Seats have ids that are not nil, and names within core's limits.
  virtual std::expected<SeatsPart, std::string> read(std::string_view text) = 0;
  virtual Standing standing(const Uuid& event, std::span<const GeneratedSeat> seats) = 0;
  // Makes an event of these seats, on sale, and nothing when it cannot have all of them; `has_all` when it is there.
  virtual Standing import(const Uuid& event, std::vector<GeneratedSeat> seats) = 0;
  // Why nothing can be imported at the moment, in a sentence; empty: there is no such reason.
  virtual std::string trouble() = 0;
};

}   // namespace holdfast::feed::kafka
