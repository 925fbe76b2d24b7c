// /v1/reservations (docs/api.md).
#include "access/random.h"
#include "api/access.h"
#include "api/background.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "api/presence.h"
#include "api/v1/best_available.h"
#include "api/v1/members.h"
#include "core/command.h"
#include "core/limits.h"
#include "core/utf8.h"
#include "json/fields.h"

namespace holdfast::api {
namespace {

// Without `now`, the states are those of the command's outcome, so that a repeat with an Idempotency-Key gets the same answer. With `now`, they
// are the seats' states at that time.
void append_reservation(Json& json, const PublishedEvent& event, const ReservationView& view, std::optional<Millis> now) {
  const Plan& plan = *event.plan();
  const bool sold = view.status == ReservationStatus::consumed;
  const bool counts_owned = sold || view.status == ReservationStatus::active;
  std::optional<Price> total = Price{};
  json.object([&] {
    json.member("id", to_string(view.id));
    json.member_or_null("customerId", view.customer);
    json.member("eventId", to_string(event.card().id));
    json.array("seats", view.seats, [&](const ReservedSeat& reserved) {
      const Category& category = plan.categories()[plan.category_of(reserved.seat)];
      if (reserved.owned || !counts_owned) {
        total = total && category.price ? std::optional(Price{total->ten_thousandths + category.price->ten_thousandths}) : std::nullopt;
      }
      std::string label;
      plan.append_label(label, reserved.seat);
      SeatState state = reserved.owned ? (sold ? SeatState::sold : SeatState::held) : SeatState::available;
      if (!reserved.owned && now) state = event.seat(reserved.seat, *now).state;
      json.object([&] {
        json.member("id", plan.seat_id(reserved.seat));
        json.member("label", label);
        json.member("category", category.name);
        append_price(json, "price", category.price);
        json.member("state", name_of(state));
      });
    });
    json.member("createdAt", rfc3339(view.created_at));
    json.member("expiresAt", rfc3339(view.expires_at));
    json.member("status", name_of(view.status));
    json.member_or_null("orderId", view.order);
    append_price(json, "total", total);
    json.member_or_null("currency", event.card().currency);
  });
}

void answer_reservation(Call& call, unsigned status, EventNumber number, const ReservationView& view, std::optional<Millis> now) {
  const auto event = call.ledger().event(number);
  Json json = begin_json(call, status);
  append_reservation(json, *event, view, now);
}

Fault reservation_not_found(const std::string& id) { return {404, "reservation_not_found", "There is no reservation " + id + "."}; }

// Whose hold it is: the customer that the body names. A session is a customer, and may leave the member out.
std::string_view read_customer(const Call& call, FieldReader& fields) {
  const auto customer = fields.name("customerId", k_customer_bytes_max, call.caller.is_session() ? Required::no : Required::yes);
  return customer.value_or(call.caller.id);
}

// The reservation that the caller names, in the path or as `text`; or nothing, with the answer written (404).
struct Named {
  Uuid id;
  EventNumber event;
};
std::optional<Named> find_reservation(Call& call, const std::string& text) {
  const auto id = parse_uuid(text);
  const auto number = id ? event_of_reservation(*id) : std::nullopt;
  if (number && call.ledger().event(*number) != nullptr && may_touch(call, *id)) return Named{*id, *number};
  fail(call, reservation_not_found(text));
  return std::nullopt;
}
std::optional<Named> find_reservation(Call& call) { return find_reservation(call, call.parameters[0]); }

// The filters of a list. The order is compared here, because no ledger has an index by order: its tables index only columns that never change.
struct ListWish {
  ReservationFilter filter;
  std::optional<std::string> order{};

  bool takes(const ReservationView& view) const { return !order || view.order == *order; }
};

// The filters in a query; or nothing, with the answer written (400, 403 or 404).
std::optional<ListWish> read_wish(Call& call, const Query& query) {
  ListWish wish;
  ReservationFilter& filter = wish.filter;
  if (const std::string* customer = query.find("customerId")) {
    if (customer->empty() || customer->size() > k_customer_bytes_max) return malformed(call, "`customerId` must have 1 to 256 bytes.");
    if (!is_utf8(*customer)) return malformed(call, "`customerId` is not UTF-8.");
    filter.customer = *customer;
  }
  if (call.caller.is_session()) {
    if (filter.customer && *filter.customer != call.caller.id) {
      fail(call, {403, k_forbidden, "`customerId` must be the session's own customer, or absent."});
      return std::nullopt;
    }
    filter.customer = call.caller.id;
  }
  if (const std::string* order = query.find("orderId")) {
    if (order->empty() || order->size() > k_order_bytes_max) return malformed(call, "`orderId` must have 1 to 128 bytes.");
    if (!is_utf8(*order)) return malformed(call, "`orderId` is not UTF-8.");
    wish.order = *order;
  }
  if (const std::string* status = query.find("status")) {
    for (const auto each :
         {ReservationStatus::active, ReservationStatus::consumed, ReservationStatus::released, ReservationStatus::expired}) {
      if (*status == name_of(each)) filter.status = each;
    }
    if (!filter.status) return malformed(call, "`status` must be active, consumed, released or expired.");
  }
  if (const std::string* text = query.find("eventId")) {
    const auto id = parse_uuid(*text);
    if (!id) return malformed(call, "`eventId` must be a UUID.");
    const auto event = find_event(call, *text);
    if (event == nullptr) return std::nullopt;
    filter.event = event->card().number;
  }
  return wish;
}

// Writes a page of reservations. Reads them in parts, so that the page can end when it has enough bytes. Returns the problem if a read failed.
std::optional<ReadProblem> append_list(Call& call, Json& json, const ListWish& wish, const Page& page) {
  constexpr std::size_t k_read_at_once = 100;   // of up to 1,000 seats each
  constexpr std::size_t k_looked_through_max = 10'000;   // for one page; the ledger examines no more for a part either
  std::optional<ReadProblem> problem;
  json.object([&] {
    std::string cursor = page.cursor;
    json.array("items", [&] {
      std::size_t left = page.limit;
      std::size_t seen = 0;
      std::string behind;   // the cursor behind the last item that was examined
      do {
        const std::size_t some = wish.order ? k_read_at_once : std::min(left, k_read_at_once);
        const auto part = call.ledger().list_reservations(wish.filter, cursor, some);
        if (!part) {
          problem = part.error();
          return;
        }
        cursor = part->next;
        for (const ListedReservation& listed : part->items) {
          if (left == 0) {   // the page is full in the middle of a part; the next page begins behind the last examined item
            cursor = behind;
            return;
          }
          behind = listed.cursor;
          if (!wish.takes(listed.view)) continue;
          const auto event = event_of_item(call.ledger(), listed.event);
          if (event == nullptr) problem = ReadProblem{ReadProblem::Kind::unavailable};
          else append_reservation(json, *event, listed.view, call.ledger().now());
          --left;
        }
        if (part->items.size() < k_read_at_once) return;   // the last part, or the ledger has examined enough
        seen += part->items.size();
      } while (left > 0 && !cursor.empty() && !problem && seen < k_looked_through_max && call.response.body.size() < k_page_bytes_max);
    });
    json.member_or_null("nextCursor", cursor);
  });
  return problem;
}

// Submits one command on one reservation, and answers with the reservation as the command left it.
Answer ask(Call& call, unsigned status, EventNumber event, Command command, std::string_view meaning) {
  Submission submission = call.submission();
  if (!read_key(call, meaning, submission.key)) co_return;
  const Uuid* const of = reservation_of(command);
  const Uuid named = of == nullptr ? Uuid{} : *of;
  submission.parts.push_back({event, std::move(command)});
  const auto verdict = co_await call.gateway.ask(std::move(submission));
  if (!verdict) co_return fail(call, busy());
  const Outcome& outcome = verdict->outcomes.front();
  if (outcome.reason == Reason::reservation_unreadable) co_return fail(call, unreadable(named));
  if (!outcome.accepted()) co_return refuse(call, event, outcome);
  mark_replayed(call, *verdict);
  if (status == 201) {
    call.reservation = outcome.reservation->id;
    call.response.headers.emplace_back("Location", "/v1/reservations/" + to_string(outcome.reservation->id));
  }
  answer_reservation(call, status, event, *outcome.reservation, std::nullopt);
}

std::string meaning_of(const NamedSeats& named) {
  std::string meaning = std::to_string(named.event);
  for (const SeatIndex seat : named.seats) meaning.append(" ").append(std::to_string(seat));
  return meaning;
}

// Holds the best seats that are available.
Answer hold_best(Call& call, BodyReader& body, std::string_view customer, std::optional<std::int64_t> seconds) {
  if (const auto event = event_wished_for(body.object()); event && !co_await bring_event(call, *event)) co_return;
  const auto best = read_best_available(call, body.object());
  if (!best) co_return;
  co_await ask(call, 201, best->event,
               HoldBest{.reservation = new_reservation_id(best->event, call.ledger().now()),
                        .customer = customer,
                        .wish = best->wish,
                        .duration = seconds.value_or(best->hold_seconds) * k_millis_per_second,
                        .held_seats_max = call.services.access.held_seats_max(call.caller)},
               best->meaning() + " " + std::to_string(seconds.value_or(0)) + " " + std::string(customer));
}

// Holds the seats that the body names.
Answer hold_named(Call& call, BodyReader& body, std::string_view customer, std::optional<std::int64_t> seconds) {
  if (!co_await bring_seats(call, seat_ids_in(body.object()))) co_return;
  const auto named = read_seats(call, body.object(), Required::yes);
  if (!named) co_return;
  const std::int64_t duration = seconds.value_or(call.ledger().event(named->event)->settings().hold_seconds);
  co_await ask(call, 201, named->event,
               Hold{.reservation = new_reservation_id(named->event, call.ledger().now()),
                    .customer = customer,
                    .seats = named->seats,
                    .duration = duration * k_millis_per_second,
                    .held_seats_max = call.services.access.held_seats_max(call.caller)},
               meaning_of(*named) + " " + std::to_string(seconds.value_or(0)) + " " + std::string(customer));
}

}   // namespace

// POST /v1/reservations: named seats, or the best that are available.
Answer hold_seats(Call& call) {
  if (!check_content_type(call, true)) co_return;
  BodyReader body(call, Required::yes,
                  {"customerId", "seatIds", "holdSeconds", "bestAvailable.eventId", "bestAvailable.quantity", "bestAvailable.section",
                   "bestAvailable.category", "bestAvailable.adjacent"});
  const std::string_view customer = read_customer(call, body.fields());
  const auto seconds = body.fields().whole("holdSeconds", 1, k_hold_seconds_max);
  if (!body.is_good()) co_return;
  const bool names_seats = body.fields().has("seatIds");
  const bool wants_best = body.fields().has("bestAvailable");
  if (!names_seats && !wants_best) {
    co_return fail(call, {400, k_invalid_request, "`seatIds` or `bestAvailable` is missing; send one of them."});
  }
  if (call.caller.is_session() && customer != call.caller.id) {
    co_return fail(call, {403, k_forbidden, "`customerId` must be the session's own customer, or absent."});
  }
  if (names_seats && wants_best) {
    co_return fail(call, {422, k_invalid_request, "`seatIds` and `bestAvailable` exclude each other; send only one of them."});
  }
  co_await (wants_best ? hold_best(call, body, customer, seconds) : hold_named(call, body, customer, seconds));
}

// GET /v1/reservations/{id}
Answer show_reservation(Call& call) {
  const auto named = find_reservation(call);
  if (!named) co_return;
  const auto view = call.ledger().reservation(named->id);
  if (!view) co_return fail(call, reservation_not_found(call.parameters[0]));
  answer_reservation(call, 200, named->event, *view, call.ledger().now());
}

// GET /v1/reservations?customerId=&eventId=&orderId=&status=&limit=&cursor=
Answer list_reservations(Call& call) {
  const auto query = Query::read(call, {"customerId", "eventId", "orderId", "status", "limit", "cursor"});
  const auto page = query ? read_page(call, *query) : std::nullopt;
  if (!page) co_return;
  const std::string* event = query->find("eventId");
  if (const auto id = event == nullptr ? std::nullopt : parse_uuid(*event); id && !co_await bring_event(call, *id)) co_return;
  const auto wish = read_wish(call, *query);
  if (!wish) co_return;
  Json json = begin_json(call);
  std::optional<ReadProblem> problem;
  co_await call.services.background.run([&] { problem = append_list(call, json, *wish, *page); });
  if (problem) co_return fail(call, fault_of(*problem));
}

// POST /v1/reservations/{id}/add
Answer add_seats(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto named = find_reservation(call);
  if (!named) co_return;
  BodyReader body(call, Required::yes, {"seatIds"});
  if (!body.is_good() || !co_await bring_seats(call, seat_ids_in(body.object()))) co_return;
  const auto seats = read_seats(call, body.object(), Required::yes, named->event);
  if (!seats) co_return;
  co_await ask(call, 200, named->event,
               Add{.reservation = named->id, .seats = seats->seats, .held_seats_max = call.services.access.held_seats_max(call.caller)},
               meaning_of(*seats));
}

// POST /v1/reservations/{id}/extend
Answer extend_reservation(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto named = find_reservation(call);
  if (!named) co_return;
  BodyReader body(call, Required::yes, {"holdSeconds"});
  const auto seconds = body.fields().whole("holdSeconds", 1, k_hold_seconds_max, Required::yes);
  if (!body.is_good()) co_return;
  co_await ask(call, 200, named->event, Extend{.reservation = named->id, .duration = *seconds * k_millis_per_second},
               std::to_string(*seconds));
}

// POST /v1/reservations/{id}/consume
Answer consume_reservation(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto named = find_reservation(call);
  if (!named) co_return;
  BodyReader body(call, Required::yes, {"orderId", "reinstate"});
  const auto order = body.fields().name("orderId", k_order_bytes_max, Required::yes);
  const bool reinstate = body.fields().flag("reinstate").value_or(false);
  if (!body.is_good()) co_return;
  co_await ask(call, 200, named->event, Consume{.reservation = named->id, .order = *order, .reinstate = reinstate},
               std::string(reinstate ? "reinstate " : "") + std::string(*order));
}

// POST /v1/demo/payments, with --demo only. A visitor's session buys what it holds. The order's name follows from the reservation, so that a
// second payment is the same payment.
Answer pay_for_demo(Call& call) {
  if (!call.caller.is_session()) {
    co_return fail(call,
                   {403, k_forbidden,
                    "The demo payment needs a visitor's session (POST /v1/sessions). With an API key, consume the reservation instead."});
  }
  if (!check_content_type(call, true)) co_return;
  BodyReader body(call, Required::yes, {"reservationId"});
  const auto text = body.fields().text("reservationId", k_uuid_text_bytes, Required::yes);
  if (!body.is_good()) co_return;
  const auto named = find_reservation(call, std::string(*text));
  if (!named) co_return;
  co_await ask(call, 200, named->event, Consume{.reservation = named->id, .order = "demo-" + to_string(named->id), .reinstate = false},
               to_string(named->id));
}

// POST /v1/reservations/{id}/release. Without a body: all of it.
Answer release_reservation(Call& call) {
  const auto named = find_reservation(call);
  if (!named || (!call.request.body.empty() && !check_content_type(call, true))) co_return;
  BodyReader body(call, Required::no, {"seatIds"});
  if (!body.is_good() || !co_await bring_seats(call, seat_ids_in(body.object()))) co_return;
  const auto seats = read_seats(call, body.object(), Required::no, named->event);
  if (!seats) co_return;
  // Stored with the Idempotency-Key, so it must stay what it has always been: without a body, that of no event and no seats.
  const std::string meaning = meaning_of(call.request.body.empty() ? NamedSeats{} : *seats);
  co_await ask(call, 200, named->event, Release{.reservation = named->id, .seats = seats->seats}, meaning);
}

// POST /v1/reservations/{id}/return
Answer return_reservation(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto named = find_reservation(call);
  if (!named) co_return;
  BodyReader body(call, Required::yes, {"orderId", "seatIds"});
  const auto order = body.fields().name("orderId", k_order_bytes_max, Required::yes);
  if (!body.is_good() || !co_await bring_seats(call, seat_ids_in(body.object()))) co_return;
  const auto seats = read_seats(call, body.object(), Required::no, named->event);
  if (!seats) co_return;
  co_await ask(call, 200, named->event, Return{.reservation = named->id, .order = *order, .seats = seats->seats},
               meaning_of(*seats) + " " + std::string(*order));
}

}   // namespace holdfast::api
