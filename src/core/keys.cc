#include "core/keys.h"

#include <algorithm>

#include "core/check.h"

namespace holdfast {
namespace {

constexpr std::size_t k_bytes_a_key = 256;              // of an average outcome; the outcome of one seat has about 80
constexpr std::size_t k_share_bytes_min = 64 * 1024;   // so that the largest outcome fits into each share

KeyBudget::Share share_of(std::size_t keys) {
  keys = std::max<std::size_t>(keys, 1);
  return {.keys = keys, .bytes = std::max(keys * k_bytes_a_key, k_share_bytes_min)};
}

std::uint64_t packed(const KeyOwner& owner) { return std::uint64_t{owner.caller} << 1U | (owner.is_stranger ? 1U : 0U); }

void read_outcome(Reader& reader, Outcome& outcome) {
  if (reader.byte() == 0) return;
  ReservationView& view = outcome.reservation.emplace();
  view.id = reader.uuid();
  view.kind = static_cast<ReservationKind>(reader.byte() & 1);
  view.status = static_cast<ReservationStatus>(reader.byte() & 3);
  view.created_at = reader.signed_varint();
  view.expires_at = reader.signed_varint();
  view.customer = reader.text();
  view.order = reader.text();
  view.seats.resize(reader.varint_max(k_seats_per_reservation_max));
  for (ReservedSeat& reserved : view.seats) {
    const std::uint64_t packed_seat = reader.varint_max(2 * k_seats_per_event_max);
    reserved = {static_cast<SeatIndex>(packed_seat >> 1), (packed_seat & 1) != 0};
  }
}

}  // namespace

KeyBudget::KeyBudget(std::size_t keys_max)
    : all(share_of(keys_max)),
      strangers(share_of(keys_max / 4)),
      stranger(share_of(std::min(k_idempotency_keys_stranger, keys_max / 4))),
      caller(share_of(keys_max / 2)) {}

bool KeyTable::has_room_for(const KeyOwner& owner) const {
  if (!all_.is_within(budget_.all)) return false;
  if (owner.is_stranger && !strangers_.is_within(budget_.strangers)) return false;
  const auto own = by_owner_.find(packed(owner));
  if (owner.caller == 0 || own == by_owner_.end()) return true;
  return own->second.is_within(owner.is_stranger ? budget_.stranger : budget_.caller);
}

void KeyTable::count(const KeyOwner& owner, std::size_t bytes, bool is_more) {
  const auto change = [&](Use& use) {
    use.keys = is_more ? use.keys + 1 : use.keys - 1;
    use.bytes = is_more ? use.bytes + bytes : use.bytes - bytes;
  };
  change(all_);
  if (owner.is_stranger) change(strangers_);
  if (owner.caller == 0) return;
  const auto own = by_owner_.try_emplace(packed(owner)).first;
  change(own->second);
  if (own->second.keys == 0) by_owner_.erase(own);
}

const KeyTable::Record* KeyTable::find(const Fingerprint& key, Millis now) const {
  const auto at = records_.find(key);
  if (at == records_.end() || at->second.at + k_keys_kept + kept_longer_ <= now) return nullptr;
  return &at->second;
}

void KeyTable::put(const IdempotencyKey& key, Millis at, std::string_view outcome) {
  forget_old(at);
  if (records_.contains(key.key)) {   // rare, so the search does not matter
    std::erase(in_order_, key.key);
    forget(key.key);
  }
  last_put_ = std::max(last_put_, at);   // so that the oldest is always in front
  const KeyOwner owner = key.owner == KeyOwner{} ? owner_in(outcome) : key.owner;
  if (outcome.size() > BlockPool::k_text_bytes_max) outcome = {};
  const Record record{key.request, last_put_, outcomes_.put_text(outcome), owner};
  const bool is_new = records_.emplace(key.key, record).second;
  HOLDFAST_CHECK(is_new);
  in_order_.push_back(key.key);
  count(owner, outcome.size(), true);
}

void KeyTable::forget(const Fingerprint& key) {
  const auto record = records_.find(key);
  count(record->second.owner, outcomes_.text(record->second.outcome).size(), false);
  outcomes_.free_text(record->second.outcome);
  records_.erase(record);
}

void KeyTable::forget_old(Millis now) {
  while (!in_order_.empty()) {
    const auto oldest = records_.find(in_order_.front());
    HOLDFAST_CHECK(oldest != records_.end());
    if (oldest->second.at + k_keys_kept + kept_longer_ > now) return;
    forget(in_order_.front());
    in_order_.pop_front();
  }
}

void encode_outcomes(std::span<const Outcome> outcomes, Writer& writer, const KeyOwner& owner) {
  writer.varint(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    HOLDFAST_CHECK(outcome.accepted());
    writer.byte(outcome.reservation.has_value());
    if (!outcome.reservation) continue;
    const ReservationView& view = *outcome.reservation;
    writer.uuid(view.id);
    writer.byte(static_cast<std::uint8_t>(view.kind));
    writer.byte(static_cast<std::uint8_t>(view.status));
    writer.signed_varint(view.created_at);
    writer.signed_varint(view.expires_at);
    writer.text(view.customer);
    writer.text(view.order);
    writer.varint(view.seats.size());
    for (const ReservedSeat& reserved : view.seats) writer.varint(std::uint64_t{reserved.seat} << 1 | (reserved.owned ? 1 : 0));
  }
  if (owner != KeyOwner{}) writer.varint(packed(owner));
}

bool decode_outcomes(Reader& reader, UsuallyOne<Outcome>& outcomes) {
  outcomes.resize(reader.varint_max(k_events_per_command_max));
  for (Outcome& outcome : outcomes) read_outcome(reader, outcome);
  return !reader.failed();
}

KeyOwner owner_in(std::string_view outcomes) {
  Reader reader(outcomes);
  for (std::uint64_t left = reader.varint_max(k_events_per_command_max); left > 0; --left) {
    Outcome passed_over;
    read_outcome(reader, passed_over);
  }
  if (reader.failed() || reader.at_end()) return {};
  const std::uint64_t owner = reader.varint();
  if (reader.failed() || owner >> 32U != 0) return {};
  return {.caller = static_cast<std::uint32_t>(owner >> 1U), .is_stranger = (owner & 1U) != 0};
}

}  // namespace holdfast
