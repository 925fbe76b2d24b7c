// Webhooks: every change on its way to endpoints that somebody registered, at least once, in order by reservation, signed.
//
//   Webhooks webhooks(options, store, source, [](auto& context) { return std::make_unique<MySender>(context); });
//   webhooks.start();
//   …
//   webhooks.notify();            // whoever commits changes, after the commit
//   webhooks.store().create(…);   // whoever administers endpoints …
//   webhooks.changed(id);         // … and tells it
//   webhooks.stop();
//
// One thread carries all deliveries; store, source and lease are asked on it. notify(), changed(), now(), counters() and store()
// may be called from any thread, ping() and why_refused() from any coroutine.
//
// Where several nodes share a store, each has a Webhooks with a Lease, and the one that holds the lease relays. The others wait
// for it, and still take all calls about endpoints: the holder looks every k_lease_period what they have changed. Whoever lost
// the lease, or could not renew it in time, forgets what it had in memory; what it had not noted as delivered the next holder
// sends again.
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

#include "feed/webhooks/ports.h"

namespace holdfast::feed {

Millis wall_clock();

struct WebhookOptions {
  // Pauses after the first, second, … failed attempt; after one more failure a message is dead. Each varies by a tenth.
  std::vector<std::chrono::milliseconds> retry{std::chrono::seconds(5),  std::chrono::minutes(1), std::chrono::minutes(5),
                                               std::chrono::minutes(30), std::chrono::hours(2),   std::chrono::hours(6),
                                               std::chrono::hours(12),   std::chrono::hours(24)};
  std::size_t in_flight_max = 8;   // messages of one endpoint at once
  std::size_t queue_max = 10'000;   // messages of one endpoint that wait to be tried again; then its relay stops reading
  std::size_t dead_max = 1'000;   // dead messages of one endpoint; the oldest are dropped
  std::chrono::milliseconds stop_time{2'000};   // for what is in flight when it stops
  // What all times of webhooks are by, the signatures' too; any thread. Of nodes that share a store: one clock, whatever theirs
  // say.
  std::function<Millis()> clock = wall_clock;
};

// How long a former secret signs beside the new one.
inline constexpr std::chrono::hours k_rotation_time{24};
// How often the lease is renewed, or asked for, and its holder looks for what other nodes have done.
inline constexpr std::chrono::milliseconds k_lease_period{500};
// How often the thread looks at what waits, and after how long without a look it counts as hanging.
inline constexpr std::chrono::seconds k_look_period{1};
inline constexpr std::chrono::seconds k_hangs_after{5};
// The longest wait that an endpoint may ask for by Retry-After.
inline constexpr std::chrono::hours k_retry_after_max{1};

inline constexpr std::size_t k_outcomes = 5;   // of Attempt

struct WebhookCounters {
  std::array<std::atomic<std::uint64_t>, k_outcomes> attempts{};   // by Attempt::Outcome
  std::atomic<std::uint64_t> dead{0};   // messages that were given up
  std::atomic<std::uint64_t> lost{0};   // times that an endpoint's next changes were not kept any more
};

// What goes over the wire for one attempt: headers of the Standard Webhooks specification, signed at `now`.
Delivery sign_delivery(const Endpoint& endpoint, std::string_view id, std::string body, Millis now);

class Relay;
struct RelayShared;
struct Tenure;

class Webhooks {
 public:
  using SenderMaker = std::function<std::unique_ptr<Sender>(boost::asio::io_context&)>;

  // `lease`: nullptr where no other process works with the store. It and what is referred to must outlive this.
  Webhooks(WebhookOptions options, WebhookStore& store, ChangeSource& source, const SenderMaker& make_sender, Lease* lease = nullptr);
  ~Webhooks();   // stops
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // Reads the endpoints, then starts the thread. Throws what the store throws; with a lease the thread asks for it and reads,
  // again and again until it can.
  void start();
  // Waits `stop_time` for what is in flight, then leaves it: it is sent again after the next start. Then gives the lease back.
  // Whoever waits for ping() or why_refused() is never resumed. Safe to call twice.
  void stop();

  void notify();
  // An endpoint, its queue or its dead were changed in the store. Before whoever asked for it is answered.
  void changed(const Uuid& id);

  WebhookStore& store() { return store_; }
  ChangeSource& source() { return source_; }
  const WebhookCounters& counters() const { return counters_; }
  Millis now() const { return options_.clock(); }
  // How long the oldest change has waited that is to be read for an endpoint here, or the thread to do anything at all.
  std::chrono::duration<double> oldest_pending() const;
  // Whether this process relays.
  bool is_relaying() const { return relaying_.load(std::memory_order_relaxed); }

  // Sends a message of the type `ping` at once, once.
  boost::asio::awaitable<Attempt> ping(Endpoint endpoint, std::string id);
  // Why nothing would be sent to this URL; empty when it would.
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
  std::shared_ptr<Tenure> tenure_;   // the thread's, as all that follows; nullptr: another process relays
  std::map<Uuid, std::shared_ptr<Relay>> relays_;
  std::int64_t revision_seen_ = 0;   // of the store
  SourcePosition end_seen_;   // of the source
  bool lease_troubled_ = false;   // and the log says so
  std::unique_ptr<boost::asio::steady_timer> lease_timer_;
  std::unique_ptr<boost::asio::steady_timer> stop_timer_;
  std::unique_ptr<boost::asio::steady_timer> progress_timer_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> generation_{1};
  std::atomic<bool> notified_{false};
  std::atomic<bool> has_relays_{false};
  std::atomic<bool> relaying_{false};
  std::atomic<std::chrono::steady_clock::rep> looked_at_{0};      // by the thread, at what waits
  std::atomic<std::chrono::steady_clock::rep> behind_since_{0};   // as it was then; 0: nothing waited
  std::unique_ptr<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::thread thread_;
};

}   // namespace holdfast::feed
