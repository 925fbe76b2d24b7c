// The seat lock of the options.
#pragma once

#include <memory>

#include "cli/options.h"
#include "ledger/judging.h"
#include "lock/seat_lock.h"

namespace holdfast::cli {

// nullptr if no lock is configured. `connections`: one for each thread that judges. Waits up to 1 s for the lock's server, and
// continues without it if it does not answer. Throws UsageError for an invalid URL or an unreadable password file.
std::unique_ptr<lock::SeatLock> make_seat_lock(const ServeOptions& options, std::size_t connections);

JudgingOptions judging_options(const ServeOptions& options, lock::SeatLock* seat_lock);

// What it means for callers that the lock is away; empty if it is up.
std::string degradation_of(const lock::SeatLock& seat_lock, const ServeOptions& options);

}  // namespace holdfast::cli
