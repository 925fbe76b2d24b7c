#include "simulation/follower.h"

#include <fmt/format.h>

#include "ledger/cursors.h"
#include "simulation/failure.h"

namespace holdfast::simulation {
namespace {

constexpr std::size_t k_history_max = 10'000;

const char* name_of(ReadProblem::Kind kind) {
  switch (kind) {
    case ReadProblem::Kind::not_in_memory: return "not in memory";
    case ReadProblem::Kind::archived: return "archived";
    case ReadProblem::Kind::bad_cursor: return "bad cursor";
    case ReadProblem::Kind::stands_still: return "stands still";
    case ReadProblem::Kind::unavailable: return "unavailable";
  }
  return "";
}

}   // namespace

std::string told(const RecordedChange& change) {
  std::string text =
      fmt::format("{} {} {} {} {} '{}' '{}' {} {} {}", change.event, change.seq, change.at, holdfast::name_of(change.kind),
                  to_string(change.reservation), change.customer, change.order, change.expires_at, change.ends, change.count);
  for (std::size_t i = 0; i < change.seats.size(); ++i) text += fmt::format(" {}@{}", change.seats[i], change.versions[i]);
  if (change.settings) text += fmt::format(" {} status {}", change.settings->name, static_cast<int>(change.settings->status));
  return text;
}

bool Follower::read(const EmbeddedLedger& ledger, std::size_t limit, ReadFrom from, bool may_fail) {
  const auto page = ledger.read_all_changes(cursor_, limit, from);
  if (!page) {
    const ReadProblem::Kind kind = page.error().kind;
    expect((kind == ReadProblem::Kind::not_in_memory && from == ReadFrom::memory) || (kind == ReadProblem::Kind::unavailable && may_fail),
           fmt::format("a follower cannot read on from {}: {}", cursor_, name_of(kind)));
    return false;
  }
  for (const RecordedChange& change : page->changes) {
    if (change.is_unreadable && may_fail) return false;
    take(change);
    cursor_ = change.cursor;
  }
  cursor_ = page->next;
  return !page->changes.empty();
}

void Follower::take(const RecordedChange& change) {
  const auto wrong = [&](const std::string& what) { return fmt::format("a follower is told {}: {}", told(change), what); };
  expect(!change.is_unreadable, fmt::format("a follower is told that change {} of event {} is unreadable", change.seq, change.event));
  expect(change.seats.size() == change.versions.size(), fmt::format("change {} of event {} lacks versions", change.seq, change.event));
  Event& event = events_[change.event];
  if (event.told.empty()) event.id = change.event_id;
  expect(event.id == change.event_id, wrong("the event has another id"));
  expect(change.seq == event.told.size() + 1, wrong(fmt::format("change {} should follow", event.told.size() + 1)));
  for (std::size_t i = 0; i < change.seats.size(); ++i) {
    Seat& seat = event.seats[change.seats[i]];
    expect(change.versions[i] == seat.version + 1, wrong(fmt::format("seat {} has version {}", change.seats[i], seat.version)));
    seat.version = change.versions[i];
    seat.state = state_after(change.kind).value();
    seat.changes.push_back(change.seq);
  }
  event.told.push_back(told(change));
  ++count_;
}

Position Follower::passed() const {
  const auto place = parse_change_place(cursor_);
  return place ? place->position - 1 : 0;
}

Seq Follower::last_of(EventNumber event) const {
  const auto known = events_.find(event);
  return known == events_.end() ? 0 : known->second.told.size();
}

void Follower::check_nothing_lost(const EmbeddedLedger& ledger) const {
  for (const EventNumber number : ledger.events()) {
    const Seq last = ledger.event(number)->seq();
    expect(last_of(number) <= last,
           fmt::format("a follower was told change {} of event {}, which now ends at {}", last_of(number), number, last));
  }
}

void Follower::compare(const EmbeddedLedger& ledger) const {
  const Millis now = ledger.now();
  for (const EventNumber number : ledger.events()) {
    const auto shown = ledger.event(number);
    expect(last_of(number) == shown->seq(),
           fmt::format("a follower has {} changes of event {}, and readers see {}", last_of(number), number, shown->seq()));
    for (const auto& [seat, known] : events_.at(number).seats) {
      const SeatReading reading = shown->seat(seat, now);
      const bool is_over = known.state == SeatState::held && reading.state == SeatState::available;
      expect(known.version == reading.version && (known.state == reading.state || is_over),
             fmt::format("a follower has seat {} of event {} as {} version {}, and readers see {} version {}", seat, number,
                         holdfast::name_of(known.state), known.version, holdfast::name_of(reading.state), reading.version));
    }
  }
}

void Follower::compare_pages(const EmbeddedLedger& ledger, EventNumber number, Seq after, bool may_be_gone, bool may_fail) const {
  const auto known = events_.find(number);
  if (known == events_.end()) return;
  const auto page = ledger.read_changes(number, after, 50, ReadFrom::anywhere);
  if (!page) {
    const ReadProblem::Kind kind = page.error().kind;
    expect((kind == ReadProblem::Kind::archived && may_be_gone) || (kind == ReadProblem::Kind::unavailable && may_fail),
           fmt::format("changes of event {} after {} cannot be read: {}", number, after, name_of(kind)));
    return;
  }
  Seq seq = after;
  for (const RecordedChange& change : page->changes) {
    if (change.is_unreadable && may_fail) return;
    expect(change.seq == ++seq, fmt::format("a page of event {} has change {} where {} should be", number, change.seq, seq));
    if (seq > known->second.told.size()) return;
    expect(told(change) == known->second.told[seq - 1],
           fmt::format("a page says {}\nand a follower was told {}", told(change), known->second.told[seq - 1]));
  }
}

void Follower::compare_history(const EmbeddedLedger& ledger, EventNumber number, SeatIndex seat) const {
  const auto history = ledger.seat_history({number, seat}, 0, k_history_max);
  expect(history.has_value(), fmt::format("the history of seat {} of event {} cannot be read", seat, number));
  const auto& seats = events_.at(number).seats;
  const auto known = seats.find(seat);
  const std::vector<Seq> changes = known == seats.end() ? std::vector<Seq>() : known->second.changes;
  expect(history->size() == changes.size(), fmt::format("seat {} of event {} has {} changes in the tables, and a follower was told {}",
                                                        seat, number, history->size(), changes.size()));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    expect((*history)[i].seq == changes[i] && (*history)[i].version == i + 1,
           fmt::format("the history of seat {} of event {} is not what a follower was told", seat, number));
  }
}

}   // namespace holdfast::simulation
