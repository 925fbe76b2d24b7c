// Positions of webhooks as registry.db has them, beside an embedded ledger.
//
// A position is the number of a journal row, all of whose changes are behind it, or `row.n`: n changes of the row after it, too. That is where
// reading has come to. A cursor of Ledger::read_all_changes says where it continues. So the two name the same places, each by one text:
//
//   position   6     6.2   0    empty: before the first change that is kept
//   cursor     7     7-2   1    empty
//
// The file keeps this form, so that programs of every version can work with it. Pure functions; any thread.
#pragma once

#include <span>
#include <string>

#include "feed/webhooks/store.h"
#include "ledger/journal_row.h"

namespace holdfast::feed {

// Throws DataError if `position` is none.
std::string cursor_of_row_position(const SourcePosition& position);
// Throws DataError if `cursor` is not one that a page or a change has.
SourcePosition row_position_of_cursor(const std::string& cursor);

// The last journal row that none of the enabled endpoints has to read any more; the highest number if none is enabled. Throws DataError if a
// position is none.
Position needless_through(std::span<const EndpointReport> endpoints);

}   // namespace holdfast::feed
