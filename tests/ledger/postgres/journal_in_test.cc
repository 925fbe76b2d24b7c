#include "ledger/postgres/journal_in_test.h"

#include <algorithm>
#include <cstring>

#include "ledger/postgres/projection.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/verify.h"
#include "ledger/replay.h"

namespace holdfast::test {
namespace {

using namespace pg;

constexpr std::size_t k_seats_a_part = 64;

constexpr Statement k_add_event{"test_add_event", "INSERT INTO holdfast.event (number, id, created_at) VALUES ($1, $2, $3)"};
constexpr Statement k_add_row{"test_add_row",
                              "INSERT INTO holdfast.journal (event, first_seq, ordinal, changes, at, batch, hash, body) "
                              "VALUES ($1, $2, $3, $4, $5, gen_random_uuid(), $6, $7)"};

std::shared_ptr<const Plan> plan_of(const Uuid& event, std::size_t seats) {
  PlanBuilder builder(event, {{.name = "Stalls", .price = Price{450'000}}, {.name = "Gallery"}});
  for (std::size_t seat = 0; seat < seats; ++seat) {
    const std::string own_id = "ticket-" + std::to_string(event.data[15]) + "-" + std::to_string(seat);
    const std::string row = std::to_string(seat / 20 + 1);
    const std::string number = std::to_string(seat % 20 + 1);
    const auto added = builder.add({.id = seat % 10 == 9 ? std::string_view(own_id) : std::string_view{},
                                    .section = seat % 2 == 0 && seat < 20 ? "A" : "B",
                                    .row = row,
                                    .number = number,
                                    .category = seat % 3 == 0,
                                    .x = static_cast<float>(seat % 20),
                                    .y = static_cast<float>(seat / 20)});
    if (!added) throw std::runtime_error(added.error().what);
  }
  return builder.finish().value();
}

}  // namespace

Settings migrated(const PostgresDatabase& database) {
  Settings settings{.url = database.url()};
  migrate(settings);
  return settings;
}

JournalInTest::JournalInTest(const Settings& settings, EventNumber number, std::size_t seats, std::uint64_t seed, Millis begin)
    : connection_(settings), number_(number), random_(seed), now_(begin) {
  id_.data[0] = 0xE0;
  id_.data[6] = 0x40;
  id_.data[8] = 0x80;
  id_.data[15] = static_cast<std::uint8_t>(number);
  plan_ = plan_of(id_, seats);
  connection_.query(k_add_event, Parameters().int4(static_cast<std::int32_t>(number)).uuid(id_).int8(begin));
  EventCard card{.number = number, .id = id_, .venue = "The house", .currency = "EUR"};
  const EventSettings importing{.name = "Event " + std::to_string(number), .starts_at = begin + 1, .status = EventStatus::importing};
  inventory_ = std::make_unique<Inventory>(card, importing, 7);
  std::string header;
  Writer writer(header);
  plan_->encode_header(writer);
  does(Create{.plan_header = header});
  for (std::size_t first = 0; first < seats; first += k_seats_a_part) {
    const std::size_t count = std::min(k_seats_a_part, seats - first);
    std::string part;
    Writer part_writer(part);
    plan_->encode_seats(static_cast<SeatIndex>(first), count, part_writer);
    does(AppendSeats{.encoded = part, .count = count});
  }
  does(Configure{.status = EventStatus::on_sale});
}

Uuid JournalInTest::new_id() {
  std::uint8_t bytes[10];
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random_());
  ids_.push_back(make_reservation_id(number_, now_, bytes));
  return ids_.back();
}

Outcome JournalInTest::does(const Command& command) {
  Outcome outcome = judge(*inventory_, command, now_, changes_, plan_.get());
  write_row();
  return outcome;
}

void JournalInTest::play(std::size_t commands) {
  for (std::size_t done = 0; done < commands;) {
    now_ += static_cast<Millis>(random_() % 400);
    const std::size_t batch = 1 + random_() % 20;
    for (std::size_t i = 0; i < batch; ++i, ++done) judge_random();
    if (random_() % 4 == 0) kept_.push_back({.event = number_, .key = {}, .outcomes = "outcome " + std::to_string(keys_)});
    write_row();
    if (random_() % 10 == 0) keep_key();
  }
}

void JournalInTest::keep_key() {
  kept_.push_back({.event = number_, .key = {}, .outcomes = "only a key"});
  write_row();
}

std::vector<SeatIndex> JournalInTest::some_seats(std::size_t most) {
  std::vector<SeatIndex> seats(1 + random_() % most);
  for (SeatIndex& seat : seats) seat = any_seat();
  std::ranges::sort(seats);
  seats.erase(std::ranges::unique(seats).begin(), seats.end());
  std::ranges::shuffle(seats, random_);
  return seats;
}

void JournalInTest::judge_random() {
  const auto do_it = [&](const Command& command) { judge(*inventory_, command, now_, changes_, plan_.get()); };
  const auto seats = some_seats(4);
  const Uuid known = ids_.empty() ? Uuid{} : ids_[ids_.size() - 1 - random_() % std::min<std::size_t>(ids_.size(), 60)];
  const auto slot = inventory_->find(known);
  std::vector<SeatIndex> of_known;
  if (slot != Inventory::k_no_slot) {
    const auto all = inventory_->seats_of(slot);
    of_known.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(1 + random_() % all.size()));
  }
  const Millis duration = 1'000 + static_cast<Millis>(random_() % 20'000);
  const std::string customer = "customer-" + std::to_string(random_() % 10);
  const std::string order = "order-" + std::to_string(random_() % 3);
  switch (random_() % 20) {
    case 0: return do_it(Add{.reservation = known, .seats = seats});
    case 1: return do_it(Extend{.reservation = known, .duration = duration});
    case 2: return do_it(Release{.reservation = known});
    case 3: return do_it(Release{.reservation = known, .seats = of_known});
    case 4:
    case 5:
    case 6: return do_it(Consume{.reservation = known, .order = order, .reinstate = random_() % 2 == 0});
    case 7: return do_it(Return{.reservation = known, .order = order});
    case 8: return do_it(Return{.reservation = known, .order = order, .seats = of_known});
    case 9: return do_it(Block{.seats = std::span(seats).first(1)});
    case 10: return do_it(Unblock{.seats = std::span(seats).first(1)});
    case 11: return do_it(Sweep{.limit = 100});
    case 12: return do_it(ReleaseLocks{.seats = seats});
    case 13: return do_it(Hold{.reservation = new_id(), .kind = ReservationKind::ticket_lock, .seats = seats, .duration = duration});
    case 14: return do_it(Configure{.name = "Event, " + std::to_string(random_() % 100)});
    default: return do_it(Hold{.reservation = new_id(), .customer = customer, .seats = seats, .duration = duration});
  }
}

void JournalInTest::write_row() {
  for (KeptKey& kept : kept_) {
    const std::uint64_t number = ++keys_;
    std::memcpy(kept.key.key.data(), &number, sizeof number);
    kept.key.key[15] = static_cast<std::uint8_t>(number_);
    std::memcpy(kept.key.request.data(), &number, sizeof number);
  }
  if (changes_.count == 0 && kept_.empty()) return;
  std::string body;
  encode_body(changes_, kept_, body);
  JournalRow row{.position = place_.ordinal,
                 .event = number_,
                 .first_seq = place_.seq + 1,
                 .changes = changes_.count,
                 .at = inventory_->observe(now_),
                 .body = body};
  row.hash = chain(place_.hash, row);
  connection_.query(k_add_row, Parameters()
                                   .int4(static_cast<std::int32_t>(number_))
                                   .int8(static_cast<std::int64_t>(row.first_seq))
                                   .int2(place_.ordinal)
                                   .int4(static_cast<std::int32_t>(row.changes))
                                   .int8(row.at)
                                   .bytes({reinterpret_cast<const char*>(row.hash.data()), row.hash.size()})
                                   .bytes(body));
  place_.advance(row);
  changes_.clear();
  kept_.clear();
}

void project_all(const Settings& settings, EventNumber event, std::size_t changes_a_step) {
  Connection connection(settings);
  while (project(connection, event, changes_a_step).result != StepReport::Result::up_to_date) {}
  order_changes(connection, std::vector<EventNumber>{event});
}

std::string differences(const Settings& settings, const JournalInTest& journal) {
  Connection connection(settings);
  const auto loaded = load_event(connection, journal.number(), 3);
  if (!loaded) return "the tables do not know the event";
  if (!(loaded->as_of == journal.place())) return "the tables are as of change " + std::to_string(loaded->as_of.seq);
  if (std::string difference = compare_seats(journal.inventory(), *loaded->inventory); !difference.empty())
    return "the event " + difference;
  if (loaded->plan == nullptr || loaded->plan->size() != journal.plan().size()) return "the plan is another one";
  const EventVerified verified = verify_event(connection, journal.number());
  if (!verified.problems.empty()) return verified.problems.front();
  if (verified.reservations != journal.inventory().reservation_count()) return "there are not as many reservations";
  return {};
}

}  // namespace holdfast::test
