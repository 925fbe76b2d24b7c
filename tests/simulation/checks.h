// What a node shows, compared with the book. For one thread.
#pragma once

#include <string>

#include "ledger/embedded/embedded_ledger.h"
#include "simulation/book.h"

namespace holdfast::simulation {

// How events, seats and reservations as the ledger shows them at `now`, those that ended long ago included, differ from the book, which is as of
// `now`; empty if they do not.
std::string difference_from(const EmbeddedLedger& ledger, const Book& book, Millis now);

// The readers' copies have the book's seats at `now`. `all_recorded`: no expiry waits to be recorded. Throws Failure.
void check_readers(const EmbeddedLedger& ledger, const Book& book, Millis now, bool all_recorded);

// The lists from the tables have exactly the book's reservations. Throws Failure.
void check_tables(const EmbeddedLedger& ledger, Book book);

}   // namespace holdfast::simulation
