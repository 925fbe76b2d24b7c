// Copies of the data, and making the tables again.
#pragma once

#include <filesystem>
#include <functional>

#include "ledger/embedded/journal.h"

namespace holdfast {

// Copies the data of a folder into one file, also while a server works with it. What was answered before this was called is in the copy.
// The file must not exist. Throws DataError or sqlite::Error; then there is no file.
void backup(const std::filesystem::path& data, const std::filesystem::path& file);

// Which API keys a folder has after a restore. Keys that are there already are kept: a backup must not bring back what was revoked since.
enum class RestoredKeys { from_backup, kept, none };

// Puts a copy back, into a folder without data. Throws; then the folder has no data.
RestoredKeys restore(const std::filesystem::path& data, const std::filesystem::path& file);

// Makes state.db again from a whole journal; the old one, if there is one, is kept as state.db.replaced. Returns the journal's head.
Position rebuild(const std::filesystem::path& data, const std::function<void(Position done, Position of)>& progress);

}  // namespace holdfast
