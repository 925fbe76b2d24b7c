// feed.db, beside the journal of an embedded ledger: what FeedStore (store.h) keeps.
//
//   feed_lease       (store, epoch, holder, until)   -- one row: the store's id, and its lease (feed/lease.h)
//   feed_position    (event, seq)
//   payment_rejected (digest, told, at)
//
// Several processes may have the file open: tests do.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "core/event.h"
#include "sql/sqlite_database.h"

namespace holdfast::feed::kafka {

inline std::string feed_file_in(const std::filesystem::path& folder) { return (folder / "feed.db").string(); }
// What a backup takes along.
inline constexpr const char* k_feed_tables[] = {"feed_lease", "feed_position", "payment_rejected"};

// Opens the file, or creates it. Throws sqlite::Error, or DataError if it cannot be created or has another format.
std::unique_ptr<sql::SqliteDatabase> open_feed_file(const std::string& path);

// Takes over what a backup has, which is attached as `source`: the positions, and rejections beside those that are known. A file that was
// created for it also gets the id of the store that the backup is of.
void restore_feed_file(sqlite::Database& feed, bool was_made);
// `heads` are all the events that there are now, with their last changes. Forgets what was published beyond them, so that what comes in its
// place is published. Returns the number of such events. Nobody else may work with the file.
std::size_t move_feed_back(sqlite::Database& feed, const std::map<EventNumber, Seq>& heads);

}   // namespace holdfast::feed::kafka
