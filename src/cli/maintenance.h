// Copies of the data, and making the tables again.
#pragma once

#include <filesystem>
#include <functional>

#include "ledger/embedded/journal.h"

namespace holdfast::cli {

// Copies the data of a folder into one file, also while a server works with it. What was answered before this was called is in the copy.
// The file must not exist. Throws DataError or sqlite::Error; then there is no file.
void backup(const std::filesystem::path& data, const std::filesystem::path& file);

// Which API keys a folder has after a restore. Keys that are there already are kept: a backup must not bring back what was revoked since.
enum class RestoredKeys { from_backup, kept, none };

// Puts a copy back, into a folder without data. Throws; then the folder has no data.
RestoredKeys restore(const std::filesystem::path& data, const std::filesystem::path& file);

// Makes state.db again from a whole journal; the old one, if there is one, is kept as state.db.replaced. Returns the journal's head.
Position rebuild(const std::filesystem::path& data, const std::function<void(Position done, Position of)>& progress);

// What accept_loss() has given up: the rows after `last_row`, up to `known_row` at least.
struct AcceptedLoss {
  Position last_row = 0;
  Position known_row = 0;
  std::size_t followers = 0;   // webhooks, and events of the Kafka feed, that were further: they go on from the journal's end
};

// Lets a journal that has lost its end count as it is, so that the folder starts again; what is left of it must be whole. Tables that know
// more are made again; the files that are replaced are kept as *.replaced. Throws DataError or sqlite::Error.
AcceptedLoss accept_loss(const std::filesystem::path& data, const std::function<void(Position done, Position of)>& progress);

}  // namespace holdfast::cli
