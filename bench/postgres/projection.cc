// How fast tables follow the journal: holds of one seat each, written into the journal of one event first, then projected by one
// connection.
//
//   bench_projection postgresql://user@host/database [seats] [holds] [holds a batch]
//
// The database must be empty: it is migrated. Prints holds a second and microseconds a hold, of writing the journal alone and of
// projecting.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

#include "core/inventory.h"
#include "core/plan.h"
#include "core/rules.h"
#include "ledger/journal_row.h"
#include "ledger/postgres/projection.h"
#include "ledger/postgres/schema.h"

namespace {

using namespace holdfast;
using Timer = std::chrono::steady_clock;

constexpr Millis k_begin = 1'771'949'700'000;
constexpr std::size_t k_seats_a_part = 2'000;   // as an import has it
constexpr pg::Statement k_event{"bench_event", "INSERT INTO holdfast.event (number, id, created_at) VALUES (1, $1, $2)"};
constexpr pg::Statement k_row{"bench_row",
                              "INSERT INTO holdfast.journal (event, first_seq, ordinal, changes, at, batch, hash, body) "
                              "VALUES (1, $1, 0, $2, $3, gen_random_uuid(), $4, $5)"};

double seconds_since(Timer::time_point begin) { return std::chrono::duration<double>(Timer::now() - begin).count(); }

// An event and its journal.
class OneEvent {
 public:
  OneEvent(pg::Connection& connection, std::size_t seats) : connection_(connection) {
    id_.data[0] = 1;
    PlanBuilder builder(id_, {{.name = "Stalls"}});
    for (std::size_t seat = 0; seat < seats; ++seat) {
      const std::string row = std::to_string(seat / 50);
      const std::string number = std::to_string(seat % 50);
      if (!builder.add({.section = "A", .row = row, .number = number})) std::abort();
    }
    plan_ = builder.finish().value();
    connection_.query(k_event, pg::Parameters().uuid(id_).int8(k_begin));
    inventory_ = std::make_unique<Inventory>(EventCard{.number = 1, .id = id_}, EventSettings{.status = EventStatus::importing}, 1);
    std::string header;
    Writer writer(header);
    plan_->encode_header(writer);
    does(Create{.plan_header = header});
    write();
    for (std::size_t first = 0; first < seats; first += k_seats_a_part) {
      std::string part;
      Writer part_writer(part);
      const std::size_t count = std::min(k_seats_a_part, seats - first);
      plan_->encode_seats(static_cast<SeatIndex>(first), count, part_writer);
      does(AppendSeats{.encoded = part, .count = count});
      write();
    }
    does(Configure{.status = EventStatus::on_sale});
    write();
  }

  void does(const Command& command) {
    if (!judge(*inventory_, command, now_, changes_, plan_.get()).accepted()) std::abort();
  }

  void hold(SeatIndex seat, std::uint64_t customer) {
    std::uint8_t bytes[10];
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random_());
    const std::string name = "customer-" + std::to_string(customer % 10'000'000);
    does(Hold{.reservation = make_reservation_id(1, now_, bytes), .customer = name, .seats = {&seat, 1}, .duration = 900'000});
  }

  void write() {
    std::string body;
    encode_body(changes_, {}, body);
    JournalRow row{.event = 1, .first_seq = seq_ + 1, .changes = changes_.count, .at = now_, .body = body};
    hash_ = chain(hash_, row);
    connection_.query(k_row, pg::Parameters()
                                 .int8(static_cast<std::int64_t>(row.first_seq))
                                 .int4(static_cast<std::int32_t>(row.changes))
                                 .int8(now_)
                                 .bytes({reinterpret_cast<const char*>(hash_.data()), hash_.size()})
                                 .bytes(body));
    seq_ += changes_.count;
    changes_.clear();
    now_ += 5;
  }

  std::uint64_t draw() { return random_(); }

 private:
  pg::Connection& connection_;
  Uuid id_{};
  std::mt19937_64 random_{1};
  Millis now_ = k_begin;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<Inventory> inventory_;
  ChangeBatch changes_;
  ChainHash hash_{};
  Seq seq_ = 0;
};

struct Rate {
  std::size_t changes = 0;
  std::size_t steps = 0;
  double seconds = 0;
};

Rate project_everything(pg::Connection& connection) {
  Rate rate;
  const auto begin = Timer::now();
  for (;;) {
    const pg::StepReport report = pg::project(connection, 1);
    if (report.result != pg::StepReport::Result::done) break;
    rate.changes += report.changes;
    ++rate.steps;
    const EventNumber event = 1;
    pg::order_changes(connection, {&event, 1});
  }
  rate.seconds = seconds_since(begin);
  return rate;
}

void print(const char* what, const Rate& rate) {
  std::printf("%-22s %8zu in %7.2f s: %9.0f/s, %6.2f us each, %zu steps\n", what, rate.changes, rate.seconds,
              static_cast<double>(rate.changes) / rate.seconds, rate.seconds * 1e6 / static_cast<double>(rate.changes), rate.steps);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s URL [seats] [holds] [holds a batch]\n", argv[0]);
    return 2;
  }
  const auto number = [&](int at, std::size_t otherwise) { return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise; };
  const std::size_t seats = number(2, 1'000'000);
  const std::size_t holds = std::min<std::size_t>(number(3, 400'000), seats);
  const std::size_t batch = number(4, 128);
  const pg::Settings settings{.url = argv[1], .durable = false};
  pg::migrate(settings);
  pg::Connection connection(settings);
  OneEvent event(connection, seats);
  const Rate import = project_everything(connection);
  std::printf("%-22s %8zu seats in %.2f s: %.0f seats/s\n", "import", seats, import.seconds, static_cast<double>(seats) / import.seconds);
  // Seats in no order: a permutation of a full cycle.
  constexpr std::size_t step = 618'033'989;
  const auto begin = Timer::now();
  for (std::size_t done = 0; done < holds;) {
    for (std::size_t i = 0; i < batch && done < holds; ++i, ++done) event.hold(static_cast<SeatIndex>(done * step % seats), event.draw());
    event.write();
  }
  print("journal rows, written", {.changes = holds, .steps = holds / batch, .seconds = seconds_since(begin)});
  print("projected", project_everything(connection));
  return 0;
}
