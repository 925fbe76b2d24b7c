#include "support/fault_plan.h"

#include <iomanip>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;

// How many messages of a trip and way pass on average between two faults. A batch has some ten messages each way in each of its round trips.
// Starts of connections and settlements are rare, because only faults cause them. Other trips are many.
constexpr std::array<std::size_t, k_trips> k_messages_between = {200, 250, 150, 60, 1'000};

constexpr std::array k_kinds = {FaultKind::cut_before, FaultKind::cut_within, FaultKind::cut_after,
                                FaultKind::delay,      FaultKind::swallow,    FaultKind::outage};
constexpr std::array k_weights = {23, 23, 27, 18, 7, 2};

// Most faults last less than the node's patience. A few last longer: a delay longer than a transaction may be idle (2 s) and a lock is waited
// for (3 s), a silence or an outage longer than a node looks for a lost commit (10 s).
constexpr milliseconds k_delay_max{100}, k_silence_max{400}, k_outage_max{500};
constexpr milliseconds k_long_delay{3'500}, k_long_silence{11'000};
constexpr int k_long_one_in = 40;

std::size_t up_to(std::mt19937_64& random, std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); }

milliseconds lasting(std::mt19937_64& random, milliseconds most) {
  return milliseconds{1 + static_cast<std::int64_t>(up_to(random, static_cast<std::size_t>(most.count() - 1)))};
}

Fault draw(std::mt19937_64& random) {
  Fault fault{.kind = k_kinds.at(std::discrete_distribution<std::size_t>(k_weights.begin(), k_weights.end())(random))};
  const bool is_long = up_to(random, k_long_one_in - 1) == 0;
  switch (fault.kind) {
    case FaultKind::cut_within: fault.part = std::uniform_real_distribution<>(0, 1)(random); break;
    case FaultKind::delay: fault.lasts = is_long ? k_long_delay : lasting(random, k_delay_max); break;
    case FaultKind::swallow: fault.lasts = is_long ? k_long_silence : lasting(random, k_silence_max); break;
    case FaultKind::outage: fault.lasts = is_long ? k_long_silence : lasting(random, k_outage_max); break;
    case FaultKind::cut_before:
    case FaultKind::cut_after: break;
  }
  return fault;
}

// Uniform, so that on average `k_messages_between` pass.
std::size_t draw_gap(std::mt19937_64& random, std::size_t trip) { return up_to(random, 2 * k_messages_between.at(trip)); }

}   // namespace

FaultPlan::FaultPlan(std::uint64_t seed) {
  for (std::size_t trip = 0; trip < k_trips; ++trip) {
    for (std::size_t way = 0; way < k_ways; ++way) {
      Count& count = counts_[trip][way];
      std::seed_seq numbers{seed & 0xffff'ffffU, seed >> 32U, std::uint64_t{trip}, std::uint64_t{way}};
      count.random.seed(numbers);
      count.left = draw_gap(count.random, trip);
    }
  }
}

std::optional<Fault> FaultPlan::next(Trip trip, Way way) {
  const auto number = static_cast<std::size_t>(trip);
  Count& count = counts_.at(number).at(static_cast<std::size_t>(way));
  if (count.left > 0) {
    --count.left;
    return std::nullopt;
  }
  const Fault fault = draw(count.random);
  count.left = draw_gap(count.random, number);
  return fault;
}

void FaultTally::add(FaultKind kind, Trip trip, Way way, char type) {
  ++total_;
  ++counts_[{.trip = trip, .way = way, .type = type, .kind = kind}];
}

void FaultTally::add(const FaultTally& other) {
  total_ += other.total_;
  for (const auto& [place, count] : other.counts_) counts_[place] += count;
}

std::size_t FaultTally::of(Trip trip) const {
  std::size_t sum = 0;
  for (const auto& [place, count] : counts_) sum += place.trip == trip ? count : 0;
  return sum;
}

std::ostream& operator<<(std::ostream& out, const FaultTally& tally) {
  std::map<Trip, std::map<FaultKind, std::size_t>> by_kind;
  std::map<std::tuple<Trip, Way, char>, std::size_t> by_message;
  for (const auto& [place, count] : tally.counts_) {
    by_kind[place.trip][place.kind] += count;
    by_message[{place.trip, place.way, place.type}] += count;
  }
  constexpr int k_name = 12, k_number = 11;
  out << tally.total_ << " faults\n" << std::left << std::setw(k_name) << "" << std::right;
  for (const FaultKind kind : k_kinds) out << std::setw(k_number) << name_of(kind);
  for (auto& [trip, kinds] : by_kind) {
    out << '\n' << std::left << std::setw(k_name) << name_of(trip) << std::right;
    for (const FaultKind kind : k_kinds) out << std::setw(k_number) << kinds[kind];
  }
  std::optional<std::pair<Trip, Way>> line;
  for (const auto& [message, count] : by_message) {
    const auto& [trip, way, type] = message;
    if (line != std::pair{trip, way}) out << '\n' << name_of(trip) << (way == Way::to_server ? ", to the server:" : ", to the node:");
    line = {trip, way};
    out << ' ' << name_of_message(way, type) << ' ' << count;
  }
  return out << '\n';
}

std::string_view name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::cut_before: return "cut before";
    case FaultKind::cut_within: return "cut within";
    case FaultKind::cut_after: return "cut after";
    case FaultKind::delay: return "delayed";
    case FaultKind::swallow: return "swallowed";
    case FaultKind::outage: return "outage";
  }
  return "?";
}

std::string_view name_of(Trip trip) {
  switch (trip) {
    case Trip::startup: return "startup";
    case Trip::read: return "read";
    case Trip::write: return "write";
    case Trip::settlement: return "settlement";
    case Trip::other: return "other";
  }
  return "?";
}

std::string_view name_of_message(Way way, char type) {
  static const std::map<char, std::string_view> k_of_client = {
      {0, "StartupMessage"}, {'P', "Parse"}, {'B', "Bind"},  {'D', "Describe"},  {'E', "Execute"},
      {'S', "Sync"},         {'Q', "Query"}, {'H', "Flush"}, {'X', "Terminate"}, {'p', "PasswordMessage"}};
  static const std::map<char, std::string_view> k_of_server = {{'R', "Authentication"},
                                                               {'S', "ParameterStatus"},
                                                               {'K', "BackendKeyData"},
                                                               {'Z', "ReadyForQuery"},
                                                               {'1', "ParseComplete"},
                                                               {'2', "BindComplete"},
                                                               {'n', "NoData"},
                                                               {'T', "RowDescription"},
                                                               {'D', "DataRow"},
                                                               {'C', "CommandComplete"},
                                                               {'E', "ErrorResponse"},
                                                               {'N', "NoticeResponse"},
                                                               {'t', "ParameterDescription"},
                                                               {'A', "NotificationResponse"}};
  const auto& names = way == Way::to_server ? k_of_client : k_of_server;
  const auto at = names.find(type);
  return at == names.end() ? "?" : at->second;
}

}   // namespace holdfast::test
