#include "ledger/embedded/journal_reader.h"

#include <algorithm>

#include "ledger/data_error.h"

namespace holdfast {
namespace {

constexpr std::size_t k_rows_at_once_max = 10'000;   // rows without changes would have no other end

constexpr const char* k_sql_indexed =
    "SELECT first_seq, position FROM journal_index WHERE event = ?1 AND first_seq >= "
    "(SELECT max(first_seq) FROM journal_index WHERE event = ?1 AND first_seq <= ?2) ORDER BY first_seq";
constexpr const char* k_sql_row = "SELECT position, event, first_seq, changes, at, body FROM journal WHERE position = ?1";
constexpr const char* k_sql_rows =
    "SELECT position, event, first_seq, changes, at, body FROM journal WHERE position >= ?1 ORDER BY position";
// The body stands last in a row, so that those of other events are not read.
constexpr const char* k_sql_tail =
    "SELECT position, event, first_seq, changes, at, body FROM journal WHERE position > ?1 AND event = ?2 AND first_seq + changes > ?3 "
    "ORDER BY position";

std::shared_ptr<const KeptRow> kept(const sqlite::Statement& row) {
  const JournalRow read{.position = row.integer(0),
                        .event = static_cast<EventNumber>(row.integer(1)),
                        .first_seq = static_cast<Seq>(row.integer(2)),
                        .changes = static_cast<std::uint32_t>(row.integer(3)),
                        .at = row.integer(4),
                        .body = row.blob(5)};
  JournalBody body;
  if (!decode_body(read, body)) throw DataError("journal row " + std::to_string(read.position) + " cannot be read");
  return std::make_shared<const KeptRow>(KeptRow{.position = read.position,
                                                 .event = read.event,
                                                 .first_seq = read.first_seq,
                                                 .changes = read.changes,
                                                 .at = read.at,
                                                 .bytes = std::string(body.changes),
                                                 .versions = std::string(body.versions),
                                                 .traces = std::string(body.traces)});
}

// Whether a reading has what it was asked for, or as much as it may take.
class Measure {
 public:
  explicit Measure(std::size_t changes_max) : changes_left_(changes_max) {}
  bool is_full_with(const KeptRow& row) {
    changes_left_ -= std::min<std::size_t>(changes_left_, row.changes);
    bytes_ += row.bytes.size();
    return changes_left_ == 0 || bytes_ >= JournalReader::k_bytes_at_once || ++rows_ >= k_rows_at_once_max;
  }

 private:
  std::size_t changes_left_;
  std::size_t bytes_ = 0;
  std::size_t rows_ = 0;
};

}  // namespace

JournalReader::JournalReader(const std::string& journal, const std::string& state)
    : journal_(journal, sqlite::Database::Mode::read_only), state_(state, sqlite::Database::Mode::read_only) {}

Position JournalReader::indexed_through() { return state_.query_int("SELECT value FROM meta WHERE name = 'position'"); }

KeptRows JournalReader::rows_of(EventNumber event, Seq next, std::size_t changes_max) {
  const std::scoped_lock lock(mutex_);
  const Position indexed = indexed_through();   // before the index is read: it may grow meanwhile, and nothing is left out between
  KeptRows rows = indexed_rows(event, next, changes_max);
  if (rows.empty()) rows = rows_in_tail(indexed, event, next, changes_max);
  return rows;
}

KeptRows JournalReader::indexed_rows(EventNumber event, Seq next, std::size_t changes_max) {
  sqlite::Statement index(state_, k_sql_indexed);
  sqlite::Statement row(journal_, k_sql_row);
  KeptRows rows;
  Measure measure(changes_max);
  index.bind(1, std::int64_t{event}).bind(2, static_cast<std::int64_t>(next));
  while (index.step()) {
    row.bind(1, index.integer(1));
    if (!row.step()) break;   // its retention ended between the two
    auto found = kept(row);
    row.reset();
    if (rows.empty() && found->end_seq() <= next) break;   // the index ends before `next`
    rows.push_back(std::move(found));
    if (measure.is_full_with(*rows.back())) break;
  }
  return rows;
}

KeptRows JournalReader::rows_in_tail(Position after, EventNumber event, Seq next, std::size_t changes_max) {
  sqlite::Statement tail(journal_, k_sql_tail);
  tail.bind(1, after).bind(2, std::int64_t{event}).bind(3, static_cast<std::int64_t>(next));
  KeptRows rows;
  Measure measure(changes_max);
  while (tail.step()) {
    auto found = kept(tail);
    if (rows.empty() && found->first_seq > next) break;
    rows.push_back(std::move(found));
    if (measure.is_full_with(*rows.back())) break;
  }
  return rows;
}

KeptRows JournalReader::rows_from(Position first, std::size_t changes_max) {
  const std::scoped_lock lock(mutex_);
  sqlite::Statement statement(journal_, k_sql_rows);
  statement.bind(1, first);
  KeptRows rows;
  Measure measure(changes_max);
  while (statement.step()) {
    auto found = kept(statement);
    if (rows.empty() && found->position != first) break;
    rows.push_back(std::move(found));
    if (measure.is_full_with(*rows.back())) break;
  }
  return rows;
}

std::optional<Position> JournalReader::oldest() {
  const std::scoped_lock lock(mutex_);
  const Position position = journal_.query_int("SELECT coalesce(min(position), 0) FROM journal");
  return position == 0 ? std::nullopt : std::optional(position);
}

std::optional<Seq> JournalReader::oldest_of(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  const Position indexed = indexed_through();
  sqlite::Statement index(state_, "SELECT first_seq FROM journal_index WHERE event = ?1 ORDER BY first_seq LIMIT 1");
  index.bind(1, std::int64_t{event});
  if (index.step()) return static_cast<Seq>(index.integer(0));
  sqlite::Statement first(journal_, "SELECT first_seq FROM journal WHERE position > ?1 AND event = ?2 AND changes > 0 ORDER BY position");
  first.bind(1, indexed).bind(2, std::int64_t{event});
  return first.step() ? std::optional(static_cast<Seq>(first.integer(0))) : std::nullopt;
}

}  // namespace holdfast
