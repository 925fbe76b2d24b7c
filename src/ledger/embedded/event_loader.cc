#include "ledger/embedded/event_loader.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

#include "core/limits.h"
#include "ledger/embedded/verify.h"
#include "ledger/journal_fold.h"
#include "ledger/row_changes.h"

namespace holdfast {

void EventLoader::load(const OnKey& on_key) {
  const JournalHead as_of = tables_.as_of();
  tables_through_ = as_of.position;
  try {
    load_tables();
    follow_tables(as_of, on_key);
    if (!tables_.stopped().empty()) replay_stopped();
    if (is_writing_) tables_.commit(as_of);
  } catch (...) {
    if (is_writing_) tables_.roll_back();
    throw;
  }
  for (const auto& [event, why] : newly_stopped_) {
    spdlog::warn("the tables of event {} in {} are false ({}): it was started from the first row of the journal", event,
                 tables_.database().path(), why);
  }
}

void EventLoader::load_tables() {
  std::map<EventNumber, std::string> damaged;
  tables_.load_events(
      hash_seed_,
      [this](StoredEvent stored) {
        const EventNumber number = stored.inventory->card().number;
        events_[number] = {.inventory = std::move(stored.inventory), .plan = std::move(stored.plan), .importing = {}, .is_in_tables = true};
      },
      [&](const EventDamage& damage) { damaged[damage.event()] = damage.found(); });
  for (const auto& [event, why] : damaged) stop(event, why);
  tables_.load_imports([this](EventNumber number, std::unique_ptr<PlanBuilder> plan) { events_[number].importing = std::move(plan); });
}

// From the row of the tables on. An event is folded up to its first contradiction, if it was begun from the tables.
void EventLoader::follow_tables(const JournalHead& as_of, const OnKey& on_key) {
  JournalBody body;
  journal_.read(as_of, [&](const JournalRow& row) {
    if (!decode_body(row, body)) unreadable(row, "cannot be read");
    last_time_ = std::max(last_time_, row.at);
    for (const KeptKey& kept : body.keys) on_key(kept, row.at);
    if (is_stopped(row.event)) return true;
    try {
      fold(row, body);
    } catch (const Contradiction& contradiction) {
      const auto begun = events_.find(row.event);
      const bool is_new = begun != events_.end() && !begun->second.is_in_tables;
      if (is_new || tables_through_ == 0) throw ContradictoryJournal(told_of_contradictory_journal(journal_, told_of(row, contradiction)));
      stop(row.event, told_of(row, contradiction));
    }
    return true;
  });
}

// The events whose tables are not believed, from the journal alone. Their keys are in the tables, or follow_tables() has read them.
void EventLoader::replay_stopped() {
  if (journal_.anchor().position > 0) {
    throw DataError(
        told_of(tables_.stopped(), tables_.database().path()) +
        ". A start needs all of its rows, and the journal no longer has its first ones. Nothing was changed. Put back both files "
        "from a backup (holdfast restore).");
  }
  JournalBody body;
  journal_.read(journal_.anchor(), [&](const JournalRow& row) {
    if (!is_stopped(row.event)) return true;
    if (!decode_body(row, body)) unreadable(row, "cannot be read");
    try {
      fold(row, body);
    } catch (const Contradiction& contradiction) {
      throw ContradictoryJournal(told_of_contradictory_journal(journal_, told_of(row, contradiction)));
    }
    return true;
  });
  forget_strays();
}

// Events that are only in the table of sums.
void EventLoader::forget_strays() {
  std::vector<EventNumber> strays;
  for (const auto& [event, why] : newly_stopped_) {
    if (!events_.contains(event) && tables_.go_on_without(event)) strays.push_back(event);
  }
  for (const EventNumber event : strays) {
    newly_stopped_.erase(event);
    spdlog::warn("{}: a sum in table event_check is of event {}, which there never was: it was removed", tables_.database().path(), event);
  }
}

// Folds a row with the code that made it.
void EventLoader::fold(const JournalRow& row, const JournalBody& body) {
  if (!events_.contains(row.event)) begin(row, body);
  Event& event = events_.at(row.event);
  const Seq next = event.inventory->seq() + 1;
  if (row.first_seq != next) {
    throw Contradiction(row.first_seq, Contradiction::k_any_kind, "is where change " + std::to_string(next) + " should be");
  }
  const auto fold_one = [&](std::uint32_t i, const Change& change) { fold(row, row.first_seq + i, change, event); };
  if (for_each_change(body.changes, row.changes, row.at, fold_one) == ChangesRead::damaged) unreadable(row, "cannot be read");
}

void EventLoader::begin(const JournalRow& row, const JournalBody& body) {
  Event event{.inventory = new_inventory(row, body, hash_seed_), .plan = {}, .importing = new_plan(row, body)};
  if (event.inventory == nullptr) throw Contradiction(row.first_seq, Contradiction::k_any_kind, "is of an event that was never created");
  events_[row.event] = std::move(event);
}

void EventLoader::fold(const JournalRow& row, Seq seq, const Change& change, Event& event) {
  const bool reinstates = change.kind == ChangeKind::consumed && change.ends;
  if (reinstates && event.inventory->find(change.reservation) == Inventory::k_no_slot) recall(seq, change, *event.inventory);
  const bool was_importing = event.inventory->settings().status == EventStatus::importing;
  fold_change(row, seq, change, *event.inventory);
  if (change.kind == ChangeKind::seats_appended) append_seats(seq, change, event.importing.get());
  const EventStatus status = event.inventory->settings().status;
  if (!was_importing || status == EventStatus::importing) return;
  const std::unique_ptr<PlanBuilder> importing = std::move(event.importing);
  if (status == EventStatus::abandoned) return;
  if (importing != nullptr) event.plan = importing->finish().value_or(nullptr);
  if (event.plan == nullptr) throw Contradiction(seq, change.kind, "ends the import of an event without seats");
}

// A reservation is reinstated that ended before the tables' position, so it was not loaded. An event that is replayed from the journal's first
// row has all of its reservations in memory.
void EventLoader::recall(Seq seq, const Change& change, Inventory& inventory) {
  if (is_stopped(inventory.card().number)) return;
  const auto fail = [&](const std::string& why) {
    throw Contradiction(seq, change.kind, "is of reservation " + to_string(change.reservation) + ", which " + why);
  };
  std::optional<ReservationView> ended;
  try {
    ended = tables_.find_reservation(change.reservation);
  } catch (const TableDamage& damage) {
    fail("the tables have wrong: " + damage.found());
  }
  if (!ended) return;   // so the change does not fit
  if (!inventory.can_recall(*ended)) fail("has not ended in the tables");
  inventory.recall(*ended);
}

void EventLoader::stop(EventNumber event, const std::string& why) {
  if (!is_writing_) tables_.begin();
  is_writing_ = true;
  newly_stopped_[event] = why;
  tables_.stop(event, {.through = tables_through_, .why = why});
  events_.erase(event);
}

void EventLoader::unreadable(const JournalRow& row, const char* what) const {
  throw DataError(journal_.path() + " is damaged: row " + std::to_string(row.position) + " " + what +
                  ". Nothing was changed. Put back both files from a backup (holdfast restore).");
}

}   // namespace holdfast
