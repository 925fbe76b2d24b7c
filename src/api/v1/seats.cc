// /v1/seats, lists of seats, and blocking seats (docs/api.md).
#include <algorithm>

#include "api/background.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "api/presence.h"
#include "api/v1/members.h"
#include "api/v1/seat_filter.h"

namespace holdfast::api {
namespace {

// The seat that the path names; or nothing, with the answer written (404).
std::optional<SeatPlace> find_seat(Call& call) {
  const auto place = call.ledger().seats().find(std::string_view(call.parameters[0]));
  const auto event = place ? call.ledger().event(place->event) : nullptr;
  if (event != nullptr && is_there(call, *event)) return place;
  fail(call, {404, "seat_not_found", "Seat " + call.parameters[0] + " not found"});
  return std::nullopt;
}

void append_seat(const Call& call, Json& json, const PublishedEvent& event, SeatIndex seat, const SeatReading& reading) {
  const Plan& plan = *event.plan();
  std::string label;
  plan.append_label(label, seat);
  json.object([&] {
    json.member("id", plan.seat_id(seat));
    json.member("eventId", to_string(event.card().id));
    json.member("label", label);
    json.member("section", plan.section_of(seat));
    json.member("row", plan.row_of(seat));
    json.member("number", plan.number_of(seat));
    json.object("category", [&] { append_category(json, plan.categories()[plan.category_of(seat)]); });
    json.member("state", name_of(reading.state));
    json.member("version", reading.version);
    const bool is_shown = reading.reservation && may_touch(call, *reading.reservation);
    json.member_or_null("reservationId", is_shown ? to_string(*reading.reservation) : "");
  });
}

// Leaves out members that the type does not have, as in changes.
void append_seat_change(Json& json, const SeatChange& change) {
  json.object([&] {
    json.member("seq", change.seq);
    json.member("at", rfc3339(change.at));
    json.member("type", name_of(change.kind));
    json.member("state", name_of(change.state));
    json.member("version", change.version);
    if (change.reservation) {
      json.member("reservationId", to_string(*change.reservation));
      json.member_or_null("customerId", change.customer);
    }
    if (!change.order.empty()) json.member("orderId", change.order);
  });
}

// Nothing if a parameter names something that does not exist; then `problem` says which.
std::optional<SeatFilter> read_filter(const Query& query, const Plan& plan, std::string& problem) {
  SeatFilter filter;
  if (const std::string* state = query.find("state")) {
    for (const auto each : {SeatState::available, SeatState::held, SeatState::sold, SeatState::blocked}) {
      if (*state == name_of(each)) filter.state = each;
    }
    if (!filter.state) problem = "`state` must be available, held, sold or blocked.";
  }
  if (const std::string* section = query.find("section")) {
    const auto at = std::ranges::find(plan.sections(), *section);
    filter.section = static_cast<std::uint32_t>(at - plan.sections().begin());
    if (at == plan.sections().end()) problem = "`section` is not one of this event's.";
  }
  if (const std::string* category = query.find("category")) {
    const auto at = std::ranges::find(plan.categories(), *category, &Category::name);
    filter.category = static_cast<std::uint32_t>(at - plan.categories().begin());
    if (at == plan.categories().end()) problem = "`category` is not one of this event's.";
  }
  if (const std::string* label = query.find("label")) filter.label = *label;
  return problem.empty() ? std::optional(filter) : std::nullopt;
}

void append_seats(Call& call, Json& json, const PublishedEvent& event, const SeatFilter& filter, std::size_t first, std::size_t limit) {
  json.object([&] {
    std::size_t next = 0;
    json.array("items", [&] {
      next = show_seats(event, filter, first, limit, call.ledger().now(),
                        [&](SeatIndex seat, const SeatReading& reading) { append_seat(call, json, event, seat, reading); });
    });
    json.member_or_null("nextCursor", next < event.seat_count() ? std::to_string(next) : "");
  });
}

template <typename Wish>
Answer change_seats(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto id = parse_uuid(call.parameters[0]);
  const auto number = id ? call.ledger().event_by_id(*id) : std::nullopt;
  if (!number) co_return fail(call, {404, "event_not_found", "There is no event " + call.parameters[0] + "."});
  BodyReader body(call, Required::yes, {"seatIds"});
  if (!body.is_good() || !co_await bring_seats(call, seat_ids_in(body.object()))) co_return;
  const auto named = read_seats(call, body.object(), Required::yes, number);
  if (!named) co_return;
  Submission submission = call.submission();
  if (!read_key(call, call.request.body, submission.key)) co_return;
  submission.parts.push_back({*number, Wish{.seats = named->seats}});
  const auto verdict = co_await call.gateway.ask(std::move(submission));
  if (!verdict) co_return fail(call, busy());
  if (!verdict->accepted()) co_return refuse(call, *number, verdict->outcomes.front());
  mark_replayed(call, *verdict);
  const auto event = call.ledger().event(*number);
  Json json = begin_json(call);
  json.object([&] { json.array("seatIds", named->seats, [&](SeatIndex seat) { json.text(event->plan()->seat_id(seat)); }); });
}

}  // namespace

// GET /v1/seats/{seatId}
Answer get_seat(Call& call) {
  const auto place = find_seat(call);
  if (!place) co_return;
  const auto event = call.ledger().event(place->event);
  Json json = begin_json(call);
  append_seat(call, json, *event, place->seat, event->seat(place->seat, call.ledger().now()));
}

// GET /v1/seats/{seatId}/history?limit=&cursor=
Answer get_seat_history(Call& call) {
  const auto place = find_seat(call);
  const auto page = place ? read_page(call) : std::nullopt;
  if (!page) co_return;
  const auto after = number_of(*page, UINT32_MAX);
  if (!after) co_return fail(call, fault_of(ReadProblem{ReadProblem::Kind::bad_cursor}));
  Reading<std::vector<SeatChange>> history;
  co_await call.services.background.run(
      [&] { history = call.ledger().seat_history(*place, static_cast<std::uint32_t>(*after), page->limit + 1); });
  if (!history) co_return fail(call, fault_of(history.error()));
  const bool has_more = history->size() > page->limit;
  if (has_more) history->pop_back();
  answer_page(call, *history, has_more ? std::to_string(history->back().version) : "", append_seat_change);
}

// GET /v1/events/{eventId}/seats?state=&section=&category=&label=&limit=&cursor=
Answer list_seats(Call& call) {
  const auto event = find_event(call);
  if (event == nullptr) co_return;
  const auto query = Query::read(call, {"state", "section", "category", "label", "limit", "cursor"});
  const auto page = query ? read_page(call, *query) : std::nullopt;
  if (!page) co_return;
  std::string problem;
  const auto filter = read_filter(*query, *event->plan(), problem);
  const auto first = number_of(*page, event->seat_count());
  if (!filter) co_return fail(call, {400, k_invalid_request, problem});
  if (!first) co_return fail(call, fault_of(ReadProblem{ReadProblem::Kind::bad_cursor}));
  Json json = begin_json(call);
  // Examining many seats would keep this thread from its other connections.
  co_await call.services.background.run([&] { append_seats(call, json, *event, *filter, static_cast<std::size_t>(*first), page->limit); });
}

// POST /v1/events/{eventId}/block
Answer block_seats(Call& call) { return change_seats<Block>(call); }

// POST /v1/events/{eventId}/unblock
Answer unblock_seats(Call& call) { return change_seats<Unblock>(call); }

}  // namespace holdfast::api
