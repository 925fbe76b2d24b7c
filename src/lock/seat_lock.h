// The port to seat locks that other programs respect too: contract 1's `lock:seat:…`, one key a seat.
//
// A lock keeps other programs that use the same keys out while a seat is being reserved. It is never what makes a reservation
// correct: the ledger refuses the second owner whatever the locks say.
//
//   std::vector<Lease> leases = {{.key = key_of("T-1")}, {.key = key_of(uuid)}};
//   seat_lock.acquire(leases);       // one round trip; each lease then has its answer
//   …                                // judge, commit
//   seat_lock.release(leases);       // one round trip; whatever acquire() said
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace holdfast::lock {

enum class Grant : std::uint8_t {
  granted,   // the seat's lock is ours
  held,      // somebody else has it
  unknown    // nobody answered: the server failed, its time was over, or it is not asked at the moment
};
inline constexpr std::size_t k_grants = 3;

// One seat's lock, as one caller asks for it.
struct Lease {
  std::string key;
  std::string token{};             // acquire() draws it: 128 random bits in hex, never used again. Empty: the server was not asked
  Grant grant = Grant::unknown;
};

// `lock:seat:` and the seat's id: of a UUID its 32 lower-case hex digits without dashes, else the bytes as they stand.
std::string key_of(const Uuid& seat);
std::string key_of(std::string_view seat_id);

// Draws a new token for each lease.
void draw_tokens(std::span<Lease> leases);

// How the locks are doing, for people.
struct Health {
  enum class State : std::uint8_t { up, probing, away };
  std::string kind{};     // "redis"
  State state = State::away;
  std::string detail{};   // which server, or what is wrong; never a password
};
inline constexpr const char* name_of(Health::State state) {
  return state == Health::State::up ? "up" : state == Health::State::probing ? "probing" : "away";
}

// Upper bounds of the buckets of round trips, in seconds; one more bucket has the rest.
inline constexpr std::array k_round_trip_bounds{0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5};

struct RoundTrips {
  std::array<std::uint64_t, k_round_trip_bounds.size() + 1> buckets{};
  double seconds = 0;   // of all of them
};

// Counts since the start.
struct Stats {
  std::array<std::uint64_t, k_grants> acquisitions{};   // by Grant
  RoundTrips acquiring{};
  RoundTrips releasing{};
  std::uint64_t failures = 0;      // round trips that failed or took too long
  std::uint64_t expired = 0;       // granted, and not ours any more when it was given up
  std::uint64_t unreleased = 0;    // could not be given up before the answer left
  std::uint64_t leftovers = 0;     // of them, how many wait to be given up now
  std::uint64_t abandoned = 0;     // of them, how many were left to end by themselves
};

// Any thread, several at once.
class SeatLock {
 public:
  virtual ~SeatLock() = default;

  // Asks for all of these locks in one round trip, each under a new token, and fills in `token` and `grant`. No key twice. Never
  // waits longer than the lock's deadline. Never throws for what a server does.
  virtual void acquire(std::span<Lease> leases) = 0;

  // Gives up all that acquire() has, or may have, got: each only if our token is still in it. One round trip, no longer than the
  // deadline; what could not be given up by then is tried again later, in the background.
  virtual void release(std::span<const Lease> leases) = 0;

  virtual Health health() const = 0;
  virtual Stats stats() const = 0;
};

}   // namespace holdfast::lock
