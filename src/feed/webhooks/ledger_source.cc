#include "feed/webhooks/ledger_source.h"

#include <algorithm>
#include <stdexcept>

#include "feed/change_json.h"
#include "feed/webhooks/row_positions.h"

namespace holdfast::feed {
namespace {

constexpr std::size_t k_changes_at_once = 256;      // in one reading of the ledger
constexpr std::size_t k_changes_looked_at = 4'096;   // for one page
constexpr const char* k_damaged = "what was recorded of it is damaged; its messages wait in the queues";

// `position`: as the store has it, which is what an operator can look up.
[[noreturn]] void fail(const ReadProblem& problem, const SourcePosition& position) {
  if (problem.kind == ReadProblem::Kind::bad_cursor) throw std::runtime_error("`" + position + "` is not a place in the ledger's changes");
  const std::string which = position.empty() ? "the ledger's first changes" : "the ledger's changes after position `" + position + "`";
  throw std::runtime_error(which + " cannot be read at the moment");
}

}  // namespace

std::string LedgerChangeSource::cursor_of(const SourcePosition& position) const {
  return positions_ == Positions::rows ? cursor_of_row_position(position) : position;
}

SourcePosition LedgerChangeSource::position_of(const std::string& cursor) const {
  return positions_ == Positions::rows ? row_position_of_cursor(cursor) : cursor;
}

SourcePage LedgerChangeSource::next(const SourcePosition& position, std::size_t limit, KindSet kinds) {
  SourcePage page;
  std::string cursor = cursor_of(position);
  page.at_end = read_on(cursor, limit, kinds, page);
  page.end = position_of(cursor);
  return page;
}

// Moves `cursor` over what was looked at. False if the page ends before the changes do.
bool LedgerChangeSource::read_on(std::string& cursor, std::size_t limit, KindSet kinds, SourcePage& page) {
  for (std::size_t looked_at = 0; looked_at < k_changes_looked_at;) {
    auto read = ledger_.read_all_changes(cursor, k_changes_at_once, ReadFrom::anywhere);
    if (!read && looked_at > 0) return false;   // tell what comes before it first; the next page begins here, and goes on or fails
    if (!read && read.error().kind == ReadProblem::Kind::archived) {
      page.lost = !cursor.empty();
      cursor = k_cursor_oldest;
      read = ledger_.read_all_changes(cursor, k_changes_at_once, ReadFrom::anywhere);
    }
    if (!read) fail(read.error(), cursor == k_cursor_oldest ? SourcePosition() : position_of(cursor));
    for (RecordedChange& change : read->changes) {
      if (change.kind == ChangeKind{} || (kinds & kind_bit(change.kind)) != 0) {
        if (page.changes.size() == limit) return false;
        page.changes.push_back(told(change));
      }
      cursor = std::move(change.cursor);
    }
    looked_at += std::max(read->changes.size(), k_changes_at_once);   // a reading without changes has passed rows, too
    if (read->changes.empty() && read->next == cursor) return true;
    cursor = std::move(read->next);
  }
  return false;
}

// If the change's event cannot be read, reports only that the change exists, so that other events' changes go on.
SourceChange LedgerChangeSource::told(RecordedChange& change) {
  SourceChange made{.position = position_of(change.cursor),
                    .event = change.event_id,
                    .seq = change.seq,
                    .kind = change.kind,
                    .reservation = concerns_reservation(change.kind) ? std::optional(change.reservation) : std::nullopt,
                    .at = change.at,
                    .is_unreadable = change.is_unreadable};
  if (change.is_unreadable) {
    unreadable_.failed(change.event, k_damaged);
    return made;
  }
  const auto published = find(change.event);
  made.is_unreadable = published == nullptr && state_after(change.kind).has_value();
  if (made.is_unreadable) return made;
  Json json(made.json);
  append_change(json, change, published == nullptr ? nullptr : published->plan().get());
  return made;
}

// nullptr if it cannot be read at the moment, or is not open.
std::shared_ptr<const PublishedEvent> LedgerChangeSource::find(EventNumber event) {
  auto published = ledger_.event(event);
  if (published == nullptr) {
    if (!away_.may_try(event)) return nullptr;
    if (!ledger_.bring({.event = event})) {
      away_.failed(event, "it cannot be read at the moment; its messages wait in the queues");
      return nullptr;
    }
    published = ledger_.event(event);
  }
  away_.worked(event);
  return published;
}

std::optional<SourceChange> LedgerChangeSource::tell(const Uuid& event, Seq seq) {
  auto number = ledger_.event_by_id(event);
  if (!number && ledger_.bring({.event_id = event})) number = ledger_.event_by_id(event);
  // A folder's ledger knows all events but those of abandoned imports: a damaged change of one is never read.
  if (!number && positions_ == Positions::rows) return std::nullopt;
  const auto cannot = [&] { return std::runtime_error("event " + to_string(event) + " cannot be read at the moment"); };
  if (!number || find(*number) == nullptr) throw cannot();
  auto page = ledger_.read_changes(*number, seq - 1, 1, ReadFrom::anywhere);
  if (!page && page.error().kind == ReadProblem::Kind::archived) return std::nullopt;
  if (!page || page->changes.empty()) {
    unreadable_.failed(*number, k_damaged);
    throw cannot();
  }
  SourceChange change = told(page->changes.front());
  if (change.is_unreadable) throw cannot();
  unreadable_.worked(*number);
  return change;
}

SourcePosition LedgerChangeSource::end() {
  auto read = ledger_.read_all_changes(k_cursor_latest, 1, ReadFrom::anywhere);
  if (!read) throw std::runtime_error("the end of the ledger's changes cannot be read at the moment");
  return position_of(read->next);
}

FailingEvents::Summary LedgerChangeSource::unreadable() const {
  FailingEvents::Summary all = unreadable_.summary();
  FailingEvents::Summary away = away_.summary();
  if (all.events == 0) return away;
  if (away.events > 0) all.since = std::min(all.since, away.since);
  if (away.events > 0) all.text += "; " + away.text;
  all.events += away.events;
  return all;
}

}  // namespace holdfast::feed
