// The state of the Kafka feed, for metrics, the console and /readyz. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "core/time.h"
#include "feed/backlog.h"
#include "ledger/failing_events.h"

namespace holdfast::feed::kafka {

enum class RelayState : std::uint8_t {
  starting,     // asks for the lease, or asks Kafka how far the relay before it came
  standby,      // another node publishes
  publishing,
  away,         // Kafka, the ledger or the store does not answer: changes wait in the journal
  refused,      // Kafka refuses something: changes wait until somebody repairs the cause
  stopped,
};

// Of payments and of seats. `standby`: another node holds the feed's lease, and imports seats.
enum class ConsumerState : std::uint8_t { off, standby, starting, consuming, away, refused, stopped };

const char* name_of(RelayState state);
const char* name_of(ConsumerState state);
// Something is wrong, and the detail says what.
template <typename State>
bool is_trouble(State state) {
  return state == State::away || state == State::refused;
}

struct FeedStatus {
  RelayState relay = RelayState::starting;
  std::string relay_detail{};         // for people: what is wrong, or which node publishes; may be empty
  std::uint64_t lag_changes = 0;      // changes not published yet, on the node that publishes
  double lag_seconds = 0;             // the age of the oldest of them
  std::uint64_t events_held_back = 0;   // events whose changes cannot be read at present, and are therefore not published
  std::string held_back{};              // names them in a sentence; empty: there are none
  ConsumerState payments = ConsumerState::off;
  std::string payments_detail{};
  double payments_pending_seconds = 0;   // how long the oldest payment in this node's partitions has waited
  std::uint64_t payments_held = 0;       // payments that wait because their event cannot be changed, while others go on
  std::string payments_held_because{};
  ConsumerState seats = ConsumerState::off;
  std::string seats_detail{};
  double seats_unhandled_seconds = 0;   // how long the oldest unhandled message has waited
  double seats_pending_seconds = 0;   // how long the oldest unhandled message, or the oldest part of an event that lacks seats, has waited
  std::uint64_t events_gathered = 0;   // events that lack seats
};

// Messages are counted by topic: these, in the order of FeedCounters::messages.
inline constexpr const char* k_counted_topics[] = {"reservation-created",  "reservation-expired",  "reservation-consumed",
                                                   "reservation-released", "reservation-returned", "reservation-payment-rejected"};

struct FeedCounters {
  std::array<std::atomic<std::uint64_t>, std::size(k_counted_topics)> messages{};   // in committed transactions
  std::atomic<std::uint64_t> transactions{0};
  std::atomic<std::uint64_t> failures{0};   // transactions, takeovers and reads that failed and are retried
  std::atomic<std::uint64_t> takeovers{0};   // times that this node started to publish
  std::atomic<std::uint64_t> lost_changes{0};   // changes that were removed from the journal before they were published
  std::atomic<std::uint64_t> payments_settled{0};
  std::atomic<std::uint64_t> payments_rejected{0};
  std::atomic<std::uint64_t> payments_dead{0};   // dead letters
  std::atomic<std::uint64_t> payments_retried{0};   // waits for the ledger or Kafka
  std::atomic<std::uint64_t> seats_imported{0};   // parts of imported events
  std::atomic<std::uint64_t> seats_skipped{0};   // parts whose seats all existed
  std::atomic<std::uint64_t> seats_dead{0};   // dead letters
  std::atomic<std::uint64_t> seats_retried{0};   // waits for the ledger or Kafka
  std::atomic<std::uint64_t> seats_lost{0};   // messages that Kafka removed before their events were complete
};

// The threads of the feed write it, others read it.
class FeedBoard {
 public:
  FeedCounters counters{};

  void set_relay(RelayState state, std::string detail = {});
  using Time = Backlog::Timer::time_point;

  // `oldest`: the time of the oldest of these changes.
  void set_lag(std::uint64_t changes, std::optional<Time> oldest);
  // There are changes that the relay has not seen; and it looks for them now. This tells a relay that hangs from one that has nothing to do.
  void note_news();
  void take_news();
  void set_held_back(FailingEvents::Summary held_back);
  void set_payments(ConsumerState state, std::string detail = {});
  // `oldest`: since when the oldest payment has waited here; nothing: none waits.
  void set_payments_pending(std::optional<Time> oldest);
  void set_payments_held(std::uint64_t payments, FailingEvents::Summary held_back);
  void set_seats(ConsumerState state, std::string detail = {});
  // Since when the oldest unhandled message has waited, and the oldest part of an event that lacks seats; nothing: none waits.
  void set_seats_pending(std::optional<Time> unhandled, std::optional<Time> gathered, std::uint64_t events_gathered);
  // Whether this node holds the feed's lease, and so does the work that only one node may do.
  void set_leads(bool leads) { leads_.store(leads, std::memory_order_relaxed); }
  bool leads() const { return leads_.load(std::memory_order_relaxed); }
  FeedStatus status() const;
  void count_message(std::string_view topic);

 private:
  template <typename State>
  void set(const char* who, State& state, std::string& detail, State state_now, std::string detail_now);

  mutable std::mutex mutex_;
  FeedStatus status_;
  std::optional<Time> lags_since_;
  std::optional<Time> news_since_;
  std::optional<Time> payments_since_;
  std::optional<Time> seats_unhandled_since_;
  std::optional<Time> seats_gathered_since_;
  std::atomic<bool> leads_{false};
};

}   // namespace holdfast::feed::kafka
