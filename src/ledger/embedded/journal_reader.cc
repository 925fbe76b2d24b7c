#include "ledger/embedded/journal_reader.h"

#include <algorithm>

#include "ledger/change_pages.h"
#include "ledger/data_error.h"

namespace holdfast {
namespace {

constexpr std::size_t k_rows_at_once_max = 10'000;   // without it, rows without changes would never fill a reading

constexpr const char* k_sql_indexed =
    "SELECT first_seq, position FROM journal_index WHERE event = ?1 AND first_seq >= "
    "(SELECT max(first_seq) FROM journal_index WHERE event = ?1 AND first_seq <= ?2) ORDER BY first_seq";
// Looks up the event and the changes of a row that cannot be read itself. The index is not ordered by position, so this is slow,
// and rare.
constexpr const char* k_sql_whose =
    "SELECT i.event, i.first_seq, coalesce((SELECT min(n.first_seq) FROM journal_index n WHERE n.event = i.event AND n.first_seq > "
    "i.first_seq), (SELECT seq + 1 FROM event WHERE number = i.event)) FROM journal_index i WHERE i.position = ?1";

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

JournalReader::JournalReader(std::unique_ptr<JournalRows> journal, const std::string& state, std::shared_ptr<DamagedRows> damaged)
    : journal_(std::move(journal)), state_(state, sqlite::Database::Mode::read_only), damaged_(std::move(damaged)) {}

// ---------------------------------------------------------------------------------------------------------------- one row

// No reading passes this row, because it is not known whose changes it has.
void JournalReader::end_before(Position position, const std::string& what) const {
  const std::string told =
      journal_->path() + " is damaged: " + what +
      ". Changes from there on are told to nobody. Selling goes on; a start may refuse the file. Put back both files from a "
      "backup (holdfast restore), or ask for help and keep the file as it is";
  damaged_->ends_before(position, told);
  throw JournalDamage(told + ".");
}

std::shared_ptr<const KeptRow> JournalReader::kept(const StoredRow& row) {
  const Position position = row.row.position;
  JournalBody body;
  if (!row.wrong.empty() || !fits(row) || !decode_body(row.row, body)) return damaged_row(position);
  damaged_->read_well(position);
  return std::make_shared<const KeptRow>(kept_row(row.row, body, position));
}

// The row. Nullptr if its event is unknown because of damage, and `rows` has earlier rows to return first: then the next reading
// begins with it.
std::shared_ptr<const KeptRow> JournalReader::kept_behind(const KeptRows& rows, const StoredRow& row) {
  try {
    return kept(row);
  } catch (const JournalDamage&) {
    if (rows.empty()) throw;
    return nullptr;
  }
}

// If only the stored hash of the previous row is damaged, that row's bytes still tell what the hash must be. If only the anchor
// comes before, nothing else tells. rows_from() reports a missing previous row.
bool JournalReader::fits(const StoredRow& row) {
  if (row.is_checked || (row.before && chain(*row.before, row.row) == row.row.hash)) return true;
  const auto must_be = hash_that_must_be(row.row.position - 1);
  return must_be ? chain(*must_be, row.row) == row.row.hash : !row.before;
}

std::optional<ChainHash> JournalReader::hash_that_must_be(Position position) {
  std::optional<ChainHash> hash;
  journal_->each_stored_at({&position, 1}, [&](const StoredRow& row) {
    if (row.before) hash = chain(*row.before, row.row);
    return false;
  });
  return hash;
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
  index.bind(1, std::int64_t{event}).bind(2, static_cast<std::int64_t>(next));
  std::vector<Position> positions;
  const auto rows_max = std::clamp<std::size_t>(changes_max, 1, k_rows_at_once_max);   // each has at least one change
  while (positions.size() < rows_max && index.step()) positions.push_back(index.integer(1));
  KeptRows rows;
  Measure measure(changes_max);
  journal_->each_stored_at(positions, [&](const StoredRow& row) {   // ends where retention has removed one since
    const auto found = kept_behind(rows, row);
    if (found == nullptr || (rows.empty() && found->end_seq() <= next)) return false;   // the index ends before `next`
    rows.push_back(found);
    return !measure.is_full_with(*rows.back());
  });
  return rows;
}

KeptRows JournalReader::rows_in_tail(Position after, EventNumber event, Seq next, std::size_t changes_max) {
  KeptRows rows;
  Measure measure(changes_max);
  journal_->each_stored_of(event, next, after + 1, [&](const StoredRow& row) {
    const auto found = kept_behind(rows, row);
    if (found == nullptr || (rows.empty() && found->first_seq > next)) return false;
    rows.push_back(found);
    return !measure.is_full_with(*rows.back());
  });
  return rows;
}

KeptRows JournalReader::rows_from(Position first, std::size_t changes_max) {
  const std::scoped_lock lock(mutex_);
  if (damaged_->count() > 0) damaged_->removed_through(journal_->removed_through());
  KeptRows rows;
  Measure measure(changes_max);
  Position next = first;
  journal_->each_stored(first, [&](const StoredRow& row) {
    if (row.row.position != next) {
      if (!rows.empty() || next <= journal_->removed_through()) return false;
      end_before(next, told_of_missing_row(next));
    }
    const auto found = kept_behind(rows, row);
    if (found == nullptr) return false;
    rows.push_back(found);
    ++next;
    return !measure.is_full_with(*rows.back());
  });
  return rows;
}

std::optional<Position> JournalReader::oldest() {
  const std::scoped_lock lock(mutex_);
  return journal_->oldest();
}

std::optional<Seq> JournalReader::oldest_of(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  const Position indexed = indexed_through();
  sqlite::Statement index(state_, "SELECT first_seq FROM journal_index WHERE event = ?1 ORDER BY first_seq LIMIT 1");
  index.bind(1, std::int64_t{event});
  if (index.step()) return static_cast<Seq>(index.integer(0));
  std::optional<Seq> oldest;
  journal_->each_stored_of(event, 0, indexed + 1, [&](const StoredRow& row) {
    if (row.wrong.empty() && row.row.changes > 0) oldest = row.row.first_seq;
    return !oldest;
  });
  return oldest;
}

std::uint64_t JournalReader::count_changes_from(std::string_view cursor) {
  const std::scoped_lock lock(mutex_);
  const ChangePlace place = place_to_count_from(cursor);
  return changes_from(place, journal_->count(place.position, k_rows_counted_max));
}

}   // namespace holdfast
