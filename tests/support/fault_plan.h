// Which messages between a node and PostgreSQL meet which fault, by a seed.
//
//   FaultPlan plan(seed);
//   if (const auto fault = plan.next(Trip::write, Way::to_client)) …     // once for each message
//
// Messages are counted by trip and way, each count with its own random numbers. So with one seed the same fault meets the n-th message of a
// trip and way in every run, whatever other connections do meanwhile. The request that this message belongs to depends on the threads' timing.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <random>
#include <string_view>

namespace holdfast::test {

// What the node does in the round trip that a message belongs to (docs/internals/postgresql-ledger.md).
enum class Trip : std::uint8_t {
  startup,   // of a connection
  read,   // of a batch, the first: locks the events' rows, reads what is new
  write,   // of a batch, the second: writes journal rows, commits
  settlement,   // looks for a commit whose answer was lost
  other,   // loads, followers, projectors, ends of transactions
};
inline constexpr std::size_t k_trips = 5;

enum class Way : std::uint8_t { to_server, to_client };
inline constexpr std::size_t k_ways = 2;

enum class FaultKind : std::uint8_t {
  cut_before,   // the connection ends, and the message does not arrive
  cut_within,   // the connection ends, and a part of the message arrives
  cut_after,   // the connection ends once the message has arrived
  delay,   // this message and all after it come later
  swallow,   // this message and all after it do not come, and later the connection ends: a network that lost its route
  outage,   // all connections end, and new ones are refused for a while
};

struct Fault {
  FaultKind kind;
  std::chrono::milliseconds lasts{0};   // delay, swallow, outage
  double part = 0;   // cut_within: of the message's bytes, from 0 to 1
};

class FaultPlan {
 public:
  explicit FaultPlan(std::uint64_t seed);
  // The fault that the next message of this trip and way meets. Nothing for most.
  std::optional<Fault> next(Trip trip, Way way);

 private:
  struct Count {
    std::mt19937_64 random;
    std::size_t left = 0;   // messages before the next fault
  };
  std::array<std::array<Count, k_ways>, k_trips> counts_;
};

// How many faults of which kind met which messages.
class FaultTally {
 public:
  // `type`: the message's first byte; 0 for the first message of a connection, which has none.
  void add(FaultKind kind, Trip trip, Way way, char type);
  void add(const FaultTally& other);
  std::size_t total() const { return total_; }
  std::size_t of(Trip trip) const;

  // Some lines: faults by kind and trip, then by message.
  friend std::ostream& operator<<(std::ostream& out, const FaultTally& tally);

 private:
  struct Place {
    Trip trip;
    Way way;
    char type;
    FaultKind kind;
    auto operator<=>(const Place&) const = default;
  };
  std::size_t total_ = 0;
  std::map<Place, std::size_t> counts_;
};

std::string_view name_of(FaultKind kind);
std::string_view name_of(Trip trip);
// The protocol's name of a message, such as `Bind`; the byte itself if it has none here.
std::string_view name_of_message(Way way, char type);

}   // namespace holdfast::test
