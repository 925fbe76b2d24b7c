// A data folder with journal.db becomes one with segment files.
//
//   const DataFolder folder("data");                    // its lock
//   convert_if_wanted(folder, {.converts = true});      // a start, before it looks for the journal
//   finish_interrupted_conversion(folder.path());       // a tool
//
// journal.db is the truth until it is renamed to journal.db.converted, in one call. Before that, nothing that was there changes, except that
// the rows of its log are moved into it; and whatever an interrupted conversion has left is removed and made again. After that, the new
// journal is complete and on disk, and lacks its name. So a crash at any moment leaves one or the other.
//
//   journal.partial/          being written
//   journal.new/              complete, and compared with journal.db row by row
//   journal.db.converted      journal.db as it was, until an operator deletes it; with journal.head.converted
//   journal/, registry.head   the folder's journal from now on
//
// Rows keep their positions, hashes and times. So what refers to positions stays right: state.db, webhooks, and the Kafka feed.
#pragma once

#include <cstdint>
#include <filesystem>

#include "ledger/data_error.h"
#include "ledger/embedded/segments/format.h"
#include "ledger/start_progress.h"

namespace holdfast {

class DataFolder;
struct JournalOptions;

struct ConversionOptions {
  std::uint64_t segment_bytes = segments::k_segment_bytes;   // as in SegmentWriter::Options; more if a row needs it
  std::uint64_t first_segment_bytes = segments::k_first_segment_bytes;
  OnStartProgress progress{};   // called every k_rows_a_report rows, and at the end of each of the three steps
};
inline constexpr std::int64_t k_rows_a_report = 10'000;

// Converts journal.db, of a folder whose lock the caller has. Programs that read journal.db meanwhile go on reading it. Throws DataError or
// sqlite::Error if journal.db is damaged or does not fit journal.head or state.db, if the disk has no room for both or fails, or if an
// earlier conversion's journal.db.converted is there. Then journal.db is the folder's journal, as before.
void convert_journal(const DataFolder& folder, const ConversionOptions& options = {});

// Ends a conversion that a crash has interrupted after journal.db was renamed. The caller has the folder's lock. Does nothing if there is
// none. Throws DataError if that fails, or if the folder has a journal/ as well; the next call goes on.
void finish_interrupted_conversion(const std::filesystem::path& data);

// What a start does before it looks for the folder's journal: ends an interrupted conversion, and converts journal.db if the options say so.
// Throws as the two do.
void convert_if_wanted(const DataFolder& folder, const JournalOptions& options);

// What a converted folder takes on disk for rows that took `bytes` in journal.db, with the segments that its start prepares.
std::uint64_t bytes_of_converted(std::uint64_t bytes, const ConversionOptions& options);

}   // namespace holdfast
