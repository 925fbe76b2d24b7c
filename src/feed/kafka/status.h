// How the Kafka feed is doing: for metrics, the console and /readyz. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "core/time.h"
#include "feed/backlog.h"
#include "ledger/failing_events.h"

namespace holdfast::feed::kafka {

enum class RelayState : std::uint8_t {
  starting,     // asks for the lease, or for what Kafka knows of the relay before
  standby,      // another node publishes
  publishing,
  away,         // Kafka, the ledger or the store does not answer: changes wait in the journal
  refused,      // Kafka says no to something: changes wait until somebody has put it right
  stopped,
};

enum class PaymentState : std::uint8_t { off, starting, consuming, away, refused, stopped };

// Of the imports of seats. `standby`: another node has the lease of the feed, and imports.
enum class SeatsState : std::uint8_t { off, standby, starting, consuming, away, refused, stopped };

const char* name_of(RelayState state);
const char* name_of(PaymentState state);
const char* name_of(SeatsState state);

struct FeedStatus {
  RelayState relay = RelayState::starting;
  std::string relay_detail{};         // for people: what is wrong, or who publishes; empty: nothing to say
  std::uint64_t lag_changes = 0;      // that are not published, of a node that publishes
  double lag_seconds = 0;             // the age of the oldest of them
  std::uint64_t events_held_back = 0;   // whose changes cannot be read at the moment, so that they are not published
  std::string held_back{};              // these in a sentence; empty: there are none
  PaymentState payments = PaymentState::off;
  std::string payments_detail{};
  double payments_pending_seconds = 0;   // how long the oldest payment, of the partitions that this node has, has waited
  std::uint64_t payments_held = 0;       // that wait because those of their event cannot be carried out, while others go on
  std::string payments_held_because{};
  SeatsState seats = SeatsState::off;
  std::string seats_detail{};
  double seats_unhandled_seconds = 0;   // how long the oldest message has waited that nothing was made of
  double seats_pending_seconds = 0;     // the same, or the oldest part here of an event that is not imported
  std::uint64_t events_gathered = 0;    // whose seats have not all come
};

// Topics that messages are counted by, in the order of FeedCounters::messages.
inline constexpr const char* k_counted_topics[] = {"reservation-created",  "reservation-expired",  "reservation-consumed",
                                                   "reservation-released", "reservation-returned", "reservation-payment-rejected"};

struct FeedCounters {
  std::array<std::atomic<std::uint64_t>, std::size(k_counted_topics)> messages{};   // in committed transactions
  std::atomic<std::uint64_t> transactions{0};
  std::atomic<std::uint64_t> failures{0};         // transactions, takeovers and readings that failed, to be done again
  std::atomic<std::uint64_t> takeovers{0};        // times that this node began to publish
  std::atomic<std::uint64_t> lost_changes{0};     // that the journal did not keep until they were published
  std::atomic<std::uint64_t> payments_settled{0};
  std::atomic<std::uint64_t> payments_rejected{0};
  std::atomic<std::uint64_t> payments_dead{0};    // went to a dead letter topic
  std::atomic<std::uint64_t> payments_retried{0};   // times that the ledger or Kafka made them wait
  std::atomic<std::uint64_t> seats_imported{0};     // parts of events that were imported
  std::atomic<std::uint64_t> seats_skipped{0};      // whose seats were all there
  std::atomic<std::uint64_t> seats_dead{0};         // went to a dead letter topic
  std::atomic<std::uint64_t> seats_retried{0};      // times that the ledger or Kafka made them wait
  std::atomic<std::uint64_t> seats_lost{0};         // that Kafka did not keep until their events were complete
};

// What relay and payments write and others read.
class FeedBoard {
 public:
  FeedCounters counters{};

  void set_relay(RelayState state, std::string detail = {});
  using Time = Backlog::Timer::time_point;

  // `oldest`: since when there is the oldest of these changes.
  void set_lag(std::uint64_t changes, std::optional<Time> oldest);
  // There are changes that the relay has not looked for yet; and it looks for them now. A relay that hangs is told from one that has
  // nothing to do by this.
  void note_news();
  void take_news();
  void set_held_back(FailingEvents::Summary held_back);
  void set_payments(PaymentState state, std::string detail = {});
  // `oldest`: since when a payment waits here; nothing: none does.
  void set_payments_pending(std::optional<Time> oldest);
  void set_payments_held(std::uint64_t payments, FailingEvents::Summary held_back);
  void set_seats(SeatsState state, std::string detail = {});
  // Since when a message waits that nothing was made of, and a part for the rest of its event; nothing: none does.
  void set_seats_pending(std::optional<Time> unhandled, std::optional<Time> gathered, std::uint64_t events_gathered);
  // Whether this node has the lease of the feed: what one node does for all others is its work.
  void set_leads(bool leads) { leads_.store(leads, std::memory_order_relaxed); }
  bool leads() const { return leads_.load(std::memory_order_relaxed); }
  FeedStatus status() const;
  void count_message(std::string_view topic);

 private:
  mutable std::mutex mutex_;
  FeedStatus status_;
  std::optional<Time> lags_since_;
  std::optional<Time> news_since_;
  std::optional<Time> payments_since_;
  std::optional<Time> seats_unhandled_since_;
  std::optional<Time> seats_gathered_since_;
  std::atomic<bool> leads_{false};
};

}  // namespace holdfast::feed::kafka
