#include "simulation/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "core/hash.h"
#include "core/last_words.h"
#include "ledger/embedded/pieces.h"
#include "ledger/embedded/verify.h"
#include "ledger/ledger_in_test.h"
#include "simulation/book.h"
#include "simulation/checks.h"
#include "simulation/disk.h"
#include "simulation/failure.h"
#include "simulation/follower.h"
#include "simulation/node.h"
#include "simulation/workload.h"

namespace holdfast::simulation {
namespace {

constexpr std::size_t k_events_max = 4;
constexpr std::uint64_t k_commands_per_round = 10;
constexpr int k_empty_rounds = 600;   // enough for the ledger to forget reservations that ended
constexpr std::size_t k_sweep_limit = 1'000;
constexpr std::size_t k_events_swept = 16;
constexpr Millis k_more_than_a_day = 25 * test::k_hour;

// Where the process is, for its last words.
struct {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
} g_at;

// An event whose import is under way.
struct Import {
  House house;
  EventSettings settings;
  EventNumber number = 0;
  bool is_created = false;
  std::size_t appended = 0;
};

class Run {
 public:
  explicit Run(const Settings& settings);
  Report go();

 private:
  enum class Kind { request, import_step, opening, sweep };
  struct Asked {
    Kind kind;
    std::string name;
    Entry* entry;

    bool is_refused(Reason reason) const {
      const auto& outcomes = entry->verdict.outcomes;
      return !outcomes.empty() && outcomes.front().reason == reason;
    }
    bool finds_no_room() const { return is_refused(Reason::no_room); }
  };

  void step();
  void say(const std::string& what);
  void pass_time();
  void plan_trouble();

  void round();
  void begin_import();
  void add_import_step(test::Round& round, std::vector<Asked>& asked);
  void add_sweeps(test::Round& round, std::vector<Asked>& asked);
  void execute(test::Round& round, const std::vector<Asked>& asked);
  std::vector<std::string> expect_answers(const std::vector<Asked>& asked, Book& book, Millis now, bool skips_unreadable) const;
  void check_room(const std::vector<Asked>& asked);
  void undo_import_step(const Command& step);
  void take_answers(const std::vector<Asked>& asked, const std::vector<std::string>& expected, Millis now);
  void note_made(const Verdict& verdict);
  void abandon_import();
  void forget();
  void pass_a_day();
  void rename_event();
  void crash_while_rows_go();

  void follow_tables(std::uint64_t turns);
  void follow_changes();
  void settle();

  void stop();
  void recover();
  Book& check_start();
  void check_damaged_start();
  void decide_what_happened();

  const Settings settings_;
  Choices choices_;
  Node node_;
  Workload workload_;
  Follower follower_;
  Book book_;      // now
  Book durable_;   // as of the last round that was answered and has changes
  std::optional<Book> in_flight_;   // with a round that was not answered
  std::optional<Import> import_;
  bool room_may_lack_ = false;
  std::vector<std::uint64_t> free_houses_;
  std::uint64_t houses_ = 0;
  std::uint64_t crash_every_;   // steps, on average
  std::uint64_t fault_every_;
  std::uint64_t names_ = 0;
  Report report_;
};

NodeOptions draw_options(Choices& choices, bool only_segments) {
  static constexpr std::size_t k_ended[] = {2, 3, 10, 200'000};
  static constexpr std::size_t k_keys[] = {6, 60, 2'000'000, 2'000'000};
  static constexpr std::int64_t k_retention_days[] = {0, 0, 1};
  static constexpr Millis k_slowness[] = {0, 0, 5, 3'000};
  // Small, and large enough for each round in one piece: what a crash leaves of a round is all of it or nothing.
  static constexpr std::uint64_t k_segment_bytes[] = {256 * 1024, 256 * 1024, 512 * 1024};
  return {.ended_in_memory_max = choices.of(k_ended),
          .keys_max = choices.of(k_keys),
          .retention_days = choices.of(k_retention_days),
          .slowness = choices.of(k_slowness),
          .has_segments = choices.one_in(2) || only_segments,
          .segment_bytes = choices.of(k_segment_bytes),
          .passes_cache = choices.one_in(2)};
}

Run::Run(const Settings& settings)
    : settings_(settings),
      choices_(settings.seed),
      node_(
          settings.seed, draw_options(choices_, settings.only_segments), [this] { return follower_.passed(); },
          [this](const std::string& what) { say(what); }),
      workload_(choices_),
      book_(node_.options().keys_max),
      durable_(book_),
      crash_every_(5 + choices_.below(60)),
      fault_every_(10 + choices_.below(100)) {
  report_.seed = settings.seed;
}

void Run::say(const std::string& what) {
  if (settings_.is_told) fmt::print(stderr, "{:5} {}\n", report_.step, what);
}

Report Run::go() {
  try {
    node_.open(choices_);
    while (book_.events().empty()) round();
    for (report_.step = 1; report_.step <= settings_.steps; ++report_.step) step();
    node_.disk().heal();
    settle();
    stop();
    settle();
  } catch (const Failure& failure) {
    report_.failure = failure.what();
  }
  report_.faults = node_.disk().faults();
  report_.lives = node_.lives();
  report_.changes = follower_.count();
  return report_;
}

void Run::step() {
  g_at.step = report_.step;
  pass_time();
  plan_trouble();
  const std::uint64_t what = choices_.below(64);
  if (what < 40) round();
  else if (what < 50) follow_tables(1 + choices_.below(4));
  else if (what < 57) follow_changes();
  else if (what < 60) forget();
  else if (what == 60) settle();
  else if (what == 61) stop();
  else if (what == 62 && choices_.one_in(3)) pass_a_day();
  else if (what == 63 && import_) abandon_import();
  if (!node_.lives_on()) recover();
}

// Mostly a little, so that many requests meet holds shortly before and after their end.
void Run::pass_time() {
  static constexpr Millis k_steps[] = {0, 0, 1, 7, 50, 1'000, 1'000, 15'000, 60'000, 600'000};
  node_.clock().pass(choices_.of(k_steps));
  if (choices_.one_in(50)) {
    const Millis ahead = choices_.one_in(2) ? 600'000 : -600'000;
    if (std::abs(node_.clock().stepped() + ahead) < test::k_hour) node_.clock().step_wall(ahead);
  }
  if (node_.lives_on()) node_.ledger().compare_clocks();
}

void Run::plan_trouble() {
  Disk& disk = node_.disk();
  if (disk.has_failed() && choices_.one_in(10)) disk.heal();
  if (choices_.one_in(crash_every_)) {
    const Disk::End end = choices_.one_in(2) ? Disk::End::kill : Disk::End::power;
    disk.plan_crash(choices_.below(30), end);
  } else if (settings_.has_faults && choices_.one_in(fault_every_)) {
    static constexpr Disk::Fault k_faults[] = {Disk::Fault::write_error, Disk::Fault::torn_write, Disk::Fault::full,
                                               Disk::Fault::sync_error};
    disk.plan_fault(choices_.of(k_faults), choices_.below(30), choices_.one_in(2) ? 1 : 1'000);
  }
}

// ---------------------------------------------------------------------------------------------------------------- rounds

void Run::round() {
  test::Round round;
  std::vector<Asked> asked;
  if (!book_.events().empty()) {
    for (std::uint64_t left = 1 + choices_.below(k_commands_per_round); left > 0; --left) {
      const Request& request = workload_.draw(book_);
      asked.push_back({Kind::request, request.name, &round.add(request.submission)});
    }
  }
  if (!import_ && book_.events().size() < k_events_max && (book_.events().empty() || choices_.one_in(20))) begin_import();
  if (import_) add_import_step(round, asked);
  if (!choices_.one_in(5)) add_sweeps(round, asked);
  execute(round, asked);
}

void Run::begin_import() {
  std::uint64_t number = houses_ + 1;
  if (!free_houses_.empty()) {   // the ids of an import that was given up are free
    number = free_houses_.back();
    free_houses_.pop_back();
  } else {
    ++houses_;
  }
  Import begun{.house = workload_.draw_house(number), .settings = workload_.draw_settings(number)};
  const auto reserved = node_.ledger().reserve_event({.card = {.number = 0, .id = begun.house.id, .venue = "Royal", .currency = "EUR"},
                                                      .settings = begun.settings,
                                                      .plan = begun.house.plan});
  expect(reserved.has_value(), "an event cannot be reserved: " + (reserved ? std::string() : reserved.error().what));
  begun.number = *reserved;
  begun.settings.status = EventStatus::on_sale;
  import_ = std::move(begun);
}

void Run::add_import_step(test::Round& round, std::vector<Asked>& asked) {
  Import& import = *import_;
  std::string bytes;
  Writer writer(bytes);
  if (!import.is_created) {
    import.house.plan->encode_header(writer);
    asked.push_back({Kind::import_step, "create", &round.add(import.number, Create{.plan_header = round.keep_text(bytes)})});
    import.is_created = true;
    return;
  }
  if (const std::size_t left = import.house.plan->size() - import.appended; left > 0) {
    const std::size_t count = std::min<std::size_t>(left, 1 + choices_.below(8));
    import.house.plan->encode_seats(static_cast<SeatIndex>(import.appended), count, writer);
    asked.push_back(
        {Kind::import_step, "append", &round.add(import.number, AppendSeats{.encoded = round.keep_text(bytes), .count = count})});
    import.appended += count;
    return;
  }
  asked.push_back({Kind::opening, "open", &round.add(import.number, Configure{.status = EventStatus::on_sale})});
}

// As the engine's worker does: expiries that are due are recorded in the next round, whoever asks.
void Run::add_sweeps(test::Round& round, std::vector<Asked>& asked) {
  for (const EventNumber event : node_.ledger().events_to_sweep(k_events_swept, {})) {
    asked.push_back({Kind::sweep, "sweep", &round.add(event, Sweep{k_sweep_limit})});
  }
}

// What each request should be told. One that finds no room has no effect. `skips_unreadable`: the disk fails, so a request about a reservation that only the tables have may have been
// refused, and then has no effect.
std::vector<std::string> Run::expect_answers(const std::vector<Asked>& asked, Book& book, Millis now, bool skips_unreadable) const {
  std::vector<std::string> expected;
  for (const Asked& one : asked) {
    std::string answer = "accepted";
    if ((skips_unreadable && one.is_refused(Reason::reservation_unreadable)) || one.finds_no_room()) {
      answer = test::told(one.entry->verdict);
    } else if (one.kind == Kind::request) {
      answer = test::told(book.takes(one.entry->submission, now));
    } else if (one.kind == Kind::opening) {
      Model opened(import_->house.plan->size(), import_->settings, import_->house.book);
      opened.does(Sweep{}, now);
      book.open(import_->number, std::move(opened));
    }
    expected.push_back(std::move(answer));
  }
  book.pass(now);
  return expected;
}

void Run::execute(test::Round& round, const std::vector<Asked>& asked) {
  const Millis now = node_.ledger().now();
  Book after = book_;
  std::vector<std::string> expected = expect_answers(asked, after, now, false);
  in_flight_ = after;
  // A round with much in it is judged in pieces, each at its own time, and the book knows one time. So slow calls take theirs afterwards.
  node_.clock().hold();
  const ExecutionReport done = round.run(node_.ledger());
  node_.clock().go_on();
  ++report_.rounds;
  if (node_.disk().has_crashed()) return;   // nobody was answered
  if (!done.durable) {
    expect(node_.disk().has_failed(), "the ledger does not sell, and the disk has not failed: " + node_.ledger().trouble());
    return;
  }
  check_room(asked);
  if (node_.disk().has_failed() || std::ranges::any_of(asked, &Asked::finds_no_room)) {
    after = book_;
    expected = expect_answers(asked, after, now, node_.disk().has_failed());
  }
  take_answers(asked, expected, now);
  const bool is_recorded = done.changes > 0;
  book_ = std::move(after);
  if (is_recorded) {
    durable_ = book_;
    node_.note_recorded();
  }
  in_flight_.reset();
  check_readers(node_.ledger(), book_, now, node_.ledger().until_next_expiry({}) != std::chrono::milliseconds::zero());
}

// New work is refused for want of room only after a call for a new segment has failed, until some of it has been taken again.
void Run::check_room(const std::vector<Asked>& asked) {
  room_may_lack_ = room_may_lack_ || node_.disk().has_failed();
  for (const Asked& one : asked) {
    expect(room_may_lack_ || !one.finds_no_room(), one.name + " is told no_room, and the disk has not failed");
  }
  const auto has_grown = [](const Asked& one) { return is_growing(one.entry->submission) && one.entry->verdict.accepted(); };
  if (!node_.disk().has_failed() && std::ranges::any_of(asked, has_grown)) room_may_lack_ = false;
}

void Run::take_answers(const std::vector<Asked>& asked, const std::vector<std::string>& expected, Millis now) {
  bool opened = false;
  report_.digest = hash_bytes(std::to_string(now), report_.digest);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const std::string answer = test::told(asked[i].entry->verdict);
    say(fmt::format("{} of event {}: {}", asked[i].name, asked[i].entry->submission.parts.front().event, answer));
    report_.digest = hash_bytes(answer, report_.digest);
    expect(answer == expected[i], fmt::format("{} is told    {}\nand should be {}", asked[i].name, answer, expected[i]));
    ++report_.commands;
    const Outcome& first = asked[i].entry->verdict.outcomes.front();
    ++report_.met[asked[i].name + " " + (asked[i].entry->verdict.replayed ? "replayed" : holdfast::name_of(first.reason))];
    opened = opened || (asked[i].kind == Kind::opening && !asked[i].finds_no_room());
    if (asked[i].kind == Kind::import_step && asked[i].finds_no_room()) undo_import_step(asked[i].entry->submission.parts.front().command);
    note_made(asked[i].entry->verdict);
  }
  if (opened) import_.reset();
}

// It is tried again in another round.
void Run::undo_import_step(const Command& step) {
  if (std::holds_alternative<Create>(step)) import_->is_created = false;
  if (const auto* seats = std::get_if<AppendSeats>(&step)) import_->appended -= seats->count;
}

void Run::note_made(const Verdict& verdict) {
  for (const Outcome& outcome : verdict.outcomes) {
    const auto& made = outcome.reservation;
    if (!made || verdict.replayed || made->status != ReservationStatus::active) continue;
    if (const auto event = event_of_reservation(made->id)) workload_.note_made(*event, made->id);
  }
}

// The client gives up. The ids of the event and its seats are free.
void Run::abandon_import() {
  const EventNumber number = import_->number;
  test::Round round;
  std::vector<Asked> asked;
  if (import_->is_created) {
    asked.push_back({Kind::import_step, "abandon", &round.add(number, Configure{.status = EventStatus::abandoned})});
    execute(round, asked);
    if (!node_.lives_on() || asked.front().finds_no_room()) return;
  }
  node_.ledger().abandon_event(number);
  free_houses_.push_back(import_->house.number);
  import_.reset();
}

// Rounds without requests, after which the ledger forgets reservations that ended.
void Run::forget() {
  for (int i = 0; i < k_empty_rounds && node_.lives_on(); ++i) node_.ledger().execute({});
}

// Keys end after a day, and old journal rows may go. A start after such a gap in what is recorded would doubt its clock, and keep keys
// longer: so something is recorded at once.
void Run::pass_a_day() {
  node_.disk().heal();
  if (book_.events().empty()) return;
  say("a day passes");
  node_.clock().pass(k_more_than_a_day);
  rename_event();
  if (node_.lives_on() && choices_.one_in(2)) crash_while_rows_go();
}

// A round with a change, whatever clients want.
void Run::rename_event() {
  test::Round round;
  Configure rename{.name = "name " + std::to_string(++names_)};
  const std::vector<Asked> asked{{Kind::request, "rename", &round.add(book_.events().begin()->first, rename)}};
  execute(round, asked);
}

// The rows of yesterday have been read and may go: a crash comes about when they do. Segments go once a round has said so.
void Run::crash_while_rows_go() {
  while (follower_.read(node_.ledger(), 100, ReadFrom::anywhere, false)) {}
  node_.disk().plan_crash(choices_.below(50), choices_.one_in(2) ? Disk::End::kill : Disk::End::power);
  for (int i = 0; i < 8 && node_.lives_on(); ++i) {
    node_.ledger().step_tables();
    if (i % 2 == 1 && node_.lives_on()) rename_event();
  }
}

// ---------------------------------------------------------------------------------------------------------------- copies

void Run::follow_tables(std::uint64_t turns) {
  Disk& disk = node_.disk();
  const bool fails = settings_.has_faults && choices_.one_in(20);
  if (fails) disk.plan_fault(Disk::Fault::read_error, choices_.below(20), 1);
  while (turns-- > 0 && node_.ledger().step_tables()) {}
  if (disk.has_crashed()) return;
  if (fails) disk.heal();
}

void Run::follow_changes() {
  const std::size_t limit = 1 + choices_.below(30);
  const ReadFrom from = choices_.one_in(3) ? ReadFrom::memory : ReadFrom::anywhere;
  follower_.read(node_.ledger(), limit, from, node_.disk().has_failed());
  if (book_.events().empty()) return;
  auto event = book_.events().begin();
  std::advance(event, static_cast<std::ptrdiff_t>(choices_.below(book_.events().size())));
  const Seq after = choices_.below(follower_.last_of(event->first) + 1);
  follower_.compare_pages(node_.ledger(), event->first, after, node_.options().retention_days > 0, node_.disk().has_failed());
}

// Everything comes to rest without faults, and all copies agree.
void Run::settle() {
  node_.disk().heal();
  test::Round round;
  std::vector<Asked> asked;
  add_sweeps(round, asked);
  execute(round, asked);
  if (!node_.lives_on()) return;
  while (node_.ledger().step_tables()) {}
  while (node_.ledger().step_tables()) {}   // after a failure the first turn may have said that it failed
  while (follower_.read(node_.ledger(), 100, ReadFrom::anywhere, false)) {}
  follower_.compare(node_.ledger());
  check_tables(node_.ledger(), book_);
  for (const auto& [number, model] : book_.events()) {
    follower_.compare_history(node_.ledger(), number, static_cast<SeatIndex>(choices_.below(model.seats().size())));
  }
  const VerifyReport report = verify_folder(node_.disk().folder());
  expect(report.problem.empty(), "verify: " + report.problem);
}

// ---------------------------------------------------------------------------------------------------------------- ends and starts

void Run::stop() {
  say("stop");
  node_.stop();
  recover();
}

void Run::recover() {
  node_.open(choices_, settings_.has_faults, [this] { check_damaged_start(); });
  room_may_lack_ = settings_.has_faults;
  decide_what_happened();
  follower_.check_nothing_lost(node_.ledger());
}

// What the node shows, as of now: what was answered, or that with the one round that was not. Throws Failure if it is neither.
Book& Run::check_start() {
  const Millis now = node_.ledger().now();
  const auto difference = [&](Book book) {
    book.pass(now);
    return difference_from(node_.ledger(), book, now);
  };
  const std::string from_answers = difference(durable_);
  if (from_answers.empty()) return durable_;
  expect(in_flight_.has_value(), "after a start, what was answered is not there: " + from_answers);
  const std::string from_all = difference(*in_flight_);
  expect(from_all.empty(),
         "after a start, there is neither what was answered (" + from_answers + ") nor that with the round under way (" + from_all + ")");
  return *in_flight_;
}

// A start over damaged files shows nothing false. Rows in the middle of old segments are read by nobody at a start: here they are, and may be
// refused.
void Run::check_damaged_start() {
  constexpr Seq k_page = 50;
  check_start();
  for (const EventNumber event : node_.ledger().events()) {
    for (Seq after = 0; after < follower_.last_of(event); after += k_page)
      follower_.compare_pages(node_.ledger(), event, after, true, true);
  }
}

// Every answer is kept, and the one round without an answer happened as a whole or not at all.
void Run::decide_what_happened() {
  const Book& shown = check_start();
  const bool has_happened = &shown != &durable_;
  if (has_happened) durable_ = shown;
  book_ = durable_;
  book_.pass(node_.ledger().now());
  say(has_happened ? "started, with the round that had no answer" : "started");
  report_.digest = hash_bytes(has_happened ? "after" : "before", report_.digest);
  in_flight_.reset();
  if (import_ && !book_.has(import_->number)) free_houses_.push_back(import_->house.number);
  import_.reset();
}

}   // namespace

void Report::add(const Report& other) {
  commands += other.commands;
  rounds += other.rounds;
  lives += other.lives;
  changes += other.changes;
  for (const auto& [name, count] : other.faults) faults[name] += count;
  for (const auto& [name, count] : other.met) met[name] += count;
}

Report run(const Settings& settings) {
  set_last_words([]() noexcept {   // a check in the program may end the process
    std::fprintf(stderr, "FAILED: seed %llu, step %llu\n", static_cast<unsigned long long>(g_at.seed),
                 static_cast<unsigned long long>(g_at.step));
  });
  g_at.seed = settings.seed;
  g_at.step = 0;
  return Run(settings).go();
}

}   // namespace holdfast::simulation
