// Rows of a journal as lines of JSON, one a row, with its changes; damaged and missing rows too (docs/operations.md, "The journal as JSON").
//
//   JournalLines lines({.from = 1, .event = 7}, std::move(ids));
//   journal.each_stored(1, [&](const StoredRow& row) { return lines.add(row); });
//   lines.end_before(journal.head().position + 1);
//   print(lines.text());
//
// Belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/ids.h"
#include "ledger/embedded/journal_rows.h"

namespace holdfast::cli {

using EventIds = std::map<EventNumber, Uuid>;

class JournalLines {
 public:
  struct Wanted {
    Position from = 1;   // the first row
    std::optional<Position> to{};   // the last one; nothing: there is none
    std::optional<EventNumber> event{};   // only its rows, and those of which nobody knows whose they are; nothing: all
  };

  // `ids` of events that were created before `from`; of the others it learns them.
  JournalLines(const Wanted& wanted, EventIds ids) : wanted_(wanted), ids_(std::move(ids)), next_(wanted.from) {}

  // Adds the line of a row, and one for rows that are missing before it. Rows come in order. False: no further row is wanted.
  bool add(const StoredRow& row);
  // No row is there before this position. Those that are wanted and did not come are missing.
  void end_before(Position position);
  // Rows before this position are gone, which is no damage: retention has removed them.
  void begin_at(Position position);

  // The lines since clear(), each with a line feed.
  const std::string& text() const { return text_; }
  void clear() { text_.clear(); }
  // The next row.
  Position next() const { return next_; }
  bool is_done() const { return wanted_.to && next_ > *wanted_.to; }
  // Rows so far that are not what was written, or missing.
  std::uint64_t damaged() const { return damaged_; }

 private:
  // Whether a row is what was written, as far as the hash before it tells.
  enum class Checked { fits, wrong, unknown };

  static Checked checked(const StoredRow& row);
  void learn(const JournalRow& row);
  void add_readable(const JournalRow& row, Checked fits);
  void add_damaged(Position first, Position last, std::string_view what);

  const Wanted wanted_;
  EventIds ids_;
  Position next_;
  std::uint64_t damaged_ = 0;
  std::string text_;
};

// The event that the row's first change creates; nothing if it creates none, or cannot be read.
std::optional<Uuid> created_event(const JournalRow& row);

}   // namespace holdfast::cli
