#include "feed/webhooks/journal_source.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

#include "feed/change_json.h"
#include "ledger/data_error.h"

namespace holdfast::feed {
namespace {

constexpr std::size_t k_rows_at_a_time = 1'000;          // examined for one page
constexpr std::size_t k_changes_at_once = 256;           // in one reading of the journal
constexpr const char* k_damaged = "a row of its journal is damaged; its messages wait in the queues, and the log names it";
constexpr std::int64_t k_rows_counted_max = 10'000;      // counted by behind(); it estimates the rest

}  // namespace

// One call of next() in progress.
struct JournalChangeSource::Reading {
  SourcePage page{};
  std::size_t limit;
  KindSet kinds;
  Place place;        // after the last change that was examined
  std::size_t rows = 0;
};

JournalChangeSource::JournalChangeSource(const EmbeddedLedger& ledger, std::string journal)
    : ledger_(ledger),
      path_(std::move(journal)),
      journal_(std::make_unique<Journal>(path_, Journal::Mode::read)),
      reader_(ledger.new_reader()) {}

JournalChangeSource::~JournalChangeSource() = default;

JournalChangeSource::Place JournalChangeSource::parse(const SourcePosition& position) {
  if (position.empty()) return {};
  Place place;
  const char* const end = position.data() + position.size();
  auto read = std::from_chars(position.data(), end, place.row);
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '.') read = std::from_chars(read.ptr + 1, end, place.extra);
  if (read.ec != std::errc{} || read.ptr != end || place.row < 0) throw DataError("`" + position + "` is not a position in the journal");
  return place;
}

// The place after the row's change `i`, counted from 0.
JournalChangeSource::Place JournalChangeSource::place_behind(const KeptRow& row, std::uint32_t i) {
  return i + 1 == row.changes ? Place{.row = row.position} : Place{.row = row.position - 1, .extra = i + 1};
}

SourcePosition JournalChangeSource::text_of(const Place& place) {
  return std::to_string(place.row) + (place.extra == 0 ? "" : "." + std::to_string(place.extra));
}

SourcePage JournalChangeSource::next(const SourcePosition& position, std::size_t limit, KindSet kinds) {
  const std::scoped_lock lock(mutex_);
  Reading reading{.limit = limit, .kinds = kinds, .place = parse(position)};
  find_beginning(reading, position.empty());
  for (bool goes_on = true; goes_on;) {
    KeptRows rows;
    try {
      rows = reader_->rows_from(reading.place.row + 1, k_changes_at_once);
    } catch (const JournalDamage&) {
      if (reading.page.changes.empty()) throw;
      reading.page.at_end = false;   // return what comes before the damage first
    }
    if (rows.empty()) break;
    for (const auto& row : rows) {
      goes_on = row->is_damaged ? read_damaged(*row, reading) : read_row(*row, reading);
      if (!goes_on) break;
    }
  }
  reading.page.end = text_of(reading.place);
  return std::move(reading.page);
}

// Makes sure that the journal has the rows after the place. If some were removed, goes on with the oldest row.
void JournalChangeSource::find_beginning(Reading& reading, bool is_new) {
  auto hash = journal_->hash_at(reading.place.row);
  const Position first = journal_->database().query_int("SELECT coalesce(min(position), 0) FROM journal");
  if (!hash || first > reading.place.row + 1) {
    // Rows were removed, so the anchor that this connection has read is out of date.
    journal_ = std::make_unique<Journal>(path_, Journal::Mode::read);
    if (journal_->anchor().position > reading.place.row) {
      reading.page.lost = !is_new;
      reading.place = {.row = journal_->anchor().position};
    }
    hash = journal_->hash_at(reading.place.row);
  }
  if (!hash) throw DataError(path_ + " has no row " + std::to_string(reading.place.row) + ", up to which changes were sent");
}

// False if the page ends here.
bool JournalChangeSource::read_row(const KeptRow& row, Reading& reading) {
  const auto published = ledger_.event(row.event);
  // The change is durable, but not published yet: a receiver that reacts at once could not read it. The ledger wakes this soon.
  if (published != nullptr && published->seq() + 1 < row.end_seq()) return false;
  if (reading.rows++ == k_rows_at_a_time) {
    reading.page.at_end = false;
    return false;
  }
  Reader reader(row.bytes);
  ChangeDecoder decoder(row.at);
  Change change;
  for (std::uint32_t i = 0; i < row.changes; ++i) {
    if (!decoder.decode(reader, change)) return read_damaged(row, reading);   // marks the rest of the row as unreadable
    const auto event = event_id(row.event, change);
    if (i < reading.place.extra) continue;
    if (event && (reading.kinds & kind_bit(change.kind)) != 0) {
      if (reading.page.changes.size() == reading.limit) {
        reading.page.at_end = false;
        return false;
      }
      reading.page.changes.push_back(told(row, change, i, *event));
    }
    reading.place = {.row = row.position - 1, .extra = i + 1};
  }
  reading.place = {.row = row.position};
  return true;
}

// The change; or only that it exists, if the stored reservation cannot be read.
SourceChange JournalChangeSource::told(const KeptRow& row, const Change& change, std::uint32_t i, const Uuid& event) {
  SourceChange made{.position = text_of(place_behind(row, i)),
                    .event = event,
                    .seq = row.first_seq + i,
                    .kind = change.kind,
                    .reservation = concerns_reservation(change.kind) ? std::optional(change.reservation) : std::nullopt,
                    .at = row.at};
  try {
    made.json = json_of(row, change, made.seq, event);
  } catch (const ReservationUnreadable& error) {
    unreadable_.failed(row.event, error.what());
    made.is_unreadable = true;
  } catch (const DataError& error) {
    unreadable_.failed(row.event, error.what());
    made.is_unreadable = true;
  }
  return made;
}

// The same for a damaged row: only its event and the numbers of its changes are known.
bool JournalChangeSource::read_damaged(const KeptRow& row, Reading& reading) {
  // The first change of an event that is being imported has the event's id.
  if (row.first_seq == 1 && ledger_.event(row.event) == nullptr) {
    if (const auto id = ledger_.id_of(row.event)) importing_.try_emplace(row.event, *id);
  }
  const auto event = known_id(row.event);
  if (event && row.changes > 0) unreadable_.failed(row.event, k_damaged);
  for (std::uint32_t i = reading.place.extra; event && i < row.changes; ++i) {
    if (reading.page.changes.size() == reading.limit) {
      reading.page.at_end = false;
      return false;
    }
    reading.page.changes.push_back(
        {.position = text_of(place_behind(row, i)), .event = *event, .seq = row.first_seq + i, .is_unreadable = true});
    reading.place = {.row = row.position - 1, .extra = i + 1};
  }
  reading.place = {.row = row.position};
  return true;
}

std::optional<feed::SourceChange> JournalChangeSource::tell(const Uuid& event, Seq seq) {
  const auto number = ledger_.event_by_id(event);
  if (!number) throw std::runtime_error("event " + to_string(event) + " is not there");
  auto page = ledger_.read_changes(*number, seq - 1, 1, ReadFrom::anywhere);
  if (!page && page.error().kind == ReadProblem::Kind::archived) return std::nullopt;
  if (!page || page->changes.empty()) {
    unreadable_.failed(*number, k_damaged);
    throw std::runtime_error("change " + std::to_string(seq) + " of event " + to_string(event) + " cannot be read at the moment");
  }
  unreadable_.worked(*number);
  const RecordedChange& change = page->changes.front();
  feed::SourceChange made{.position = {},
                          .event = event,
                          .seq = seq,
                          .kind = change.kind,
                          .reservation = concerns_reservation(change.kind) ? std::optional(change.reservation) : std::nullopt,
                          .at = change.at};
  Json json(made.json);
  append_change(json, change, ledger_.event(*number)->plan().get());
  return made;
}

// The id of an event that is being imported is only in its first change. If a crash has interrupted the import, the id is no
// longer known: its changes are of no use to anybody, and are left out.
std::optional<Uuid> JournalChangeSource::event_id(EventNumber number, const Change& change) {
  if (change.kind == ChangeKind::event_created) importing_[number] = change.card->id;
  return known_id(number);
}

std::optional<Uuid> JournalChangeSource::known_id(EventNumber number) {
  if (const auto published = ledger_.event(number)) {
    importing_.erase(number);
    return published->card().id;
  }
  const auto known = importing_.find(number);
  return known == importing_.end() ? std::nullopt : std::optional(known->second);
}

std::string JournalChangeSource::json_of(const KeptRow& row, const Change& change, Seq seq, const Uuid& event) const {
  RecordedChange recorded{.event = row.event,
                          .event_id = event,
                          .seq = seq,
                          .at = row.at,
                          .kind = change.kind,
                          .reservation = change.reservation,
                          .expires_at = change.expires_at,
                          .ends = change.ends,
                          .count = change.count};
  recorded.seats.assign(change.seats.begin(), change.seats.end());
  if (change.settings != nullptr) recorded.settings = *change.settings;
  if (concerns_reservation(change.kind)) {
    const auto reservation = ledger_.reservation(change.reservation);
    if (!reservation)
      throw DataError(path_ + " tells of reservation " + to_string(change.reservation) + ", which the ledger does not know");
    recorded.customer = reservation->customer;
    if (change.kind == ChangeKind::consumed) recorded.order = change.text;
    if (change.kind == ChangeKind::returned) recorded.order = reservation->order;
    if (change.kind == ChangeKind::consumed || change.kind == ChangeKind::expired) {
      for (const ReservedSeat& each : reservation->seats) recorded.seats.push_back(each.seat);
    }
  }
  const auto published = ledger_.event(row.event);
  std::string out;
  Json json(out);
  append_change(json, recorded, published == nullptr ? nullptr : published->plan().get());
  return out;
}

SourcePosition JournalChangeSource::end() {
  const std::scoped_lock lock(mutex_);
  return text_of(
      {.row = journal_->database().query_int(
           "SELECT max(coalesce((SELECT max(position) FROM journal), 0), (SELECT value FROM meta WHERE name = 'anchor_position'))")});
}

std::uint64_t JournalChangeSource::behind(const SourcePosition& position) {
  const std::scoped_lock lock(mutex_);
  const Place place = parse(position);
  sqlite::Statement count(journal_->database(),
                          "SELECT count(*), coalesce(sum(changes), 0), (SELECT max(position) FROM journal) FROM "
                          "(SELECT changes FROM journal WHERE position > ? ORDER BY position LIMIT ?)");
  count.bind(1, place.row).bind(2, k_rows_counted_max);
  if (!count.step()) return 0;
  const std::int64_t rows = count.integer(0);
  std::int64_t changes = count.integer(1);
  if (rows == k_rows_counted_max)
    changes = static_cast<std::int64_t>(static_cast<double>(changes) / static_cast<double>(rows) *
                                        static_cast<double>(count.integer(2) - place.row));
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, changes - place.extra));
}

Position JournalChangeSource::needless_through(std::span<const EndpointReport> endpoints) {
  Position through = std::numeric_limits<Position>::max();
  for (const EndpointReport& each : endpoints) {
    if (each.endpoint.enabled) through = std::min(through, parse(each.endpoint.position).row);
  }
  return through;
}

}  // namespace holdfast::feed
