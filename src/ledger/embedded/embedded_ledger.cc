#include "ledger/embedded/embedded_ledger.h"

#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "core/check.h"
#include "ledger/embedded/conversion.h"
#include "ledger/embedded/event_loader.h"
#include "ledger/embedded/whole_file.h"

namespace holdfast {
namespace {

using Timer = std::chrono::steady_clock;

constexpr std::size_t k_taken_ids_named_max = 100;
constexpr std::uint64_t k_executions_between_forgetting = 512;

constexpr std::size_t k_expiries_per_sweep = 1'000;   // as the engine's sweeps
constexpr std::size_t k_seats_per_sweep = 10'000;
constexpr std::chrono::milliseconds k_room_asked_every{1};
constexpr Millis k_refused_sweep_rests = 1'000;

std::string cannot_be_read(const Uuid& reservation, const std::string& state, const std::exception& error) {
  const auto* damage = dynamic_cast<const TableDamage*>(&error);
  const std::string why = damage != nullptr ? damage->found() : error.what();
  return "reservation " + to_string(reservation) + ", which ended long ago, cannot be read from " + state + " (" + why +
         "). Nothing was changed, and commands about other reservations go on. Look at the disk; then stop the server and make the "
         "tables again with `holdfast rebuild`, or put back both files from a backup (holdfast restore)";
}

[[noreturn]] void damaged(const std::string& file, const std::string& what) {
  throw DataError(file + " is damaged: " + what + ". Nothing was changed. Put back both files from a backup (holdfast restore).");
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- start

EmbeddedLedger::EmbeddedLedger(EmbeddedOptions options)
    : options_(std::move(options)),
      folder_(options_.data),
      hash_seed_(draw_hash_seed()),
      journal_(options_.around_journal ? options_.around_journal(open_files()) : open_files()),
      archive_(std::make_unique<StateStore>(folder_.state(), StateStore::Mode::write)),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock_, last_recorded_time(journal_->rows(), *archive_)),
      doubt_(last_recorded_time(journal_->rows(), *archive_), clock_.now(), journal_->rows().doubtful_start()),
      directory_(hash_seed_),
      keys_(options_.idempotency_keys_max),
      judging_(options_.judging),
      row_ages_(options_.state_lag_max) {
  last_now_ = clock_.now();
  published_.resize(1);
  events_.push_back(std::make_unique<Event>());   // number 0 is no event, but callers may ask for it
  keys_.keep_longer(time_may_be_ahead());
  load();
  journal_->settle(doubt_.is_fresh(last_now_) ? std::optional(doubt_.start()) : std::nullopt);
  const Position removed_through = journal_->rows().anchor().position;
  if (removed_through > archive_->index_emptied_through()) archive_->forget_rows_through(removed_through);
  if (const std::string doubt = clock_doubt(); !doubt.empty()) spdlog::warn("{}", doubt);
  StoppedEvents stopped = archive_->stopped();
  archive_ = std::make_unique<StateStore>(folder_.state(), StateStore::Mode::read);
  readers_archive_ = std::make_unique<StateStore>(folder_.state(), StateStore::Mode::read);
  damaged_rows_ = std::make_shared<DamagedRows>(journal_->rows().path());
  journal_reader_ = new_reader();
  tables_ = std::make_unique<StateStore>(folder_.state(), StateStore::Mode::read);
  recent_.begin_after(journal_->head().position);
  malloc_trim(0);   // return to the system what loading took: page caches, parts of plans
  checkpointer_ = std::make_unique<Checkpointer>(Checkpointer::Options{.journal = journal_.get(),
                                                                       .state = folder_.state(),
                                                                       .retention_days = options_.journal_retention_days,
                                                                       .removable_through = options_.journal_removable_through,
                                                                       .time_may_be_ahead = [this] { return time_may_be_ahead(); },
                                                                       .keeps_old_rows = [this] { return doubt_.is_fresh(now()); },
                                                                       .stopped = std::move(stopped),
                                                                       .has_thread = options_.has_tables_thread},
                                                 [this] { return std::min(now(), wall_time()); });
  checkpointer_->notify(journal_->head().position);
  row_ages_.wrote(journal_->head().position, Timer::now());   // rows that the tables lack from before the start count from now
  abandon_unfinished_imports();
}

// Closes the connections that write last: one that only reads cannot move a log into its file.
EmbeddedLedger::~EmbeddedLedger() {
  archive_.reset();
  readers_archive_.reset();
  journal_reader_.reset();
  tables_.reset();
  checkpointer_->stop();   // may still find damage
  journal_->stop(is_broken_);
  if (const std::string damage = journal_->damage(); !damage.empty()) stop_selling(damage);
}

// Opens the journal, and creates the files of a new folder. If one of a pair is missing, this does not guess: it refuses.
std::unique_ptr<JournalWriter> EmbeddedLedger::open_files() {
  options_.journal.has_thread = options_.has_tables_thread;
  convert_if_wanted(folder_, options_.journal);
  const bool has_journal = find_journal(folder_.path(), options_.journal).has_value();
  const bool has_state = std::filesystem::exists(folder_.state());
  if (has_state && !has_journal) {
    const std::string missing = path_of_journal(folder_.path(), format_for_new(folder_.path(), options_.journal));
    throw DataError(missing + " is missing, and " + folder_.state() + " has tables made from it. Nothing was changed. Put " +
                    std::filesystem::path(missing).filename().string() + " back, or both files from a backup (holdfast restore).");
  }
  std::unique_ptr<JournalWriter> journal = open_journal(folder_, options_.journal);
  if (has_state) return journal;
  if (journal->head() != JournalHead{}) {
    throw DataError(folder_.state() +
                    " is missing. Nothing was changed. Put it back if it was moved; its tables can be made again from the "
                    "journal with: holdfast rebuild --data " +
                    folder_.path().string());
  }
  refuse_log_without_file(folder_.state());
  create_whole<StateStore>(folder_.state());
  return journal;
}

void EmbeddedLedger::load() {
  JournalRows& rows = journal_->rows();
  check_pair(rows, *archive_);
  if (rows.bytes() <= options_.journal_bytes_verified_max) {
    const VerifyReport report = verify(rows, *archive_, StateStore::Sums::leave);   // load_events() compares them
    if (!report.problem.empty() && !report.only_stopped_events) throw DataError(report.problem);
  }
  const auto keep = [this](const KeptKey& kept, Millis at) {
    if (keys_.find(kept.key.key, at) == nullptr) keys_.put(kept.key, at, kept.outcomes);
  };
  archive_->load_keys(keep);
  EventLoader loader(rows, *archive_, hash_seed_);
  loader.load(keep);
  last_now_ = std::max(last_now_, loader.last_time());
  for (auto& [number, loaded] : loader.events()) {
    Event& event = event_at(number);
    event.inventory = std::move(loaded.inventory);
    event.plan = std::move(loaded.plan);
    name_event(number, event.inventory->card().id);
    if (event.inventory->settings().status != EventStatus::abandoned) by_id_[to_string(event.inventory->card().id)] = number;
  }
  for (EventNumber number = 1; number < events_.size(); ++number) {
    Event& event = *events_[number];
    if (event.inventory == nullptr) continue;
    if (event.plan != nullptr) {
      directory_.reserve(event.plan->size());
      if (!directory_.enter(number, *event.plan, 1).empty()) {
        damaged("state.db", "a seat of event " + std::to_string(number) + " is also one of another event");
      }
    }
    open_if_ready(event);
    queue_expiry(event);
  }
  // After everything that may refuse the tables: until then somebody may put them right by hand.
  if (const auto made = archive_->make_missing_checks()) {
    spdlog::warn(
        "{}: sums of {} reservations and {} events were made from the tables as they are, because they were missing or older than the "
        "tables. From now on a row that is changed by hand or damaged is not believed; `holdfast verify` compares what was there "
        "before with a whole journal",
        folder_.state(), made->reservations, made->events);
  }
  // An event that the tables have lost is not replaced by another: its seats may have been sold.
  next_number_ = std::max(static_cast<EventNumber>(events_.size()), archive_->last_known_event() + 1);
}

// Abandons imports that a crash has interrupted. Nobody has seen their events, and their ids become free.
void EmbeddedLedger::abandon_unfinished_imports() {
  for (EventNumber number = 1; number < events_.size(); ++number) {
    Event& event = *events_[number];
    if (event.inventory == nullptr || event.inventory->settings().status != EventStatus::importing) continue;
    Entry entry;
    entry.submission.parts.push_back({number, Configure{.status = EventStatus::abandoned}});
    Batch batch{.events = {number}, .entries = {&entry}};
    execute({&batch, 1});
    if (!entry.verdict.accepted()) {
      spdlog::error(
          "the import of event {} ({}) had not ended when the process did, and could not be abandoned ({}): its ids stay taken. The next "
          "start tries it again",
          number, event.inventory->settings().name, name_of(entry.verdict.outcomes.front().reason));
      continue;
    }
    const auto by_id = by_id_.find(to_string(event.inventory->card().id));
    if (by_id != by_id_.end() && by_id->second == number) by_id_.erase(by_id);   // a later event may have the id
    spdlog::warn("the import of event {} ({}) had not ended when the process did; it was abandoned, its seats' ids are free", number,
                 event.inventory->settings().name);
  }
}

EmbeddedLedger::Event& EmbeddedLedger::event_at(EventNumber number) {
  while (events_.size() <= number) events_.push_back(std::make_unique<Event>());
  return *events_[number];
}

// ---------------------------------------------------------------------------------------------------------------- one batch

ExecutionReport EmbeddedLedger::execute(std::span<const Batch> batches) {
  if (is_broken_) {
    refuse(batches, refused(Reason::unavailable));
    return {};
  }
  ExecutionReport report{.durable = true};
  hold_back();   // before any seat is locked
  judging_.lock_ahead(batches, *this, next_now());
  const Millis now = next_now();   // after locking, which may have taken a while
  const Need need = need_of(batches, *this, now);
  if (ask_room(need)) {
    execute_piece(batches, now, report);
  } else {
    execute_in_pieces(batches, report);
  }
  judging_.give_up();   // before replying: a client that reacts at once must find the seat locks free
  return report;
}

// One round of the journal: judged, written, published.
void EmbeddedLedger::execute_piece(std::span<const Batch> batches, Millis now, ExecutionReport& report) {
  const auto started = Timer::now();
  last_now_ = now;
  keys_.keep_longer(doubt_.ahead(now, wall_time()));
  report.swept += judging_.judge(batches, *this, now);
  const auto judged = Timer::now();
  if (commit(now)) {
    for (const EventNumber number : touched_) report.changes += events_[number]->changes.count;
    publish(now);
  } else {
    refuse(batches, refused(Reason::unavailable));
  }
  report.durable = !is_broken_;   // if broken after the commit: the verdicts hold, and nothing more is judged
  report.judging += judged - started;
  report.committing += Timer::now() - judged;
}

// Too much for one round, or not everything can be taken. What one piece does is durable before the next is judged.
void EmbeddedLedger::execute_in_pieces(std::span<const Batch> batches, ExecutionReport& report) {
  std::uint64_t bytes_max = k_piece_bytes_max;
  for (PieceCutter cutter(batches); !cutter.at_end();) {
    const Millis now = next_now();
    const Piece piece = cutter.cut(bytes_max, *this, now);
    if (is_broken_) {
      refuse(piece.batches, refused(Reason::unavailable));
    } else if (const auto taken = ask_room(piece.need)) {
      execute_piece(piece.batches, now, report);
    } else if (taken.error().reason != NotTaken::Reason::too_large) {
      execute_what_can_be(piece, taken.error(), now, report);
    } else if (piece.entries > 1) {
      bytes_max = piece.need.body_bytes / 2;
      continue;
    } else if (piece.need.expiry_bytes == 0) {
      refuse_too_large(piece);
    } else if (const auto recorded = record_due(piece.batches.front().events, report)) {
      continue;   // now it fits
    } else {
      execute_what_can_be(piece, recorded.error(), next_now(), report);
    }
    cutter.pass(piece);
  }
}

// A single command may have to end a thousand holds of a thousand seats each. Records what is due in its events, in pieces of its own. The
// error says why not everything could be recorded.
std::expected<void, NotTaken> EmbeddedLedger::record_due(std::span<const EventNumber> events, ExecutionReport& report) {
  Sweep sweep{.limit = k_expiries_per_sweep, .seats_max = k_seats_per_sweep};
  for (const EventNumber number : events) {
    const Inventory* const inventory = inventory_in_memory(number);
    if (inventory == nullptr) continue;
    for (Millis now = next_now(); inventory->next_expiry() <= now; now = next_now()) {
      Entry entry;
      entry.submission.parts.push_back({number, sweep});
      const Batch batch{.events = {number}, .entries = {&entry}};
      if (auto taken = ask_room(need_of({&batch, 1}, *this, now)); !taken) {
        if (taken.error().reason != NotTaken::Reason::too_large || sweep.limit == 1) return taken;
        sweep = {.limit = sweep.limit / 2, .seats_max = std::max<std::size_t>(sweep.seats_max / 2, 1)};
        continue;
      }
      execute_piece({&batch, 1}, now, report);
      if (is_broken_) return {};   // the caller finds out
    }
  }
  return {};
}

// Whether a round can be written now; or in a moment, if room is just being made. Once that was awaited in vain, rounds are not held up
// any more until there is room again.
std::expected<void, NotTaken> EmbeddedLedger::ask_room(const Need& need) {
  if (need.body_bytes > k_piece_bytes_max) return std::unexpected(NotTaken{.reason = NotTaken::Reason::too_large, .what = {}});
  auto taken = journal_->can_take(need.rows, need.body_bytes, need.work());
  const auto is_preparing = [&] { return !taken && taken.error().reason == NotTaken::Reason::preparing; };
  for (const auto until = is_preparing() ? Timer::now() + options_.room_awaited_max : Timer::time_point(); is_preparing();) {
    if (awaited_room_in_vain_ || Timer::now() >= until) {
      awaited_room_in_vain_ = true;
      return taken;
    }
    std::this_thread::sleep_for(k_room_asked_every);
    taken = journal_->can_take(need.rows, need.body_bytes, need.work());
  }
  if (taken && need.grows) awaited_room_in_vain_ = false;
  return taken;
}

// There is no room for the whole piece. What settles goes on while there is room for that. A submission whose key was used before gets its
// answer in any case: it writes nothing.
void EmbeddedLedger::execute_what_can_be(const Piece& piece, const NotTaken& why, Millis now, ExecutionReport& report) {
  if (const std::string broken = journal_->broken(); !broken.empty()) {
    stop_selling(broken);
    report.durable = false;
    return refuse(piece.batches, refused(Reason::unavailable));
  }
  keys_.keep_longer(doubt_.ahead(now, wall_time()));   // as when it is judged, or a key might decide here and not there
  const auto has_known_key = [&](const Submission& submission) { return key_decides(submission, keys_, now); };
  const auto settles = [&](const Submission& submission) { return !is_growing(submission) || has_known_key(submission); };
  if (piece.need.grows) {
    const std::vector<Batch> settling = refuse_unless(piece.batches, settles, why, now);
    Need need = need_of(settling, *this, now);
    need.grows = false;   // a submission with a known key does not
    const auto taken = ask_room(need);
    if (taken) return execute_piece(settling, now, report);
    return execute_piece(refuse_unless(settling, has_known_key, taken.error(), now), now, report);
  }
  execute_piece(refuse_unless(piece.batches, has_known_key, why, now), now, report);
}

// Refuses for want of room what `stays` is false for, and returns the rest.
template <typename Stays>
std::vector<Batch> EmbeddedLedger::refuse_unless(std::span<const Batch> batches, Stays stays, const NotTaken& why, Millis now) {
  Outcome no_room = refused(Reason::no_room);
  no_room.room_comes_soon = why.reason == NotTaken::Reason::preparing;
  std::vector<Batch> rest;
  for (const Batch& batch : batches) {
    Batch staying{.events = batch.events, .entries = {}};
    for (Entry* entry : batch.entries) {
      if (stays(entry->submission)) {
        staying.entries.push_back(entry);
        continue;
      }
      refuse(*entry, no_room);
      sweep_again(entry->submission, now);
    }
    if (!staying.entries.empty()) rest.push_back(std::move(staying));
  }
  return rest;
}

// A refused sweep took its event out of the queue. It comes back a little later, so that the engine does not ask without a pause.
void EmbeddedLedger::sweep_again(const Submission& submission, Millis now) {
  for (const Part& part : submission.parts) {
    if (!std::holds_alternative<Sweep>(part.command) || inventory_in_memory(part.event) == nullptr) continue;
    Event& event = *events_[part.event];
    if (event.queued_expiry != k_never || event.inventory->next_expiry() == k_never) continue;
    event.queued_expiry = std::max(event.inventory->next_expiry(), now + k_refused_sweep_rests);
    expiries_.push({event.queued_expiry, part.event});
  }
}

// No submission within the limits is: k_submission_bytes_max.
void EmbeddedLedger::refuse_too_large(const Piece& piece) {
  spdlog::error("a command that may take {} bytes does not fit into a round of the journal. It was refused, and nothing was changed",
                piece.need.body_bytes);
  Outcome outcome = refused(Reason::limit_exceeded);
  outcome.limit = Limit::seats_per_reservation;
  refuse(piece.batches, outcome);
}

void EmbeddedLedger::refuse(std::span<const Batch> batches, const Outcome& outcome) {
  for (const Batch& batch : batches) {
    for (Entry* entry : batch.entries) refuse(*entry, outcome);
  }
}

void EmbeddedLedger::refuse(Entry& entry, const Outcome& outcome) {
  entry.verdict = {.outcomes = UsuallyOne<Outcome>(entry.submission.parts.size(), outcome)};
}

// The time at which the next piece is judged.
Millis EmbeddedLedger::next_now() { return std::max(clock_.now(), last_now_); }

// Sales go first, but not for ever. If the tables lack rows older than the limit, each round gives them time. It waits only once,
// and only for a moment, so whatever blocks the tables does not stop sales.
void EmbeddedLedger::hold_back() {
  if (options_.state_lag_max.count() == 0) return;
  const auto now = Timer::now();
  row_ages_.followed(checkpointer_->followed());
  if (const Position soon = row_ages_.older_than(options_.state_lag_max / 2, now); soon > 0) checkpointer_->hurry_to(soon);
  const Position due = row_ages_.older_than(options_.state_lag_max, now);
  if (due == 0) return;
  checkpointer_->catch_up_to(due, now + options_.round_held_back_max);
  held_back_ns_ += std::chrono::nanoseconds(Timer::now() - now).count();
}

const Inventory* EmbeddedLedger::inventory_in_memory(EventNumber number) const {
  return number < events_.size() ? events_[number]->inventory.get() : nullptr;
}

Bench EmbeddedLedger::bench_of(EventNumber number) {
  if (number == 0 || number > k_events_max) return {};
  Event& event = event_at(number);
  if (event.inventory == nullptr) {
    const std::scoped_lock lock(published_mutex_);
    const auto pending = pending_.find(number);
    if (pending == pending_.end()) return {};
    EventSettings settings = pending->second.settings;
    settings.status = EventStatus::importing;
    event.inventory = std::make_unique<Inventory>(pending->second.card, settings, hash_seed_);
    name_event(number, pending->second.card.id);
    event.plan = pending->second.plan;
  }
  if (!event.touched) {
    event.touched = true;
    touched_.push_back(number);
  }
  return {event.inventory.get(), &event.changes, event.plan.get()};
}

// Before a command is judged: recalls its reservation if that ended so long ago that memory has forgotten it.
bool EmbeddedLedger::recall_for(const Submission& submission) {
  for (const Part& part : submission.parts) {
    const Uuid* id = reservation_of(part.command);
    if (id == nullptr || part.event >= events_.size() || events_[part.event]->inventory == nullptr) continue;
    Event& event = *events_[part.event];
    if (event.inventory->find(*id) != Inventory::k_no_slot || event.published == nullptr) continue;
    if (event_of_reservation(*id) != part.event) continue;
    if (needs_no_tables(part.event)) continue;
    try {
      const std::optional<ReservationView> stored = read_ended(*id, *archive_, event.inventory.get());
      if (!stored) continue;
      bench_of(part.event);   // so that readers follow, even if the command changes nothing
      event.steps.recall(*event.inventory, event.changes.count, *stored);
    } catch (const ReservationUnreadable& error) {
      spdlog::error("a command was refused: {}.", error.what());
      return false;
    }
  }
  return true;
}

// A reservation that memory has forgotten; nothing if it does not exist. `into`, if not nullptr, must be able to recall it. Throws
// ReservationUnreadable. Call it on the thread, or with the mutex, of `tables`.
std::optional<ReservationView> EmbeddedLedger::read_ended(const Uuid& id, StateStore& tables, const Inventory* into) const {
  const auto event = event_of_reservation(id);
  HOLDFAST_CHECK(event.has_value());
  using By = UnreadableReservations::By;
  By found_by = By::reader;
  try {
    refuse_stopped(*event);
    auto stored = tables.find_reservation(id);
    if (stored && into != nullptr && !into->can_recall(*stored)) {
      found_by = By::command;
      throw DataError("what is written there cannot be");
    }
    unreadable_.read_well(id, into != nullptr ? By::command : By::reader);
    return stored;
  } catch (const std::exception& error) {
    const std::string what = cannot_be_read(id, folder_.state(), error);
    if (!checkpointer_->is_stopped(*event)) unreadable_.found(id, what, found_by);   // a stopped event is reported itself
    throw ReservationUnreadable(id, what);
  }
}

bool EmbeddedLedger::commit(Millis now) {
  const auto has_news = [this](EventNumber number) { return events_[number]->changes.count > 0 || !events_[number]->kept.empty(); };
  if (std::ranges::none_of(touched_, has_news)) return true;   // refusals rest on what is durable already
  try {
    committed_from_ = journal_->head().position;
    journal_->begin();
    for (const EventNumber number : touched_) {
      if (!has_news(number)) continue;
      const Event& event = *events_[number];
      body_.clear();
      encode_body(event.changes, event.kept, body_);
      journal_->append(number, event.inventory->seq() - event.changes.count + 1, event.changes.count, now, body_);
    }
    journal_->commit();
    return true;
  } catch (const JournalBroken& error) {
    stop_selling(error.what());
  }
  return false;
}

void EmbeddedLedger::stop_selling(std::string because, bool is_damage) {
  if (is_damage) journal_->found_damage(because);
  const std::scoped_lock lock(published_mutex_);
  if (!broken_.empty()) return;
  broken_ = std::move(because);
  is_broken_ = true;
  spdlog::critical("{}", broken_);
}

// From here on readers see the batch. That is before anybody gets an answer.
void EmbeddedLedger::publish(Millis now) {
  Position position = committed_from_;
  for (const EventNumber number : touched_) {
    Event& event = *events_[number];
    const bool has_row = event.changes.count > 0 || !event.kept.empty();
    if (event.published == nullptr) open_if_ready(event);
    else show_round(event, now);
    if (has_row) {   // after the readers' copy, which has the reservations that changes refer to
      recent_.append({.position = ++position,
                      .event = number,
                      .first_seq = event.inventory->seq() - event.changes.count + 1,
                      .changes = event.changes.count,
                      .at = now,
                      .bytes = event.changes.bytes,
                      .versions = event.changes.versions,
                      .traces = event.changes.traces});
    }
    event.changes.clear();
    event.kept.clear();
    event.touched = false;
    queue_expiry(event);
  }
  touched_.clear();
  if (options_.state_lag_max.count() > 0) row_ages_.wrote(journal_->head().position, Timer::now());
  checkpointer_->notify(journal_->head().position);
  journal_->tend();
  if (std::string why = journal_->broken(); !why.empty()) stop_selling(std::move(why));
  if (++executions_ % k_executions_between_forgetting == 0) forget_old();
}

// The readers' copy goes through the round as the writer's did. If the two then differ, one is wrong, and nobody can say which.
// The next start decides, from the journal, which has everything that was answered.
void EmbeddedLedger::show_round(Event& event, Millis now) {
  if (event.changes.count == 0 && event.steps.empty()) return;
  event.published->follow(event.changes.bytes, event.changes.count, now, event.steps);
  event.steps.clear();
  const std::string difference = event.published->difference_from(*event.inventory);
  if (difference.empty()) return;
  stop_selling("what readers see of event " + std::to_string(event.inventory->card().number) + " differs from what is sold from (" +
               difference +
               "). This is a fault of the program: please report it. What was answered is on disk. Nothing more is sold until the server "
               "has been restarted, which loads both from the disk again.");
}

void EmbeddedLedger::open_if_ready(Event& event) {
  const EventStatus status = event.inventory->settings().status;
  if (event.published != nullptr || event.plan == nullptr || status == EventStatus::importing || status == EventStatus::abandoned) return;
  event.published = std::make_shared<PublishedEvent>(event.inventory->replica(), event.plan);
  const EventNumber number = event.inventory->card().number;
  const std::scoped_lock lock(published_mutex_);
  if (published_.size() <= number) published_.resize(number + 1);
  published_[number] = event.published;
  pending_.erase(number);
}

void EmbeddedLedger::forget_old() {
  for (const auto& [number, seq] : checkpointer_->take_followed()) {
    Event& event = *events_[number];
    if (event.published == nullptr || event.inventory->ended_count() <= options_.ended_in_memory_max) continue;
    event.steps.forget_ended(*event.inventory, 0, seq, options_.ended_in_memory_max);
    show_round(event, last_now_);
  }
}

// ---------------------------------------------------------------------------------------------------------------- expiry

void EmbeddedLedger::queue_expiry(Event& event) {
  const Millis next = event.inventory->next_expiry();
  if (event.published != nullptr) event.published->set_next_expiry(next);
  if (next >= event.queued_expiry) return;
  event.queued_expiry = next;
  expiries_.push({next, event.inventory->card().number});
}

std::vector<EventNumber> EmbeddedLedger::events_to_sweep(std::size_t limit, Lane) {
  std::vector<EventNumber> due;
  const Millis now = std::max(clock_.now(), last_now_);
  while (!expiries_.empty() && expiries_.top().at <= now && due.size() < limit) {
    const DueEvent top = expiries_.top();
    expiries_.pop();
    Event& event = *events_[top.event];
    if (event.queued_expiry != top.at) continue;
    event.queued_expiry = k_never;
    due.push_back(top.event);   // the sweep queues it again with its next expiry
  }
  return due;
}

std::optional<std::chrono::milliseconds> EmbeddedLedger::until_next_expiry(Lane) {
  if (expiries_.empty()) return std::nullopt;
  return std::chrono::milliseconds(std::max<Millis>(0, expiries_.top().at - std::max(clock_.now(), last_now_)));
}

// Uses what readers see: the queue of expiries belongs to the writer, and stands still while the writer does nothing.
void EmbeddedLedger::look_at_expiries() {
  Millis next = k_never;
  {
    const std::shared_lock lock(published_mutex_);
    for (const auto& event : published_) {
      if (event != nullptr) next = std::min(next, event->next_expiry());
    }
  }
  expiries_due_ = std::max<Millis>(0, now() - next);
}

// ---------------------------------------------------------------------------------------------------------------- events

std::expected<EventNumber, CreationProblem> EmbeddedLedger::reserve_event(NewEvent event) {
  const std::string id = to_string(event.card.id);
  EventNumber number = 0;
  {
    const std::scoped_lock lock(published_mutex_);
    if (by_id_.contains(id))
      return std::unexpected(CreationProblem{CreationProblem::Kind::event_exists, "an event with the id " + id + " already exists", {}});
    if (unused_numbers_.empty() && next_number_ > k_events_max) {
      return std::unexpected(
          CreationProblem{CreationProblem::Kind::too_many_events, "there are already 100,000 events, which is the maximum", {}});
    }
    if (unused_numbers_.empty()) {
      number = next_number_++;
    } else {
      number = unused_numbers_.back();
      unused_numbers_.pop_back();
    }
    by_id_[id] = number;
  }
  const std::shared_ptr<const Plan> plan = event.plan;
  std::vector<std::string> taken = directory_.enter(number, *plan, k_taken_ids_named_max);
  const std::scoped_lock lock(published_mutex_);
  if (!taken.empty()) {
    by_id_.erase(id);
    unused_numbers_.push_back(number);   // refusals do not use up numbers
    return std::unexpected(
        CreationProblem{CreationProblem::Kind::seat_exists, "a seat with the id " + taken.front() + " already exists", std::move(taken)});
  }
  event.card.number = number;
  pending_.emplace(number, std::move(event));
  return number;
}

// Its seats leave the directory, and its plan the memory, without the mutex that every reader needs. Its id stays taken until then.
void EmbeddedLedger::abandon_event(EventNumber number) {
  NewEvent abandoned;
  {
    const std::scoped_lock lock(published_mutex_);
    const auto pending = pending_.find(number);
    if (pending == pending_.end()) return;
    abandoned = std::move(pending->second);
    pending_.erase(pending);
  }
  directory_.remove(*abandoned.plan);
  const std::scoped_lock lock(published_mutex_);
  by_id_.erase(to_string(abandoned.card.id));
}

// ---------------------------------------------------------------------------------------------------------------- reading

std::shared_ptr<const PublishedEvent> EmbeddedLedger::event(EventNumber number) const {
  const std::shared_lock lock(published_mutex_);
  return number < published_.size() ? published_[number] : nullptr;
}

std::optional<EventNumber> EmbeddedLedger::event_by_id(const Uuid& id) const {
  const std::shared_lock lock(published_mutex_);
  const auto at = by_id_.find(to_string(id));
  if (at == by_id_.end() || at->second >= published_.size() || published_[at->second] == nullptr) return std::nullopt;
  return at->second;
}

std::vector<EventNumber> EmbeddedLedger::events() const {
  const std::shared_lock lock(published_mutex_);
  std::vector<EventNumber> numbers;
  for (EventNumber number = 1; number < published_.size(); ++number) {
    if (published_[number] != nullptr) numbers.push_back(number);
  }
  return numbers;
}

std::optional<ReservationView> EmbeddedLedger::reservation(const Uuid& id) const {
  const auto number = event_of_reservation(id);
  const auto published = number ? event(*number) : nullptr;
  if (published == nullptr) return std::nullopt;
  if (auto view = published->reservation(id, now())) return view;
  if (needs_no_tables(*number)) return std::nullopt;
  const std::scoped_lock lock(readers_archive_mutex_);
  return read_ended(id, *readers_archive_, nullptr);
}

Millis EmbeddedLedger::wall_time() const {
  constexpr std::int64_t k_ns_per_ms = 1'000'000;
  return (options_.clock != nullptr ? *options_.clock : system_clock_).wall_ns() / k_ns_per_ms;
}

std::string EmbeddedLedger::clock_doubt() const {
  constexpr double k_hour = 3'600.0 * k_millis_per_second;
  const Millis now = this->now();
  if (const Millis ahead = ClockDoubt::ahead_of_wall(now, wall_time()); ahead > 0) {
    return fmt::format(
        "the ledger's time is {:.1f} hours ahead of this machine's clock: the clock is wrong now, or it was wrong when changes were "
        "recorded. Time does not go back; holds last as long as they should. If the clock is right, a backup from before undoes it "
        "(holdfast restore)",
        static_cast<double>(ahead) / k_hour);
  }
  if (!doubt_.is_fresh(now)) return {};
  return fmt::format(
      "this machine's clock was {:.1f} hours ahead of the last recorded time at the start. If the machine was off, all is well. If the "
      "clock is wrong: stop the server and correct the clock before more is recorded. For an hour no old journal row and no idempotency "
      "key is removed",
      static_cast<double>(doubt_.start().ahead) / k_hour);
}

std::unique_ptr<JournalReader> EmbeddedLedger::new_reader() const {
  return std::make_unique<JournalReader>(journal_->new_rows(), folder_.state(), damaged_rows_);
}

std::string EmbeddedLedger::trouble() const {
  const std::shared_lock lock(published_mutex_);
  return broken_;
}

}   // namespace holdfast
