// Webhooks: sends every change to the registered endpoints, at least once, in order by reservation, signed.
//
//   Webhooks webhooks(options, store, source, [](auto& context) { return std::make_unique<MySender>(context); });
//   webhooks.start();
//   …
//   webhooks.notify();            // after each commit of changes
//   webhooks.store().create(…);   // a change of an endpoint …
//   webhooks.changed(id);         // … is followed by this
//   webhooks.stop();
//
// One thread makes all deliveries and all calls of store, source and lease. notify(), changed(), now(), counters() and store() may be called from any
// thread, ping() and why_refused() from any coroutine.
//
// If several nodes share a store, each has a Webhooks with a Lease, and the holder of the lease relays. The others wait for it, and still answer
// calls about endpoints: the holder looks for their changes every k_lease_period. A node that loses the lease, or cannot renew it in time, forgets
// what it has in memory. The next holder sends again what was not noted as delivered.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "feed/webhooks/store.h"
#include "ledger/wall_time.h"

namespace holdfast::feed {

struct WebhookOptions {
  // Pauses after the first, second, … failed attempt; after one more failure a message is dead. Each varies by a tenth.
  std::vector<std::chrono::milliseconds> retry{std::chrono::seconds(5),  std::chrono::minutes(1), std::chrono::minutes(5),
                                               std::chrono::minutes(30), std::chrono::hours(2),   std::chrono::hours(6),
                                               std::chrono::hours(12),   std::chrono::hours(24)};
  std::size_t in_flight_max = 8;   // messages of one endpoint at once
  std::size_t queue_max = 10'000;   // messages of one endpoint that wait for a retry; when full, its relay stops reading
  std::size_t dead_max = 1'000;   // dead messages of one endpoint; the oldest are dropped
  std::chrono::milliseconds stop_time{2'000};   // for attempts in flight when it stops
  // The clock of all times of webhooks, signatures included; called by any thread. Nodes that share a store must share this clock.
  std::function<Millis()> clock = wall_time;
};

// How long the previous secret signs as well, after a rotation.
inline constexpr std::chrono::hours k_rotation_time{24};
// How often the lease is renewed or asked for, and how often its holder looks for other nodes' changes.
inline constexpr std::chrono::milliseconds k_lease_period{500};
// How often the thread looks at what waits, and after how long without a look it is reported as hanging.
inline constexpr std::chrono::seconds k_look_period{1};
inline constexpr std::chrono::seconds k_hangs_after{5};
// The longest wait that an endpoint may request with Retry-After.
inline constexpr std::chrono::hours k_retry_after_max{1};

inline constexpr std::size_t k_outcomes = 5;   // of Attempt

struct WebhookCounters {
  std::array<std::atomic<std::uint64_t>, k_outcomes> attempts{};   // by Attempt::Outcome
  std::atomic<std::uint64_t> dead{0};   // messages that died
  std::atomic<std::uint64_t> lost{0};   // times that an endpoint's next changes were no longer in the journal
};

// The request of one attempt, with the headers of the Standard Webhooks specification, signed at `now`.
Delivery sign_delivery(const Endpoint& endpoint, std::string_view id, std::string body, Millis now);

class Relay;
struct RelayShared;
struct Tenure;

class Webhooks {
 public:
  using SenderMaker = std::function<std::unique_ptr<Sender>(boost::asio::io_context&)>;

  // `lease`: nullptr if no other process works with the store. All arguments must outlive this object.
  Webhooks(WebhookOptions options, WebhookStore& store, ChangeSource& source, const SenderMaker& make_sender, Lease* lease = nullptr);
  ~Webhooks();   // stops
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // Without a lease: reads the endpoints, then starts the thread; throws what the store throws. With a lease, the thread takes the lease and reads
  // the endpoints, and retries until it can.
  void start();
  // Waits at most `stop_time` for attempts in flight; unfinished ones are sent again after the next start. Then releases the lease. Coroutines that
  // wait for ping() or why_refused() are never resumed. Safe to call twice.
  void stop();

  void notify();
  // An endpoint, its queue or its dead messages were changed in the store. Call it before the change is answered.
  void changed(const Uuid& id);

  WebhookStore& store() { return store_; }
  ChangeSource& source() { return source_; }
  const WebhookCounters& counters() const { return counters_; }
  Millis now() const { return options_.clock(); }
  // How long the oldest change has waited to be read for an endpoint of this node; or, if the thread hangs, since when it does.
  std::chrono::duration<double> oldest_pending() const;
  // Whether this process relays.
  bool is_relaying() const { return relaying_.load(std::memory_order_relaxed); }

  // Sends a message of type `ping` at once, without retries.
  boost::asio::awaitable<Attempt> ping(Endpoint endpoint, std::string id);
  // Why nothing would be sent to this URL; empty if messages would be sent.
  boost::asio::awaitable<std::string> why_refused(std::string url);

 private:
  void begin_tenure(Epoch epoch, std::chrono::nanoseconds until);
  void end_tenure();
  void adopt(const Uuid& id);
  void end_when_idle();
  void look_at_lease();
  void hold_lease();
  void look_at_others();
  void give_back_lease();
  void arm_lease_timer();
  void look_at_progress();

  WebhookOptions options_;
  WebhookStore& store_;
  ChangeSource& source_;
  Lease* const lease_;
  WebhookCounters counters_;
  std::unique_ptr<boost::asio::io_context> context_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<RelayShared> shared_;
  std::shared_ptr<Tenure> tenure_;   // the thread's, like all that follows; nullptr: another process relays
  std::map<Uuid, std::shared_ptr<Relay>> relays_;
  std::int64_t revision_seen_ = 0;   // of the store
  SourcePosition end_seen_;   // of the source
  bool lease_troubled_ = false;   // the lease failed, and the log says so
  std::unique_ptr<boost::asio::steady_timer> lease_timer_;
  std::unique_ptr<boost::asio::steady_timer> stop_timer_;
  std::unique_ptr<boost::asio::steady_timer> progress_timer_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> generation_{1};
  std::atomic<bool> notified_{false};
  std::atomic<bool> has_relays_{false};
  std::atomic<bool> relaying_{false};
  std::atomic<std::chrono::steady_clock::rep> looked_at_{0};   // when the thread last looked at what waits
  std::atomic<std::chrono::steady_clock::rep> behind_since_{0};   // as seen at that time; 0: nothing waited
  std::unique_ptr<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::thread thread_;
};

}   // namespace holdfast::feed
