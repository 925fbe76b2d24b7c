// The port to seat locks that other programs respect too: contract 1's `lock:seat:…`, one key per seat.
//
// A lock keeps out other programs with the same keys while a seat is being reserved. Correctness never depends on it: the ledger refuses a
// second owner whatever the locks say.
//
//   std::vector<KeyLock> key_locks = {{.key = key_of("T-1")}, {.key = key_of(uuid)}};
//   seat_lock.acquire(key_locks);       // one round trip; fills in the answer of each
//   …                                // judge, commit
//   seat_lock.release(key_locks);       // one round trip, whatever acquire() answered
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
  held,      // another program has it
  unknown    // no answer: the server failed, took too long, or is not asked at the moment
};
inline constexpr std::size_t k_grants = 3;

// A request for one seat's lock, and its answer.
struct KeyLock {
  std::string key;
  std::string token{};             // acquire() draws it: 128 random bits in hex, never reused. Empty: the server was not asked
  Grant grant = Grant::unknown;
};

// `lock:seat:` and the seat's id: 32 lower-case hex digits without dashes for a UUID, otherwise the id's bytes.
std::string key_of(const Uuid& seat);
std::string key_of(std::string_view seat_id);

// Draws a new token for each of them.
void draw_tokens(std::span<KeyLock> key_locks);

// The state of the locks, for operators.
struct Health {
  enum class State : std::uint8_t { up, probing, away };
  std::string kind{};     // "redis"
  State state = State::away;
  std::string detail{};   // the server, or what is wrong; never a password
};
inline constexpr const char* name_of(Health::State state) {
  return state == Health::State::up ? "up" : state == Health::State::probing ? "probing" : "away";
}

// Upper bounds of the buckets of round trips, in seconds. One more bucket has the rest.
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
  std::uint64_t expired = 0;       // granted, but no longer ours at release
  std::uint64_t unreleased = 0;    // could not be released before the answer was sent
  std::uint64_t leftovers = 0;     // of these, how many still wait to be released
  std::uint64_t abandoned = 0;     // of these, how many were left to expire
};

// Thread-safe.
class SeatLock {
 public:
  virtual ~SeatLock() = default;

  // Requests all locks in one round trip, each with a new token, and fills in `token` and `grant`. Keys must be distinct. Waits at most the
  // lock's deadline. Never throws for a fault of the server.
  virtual void acquire(std::span<KeyLock> key_locks) = 0;

  // Releases the locks that acquire() has got, or may have got, each only if it still has our token. One round trip, at most the deadline.
  // Locks that could not be released by then are retried in the background.
  virtual void release(std::span<const KeyLock> key_locks) = 0;

  virtual Health health() const = 0;
  virtual Stats stats() const = 0;
};

}   // namespace holdfast::lock
