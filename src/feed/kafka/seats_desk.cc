#include "feed/kafka/seats_desk.h"

#include <algorithm>

#include "core/check.h"
#include "core/limits.h"
#include "json/fields.h"
#include "json/json.h"

namespace holdfast::feed::kafka {
namespace {

constexpr std::string_view k_category = "Standard";
constexpr std::int64_t k_number_max = 1'000'000'000;

// The id of an event or a seat; the nil one if there is a problem.
Uuid read_id(FieldReader& fields, std::string_view name) {
  const Uuid id = fields.uuid(name, Required::yes).value_or(Uuid{});
  if (id.is_nil()) fields.reject(name, "must be a UUID, and not the nil one");
  return id;
}

// One seat of the list. `problem` says what is wrong with it, or stays empty.
GeneratedSeat read_seat(const boost::json::value& item, std::string& problem) {
  GeneratedSeat seat;
  if (!item.is_object()) problem = "it must be an object.";
  FieldReader fields(item.if_object(), problem);
  seat.id = read_id(fields, "seatId");
  seat.section = fields.name("section", k_name_bytes_max, Required::yes).value_or("");
  seat.row = fields.name("row", k_name_bytes_max, Required::yes).value_or("");
  seat.number = fields.whole("number", 0, k_number_max, Required::yes).value_or(0);
  return seat;
}

// The digits at the beginning of the text.
std::string_view digits_of(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, [](char c) { return c >= '0' && c <= '9'; });
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

std::string_view without_zeros(std::string_view digits) {
  const std::size_t first = digits.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view{} : digits.substr(first);
}

bool comes_before(const GeneratedSeat& a, const GeneratedSeat& b) {
  if (const auto order = compare_rows(a.section, b.section); order != 0) return order < 0;
  if (const auto order = compare_rows(a.row, b.row); order != 0) return order < 0;
  return a.number != b.number ? a.number < b.number : a.id < b.id;
}

Standing not_now(std::string why) { return {Standing::Kind::unavailable, std::move(why)}; }

std::expected<std::shared_ptr<const Plan>, PlanProblem> plan_of(const Uuid& event, std::vector<GeneratedSeat> seats) {
  std::ranges::sort(seats, comes_before);
  PlanBuilder builder(event, {{.name = std::string(k_category), .price = {}, .color = {}}});
  for (const GeneratedSeat& seat : seats) {
    const std::string id = to_string(seat.id);
    const std::string number = std::to_string(seat.number);
    const auto added = builder.add({.id = id, .section = seat.section, .row = seat.row, .number = number});
    if (!added) return std::unexpected(added.error());
  }
  return builder.finish();
}

}  // namespace

std::strong_ordering compare_rows(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    const std::string_view of_a = digits_of(a);
    const std::string_view of_b = digits_of(b);
    if (!of_a.empty() && !of_b.empty()) {
      const std::string_view number_a = without_zeros(of_a);
      const std::string_view number_b = without_zeros(of_b);
      if (number_a.size() != number_b.size()) return number_a.size() <=> number_b.size();
      if (const int order = number_a.compare(number_b); order != 0) return order <=> 0;
      a.remove_prefix(of_a.size());
      b.remove_prefix(of_b.size());
      continue;
    }
    if (a.front() != b.front()) return static_cast<unsigned char>(a.front()) <=> static_cast<unsigned char>(b.front());
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  if (a.empty() != b.empty()) return a.empty() ? std::strong_ordering::less : std::strong_ordering::greater;
  return whole_a.compare(whole_b) <=> 0;   // 01 differs from 1
}

std::expected<SeatsPart, std::string> EngineSeatsDesk::read(std::string_view text) {
  const JsonBody body(text);
  std::string problem = body.problem();
  FieldReader fields(body.object(), problem);
  SeatsPart part;
  part.event = read_id(fields, "eventId");
  part.total = static_cast<std::uint64_t>(
      fields.whole("totalSeats", 1, static_cast<std::int64_t>(k_seats_per_event_max), Required::yes).value_or(0));
  if (!problem.empty()) return std::unexpected(std::move(problem));
  if (part.total > k_generated_seats_max) {
    return std::unexpected("`totalSeats` is " + std::to_string(part.total) + ". An event from Kafka has at most " +
                           std::to_string(k_generated_seats_max) +
                           " seats, because its parts wait in memory for each other. Create a larger event with POST /v1/events.");
  }
  const boost::json::value* const seats = body.object()->if_contains("seats");
  if (seats == nullptr || !seats->is_array() || seats->get_array().empty()) {
    return std::unexpected("`seats` must be an array with at least one seat.");
  }
  part.seats.reserve(seats->get_array().size());
  for (const boost::json::value& item : seats->get_array()) {
    part.seats.push_back(read_seat(item, problem));
    if (!problem.empty()) return std::unexpected("Seat " + std::to_string(part.seats.size()) + ": " + problem);
  }
  return part;
}

Standing EngineSeatsDesk::standing(const Uuid& id, std::span<const GeneratedSeat> seats) {
  if (!ledger_.bring({.event_id = id, .as_of_now = true})) return not_now("Whether the event exists cannot be read at present.");
  const auto number = ledger_.event_by_id(id);
  if (!number) {
    if (const std::string trouble = ledger_.trouble(); !trouble.empty()) return not_now(trouble);
    return {Standing::Kind::absent, {}};
  }
  const auto opened = ledger_.event(*number);
  if (opened == nullptr) return not_now("The event is being imported, or cannot be read at present.");
  for (const GeneratedSeat& seat : seats) {
    const auto place = ledger_.seats().find(seat.id);
    if (place && place->event == *number) continue;
    // Only an event that was loaded all the time is known to lack the seat: a node may unload an event that nobody uses.
    const auto still = ledger_.event(*number);
    if (still == nullptr || still->plan() != opened->plan()) return not_now("The event cannot be read at present.");
    return {Standing::Kind::refused,
            "The event is open without seat " + to_string(seat.id) + "; seats are not added to an event that is open."};
  }
  return {Standing::Kind::has_all, {}};
}

Standing EngineSeatsDesk::import(const Uuid& id, std::vector<GeneratedSeat> seats) {
  HOLDFAST_CHECK(engine_ != nullptr);
  Standing before = standing(id, seats);
  if (before.kind != Standing::Kind::absent) return before;
  auto plan = plan_of(id, seats);
  if (!plan) return {Standing::Kind::refused, "The event cannot be created: " + plan.error().what + "."};
  NewEvent event;
  event.card.id = id;
  event.settings.name = to_string(id);
  event.plan = std::move(*plan);
  const auto created = engine_->create_event(std::move(event));
  if (created) return {Standing::Kind::has_all, {}};
  const CreationProblem& problem = created.error();
  switch (problem.kind) {
    case CreationProblem::Kind::seat_exists:
    case CreationProblem::Kind::too_many_events: return {Standing::Kind::refused, "The event cannot be created: " + problem.what + "."};
    case CreationProblem::Kind::event_exists: return standing(id, seats);   // it was created meanwhile
    default: return not_now("The event cannot be created at present: " + problem.what + ".");
  }
}

}  // namespace holdfast::feed::kafka
