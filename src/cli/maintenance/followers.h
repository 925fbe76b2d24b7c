// Those who read a folder's journal and remember how far: webhooks and the Kafka feed.
#pragma once

#include <cstddef>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_rows.h"
#include "ledger/embedded/state_store.h"

namespace holdfast::cli {

// Moves readers of the journal that are beyond its end back to the end: new changes will be written there, and none may be skipped.
// Returns how many were moved. `state` has tables that fit the journal. Throws DataError or sqlite::Error.
std::size_t put_followers_back(const DataFolder& folder, JournalRows& journal, StateStore& state);

}   // namespace holdfast::cli
