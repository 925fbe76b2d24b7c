#include "ledger/journal_fold.h"

namespace holdfast {
namespace {

// The first change of an event's first row.
bool read_creation(const JournalRow& row, const JournalBody& body, ChangeDecoder& decoder, Change& change) {
  Reader reader(body.changes);
  return row.first_seq == 1 && row.changes > 0 && decoder.decode(reader, change) && change.kind == ChangeKind::event_created;
}

}  // namespace

std::unique_ptr<Inventory> new_inventory(const JournalRow& row, const JournalBody& body, std::uint64_t hash_seed) {
  ChangeDecoder decoder(row.at);
  Change change;
  if (!read_creation(row, body, decoder, change)) return nullptr;
  EventCard card = *change.card;
  card.number = row.event;
  return std::make_unique<Inventory>(std::move(card), *change.settings, hash_seed);
}

std::unique_ptr<PlanBuilder> new_plan(const JournalRow& row, const JournalBody& body) {
  ChangeDecoder decoder(row.at);
  Change change;
  if (!read_creation(row, body, decoder, change)) return nullptr;
  Reader header(change.text);
  auto builder = PlanBuilder::decode_header(change.card->id, header);
  return builder ? std::make_unique<PlanBuilder>(std::move(*builder)) : nullptr;
}

}  // namespace holdfast
