// The engine: it gathers tasks into batches by event, keeps their order, is bounded, and wakes for expiries only if there are
// some.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <numeric>

#include "core/rules.h"
#include "support/waiting.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;

// A ledger that remembers its calls, and waits in execute() while told to.
class FakeLedger : public Ledger {
 public:
  struct Call {
    UsuallyOne<EventNumber> events;
    std::vector<std::uint64_t> submissions;   // what number_of() gives
    std::vector<std::string> kinds;
  };

  explicit FakeLedger(unsigned lanes = 1) : lanes_(lanes) {}

  unsigned lanes() const override { return lanes_; }
  ExecutionReport execute(std::span<const Batch> batches) override {
    std::unique_lock lock(mutex_);
    ++executions_;
    std::vector<Call> round;
    for (const Batch& batch : batches) {
      Call call{.events = batch.events, .submissions = {}, .kinds = {}};
      for (Entry* entry : batch.entries) {
        const Command& command = entry->submission.parts.front().command;
        call.submissions.push_back(number_of(command));
        call.kinds.push_back(kind_of(command));
        if (const auto* append = std::get_if<AppendSeats>(&command)) appended_.push_back(append->count);
        if (call.kinds.back() == "sweep") due_.reset();
        entry->verdict = refuse_all(entry->submission, fails_from_ <= executions_ ? Reason::unavailable : Reason::none);
        if (call.kinds.back() == "append" && appends_without_room_ > 0) {
          --appends_without_room_;
          entry->verdict = refuse_all(entry->submission, Reason::no_room);
          entry->verdict.outcomes.front().room_comes_soon = room_comes_soon_;
        }
        if (entry->submission.key) entry->verdict.outcomes = {keyed_++ < keys_good_ ? Outcome{} : key_outcome_};
      }
      round.push_back(std::move(call));
    }
    rounds_.push_back(std::move(round));
    changed_.notify_all();
    changed_.wait(lock, [&] { return !closed_; });
    return {.durable = fails_from_ > executions_};
  }
  std::expected<EventNumber, CreationProblem> reserve_event(NewEvent) override {
    const std::scoped_lock lock(mutex_);
    ++reserved_;
    return 7;
  }
  void abandon_event(EventNumber number) override {
    const std::scoped_lock lock(mutex_);
    abandoned_.push_back(number);
  }
  std::vector<EventNumber> events_to_sweep(std::size_t, Lane) override {
    const std::scoped_lock lock(mutex_);
    ++asked_for_sweeps_;
    if (due_ && *due_ <= Clock::now()) return {3};
    return {};
  }
  std::optional<milliseconds> until_next_expiry(Lane) override {
    const std::scoped_lock lock(mutex_);
    if (!due_) return std::nullopt;
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*due_ - Clock::now()));
  }
  Millis now() const override { return 1; }
  Reading<std::vector<std::optional<Uuid>>> find_orders(std::span<const std::string> orders) const override {
    return std::vector<std::optional<Uuid>>(orders.size());
  }
  const SeatDirectory& seats() const override { return seats_; }
  std::shared_ptr<const PublishedEvent> event(EventNumber) const override { return get(shown_); }
  std::optional<EventNumber> event_by_id(const Uuid&) const override { return std::nullopt; }
  std::vector<EventNumber> events() const override { return {}; }
  std::optional<ReservationView> reservation(const Uuid&) const override { return std::nullopt; }
  std::uint64_t progress() const override { return 0; }
  Reading<ChangePage> read_changes(EventNumber, Seq, std::size_t, ReadFrom) const override { return ChangePage{}; }
  Reading<ChangePage> read_all_changes(std::string_view, std::size_t, ReadFrom) const override { return ChangePage{}; }
  Reading<std::vector<SeatChange>> seat_history(SeatPlace, std::uint32_t, std::size_t) const override { return std::vector<SeatChange>{}; }
  Reading<ReservationPage> list_reservations(const ReservationFilter&, std::string_view, std::size_t) const override {
    return ReservationPage{};
  }
  std::string trouble() const override { return {}; }

  // ---- for the tests
  void close() {
    set([&] { closed_ = true; });
  }
  void open() {
    set([&] { closed_ = false; });
  }
  void fail_from(std::size_t execution) {
    set([&] { fails_from_ = execution; });
  }
  void set_due(Clock::time_point due) {
    set([&] { due_ = due; });
  }
  // What readers see of every event.
  void show(std::shared_ptr<const PublishedEvent> event) {
    set([&] { shown_ = std::move(event); });
  }
  // The outcome of submissions with a key after the first `good`.
  void answer_keys(Reason reason, Limit limit = Limit::none, std::size_t good = 0) {
    set([&] {
      keys_good_ = good;
      key_outcome_.reason = reason;
      key_outcome_.limit = limit;
    });
  }
  // The next appendings of seats find no room.
  void refuse_appends(std::size_t times, bool room_comes_soon) {
    set([&] {
      appends_without_room_ = times;
      room_comes_soon_ = room_comes_soon;
    });
  }
  std::size_t reserved() const { return get(reserved_); }
  bool wait_for_executions(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, k_patience, [&] { return executions_ >= count; });
  }
  std::size_t executions() const { return get(executions_); }
  std::vector<std::vector<Call>> rounds() const { return get(rounds_); }
  std::vector<EventNumber> abandoned() const { return get(abandoned_); }
  std::vector<std::size_t> appended() const { return get(appended_); }
  std::size_t asked_for_sweeps() const { return get(asked_for_sweeps_); }

  // Commands that carry a number, in a field that this ledger does not use otherwise.
  static Command numbered(std::uint64_t number) { return Extend{.reservation = {}, .duration = static_cast<Millis>(number)}; }
  static std::uint64_t number_of(const Command& command) {
    const auto* extend = std::get_if<Extend>(&command);
    return extend == nullptr ? 0 : static_cast<std::uint64_t>(extend->duration);
  }

 private:
  static std::string kind_of(const Command& command) {
    if (std::holds_alternative<Sweep>(command)) return "sweep";
    if (std::holds_alternative<Create>(command)) return "create";
    if (std::holds_alternative<AppendSeats>(command)) return "append";
    if (std::holds_alternative<Block>(command)) return "block";
    return std::holds_alternative<Configure>(command) ? "configure" : "numbered";
  }

  template <typename Change>
  void set(Change change) {
    const std::scoped_lock lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <typename T>
  T get(const T& value) const {
    const std::scoped_lock lock(mutex_);
    return value;
  }

  const unsigned lanes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  std::size_t fails_from_ = SIZE_MAX;
  std::size_t appends_without_room_ = 0;
  bool room_comes_soon_ = false;
  Outcome key_outcome_{};
  std::size_t keyed_ = 0;
  std::size_t keys_good_ = 0;
  std::shared_ptr<const PublishedEvent> shown_;
  std::size_t reserved_ = 0;
  std::size_t executions_ = 0;
  std::size_t asked_for_sweeps_ = 0;
  std::optional<Clock::time_point> due_;
  std::vector<std::vector<Call>> rounds_;
  std::vector<EventNumber> abandoned_;
  std::vector<std::size_t> appended_;
  SeatDirectory seats_{1};
};

// Keeps the numbers of the returned tasks, in order.
class Inbox final : public Outbox {
 public:
  void deliver(Task* first) override {
    const std::scoped_lock lock(mutex_);
    ++deliveries_;
    for (Task* task = first; task != nullptr; task = task->next) {
      numbers_.push_back(FakeLedger::number_of(task->entry.submission.parts.front().command));
      reasons_.push_back(task->entry.verdict.outcomes.front().reason);
    }
    came_.notify_all();
  }
  std::vector<std::uint64_t> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, k_patience, [&] { return numbers_.size() >= count; });
    return numbers_;
  }
  std::vector<Reason> reasons() {
    const std::scoped_lock lock(mutex_);
    return reasons_;
  }
  int deliveries() {
    const std::scoped_lock lock(mutex_);
    return deliveries_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::uint64_t> numbers_;
  std::vector<Reason> reasons_;
  int deliveries_ = 0;
};

// Tasks that live as long as the test.
class Tasks {
 public:
  Task* one(Outbox& outbox, std::uint64_t number, std::initializer_list<EventNumber> events) {
    auto& task = tasks_.emplace_back(std::make_unique<Task>());
    for (const EventNumber event : events) task->entry.submission.parts.push_back({event, FakeLedger::numbered(number)});
    task->outbox = &outbox;
    return task.get();
  }
  Task* list(std::initializer_list<Task*> tasks) {
    for (auto at = tasks.begin(); at + 1 < tasks.end(); ++at) (*at)->next = *(at + 1);
    return *tasks.begin();
  }

 private:
  std::vector<std::unique_ptr<Task>> tasks_;
};

Submission submission_of(std::uint64_t number, EventNumber event = 1) {
  Submission submission;
  submission.parts.push_back({event, FakeLedger::numbered(number)});
  return submission;
}

struct EngineTest : testing::Test {
  ~EngineTest() override { ledger.open(); }

  // Keeps the worker busy with one round, so that the following tasks gather for the next.
  void occupy(Engine& engine) {
    const std::size_t before = ledger.executions();
    ledger.close();
    ASSERT_EQ(engine.submit(tasks.one(warm_up, 0, {99})), nullptr);
    ASSERT_TRUE(ledger.wait_for_executions(before + 1));
  }

  FakeLedger ledger;
  Inbox warm_up;
  Inbox inbox;
  Tasks tasks;
};

TEST_F(EngineTest, TasksThatArriveDuringARoundFormTheNextInBatchesByEvent) {
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  occupy(engine);
  engine.submit(tasks.list({tasks.one(inbox, 1, {1}), tasks.one(inbox, 2, {2}), tasks.one(inbox, 3, {1}), tasks.one(inbox, 4, {1, 2})}));
  engine.submit(tasks.list({tasks.one(inbox, 5, {2}), tasks.one(inbox, 6, {1, 2}), tasks.one(inbox, 7, {1})}));
  EXPECT_EQ(engine.queued(), 7u);
  ledger.open();
  EXPECT_EQ(inbox.wait_for(7), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7}));   // back in the order of submission
  EXPECT_EQ(inbox.deliveries(), 1);
  const auto rounds = ledger.rounds();
  ASSERT_EQ(rounds.size(), 2u);
  std::map<std::vector<EventNumber>, std::vector<std::uint64_t>> batches;
  for (const auto& call : rounds[1]) batches[{call.events.begin(), call.events.end()}] = call.submissions;
  EXPECT_EQ(rounds[1].size(), 3u);
  EXPECT_EQ((batches[{1}]), (std::vector<std::uint64_t>{1, 3, 7}));
  EXPECT_EQ((batches[{2}]), (std::vector<std::uint64_t>{2, 5}));
  EXPECT_EQ((batches[{1, 2}]), (std::vector<std::uint64_t>{4, 6}));
}

TEST_F(EngineTest, EachOutboxGetsItsOwnTasksOnceARound) {
  Inbox other;
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  occupy(engine);
  engine.submit(tasks.list({tasks.one(inbox, 1, {1}), tasks.one(other, 2, {1}), tasks.one(inbox, 3, {2}), tasks.one(other, 4, {2})}));
  ledger.open();
  EXPECT_EQ(inbox.wait_for(2), (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(other.wait_for(2), (std::vector<std::uint64_t>{2, 4}));
  EXPECT_EQ(inbox.deliveries(), 1);
  EXPECT_EQ(other.deliveries(), 1);
}

TEST_F(EngineTest, AFullQueueTakesWhatFitsAndReturnsTheRest) {
  Engine engine(ledger, {.queue_max = 2, .sweep = false});
  occupy(engine);
  Task* third = tasks.one(inbox, 3, {1});
  EXPECT_EQ(engine.submit(tasks.list({tasks.one(inbox, 1, {1}), tasks.one(inbox, 2, {1}), third, tasks.one(inbox, 4, {1})})), third);
  Task* fifth = tasks.one(inbox, 5, {1});
  EXPECT_EQ(engine.submit(fifth), fifth);
  ledger.open();
  EXPECT_EQ(inbox.wait_for(2), (std::vector<std::uint64_t>{1, 2}));
  ASSERT_TRUE(eventually([&] { return engine.queued() == 0; }));
  EXPECT_EQ(engine.submit(third), nullptr);   // with the fourth behind it
  EXPECT_EQ(inbox.wait_for(4), (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST_F(EngineTest, AskWaitsForRoomAndForTheVerdict) {
  Engine engine(ledger, {.queue_max = 1, .sweep = false});
  occupy(engine);
  ASSERT_EQ(engine.submit(tasks.one(inbox, 1, {1})), nullptr);
  std::atomic<bool> answered{false};
  std::jthread asker([&] {
    EXPECT_TRUE(engine.ask(submission_of(2)).accepted());
    answered = true;
  });
  EXPECT_FALSE(answered);
  ledger.open();
  EXPECT_TRUE(eventually([&] { return answered.load(); }));
}

TEST_F(EngineTest, StopExecutesTheQueueAndAcceptsNothingMore) {
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  occupy(engine);
  for (std::uint64_t number = 1; number <= 50; ++number) ASSERT_EQ(engine.submit(tasks.one(inbox, number, {1})), nullptr);
  std::jthread stopper([&] { engine.stop(); });
  Task* late = tasks.one(inbox, 1'000, {1});
  ASSERT_TRUE(eventually([&] { return engine.submit(late) == late || (late = tasks.one(inbox, 1'000, {1}), false); }));
  ledger.open();
  stopper.join();
  EXPECT_GE(inbox.wait_for(50).size(), 50u);
  EXPECT_EQ(engine.ask(submission_of(9)).outcomes.front().reason, Reason::unavailable);
  EXPECT_EQ(engine.queued(), 0u);
  engine.stop();
}

TEST_F(EngineTest, AFailureOfTheLedgerIsReportedAndPassedOn) {
  std::atomic<int> broken_rounds{0};
  Engine engine(ledger, {.queue_max = 100, .sweep = false}, [&](const Round& round) { broken_rounds += !round.report.durable; });
  EXPECT_TRUE(engine.ask(submission_of(1)).accepted());
  ledger.fail_from(2);
  EXPECT_EQ(engine.ask(submission_of(2)).outcomes.front().reason, Reason::unavailable);
  ASSERT_EQ(engine.submit(tasks.one(inbox, 3, {1})), nullptr);
  inbox.wait_for(1);
  EXPECT_EQ(inbox.reasons(), std::vector<Reason>{Reason::unavailable});
  EXPECT_TRUE(eventually([&] { return broken_rounds == 2; }));
}

// ---------------------------------------------------------------------------------------------------------------- several lanes

struct LanesTest : testing::Test {
  static constexpr unsigned k_lanes = 4;
  static constexpr std::uint64_t k_warm_up = 1'000'000;

  ~LanesTest() override { ledger.open(); }

  // Keeps every worker busy with one round.
  void occupy_all(Engine& engine) {
    ledger.close();
    for (unsigned lane = 0; lane < k_lanes; ++lane) ASSERT_EQ(engine.submit(tasks.one(warm_up, k_warm_up, {lane})), nullptr);
    ASSERT_TRUE(ledger.wait_for_executions(k_lanes));
  }
  // The ledger's calls for an event, in order.
  std::vector<std::uint64_t> executed_for(EventNumber event) {
    std::vector<std::uint64_t> numbers;
    for (const auto& round : ledger.rounds()) {
      for (const auto& call : round) {
        if (call.events.front() != event) continue;
        std::ranges::copy_if(call.submissions, std::back_inserter(numbers), [](std::uint64_t number) { return number != k_warm_up; });
      }
    }
    return numbers;
  }

  FakeLedger ledger{k_lanes};
  Inbox warm_up;
  Inbox inbox;
  Tasks tasks;
};

TEST_F(LanesTest, AreExecutedAtTheSameTime) {
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  occupy_all(engine);   // none of these rounds ends before all have begun
  EXPECT_EQ(ledger.executions(), k_lanes);
  ledger.open();
  EXPECT_EQ(warm_up.wait_for(k_lanes).size(), k_lanes);
}

TEST_F(LanesTest, KeepTheOrderOfEachEventsTasks) {
  constexpr std::uint64_t k_tasks = 5'000;
  constexpr EventNumber k_events = 11;
  Engine engine(ledger, {.queue_max = 2 * k_tasks, .sweep = false});
  std::map<EventNumber, std::vector<std::uint64_t>> submitted;
  for (std::uint64_t number = 1; number <= k_tasks;) {
    // Lists of several events, whose neighbours are of the same lane or of others.
    Task* first = nullptr;
    Task* last = nullptr;
    for (std::uint64_t i = 0; i < 7 && number <= k_tasks; ++i, ++number) {
      const auto event = static_cast<EventNumber>(1 + number * number / 3 % k_events);
      submitted[event].push_back(number);
      Task* task = tasks.one(inbox, number, {event});
      (first == nullptr ? first : last->next) = task;
      last = task;
    }
    ASSERT_EQ(engine.submit(first), nullptr);
  }
  ASSERT_EQ(inbox.wait_for(k_tasks).size(), k_tasks);
  for (const auto& [event, numbers] : submitted) EXPECT_EQ(executed_for(event), numbers) << "event " << event;
}

TEST_F(LanesTest, ShareOneQueueThatReturnsInOrderWhatDoesNotFit) {
  Engine engine(ledger, {.queue_max = k_lanes, .sweep = false});
  occupy_all(engine);
  Task* fifth = tasks.one(inbox, 5, {1});
  Task* left = engine.submit(tasks.list({tasks.one(inbox, 1, {1}), tasks.one(inbox, 2, {2}), tasks.one(inbox, 3, {1}),
                                         tasks.one(inbox, 4, {3}), fifth, tasks.one(inbox, 6, {2}), tasks.one(inbox, 7, {1})}));
  EXPECT_EQ(engine.queued(), k_lanes);
  ASSERT_EQ(left, fifth);
  std::vector<std::uint64_t> given_back;
  for (const Task* task = left; task != nullptr; task = task->next) {
    given_back.push_back(FakeLedger::number_of(task->entry.submission.parts.front().command));
  }
  EXPECT_EQ(given_back, (std::vector<std::uint64_t>{5, 6, 7}));
  ledger.open();
  ASSERT_TRUE(eventually([&] { return engine.queued() == 0; }));
  EXPECT_EQ(engine.submit(left), nullptr);
  inbox.wait_for(7);
  EXPECT_EQ(executed_for(1), (std::vector<std::uint64_t>{1, 3, 5, 7}));
}

TEST_F(LanesTest, NeverQueueMoreThanTheLimitHoweverManyThreadsSubmit) {
  constexpr std::size_t k_queue = 20'000;
  Engine engine(ledger, {.sweep = false});
  occupy_all(engine);
  std::vector<Tasks> of_thread(k_lanes);
  {
    std::vector<std::jthread> threads;
    for (unsigned lane = 0; lane < k_lanes; ++lane) {
      threads.emplace_back([&, lane] {
        for (std::uint64_t number = 1; engine.submit(of_thread[lane].one(inbox, number, {lane})) == nullptr;) ++number;
      });
    }
  }
  EXPECT_EQ(engine.queued(), k_queue);
  ledger.open();
  engine.stop();
  EXPECT_EQ(inbox.wait_for(k_queue).size(), k_queue);
}

TEST_F(LanesTest, StopExecutesTheQueuesOfAllLanes) {
  Engine engine(ledger, {.queue_max = 1'000, .sweep = false});
  occupy_all(engine);
  for (std::uint64_t number = 1; number <= 200; ++number) {
    ASSERT_EQ(engine.submit(tasks.one(inbox, number, {static_cast<EventNumber>(number % 9)})), nullptr);
  }
  std::jthread opener([&] { ledger.open(); });
  engine.stop();
  EXPECT_EQ(inbox.wait_for(200).size(), 200u);
  EXPECT_EQ(engine.queued(), 0u);
  for (EventNumber event = 0; event < 9; ++event) EXPECT_TRUE(std::ranges::is_sorted(executed_for(event)));
  Task* late = tasks.one(inbox, 1'000, {2});
  EXPECT_EQ(engine.submit(late), late);
}

// ---------------------------------------------------------------------------------------------------------------- expiry

TEST_F(EngineTest, WithNothingToExpireItSleeps) {
  Engine engine(ledger, {.queue_max = 100, .sweep = true});
  EXPECT_TRUE(engine.ask(submission_of(1)).accepted());
  const std::size_t executions = ledger.executions();
  const std::size_t asked = ledger.asked_for_sweeps();
  std::this_thread::sleep_for(milliseconds(200));   // the expectation is that nothing happens
  EXPECT_EQ(ledger.executions(), executions);
  EXPECT_LE(ledger.asked_for_sweeps(), asked + 1);
}

TEST_F(EngineTest, WakesForAnExpiryWhenItIsDueAndNotBefore) {
  const auto due = Clock::now() + milliseconds(150);
  ledger.set_due(due);
  Engine engine(ledger, {.queue_max = 100, .sweep = true});
  ASSERT_TRUE(ledger.wait_for_executions(1));
  const auto woke = Clock::now();
  EXPECT_GE(woke, due);
  EXPECT_LT(woke - due, milliseconds(100) * k_slowness);
  EXPECT_LE(ledger.asked_for_sweeps(), 6u);   // it slept in between
  const auto rounds = ledger.rounds();
  ASSERT_EQ(rounds.at(0).size(), 1u);
  EXPECT_EQ(rounds[0][0].events, UsuallyOne<EventNumber>{3});
  EXPECT_EQ(rounds[0][0].kinds, std::vector<std::string>{"sweep"});
  EXPECT_TRUE(engine.ask(submission_of(1)).accepted());
  EXPECT_EQ(ledger.executions(), 2u);
}

TEST_F(EngineTest, WithSweepOffExpiriesAreLeftAlone) {
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  ledger.set_due(Clock::now());
  EXPECT_TRUE(engine.ask(submission_of(1)).accepted());
  std::this_thread::sleep_for(milliseconds(50));   // the expectation is that nothing happens
  EXPECT_EQ(ledger.executions(), 1u);
  EXPECT_EQ(ledger.asked_for_sweeps(), 0u);
}

// ---------------------------------------------------------------------------------------------------------------- events

NewEvent new_event(std::size_t seats) {
  PlanBuilder builder(Uuid{}, {{.name = "Stalls"}});
  for (std::size_t seat = 0; seat < seats; ++seat) {
    const std::string number = std::to_string(seat);
    EXPECT_TRUE(builder.add({.section = "A", .row = "1", .number = number}));
  }
  return {.card = {}, .settings = {}, .plan = builder.finish().value()};
}

TEST_F(EngineTest, CreatesAnEventInStepsAndServesOthersInBetween) {
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  std::vector<std::size_t> progress;
  const auto number = engine.create_event(new_event(4'500), [&](std::size_t seats) { progress.push_back(seats); });
  EXPECT_EQ(number, 7u);
  EXPECT_EQ(progress, (std::vector<std::size_t>{2'000, 4'000, 4'500}));
  EXPECT_EQ(ledger.appended(), (std::vector<std::size_t>{2'000, 2'000, 500}));
  std::vector<std::string> kinds;
  for (const auto& round : ledger.rounds()) kinds.push_back(round.at(0).kinds.at(0));
  EXPECT_EQ(kinds, (std::vector<std::string>{"create", "append", "append", "append", "configure"}));
  EXPECT_TRUE(ledger.abandoned().empty());
}

TEST_F(EngineTest, AnEventWhoseCreationFailsIsAbandoned) {
  for (const std::size_t failing : {1u, 2u, 4u, 5u}) {
    FakeLedger broken;
    broken.fail_from(failing);
    Engine engine(broken, {.queue_max = 100, .sweep = false});
    const auto number = engine.create_event(new_event(4'500));
    ASSERT_FALSE(number);
    EXPECT_EQ(number.error().kind, CreationProblem::Kind::unavailable);
    EXPECT_EQ(broken.abandoned(), std::vector<EventNumber>{7});
    // An event that was never created cannot be abandoned: the abandonment would be its first change instead of the creation.
    const auto rounds = broken.rounds();
    EXPECT_EQ(rounds.back()[0].kinds[0], failing == 1 ? "create" : "configure");
  }
}

TEST_F(EngineTest, AnImportWaitsWhileRoomIsBeingMadeButNotForADiskThatIsFull) {
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  ledger.refuse_appends(3, true);
  EXPECT_EQ(engine.create_event(new_event(3'000)), 7u);
  EXPECT_EQ(ledger.appended(), (std::vector<std::size_t>{2'000, 2'000, 2'000, 2'000, 1'000}));

  ledger.refuse_appends(1, false);
  const auto full = engine.create_event(new_event(3'000));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, CreationProblem::Kind::no_room);
  EXPECT_EQ(ledger.abandoned(), std::vector<EventNumber>{7});

  Engine impatient(ledger, {.queue_max = 100, .sweep = false, .room_awaited_max = milliseconds(1)});
  ledger.refuse_appends(SIZE_MAX, true);
  const auto never = impatient.create_event(new_event(3'000));
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().kind, CreationProblem::Kind::no_room);
}

TEST_F(EngineTest, BlocksSeatsOfANewEventBeforeItIsOnSale) {
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  std::vector<SeatIndex> taken(1'500);
  std::iota(taken.begin(), taken.end(), 0U);
  ASSERT_TRUE(engine.create_event(new_event(2'000), {}, {}, taken));
  std::vector<std::string> kinds;
  for (const auto& round : ledger.rounds()) kinds.push_back(round.at(0).kinds.at(0));
  EXPECT_EQ(kinds, (std::vector<std::string>{"create", "append", "configure", "block", "block", "configure"}));
}

// The event as readers see it, in this status, all its seats available.
std::shared_ptr<const PublishedEvent> opened(const NewEvent& event, EventStatus status) {
  Inventory inventory(event.card, {.name = "E", .status = status}, 1);
  inventory.restore_seats(event.plan->size());
  return std::make_shared<PublishedEvent>(inventory.replica(), event.plan);
}

TEST_F(EngineTest, AnEventWithUnblockedTakenSeatsStaysADraftAndIsReportedAsOne) {
  const NewEvent event = new_event(3);
  ledger.show(opened(event, EventStatus::draft));
  ledger.fail_from(4);   // create, append, configure, and here block
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  const SeatIndex taken[] = {1};
  const auto number = engine.create_event(event, {}, {}, taken);
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().kind, CreationProblem::Kind::incomplete);
  EXPECT_TRUE(ledger.abandoned().empty()) << "it has opened";
  EXPECT_EQ(ledger.rounds().back()[0].kinds[0], "block") << "nothing puts it on sale";
}

// Another client may change the draft's status while its seats are being blocked.
TEST_F(EngineTest, AnEventOnSaleIsNotAssumedToHaveItsTakenSeatsBlocked) {
  NewEvent event = new_event(3);
  event.settings.status = EventStatus::on_sale;
  ledger.show(opened(event, EventStatus::on_sale));
  ledger.fail_from(4);
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  const SeatIndex taken[] = {1};
  const auto number = engine.create_event(event, {}, {}, taken);
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().kind, CreationProblem::Kind::incomplete);
  EXPECT_THAT(number.error().what, testing::HasSubstr("It is no longer a draft"));
}

TEST_F(EngineTest, AnIncompleteEventIsFinishedByItsKeyAndOnlyWhileItIsADraft) {
  NewEvent event = new_event(2'500);
  std::vector<SeatIndex> taken(1'500);
  std::iota(taken.begin(), taken.end(), 0U);
  const auto kinds_of_finishing = [&](EventStatus status) {
    FakeLedger one;
    one.show(opened(event, status));
    Engine engine(one, {.queue_max = 100, .sweep = false});
    const auto finished = engine.finish_event(7, EventStatus::on_sale, taken, IdempotencyKey{});
    EXPECT_EQ(finished.has_value(), status == EventStatus::draft);
    std::vector<std::string> kinds;
    for (const auto& round : one.rounds()) kinds.push_back(round.at(0).kinds.at(0));
    return kinds;
  };
  EXPECT_EQ(kinds_of_finishing(EventStatus::draft), (std::vector<std::string>{"configure", "block", "block", "configure"}));
  EXPECT_EQ(kinds_of_finishing(EventStatus::on_sale), std::vector<std::string>{"configure"}) << "it asks its key";
}

// Another request may take the key between the question and the creation of the event.
TEST_F(EngineTest, AnEventWithTakenSeatsWhoseKeyIsRefusedAtItsOpeningIsAbandoned) {
  struct Refusal {
    Reason reason;
    Limit limit;
    CreationProblem::Kind kind;
  };
  for (const Refusal& refusal : {Refusal{Reason::idempotency_key_reused, Limit::none, CreationProblem::Kind::key_reused},
                                 Refusal{Reason::limit_exceeded, Limit::idempotency_keys, CreationProblem::Kind::too_many_keys}}) {
    FakeLedger refusing;
    refusing.answer_keys(refusal.reason, refusal.limit, 1);
    Engine engine(refusing, {.queue_max = 100, .sweep = false});
    const SeatIndex taken[] = {1};
    const auto number = engine.create_event(new_event(3), {}, IdempotencyKey{}, taken);
    ASSERT_FALSE(number);
    EXPECT_EQ(number.error().kind, refusal.kind);
    EXPECT_EQ(refusing.abandoned(), std::vector<EventNumber>{7});
  }
}

TEST_F(EngineTest, AKeyUsedWithAnotherRequestCreatesNoEvent) {
  ledger.answer_keys(Reason::idempotency_key_reused);
  Engine engine(ledger, {.queue_max = 100, .sweep = false});
  const auto number = engine.create_event(new_event(3), {}, IdempotencyKey{});
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().kind, CreationProblem::Kind::key_reused);
  EXPECT_EQ(ledger.reserved(), 0u) << "it has no number yet, and uses none up";
  EXPECT_TRUE(ledger.abandoned().empty());
}

TEST_F(EngineTest, ReportsKeysThatDidNotFitAndTheirOwners) {
  ledger.answer_keys(Reason::limit_exceeded, Limit::idempotency_keys);
  std::atomic<std::size_t> of_strangers{0}, of_callers{0};
  Engine engine(ledger, {.queue_max = 100, .sweep = false}, [&](const Round& round) {
    of_strangers += round.keys_refused_strangers;
    of_callers += round.keys_refused_callers;
  });
  for (const bool is_stranger : {true, true, false}) {
    Submission submission = submission_of(1);
    submission.key = IdempotencyKey{.key = {}, .request = {}, .owner = {.caller = 1, .is_stranger = is_stranger}};
    EXPECT_FALSE(engine.ask(std::move(submission)).accepted());
  }
  engine.stop();
  EXPECT_EQ(of_strangers, 2u);
  EXPECT_EQ(of_callers, 1u);
}

// ---------------------------------------------------------------------------------------------------------------- many threads

TEST_F(EngineTest, ManyThreadsGetEachOfTheirVerdictsOnceAndInTheirOrder) {
  constexpr std::size_t k_threads = 4;
  constexpr std::uint64_t k_each = k_is_sanitized ? 5'000 : 50'000;
  Engine engine(ledger, {.queue_max = 300, .sweep = true});
  std::vector<Inbox> inboxes(k_threads);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < k_threads; ++i) {
      threads.emplace_back([&, i] {
        Tasks mine;
        for (std::uint64_t number = 1; number <= k_each; ++number) {
          Task* task = mine.one(inboxes[i], number, {static_cast<EventNumber>(1 + number % 3)});
          while (engine.submit(task) != nullptr) std::this_thread::yield();
        }
        inboxes[i].wait_for(k_each);   // until then the tasks belong to the engine
      });
    }
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) EXPECT_TRUE(engine.ask(submission_of(5)).accepted());
    });
  }
  engine.stop();
  for (Inbox& each : inboxes) {
    const auto numbers = each.wait_for(k_each);
    ASSERT_EQ(numbers.size(), k_each);
    // In order by event: every third number.
    std::uint64_t last[3] = {};
    for (const std::uint64_t number : numbers) {
      EXPECT_LT(last[number % 3], number);
      last[number % 3] = number;
    }
  }
}

}  // namespace
}  // namespace holdfast::test
