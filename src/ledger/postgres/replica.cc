#include "ledger/postgres/replica.h"

#include "core/check.h"
#include "ledger/data_error.h"
#include "ledger/journal_fold.h"
#include "ledger/row_changes.h"

namespace holdfast::pg {
namespace {

std::string name_of_row(const JournalRow& row) {
  return "the journal row with change " + std::to_string(row.first_seq) + " of event " + std::to_string(row.event);
}

[[noreturn]] void damaged(const JournalRow& row) {
  throw DataError(name_of_row(row) +
                  " cannot be read. Nothing is sold from this event. Run `holdfast verify --ledger URL` for details, and restore the "
                  "database from a backup.");
}

}  // namespace

void ReplicaPlace::advance(const JournalRow& row) {
  last = {row.first_seq, static_cast<std::int16_t>(row.position)};
  at.advance(row);
}

void Replica::fold(const JournalRow& row, const FindEnded& find_ended) {
  if (row.first_seq != place.next() || row.position != place.at.ordinal || row.hash != chain(place.at.hash, row)) {
    throw HistoryChanged(name_of_row(row) + " does not follow the row before it");
  }
  JournalBody body;
  if (!decode_body(row, body)) damaged(row);
  if (inventory == nullptr) {
    inventory = new_inventory(row, body, seed_);
    importing = new_plan(row, body);
    if (inventory == nullptr || importing == nullptr) damaged(row);
  }
  MemorySteps steps;
  try {
    const auto fold = [&](std::uint32_t i, const Change& change) { fold_change(row, i, change, find_ended, steps); };
    if (for_each_change(body.changes, row.changes, row.at, fold) == ChangesRead::damaged) damaged(row);
  } catch (const Contradiction& contradiction) {
    drop();
    throw DataError(
        told_of(row, contradiction) +
        ": the journal contradicts itself, or the event's tables do not have what it says. Nothing is sold from this event. Run "
        "`holdfast verify --ledger URL` for details, and restore the database from a backup.");
  } catch (...) {
    drop();   // a part of the row is folded, and must not be folded again
    throw;
  }
  // Readers that saw these changes before the inventory was dropped do not see them again.
  if (const auto readers = own_published(); readers != nullptr && row.changes > 0 && !readers_are_apart_) {
    readers->follow(body.changes, row.changes, row.at, steps);
    if (on_shown) on_shown(row, body);
  }
  for (const KeptKey& key : body.keys) {
    keys.put(key.key, row.at, key.outcomes);
    if (on_key) on_key(key, row.at);
  }
  inventory->observe(row.at);
  place.advance(row);
  meet_readers();
  open_if_ready();
  note_shown();
  note_expiry();
}

// Folds change `at` of the row.
void Replica::fold_change(const JournalRow& row, std::uint32_t at, const Change& change, const FindEnded& find_ended, MemorySteps& steps) {
  if (change.kind == ChangeKind::seats_appended) {
    append_seats(row.first_seq + at, change, importing.get());
  } else if (change.kind == ChangeKind::event_configured && inventory->settings().status == EventStatus::importing &&
             change.settings->status != EventStatus::importing) {
    end_import(change.settings->status == EventStatus::abandoned);
  } else if (change.kind == ChangeKind::consumed && change.ends && inventory->find(change.reservation) == Inventory::k_no_slot) {
    // A reservation is reinstated that ended so long ago that memory has forgotten it. The tables may already have its sale.
    std::optional<ReservationView> ended = find_ended(change.reservation);
    if (ended && ended->status != ReservationStatus::active) {
      ended->status = ReservationStatus::expired;
      ended->order.clear();
      for (ReservedSeat& reserved : ended->seats) reserved.owned = false;
    }
    if (!ended || !inventory->can_recall(*ended)) {
      throw DataError("reservation " + to_string(change.reservation) + " of event " + std::to_string(number) +
                      " is missing in the tables or has not ended there. Nothing is sold from this event. Run `holdfast verify --ledger "
                      "URL` for details.");
    }
    steps.recall(*inventory, at, *ended);
  }
  holdfast::fold_change(row, row.first_seq + at, change, *inventory);
}

void Replica::end_import(bool abandoned) {
  if (!abandoned && plan == nullptr && importing != nullptr) {
    auto finished = importing->finish();
    if (finished) plan = *finished;
  }
  importing.reset();
}

void Replica::begin_pending() {
  EventSettings settings = pending->settings;
  settings.status = EventStatus::importing;
  inventory = std::make_unique<Inventory>(pending->card, settings, seed_);
  plan = pending->plan;
}

void Replica::follow_own(const JournalRow& row, const ChangeBatch& written) {
  place.advance(row);
  if (readers_are_apart_) {
    show_anew();
  } else if (const auto readers = own_published(); readers != nullptr && written.count > 0) {
    readers->follow(written.bytes, written.count, row.at, {});
  }
  open_if_ready();
  note_shown();
  note_expiry();
}

void Replica::open_if_ready() {
  const EventStatus status = inventory->settings().status;
  if (plan == nullptr || status == EventStatus::importing || status == EventStatus::abandoned) return;
  if (own_published() != nullptr) return;
  auto opened = std::make_shared<PublishedEvent>(inventory->replica(), plan);
  if (before_open) before_open(*opened);
  readers_are_apart_ = false;
  {
    const std::scoped_lock lock(published_mutex_);
    published_ = std::move(opened);
  }
  pending.reset();
  note_shown();
}

void Replica::show_anew() {
  history_changed = false;
  if (const auto readers = own_published()) readers->begin_anew(inventory->replica());
  readers_are_apart_ = false;
  note_shown();
  note_expiry();
}

void Replica::meet_readers() {
  if (!readers_are_apart_ || history_changed) return;
  if (const auto readers = own_published(); readers != nullptr && readers->seq() == inventory->seq()) show_anew();
}

bool Replica::join_readers() {
  if (!readers_are_apart_) return false;
  show_anew();
  return own_published() != nullptr;
}

void Replica::hide() {
  history_changed = false;
  last_shown.reset();
  next_expiry_.store(k_never, std::memory_order_relaxed);
  const std::scoped_lock lock(published_mutex_);
  if (published_ != nullptr) published_->withdraw();
  published_.reset();
}

// During a load, `place` is behind the readers' change: then last_shown stays.
void Replica::note_shown() {
  const auto readers = history_changed ? nullptr : own_published();
  if (readers != nullptr && readers->seq() == place.at.seq) last_shown = place.at;
}

void Replica::recall(const ReservationView& ended) {
  if (inventory->find(ended.id) != Inventory::k_no_slot) return;
  if (!inventory->can_recall(ended)) throw unreadable(ended.id, "it does not fit what this node knows");
  MemorySteps steps;
  steps.recall(*inventory, 0, ended);
  take_steps(steps);
}

void Replica::forget_ended(Seq through, std::size_t keep) {
  MemorySteps steps;
  steps.forget_ended(*inventory, 0, through, keep);
  take_steps(steps);
}

void Replica::take_steps(const MemorySteps& steps) {
  HOLDFAST_CHECK(changes.count == 0);   // otherwise readers would follow the changes in another order
  if (const auto shown = own_published(); shown != nullptr && !readers_are_apart_) shown->follow({}, 0, place.at.at, steps);
}

std::string Replica::difference() const {
  const auto shown = own_published();
  return shown == nullptr || readers_are_apart_ ? "" : shown->difference_from(*inventory);
}

void Replica::drop() {
  readers_are_apart_ = true;
  inventory.reset();
  plan.reset();
  importing.reset();
  keys = KeyTable(keys_max_);
  place = {};
  changes.clear();
  kept.clear();
  judged_ahead = false;
}

void Replica::set_aside(const std::string& why) {
  drop();
  damage = why;
  damaged_at = Timer::now();
  next_expiry_.store(k_never, std::memory_order_relaxed);   // its expiries cannot be recorded
}

std::shared_ptr<PublishedEvent> Replica::own_published() const {
  const std::scoped_lock lock(published_mutex_);
  return published_;
}

bool Replica::is_watched() const {
  const std::scoped_lock lock(published_mutex_);
  return published_.use_count() > 1;
}

std::shared_ptr<const PublishedEvent> Replica::published() const { return own_published(); }

void Replica::note_expiry() {
  const Millis next = inventory->next_expiry();
  next_expiry_.store(next, std::memory_order_relaxed);
  if (const auto shown = own_published()) shown->set_next_expiry(next);
}

}  // namespace holdfast::pg
