// Consumes seats-generated: imports events whose seats a platform's catalogue sends over Kafka, part by part. At least once: an offset is
// committed after the message's effect is durable, or after its dead letter is in Kafka.
//
//   SeatImports imports(options, desk, board);
//   imports.start();
//   imports.stop();
//
// An event is imported when all of its seats have come; until then nobody sees it. Its parts are in memory meanwhile, and the committed offset
// stays before the first of them: the next node starts there, receives them again and skips what was imported since (decision 62). Parts of one
// event may be in several partitions, so one node reads all partitions: the node that holds the feed's lease.
//
// A message that cannot be understood goes to <topic>.dead-letter with the reason. So do the parts of an event for which there is no room, that
// waits too long, that cannot be created, or that a later part contradicts: the event starts again with that part (decision 68). While ledger or
// Kafka do not answer, the message at hand waits.
//
// One thread calls the desk. start() and stop() may be called from any thread.
#pragma once

#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "feed/backlog.h"
#include "feed/kafka/client.h"
#include "feed/kafka/dead_letters.h"
#include "feed/kafka/failing_imports.h"
#include "feed/kafka/gathering.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/settings.h"
#include "feed/kafka/status.h"
#include "feed/worker_loop.h"

namespace holdfast::feed::kafka {

inline constexpr std::size_t k_part_bytes_max = std::size_t{8} * 1024 * 1024;   // a larger message is a dead letter

struct SeatsOptions {
  KafkaSettings kafka{};
  std::string topic_prefix{};
  std::string group = "holdfast-seats";   // for committed offsets only; no consumer joins it
  std::chrono::milliseconds back_off_max{5'000};
  // How long to retry an event that cannot be read or created while others can; then its parts are dead letters.
  std::chrono::milliseconds event_patience{60'000};
  std::size_t failing_max = FailingImports::k_events_max;   // such events that are remembered
  GatheringLimits limits{};
};

class SeatImports {
 public:
  SeatImports(SeatsOptions options, SeatsDesk& desk, FeedBoard& board);

  void start();
  // Ends after the message at hand, or at once if it waits for something. Safe to call twice. The destructor stops, too.
  void stop() { loop_.stop(); }

 private:
  using Time = Backlog::Timer::time_point;

  struct Place {
    std::int64_t next = -1;   // the offset behind the last message taken; -1: none was taken
    std::int64_t end = -1;   // the offset at which the partition had nothing more; -1: not seen
    std::int64_t committed = -1;   // -1: nothing
    Time committed_at{};   // by this node
    std::int64_t begins = -1;   // the offset to start at, until it is known whether Kafka still has it; then -1
    Backlog backlog{};
  };

  void run();
  void stand_by();
  void report(const std::exception& error);
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
  void give_up_overdue();
  void give_up(const Uuid& event, const std::string& why);
  void give_up(const Received& message, const std::string& why);
  void tell_dead();

  void commit(Client& client);
  void look_at_backlog(Client& client);
  void note_lost(const Partition& partition, Place& place, std::int64_t low);
  void show_pending();
  void forget();

  bool ends() const { return loop_.stopping() || !board_.leads(); }
  std::string topic() const { return options_.topic_prefix + std::string(k_topic_seats_generated); }

  SeatsOptions options_;
  SeatsDesk& desk_;
  FeedBoard& board_;

  // The thread's.
  std::unique_ptr<Teller> teller_;
  Gathering gathering_;
  std::map<Partition, Place> places_;
  std::deque<Dead> dead_;   // until Kafka has them; offsets are committed only while there are none
  FailingImports failing_;
  std::optional<Time> starting_since_;   // set while this node should import and does not yet
  std::optional<Time> at_hand_since_;   // set while a message is being handled
  Time committed_at_{};
  Time looked_at_backlog_{};
  WorkerLoop loop_;   // last: it ends before what its thread uses
};

}   // namespace holdfast::feed::kafka
