#include "core/keys.h"

#include <algorithm>

#include "core/check.h"

namespace holdfast {
namespace {

constexpr Millis k_kept = k_idempotency_hours * 3'600 * k_millis_per_second;

}  // namespace

const KeyTable::Record* KeyTable::find(const Fingerprint& key, Millis now) const {
  const auto at = records_.find(key);
  if (at == records_.end() || at->second.at + k_kept <= now) return nullptr;
  return &at->second;
}

void KeyTable::put(const IdempotencyKey& key, Millis at, std::string_view outcome) {
  forget_old(at);
  last_put_ = std::max(last_put_, at);   // so that the oldest is always in front
  const Record record{key.request, last_put_, outcomes_.put_text(outcome)};
  const bool is_new = records_.emplace(key.key, record).second;
  HOLDFAST_CHECK(is_new);
  in_order_.push_back(key.key);
}

void KeyTable::forget_old(Millis now) {
  while (!in_order_.empty()) {
    const auto oldest = records_.find(in_order_.front());
    HOLDFAST_CHECK(oldest != records_.end());
    if (oldest->second.at + k_kept > now) return;
    outcomes_.free_text(oldest->second.outcome);
    records_.erase(oldest);
    in_order_.pop_front();
  }
}

void encode_outcomes(std::span<const Outcome> outcomes, Writer& writer) {
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
}

bool decode_outcomes(Reader& reader, UsuallyOne<Outcome>& outcomes) {
  outcomes.resize(reader.varint_max(k_events_per_command_max));
  for (Outcome& outcome : outcomes) {
    if (reader.byte() == 0) continue;
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
      const std::uint64_t packed = reader.varint_max(2 * k_seats_per_event_max);
      reserved = {static_cast<SeatIndex>(packed >> 1), (packed & 1) != 0};
    }
  }
  return !reader.failed();
}

}  // namespace holdfast
