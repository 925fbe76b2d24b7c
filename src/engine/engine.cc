#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/check.h"
#include "core/rules.h"
#include "ledger/body_bytes.h"

namespace holdfast {
namespace {

constexpr std::size_t k_tasks_per_round_max = 4'096;
constexpr std::size_t k_expiries_per_sweep = 1'000;    // of one event in one round; takes about 0.3 ms
constexpr std::size_t k_seats_per_sweep = 10'000;   // so that the sweeps of a round fit into one of the journal
constexpr std::size_t k_events_swept_per_round = 16;
constexpr std::chrono::milliseconds k_room_asked_every{20};
// If commits are slow, a short wait for the callers of the last round halves the number of commits. Without it, half of the callers wait
// while the other half is at the disk, and the two never meet.
constexpr std::chrono::microseconds k_gather_from{50};    // faster commits are not worth a wait
constexpr std::chrono::microseconds k_gather_max{500};
constexpr int k_gather_part = 4;                          // of the last round's duration
constexpr unsigned k_rounds_not_gathered = 32;            // after a wait without a new task

constexpr EventNumber k_no_event = 0;   // events are numbered from 1

CreationProblem key_reused() { return {CreationProblem::Kind::key_reused, "this Idempotency-Key was used with another request", {}}; }

// The key of a creation's last step, if the event opens before that step. It tells a repeat whether anything is left to do. It cannot equal
// another key, because both are cryptographic.
std::optional<IdempotencyKey> key_of_end(const std::optional<IdempotencyKey>& key) {
  if (!key) return std::nullopt;
  IdempotencyKey end = *key;
  for (std::uint8_t& byte : end.key) byte = static_cast<std::uint8_t>(~byte);
  return end;
}

CreationProblem left_incomplete(const PublishedEvent& event, bool has_key) {
  const std::string id = to_string(event.card().id);
  const EventStatus status = event.status();
  std::string what = "event " + id + " was created. Some of its taken seats may not be blocked yet, or its status may not be set. ";
  if (status != EventStatus::draft) {
    what += "It is no longer a draft, so Holdfast does not change it. Block the taken seats that GET /v1/events/" + id +
            "/seats shows as available";
  } else if (has_key) {
    what +=
        "It is a draft, so none of its seats are on sale. Send the same request with the same Idempotency-Key again: Holdfast then "
        "finishes it";
  } else {
    what += "It is a draft, so none of its seats are on sale. Block the taken seats that GET /v1/events/" + id +
            "/seats shows as available, then set its status. Or leave it, and create the event again with other ids";
  }
  return {CreationProblem::Kind::incomplete, std::move(what), {}};
}

CreationProblem no_room_for_key(const char* outcome) {
  return {CreationProblem::Kind::too_many_keys, std::string("the store for idempotency keys is full; ") + outcome, {}};
}

CreationProblem cannot_create(const char* outcome = "the event was not created") {
  return {CreationProblem::Kind::unavailable, std::string("the ledger cannot write at the moment; ") + outcome, {}};
}

// `reason`: why the ledger has refused a step.
CreationProblem cannot_create(Reason reason, const char* outcome = "the event was not created") {
  if (reason != Reason::no_room) return cannot_create(outcome);
  return {CreationProblem::Kind::no_room, std::string("the server's disk has no room for new events; ") + outcome, {}};
}

UsuallyOne<EventNumber> events_of(const Submission& submission) {
  UsuallyOne<EventNumber> events;
  for (const Part& part : submission.parts) events.push_back(part.event);
  return events;
}

}   // namespace

// One lane's queue, and the thread that works through it.
class Engine::Worker {
 public:
  Worker(Engine& engine, Lane lane) : engine_(engine), ledger_(engine.ledger_), lane_(lane), thread_([this] { run(); }) {}
  ~Worker() { stop(); }

  // As Engine::submit.
  Task* submit(Task* first);
  bool is_stopping();
  void stop();

 private:
  void run();
  bool wait_for_work();
  void gather();
  std::size_t waiting_tasks();
  std::vector<Task*> take();
  void add_sweeps(std::vector<Batch>& batches);
  static std::vector<Batch> batches_of(const std::vector<Task*>& tasks);
  static void count_refused_keys(const std::vector<Task*>& tasks, Round& round);
  static void deliver(const std::vector<Task*>& tasks);

  Engine& engine_;
  Ledger& ledger_;
  const Lane lane_;

  std::mutex mutex_;
  std::condition_variable wake_;
  Task* first_ = nullptr;
  Task* last_ = nullptr;
  std::size_t queued_ = 0;
  bool waiting_ = false;
  std::size_t wanted_ = 1;   // number of tasks that the thread waits for
  bool stopping_ = false;

  // Only the thread uses the rest.
  std::vector<std::unique_ptr<Entry>> sweeps_;   // of the current round
  std::chrono::nanoseconds last_committing_{0};
  std::chrono::nanoseconds last_round_{0};   // including what the ledger waited for before the commit
  std::size_t expected_ = 0;   // callers of the last round, who may ask again, and those already waiting
  unsigned gathered_in_vain_ = 0;
  std::thread thread_;   // last, because it uses the others
};

Engine::Engine(Ledger& ledger, EngineOptions options, std::function<void(const Round&)> on_round)
    : ledger_(ledger), options_(options), on_round_(std::move(on_round)) {
  HOLDFAST_CHECK(options_.queue_max > 0);
  const unsigned lanes = ledger.lanes();
  HOLDFAST_CHECK(lanes >= 1 && lanes <= Ledger::k_lanes_max);
  for (unsigned i = 0; i < lanes; ++i) workers_.push_back(std::make_unique<Worker>(*this, Lane{i, lanes}));
}

Engine::~Engine() { stop(); }

Engine::Worker& Engine::worker_of(const Task& task) const { return *workers_[task.entry.submission.parts.front().event % workers_.size()]; }

Task* Engine::submit(Task* first) {
  if (workers_.size() == 1) return workers_.front()->submit(first);
  // Gives each worker its tasks. After the first task that a worker does not accept, no worker gets any more: when it is submitted again, no
  // later task of its event may be ahead of it.
  while (first != nullptr) {
    Task* task = first;
    first = task->next;
    task->next = nullptr;
    Worker& worker = worker_of(*task);
    Task* last = task;
    while (first != nullptr && &worker_of(*first) == &worker) {
      last->next = first;
      last = first;
      first = first->next;
      last->next = nullptr;
    }
    if (Task* left = worker.submit(task)) {
      last->next = first;   // the last task that was not accepted
      return left;
    }
  }
  return nullptr;
}

// Reserves room for one more task, over all workers. False if there is none.
bool Engine::take_place() {
  std::size_t queued = queued_.load(std::memory_order_relaxed);
  do {
    if (queued >= options_.queue_max) return false;
  } while (!queued_.compare_exchange_weak(queued, queued + 1, std::memory_order_relaxed));
  return true;
}

Task* Engine::Worker::submit(Task* first) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return first;
  Task* left = first;
  std::size_t taken = 0;
  for (; left != nullptr && engine_.take_place(); ++taken) {
    Task* task = left;
    left = task->next;
    task->next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = task;
    last_ = task;
  }
  queued_ += taken;
  if (waiting_ && queued_ >= wanted_) {
    waiting_ = false;
    wake_.notify_one();
  }
  return left;
}

bool Engine::Worker::is_stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

Verdict Engine::ask(Submission submission) {
  Waiting outbox(1);
  Task task{.entry = {.submission = std::move(submission), .verdict = {}}, .outbox = &outbox};
  while (submit(&task) != nullptr) {
    if (worker_of(task).is_stopping()) return refuse_all(task.entry.submission, Reason::unavailable);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));   // the queue is full, and an import can wait
  }
  outbox.wait();
  return std::move(task.entry.verdict);
}

void Engine::stop() {
  for (const auto& worker : workers_) worker->stop();
}

void Engine::Worker::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    waiting_ = false;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// ---- The worker.

void Engine::Worker::run() {
  while (wait_for_work()) {
    gather();
    const std::vector<Task*> tasks = take();
    std::vector<Batch> batches = batches_of(tasks);
    add_sweeps(batches);
    if (batches.empty()) continue;
    const auto began = std::chrono::steady_clock::now();
    Round round{.tasks = tasks.size(), .queued = engine_.queued(), .report = ledger_.execute(batches)};
    count_refused_keys(tasks, round);
    last_round_ = std::chrono::steady_clock::now() - began;
    last_committing_ = round.report.committing;
    expected_ = tasks.size() + waiting_tasks();
    deliver(tasks);
    if (engine_.on_round_) engine_.on_round_(round);
  }
}

// Sleeps until there are tasks, an expiry is due, or the engine stops. False: the engine has stopped and nothing is left to do.
bool Engine::Worker::wait_for_work() {
  const auto until_expiry = engine_.options_.sweep ? ledger_.until_next_expiry(lane_) : std::nullopt;
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

// Waits a moment for the callers of the last round, if its commit was slow.
void Engine::Worker::gather() {
  if (last_committing_ < k_gather_from || expected_ < 2) return;
  if (gathered_in_vain_ > 0 && gathered_in_vain_ <= k_rounds_not_gathered) {
    ++gathered_in_vain_;
    return;
  }
  const auto until = std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(last_round_ / k_gather_part, k_gather_max);
  std::unique_lock lock(mutex_);
  const std::size_t before = queued_;
  wanted_ = std::min({expected_, engine_.options_.queue_max, k_tasks_per_round_max});
  const auto enough = [this] { return queued_ >= wanted_ || stopping_; };
  waiting_ = !enough();
  wake_.wait_until(lock, until, enough);
  waiting_ = false;
  wanted_ = 1;
  gathered_in_vain_ = queued_ > before || expected_ == before ? 0 : 1;
}

std::size_t Engine::Worker::waiting_tasks() {
  const std::scoped_lock lock(mutex_);
  return queued_;
}

std::vector<Task*> Engine::Worker::take() {
  std::vector<Task*> tasks;
  const std::scoped_lock lock(mutex_);
  tasks.reserve(std::min(queued_, k_tasks_per_round_max));
  while (first_ != nullptr && tasks.size() < k_tasks_per_round_max) {
    tasks.push_back(first_);
    first_ = first_->next;
    tasks.back()->next = nullptr;
  }
  if (first_ == nullptr) last_ = nullptr;
  queued_ -= tasks.size();
  engine_.queued_.fetch_sub(tasks.size(), std::memory_order_relaxed);
  return tasks;
}

std::vector<Batch> Engine::Worker::batches_of(const std::vector<Task*>& tasks) {
  std::vector<Batch> batches;
  for (Task* task : tasks) {
    const UsuallyOne<EventNumber> events = events_of(task->entry.submission);
    // Most rounds have one event, and neighbouring tasks mostly belong to the same event.
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

void Engine::Worker::add_sweeps(std::vector<Batch>& batches) {
  sweeps_.clear();
  if (!engine_.options_.sweep) return;
  for (const EventNumber event : ledger_.events_to_sweep(k_events_swept_per_round, lane_)) {
    auto& sweep = sweeps_.emplace_back(std::make_unique<Entry>());
    sweep->submission.parts.push_back({event, Sweep{.limit = k_expiries_per_sweep, .seats_max = k_seats_per_sweep}});
    batches.push_back({.events = {event}, .entries = {sweep.get()}});
  }
}

void Engine::Worker::count_refused_keys(const std::vector<Task*>& tasks, Round& round) {
  for (const Task* task : tasks) {
    const auto& key = task->entry.submission.key;
    if (!key || task->entry.verdict.outcomes.empty() || task->entry.verdict.outcomes.front().limit != Limit::idempotency_keys) continue;
    ++(key->owner.is_stranger ? round.keys_refused_strangers : round.keys_refused_callers);
  }
}

void Engine::Worker::deliver(const std::vector<Task*>& tasks) {
  // Tasks of one outbox are linked in order. There are as many outboxes as threads that submit.
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

// ---- Creating events.

// Checks the key before the event exists. It does not decide about a key that is repeated for an existing event: the ledger then says that
// the event exists, and the event's own key decides.
std::optional<CreationProblem> Engine::ask_key_of_new_event(const Uuid& id, const IdempotencyKey& key) {
  if (!ledger_.bring({.event_id = id})) return cannot_create();
  if (ledger_.event_by_id(id)) return std::nullopt;
  switch (ask_of_new_event(k_no_event, Configure{}, key)) {   // always refused, so that the question stores nothing
    case Reason::none:   // the same request was answered a moment ago, so its event exists now
    case Reason::event_not_found: return std::nullopt;
    case Reason::idempotency_key_reused: return key_reused();
    case Reason::limit_exceeded: return no_room_for_key("no event was created");
    case Reason::no_room: return cannot_create(Reason::no_room);
    default: return cannot_create();
  }
}

// While the journal makes room, an import waits for it: it may fill more than one file. On a full disk it ends.
Reason Engine::ask_of_new_event(EventNumber number, Command wish, const std::optional<IdempotencyKey>& key) {
  Submission submission{.parts = {}, .key = key};
  submission.parts.push_back({number, std::move(wish)});
  for (const auto until = std::chrono::steady_clock::now() + options_.room_awaited_max;;) {
    const Outcome outcome = ask(submission).outcomes.front();
    if (!outcome.room_comes_soon || std::chrono::steady_clock::now() >= until) return outcome.reason;
    std::this_thread::sleep_for(k_room_asked_every);
  }
}

// The seats of `seats` that readers do not see as blocked. All of them if the event has not opened.
std::vector<SeatIndex> Engine::not_blocked(EventNumber number, std::span<const SeatIndex> seats) const {
  const auto event = ledger_.event(number);
  const Millis now = ledger_.now();
  std::vector<SeatIndex> left;
  std::ranges::copy_if(seats, std::back_inserter(left),
                       [&](SeatIndex seat) { return event == nullptr || event->seat(seat, now).state != SeatState::blocked; });
  return left;
}

// Blocks the remaining seats of an event that has opened as a draft, then gives it its status. `end` is kept with the last step that changes
// something. Another thread or node with the same request may do the same: seats that it has blocked are skipped.
Reason Engine::block_and_open(EventNumber number, EventStatus status, std::span<const SeatIndex> blocked,
                              const std::optional<IdempotencyKey>& end) {
  const bool stays_draft = status == EventStatus::draft;
  const std::vector<SeatIndex> found = not_blocked(number, blocked);
  std::vector<SeatIndex> fewer;
  std::span<const SeatIndex> left = found;
  while (!left.empty()) {
    const std::size_t count = std::min(left.size(), k_seats_per_reservation_max);
    const bool is_last = stays_draft && count == left.size();
    const Reason reason = ask_of_new_event(number, Block{.seats = left.first(count)}, is_last ? end : std::nullopt);
    if (reason == Reason::none) {
      left = left.subspan(count);
      continue;
    }
    std::vector<SeatIndex> now = not_blocked(number, left);
    if (reason != Reason::seat_unavailable || now.size() == left.size()) return reason;
    fewer = std::move(now);
    left = fewer;
  }
  return stays_draft ? Reason::none : ask_of_new_event(number, Configure{.status = status}, end);
}

// The event exists, although the result of a step is unknown. Whatever readers see was done.
std::expected<EventNumber, CreationProblem> Engine::opened_after_all(EventNumber number, EventStatus status,
                                                                     std::span<const SeatIndex> blocked, bool has_key) const {
  const auto event = ledger_.event(number);
  if (event == nullptr) return std::unexpected(cannot_create("it is not yet known whether the event is complete"));
  if (blocked.empty() || (event->status() == status && not_blocked(number, blocked).empty())) return number;
  return std::unexpected(left_incomplete(*event, has_key));
}

std::expected<bool, CreationProblem> Engine::finish_event(EventNumber number, EventStatus status, std::span<const SeatIndex> blocked,
                                                          const IdempotencyKey& key) {
  const auto end = key_of_end(key);
  Submission question{.parts = {}, .key = end};
  question.parts.push_back({number, Configure{}});   // changes nothing, so that the question stores nothing
  const Verdict asked = ask(std::move(question));
  if (asked.replayed) return true;
  const Reason reason = asked.outcomes.front().reason;
  if (reason == Reason::limit_exceeded) return std::unexpected(no_room_for_key("the event was created, but may be incomplete"));
  if (reason != Reason::none) return std::unexpected(cannot_create(reason, "it is not yet known whether the event is complete"));
  // Somebody has given it another status, and decides about it from now on.
  const auto event = ledger_.event(number);
  const bool is_draft = event != nullptr && event->status() == EventStatus::draft;
  if (is_draft && block_and_open(number, status, blocked, end) == Reason::none) return false;
  if (!is_draft && event != nullptr && not_blocked(number, blocked).empty()) return true;
  if (auto there = opened_after_all(number, status, blocked, true); !there) return std::unexpected(std::move(there.error()));
  return false;
}

std::expected<EventNumber, CreationProblem> Engine::create_event(NewEvent event, const std::function<void(std::size_t)>& progress,
                                                                 const std::optional<IdempotencyKey>& key,
                                                                 std::span<const SeatIndex> blocked) {
  const std::shared_ptr<const Plan> plan = event.plan;
  const EventStatus status = event.settings.status;
  if (key) {
    if (auto problem = ask_key_of_new_event(event.card.id, *key)) return std::unexpected(std::move(*problem));
  }
  const auto number = ledger_.reserve_event(std::move(event));
  if (!number) return number;
  const auto command = [&](Command wish) { return ask_of_new_event(*number, std::move(wish)); };
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
  // The key is kept with the step after which the event exists. If seats are to be blocked, it opens as a draft first: the change of a blocked
  // seat refers to the event's plan, which exists once the event has opened.
  if (reason == Reason::none) reason = ask_of_new_event(*number, Configure{.status = blocked.empty() ? status : EventStatus::draft}, key);
  if (reason == Reason::none && !blocked.empty()) {
    if (block_and_open(*number, status, blocked, key_of_end(key)) == Reason::none) return number;
    return opened_after_all(*number, status, blocked, key.has_value());
  }
  if (reason == Reason::none) return number;
  // The result of a step may be unknown. If the event has opened after all, core's rules refuse to abandon it, and it exists. If its creation
  // was refused, it has no change at all.
  const Reason abandoned = created ? command(Configure{.status = EventStatus::abandoned}) : Reason::none;
  if (ledger_.event(*number) != nullptr) return opened_after_all(*number, status, blocked, key.has_value());
  if (abandoned == Reason::no_room) {   // the journal does not know yet that the ids are free
    return std::unexpected(cannot_create(abandoned, "the event was not created, and its ids stay taken until the server's next start"));
  }
  ledger_.abandon_event(*number);
  if (reason == Reason::idempotency_key_reused) return std::unexpected(key_reused());
  if (reason == Reason::limit_exceeded && key) return std::unexpected(no_room_for_key("no event was created"));
  if (abandoned == Reason::unavailable) return std::unexpected(cannot_create("it is not yet known whether the event was created"));
  return std::unexpected(cannot_create(reason));
}

}   // namespace holdfast
