// How a start loads the events of state.db, and compares each with its sum.
#include <algorithm>

#include "ledger/embedded/state_columns.h"
#include "ledger/embedded/state_store.h"

namespace holdfast {
namespace {

// What is wrong with the tables in `work` is wrong with those of this event.
template <typename Work>
auto of_event(EventNumber event, Work work) {
  try {
    return work();
  } catch (const EventDamage&) {
    throw;
  } catch (const TableDamage& damage) {
    throw EventDamage(event, damage.what(), damage.found());
  }
}

}  // namespace

void StateStore::load_events(std::uint64_t hash_seed, const std::function<void(StoredEvent)>& visit,
                             const std::function<void(const EventDamage&)>& on_damage, Sums sums) {
  const auto tell = [&](const EventDamage& damage) {
    if (!on_damage) throw damage;
    on_damage(damage);
  };
  sqlite::Statement events(database_, select_events() + " ORDER BY number");
  while (events.step()) {
    const std::int64_t number = events.integer(0);
    if (number < 1 || number > std::int64_t{k_events_max}) damaged("there is an event with the number " + std::to_string(number));
    const auto event = static_cast<EventNumber>(number);
    if (stopped_.contains(event)) continue;
    StoredEvent stored;
    try {
      stored = of_event(event, [&] { return load_event(events, hash_seed, sums); });
    } catch (const EventDamage& damage) {
      tell(damage);
      continue;
    }
    visit(std::move(stored));
  }
  if (sums == Sums::leave || !checks_->are_current()) return;
  for (const std::int64_t number : checks_->missing_events()) {
    if (number < 1 || number > std::int64_t{k_events_max}) damaged("there is a sum of an event with the number " + std::to_string(number));
    const auto event = static_cast<EventNumber>(number);
    if (stopped_.contains(event)) continue;
    try {
      of_event(event, [&] { damaged("event " + std::to_string(event) + " is missing in table event"); });
    } catch (const EventDamage& damage) {
      tell(damage);
    }
  }
}

void StateStore::check_event(EventNumber event) {
  sqlite::Statement row(database_, select_events() + " WHERE number = ?1");
  row.bind(1, std::int64_t{event});
  of_event(event, [&] {
    if (!row.step()) damaged("event " + std::to_string(event) + " is missing in table event");
    load_event(row, 0, Sums::leave);
  });
}

std::string StateStore::select_events() const {
  return std::string("SELECT ") + EventColumns::k_names + ", " + checks_->event_sum_column() + " FROM event";
}

StoredEvent StateStore::load_event(sqlite::Statement& row, std::uint64_t hash_seed, Sums sums) {
  const auto columns = EventColumns::from(row);
  const EventCard card{.number = static_cast<EventNumber>(columns.number),
                       .id = exact_uuid(columns.id).value_or(Uuid{}),
                       .venue = std::string(columns.venue),
                       .currency = std::string(columns.currency)};
  const EventSettings settings{
      .name = std::string(columns.name),
      .starts_at = columns.starts_at,
      .status = static_cast<EventStatus>(columns.status),
      .hold_seconds = columns.hold_seconds,
      .max_hold_seconds = columns.max_hold_seconds,
      .limits = {static_cast<std::uint32_t>(columns.seats_per_reservation), static_cast<std::uint32_t>(columns.held_seats_per_customer)}};
  if (columns.status < 0 || settings.status > EventStatus::abandoned) {
    damaged("event " + std::to_string(card.number) + " has an unknown status");
  }
  RowSum sum = sum_of(columns);
  StoredEvent stored;
  auto builder = load_plan(card.number, card.id, row.blob(k_column_of_event_sum - 1), sum);
  stored.inventory = std::make_unique<Inventory>(card, settings, hash_seed);
  Inventory& inventory = *stored.inventory;
  inventory.restore_seats(builder->size());
  std::map<Uuid, std::vector<SeatIndex>> sold_to;
  std::map<Uuid, std::vector<SeatIndex>> held_by;
  load_states(inventory, sold_to, held_by, sum);
  load_live_reservations(inventory, sold_to, sum);
  for (const auto& [owner, seats] : held_by) {
    for (const SeatIndex seat : seats) {
      if (inventory.owner_of(seat, 0) != owner) damaged("seat " + std::to_string(seat) + " is held by another reservation than it says");
    }
  }
  inventory.restore_position(static_cast<Seq>(columns.seq), columns.at);
  if (const auto contradiction = inventory.find_contradiction()) {
    damaged("event " + std::to_string(card.number) + " contradicts itself: " + *contradiction);
  }
  if (sums == Sums::compare) {
    const bool has_sum = !row.is_null(k_column_of_event_sum);
    expect_sum(card.number, has_sum ? std::optional(static_cast<RowSum>(row.integer(k_column_of_event_sum))) : std::nullopt, sum);
  }
  if (settings.status != EventStatus::importing && settings.status != EventStatus::abandoned) {
    auto plan = builder->finish();
    if (!plan) damaged("event " + std::to_string(card.number) + " has no seats");
    stored.plan = *plan;
  }
  return stored;
}

void StateStore::load_live_reservations(Inventory& inventory, const std::map<Uuid, std::vector<SeatIndex>>& sold_to, RowSum& sum) {
  sqlite::Statement live(database_, std::string("SELECT ") + ReservationColumns::k_names +
                                        " FROM reservation r INDEXED BY reservation_live WHERE event = ? AND live = 1");
  live.bind(1, std::int64_t{inventory.card().number});
  while (live.step()) {
    const auto columns = ReservationColumns::from(live);
    sum += sum_of(columns);
    ReservationView view = view_of(columns);
    if (view.status == ReservationStatus::consumed) {
      const auto owned = sold_to.find(view.id);
      if (owned == sold_to.end()) damaged("reservation " + to_string(view.id) + " has no sold seat left");
      for (ReservedSeat& reserved : view.seats) reserved.owned = std::ranges::binary_search(owned->second, reserved.seat);
    }
    if (inventory.find(view.id) != Inventory::k_no_slot) damaged("reservation " + to_string(view.id) + " has two rows");
    for (const ReservedSeat& reserved : view.seats) {
      if (reserved.seat >= inventory.seat_count()) damaged("reservation " + to_string(view.id) + " names a seat that there is not");
    }
    if (std::max(view.customer.size(), view.order.size()) > BlockPool::k_text_bytes_max) {
      damaged("reservation " + to_string(view.id) + " has too long a customer or order");
    }
    inventory.restore_reservation(view);
  }
}

void StateStore::load_imports(const std::function<void(EventNumber, std::unique_ptr<PlanBuilder>)>& visit) {
  sqlite::Statement events(database_, "SELECT number, id, plan_header FROM event WHERE status = ?");
  events.bind(1, static_cast<std::int64_t>(EventStatus::importing));
  while (events.step()) {
    const auto number = static_cast<EventNumber>(events.integer(0));
    if (stopped_.contains(number)) continue;
    RowSum sum = 0;   // load_events() has compared it
    visit(number, load_plan(number, parse_uuid(events.text(1)).value_or(Uuid{}), events.blob(2), sum));
  }
}

std::unique_ptr<PlanBuilder> StateStore::load_plan(EventNumber number, const Uuid& id, std::string_view header, RowSum& sum) {
  Reader reader(header);
  auto builder = PlanBuilder::decode_header(id, reader);
  if (!builder) damaged("the plan of event " + std::to_string(number) + " cannot be read");
  sqlite::Statement parts(database_, "SELECT first, count, body FROM plan_part WHERE event = ? ORDER BY first");
  parts.bind(1, std::int64_t{number});
  while (parts.step()) {
    sum += sum_of(PlanPartColumns{number, parts.integer(0), parts.integer(1), parts.blob(2)});
    Reader body(parts.blob(2));
    if (!builder->decode_seats(body)) damaged("the seats of event " + std::to_string(number) + " cannot be read");
  }
  return std::make_unique<PlanBuilder>(std::move(*builder));
}

void StateStore::load_states(Inventory& inventory, std::map<Uuid, std::vector<SeatIndex>>& sold_to,
                             std::map<Uuid, std::vector<SeatIndex>>& held_by, RowSum& sum) {
  sqlite::Statement states(database_,
                           std::string("SELECT ") + SeatStateColumns::k_names + " FROM seat_state WHERE event = ? ORDER BY seat");
  states.bind(1, std::int64_t{inventory.card().number});
  while (states.step()) {
    const auto row = SeatStateColumns::from(states);
    sum += sum_of(row);
    const auto seat = row.seat;
    const std::string_view letter = row.state;
    if (seat < 0 || static_cast<std::size_t>(seat) >= inventory.seat_count() || letter.size() != 1 ||
        std::string_view("ahsb").find(letter) == std::string_view::npos) {
      damaged("the state of a seat of event " + std::to_string(inventory.card().number) + " cannot be read");
    }
    const auto state = static_cast<SeatState>(letter[0]);
    inventory.restore_seat(static_cast<SeatIndex>(seat), state, static_cast<std::uint32_t>(row.version));
    const bool is_owned = state == SeatState::held || state == SeatState::sold;
    const auto owner = exact_uuid(row.reservation.value_or(""));
    if (is_owned != owner.has_value() || is_owned != row.reservation.has_value()) {
      damaged("seat " + std::to_string(seat) + " of event " + std::to_string(inventory.card().number) +
              " has no reservation, or one that it should not have");
    }
    if (is_owned) (state == SeatState::sold ? sold_to : held_by)[*owner].push_back(static_cast<SeatIndex>(seat));
  }
}

}  // namespace holdfast
