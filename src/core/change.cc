#include "core/change.h"

#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/limits.h"

namespace holdfast {
namespace {

// What the bytes of a change have behind its kind, in this order.
struct Layout {
  bool card = false;   // id, venue, currency
  bool settings = false;
  bool reservation = false;
  bool reservation_kind = false;
  bool ends = false;
  bool count = false;
  bool text = false;
  bool expires_at = false;   // from the row's time on
  bool seats = false;
};

// Part of the journal's format: a kind's layout never changes. Nothing: there is no such kind.
constexpr std::optional<Layout> layout_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::event_created: return Layout{.card = true, .settings = true, .text = true};   // text: the plan's header
    case ChangeKind::seats_appended: return Layout{.count = true, .text = true};
    case ChangeKind::event_configured: return Layout{.settings = true};
    case ChangeKind::held: return Layout{.reservation = true, .reservation_kind = true, .text = true, .expires_at = true, .seats = true};
    case ChangeKind::seats_added:
    case ChangeKind::returned: return Layout{.reservation = true, .seats = true};
    case ChangeKind::extended: return Layout{.reservation = true, .expires_at = true};
    case ChangeKind::released: return Layout{.reservation = true, .ends = true, .seats = true};
    case ChangeKind::consumed: return Layout{.reservation = true, .ends = true, .text = true};
    case ChangeKind::expired: return Layout{.reservation = true};
    case ChangeKind::blocked:
    case ChangeKind::unblocked: return Layout{.seats = true};
  }
  return std::nullopt;
}

void encode_seats(Seats seats, Writer& writer) {
  writer.varint(seats.size());
  for (const SeatIndex seat : seats) writer.varint(seat);
}

bool decode_seats(Reader& reader, std::vector<SeatIndex>& seats) {
  seats.resize(reader.varint_max(k_seats_per_reservation_max));
  for (SeatIndex& seat : seats) seat = static_cast<SeatIndex>(reader.varint_max(k_seats_per_event_max - 1));
  return !reader.failed() && !seats.empty();
}

bool decode_time(Reader& reader, Millis at, Millis& time) {
  return !__builtin_add_overflow(at, reader.signed_varint(), &time) && !reader.failed();
}

}  // namespace

const char* name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::event_created: return "event_created";
    case ChangeKind::seats_appended: return "seats_appended";
    case ChangeKind::event_configured: return "event_configured";
    case ChangeKind::held: return "held";
    case ChangeKind::seats_added: return "seats_added";
    case ChangeKind::extended: return "extended";
    case ChangeKind::released: return "released";
    case ChangeKind::consumed: return "consumed";
    case ChangeKind::expired: return "expired";
    case ChangeKind::returned: return "returned";
    case ChangeKind::blocked: return "blocked";
    case ChangeKind::unblocked: return "unblocked";
  }
  return "unknown";
}

void encode_settings(const EventSettings& settings, Writer& writer) {
  writer.text(settings.name);
  writer.signed_varint(settings.starts_at);
  writer.byte(static_cast<std::uint8_t>(settings.status));
  writer.signed_varint(settings.hold_seconds);
  writer.signed_varint(settings.max_hold_seconds);
  writer.varint(settings.limits.seats_per_reservation);
  writer.varint(settings.limits.held_seats_per_customer);
}

bool decode_settings(Reader& reader, EventSettings& settings) {
  settings.name = reader.text();
  settings.starts_at = reader.signed_varint();
  const std::uint8_t status = reader.byte();
  if (status > static_cast<std::uint8_t>(EventStatus::abandoned)) return false;
  settings.status = static_cast<EventStatus>(status);
  settings.hold_seconds = reader.signed_varint();
  settings.max_hold_seconds = reader.signed_varint();
  settings.limits.seats_per_reservation = static_cast<std::uint32_t>(reader.varint_max(UINT32_MAX));
  settings.limits.held_seats_per_customer = static_cast<std::uint32_t>(reader.varint_max(UINT32_MAX));
  return !reader.failed();
}

void encode_change(const Change& change, Millis at, Writer& writer) {
  const std::optional<Layout> has = layout_of(change.kind);
  HOLDFAST_CHECK(has && "an unknown kind of change");
  writer.byte(static_cast<std::uint8_t>(change.kind));
  if (has->card) {
    HOLDFAST_CHECK(change.card != nullptr);
    writer.uuid(change.card->id);
    writer.text(change.card->venue);
    writer.text(change.card->currency);
  }
  if (has->settings) {
    HOLDFAST_CHECK(change.settings != nullptr);
    encode_settings(*change.settings, writer);
  }
  if (has->reservation) writer.uuid(change.reservation);
  if (has->reservation_kind) writer.byte(static_cast<std::uint8_t>(change.reservation_kind));
  if (has->ends) writer.byte(change.ends);
  if (has->count) writer.varint(change.count);
  if (has->text) writer.text(change.text);
  if (has->expires_at) writer.signed_varint(change.expires_at - at);
  if (has->seats) encode_seats(change.seats, writer);
}

bool ChangeDecoder::decode(Reader& reader, Change& change) {
  change = {};
  change.kind = static_cast<ChangeKind>(reader.byte());
  const std::optional<Layout> has = layout_of(change.kind);
  if (!has) return false;
  if (has->card) {
    card_.id = reader.uuid();
    card_.venue = reader.text();
    card_.currency = reader.text();
    change.card = &card_;
  }
  if (has->settings) {
    if (!decode_settings(reader, settings_)) return false;
    change.settings = &settings_;
  }
  if (has->reservation) change.reservation = reader.uuid();
  if (has->reservation_kind) {
    change.reservation_kind = static_cast<ReservationKind>(reader.byte());
    if (change.reservation_kind > ReservationKind::ticket_lock) return false;
  }
  if (has->ends) change.ends = reader.byte() != 0;
  if (has->count) change.count = reader.varint_max(k_seats_per_event_max);
  if (has->text) change.text = reader.text();
  if (has->expires_at && !decode_time(reader, at_, change.expires_at)) return false;
  if (has->seats) {
    if (!decode_seats(reader, seats_)) return false;
    change.seats = seats_;
  }
  return !reader.failed();
}

DetailsDecoder::DetailsDecoder(std::string_view versions, std::string_view traces)
    : has_versions_(!versions.empty()), versions_(versions), traces_(traces) {
  failed_ = !read_next_trace();
}

bool DetailsDecoder::read_next_trace() {
  const std::optional<std::uint64_t> before = std::exchange(next_traced_, std::nullopt);
  if (traces_.at_end()) return !traces_.failed();
  const std::uint64_t place = traces_.varint();
  const std::string_view packed = traces_.bytes(next_trace_.packed.size());
  if (traces_.failed() || (before && place <= *before)) return false;
  std::memcpy(next_trace_.packed.data(), packed.data(), packed.size());
  next_traced_ = place;
  return true;
}

bool DetailsDecoder::decode(const Change& change, ChangeDetails& details) {
  details.versions.clear();
  details.expires_at = 0;
  details.trace.reset();
  if (failed_) return false;
  if (has_versions_ && state_after(change.kind)) {
    const std::uint64_t count = change.seats.empty() ? versions_.varint_max(k_seats_per_reservation_max) : change.seats.size();
    for (std::uint64_t i = 0; i < count && !versions_.failed(); ++i) {
      details.versions.push_back(static_cast<std::uint32_t>(versions_.varint_max(UINT32_MAX)));
    }
    if (change.kind == ChangeKind::seats_added) details.expires_at = versions_.signed_varint();
  }
  if (next_traced_ == at_) {
    details.trace = next_trace_;
    failed_ = !read_next_trace();
  }
  ++at_;
  failed_ = failed_ || versions_.failed();
  return !failed_;
}

}  // namespace holdfast
