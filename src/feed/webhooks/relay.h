// One endpoint's deliveries: reads changes after its position, sends them, and queues what cannot be delivered now.
//
//   source ─► window (in memory, some hundred) ─► groups, each in order, several at once ─► endpoint
//                                                    └─ a failure ─► the store's queue, with all later ones of its group ─► a retry, later
//
// A group is a reservation; changes without one are grouped by event. While messages of a group are in the queue, new ones of the group go there
// directly. The position moves only past messages that are delivered or in the queue. A process that dies therefore sends again, under the same
// id, what it had not noted as delivered: at least once.
//
// A change whose event cannot be read goes into the queue without a body, so that the position can move past it and no other event waits. Its body
// is read when it is due.
//
// If the store or the source fails, the relay waits, forgets what it has in memory and starts again from the store.
//
// A relay works in one Tenure. When the tenure is over, the endpoint may be another node's: the relay starts nothing and writes nothing.
//
// Everything here belongs to the thread that runs the context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "feed/webhooks/webhooks.h"

namespace holdfast::feed {

inline constexpr std::size_t k_window_max = 256;   // messages of an endpoint in memory
inline constexpr std::size_t k_window_bytes_max = 4 * 1024 * 1024;   // of these; no page is read after one that fills either
inline constexpr std::size_t k_page_changes = 64;   // read at a time
inline constexpr unsigned k_pages_at_a_time = 4;   // before other relays have their turn
inline constexpr std::size_t k_due_groups_max = 32;   // taken from the queue at a time
inline constexpr std::size_t k_group_messages_max = 16;   // of one group, taken from the queue at a time
inline constexpr std::size_t k_queue_bytes_max = 64 * 1024 * 1024;   // of one endpoint; more stops its relay
inline constexpr std::chrono::seconds k_unreadable_first{1};   // until an unreadable change is read again; doubles, up to …
inline constexpr std::chrono::minutes k_unreadable_max{5};
inline constexpr std::chrono::milliseconds k_save_period{200};
inline constexpr std::chrono::milliseconds k_trouble_pause{1'000};
inline constexpr std::chrono::hours k_timer_max{1};   // a wall clock may be set, so the timer fires at least this often

// Time since boot. It goes on while this process is paused or the machine sleeps.
std::chrono::nanoseconds time_since_boot();

// A time in which this process relays, and no other.
struct Tenure {
  Epoch epoch = 0;
  std::chrono::nanoseconds until = std::chrono::nanoseconds::max();   // since boot: when it ends unless it is renewed
  bool lost = false;

  bool is_over() const { return lost || time_since_boot() >= until; }
};

// Shared by the relays of a process.
struct RelayShared {
  const WebhookOptions& options;
  WebhookStore& store;
  ChangeSource& source;
  Sender& sender;
  boost::asio::io_context& context;
  WebhookCounters& counters;
  const std::atomic<std::uint64_t>& generation;   // raised by each change of an endpoint, before the change is answered
  std::function<void()> on_idle;   // called when a stopped relay has nothing more in flight
};

class Relay : public std::enable_shared_from_this<Relay> {
 public:
  Relay(RelayShared& shared, std::shared_ptr<Tenure> tenure, const Uuid& id);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // There are new changes.
  void news();
  // There may be other work to do.
  void wake();
  // The endpoint or its queue was changed from outside.
  void reload();
  // Starts nothing new. Attempts in flight continue; their results are noted if the tenure is not over.
  void stop();
  bool is_idle() const { return active_ == 0; }
  bool is_gone() const { return gone_; }   // its endpoint was removed
  // Since when there are changes that it could read and has not read; nothing: there are none.
  std::optional<std::chrono::steady_clock::time_point> behind_since() const { return behind_since_; }

 private:
  struct Message {
    QueuedMessage message;   // number 0: not in the queue
    std::uint64_t place = 0;   // in the window, when it is not in the queue
  };
  struct Group {
    std::deque<Message> messages;
    bool from_queue = false;
    bool is_due_again = false;   // the queue has due messages of it, which are read when this group ends
  };
  // A change that was read: its position, and whether it has been settled.
  struct Slot {
    SourcePosition position;
    bool settled;
  };

  void guarded(const std::function<void()>& body);
  void load();
  void refresh();
  void work();
  void take_due();
  void read_changes();
  bool take_in(SourcePage& page, std::vector<Message>& held_back);
  bool would_overtake(const SourceChange& change) const;
  void take_in(SourceChange change, std::vector<Message>& held_back);
  void hold_back(std::vector<Message>& messages);
  void start_sending();
  boost::asio::awaitable<void> deliver(std::string name);
  bool complete(const std::string& name, Group& group);
  boost::asio::awaitable<Attempt> attempt(const QueuedMessage& message);
  void note(const Attempt& attempt);
  void settle_first(const std::string& name, Group& group);
  void failed(const std::string& name, Group& group, const Attempt& attempt);
  void disable(const std::string& url);
  void fail_again(const std::string& name, const QueuedMessage& message, const Attempt& attempt);
  void end_group(const std::string& name);
  void leave_queue(const std::string& name, const QueuedMessage& message);
  void settle_place(std::uint64_t place);
  void save(bool at_once);
  void arm_timer();
  bool may_send() const { return endpoint_.enabled && !gone_ && !stopped_ && !begin_again_ && !tenure_->is_over(); }
  bool has_unsaved() const { return unsaved_.position || unsaved_.last_success_at != 0 || unsaved_.last_failure_at != 0; }
  bool queue_is_full() const { return queue_.messages >= shared_.options.queue_max || queue_.bytes >= k_queue_bytes_max; }
  Millis next_attempt_at(unsigned attempts, const Attempt& attempt);

  RelayShared& shared_;
  const std::shared_ptr<Tenure> tenure_;
  const Uuid id_;
  Endpoint endpoint_;
  std::uint64_t generation_ = 0;   // of endpoint_
  bool stopped_ = false;
  bool gone_ = false;
  bool loaded_ = false;
  bool waking_ = false;   // a call of work() is scheduled
  bool begin_again_ = false;   // as soon as nothing is in flight
  bool at_end_ = false;   // of the source, when it was last read
  std::optional<std::chrono::steady_clock::time_point> behind_since_;
  std::chrono::steady_clock::time_point not_before_{};   // after trouble
  std::uint64_t troubles_ = 0;   // failures since it last worked

  std::deque<Slot> window_;
  std::uint64_t window_base_ = 0;   // place of window_.front()
  std::size_t window_bytes_ = 0;   // of messages in memory that came from the source
  SourcePosition read_to_;   // after the window's last change
  std::map<std::string, Group> groups_;
  std::deque<std::string> ready_;   // groups that are not being sent
  std::size_t active_ = 0;   // groups that are being sent

  QueueSummary queue_;
  Millis next_due_ = k_never;

  Progress unsaved_;
  std::chrono::steady_clock::time_point saved_at_{};
  boost::asio::steady_timer timer_;
  std::minstd_rand random_;
};

}   // namespace holdfast::feed
