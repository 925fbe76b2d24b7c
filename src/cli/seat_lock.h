// The seat lock that the options ask for.
#pragma once

#include <memory>

#include "cli/options.h"
#include "ledger/judging.h"
#include "lock/seat_lock.h"

namespace holdfast::cli {

// nullptr when none is asked for. `connections`: as many as threads that judge. Waits a moment for the server, and goes on
// without it when it is not there. Throws UsageError for a URL or a password file that cannot be read.
std::unique_ptr<lock::SeatLock> make_seat_lock(const ServeOptions& options, std::size_t connections);

JudgingOptions judging_options(const ServeOptions& options, lock::SeatLock* seat_lock);

// What it means for callers that the lock is away; empty while it is not.
std::string degradation_of(const lock::SeatLock& seat_lock, const ServeOptions& options);

}  // namespace holdfast::cli
