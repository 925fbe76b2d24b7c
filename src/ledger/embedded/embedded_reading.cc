// How the embedded ledger reads the past: from the newest rows in memory, otherwise from the files.
#include "ledger/change_pages.h"
#include "ledger/embedded/embedded_ledger.h"
#include "ledger/reservation_pages.h"

namespace holdfast {
namespace {

constexpr std::size_t k_rows_a_page_max = 10'000;   // there may be many rows without changes

// As guarded_reading(), but DamagedRows has logged damage of the journal: once, not for each reader that meets it.
template <typename Read>
auto guarded(Read read) -> decltype(read()) {
  return guarded_reading([&]() -> decltype(read()) {
    try {
      return read();
    } catch (const JournalDamage&) {
      return read_problem(ReadProblem::Kind::unavailable);
    }
  });
}

}  // namespace

void EmbeddedLedger::name_event(EventNumber number, const Uuid& id) {
  if (ids_.size() <= number) ids_.resize(number + 1);
  ids_[number] = id;
}

// Adds what the journal row leaves out: the reservation's details, and its seats if the change stands for all of them. Returns
// false if that is not in memory.
bool EmbeddedLedger::complete(RecordedChange& change, ReadFrom from) const {
  std::shared_ptr<const PublishedEvent> published;
  {
    const std::shared_lock lock(published_mutex_);
    change.event_id = ids_[change.event];
    if (change.event < published_.size()) published = published_[change.event];
  }
  if (!needs_completing(change)) return true;
  // Without readers' copy the event has never been open: only a journal that contradicts itself has reservations of it.
  auto view = published == nullptr ? std::nullopt : published->reservation(change.reservation, now());
  if (!view && from == ReadFrom::memory) return false;
  if (!view) view = reservation(change.reservation);
  holdfast::complete(change, view ? &*view : nullptr);
  return true;
}

// For readings over all events: marks a change that cannot be completed, so that one damaged event does not stop the others.
bool EmbeddedLedger::complete_or_mark(RecordedChange& change, ReadFrom from) const {
  try {
    return complete(change, from);
  } catch (const DataError& error) {
    untold_.failed(change.event, error.what());
  } catch (const ReservationUnreadable& error) {
    untold_.failed(change.event, error.what());
  }
  make_unreadable(change);
  return true;
}

Reading<ChangePage> EmbeddedLedger::read_changes(EventNumber number, Seq after, std::size_t limit, ReadFrom from) const {
  return guarded([&]() -> Reading<ChangePage> {
    const auto published = event(number);
    const Seq head = published == nullptr ? 0 : published->seq();
    const StoredRows stored{.rows = [&](Seq next, std::size_t some) { return journal_reader_->rows_of(number, next, some); },
                            .oldest = [&] { return journal_reader_->oldest_of(number); }};
    auto page = read_page(number, after, head, limit, from, recent_, stored);
    if (!page) return page;   // DamagedRows logs damaged rows
    for (RecordedChange& change : page->changes) {
      if (!complete(change, from)) return read_problem(ReadProblem::Kind::not_in_memory);
    }
    return page;
  });
}

Reading<ChangePage> EmbeddedLedger::read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const {
  return guarded([&]() -> Reading<ChangePage> {
    const Position head = recent_.head();
    if (cursor == k_cursor_oldest && from == ReadFrom::memory) return read_problem(ReadProblem::Kind::not_in_memory);
    const auto begin = place_of_cursor(cursor, head, [&] { return journal_reader_->oldest().value_or(head + 1); });
    if (!begin) return read_problem(ReadProblem::Kind::bad_cursor);
    AllChangesPage made(*begin, limit);
    std::size_t seen = 0;
    while (made.next().position <= head && made.has_room() && seen < k_rows_a_page_max) {
      KeptRows rows = recent_.rows_from(made.next().position, made.room() + made.next().skip);
      if (rows.empty() && from == ReadFrom::memory) return read_problem(ReadProblem::Kind::not_in_memory);
      try {
        if (rows.empty()) rows = journal_reader_->rows_from(made.next().position, made.room() + made.next().skip);
      } catch (const JournalDamage&) {
        if (made.is_empty()) throw;
        break;   // return what comes before the damage first
      }
      if (rows.empty() && seen == 0) return read_problem(ReadProblem::Kind::archived);
      if (rows.empty()) break;
      for (const auto& row : rows) {
        if (row->position > head || !made.has_room()) break;
        const ChangeStretch all{.position = row->position, .first = row->first_seq, .end = row->end_seq()};
        if (!made.can_begin_in(all)) return read_problem(ReadProblem::Kind::bad_cursor);
        const std::string why = made.add(*row, all);
        if (!why.empty() && !row->is_damaged) untold_.failed(row->event, why);   // DamagedRows logs damaged rows
        ++seen;
      }
    }
    ChangePage page = std::move(made).finish();
    for (RecordedChange& change : page.changes) {
      if (!complete_or_mark(change, from)) return read_problem(ReadProblem::Kind::not_in_memory);
    }
    return page;
  });
}

// ---------------------------------------------------------------------------------------------------------------- from the tables

// Waits until state.db has everything that readers have seen so far.
void EmbeddedLedger::await_tables() const {
  const Position head = recent_.head();
  if (checkpointer_->catch_up_to(head, std::chrono::steady_clock::now() + options_.tables_patience)) return;
  throw DataError("the tables are as of journal row " + std::to_string(checkpointer_->followed()) + ", and row " + std::to_string(head) +
                  " is asked for; state.db follows too slowly, or cannot be written");
}

// Call it after await_tables(): the tables of an event that is not stopped then have what was awaited. Throws TablesStandStill.
void EmbeddedLedger::refuse_stopped(EventNumber number) const {
  if (!checkpointer_->is_stopped(number)) return;
  StoppedEvents stopped = checkpointer_->stopped();
  if (const auto at = stopped.find(number); at != stopped.end()) throw TablesStandStill(told_of({*at}, folder_.state()) + ".");
}

// Reads the tables, and lets /readyz name a reservation whose row is false, unless the tables of its event stand still and are named anyway.
template <typename Read>
auto EmbeddedLedger::noting_false_rows(Read read) const {
  try {
    return read();
  } catch (const ReservationDamage& damage) {
    std::string what = damage.what();
    if (what.ends_with('.')) what.pop_back();
    const auto event = event_of_reservation(damage.reservation());
    if (!event || !checkpointer_->is_stopped(*event)) unreadable_.found(damage.reservation(), what, UnreadableReservations::By::reader);
    throw;
  }
}

Reading<std::vector<SeatChange>> EmbeddedLedger::seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const {
  return guarded_reading([&]() -> Reading<std::vector<SeatChange>> {
    await_tables();
    refuse_stopped(place.event);
    const std::scoped_lock lock(tables_mutex_);
    return noting_false_rows([&] { return tables_->history_of(place.event, place.seat, after, limit); });
  });
}

Reading<ReservationPage> EmbeddedLedger::list_reservations(const ReservationFilter& filter, std::string_view cursor,
                                                           std::size_t limit) const {
  return guarded_reading([&]() -> Reading<ReservationPage> {
    const auto after = cursor.empty() ? ReservationPlace{} : parse_reservation_place(cursor);
    if (!after) return read_problem(ReadProblem::Kind::bad_cursor);
    await_tables();
    if (filter.event) refuse_stopped(*filter.event);   // a list over all events goes on: it has this one as its tables are
    const EventNumber first = std::max(after->event, filter.event.value_or(0));
    const bool only_live = filter.status == ReservationStatus::active;
    ReservationPageInWork made(filter, limit, *after);
    const auto wants = [&](EventNumber event) { return (!filter.event || event == *filter.event) && made.has_room(); };
    const auto visit = [&](const StoredReservation& row) {
      unreadable_.read_well(row.view.id, UnreadableReservations::By::reader);
      made.add(row.event, row.created_seq, as_it_is_now(row));
    };
    const std::scoped_lock lock(tables_mutex_);
    noting_false_rows(
        [&] { tables_->list_reservations(filter.customer, only_live, first, first == after->event ? after->seq : 0, wants, visit); });
    return std::move(made.page);
  });
}

// An order that is not in the tables may be one of an event whose tables stand still. Throws TablesStandStill if nobody can tell.
void EmbeddedLedger::refuse_unsure(const std::optional<Uuid>& sold_for_order) const {
  const StoppedEvents stopped = checkpointer_->stopped();
  if (stopped.empty()) return;
  const auto event = sold_for_order ? event_of_reservation(*sold_for_order) : std::nullopt;
  if (!event || stopped.contains(*event)) throw TablesStandStill(told_of(stopped, folder_.state()) + ".");
}

Reading<std::vector<std::optional<Uuid>>> EmbeddedLedger::find_orders(std::span<const std::string> orders) const {
  return guarded_reading([&]() -> Reading<std::vector<std::optional<Uuid>>> {
    await_tables();
    std::vector<std::optional<Uuid>> found;
    const std::scoped_lock lock(tables_mutex_);
    for (const std::string& order : orders) {
      found.push_back(noting_false_rows([&] { return tables_->find_order(order); }));
      if (found.back()) unreadable_.read_well(*found.back(), UnreadableReservations::By::reader);
      refuse_unsure(found.back());
    }
    return found;
  });
}

// Reservations that can still change are in memory. The others are as they ended, and own nothing.
ReservationView EmbeddedLedger::as_it_is_now(const StoredReservation& row) const {
  const auto published = event(row.event);
  auto view = published == nullptr ? std::nullopt : published->reservation(row.view.id, now());
  if (view) return *std::move(view);
  return row.view;
}

}   // namespace holdfast
