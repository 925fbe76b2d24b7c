// The right to relay, which one node of many has at a time.
//
// A holding has an epoch, which grows each time that the right goes to another. Whoever holds it names the epoch with each write,
// and the store refuses those of an epoch that is over (LeaseLost): so a node that was paused, and does not know yet that another
// has taken its place, changes nothing. Time is the store's: no node's clock decides.
//
//   if (const auto epoch = lease.acquire()) …            // then renew() well within time()
//   lease.release();                                     // the next one need not wait
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>

namespace holdfast::feed {

using Epoch = std::int64_t;

// The epoch that a write named is over.
class LeaseLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One thread at a time. Blocks on the store. Throws std::exception when the store cannot be asked: then nothing is known, and
// what was held is held until its time is over.
class Lease {
 public:
  virtual ~Lease() = default;

  // Takes it for time() when nobody has it; nothing: somebody has. Each success has an epoch of its own.
  virtual std::optional<Epoch> acquire() = 0;
  // Holds it for time() from now on. False: somebody else has taken it since; it is not held any more.
  virtual bool renew() = 0;
  // Gives it back, if it is held.
  virtual void release() = 0;
  virtual std::chrono::milliseconds time() const = 0;
};

}   // namespace holdfast::feed
