#include "simulation/workload.h"

#include <algorithm>
#include <iterator>

#include "core/check.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::simulation {
namespace {

constexpr const char* k_customers[] = {"anna", "ben", "a customer with a name that is longer than most of them"};
constexpr const char* k_orders[] = {"order-1", "order-2"};
constexpr std::uint64_t k_recent = 8;   // reservations and requests that clients still work with

}   // namespace

const Request& Workload::draw(const Book& book) {
  if (!with_key_.empty() && choices_.one_in(8)) return retry();
  auto event = book.events().begin();
  std::advance(event, static_cast<std::ptrdiff_t>(choices_.below(book.events().size())));
  Request& request = requests_.emplace_back();
  fill(request, book, event->first);
  const bool is_about_seats = request.name != "extend" && request.name != "configure" && request.name != "unlock";
  if (is_about_seats && choices_.one_in(key_every_)) {
    request.submission.key = draw_key();
    with_key_.push_back(&request);
  }
  return request;
}

void Workload::fill(Request& request, const Book& book, EventNumber event) {
  const std::size_t seats = book.events().at(event).seats().size();
  const std::uint64_t what = choices_.below(32);
  if (what < 9) return fill_hold(request, event, seats);
  if (what < 12) return fill_best(request, event);
  if (what == 12) return fill_set(request, book);
  const bool is_closed = book.events().at(event).settings().status != EventStatus::on_sale;
  if (what == 13 || (is_closed && choices_.one_in(4))) return fill_configure(request, event, is_closed);
  if (what == 14) {
    request.name = "unlock";
    const Seats chosen = draw_seats(request, seats, 1);
    for (std::uint64_t i = choices_.below(3); i > 0; --i) request.only.push_back(known_id(event));
    return add(request, event, ReleaseLocks{.seats = chosen, .only = request.only});
  }
  if (what < 17) {
    const bool blocks = what == 15 && choices_.one_in(2);
    request.name = blocks ? "block" : "unblock";
    const Seats chosen = draw_seats(request, seats, 1);
    return add(request, event, blocks ? Command(Block{chosen}) : Command(Unblock{chosen}));
  }
  fill_about_reservation(request, event, seats, what);
}

void Workload::fill_hold(Request& request, EventNumber event, std::size_t seats) {
  const bool is_lock = choices_.one_in(4);
  request.name = is_lock ? "lock" : "hold";
  Hold hold{.reservation = new_id(event), .seats = draw_seats(request, seats, 1), .duration = draw_duration()};
  if (is_lock) {
    hold.kind = ReservationKind::ticket_lock;
  } else {
    hold.customer = choices_.of(k_customers);
    hold.duration_is_contracted = choices_.one_in(8);
    hold.held_seats_max = choices_.one_in(4) ? static_cast<std::uint32_t>(1 + choices_.below(3)) : 0;
  }
  add(request, event, hold);
}

void Workload::fill_best(Request& request, EventNumber event) {
  request.name = "best";
  BestAvailable wish{.quantity = static_cast<std::uint32_t>(1 + choices_.below(4)), .adjacent = !choices_.one_in(3)};
  if (choices_.one_in(4)) wish.section = 0;
  if (choices_.one_in(4)) wish.category = static_cast<std::uint32_t>(choices_.below(2));
  add(request, event,
      HoldBest{.reservation = new_id(event), .customer = choices_.of(k_customers), .wish = wish, .duration = draw_duration()});
}

// Ticket locks of several events: all or none.
void Workload::fill_set(Request& request, const Book& book) {
  request.name = "set";
  const Millis duration = draw_duration();
  for (const auto& [event, model] : book.events()) {
    if (!request.submission.parts.empty() && choices_.one_in(2)) continue;
    add(request, event,
        Hold{.reservation = new_id(event),
             .kind = ReservationKind::ticket_lock,
             .seats = draw_seats(request, model.seats().size(), 1),
             .duration = duration});
  }
}

void Workload::fill_configure(Request& request, EventNumber event, bool is_closed) {
  request.name = "configure";
  const bool closes = !is_closed && choices_.one_in(6);
  Configure configure{.status = closes ? EventStatus::closed : EventStatus::on_sale};
  if (choices_.one_in(2)) configure.max_hold_seconds = choices_.one_in(4) ? 60 : 3'600;
  if (choices_.one_in(2)) configure.hold_seconds = choices_.one_in(2) ? 60 : 900;
  if (choices_.one_in(2)) configure.seats_per_reservation = static_cast<std::uint32_t>(3 + choices_.below(6));
  if (choices_.one_in(2)) configure.held_seats_per_customer = static_cast<std::uint32_t>(choices_.one_in(2) ? 0 : 3 + choices_.below(8));
  add(request, event, configure);
}

void Workload::fill_about_reservation(Request& request, EventNumber event, std::size_t seats, std::uint64_t what) {
  const Uuid id = known_id(event);
  const char* order = choices_.of(k_orders);
  const auto some = [&] { return choices_.one_in(2) ? Seats{} : draw_seats(request, seats, 1); };
  if (what < 20) {
    request.name = "release";
    add(request, event, Release{.reservation = id, .seats = some()});
  } else if (what < 23) {
    request.name = "consume";
    add(request, event, Consume{.reservation = id, .order = order});
  } else if (what < 26) {
    request.name = "reinstate";
    add(request, event, Consume{.reservation = id, .order = order, .reinstate = true});
  } else if (what < 28) {
    request.name = "return";
    add(request, event, Return{.reservation = id, .order = order, .seats = some()});
  } else if (what < 30) {
    request.name = "extend";
    add(request, event, Extend{.reservation = id, .duration = draw_duration()});
  } else {
    request.name = "add";
    add(request, event, Add{.reservation = id, .seats = draw_seats(request, seats, 1)});
  }
}

// As a client repeats a request that it has no answer to, or one that was answered long ago: the same key, and a new reservation's id. Sometimes
// the key comes with another request.
const Request& Workload::retry() {
  const std::size_t back = static_cast<std::size_t>(choices_.one_in(4) ? choices_.below(with_key_.size()) : choices_.below(k_recent));
  const Request& first = *with_key_[with_key_.size() - 1 - std::min(back, with_key_.size() - 1)];
  Request& request = requests_.emplace_back();
  request.name = first.name;
  request.submission = first.submission;   // whose texts and seats stay where they are
  for (Part& part : request.submission.parts) {
    if (auto* hold = std::get_if<Hold>(&part.command)) hold->reservation = new_id(part.event);
    if (auto* best = std::get_if<HoldBest>(&part.command)) best->reservation = new_id(part.event);
  }
  if (choices_.one_in(8)) request.submission.key->request[0] ^= 1;
  return request;
}

// Different seats in any order; rarely one that does not exist.
Seats Workload::draw_seats(Request& request, std::size_t of, std::size_t least) {
  static constexpr std::size_t k_counts[] = {1, 1, 1, 2, 2, 3, 4};
  const std::size_t count = std::min(of, std::max(least, choices_.of(k_counts)));
  std::vector<SeatIndex> chosen;
  while (chosen.size() < count) {
    const auto seat = static_cast<SeatIndex>(choices_.one_in(64) ? of + 2 : choices_.below(of));
    if (std::ranges::find(chosen, seat) == chosen.end()) chosen.push_back(seat);
  }
  return request.seats.emplace_back(std::move(chosen));
}

Uuid Workload::new_id(EventNumber event) { return test::reservation_id(event, ++last_id_); }

// Mostly one of the latest, sometimes one that ended long ago, rarely one that never was.
Uuid Workload::known_id(EventNumber event) {
  const auto& made = made_[event];
  if (made.empty() || choices_.one_in(24)) return test::reservation_id(event, 1'000'000'000 + choices_.below(8));
  const std::size_t back = static_cast<std::size_t>(choices_.one_in(3) ? choices_.below(made.size()) : choices_.below(k_recent));
  return made[made.size() - 1 - std::min(back, made.size() - 1)];
}

Millis Workload::draw_duration() {
  static constexpr Millis k_durations[] = {1, 50, 1'000, 30'000, 60'000, 60'000, 60'000, 600'000, 600'000, 900'000, 3'600'000, 86'400'000};
  return choices_.of(k_durations);
}

IdempotencyKey Workload::draw_key() {
  const std::uint64_t number = ++last_key_;
  return test::key_of(number, number);
}

House Workload::draw_house(std::uint64_t number) {
  House house{.number = number, .id = test::uuid_of(1'000'000 + number), .plan = {}, .book = {}};
  PlanBuilder builder(house.id, {{.name = "0"}, {.name = "1"}});
  const std::uint64_t rows = 1 + choices_.below(3);
  for (std::uint64_t row = 0; row < rows; ++row) {
    const std::string section = std::to_string(row / 2);
    const std::string name = std::to_string(row + 1);
    float x = 0;
    for (std::uint64_t seat = 3 + choices_.below(6); seat > 0; --seat) {
      const auto category = static_cast<std::uint32_t>(choices_.below(2));
      const std::string place = std::to_string(house.book.size());
      HOLDFAST_CHECK(builder.add({.section = section, .row = name, .number = place, .category = category, .x = x}).has_value());
      house.book.push_back({.section = section, .row = name, .category = std::to_string(category), .x = x});
      x += choices_.one_in(4) ? 40 : 10;
    }
  }
  house.plan = builder.finish().value();
  return house;
}

EventSettings Workload::draw_settings(std::uint64_t number) {
  EventSettings settings{.name = "evening " + std::to_string(number)};
  if (choices_.one_in(4)) settings.limits.held_seats_per_customer = static_cast<std::uint32_t>(1 + choices_.below(8));
  if (choices_.one_in(4)) settings.limits.seats_per_reservation = static_cast<std::uint32_t>(2 + choices_.below(4));
  return settings;
}

}   // namespace holdfast::simulation
