// Changes of a journal that contradict what is known before them.
//
// A journal whose rows are all what was written may still have such a change: a false table row was believed, or the program had a fault.
#pragma once

#include <stdexcept>
#include <string>

#include "core/change.h"
#include "ledger/data_error.h"
#include "ledger/journal_row.h"

namespace holdfast {

// A change that does not fit what is known before it. what() is the rest of a sentence about it: "finds seat 3 sold".
class Contradiction : public std::runtime_error {
 public:
  static constexpr ChangeKind k_any_kind{};   // for a row that is wrong as a whole

  Contradiction(Seq seq, ChangeKind kind, const std::string& what) : std::runtime_error(what), seq_(seq), kind_(kind) {}
  Seq seq() const { return seq_; }
  ChangeKind kind() const { return kind_; }

 private:
  Seq seq_;
  ChangeKind kind_;
};

// Of a change event_configured. The rules allow it, but no caller can ask for it, and the event's plan could not grow.
inline constexpr const char* k_no_second_import = "begins the import of an event anew";

// Rows of a journal are what was written, and cannot be folded: what was written cannot be.
class ContradictoryJournal : public DataError {
 public:
  using DataError::DataError;
};

// "change 7 of event 3 (held, journal row 19) finds seat 3 sold", without k_any_kind.
std::string told_of(const JournalRow& row, const Contradiction& contradiction);

}   // namespace holdfast
