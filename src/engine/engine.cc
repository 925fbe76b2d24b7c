#include "engine/engine.h"

#include <algorithm>

#include "core/check.h"
#include "core/rules.h"

namespace holdfast {
namespace {

constexpr std::size_t k_tasks_per_round_max = 4'096;
constexpr std::size_t k_expiries_per_sweep = 1'000;    // of one event in one round: some 0.3 ms
constexpr std::size_t k_events_swept_per_round = 16;
// Where a commit is slow, a short wait for the callers of the last round halves the number of commits: without it, half of the callers
// wait while the other half is at the disk, and the two never meet.
constexpr std::chrono::microseconds k_gather_from{50};    // commits that are faster are not worth a wait
constexpr std::chrono::microseconds k_gather_max{500};
constexpr int k_gather_part = 4;                          // of the last commit's time
constexpr unsigned k_rounds_not_gathered = 32;            // after a wait in which nobody came

constexpr std::size_t k_seats_per_import_step = 2'000; // some 70 KB in the journal

// For ask(): one task at a time, waited for.
class Waiting : public Outbox {
 public:
  void deliver(Task*) override {
    const std::scoped_lock lock(mutex_);
    done_ = true;
    wake_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return done_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
};

UsuallyOne<EventNumber> events_of(const Submission& submission) {
  UsuallyOne<EventNumber> events;
  for (const Part& part : submission.parts) events.push_back(part.event);
  return events;
}

}  // namespace

Engine::Engine(Ledger& ledger, EngineOptions options, std::function<void(const Round&)> on_round)
    : ledger_(ledger), options_(options), on_round_(std::move(on_round)), worker_([this] { run(); }) {
  HOLDFAST_CHECK(options_.queue_max > 0);
}

Engine::~Engine() { stop(); }

Task* Engine::submit(Task* first) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return first;
  std::size_t queued = queued_.load(std::memory_order_relaxed);
  Task* left = first;
  while (left != nullptr && queued < options_.queue_max) {
    Task* task = left;
    left = task->next;
    task->next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = task;
    last_ = task;
    ++queued;
  }
  queued_.store(queued, std::memory_order_relaxed);
  if (waiting_ && queued >= wanted_) {
    waiting_ = false;
    wake_.notify_one();
  }
  return left;
}

Verdict Engine::ask(Submission submission) {
  Waiting outbox;
  Task task{.entry = {.submission = std::move(submission), .verdict = {}}, .outbox = &outbox};
  while (submit(&task) != nullptr) {
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) return refuse_all(task.entry.submission, Reason::unavailable);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));   // the queue is full: an import has time
  }
  outbox.wait();
  return std::move(task.entry.verdict);
}

void Engine::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    waiting_ = false;
  }
  wake_.notify_one();
  if (worker_.joinable()) worker_.join();
}

// ---------------------------------------------------------------------------------------------------------------- the worker

void Engine::run() {
  while (wait_for_work()) {
    gather();
    const std::vector<Task*> tasks = take();
    std::vector<Batch> batches = batches_of(tasks);
    add_sweeps(batches);
    if (batches.empty()) continue;
    const Round round{.tasks = tasks.size(), .queued = queued(), .report = ledger_.execute(batches)};
    last_committing_ = round.report.committing;
    expected_ = tasks.size() + queued();
    deliver(tasks);
    if (on_round_) on_round_(round);
  }
}

// Sleeps until there are tasks, an expiry is due, or the engine stops. False: stopped, and nothing is left to do.
bool Engine::wait_for_work() {
  const auto until_expiry = options_.sweep ? ledger_.until_next_expiry() : std::nullopt;
  std::unique_lock lock(mutex_);
  const auto something = [this] { return first_ != nullptr || stopping_ || !waiting_; };
  waiting_ = first_ == nullptr && !stopping_;
  if (!until_expiry) {
    wake_.wait(lock, something);
  } else if (*until_expiry > std::chrono::milliseconds::zero()) {
    wake_.wait_for(lock, *until_expiry, something);
  }
  waiting_ = false;
  return first_ != nullptr || !stopping_;
}

// Waits a moment for the callers of the last round, if the last commit was slow.
void Engine::gather() {
  if (last_committing_ < k_gather_from || expected_ < 2) return;
  if (gathered_in_vain_ > 0 && gathered_in_vain_++ <= k_rounds_not_gathered) return;
  const auto until = std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(last_committing_ / k_gather_part, k_gather_max);
  std::unique_lock lock(mutex_);
  const std::size_t before = queued();
  wanted_ = std::min({expected_, options_.queue_max, k_tasks_per_round_max});
  const auto enough = [this] { return queued() >= wanted_ || stopping_; };
  waiting_ = !enough();
  wake_.wait_until(lock, until, enough);
  waiting_ = false;
  wanted_ = 1;
  gathered_in_vain_ = queued() > before || expected_ == before ? 0 : 1;
}

std::vector<Task*> Engine::take() {
  std::vector<Task*> tasks;
  const std::scoped_lock lock(mutex_);
  tasks.reserve(std::min(queued(), k_tasks_per_round_max));
  while (first_ != nullptr && tasks.size() < k_tasks_per_round_max) {
    tasks.push_back(first_);
    first_ = first_->next;
    tasks.back()->next = nullptr;
  }
  if (first_ == nullptr) last_ = nullptr;
  queued_.store(queued() - tasks.size(), std::memory_order_relaxed);
  return tasks;
}

std::vector<Batch> Engine::batches_of(const std::vector<Task*>& tasks) {
  std::vector<Batch> batches;
  for (Task* task : tasks) {
    const UsuallyOne<EventNumber> events = events_of(task->entry.submission);
    // Most rounds are of one event, and neighbours are mostly of the same one.
    auto batch =
        !batches.empty() && batches.back().events == events ? batches.end() - 1 : std::ranges::find(batches, events, &Batch::events);
    if (batch == batches.end()) {
      batches.push_back({.events = events, .entries = {}});
      batch = batches.end() - 1;
    }
    batch->entries.push_back(&task->entry);
  }
  return batches;
}

void Engine::add_sweeps(std::vector<Batch>& batches) {
  sweeps_.clear();
  if (!options_.sweep) return;
  for (const EventNumber event : ledger_.events_to_sweep(k_events_swept_per_round)) {
    auto& sweep = sweeps_.emplace_back(std::make_unique<Entry>());
    sweep->submission.parts.push_back({event, Sweep{k_expiries_per_sweep}});
    batches.push_back({.events = {event}, .entries = {sweep.get()}});
  }
}

void Engine::deliver(const std::vector<Task*>& tasks) {
  // Tasks of one outbox are linked in order; there are as many outboxes as threads that submit.
  std::vector<std::pair<Task*, Task*>> lists;
  for (Task* task : tasks) {
    auto list = std::ranges::find_if(lists, [&](const auto& each) { return each.first->outbox == task->outbox; });
    if (list == lists.end()) {
      lists.emplace_back(task, task);
    } else {
      list->second->next = task;
      list->second = task;
    }
  }
  for (const auto& [first, last] : lists) first->outbox->deliver(first);
}

// ---------------------------------------------------------------------------------------------------------------- longer works

std::expected<EventNumber, CreationProblem> Engine::create_event(NewEvent event, const std::function<void(std::size_t)>& progress,
                                                                 const std::optional<IdempotencyKey>& key) {
  const std::shared_ptr<const Plan> plan = event.plan;
  const EventStatus status = event.settings.status;
  const auto number = ledger_.reserve_event(std::move(event));
  if (!number) return number;
  const auto command = [&](Command wish, const std::optional<IdempotencyKey>& with = {}) {
    Submission submission{.parts = {}, .key = with};
    submission.parts.push_back({*number, std::move(wish)});
    return ask(std::move(submission)).outcomes.front().reason;
  };
  std::string bytes;
  Writer writer(bytes);
  plan->encode_header(writer);
  Reason reason = command(Create{.plan_header = bytes});
  const bool created = reason == Reason::none;
  for (std::size_t first = 0; reason == Reason::none && first < plan->size(); first += k_seats_per_import_step) {
    const std::size_t count = std::min(k_seats_per_import_step, plan->size() - first);
    bytes.clear();
    plan->encode_seats(static_cast<SeatIndex>(first), count, writer);
    reason = command(AppendSeats{.encoded = bytes, .count = count});
    if (reason == Reason::none && progress) progress(first + count);
  }
  if (reason == Reason::none) reason = command(Configure{.status = status}, key);
  if (reason == Reason::none) return number;
  if (created) command(Configure{.status = EventStatus::abandoned});   // its first change is its creation, or it has none
  ledger_.abandon_event(*number);
  if (reason == Reason::idempotency_key_reused) {
    return std::unexpected(CreationProblem{CreationProblem::Kind::key_reused, "this Idempotency-Key was used with another request", {}});
  }
  return std::unexpected(
      CreationProblem{CreationProblem::Kind::unavailable, "the ledger cannot write at the moment; the event was not created", {}});
}

}  // namespace holdfast
