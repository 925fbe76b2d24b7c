// /v1/seats and keeping seats from sale (docs/api.md).
#include "api/endpoints.h"
#include "api/pages.h"

namespace holdfast::api {
namespace {

template <typename Wish>
Answer change_seats(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto id = parse_uuid(call.parameters[0]);
  const auto number = id ? call.ledger().event_by_id(*id) : std::nullopt;
  if (!number) co_return fail(call, {404, "event_not_found", "There is no event " + call.parameters[0] + "."});
  const JsonBody body(call.request.body);
  if (body.object() == nullptr) co_return fail(call, {400, k_invalid_request, body.problem()});
  const auto named = read_seats(call, *body.object(), true, *number);
  if (!named) co_return;
  Submission submission;
  if (!read_key(call, call.request.body, submission.key)) co_return;
  submission.parts.push_back({*number, Wish{.seats = named->seats}});
  const auto verdict = co_await call.gateway.ask(std::move(submission));
  if (!verdict) co_return fail(call, busy());
  if (!verdict->accepted()) co_return refuse(call, *number, verdict->outcomes.front());
  mark_replayed(call, *verdict);
  const auto event = call.ledger().event(*number);
  call.response.status = 200;
  call.response.content_type = "application/json";
  Json json(call.response.body);
  json.object([&] {
    json.member("seatIds");
    json.array([&] {
      for (const SeatIndex seat : named->seats) json.text(event->plan()->seat_id(seat));
    });
  });
}

}  // namespace

// GET /v1/seats/{seatId}
Answer get_seat(Call& call) {
  const auto place = call.ledger().seats().find(std::string_view(call.parameters[0]));
  const auto event = place ? call.ledger().event(place->event) : nullptr;
  if (event == nullptr) co_return fail(call, {404, "seat_not_found", "Seat " + call.parameters[0] + " not found"});
  const Plan& plan = *event->plan();
  const SeatIndex seat = place->seat;
  const SeatReading reading = event->seat(seat, call.ledger().now());
  std::string label;
  plan.append_label(label, seat);
  call.response.status = 200;
  call.response.content_type = "application/json";
  Json json(call.response.body);
  json.object([&] {
    json.member("id", plan.seat_id(seat));
    json.member("eventId", to_string(event->card().id));
    json.member("label", label);
    json.member("section", plan.section_of(seat));
    json.member("row", plan.row_of(seat));
    json.member("number", plan.number_of(seat));
    json.member("category");
    json.object([&] { append_category(json, plan.categories()[plan.category_of(seat)]); });
    json.member("state", name_of(reading.state));
    json.member("version", reading.version);
    json.member("reservationId");
    reading.reservation&& may_touch(call, *reading.reservation) ? json.text(to_string(*reading.reservation)) : json.null();
  });
}

// POST /v1/events/{eventId}/block
Answer block_seats(Call& call) { return change_seats<Block>(call); }

// POST /v1/events/{eventId}/unblock
Answer unblock_seats(Call& call) { return change_seats<Unblock>(call); }

}  // namespace holdfast::api
