#include "ledger/embedded/journal_rows.h"

#include "core/limits.h"

namespace holdfast {

void JournalRows::read(const JournalHead& after, const Visit& visit) {
  Millis latest = 0;
  each_chained(after, [&](const JournalRow& row) {
    if (row.event == 0 || row.event > k_events_max) damaged("row " + std::to_string(row.position) + " has an impossible event number");
    if (row.at < latest) damaged("row " + std::to_string(row.position) + " is from before the row before it");
    latest = row.at;
    return visit(row);
  });
}

std::string told_of_missing_row(Position position) { return "row " + std::to_string(position) + " is missing"; }

std::string told_of_broken_chain(Position position) {
  return "row " + std::to_string(position) + " does not fit the chain: it, or a row before it, is not what was written";
}

}  // namespace holdfast
