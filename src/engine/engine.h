// Gathers submissions from all connections into batches by event, hands the batches to the ledger, and returns the verdicts.
//
// Each lane of the ledger has one worker thread. While the ledger commits one round, the next one gathers, so all waiting callers share the
// cost of the disk. The queue is bounded: submit() returns the tasks that it has no room for.
//
//   Engine engine(ledger, {.queue_max = 10'000});
//   Verdict verdict = engine.ask(std::move(submission));       // blocks; for imports and tools
//   if (!engine.submit(task)) …503…                            // does not block; the task comes back through its Outbox
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "ledger/ledger.h"

namespace holdfast {

struct Task;

// Where finished tasks go. Each thread that submits has one.
class Outbox {
 public:
  // A worker calls it once per round, with the round's tasks of this outbox, linked by Task::next, in the order of submission.
  virtual void deliver(Task* first) = 0;

 protected:
  ~Outbox() = default;
};

// A submission in the engine. Its owner keeps it, and everything that its commands refer to, until the outbox delivers it.
struct Task {
  Entry entry;
  Outbox* outbox = nullptr;
  Task* next = nullptr;   // belongs to the engine until delivery
};

// The outbox of a thread that waits for tasks. Workers may deliver them in several lists.
class Waiting final : public Outbox {
 public:
  explicit Waiting(std::size_t tasks) : left_(tasks) {}
  void deliver(Task* first) override {
    const std::scoped_lock lock(mutex_);
    for (; first != nullptr; first = first->next) --left_;
    if (left_ == 0) wake_.notify_one();   // under the lock: the waiting thread destroys this as soon as it sees 0
  }
  void wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::size_t left_;
};

struct EngineOptions {
  std::size_t queue_max = 20'000;   // tasks that may wait; at least 1
  bool sweep = true;   // record expiries when they are due; if false, when a later change depends on them
  std::chrono::milliseconds room_awaited_max{60'000};   // how long a step of an import waits while the journal makes room
};

// One round, for metrics. `queued`: tasks that wait for the next one.
struct Round {
  std::size_t tasks;
  std::size_t queued;
  ExecutionReport report;
  std::size_t keys_refused_strangers = 0;   // submissions whose idempotency key had no room, by owner (core/keys.h)
  std::size_t keys_refused_callers = 0;
};

class Engine {
 public:
  // A worker calls `on_round` after each round that the ledger executed. It must be quick. If the ledger has several lanes, several workers
  // may call it at once.
  Engine(Ledger& ledger, EngineOptions options, std::function<void(const Round&)> on_round = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Accepts a list of tasks linked by Task::next, or as many from its beginning as there is room for. Returns the first task that it did not
  // accept (nullptr: all accepted). Accepts none after stop(). Any thread.
  Task* submit(Task* first);

  // Waits for room in the queue and for the verdict, which is `unavailable` after stop(). Any thread that may block, except a worker.
  Verdict ask(Submission submission);

  // Creates an event with all its seats, or nothing, in steps between which other events continue. `progress` gets the number of seats so far.
  // `key` is kept with the step after which the event exists. A key that was used with another request is `key_reused`, and nothing is
  // created. The key is checked before the event gets a number, so that refused creations use up no numbers.
  //
  // The seats in `blocked` are blocked before the event gets its status. Until then it is a draft, which nobody can buy from. If this ends
  // before all are blocked, by a crash too, the draft stays: the answer is `incomplete`, and finish_event() continues. Blocks; any thread
  // except a worker.
  std::expected<EventNumber, CreationProblem> create_event(NewEvent event, const std::function<void(std::size_t)>& progress = {},
                                                           const std::optional<IdempotencyKey>& key = {},
                                                           std::span<const SeatIndex> blocked = {});

  // Completes an event that create_event() has created with this key and that exists. True: everything had been done before, whatever became
  // of the event since. An event that is no longer a draft is not changed: `incomplete` if some of its seats are not blocked.
  std::expected<bool, CreationProblem> finish_event(EventNumber number, EventStatus status, std::span<const SeatIndex> blocked,
                                                    const IdempotencyKey& key);

  // Executes the queued tasks, then ends the workers. Safe to call twice.
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
