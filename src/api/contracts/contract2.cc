// Contract 2: three functions with which a second platform locks tickets (docs/contracts.md).
#include <boost/unordered/unordered_flat_set.hpp>
#include <map>

#include "access/random.h"
#include "api/endpoints.h"
#include "api/presence.h"
#include "core/limits.h"
#include "json/fields.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_tickets_max = k_seats_per_reservation_max;
constexpr Sweep k_step{.limit = 1'000, .seats_max = 10'000};   // expiries recorded at once

struct TicketRequest {
  std::vector<std::string_view> tickets;   // in the order of the request, each once
  std::int64_t reserved_time = 0;
  std::vector<Uuid> reservations;          // tickets_unlock_param: only these
};

// The arguments: in `data`, or at the top level. nullptr if there is a problem.
const boost::json::object* arguments_of(const JsonBody& body, std::string& problem) {
  const boost::json::value* data = problem.empty() ? body.object()->if_contains("data") : nullptr;
  if (data == nullptr) return body.object();
  if (!data->is_object()) problem = "`data` must be an object.";
  return data->if_object();
}

// Reads the list of tickets under any of its three names. Returns what is wrong with it, or nothing.
std::optional<std::string> read_tickets(const boost::json::object& arguments, std::vector<std::string_view>& tickets) {
  const boost::json::value* list = nullptr;
  std::string name = "ticketd_reserved";
  for (const char* each : {"ticketd_reserved", "tickets", "ticket_ids"}) {
    const boost::json::value* found = arguments.if_contains(each);
    if (found == nullptr) continue;
    if (list != nullptr) return "`" + name + "` and `" + each + "` are two lists of tickets; send only one.";
    list = found;
    name = each;
  }
  if (list == nullptr) return "`ticketd_reserved` is missing.";
  if (!list->is_array()) return "`" + name + "` must be an array of ticket ids.";
  const boost::json::array& items = list->get_array();
  std::string wrong_number = "`" + name + "` must have 1 to 1000 ticket ids.";
  if (items.empty()) return wrong_number;
  boost::unordered_flat_set<std::string_view> seen;
  for (const boost::json::value& item : items) {
    if (!item.is_string() || item.get_string().empty() || item.get_string().size() > k_seat_id_bytes_max) {
      return "`" + name + "` must have only strings of 1 to 128 bytes.";
    }
    const std::string_view id = item.get_string();
    if (seen.insert(id).second) tickets.push_back(id);
    if (tickets.size() > k_tickets_max) return wrong_number;   // each counts once
  }
  return std::nullopt;
}

std::optional<std::string> read_reservations(const boost::json::object& arguments, std::vector<Uuid>& reservations) {
  const boost::json::value* list = arguments.if_contains("reservationIds");
  if (list == nullptr || list->is_null()) return std::nullopt;
  if (!list->is_array() || list->get_array().empty() || list->get_array().size() > k_tickets_max) {
    return "`reservationIds` must be an array of 1 to 1000 reservation ids.";
  }
  for (const boost::json::value& item : list->get_array()) {
    const auto id = item.is_string() ? parse_uuid(item.get_string()) : std::nullopt;
    if (!id) return "`reservationIds` must have only UUIDs.";
    reservations.push_back(*id);
  }
  return std::nullopt;
}

// The tickets by event. `place_of` has the place of each ticket of the request; nothing for an unknown ticket.
struct Grouped {
  std::vector<std::optional<SeatPlace>> place_of;
  std::map<EventNumber, std::vector<SeatIndex>> seats;
  bool all_known = true;
};

Grouped group(const Call& call, const std::vector<std::string_view>& tickets) {
  Grouped grouped;
  boost::unordered_flat_set<std::uint64_t> seen;   // two spellings of one UUID are one ticket
  for (const std::string_view ticket : tickets) {
    auto place = call.ledger().seats().find(ticket);
    if (place && call.ledger().event(place->event) == nullptr) place.reset();   // its import has not ended
    grouped.all_known = grouped.all_known && place.has_value();
    grouped.place_of.push_back(place);
    if (place && seen.insert(std::uint64_t{place->event} << 32 | place->seat).second) grouped.seats[place->event].push_back(place->seat);
  }
  return grouped;
}

template <typename Fill>
void answer(Call& call, unsigned status, std::string_view message, Fill fill) {
  Json json = begin_json(call, status);
  json.object([&] {
    json.member("message", message);
    json.member("status", status);
    json.object("data", [&] { fill(json); });
  });
}

// Refuses the set because of these tickets. The contract says 400; for metrics it is a conflict, not a malformed request.
void answer_not_available(Call& call, const std::vector<std::string_view>& unavailable) {
  call.code = name_of(Reason::seat_unavailable);
  call.status_for_metrics = 409;
  answer(call, 400, "Tickets not available", [&](Json& json) {
    json.member("valido", false);
    json.texts("nodisponible", unavailable);
  });
}

// The tickets that are not available. Some are unknown, so nothing will be held: the states are read, and no command is judged.
std::vector<std::string_view> read_unavailable(const Call& call, const TicketRequest& request, const Grouped& grouped) {
  std::vector<std::string_view> unavailable;
  const Millis now = call.ledger().now();
  for (std::size_t i = 0; i < request.tickets.size(); ++i) {
    const auto& place = grouped.place_of[i];
    const auto event = place ? call.ledger().event(place->event) : nullptr;
    const bool free =
        event != nullptr && event->status() == EventStatus::on_sale && event->seat(place->seat, now).state == SeatState::available;
    if (!free) unavailable.push_back(request.tickets[i]);
  }
  return unavailable;
}

// The tickets of a refused set that are the reason, in the order of the request.
std::vector<std::string_view> refused_tickets(const TicketRequest& request, const Grouped& grouped, const Verdict& verdict) {
  boost::unordered_flat_set<std::uint64_t> refused;
  std::size_t part = 0;
  for (const auto& [event, seats] : grouped.seats) {
    const Outcome& outcome = verdict.outcomes[part++];
    const auto refuse = [&, number = event](SeatIndex seat) { refused.insert(std::uint64_t{number} << 32 | seat); };
    if (outcome.reason == Reason::event_not_on_sale || outcome.reason == Reason::event_not_found) {
      for (const SeatIndex seat : seats) refuse(seat);
    }
    for (const SeatIndex seat : outcome.seats) refuse(seat);
  }
  std::vector<std::string_view> tickets;
  for (std::size_t i = 0; i < request.tickets.size(); ++i) {
    const auto& place = grouped.place_of[i];
    if (place && refused.contains(std::uint64_t{place->event} << 32 | place->seat)) tickets.push_back(request.tickets[i]);
  }
  return tickets;
}

// The meaning of a request, which an Idempotency-Key stands for.
std::string meaning_of(const TicketRequest& request) {
  std::string meaning = std::to_string(request.reserved_time);
  for (const Uuid& id : request.reservations) meaning.append(" ").append(to_string(id));
  for (const std::string_view ticket : request.tickets) meaning.append(1, '\0').append(ticket);
  return meaning;
}

// Answers a refusal that is not about tickets. False if there is none.
bool refuse(Call& call, const Verdict& verdict) {
  for (const Outcome& outcome : verdict.outcomes) {
    const bool grave = outcome.reason == Reason::unavailable || outcome.reason == Reason::no_room ||
                       outcome.reason == Reason::idempotency_key_reused || outcome.reason == Reason::limit_exceeded;
    if (!grave) continue;
    fail(call, fault_of(outcome));
    return true;
  }
  return false;
}

// What is wrong with the request; empty if nothing is. The tickets point into `body`.
std::string decode(const JsonBody& body, bool locks, TicketRequest& request) {
  std::string problem = body.problem();
  const boost::json::object* arguments = arguments_of(body, problem);
  if (!problem.empty()) return problem;
  if (auto wrong = read_tickets(*arguments, request.tickets)) return *wrong;
  if (!locks) return read_reservations(*arguments, request.reservations).value_or("");
  FieldReader fields(arguments, problem);
  request.reserved_time = fields.whole("reserved_time", 1, k_hold_seconds_max, Required::yes).value_or(0);
  return problem;
}

}  // namespace

// POST /tickets_lock
Answer tickets_lock(Call& call) {
  if (!check_content_type(call, false)) co_return;
  const JsonBody body(call.request.body);
  TicketRequest request;
  if (auto problem = decode(body, true, request); !problem.empty()) {
    co_return fail(call, {400, k_invalid_request, std::move(problem)});
  }
  if (!co_await bring_seats(call, {request.tickets.begin(), request.tickets.end()})) co_return;
  const Grouped grouped = group(call, request.tickets);
  Submission submission = call.submission();
  if (!read_key(call, meaning_of(request), submission.key)) co_return;
  if (!grouped.all_known) co_return answer_not_available(call, read_unavailable(call, request, grouped));
  if (grouped.seats.size() > k_events_per_command_max) {
    co_return fail(call, {400, k_invalid_request, "The tickets belong to more than 100 events; lock them in several requests."});
  }
  for (const auto& [event, seats] : grouped.seats) {
    submission.parts.push_back({event, Hold{.reservation = new_reservation_id(event, call.ledger().now()),
                                            .kind = ReservationKind::ticket_lock,
                                            .seats = seats,
                                            .duration = request.reserved_time * k_millis_per_second}});
  }
  const auto verdict = co_await call.gateway.ask(std::move(submission));
  if (!verdict) co_return fail(call, busy());
  if (!verdict->accepted()) {
    if (!refuse(call, *verdict)) answer_not_available(call, refused_tickets(request, grouped, *verdict));
    co_return;
  }
  mark_replayed(call, *verdict);
  answer(call, 200, "Tickets blocked", [&](Json& json) {
    json.member("valido", true);
    json.texts("tickets", request.tickets);
    json.array("reservationIds", verdict->outcomes, [&](const Outcome& outcome) { json.text(to_string(outcome.reservation->id)); });
  });
}

// POST or GET /tickets_unlock. Records expiries. A hold blocks nobody after its end, whether or not its expiry has been recorded.
Answer tickets_unlock(Call& call) {
  const Millis now = call.ledger().now();
  for (const EventNumber number : call.ledger().events()) {
    const auto event = call.ledger().event(number);
    while (event != nullptr && event->has_expiries(now)) {
      Submission submission;
      submission.parts.push_back({number, k_step});
      const auto verdict = co_await call.gateway.ask(std::move(submission));
      if (!verdict) co_return fail(call, busy());
      if (refuse(call, *verdict)) co_return;
      if (verdict->outcomes.front().swept == 0) break;
    }
  }
  answer(call, 200, "Tickets unlocked", [](Json& json) { json.member("valido", true); });
}

// POST /tickets_unlock_param
Answer tickets_unlock_param(Call& call) {
  if (!check_content_type(call, false)) co_return;
  const JsonBody body(call.request.body);
  TicketRequest request;
  if (auto problem = decode(body, false, request); !problem.empty()) {
    co_return fail(call, {400, k_invalid_request, std::move(problem)});
  }
  if (!co_await bring_seats(call, {request.tickets.begin(), request.tickets.end()})) co_return;
  const Grouped grouped = group(call, request.tickets);
  Submission submission = call.submission();
  if (!read_key(call, meaning_of(request), submission.key)) co_return;
  if (grouped.seats.size() > k_events_per_command_max) {
    co_return fail(call, {400, k_invalid_request, "The tickets belong to more than 100 events; unlock them in several requests."});
  }
  for (const auto& [event, seats] : grouped.seats) {
    submission.parts.push_back({event, ReleaseLocks{.seats = seats, .only = request.reservations}});
  }
  if (!submission.parts.empty()) {
    const auto verdict = co_await call.gateway.ask(std::move(submission));
    if (!verdict) co_return fail(call, busy());
    if (refuse(call, *verdict)) co_return;
    mark_replayed(call, *verdict);
  }
  answer(call, 200, "Tickets unlocked", [](Json& json) { json.member("valido", true); });
}

}  // namespace holdfast::api
