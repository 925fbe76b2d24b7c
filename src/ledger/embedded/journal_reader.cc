#include "ledger/embedded/journal_reader.h"

#include <algorithm>

#include "core/bytes.h"
#include "ledger/change_pages.h"
#include "ledger/data_error.h"

namespace holdfast {
namespace {

constexpr std::size_t k_rows_at_once_max = 10'000;   // without it, rows without changes would never fill a reading

constexpr const char* k_sql_indexed =
    "SELECT first_seq, position FROM journal_index WHERE event = ?1 AND first_seq >= "
    "(SELECT max(first_seq) FROM journal_index WHERE event = ?1 AND first_seq <= ?2) ORDER BY first_seq";
// Each row with the hash of the row before it, or of the anchor. Body and hashes come last, so that SQLite does not read those of
// other events.
#define HOLDFAST_ROW                                                                 \
  "SELECT position, event, first_seq, changes, at, body, hash, coalesce("            \
  "(SELECT hash FROM journal before WHERE before.position = journal.position - 1), " \
  "(SELECT value FROM meta WHERE name = 'anchor_hash' AND "                          \
  "(SELECT value FROM meta WHERE name = 'anchor_position') = journal.position - 1)) FROM journal WHERE "
constexpr const char* k_sql_row = HOLDFAST_ROW "position = ?1";
constexpr const char* k_sql_rows = HOLDFAST_ROW "position >= ?1 ORDER BY position";
constexpr const char* k_sql_tail = HOLDFAST_ROW "position > ?1 AND event = ?2 AND first_seq + changes > ?3 ORDER BY position";
constexpr const char* k_sql_anchor = "SELECT value FROM meta WHERE name = 'anchor_position'";
// Looks up the event and the changes of a row that cannot be read itself. The index is not ordered by position, so this is slow,
// and rare.
constexpr const char* k_sql_whose =
    "SELECT i.event, i.first_seq, coalesce((SELECT min(n.first_seq) FROM journal_index n WHERE n.event = i.event AND n.first_seq > "
    "i.first_seq), (SELECT seq + 1 FROM event WHERE number = i.event)) FROM journal_index i WHERE i.position = ?1";

std::optional<ChainHash> hash_in(const sqlite::Statement& row, int column) {
  ChainHash hash{};
  return read_bytes(row.blob(column), hash) ? std::optional(hash) : std::nullopt;
}

// Whether a reading has what was asked for, or has reached its limits.
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

JournalReader::JournalReader(const std::string& journal, const std::string& state, std::shared_ptr<DamagedRows> damaged)
    : journal_(journal, sqlite::Database::Mode::read_only),
      state_(state, sqlite::Database::Mode::read_only),
      damaged_(std::move(damaged)) {}

// ---------------------------------------------------------------------------------------------------------------- one row

// No reading passes this row, because it is not known whose changes it has.
void JournalReader::end_before(Position position, const std::string& what) const {
  const std::string told =
      journal_.path() + " is damaged: " + what +
      ". Changes from there on are told to nobody. Selling goes on; a start may refuse the file. Put back both files from a "
      "backup (holdfast restore), or ask for help and keep the file as it is";
  damaged_->ends_before(position, told);
  throw JournalDamage(told + ".");
}

std::shared_ptr<const KeptRow> JournalReader::kept(const sqlite::Statement& row) {
  const JournalRow read = journal_row_in(row);
  const bool has_its_numbers = row.integer(1) == std::int64_t{read.event} && row.integer(3) == std::int64_t{read.changes};
  JournalBody body;
  if (!has_its_numbers || !fits(read, hash_in(row, 7)) || !decode_body(read, body)) return damaged_row(read.position);
  damaged_->read_well(read.position);
  return std::make_shared<const KeptRow>(kept_row(read, body, read.position));
}

// The row. Nullptr if its event is unknown because of damage, and `rows` has earlier rows to return first: then the next reading
// begins with it.
std::shared_ptr<const KeptRow> JournalReader::kept_behind(const KeptRows& rows, const sqlite::Statement& row) {
  try {
    return kept(row);
  } catch (const JournalDamage&) {
    if (rows.empty()) throw;
    return nullptr;
  }
}

// If only the stored hash of the previous row is damaged, that row's bytes still tell what the hash must be. If only the anchor
// comes before, nothing else tells. rows_from() reports a missing previous row.
bool JournalReader::fits(const JournalRow& row, std::optional<ChainHash> before) {
  if (before && chain(*before, row) == row.hash) return true;
  const auto must_be = hash_that_must_be(row.position - 1);
  return must_be ? chain(*must_be, row) == row.hash : !before;
}

std::optional<ChainHash> JournalReader::hash_that_must_be(Position position) {
  sqlite::Statement statement(journal_, k_sql_row);
  statement.bind(1, position);
  if (!statement.step()) return std::nullopt;
  const auto before = hash_in(statement, 7);
  return before ? std::optional(chain(*before, journal_row_in(statement))) : std::nullopt;
}

std::shared_ptr<const KeptRow> JournalReader::damaged_row(Position position) {
  if (auto known = damaged_->find(position)) return known;
  const std::string name = "row " + std::to_string(position);
  const std::string what = name + " is not what was written";
  if (position > indexed_through())
    end_before(position, what + ", and state.db does not have it yet, so that it is not known whose changes it has");
  if (position <= state_.query_int("SELECT coalesce((SELECT value FROM meta WHERE name = 'index_emptied_through'), 0)")) {
    end_before(position, what + ", and state.db does not have it any more, so that it is not known whose changes it has");
  }
  sqlite::Statement whose(state_, k_sql_whose);
  whose.bind(1, position);
  KeptRow row{.position = position, .is_damaged = true};
  if (whose.step()) {   // otherwise it has no changes
    row.event = static_cast<EventNumber>(whose.integer(0));
    row.first_seq = static_cast<Seq>(whose.integer(1));
    const std::int64_t changes = whose.integer(2) - whose.integer(1);
    if (changes <= 0 || changes > UINT32_MAX) end_before(position, what + ", and state.db does not say which changes it has");
    row.changes = static_cast<std::uint32_t>(changes);
  }
  auto made = std::make_shared<const KeptRow>(std::move(row));
  damaged_->found(made);
  return made;
}

// ---------------------------------------------------------------------------------------------------------------- many rows

Position JournalReader::indexed_through() { return state_.query_int("SELECT value FROM meta WHERE name = 'position'"); }

KeptRows JournalReader::rows_of(EventNumber event, Seq next, std::size_t changes_max) {
  const std::scoped_lock lock(mutex_);
  const Position indexed = indexed_through();   // read before the index, which may grow meanwhile: so no row falls between index and tail
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
    if (!row.step()) break;   // retention has removed it since
    const auto found = kept_behind(rows, row);
    row.reset();
    if (found == nullptr) break;
    if (rows.empty() && found->end_seq() <= next) break;   // the index ends before `next`
    rows.push_back(found);
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
    const auto found = kept_behind(rows, tail);
    if (found == nullptr || (rows.empty() && found->first_seq > next)) break;
    rows.push_back(found);
    if (measure.is_full_with(*rows.back())) break;
  }
  return rows;
}

KeptRows JournalReader::rows_from(Position first, std::size_t changes_max) {
  const std::scoped_lock lock(mutex_);
  if (damaged_->count() > 0) damaged_->removed_through(journal_.query_int(k_sql_anchor));
  sqlite::Statement statement(journal_, k_sql_rows);
  statement.bind(1, first);
  KeptRows rows;
  Measure measure(changes_max);
  for (Position next = first; statement.step(); ++next) {
    const Position position = statement.integer(0);
    if (position != next) {
      if (!rows.empty() || is_removed(next)) break;
      end_before(next, "row " + std::to_string(next) + " is missing");
    }
    const auto found = kept_behind(rows, statement);
    if (found == nullptr) break;
    rows.push_back(found);
    if (measure.is_full_with(*rows.back())) break;
  }
  return rows;
}

// Whether retention has removed the row.
bool JournalReader::is_removed(Position position) { return position <= journal_.query_int(k_sql_anchor); }

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

std::uint64_t JournalReader::count_changes_from(std::string_view cursor) {
  const std::scoped_lock lock(mutex_);
  const ChangePlace place = place_to_count_from(cursor);
  sqlite::Statement count(journal_,
                          "SELECT count(*), coalesce(sum(changes), 0), (SELECT coalesce(max(position), 0) FROM journal) FROM "
                          "(SELECT changes FROM journal WHERE position >= ?1 ORDER BY position LIMIT ?2)");
  count.bind(1, place.position).bind(2, k_rows_counted_max).step();
  return changes_from(place, {.rows = count.integer(0), .changes = count.integer(1), .last = count.integer(2)});
}

}   // namespace holdfast
