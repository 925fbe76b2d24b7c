// How fast the rules are, in process on one core, and how much memory a seat takes.
//
//   bench_core                                 all of it, some two minutes
//   bench_core --benchmark_filter=^hold/10000/   only what matches
//
// Only judge() is timed, in the processor's time of its thread: folding, the journal's bytes and the outcome are in it; making commands and
// preparing inventories are not. Seats are taken in random order, each hold is another customer's (16 bytes), commands come in batches of
// 256 and are prefetched within them, and a batch's bytes are dropped after it.
#include <benchmark/benchmark.h>
#include <sys/utsname.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/inventory.h"
#include "core/plan.h"
#include "core/rules.h"

namespace holdfast {
namespace {

constexpr Millis k_start = 1'771'949'700'000;
constexpr Millis k_hold = 900'000;
constexpr std::size_t k_batch = 256;

// The processor's time of this thread: what other programs take meanwhile does not count.
std::chrono::nanoseconds busy() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Uuid random_id(std::mt19937_64& random) {
  std::uint8_t bits[10];
  for (std::uint8_t& byte : bits) byte = static_cast<std::uint8_t>(random());
  return make_reservation_id(1, k_start, bits);
}

template <typename Number>
std::vector<Number> shuffled(std::size_t count, std::uint64_t seed) {
  std::vector<Number> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = static_cast<Number>(i);
  std::mt19937_64 random(seed);
  std::ranges::shuffle(order, random);
  return order;
}

// One hold a customer, `each` seats a hold, all seats in random order.
struct Crowd {
  Crowd(std::size_t seat_count, std::size_t seats_each) : each(seats_each), seats(shuffled<SeatIndex>(seat_count, seat_count)) {
    std::mt19937_64 random(seat_count + 1);
    ids.resize(seat_count / each);
    for (Uuid& id : ids) id = random_id(random);
    customers.resize(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      char text[17];
      std::snprintf(text, sizeof text, "customer%08zx", i);
      std::memcpy(customers[i].data(), text, customers[i].size());
    }
  }

  std::size_t size() const { return ids.size(); }
  Hold hold(std::size_t i) const {
    return {.reservation = ids[i],
            .customer = {customers[i].data(), customers[i].size()},
            .seats = std::span(seats).subspan(i * each, each),
            .duration = k_hold};
  }

  std::size_t each;
  std::vector<SeatIndex> seats;
  std::vector<Uuid> ids;
  std::vector<std::array<char, 16>> customers;
};

std::unique_ptr<Inventory> idle_inventory(std::size_t seats) {
  auto inventory = std::make_unique<Inventory>(EventCard{.number = 1}, EventSettings{}, 0x5EED);
  inventory->restore_seats(seats);
  return inventory;
}

// Judges `count` commands in batches; command_of(i) makes them. Returns the seconds that judging took.
template <typename CommandOf>
double judge_all(Inventory& inventory, std::size_t count, Millis now, CommandOf command_of, Reason expected = Reason::none) {
  std::vector<Command> commands;
  commands.reserve(k_batch);
  ChangeBatch changes;
  std::chrono::nanoseconds spent{};
  for (std::size_t first = 0; first < count; first += k_batch) {
    commands.clear();
    for (std::size_t i = first; i < std::min(first + k_batch, count); ++i) commands.push_back(command_of(i));
    changes.clear();
    const auto before = busy();
    for (std::size_t i = 0; i < commands.size(); ++i) {
      for (std::size_t step = 0; step < std::size(k_prefetch_ahead); ++step) {
        if (i + k_prefetch_ahead[step] < commands.size()) prefetch(inventory, commands[i + k_prefetch_ahead[step]], step);
      }
      const Outcome outcome = judge(inventory, commands[i], now, changes);
      HOLDFAST_CHECK(outcome.reason == expected);
    }
    spent += busy() - before;
  }
  return std::chrono::duration<double>(spent).count();
}

double hold_all(Inventory& inventory, const Crowd& crowd) {
  return judge_all(inventory, crowd.size(), k_start, [&](std::size_t i) -> Command { return crowd.hold(i); });
}

// Every seat held, a customer each; kept for the next benchmark of the same size.
struct FullHouse {
  explicit FullHouse(std::size_t seats) : crowd(seats, 1), inventory(idle_inventory(seats)) { hold_all(*inventory, crowd); }
  Crowd crowd;
  std::unique_ptr<Inventory> inventory;
};
const FullHouse& full_house(std::size_t seats) {
  static std::unique_ptr<FullHouse> house;
  if (house == nullptr || house->crowd.size() != seats) {
    house.reset();
    house = std::make_unique<FullHouse>(seats);
  }
  return *house;
}

// `round` returns the seconds that its commands took.
template <typename Round>
void time_rounds(benchmark::State& state, std::size_t commands_a_round, Round round) {
  for (auto _ : state) state.SetIterationTime(round());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(commands_a_round));
}

// The house fills, from empty to full; the growth of all tables is in it.
void bench_hold(benchmark::State& state, std::size_t each) {
  const auto seats = static_cast<std::size_t>(state.range(0));
  const Crowd crowd(seats, each);
  time_rounds(state, crowd.size(), [&] { return hold_all(*idle_inventory(seats), crowd); });
}

// A full house, one reservation after the other in random order: all released, or all consumed.
void bench_end(benchmark::State& state, bool consume) {
  const auto seats = static_cast<std::size_t>(state.range(0));
  const FullHouse& house = full_house(seats);
  const auto order = shuffled<std::uint32_t>(seats, 7);
  time_rounds(state, seats, [&] {
    const auto inventory = house.inventory->clone();
    return judge_all(*inventory, seats, k_start + 1, [&](std::size_t i) -> Command {
      const Uuid& id = house.crowd.ids[order[i]];
      if (consume) return Consume{.reservation = id, .order = "order-0123456789"};
      return Release{.reservation = id};
    });
  });
}

// A full house expires at once, and that is recorded in steps of a batch.
void bench_expire(benchmark::State& state) {
  const auto seats = static_cast<std::size_t>(state.range(0));
  const FullHouse& house = full_house(seats);
  time_rounds(state, seats, [&] {
    const auto inventory = house.inventory->clone();
    ChangeBatch changes;
    std::chrono::nanoseconds spent{};
    for (std::size_t swept = 0; swept < seats;) {
      changes.clear();
      const auto before = busy();
      swept += judge(*inventory, Sweep{k_batch}, k_start + k_hold, changes).swept;
      spent += busy() - before;
    }
    return std::chrono::duration<double>(spent).count();
  });
}

void bench_refused(benchmark::State& state) {
  const auto seats = static_cast<std::size_t>(state.range(0));
  const FullHouse& house = full_house(seats);
  const auto order = shuffled<SeatIndex>(seats, 8);
  time_rounds(state, seats, [&] {
    return judge_all(
        *house.inventory, seats, k_start + 1,
        [&](std::size_t i) -> Command {
          return Hold{.reservation = house.crowd.ids[0], .customer = "customer-of-none", .seats = {&order[i], 1}, .duration = k_hold};
        },
        Reason::seat_unavailable);
  });
}

// ---------------------------------------------------------------------------------------------------------- best available

std::shared_ptr<const Plan> plan_of(std::size_t seats);

// A house of 600 rows of 100 seats that is 95 % taken.
struct NearlySold {
  // Which twentieth of the seats is free, and what the others are.
  enum class Free { last_rows, every_20th };
  enum class Taken { sold, held, held_and_one_is_over };

  NearlySold(Free free, Taken taken) : crowd(k_seats, 1), inventory(idle_inventory(k_seats)), plan(plan_of(k_seats)) {
    ChangeBatch changes;
    for (std::size_t i = 0; i < k_seats; ++i) {
      const SeatIndex seat = crowd.seats[i];
      if (free == Free::last_rows ? seat >= k_seats / 20 * 19 : seat % 20 == 10) continue;
      Hold hold = crowd.hold(i);
      if (taken == Taken::held_and_one_is_over && seat == k_seats - 1) hold.duration = 1;
      HOLDFAST_CHECK(judge(*inventory, hold, k_start, changes).accepted());
      if (taken == Taken::sold) judge(*inventory, Consume{.reservation = crowd.ids[i], .order = "order"}, k_start, changes);
    }
  }

  static constexpr std::size_t k_seats = 60'000;
  Crowd crowd;
  std::unique_ptr<Inventory> inventory;
  std::shared_ptr<const Plan> plan;
};

// Customers who want two seats side by side each, one after the other; what they got is given back untimed after each round.
void bench_best(benchmark::State& state, NearlySold::Free free, NearlySold::Taken taken, Reason expected) {
  constexpr std::size_t k_round = 100;
  const NearlySold house(free, taken);
  const Crowd askers(k_round, 1);
  ChangeBatch changes;
  time_rounds(state, k_round, [&] {
    changes.clear();
    const auto before = busy();
    for (std::size_t i = 0; i < k_round; ++i) {
      const HoldBest best{.reservation = askers.ids[i], .customer = "customer-of-best", .wish = {.quantity = 2}, .duration = k_hold};
      const Outcome outcome = judge(*house.inventory, best, k_start + 1, changes, house.plan.get());
      HOLDFAST_CHECK(outcome.reason == expected);
    }
    const auto spent = busy() - before;
    for (std::size_t i = 0; i < k_round && expected == Reason::none; ++i) {
      judge(*house.inventory, Release{.reservation = askers.ids[i]}, k_start + 1, changes);
    }
    house.inventory->forget_ended(house.inventory->seq(), 0);
    return std::chrono::duration<double>(spent).count();
  });
}

void register_best() {
  using Free = NearlySold::Free;
  using Taken = NearlySold::Taken;
  const auto add = [](const char* name, Free free, Taken taken, Reason expected) {
    benchmark::RegisterBenchmark(name, [=](benchmark::State& state) { bench_best(state, free, taken, expected); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond)
        ->MinTime(0.5);
  };
  add("best_available/last_rows_free", Free::last_rows, Taken::sold, Reason::none);
  add("best_available/nothing_side_by_side", Free::every_20th, Taken::sold, Reason::no_adjacent_seats);
  add("best_available/nothing_and_an_expiry_is_due", Free::every_20th, Taken::held_and_one_is_over, Reason::no_adjacent_seats);
}

// ------------------------------------------------------------------------------------------------------------------ memory

double resident_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    double kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib * 1'024;
  }
  return 0;
}

std::shared_ptr<const Plan> plan_of(std::size_t seats) {
  PlanBuilder builder(Uuid{{1}}, {Category{.name = "Stalls", .price = Price{450'000}}});
  for (std::size_t i = 0; i < seats; ++i) {
    const std::string section = "S" + std::to_string(i / 10'000), row = std::to_string(i / 100 % 100), number = std::to_string(i % 100 + 1);
    const auto added =
        builder.add({.section = section, .row = row, .number = number, .x = static_cast<float>(i % 100), .y = static_cast<float>(i / 100)});
    HOLDFAST_CHECK(added.has_value());
  }
  return builder.finish().value();
}

// What a seat takes, as the inventory counts it and as the process's resident memory says: its plan; idle; held by a customer of its own.
void bench_memory(benchmark::State& state) {
  const auto seats = static_cast<std::size_t>(state.range(0));
  const auto per_seat = [&](double bytes) { return benchmark::Counter(bytes / static_cast<double>(seats)); };
  for (auto _ : state) {
    const Crowd crowd(seats, 1);
    auto built = plan_of(seats);
    const double with_plan = resident_bytes();
    built.reset();
    const double without = resident_bytes();
    const auto inventory = idle_inventory(seats);
    const double idle = resident_bytes();
    const auto idle_counted = static_cast<double>(inventory->bytes());
    hold_all(*inventory, crowd);
    const double held = resident_bytes();
    state.counters["plan"] = per_seat(with_plan - without);
    state.counters["idle"] = per_seat(idle_counted);
    state.counters["idle_resident"] = per_seat(idle - without);
    state.counters["held"] = per_seat(static_cast<double>(inventory->bytes()));
    state.counters["held_resident"] = per_seat(held - without);
  }
}

void print_machine() {
  std::ifstream cpu("/proc/cpuinfo");
  std::string model = "an unknown processor";
  for (std::string line; std::getline(cpu, line);) {
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  }
  utsname system{};
  uname(&system);
  std::printf("machine: %s, %u cores, %s %s\n", model.c_str(), std::thread::hardware_concurrency(), system.sysname, system.release);
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  print_machine();
  for (const std::int64_t seats : {10'000, 10'000'000}) {
    const auto add = [&](const char* name, auto function) {
      auto* registered = benchmark::RegisterBenchmark(name, function)->Arg(seats)->UseManualTime()->Unit(benchmark::kMillisecond);
      if (seats < 1'000'000) {
        registered->MinTime(0.5);
      } else {
        registered->Iterations(1);   // of ten million commands
      }
    };
    add("hold", [](benchmark::State& state) { bench_hold(state, 1); });
    add("hold_of_4", [](benchmark::State& state) { bench_hold(state, 4); });
    add("release", [](benchmark::State& state) { bench_end(state, false); });
    add("consume", [](benchmark::State& state) { bench_end(state, true); });
    add("expire", bench_expire);
    add("refused_hold", bench_refused);
  }
  register_best();
  benchmark::RegisterBenchmark("memory", bench_memory)->Arg(10'000'000)->Iterations(1)->Unit(benchmark::kSecond);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}   // namespace
}   // namespace holdfast

int main(int argc, char** argv) { return holdfast::run(argc, argv); }
