#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "access/random.h"
#include "access/registry_revision.h"
#include "cli/maintenance.h"
#include "cli/maintenance/followers.h"
#include "cli/maintenance/new_tables.h"
#include "cli/maintenance/repaired_journal.h"
#include "cli/maintenance/rows_at_rest.h"
#include "ledger/embedded/conversion.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segment_rows.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/salvage.h"
#include "ledger/embedded/state_store.h"
#include "ledger/embedded/verify.h"
#include "ledger/seat_directory.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

using Progress = std::function<void(Position done, Position of)>;

// Makes the tables fit the journal, and moves its readers back. Raises known_row to what the tables know.
void fit_others(const DataFolder& folder, JournalRows& journal, const Progress& progress, AcceptedLoss& loss) {
  bool fits = false;
  try {
    StateStore state(folder.state(), StateStore::Mode::read);
    loss.known_row = std::max(loss.known_row, state.as_of().position);
    fits = verify(journal, state).problem.empty();
  } catch (const std::runtime_error&) {
    fits = false;   // missing or damaged
  }
  if (!fits) rebuild_tables_from(folder, journal, progress);
  StateStore state(folder.state(), StateStore::Mode::read);
  loss.followers = put_followers_back(folder, journal, state);
}

// ---------------------------------------------------------------------------------------------------------------- journal.db

AcceptedLoss accept_in_database(const DataFolder& folder, const Progress& progress) {
  Journal journal(folder.journal(), Journal::Mode::write);
  journal.read(journal.anchor(), [](const JournalRow&) { return true; });   // the rest must be undamaged
  journal.settle();   // a sync of an earlier process may have failed
  AcceptedLoss loss{.last_row = journal.head().position, .known_row = journal.head().position};
  const std::string path = HeadMarker::file_in(folder.path());
  std::optional<RegistryRevision> registry;
  try {
    if (const auto marker = read_head_marker(path)) loss.known_row = std::max(loss.known_row, marker->head().position);
    registry = noted_registry_revision(folder.registry());
  } catch (const DataError&) {
    registry = std::nullopt;   // damaged: the next start notes the registry's revision
  }
  fit_others(folder, journal, progress, loss);
  if (fs::exists(path)) fs::copy_file(path, path + ".replaced", fs::copy_options::overwrite_existing);
  HeadMarker::create(path, journal.head(), registry);   // lost keys are accepted separately, by `keys accept`
  journal.note_marker();
  return loss;
}

// ---------------------------------------------------------------------------------------------------------------- journal/

segments::JournalId new_journal_id() {
  segments::JournalId id{};
  const Uuid drawn = random_uuid();
  std::ranges::copy(drawn, id.begin());
  return id;
}

void make_private_folder(const std::string& path) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0) throw DataError("cannot make the folder " + path + ": " + std::strerror(errno));
  give_to_owner_of_folder(path);
}

// Makes the new journal, then tables that fit it, and puts readers of the journal back; last it takes its place. After a crash in between a start
// refuses the damaged journal as before, and all of it can be done again.
void write_new_journal(const DataFolder& folder, segments::Disk& damaged, const segments::Survey& survey, const Progress& progress,
                       AcceptedLoss& loss) {
  const fs::path made = new_journal_in(folder);
  fs::remove_all(made);   // left by an earlier attempt
  try {
    make_private_folder(made.string());
    segments::PosixDisk posix(made);
    segments::FewOpenFiles disk(posix);
    segments::write_kept(damaged, survey, disk, {.draw_salt = draw_hash_seed}, new_journal_id());
    SegmentRows rows(disk);
    fit_others(folder, rows, progress, loss);
  } catch (...) {
    std::error_code ignored;   // the exception says what failed
    fs::remove_all(made, ignored);
    throw;
  }
  loss.kept_as = replace_journal(folder).string();
}

AcceptedLoss accept_in_segments(const DataFolder& folder, const Progress& progress) {
  segments::PosixDisk posix(DataFolder::journal_folder_in(folder.path()));
  segments::FewOpenFiles disk(posix);
  const segments::Survey survey = segments::survey_journal(disk);
  AcceptedLoss loss{.last_row = survey.kept.position, .known_row = survey.kept.position};
  for (const auto* stretches : {&survey.unreadable, &survey.readable}) {
    for (const segments::Stretch& stretch : *stretches) loss.known_row = std::max(loss.known_row, stretch.last);
  }
  loss.has_accepted_registry = RegistryMarker::renew(folder.path());
  if (!survey.damage.empty()) {
    write_new_journal(folder, disk, survey, progress, loss);
    return loss;
  }
  SegmentRows rows(disk);
  fit_others(folder, rows, progress, loss);
  return loss;
}

}   // namespace

AcceptedLoss accept_loss(const fs::path& data, const Progress& progress) {
  const DataFolder folder(data);
  finish_interrupted_conversion(data);
  finish_interrupted_repair(folder);
  const auto format = kind_of_journal(data);
  if (!format) throw DataError("there is no journal in " + data.string() + ".");
  return format == JournalFormat::segments ? accept_in_segments(folder, progress) : accept_in_database(folder, progress);
}

}   // namespace holdfast::cli
