#include "cli/maintenance/repaired_journal.h"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "cli/maintenance/rows_at_rest.h"
#include "core/time.h"
#include "ledger/wall_time.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

// Its name between two renames, where names cannot be exchanged. It is complete.
fs::path complete_journal_in(const DataFolder& folder) { return folder.path() / "journal.repaired"; }

// A name for the damaged folder that is not taken.
fs::path name_for_damaged(const DataFolder& folder) {
  std::string time = rfc3339(wall_time() / k_millis_per_second * k_millis_per_second);
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const std::string name = (folder.path() / "journal.damaged-").string() + time;
  fs::path free = name;
  for (int again = 2; fs::exists(free); ++again) free = name + "-" + std::to_string(again);
  return free;
}

void rename_durably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw DataError("cannot rename " + from.string() + " to " + to.string() + ": " + error.message());
  sync_folder_of(to.string());
}

}  // namespace

fs::path new_journal_in(const DataFolder& folder) { return folder.path() / "journal.repairing"; }

fs::path replace_journal(const DataFolder& folder) {
  const fs::path journal = DataFolder::journal_folder_in(folder.path());
  const fs::path complete = complete_journal_in(folder);
  const fs::path damaged = name_for_damaged(folder);
  rename_durably(new_journal_in(folder), damaged);   // the name under which the damaged one then is
  if (::renameat2(AT_FDCWD, damaged.c_str(), AT_FDCWD, journal.c_str(), RENAME_EXCHANGE) == 0) {
    sync_folder_of(journal.string());
    return damaged;
  }
  if (const int error = errno; error != EINVAL && error != ENOSYS && error != ENOTSUP) {
    fs::remove_all(damaged);
    throw DataError("cannot put the repaired journal in the place of " + journal.string() + ": " + std::strerror(error) +
                    ". The journal is as it was.");
  }
  fs::remove_all(complete);   // of an earlier attempt: journal/ is in its place
  rename_durably(damaged, complete);
  rename_durably(journal, damaged);   // until the next line a start refuses the folder
  rename_durably(complete, journal);
  return damaged;
}

void finish_interrupted_repair(const DataFolder& folder) {
  const fs::path complete = complete_journal_in(folder);
  if (kind_of_journal(folder.path()) || !fs::exists(complete)) return;
  rename_durably(complete, DataFolder::journal_folder_in(folder.path()));
}

}  // namespace holdfast::cli
