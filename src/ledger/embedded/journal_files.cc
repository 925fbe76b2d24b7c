#include "ledger/embedded/journal_files.h"

#include "ledger/data_error.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segment_journal.h"
#include "ledger/embedded/segment_rows.h"
#include "ledger/embedded/sqlite_journal.h"
#include "ledger/embedded/sqlite_rows.h"

namespace holdfast {
namespace {

SegmentJournal::Options segment_options(const JournalOptions& options) {
  return {.disk = options.disk,
          .segment_bytes = options.segment_bytes,
          .first_segment_bytes = options.first_segment_bytes,
          .draw = options.draw,
          .has_thread = options.has_thread};
}

// The note of the registry's revision comes first, because a journal that has had one and lacks it is refused.
void create_segments(const std::filesystem::path& data, const JournalOptions& options) {
  SqliteJournal::refuse_lost(data);
  RegistryMarker::begin(data);
  SegmentJournal::create(data, segment_options(options));
}

}   // namespace

std::optional<JournalFormat> find_journal(const std::filesystem::path& data, const JournalOptions& options) {
  const std::string file = DataFolder::journal_in(data);
  const std::string folder = DataFolder::journal_folder_in(data);
  const bool has_file = std::filesystem::exists(file);
  const bool has_folder = options.disk == nullptr && std::filesystem::exists(folder);
  if (has_file && has_folder) {
    throw DataError(file + " and " + folder +
                    " are both there, and each is a journal: nobody knows which of them has what was sold. Nothing was changed. Move the "
                    "one away that does not belong here, or put back all files from a backup (holdfast restore).");
  }
  if (has_file) return JournalFormat::sqlite;
  if ((has_folder || options.disk != nullptr) && SegmentJournal::exists(data, segment_options(options))) return JournalFormat::segments;
  return std::nullopt;
}

JournalFormat format_for_new(const std::filesystem::path& data, const JournalOptions& options) {
  const bool had_segments =
      std::filesystem::exists(DataFolder::registry_head_in(data)) || std::filesystem::exists(DataFolder::journal_folder_in(data));
  return had_segments ? JournalFormat::segments : options.for_new;
}

std::string path_of_journal(const std::filesystem::path& data, JournalFormat format) {
  return format == JournalFormat::sqlite ? DataFolder::journal_in(data) : DataFolder::journal_folder_in(data);
}

std::unique_ptr<JournalWriter> open_journal(const DataFolder& folder, const JournalOptions& options) {
  const std::optional<JournalFormat> found = find_journal(folder.path(), options);
  if (found.value_or(format_for_new(folder.path(), options)) == JournalFormat::segments) {
    if (!found) create_segments(folder.path(), options);
    return std::make_unique<SegmentJournal>(folder.path(), segment_options(options));
  }
  if (!found) SqliteJournal::create(folder.path());
  return std::make_unique<SqliteJournal>(folder.path());
}

std::unique_ptr<JournalRows> open_journal_rows(const std::filesystem::path& data) {
  const bool has_file = std::filesystem::exists(DataFolder::journal_in(data));
  if (!has_file && std::filesystem::exists(DataFolder::journal_folder_in(data))) return open_segment_rows(data);
  find_journal(data);   // refuses both
  return std::make_unique<SqliteRows>(DataFolder::journal_in(data), SqliteRows::Mode::read);
}

}   // namespace holdfast
