#include "feed/webhooks/journal_source.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

#include "feed/change_json.h"
#include "ledger/data_error.h"

namespace holdfast::feed {
namespace {

constexpr std::size_t k_rows_at_a_time = 1'000;          // looked at for one page
constexpr std::int64_t k_rows_counted_max = 10'000;      // for behind(); more are estimated

}  // namespace

// One call of next() on its way.
struct JournalChangeSource::Reading {
  SourcePage page{};
  std::size_t limit;
  KindSet kinds;
  Place place;        // behind what was looked at
  std::size_t rows = 0;
};

JournalChangeSource::JournalChangeSource(const Ledger& ledger, std::string journal)
    : ledger_(ledger), path_(std::move(journal)), journal_(std::make_unique<Journal>(path_, Journal::Mode::read)) {}

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

SourcePosition JournalChangeSource::text_of(const Place& place) {
  return std::to_string(place.row) + (place.extra == 0 ? "" : "." + std::to_string(place.extra));
}

SourcePage JournalChangeSource::next(const SourcePosition& position, std::size_t limit, KindSet kinds) {
  const std::scoped_lock lock(mutex_);
  Reading reading{.limit = limit, .kinds = kinds, .place = parse(position)};
  auto hash = journal_->hash_at(reading.place.row);
  const Position first = journal_->database().query_int("SELECT coalesce(min(position), 0) FROM journal");
  if (!hash || first > reading.place.row + 1) {
    // Rows were removed, and the anchor that this connection knows is not the journal's any more.
    journal_ = std::make_unique<Journal>(path_, Journal::Mode::read);
    if (journal_->anchor().position > reading.place.row) {
      reading.page.lost = !position.empty();
      reading.place = {.row = journal_->anchor().position};
    }
    hash = journal_->hash_at(reading.place.row);
  }
  if (!hash) throw DataError(path_ + " has no row " + std::to_string(reading.place.row) + ", up to which changes were sent");
  journal_->read({reading.place.row, *hash}, [&](const JournalRow& row) { return read_row(row, reading); });
  reading.page.end = text_of(reading.place);
  return std::move(reading.page);
}

// False when the page ends here.
bool JournalChangeSource::read_row(const JournalRow& row, Reading& reading) {
  const auto published = ledger_.event(row.event);
  // Durable, but not published yet: whoever is told of it now could not read it. The ledger says so in a moment.
  if (published != nullptr && published->seq() + 1 < row.first_seq + row.changes) return false;
  if (reading.rows++ == k_rows_at_a_time) {
    reading.page.at_end = false;
    return false;
  }
  JournalBody body;
  if (!decode_body(row, body)) throw DataError(path_ + " is damaged: row " + std::to_string(row.position) + " cannot be read");
  Reader reader(body.changes);
  ChangeDecoder decoder(row.at);
  Change change;
  for (std::uint32_t i = 0; i < row.changes; ++i) {
    if (!decoder.decode(reader, change)) throw DataError(path_ + " is damaged: row " + std::to_string(row.position) + " cannot be read");
    const auto event = event_id(row.event, change);
    if (i < reading.place.extra) continue;
    if (event && (reading.kinds & kind_bit(change.kind)) != 0) {
      if (reading.page.changes.size() == reading.limit) {
        reading.page.at_end = false;
        return false;
      }
      const Place behind{.row = row.position - 1, .extra = i + 1};
      reading.page.changes.push_back({.position = text_of(i + 1 == row.changes ? Place{.row = row.position} : behind),
                                      .event = *event,
                                      .seq = row.first_seq + i,
                                      .kind = change.kind,
                                      .reservation = concerns_reservation(change.kind) ? std::optional(change.reservation) : std::nullopt,
                                      .at = row.at,
                                      .json = json_of(row, change, row.first_seq + i, *event)});
    }
    reading.place = {.row = row.position - 1, .extra = i + 1};
  }
  reading.place = {.row = row.position};
  return true;
}

// An event that is being imported is not there for anybody; its first change has its id. One whose import a crash cut off has none any
// more: its changes are of no use to anybody, and are left out.
std::optional<Uuid> JournalChangeSource::event_id(EventNumber number, const Change& change) {
  if (const auto published = ledger_.event(number)) {
    importing_.erase(number);
    return published->card().id;
  }
  if (change.kind == ChangeKind::event_created) importing_[number] = change.card->id;
  const auto known = importing_.find(number);
  return known == importing_.end() ? std::nullopt : std::optional(known->second);
}

std::string JournalChangeSource::json_of(const JournalRow& row, const Change& change, Seq seq, const Uuid& event) const {
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
