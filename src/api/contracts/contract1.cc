// Contract 1: calls with which an existing ticketing platform reserves and releases seats (docs/contracts.md).
#include <array>

#include "access/random.h"
#include "api/access.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "api/presence.h"
#include "core/limits.h"
#include "core/uuid_text.h"
#include "json/fields.h"
#include "json/plain_texts.h"

namespace holdfast::api {
namespace {

constexpr Millis k_hold = k_contract_hold_seconds * k_millis_per_second;

struct ReserveRequest {
  Uuid seat_id{};
  std::string_view customer;   // in the request's body, or in `unescaped`
  std::optional<Uuid> event_id;
  std::string unescaped;
};

// Reads a body of plain texts that has nothing wrong; false for every other.
bool decode_plain(std::string_view text, ReserveRequest& request) {
  static constexpr std::array<std::string_view, 3> k_names{"seatId", "customerId", "eventId"};
  std::array<std::optional<std::string_view>, k_names.size()> values;
  if (!read_plain_texts(text, k_names, values)) return false;
  const auto& [seat, customer, event] = values;
  const auto seat_id = seat ? parse_uuid(*seat) : std::nullopt;
  if (!seat_id || seat_id->is_nil()) return false;
  if (!customer || customer->size() > k_customer_bytes_max || is_blank(*customer)) return false;
  if (event) request.event_id = parse_uuid(*event);
  if (event && !request.event_id) return false;
  request.seat_id = *seat_id;
  request.customer = *customer;
  return true;
}

// What is wrong with the request; empty if nothing is. The parsed body ends here, so that it does not make the coroutine's frame large.
std::string decode(std::string_view text, ReserveRequest& request) {
  if (decode_plain(text, request)) return {};
  const JsonBody body(text);
  std::string problem = body.problem();
  FieldReader fields(body.object(), problem);
  const auto seat_id = fields.uuid("seatId", Required::yes);
  if (seat_id && seat_id->is_nil()) fields.reject("seatId", "must not be the nil UUID");
  const auto customer = fields.name("customerId", k_customer_bytes_max, Required::yes);
  const auto event_id = fields.uuid("eventId");
  if (!problem.empty()) return problem;
  request.unescaped = *customer;
  request.seat_id = *seat_id;
  request.customer = request.unescaped;
  request.event_id = event_id;
  return problem;
}

Fault seat_not_found(std::string_view seat) { return {404, "seat_not_found", "Seat " + std::string(seat) + " not found"}; }
Fault seat_not_found(const Uuid& seat) { return seat_not_found(to_string(seat)); }

void refuse(Call& call, const Uuid& seat, const Outcome& outcome) {
  const std::string id = to_string(seat);
  const std::string_view code = name_of(outcome.reason);
  switch (outcome.reason) {
    case Reason::seat_not_found:
    case Reason::event_not_found: return fail(call, seat_not_found(seat));
    case Reason::seat_unavailable: return fail(call, {409, code, "Seat " + id + " is not available. It is reserved, sold or blocked."});
    case Reason::event_not_on_sale: return fail(call, {409, code, "Seat " + id + " is not available. Its event is not on sale."});
    case Reason::lock_held: return fail(call, {409, code, "Could not acquire lock for seat " + id + ". Seat may be reserved or locked."});
    default: return fail(call, fault_of(outcome));
  }
}

// The members that both calls show, in the contract's order. The caller closes the object.
void append_reservation(std::string& out, const ReservationView& view, std::string_view seat_id) {
  out += R"({"reservationId":")";
  append_uuid(out, view.id);
  out += R"(","seatId":)";
  append_json(out, seat_id);
  out += R"(,"customerId":)";
  append_json(out, view.customer);
  out += R"(,"expiresAt":")";
  append_rfc3339(out, view.expires_at);
  out += R"(","status":")";
  out += name_of(view.status);
  out += '"';
}

}  // namespace

// POST /reservations
Answer reserve_seat(Call& call) {
  if (!check_content_type(call, true)) co_return;
  ReserveRequest request;
  if (std::string problem = decode(call.request.body, request); !problem.empty()) {
    co_return fail(call, {400, k_invalid_request, std::move(problem)});
  }

  auto place = call.ledger().seats().find(request.seat_id);
  if (!place || call.ledger().event(place->event) == nullptr) {
    if (!co_await bring_seats(call, {to_string(request.seat_id)})) co_return;
    place = call.ledger().seats().find(request.seat_id);
  }
  if (!place) co_return fail(call, seat_not_found(request.seat_id));
  if (request.event_id && call.ledger().event_by_id(*request.event_id) != place->event) {
    co_return fail(call, seat_not_found(request.seat_id));
  }

  Submission submission = call.submission();
  const UuidText seat_id = uuid_text(request.seat_id);
  const bool has_key = call.request.header("Idempotency-Key") != nullptr;
  if (has_key && !read_key(call, std::string(seat_id.view()).append(" ").append(request.customer), submission.key)) co_return;
  submission.parts.push_back({place->event, Hold{.reservation = new_reservation_id(place->event, call.ledger().now()),
                                                 .customer = request.customer,
                                                 .seats = {&place->seat, 1},
                                                 .duration = k_hold,
                                                 .duration_is_contracted = true}});
  const auto verdict = co_await call.gateway.ask(std::move(submission));
  if (!verdict) co_return fail(call, busy());
  const Outcome& outcome = verdict->outcomes.front();
  if (!outcome.accepted()) {
    // Seats of an import that has not ended do not exist yet, and seats of a draft do not exist for most callers.
    const auto event = call.ledger().event(place->event);
    const bool hidden = outcome.reason == Reason::event_not_on_sale && (event == nullptr || !is_there(call, *event));
    co_return hidden ? fail(call, seat_not_found(request.seat_id)) : refuse(call, request.seat_id, outcome);
  }

  const ReservationView& view = *outcome.reservation;
  call.reservation = view.id;
  call.response.headers.emplace_back("Location", std::string("/reservations/").append(uuid_text(view.id).view()));
  mark_replayed(call, *verdict);
  begin_json(call, 201);
  append_reservation(call.response.body, view, seat_id.view());
  call.response.body += '}';
}

// GET /reservations/{reservationId}
Answer get_reservation(Call& call) {
  const auto id = parse_uuid(call.parameters[0]);
  const auto view = id ? call.ledger().reservation(*id) : std::nullopt;
  if (!view || view->kind == ReservationKind::ticket_lock) {
    co_return fail(call, {404, "reservation_not_found", "Reservation " + call.parameters[0] + " not found"});
  }
  const auto event = call.ledger().event(*event_of_reservation(*id));
  const Plan& plan = *event->plan();
  std::string& out = call.response.body;
  begin_json(call);
  append_reservation(out, *view, plan.seat_id(view->seats.front().seat));
  out += R"(,"createdAt":")";
  append_rfc3339(out, view->created_at);
  out += R"(","seatIds":[)";
  for (const ReservedSeat& reserved : view->seats) {
    if (out.back() != '[') out += ',';
    append_json(out, plan.seat_id(reserved.seat));
  }
  out += "]}";
}

namespace {

// The ticket lock that holds the seat; nothing if a customer holds it, or nobody.
std::optional<Uuid> lock_of(const Call& call, const SeatReading& seat) {
  if (seat.state != SeatState::held || !seat.reservation) return std::nullopt;
  const auto owner = call.ledger().reservation(*seat.reservation);
  return owner && owner->kind == ReservationKind::ticket_lock ? seat.reservation : std::nullopt;
}

}  // namespace

// PUT /api/v1/seats/{seatId}/release. The caller has learned that a hold ended. It must never end a hold that goes on, nor a sale.
Answer release_seat(Call& call) {
  const std::string& id = call.parameters[0];
  const auto place = call.ledger().seats().find(std::string_view(id));
  const auto event = place ? call.ledger().event(place->event) : nullptr;
  if (event == nullptr || !is_there(call, *event)) co_return fail(call, seat_not_found(id));
  SeatReading seat = event->seat(place->seat, call.ledger().now());
  const std::optional<Uuid> lock = lock_of(call, seat);
  if (lock && !call.services.access.admit_to_contract(call, Group::contract2)) co_return;
  if (lock) {
    Submission submission = call.submission();
    submission.parts.push_back({place->event, ReleaseLocks{.seats = {&place->seat, 1}, .only = {&*lock, 1}}});
    const auto verdict = co_await call.gateway.ask(std::move(submission));
    if (!verdict) co_return fail(call, busy());
    if (!verdict->accepted()) co_return fail(call, fault_of(verdict->outcomes.front()));
    seat = event->seat(place->seat, call.ledger().now());
  }
  // After the release, another customer may have the seat already. The call has done its work all the same.
  const bool is_released = lock && (seat.state != SeatState::sold || seat.reservation != lock);
  if (seat.state != SeatState::available && !is_released) {
    co_return fail(call, {409, "seat_unavailable", "Seat " + id + " was not released. It is held by a customer, sold or blocked."});
  }
  Json json = begin_json(call);
  json.object([&] {
    json.member("seatId", event->plan()->seat_id(place->seat));
    json.member("status", name_of(SeatState::available));
  });
}

}  // namespace holdfast::api
