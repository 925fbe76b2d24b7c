// Consumes seats-generated: imports events whose seats a platform's catalogue tells by Kafka, part by part. At least once: an offset is committed
// after what its message asks for is durable, or after its dead letter is at Kafka.
//
//   SeatImports imports(options, desk, board);
//   imports.start();
//   imports.stop();
//
// An event is imported when all of its seats have come, and nobody sees it before. Until then its parts are in memory, and the offset that is
// committed stays before the first of them: whoever goes on from there gets them again, and what was imported meanwhile is skipped (decision 62).
// Parts of one event may lie in several partitions, so one node has all of them: the one with the lease of the feed.
//
// A message that says nothing goes to <topic>.dead-letter with the reason; so do the parts of an event for which there is no room, that
// waits for too long, that cannot be made, or that a later part contradicts: with that one the event begins anew (decision 68). While ledger
// or Kafka do not answer, the message at hand waits.
//
// One thread, on which the desk is asked; start() and stop() are of any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "feed/backlog.h"
#include "feed/kafka/client.h"
#include "feed/kafka/dead_letters.h"
#include "feed/kafka/gathering.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/settings.h"
#include "feed/kafka/status.h"

namespace holdfast::feed::kafka {

inline constexpr std::size_t k_part_bytes_max = std::size_t{8} * 1024 * 1024;

struct SeatsOptions {
  KafkaSettings kafka{};
  std::string topic_prefix{};
  std::string group = "holdfast-seats";   // whose offsets are committed; nobody joins it
  std::chrono::milliseconds back_off_max{5'000};
  // For an event that cannot be read or made while others can; then its parts are dead letters.
  std::chrono::milliseconds event_patience{60'000};
  std::size_t failing_max = 10'000;   // such events that are known; one more begins the list anew, and each is waited for once more
  std::size_t part_bytes_max = k_part_bytes_max;   // a larger message is a dead letter
  GatheringLimits limits{};
};

class SeatImports {
 public:
  SeatImports(SeatsOptions options, SeatsDesk& desk, FeedBoard& board);
  ~SeatImports();   // stops
  SeatImports(const SeatImports&) = delete;
  SeatImports& operator=(const SeatImports&) = delete;

  void start();
  // Ends after the message at hand, or at once while it waits for something. Safe to call twice.
  void stop();

 private:
  using Partition = Gathering::Partition;
  using Time = Backlog::Timer::time_point;

  struct Place {
    std::int64_t next = -1;   // behind the last message that was taken; -1: none was
    std::int64_t end = -1;   // where it was seen to have nothing more; -1: it was not
    std::int64_t committed = -1;   // -1: nothing
    Time committed_at{};   // by this node
    std::int64_t begins = -1;   // where this node goes on, until it was looked whether Kafka still has that; -1: no more
    Backlog backlog{};
  };

  void run();
  void consume();
  std::int32_t await_topic();
  void assign(Client& client, std::int32_t partitions);
  void take(Client& client);

  void handle(const Received& message);
  template <typename Step>
  void until_done(Step step);
  void place(const Received& message);
  void gather(const SeatsPart& part, const Received& message);
  void import_complete();
  bool must_wait(const Uuid& event, bool can_be_read);
  void note_read(const Uuid& event);
  void give_up_overdue();
  void give_up(const Uuid& event, const std::string& why);
  void give_up(const Received& message, const std::string& why);
  void tell_dead();

  void commit(Client& client);
  void look_at_backlog(Client& client);
  void note_lost(const Partition& partition, Place& place, std::int64_t low);
  void show_pending();
  void forget();

  bool stopping();
  bool ends() { return stopping() || !board_.leads(); }
  void wait(std::chrono::milliseconds time);
  std::string topic() const { return options_.topic_prefix + std::string(k_topic_seats_generated); }

  SeatsOptions options_;
  SeatsDesk& desk_;
  FeedBoard& board_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;

  // The thread's.
  std::unique_ptr<Teller> teller_;
  Gathering gathering_;
  std::map<Partition, Place> places_;
  std::deque<Dead> dead_;   // until Kafka has them; none while offsets are committed
  // Events that could not be read or made at last, while others could.
  struct Failing {
    Time since{};
    bool is_given_up = false;   // nobody waits for it once more
    bool can_be_read = false;   // and not be made
  };
  std::map<Uuid, Failing> failing_;
  bool has_worked_ = false;   // since it began to consume
  std::optional<Time> starting_since_;   // this node should import, and does not yet
  std::optional<Time> at_hand_since_;   // a message is being handled
  Time committed_at_{};
  Time looked_at_backlog_{};
  std::thread thread_;
};

}   // namespace holdfast::feed::kafka
