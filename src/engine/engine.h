// Gathers submissions from all connections into batches by event, hands them to the ledger, and gives the verdicts back.
//
// One worker thread for each lane of the ledger. While the ledger commits one round, the next one gathers: the cost of the disk is shared by
// all who wait. The queue is bounded: when it is full, submit() says so at once and takes nothing.
//
//   Engine engine(ledger, {.queue_max = 10'000});
//   Verdict verdict = engine.ask(std::move(submission));       // blocks: for imports and tools
//   if (!engine.submit(task)) …503…                            // does not: the task comes back through its Outbox
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "ledger/ledger.h"

namespace holdfast {

struct Task;

// Where finished tasks go: one for each thread that submits.
class Outbox {
 public:
  // Called by a worker of the engine once a round, with the round's tasks of this outbox, linked by Task::next, in the order of submission.
  virtual void deliver(Task* first) = 0;

 protected:
  ~Outbox() = default;
};

// A submission in the engine. Its owner keeps it, and all that its commands point at, until it comes out of the outbox.
struct Task {
  Entry entry;
  Outbox* outbox = nullptr;
  Task* next = nullptr;   // the engine's while the task is in it
};

struct EngineOptions {
  std::size_t queue_max = 20'000;   // tasks that wait; 1 or more
  bool sweep = true;   // record expiries by themselves; without, they are recorded when something rests on them
};

// One round, for metrics. `queued` is what waits for the next one.
struct Round {
  std::size_t tasks;
  std::size_t queued;
  ExecutionReport report;
  std::size_t keys_refused_strangers = 0;   // submissions whose idempotency key had no room, by whose it was (core/keys.h)
  std::size_t keys_refused_callers = 0;
};

class Engine {
 public:
  // `on_round` is called by a worker after each round that the ledger executed; it must be quick, and with a ledger of several lanes several
  // workers call it at once.
  Engine(Ledger& ledger, EngineOptions options, std::function<void(const Round&)> on_round = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Takes a list of tasks linked by Task::next, or as many from its beginning as there is room for; returns the first that it did
  // not take (nullptr: all). After stop() it takes none. Any thread.
  Task* submit(Task* first);

  // Waits for room in the queue and for the verdict. `unavailable` after stop(). Any thread but a worker and a thread that must not block.
  Verdict ask(Submission submission);

  // Creates an event with all its seats, or nothing: in steps, between which other events go on. `progress` is told how many seats are in.
  // `key` is kept with the step after which the event is there; one that was used with another request is `key_reused`, and nothing is
  // created. That is asked before the event has a number too: a refused creation uses none up.
  //
  // Seats of `blocked` are blocked before the event gets its status: until then it is a draft, which nobody can buy from. When this ends
  // before all of them are, at a crash too, the draft stays: the answer is `incomplete`, and finish_event() goes on with it.
  std::expected<EventNumber, CreationProblem> create_event(NewEvent event, const std::function<void(std::size_t)>& progress = {},
                                                           const std::optional<IdempotencyKey>& key = {},
                                                           std::span<const SeatIndex> blocked = {});

  // Of an event that create_event() has created with this key, and that is there: does what it had not done. True: all had been done
  // before, whatever became of the event since. What is no draft any more is not touched: `incomplete` if seats are not blocked.
  std::expected<bool, CreationProblem> finish_event(EventNumber number, EventStatus status, std::span<const SeatIndex> blocked,
                                                    const IdempotencyKey& key);

  // Executes what is in the queue, then ends the workers. Safe to call twice.
  void stop();

  std::size_t queued() const { return queued_.load(std::memory_order_relaxed); }

 private:
  class Worker;

  std::optional<CreationProblem> ask_key_of_new_event(const Uuid& id, const IdempotencyKey& key);
  Reason ask_of_new_event(EventNumber number, Command wish, const std::optional<IdempotencyKey>& key = {});
  std::vector<SeatIndex> not_blocked(EventNumber number, std::span<const SeatIndex> seats) const;
  Reason block_and_open(EventNumber number, EventStatus status, std::span<const SeatIndex> blocked,
                        const std::optional<IdempotencyKey>& end);
  std::expected<EventNumber, CreationProblem> opened_after_all(EventNumber number, EventStatus status, std::span<const SeatIndex> blocked,
                                                               bool has_key) const;
  Worker& worker_of(const Task& task) const;
  bool take_place();

  Ledger& ledger_;
  const EngineOptions options_;
  const std::function<void(const Round&)> on_round_;
  std::atomic<std::size_t> queued_{0};   // of all workers
  std::vector<std::unique_ptr<Worker>> workers_;   // by lane
};

}   // namespace holdfast
