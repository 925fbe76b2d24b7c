#include "feed/webhooks/ledger_source.h"

#include <stdexcept>

#include "feed/change_json.h"

namespace holdfast::feed {
namespace {

constexpr std::size_t k_changes_at_once = 256;      // in one reading of the ledger
constexpr std::size_t k_changes_looked_at = 4'096;   // for one page
constexpr const char* k_damaged = "what was recorded of it is damaged; its messages wait in the queues";

[[noreturn]] void fail(const ReadProblem& problem, const std::string& cursor) {
  if (problem.kind == ReadProblem::Kind::bad_cursor) throw std::runtime_error("`" + cursor + "` is not a place in the ledger's changes");
  throw std::runtime_error("the ledger's changes cannot be read at the moment");
}

}  // namespace

SourcePage LedgerChangeSource::next(const SourcePosition& position, std::size_t limit, KindSet kinds) {
  SourcePage page;
  page.end = position;
  for (std::size_t looked_at = 0; looked_at < k_changes_looked_at;) {
    auto read = ledger_.read_all_changes(page.end, k_changes_at_once, ReadFrom::anywhere);
    if (!read && read.error().kind == ReadProblem::Kind::archived) {
      page.lost = page.lost || !page.end.empty();
      page.end = k_cursor_oldest;
      read = ledger_.read_all_changes(page.end, k_changes_at_once, ReadFrom::anywhere);
    }
    if (!read) fail(read.error(), page.end);
    for (RecordedChange& change : read->changes) {
      if (change.is_unreadable || (kinds & kind_bit(change.kind)) != 0) {
        if (page.changes.size() == limit) {
          page.at_end = false;
          return page;
        }
        page.changes.push_back(told(change));
      }
      page.end = std::move(change.cursor);
      ++looked_at;
    }
    if (read->changes.empty() && read->next == page.end) return page;
    page.end = std::move(read->next);
  }
  page.at_end = false;
  return page;
}

// If the change's event cannot be read, reports only that the change exists, so that other events' changes go on.
SourceChange LedgerChangeSource::told(RecordedChange& change) {
  if (change.is_unreadable) {
    unreadable_.failed(change.event, k_damaged);
    return {.position = change.cursor, .event = change.event_id, .seq = change.seq, .is_unreadable = true};
  }
  const auto published = find(change.event);
  SourceChange made{.position = change.cursor,
                    .event = change.event_id,
                    .seq = change.seq,
                    .kind = change.kind,
                    .reservation = concerns_reservation(change.kind) ? std::optional(change.reservation) : std::nullopt,
                    .at = change.at,
                    .is_unreadable = published == nullptr && state_after(change.kind).has_value()};
  if (made.is_unreadable) return made;
  Json json(made.json);
  append_change(json, change, published == nullptr ? nullptr : published->plan().get());
  return made;
}

// nullptr if it cannot be read at the moment, or is not open.
std::shared_ptr<const PublishedEvent> LedgerChangeSource::find(EventNumber event) {
  auto published = ledger_.event(event);
  if (published == nullptr) {
    if (!unreadable_.may_try(event)) return nullptr;
    if (!ledger_.bring({.event = event})) {
      unreadable_.failed(event, "it cannot be read at the moment; its messages wait in the queues");
      return nullptr;
    }
    published = ledger_.event(event);
  }
  unreadable_.worked(event);
  return published;
}

std::optional<SourceChange> LedgerChangeSource::tell(const Uuid& event, Seq seq) {
  auto number = ledger_.event_by_id(event);
  if (!number && ledger_.bring({.event_id = event})) number = ledger_.event_by_id(event);
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
  return change;
}

SourcePosition LedgerChangeSource::end() {
  auto read = ledger_.read_all_changes(k_cursor_latest, 1, ReadFrom::anywhere);
  if (!read) fail(read.error(), std::string(k_cursor_latest));
  return std::move(read->next);
}

}  // namespace holdfast::feed
