#include "ledger/replay.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/hash.h"
#include "ledger/data_error.h"
#include "ledger/journal_fold.h"
#include "ledger/row_changes.h"

namespace holdfast {
namespace {

bool has_versions(const ChangeDetails& details, const Change& change, const Inventory& inventory) {
  return std::ranges::equal(details.versions, inventory.seats_set_by(change), {}, {},
                            [&](SeatIndex seat) { return inventory.version_of(seat); });
}

// Whether two views describe the same reservation, regardless of what it owns.
bool same(const ReservationView& a, const ReservationView& b) {
  return a.id == b.id && a.kind == b.kind && a.status == b.status && a.created_at == b.created_at && a.expires_at == b.expires_at &&
         a.customer == b.customer && a.order == b.order &&
         std::ranges::equal(a.seats, b.seats, {}, &ReservedSeat::seat, &ReservedSeat::seat);
}

}  // namespace

void Replay::fold(const JournalRow& row) {
  const auto fail = [&](const char* what) {
    throw ContradictoryJournal(journal_ + " is damaged: row " + std::to_string(row.position) + " " + what + ".");
  };
  if (!decode_body(row, body_)) fail("cannot be read");
  auto& inventory = events[row.event];
  if (inventory == nullptr) inventory = new_inventory(row, body_, 0);
  if (inventory == nullptr) fail("is of an event that was never created");
  times.try_emplace(row.event, row.at, row.at).first->second.second = row.at;
  if (row.first_seq != inventory->seq() + 1) fail("has changes out of turn");
  const auto fold = [&](std::uint32_t i, const Change& change, const ChangeDetails& details) {
    try {
      fold_change(row, row.first_seq + i, change, *inventory);
      fold_plan(row, row.first_seq + i, change);
    } catch (const Contradiction& contradiction) {
      throw ContradictoryJournal(journal_ + " contradicts itself: " + told_of(row, contradiction) + ".");
    }
    fold_history(row, row.first_seq + i, change, *inventory);
    if (!body_.versions.empty() && !has_versions(details, change, *inventory)) fail("has other versions than its changes make");
  };
  const ChangesRead read = for_each_change(body_.changes, body_.versions, body_.traces, row.changes, row.at, fold);
  if (read == ChangesRead::damaged) fail("cannot be read");
  if (read == ChangesRead::all_and_more) fail("has more bytes than changes");
  if (row.changes > 0 && row.position > index_after)
    index += digest_of({row.event, row.first_seq, static_cast<std::uint64_t>(row.position)});
  fold_keys(row);
}

// The seats of a plan are read and forgotten.
void Replay::fold_plan(const JournalRow& row, Seq seq, const Change& change) {
  if (change.kind == ChangeKind::event_created) plan_headers_[row.event] = change.text;
  if (change.kind == ChangeKind::seats_appended) {
    Reader header(plan_headers_[row.event]);
    auto plan = PlanBuilder::decode_header({}, header);
    append_seats(seq, change, plan ? &*plan : nullptr);
  }
  if (change.kind == ChangeKind::event_created || change.kind == ChangeKind::seats_appended) fold_into(plans[row.event], change.text);
}

void Replay::fold_history(const JournalRow& row, Seq seq, const Change& change, const Inventory& inventory) {
  if (left_out.contains(row.event)) return;
  if (change.kind == ChangeKind::held) created += digest_of({row.event, seq}, change.reservation);
  if (!state_after(change.kind)) return;
  for (const SeatIndex seat : inventory.seats_set_by(change)) {
    history += digest_of(row.event, {seat, inventory.version_of(seat), change.kind, seq, row.at, change.reservation});
  }
}

void Replay::fold_keys(const JournalRow& row) {
  keys += body_.keys.size();
  if (body_.keys.empty()) return;
  for (const KeptKey& key : body_.keys) {
    kept[key.key.key] = digest_of(key, row.at);
    in_order_.emplace_back(row.at, key.key.key, kept[key.key.key]);
  }
  keys_since = row.at - k_keys_kept;
  for (; std::get<0>(in_order_.front()) <= keys_since; in_order_.pop_front()) {
    const auto old = kept.find(std::get<1>(in_order_.front()));
    if (old != kept.end() && old->second == std::get<2>(in_order_.front())) kept.erase(old);   // otherwise the key was used again since
  }
}

void Replay::fold_into(std::uint64_t& digest, std::string_view text) { digest = hash_bytes(text, digest); }
std::uint64_t Replay::digest_of(std::initializer_list<std::uint64_t> numbers, const Uuid& id) {
  std::uint64_t digest = 0;
  fold_into(digest, {reinterpret_cast<const char*>(numbers.begin()), numbers.size() * sizeof(std::uint64_t)});
  fold_into(digest, as_bytes(id));
  return digest;
}
std::uint64_t Replay::digest_of(EventNumber event, const SeatChangeRow& change) {
  return digest_of(
      {event, change.seat, change.version, change.seq, static_cast<std::uint64_t>(change.at), static_cast<std::uint64_t>(change.kind)},
      change.reservation);
}
std::uint64_t Replay::digest_of(const KeptKey& kept, Millis at) {
  std::uint64_t digest = static_cast<std::uint64_t>(at);
  fold_into(digest, as_bytes(kept.key.request));
  fold_into(digest, kept.outcomes);
  return digest + kept.event;
}

std::size_t Replay::keys_after(Millis oldest) const {
  return static_cast<std::size_t>(std::ranges::count_if(in_order_, [&](const auto& entry) {
    const auto& [at, key, digest] = entry;
    const auto found = kept.find(key);
    return at > oldest && found != kept.end() && found->second == digest;
  }));
}

bool Replay::has(EventNumber event, const ReservationView& stored) const {
  const auto expected = events.find(event);
  const auto slot = expected == events.end() ? Inventory::k_no_slot : expected->second->find(stored.id);
  return slot != Inventory::k_no_slot && same(stored, expected->second->view(slot, 0));
}

bool Replay::has(const KeptKey& stored, Millis at) const {
  const auto expected = kept.find(stored.key.key);
  return expected != kept.end() && expected->second == digest_of(stored, at);
}

std::string compare_seats(const Inventory& expected, const Inventory& stored) {
  if (!(expected.card() == stored.card())) return "has another id, venue or currency";
  if (expected.seat_count() != stored.seat_count()) return "has another number of seats";
  if (expected.seq() != stored.seq()) return "is as of another change";
  if (!(expected.settings() == stored.settings())) return "has other settings";
  for (SeatIndex seat = 0; seat < expected.seat_count(); ++seat) {
    const bool same = expected.recorded_state_of(seat) == stored.recorded_state_of(seat) &&
                      expected.version_of(seat) == stored.version_of(seat) && expected.owner_of(seat, 0) == stored.owner_of(seat, 0);
    if (!same) return "has seat " + std::to_string(seat) + " otherwise than the journal says";
  }
  return {};
}

std::string compare_reservations(const Replay& expected, std::uint64_t rows, std::uint64_t created) {
  std::uint64_t reservations = 0;
  for (const auto& [number, inventory] : expected.events) {
    if (!expected.left_out.contains(number)) reservations += inventory->reservation_count();
  }
  if (rows != reservations) return "table reservation has not as many rows as the journal has reservations";
  return created == expected.created ? "" : "the numbers of creation in table reservation are not those of the journal";
}

std::string compare_history(const Replay& expected, std::uint64_t history) {
  return history == expected.history ? "" : "table seat_change is not what the journal says";
}

}  // namespace holdfast
