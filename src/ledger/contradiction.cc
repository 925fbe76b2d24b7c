#include "ledger/contradiction.h"

namespace holdfast {

std::string told_of(const JournalRow& row, const Contradiction& contradiction) {
  const ChangeKind kind = contradiction.kind();
  return "change " + std::to_string(contradiction.seq()) + " of event " + std::to_string(row.event) + " (" +
         (kind == Contradiction::k_any_kind ? "" : std::string(name_of(kind)) + ", ") + "journal row " + std::to_string(row.position) +
         ") " + contradiction.what();
}

}   // namespace holdfast
