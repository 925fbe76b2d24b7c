#include "ledger/journal_fold.h"

#include "ledger/row_changes.h"

namespace holdfast {
namespace {

// Calls `use` with the first change of the row, if it creates the event.
template <typename Use>
void with_creation(const JournalRow& row, const JournalBody& body, Use use) {
  if (row.first_seq != 1 || row.changes == 0) return;
  for_each_change(body.changes, 1, row.at, [&](std::uint32_t, const Change& change) {
    if (change.kind == ChangeKind::event_created) use(change);
  });
}

}  // namespace

std::unique_ptr<Inventory> new_inventory(const JournalRow& row, const JournalBody& body, std::uint64_t hash_seed) {
  std::unique_ptr<Inventory> inventory;
  with_creation(row, body, [&](const Change& change) {
    EventCard card = *change.card;
    card.number = row.event;
    inventory = std::make_unique<Inventory>(std::move(card), *change.settings, hash_seed);
  });
  return inventory;
}

std::unique_ptr<PlanBuilder> new_plan(const JournalRow& row, const JournalBody& body) {
  std::unique_ptr<PlanBuilder> plan;
  with_creation(row, body, [&](const Change& change) {
    Reader header(change.text);
    if (auto builder = PlanBuilder::decode_header(change.card->id, header)) plan = std::make_unique<PlanBuilder>(std::move(*builder));
  });
  return plan;
}

}  // namespace holdfast
