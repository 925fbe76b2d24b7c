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

void fold_change(const JournalRow& row, Seq seq, const Change& change, Inventory& inventory) {
  if (const auto why = inventory.contradicted_by(change)) throw Contradiction(seq, change.kind, *why);
  const bool imports = change.kind == ChangeKind::event_configured && change.settings->status == EventStatus::importing;
  if (imports && inventory.settings().status != EventStatus::importing) throw Contradiction(seq, change.kind, k_no_second_import);
  inventory.apply(change, row.at);
}

void append_seats(Seq seq, const Change& change, PlanBuilder* plan) {
  if (plan == nullptr) throw Contradiction(seq, change.kind, "appends seats to an event without a plan");
  const std::size_t before = plan->size();
  Reader seats(change.text);
  if (!plan->decode_seats(seats) || plan->size() - before != change.count) {
    throw Contradiction(seq, change.kind, "appends seats that cannot be read");
  }
}

}  // namespace holdfast
