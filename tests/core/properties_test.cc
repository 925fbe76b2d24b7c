// Random commands at random times, against the model; and the promises, after every step:
//
//   - outcome, states, owners and versions are those of the model;
//   - no seat has two owners, no hold lasts longer than its time, the inventory does not contradict itself;
//   - replaying the journal's bytes gives the same inventory: from the start, from a copy taken on the way, and in one that forgets
//     ended reservations and recalls them only when a command names them;
//   - a set over several events gets all or nothing, and a key gives its first outcome again.
//
// RC_PARAMS="max_success=100000 seed=1" runs more, or the same again.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>

#include "core/event_in_test.h"
#include "core/model.h"
#include "core/submission.h"
#include "support/rapidcheck.h"

namespace holdfast {
namespace {

constexpr std::size_t k_cases = 10'000;   // unless RC_PARAMS sets another number
constexpr int k_steps_max = 300;       // a case
[[maybe_unused]] const int k_set = ::setenv("RC_PARAMS", ("max_success=" + std::to_string(k_cases)).c_str(), 0);

constexpr SeatIndex k_seats = 7;
const char* const k_customers[] = {"anna", "ben", "a customer with a name that is longer than most of them"};
const char* const k_orders[] = {"order-1", "order-2"};

// One step of a case: a number whose digits make all choices. A failing case stays a case if some steps are removed.
struct Step {
  std::uint64_t bits = 0;
  std::uint64_t take(std::uint64_t choices) {
    const std::uint64_t chosen = bits % choices;
    bits /= choices;
    return chosen;
  }
};

rc::Gen<std::vector<Step>> steps() {
  const auto step = rc::gen::map(rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint64_t>(0, UINT64_MAX)),
                                 [](std::uint64_t bits) { return Step{bits}; });
  return rc::gen::withSize(
      [step](int size) { return rc::gen::resize(1 + size * k_steps_max / rc::kNominalSize, rc::gen::container<std::vector<Step>>(step)); });
}

void showValue(const Step& step, std::ostream& out) { out << step.bits; }

// Two rows: five seats with a gap before the fourth, and two. In the book, each is named by its number.
struct House {
  std::shared_ptr<const Plan> plan;
  std::vector<test::BookSeat> book;
};
const House& house() {
  static const House house = [] {
    House made;
    PlanBuilder builder({}, {{.name = "0"}, {.name = "1"}});
    const float x[k_seats] = {0, 10, 20, 60, 70, 0, 10};
    for (SeatIndex seat = 0; seat < k_seats; ++seat) {
      const std::string section = seat < 5 ? "0" : "1";
      const std::uint32_t category = seat == 1 || seat == 5;
      const std::string number = std::to_string(seat);
      EXPECT_TRUE(builder.add({.section = section, .row = "1", .number = number, .category = category, .x = x[seat]}).has_value());
      made.book.push_back({.section = section, .row = "1", .category = std::to_string(category), .x = x[seat]});
    }
    made.plan = builder.finish().value();
    return made;
  }();
  return house;
}

// A command, with the data that it refers to.
struct Wish {
  Command command{};
  std::vector<SeatIndex> seats{};
  std::vector<Uuid> only{};
  std::string name{};
};

// Different seats, mostly of the plan, in any order.
std::vector<SeatIndex> seats_of(Step& step, std::size_t least) {
  std::vector<SeatIndex> all;
  for (SeatIndex seat = 0; seat < k_seats; ++seat) all.push_back(seat);
  if (step.take(16) == 0) all.push_back(k_seats + 2);
  static constexpr std::size_t k_counts[] = {1, 1, 1, 2, 2, 3, 0, 4};
  const std::size_t count = std::max(least, k_counts[step.take(std::size(k_counts))]);
  std::vector<SeatIndex> chosen;
  while (chosen.size() < count) {
    const auto at = static_cast<std::ptrdiff_t>(step.take(all.size()));
    chosen.push_back(all[static_cast<std::size_t>(at)]);
    all.erase(all.begin() + at);
  }
  return chosen;
}

// Mostly an existing reservation, the latest first.
Uuid reservation_of(Step& step, const std::vector<Uuid>& made) {
  const std::uint64_t back = step.take(12);
  if (back >= 11 || made.empty()) return test_reservation_id(1'000'000);
  return made[made.size() - 1 - std::min<std::size_t>(back, made.size() - 1)];
}

Millis duration_of(Step& step) {
  static constexpr Millis k_durations[] = {1, 10, 50, 50, 200, 200, 1'000, 3'600'000, 3'600'001, 86'400'000, 86'400'001};
  return k_durations[step.take(std::size(k_durations))];
}

std::uint32_t held_seats_max_of(Step& step) { return step.take(3) == 0 ? static_cast<std::uint32_t>(1 + step.take(3)) : 0; }

Wish wish_of(Step& step, const std::vector<Uuid>& made, const Uuid& new_id) {
  Wish wish;
  switch (step.take(27)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {
      wish.seats = seats_of(step, 1);
      const bool contracted = step.take(8) == 0;
      wish.command = Hold{.reservation = new_id,
                          .customer = k_customers[step.take(3)],
                          .seats = wish.seats,
                          .duration = duration_of(step),
                          .duration_is_contracted = contracted,
                          .held_seats_max = held_seats_max_of(step)};
      wish.name = "hold";
      break;
    }
    case 5:
    case 6:
      wish.seats = seats_of(step, 1);
      wish.command = Hold{.reservation = new_id, .kind = ReservationKind::ticket_lock, .seats = wish.seats, .duration = duration_of(step)};
      wish.name = "lock";
      break;
    case 7:
    case 22:
    case 23:
      wish.seats = seats_of(step, 0);
      wish.command = Add{.reservation = reservation_of(step, made), .seats = wish.seats, .held_seats_max = held_seats_max_of(step)};
      wish.name = "add";
      break;
    case 8:
    case 20:
    case 21:
      wish.command = Extend{.reservation = reservation_of(step, made), .duration = duration_of(step)};
      wish.name = "extend";
      break;
    case 9:
    case 10: {
      if (step.take(2) == 0) wish.seats = seats_of(step, 0);
      wish.command = Release{.reservation = reservation_of(step, made), .seats = wish.seats};
      wish.name = "release";
      break;
    }
    case 11:
      wish.seats = seats_of(step, 0);
      for (std::uint64_t i = step.take(3); i > 0; --i) wish.only.push_back(reservation_of(step, made));
      wish.command = ReleaseLocks{.seats = wish.seats, .only = wish.only};
      wish.name = "release_locks";
      break;
    case 12:
    case 13:
      wish.command = Consume{.reservation = reservation_of(step, made), .order = k_orders[step.take(2)]};
      wish.name = "consume";
      break;
    case 14:
      wish.command = Consume{.reservation = reservation_of(step, made), .order = k_orders[step.take(2)], .reinstate = true};
      wish.name = "reinstate";
      break;
    case 15:
    case 16:
      if (step.take(2) == 0) wish.seats = seats_of(step, 0);
      wish.command = Return{.reservation = reservation_of(step, made), .order = k_orders[step.take(2)], .seats = wish.seats};
      wish.name = "return";
      break;
    case 17:
      wish.seats = seats_of(step, 0);
      wish.command = step.take(3) == 0 ? Command(Block{wish.seats}) : Command(Unblock{wish.seats});
      wish.name = std::holds_alternative<Block>(wish.command) ? "block" : "unblock";
      break;
    case 24:
    case 25:
    case 26: {
      BestAvailable best{.quantity = static_cast<std::uint32_t>(1 + step.take(4)), .adjacent = step.take(3) != 0};
      if (step.take(4) == 0) best.section = static_cast<std::uint32_t>(step.take(2));
      if (step.take(4) == 0) best.category = static_cast<std::uint32_t>(step.take(2));
      wish.command = HoldBest{.reservation = new_id,
                              .customer = k_customers[step.take(3)],
                              .wish = best,
                              .duration = duration_of(step),
                              .held_seats_max = held_seats_max_of(step)};
      wish.name = "best";
      break;
    }
    case 18:
      wish.command = Sweep{static_cast<std::size_t>(step.take(4))};
      wish.name = "sweep";
      break;
    default: {
      static constexpr EventStatus k_statuses[] = {EventStatus::on_sale, EventStatus::on_sale, EventStatus::on_sale, EventStatus::closed};
      Configure configure{.status = k_statuses[step.take(4)]};
      if (step.take(2) == 0) configure.max_hold_seconds = step.take(2) == 0 ? 1 : 3'600;
      if (step.take(2) == 0) configure.hold_seconds = step.take(2) == 0 ? 1 : 900;
      if (step.take(2) == 0) configure.seats_per_reservation = static_cast<std::uint32_t>(2 + step.take(6));
      if (step.take(2) == 0) configure.held_seats_per_customer = static_cast<std::uint32_t>(step.take(5));
      wish.command = configure;
      wish.name = "configure";
    }
  }
  return wish;
}

// Mostly a little later, often exactly at an expiry or a millisecond before, sometimes back, sometimes far ahead.
Millis time_of(Step& step, Millis now, Millis next_expiry) {
  const bool expires = next_expiry != k_never;
  switch (step.take(10)) {
    case 0:
    case 1:
    case 2: return now;
    case 3:
    case 4: return now + static_cast<Millis>(step.take(40));
    case 5: return expires ? next_expiry : now + 1;
    case 6: return expires ? next_expiry - 1 : now;
    case 7: return now - static_cast<Millis>(step.take(300));
    case 8: return now + 100;
    default: return step.take(12) == 0 ? now + 7'200'000 : now + 10;
  }
}

// How often each command met each outcome, over all cases.
using Coverage = std::map<std::string, std::size_t>;

void expect_same(const Outcome& actual, const Outcome& expected) {
  RC_ASSERT(told(actual) == told(expected));
  RC_ASSERT(actual.reservation.has_value() == expected.reservation.has_value());
  if (actual.reservation) RC_ASSERT(*actual.reservation == *expected.reservation);
}

void expect_as_in_model(const Inventory& inventory, const Model& model) {
  RC_ASSERT(inventory.find_contradiction() == std::nullopt);
  RC_ASSERT(inventory.last_now() == model.now());
  const Millis now = model.now();
  for (SeatIndex seat = 0; seat < k_seats; ++seat) {
    const Model::Seat& expected = model.seats()[seat];
    RC_ASSERT(inventory.state_of(seat, now) == expected.state);
    RC_ASSERT(inventory.owner_of(seat, now) == expected.owner);
    // An expiry that is not recorded yet will raise the version by one.
    RC_ASSERT(inventory.version_of(seat) + (inventory.is_over(seat, now) ? 1 : 0) == expected.version);
  }
  std::map<std::string, std::size_t> held;
  for (const auto& [id, reservation] : model.reservations()) {
    const Inventory::Slot slot = inventory.find(id);
    RC_ASSERT(slot != Inventory::k_no_slot);
    RC_ASSERT(inventory.view(slot, now) == model.view(id));
  }
}

void expect_same_inventory(const Inventory& a, const Inventory& b, const Model& model) {
  RC_ASSERT(a.seq() == b.seq());
  RC_ASSERT(a.counts() == b.counts());
  RC_ASSERT(a.settings() == b.settings());
  RC_ASSERT(std::ranges::equal(a.states(), b.states()));
  for (SeatIndex seat = 0; seat < k_seats; ++seat) {
    RC_ASSERT(a.version_of(seat) == b.version_of(seat));
    RC_ASSERT(a.owner_of(seat, model.now()) == b.owner_of(seat, model.now()));
  }
  for (const char* customer : k_customers) RC_ASSERT(a.held_by_customer(customer) == b.held_by_customer(customer));
  RC_ASSERT(b.find_contradiction() == std::nullopt);
}

std::unique_ptr<Inventory> empty_inventory(std::uint64_t hash_seed, EventNumber number = k_event) {
  auto inventory = std::make_unique<Inventory>(EventCard{.number = number}, EventSettings{}, hash_seed);
  inventory->restore_seats(k_seats);
  return inventory;
}

// Follows the bytes, and notes the last version that they name for each seat. They must name the versions of exactly the seats
// that a change sets, each one higher than the one before.
std::map<SeatIndex, std::uint32_t> replay(Inventory& inventory, const ChangeBatch& changes, Millis at) {
  Reader reader(changes.bytes);
  ChangeDecoder decoder(at);
  DetailsDecoder details_decoder(changes.versions, changes.traces);
  Change change;
  ChangeDetails details;
  std::map<SeatIndex, std::uint32_t> last;
  for (std::size_t i = 0; i < changes.count; ++i) {
    std::vector<std::uint32_t> before;
    for (SeatIndex seat = 0; seat < k_seats; ++seat) before.push_back(inventory.version_of(seat));
    RC_ASSERT(decoder.decode(reader, change));
    RC_ASSERT(details_decoder.decode(change, details));
    inventory.apply(change, at);
    const bool of_all = change.kind == ChangeKind::consumed || change.kind == ChangeKind::expired;
    const Seats seats = of_all ? inventory.seats_of(inventory.find(change.reservation)) : change.seats;
    const bool is_added = change.kind == ChangeKind::seats_added;
    RC_ASSERT(details.expires_at == (is_added ? inventory.reservation(inventory.find(change.reservation)).expires_at : 0));
    RC_ASSERT(details.versions.size() == (state_after(change.kind) ? seats.size() : 0u));
    for (std::size_t at_seat = 0; at_seat < details.versions.size(); ++at_seat) {
      const SeatIndex seat = seats[at_seat];
      RC_ASSERT(details.versions[at_seat] == before[seat] + 1);
      last[seat] = details.versions[at_seat];
      ++before[seat];
    }
    for (SeatIndex seat = 0; seat < k_seats; ++seat) RC_ASSERT(inventory.version_of(seat) == before[seat]);
  }
  RC_ASSERT(reader.at_end());
  RC_ASSERT(details_decoder.at_end());
  return last;
}

void expect_versions_of_model(const std::map<SeatIndex, std::uint32_t>& recorded, const Model& model) {
  for (const auto& [seat, version] : recorded) RC_ASSERT(version == model.seats()[seat].version);
}

// The tables of a database, in memory.
std::unique_ptr<Inventory> restored(const Inventory& from, const Model& model) {
  auto made = std::make_unique<Inventory>(from.card(), from.settings(), 3);
  made->restore_seats(k_seats);
  for (SeatIndex seat = 0; seat < k_seats; ++seat) made->restore_seat(seat, from.recorded_state_of(seat), from.version_of(seat));
  for (const auto& [id, reservation] : model.reservations()) {
    made->restore_reservation(from.view(from.find(id), std::numeric_limits<Millis>::min()));   // as recorded
  }
  made->restore_position(from.seq(), from.last_now());
  return made;
}

std::optional<Uuid> reservation_named_by(const Command& command) {
  if (const auto* c = std::get_if<Add>(&command)) return c->reservation;
  if (const auto* c = std::get_if<Extend>(&command)) return c->reservation;
  if (const auto* c = std::get_if<Release>(&command)) return c->reservation;
  if (const auto* c = std::get_if<Consume>(&command)) return c->reservation;
  if (const auto* c = std::get_if<Return>(&command)) return c->reservation;
  return std::nullopt;
}

// How many reservations are over and not recorded as expired.
std::size_t unrecorded(const Inventory& inventory, const Model& model) {
  std::size_t count = 0;
  for (const auto& [id, reservation] : model.reservations()) {
    count += inventory.is_over(inventory.reservation(inventory.find(id)), model.now());
  }
  return count;
}

// Sweep changes no state that counts: it records due expiries, up to its limit.
void expect_swept(const Outcome& outcome, const Sweep& sweep, std::size_t before, std::size_t after) {
  RC_ASSERT(outcome.accepted());
  RC_ASSERT(outcome.swept == std::min(sweep.limit, before));
  RC_ASSERT(after == before - outcome.swept);
}

void run_case(std::vector<Step> all, Coverage& coverage) {
  const auto inventory = empty_inventory(1);
  std::unique_ptr<Inventory> replica = empty_inventory(2);   // follows the bytes; now and then is replaced by its copy
  const auto forgetful = empty_inventory(3);                 // judges by itself, and forgets everything that has ended
  Model model(k_seats, EventSettings{}, house().book);
  std::map<Uuid, ReservationView> archive;                   // the ended reservations that the ledger's tables would have
  std::vector<Uuid> made;
  Millis now = k_start;
  for (Step& step : all) {
    now = time_of(step, now, inventory->next_expiry());
    const Uuid new_id = test_reservation_id(made.size() + 1);
    const Wish wish = wish_of(step, made, new_id);

    ChangeBatch changes;
    model.does(Sweep{}, now);   // only time passes
    const std::size_t due_before = unrecorded(*inventory, model);
    for (std::size_t ahead = 0; ahead < std::size(k_prefetch_ahead); ++ahead) prefetch(*inventory, wish.command, ahead);
    const Outcome outcome = judge(*inventory, wish.command, now, changes, house().plan.get());
    if (const auto* sweep = std::get_if<Sweep>(&wish.command)) {
      expect_swept(outcome, *sweep, due_before, unrecorded(*inventory, model));
    } else {
      expect_same(outcome, model.does(wish.command, now));
      if (!outcome.accepted()) RC_ASSERT(changes.count == 0u && changes.bytes.empty() && changes.versions.empty());
    }
    ++coverage[wish.name + " " + name_of(outcome.reason) + (outcome.limit == Limit::none ? "" : std::string(" ") + name_of(outcome.limit))];
    if (model.reservations().contains(new_id)) made.push_back(new_id);
    expect_as_in_model(*inventory, model);

    expect_versions_of_model(replay(*replica, changes, inventory->last_now()), model);
    expect_same_inventory(*inventory, *replica, model);
    if (step.take(8) == 0) replica = replica->clone();
    if (step.take(16) == 0) expect_same_inventory(*inventory, *restored(*inventory, model), model);

    ChangeBatch same_changes;
    const auto named = reservation_named_by(wish.command);
    if (named && forgetful->find(*named) == Inventory::k_no_slot && archive.contains(*named)) forgetful->recall(archive.at(*named));
    const Outcome same = judge(*forgetful, wish.command, now, same_changes, house().plan.get());
    RC_ASSERT(same_changes.bytes == changes.bytes && same_changes.versions == changes.versions);
    expect_same(same, outcome);
    expect_same_inventory(*inventory, *forgetful, model);
    for (const Uuid& id : made) {
      const ReservationView view = inventory->view(inventory->find(id), std::numeric_limits<Millis>::min());
      if (view.status != ReservationStatus::active) archive[id] = view;
    }
    forgetful->forget_ended(forgetful->seq(), step.take(3));
  }
  if (!all.empty()) {
    for (const Uuid& id : made) RC_ASSERT(replica->view(replica->find(id), model.now()) == model.view(id));
  }
}

TEST(Properties, EveryCommandDoesWhatTheTableOfRulesSays) {
  Coverage coverage;
  std::size_t cases = 0;
  const bool holds = rc::check("inventory and model agree", [&] {
    run_case(*steps(), coverage);
    ++cases;
  });
  ASSERT_TRUE(holds);
  if (cases < k_cases) return;
  for (const char* met : {"hold accepted",
                          "hold seat_unavailable",
                          "hold seat_not_found",
                          "hold event_not_on_sale",
                          "hold limit_exceeded seats_per_reservation",
                          "hold limit_exceeded held_seats_per_customer",
                          "hold limit_exceeded held_seats_visitor",
                          "hold hold_too_long",
                          "best accepted",
                          "best no_adjacent_seats",
                          "best seat_unavailable",
                          "best event_not_on_sale",
                          "best limit_exceeded seats_per_reservation",
                          "best limit_exceeded held_seats_per_customer",
                          "best limit_exceeded held_seats_visitor",
                          "best hold_too_long",
                          "lock accepted",
                          "lock seat_unavailable",
                          "lock seat_not_found",
                          "lock event_not_on_sale",
                          "lock hold_too_long",
                          "add accepted",
                          "add seat_unavailable",
                          "add seat_not_found",
                          "add event_not_on_sale",
                          "add limit_exceeded seats_per_reservation",
                          "add limit_exceeded held_seats_per_customer",
                          "add limit_exceeded held_seats_visitor",
                          "add reservation_not_found",
                          "add reservation_expired",
                          "add reservation_not_active",
                          "extend accepted",
                          "extend event_not_on_sale",
                          "extend reservation_not_found",
                          "extend reservation_expired",
                          "extend reservation_not_active",
                          "release accepted",
                          "release seat_unavailable",
                          "release seat_not_found",
                          "release reservation_not_found",
                          "release reservation_expired",
                          "release reservation_not_active",
                          "release_locks accepted",
                          "consume accepted",
                          "consume reservation_not_found",
                          "consume reservation_expired",
                          "consume reservation_not_active",
                          "reinstate accepted",
                          "reinstate seat_unavailable",
                          "reinstate reservation_not_found",
                          "reinstate reservation_not_active",
                          "return accepted",
                          "return seat_not_sold",
                          "return seat_not_found",
                          "return order_mismatch",
                          "return reservation_not_found",
                          "block accepted",
                          "block seat_unavailable",
                          "block seat_not_found",
                          "unblock accepted",
                          "unblock seat_unavailable",
                          "unblock seat_not_found",
                          "sweep accepted",
                          "configure accepted",
                          "configure settings_conflict"}) {
    EXPECT_GT(coverage[met], 10u) << met;
  }
}

// --------------------------------------------------------------------------------------------------------------- submissions

constexpr EventNumber k_events = 3;
constexpr Millis k_day = 86'400'000;

// The expected answer to a key: by its number, the request, the outcomes and the time.
struct ModelKey {
  std::uint8_t request = 0;
  Millis at = 0;
  std::vector<Outcome> outcomes{};
};

struct Hall {
  std::unique_ptr<Inventory> inventory;
  std::unique_ptr<Inventory> replica;
  Model model{k_seats, EventSettings{}, house().book};
  ChangeBatch changes{};
};

// A submission, with the data that it refers to.
struct Request {
  Submission submission{};
  std::vector<std::unique_ptr<Wish>> wishes{};
  std::string name{};
};

Request request_of(Step& step, const std::vector<Uuid>& made, std::uint64_t& last_id) {
  Request request;
  const std::uint64_t shape = step.take(4);   // 0, 1: one command; 2: a set of holds; 3: a set of releases of locks
  std::vector<EventNumber> events;
  for (EventNumber event = 1; event <= k_events + 1; ++event) {
    if (step.take(event > k_events ? 12 : 2) == 0) events.push_back(event);
  }
  if (events.empty()) events.push_back(1);
  if (shape < 2) events.resize(1);
  for (const EventNumber event : events) {
    auto wish = std::make_unique<Wish>();
    const Uuid id = test_reservation_id(++last_id, event);
    wish->seats = seats_of(step, 1);
    if (shape == 1) {
      wish->command = Release{.reservation = reservation_of(step, made)};
    } else if (shape == 3) {
      wish->command = ReleaseLocks{.seats = wish->seats};
    } else if (shape == 0 && step.take(4) == 0) {
      wish->command = HoldBest{.reservation = id, .customer = "anna", .wish = {.quantity = 2}, .duration = 60'000};
      wish->name = "best";
    } else {
      const bool is_lock = step.take(2) == 0;
      wish->command = Hold{.reservation = id,
                           .kind = is_lock ? ReservationKind::ticket_lock : ReservationKind::customer,
                           .customer = is_lock ? "" : "anna",
                           .seats = wish->seats,
                           .duration = step.take(2) == 0 ? 60'000 : 3 * k_day / 4};
    }
    request.submission.parts.push_back({event, wish->command});
    request.wishes.push_back(std::move(wish));
  }
  request.name = std::string(events.size() > 1 ? "set of " : "one ") + (shape == 1                               ? "release"
                                                                        : shape == 3                             ? "release_locks"
                                                                        : request.wishes.front()->name == "best" ? "best"
                                                                                                                 : "hold");
  if (const std::uint64_t key = step.take(8); key < 6) {
    IdempotencyKey used{};
    used.key[0] = static_cast<std::uint8_t>(key + 1);
    used.request[0] = static_cast<std::uint8_t>(step.take(2));
    request.submission.key = used;
    request.name += " with key";
  }
  return request;
}

std::vector<Outcome> refuse_all(std::size_t parts, Reason reason, Limit limit = Limit::none) {
  Outcome outcome;
  outcome.reason = reason;
  outcome.limit = limit;
  return std::vector<Outcome>(parts, outcome);
}

// The expected outcome of a submission.
std::vector<Outcome> expected_of(const Submission& submission, std::map<EventNumber, Hall>& halls, std::map<std::uint8_t, ModelKey>& keys,
                                 std::size_t keys_max, Millis now, bool& replayed) {
  replayed = false;
  const auto& parts = submission.parts;
  if (submission.key) {
    std::erase_if(keys, [&](const auto& key) { return key.second.at + k_day <= now; });
    if (const auto known = keys.find(submission.key->key[0]); known != keys.end()) {
      replayed = known->second.request == submission.key->request[0];
      return replayed ? known->second.outcomes : refuse_all(parts.size(), Reason::idempotency_key_reused);
    }
    if (keys.size() >= keys_max) return refuse_all(parts.size(), Reason::limit_exceeded, Limit::idempotency_keys);
  }
  std::vector<Outcome> outcomes;
  bool all = true;
  for (const Part& part : parts) {
    const auto hall = halls.find(part.event);
    if (hall == halls.end()) {
      outcomes.push_back(refuse_all(1, Reason::event_not_found)[0]);
    } else {
      Model tried = hall->second.model;
      outcomes.push_back(tried.does(part.command, now));
    }
    all = all && outcomes.back().accepted();
  }
  if (!all) {
    for (Outcome& outcome : outcomes) {
      if (outcome.accepted()) outcome = refuse_all(1, Reason::another_part_refused)[0];
    }
    return outcomes;
  }
  bool has_changed = false;
  for (const Part& part : parts) {
    Model& model = halls.at(part.event).model;
    model.does(Sweep{}, now);   // only time passes
    const auto before = model.seats();
    model.does(part.command, now);
    has_changed = has_changed || model.seats() != before;   // every command here that has an effect changes seats
  }
  if (submission.key && has_changed) keys[submission.key->key[0]] = {submission.key->request[0], now, outcomes};
  return outcomes;
}

void run_requests(std::vector<Step> all, Coverage& coverage) {
  constexpr std::size_t k_keys_max = 4;
  std::map<EventNumber, Hall> halls;
  for (EventNumber event = 1; event <= k_events; ++event) {
    halls.emplace(event, Hall{.inventory = empty_inventory(event, event), .replica = empty_inventory(9, event)});
  }
  KeyTable keys(k_keys_max);
  std::map<std::uint8_t, ModelKey> model_keys;
  std::vector<Uuid> made;
  std::uint64_t last_id = 0;
  Millis now = k_start;
  for (Step& step : all) {
    static constexpr Millis k_steps[] = {0, 0, 1, 30'000, 60'000, 7'200'000, k_day / 4, 0};
    now += k_steps[step.take(std::size(k_steps))];
    const Request request = request_of(step, made, last_id);
    for (auto& [event, hall] : halls) hall.changes.clear();
    std::optional<KeptKey> kept;
    const Verdict verdict = judge(
        request.submission,
        [&](EventNumber event) -> Bench {
          const auto hall = halls.find(event);
          return hall == halls.end() ? Bench{} : Bench{hall->second.inventory.get(), &hall->second.changes, house().plan.get()};
        },
        keys, now, kept);
    bool replayed = false;
    const auto expected = expected_of(request.submission, halls, model_keys, k_keys_max, now, replayed);
    RC_ASSERT(verdict.replayed == replayed);
    RC_ASSERT(verdict.outcomes.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expect_same(verdict.outcomes[i], expected[i]);
      if (verdict.outcomes[i].accepted() && verdict.outcomes[i].reservation && !replayed)
        made.push_back(verdict.outcomes[i].reservation->id);
    }
    const bool has_changed = std::ranges::any_of(halls, [](const auto& hall) { return hall.second.changes.wished > 0; });
    RC_ASSERT(kept.has_value() == (request.submission.key && verdict.accepted() && has_changed));
    RC_ASSERT(keys.size() == model_keys.size() || !request.submission.key);
    for (auto& [event, hall] : halls) {
      hall.inventory->observe(now);
      hall.model.does(Sweep{}, now);
      expect_as_in_model(*hall.inventory, hall.model);
      if (!verdict.accepted() || replayed) RC_ASSERT(hall.changes.count == 0u);
      expect_versions_of_model(replay(*hall.replica, hall.changes, now), hall.model);
      expect_same_inventory(*hall.inventory, *hall.replica, hall.model);
    }
    const auto first_refused = std::ranges::find_if(
        verdict.outcomes, [](const Outcome& outcome) { return !outcome.accepted() && outcome.reason != Reason::another_part_refused; });
    ++coverage[request.name + (replayed                                  ? " replayed"
                               : first_refused == verdict.outcomes.end() ? " accepted"
                                                                         : " " + std::string(name_of(first_refused->reason)))];
  }
}

TEST(Properties, RequestsWithKeysAndSetsOverSeveralEventsGetAllOrNothingAndOnce) {
  Coverage coverage;
  std::size_t cases = 0;
  const bool holds = rc::check("requests and model agree", [&] {
    run_requests(*steps(), coverage);
    ++cases;
  });
  ASSERT_TRUE(holds);
  if (cases < k_cases) return;
  for (const char* met : {"one hold accepted",
                          "one hold seat_unavailable",
                          "one hold event_not_found",
                          "one hold with key accepted",
                          "one hold with key replayed",
                          "one hold with key seat_unavailable",
                          "one hold with key idempotency_key_reused",
                          "one hold with key limit_exceeded",
                          "one release with key replayed",
                          "set of hold accepted",
                          "set of hold seat_unavailable",
                          "set of hold event_not_found",
                          "set of hold with key accepted",
                          "set of hold with key replayed",
                          "set of hold with key idempotency_key_reused",
                          "set of hold with key seat_unavailable",
                          "set of release_locks accepted",
                          "set of release_locks with key replayed",
                          "one best accepted",
                          "one best no_adjacent_seats",
                          "one best with key accepted",
                          "one best with key replayed"}) {
    EXPECT_GT(coverage[met], 10u) << met;
  }
}

}  // namespace
}  // namespace holdfast
