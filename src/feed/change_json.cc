#include "feed/change_json.h"

#include "core/check.h"

namespace holdfast::feed {
namespace {

void append_seats(Json& json, const RecordedChange& change, SeatState state, const Plan& plan) {
  const char letter = static_cast<char>(state);
  std::string id;
  json.array("seats", change.seats, [&](SeatIndex seat) {
    id.clear();
    plan.append_seat_id(id, seat);
    json.object([&] {
      json.member("index", seat);
      json.member("id", id);
      json.member("state", std::string_view(&letter, 1));
    });
  });
}

}  // namespace

void append_settings(Json& json, const EventSettings& settings) {
  json.object("settings", [&] {
    json.member("name", settings.name);
    json.member("status", name_of(settings.status));
    json.member_or_null("startsAt", settings.starts_at == 0 ? "" : rfc3339(settings.starts_at));
    json.member("holdSeconds", settings.hold_seconds);
    json.member("maxHoldSeconds", settings.max_hold_seconds);
    json.object("limits", [&] {
      json.member("seatsPerReservation", settings.limits.seats_per_reservation);
      json.member("heldSeatsPerCustomer", settings.limits.held_seats_per_customer);
    });
  });
}

void append_unreadable_change(Json& json, const RecordedChange& change) {
  json.object([&] {
    json.member("eventId", to_string(change.event_id));
    json.member("seq", change.seq);
    json.member("type", "unreadable");
  });
}

void append_change(Json& json, const RecordedChange& change, const Plan* plan) {
  if (change.is_unreadable) return append_unreadable_change(json, change);
  json.object([&] {
    json.member("eventId", to_string(change.event_id));
    json.member("seq", change.seq);
    json.member("at", rfc3339(change.at));
    json.member("type", name_of(change.kind));
    if (concerns_reservation(change.kind)) {
      json.member("reservationId", to_string(change.reservation));
      json.member_or_null("customerId", change.customer);
    }
    if (!change.order.empty()) json.member("orderId", change.order);
    if (change.expires_at != 0 && change.kind != ChangeKind::seats_added) json.member("expiresAt", rfc3339(change.expires_at));
    if (change.ends) json.member(change.kind == ChangeKind::consumed ? "reinstated" : "ends", true);
    if (change.kind == ChangeKind::seats_appended) json.member("count", change.count);
    if (const auto state = state_after(change.kind)) {
      HOLDFAST_CHECK(plan != nullptr);
      append_seats(json, change, *state, *plan);
    }
    if (change.settings) append_settings(json, *change.settings);
  });
}

}  // namespace holdfast::feed
