#include "ledger/embedded/journal_files.h"

#include "ledger/data_error.h"
#include "ledger/embedded/sqlite_journal.h"
#include "ledger/embedded/sqlite_rows.h"

namespace holdfast {
namespace {

[[noreturn]] void refuse_segments(const std::filesystem::path& data) {
  throw DataError(
      DataFolder::journal_folder_in(data) +
      " has segment files, which this version of Holdfast cannot open. Nothing was changed. Use the version that wrote them, or "
      "a later one.");
}

}  // namespace

std::optional<JournalFormat> find_journal(const std::filesystem::path& data) {
  const std::string file = DataFolder::journal_in(data);
  const std::string folder = DataFolder::journal_folder_in(data);
  const bool has_file = std::filesystem::exists(file);
  const bool has_folder = std::filesystem::exists(folder);
  if (has_file && has_folder) {
    throw DataError(file + " and " + folder +
                    " are both there, and each is a journal: nobody knows which of them has what was sold. Nothing was changed. Move the "
                    "one away that does not belong here, or put back all files from a backup (holdfast restore).");
  }
  if (has_file) return JournalFormat::sqlite;
  if (has_folder) return JournalFormat::segments;
  return std::nullopt;
}

std::string path_of_journal(const std::filesystem::path& data, JournalFormat format) {
  return format == JournalFormat::sqlite ? DataFolder::journal_in(data) : DataFolder::journal_folder_in(data);
}

std::unique_ptr<JournalWriter> open_journal(const DataFolder& folder, const JournalOptions& options) {
  const std::optional<JournalFormat> found = find_journal(folder.path());
  if (found.value_or(options.for_new) == JournalFormat::segments) refuse_segments(folder.path());
  if (!found) SqliteJournal::create(folder.path());
  return std::make_unique<SqliteJournal>(folder.path());
}

std::unique_ptr<JournalRows> open_journal_rows(const std::filesystem::path& data) {
  if (find_journal(data) == JournalFormat::segments) refuse_segments(data);
  return std::make_unique<SqliteRows>(DataFolder::journal_in(data), SqliteRows::Mode::read);
}

}  // namespace holdfast
