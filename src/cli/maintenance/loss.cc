// What the journal of a folder has lost: survey_loss().
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "access/registry_revision.h"
#include "cli/maintenance.h"
#include "cli/maintenance/lost_seats.h"
#include "cli/maintenance/repaired_journal.h"
#include "cli/maintenance/rows_at_rest.h"
#include "ledger/embedded/conversion.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/salvage.h"
#include "ledger/embedded/state_store.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

// The tables, if they can be read.
std::unique_ptr<StateStore> readable_tables(const DataFolder& folder) {
  try {
    return std::make_unique<StateStore>(folder.state(), StateStore::Mode::read);
  } catch (const std::runtime_error&) {
    return nullptr;   // missing or damaged: they are made anew
  }
}

// ---------------------------------------------------------------------------------------------------------------- journal.db

Loss loss_in_database(const DataFolder& folder) {
  Loss loss;
  std::unique_ptr<JournalRows> journal;
  try {
    journal = open_journal_rows(folder.path());
    journal->read(journal->anchor(), [](const JournalRow&) { return true; });
  } catch (const std::runtime_error& error) {
    loss.damage.emplace_back(error.what());
    loss.refusal = "the rows that are left in " + folder.journal() + " are damaged";
    return loss;
  }
  loss.last_row = loss.known_row = journal->head().position;
  try {
    const auto marker = read_head_marker(HeadMarker::file_in(folder.path()));
    if (marker != nullptr) loss.known_row = std::max(loss.known_row, marker->head().position);
    check_reached(marker.get(), *journal);
  } catch (const DataError& error) {
    loss.damage.emplace_back(error.what());
  }
  if (const auto state = readable_tables(folder)) loss.known_row = std::max(loss.known_row, state->as_of().position);
  if (loss.known_row > loss.last_row) loss.unreadable.push_back({loss.last_row + 1, loss.known_row});
  return loss;
}

// ---------------------------------------------------------------------------------------------------------------- journal/

void list_seats(segments::Disk& disk, const segments::Survey& survey, StateStore* state, Loss& loss) {
  LostSeats lost;
  const bool has_all_rows = survey.start && survey.start->head.position == 0;
  if (!has_all_rows && state != nullptr) lost.begin_with(*state);
  segments::each_readable_row(disk, survey, [&](const JournalRow& row) {
    if (survey.start && row.position <= survey.kept.position) lost.keep(row);
    else lost.lose(row);
    return true;
  });
  for (LostEvent& event : lost.events()) {
    const auto counted = survey.events.find(event.number);
    loss.events.push_back({.seats = std::move(event), .counted = counted == survey.events.end() ? segments::EventLoss{} : counted->second});
  }
}

Loss loss_in_segments(const DataFolder& folder) {
  segments::PosixDisk posix(DataFolder::journal_folder_in(folder.path()));
  segments::FewOpenFiles disk(posix);
  const segments::Survey survey = segments::survey_journal(disk);
  Loss loss{.damage = survey.damage,
            .refusal = survey.start ? "" : "the beginning of the journal cannot be read, so no row can be kept",
            .last_row = survey.kept.position,
            .known_row = survey.kept.position,
            .unreadable = survey.unreadable,
            .readable = survey.readable,
            .events = {}};
  for (const auto* stretches : {&survey.unreadable, &survey.readable}) {
    for (const segments::Stretch& stretch : *stretches) loss.known_row = std::max(loss.known_row, stretch.last);
  }
  const auto state = readable_tables(folder);
  const Position in_tables = state == nullptr ? 0 : state->as_of().position;
  if (in_tables > loss.known_row) {
    loss.unreadable.push_back({loss.known_row + 1, in_tables});
    loss.known_row = in_tables;
  }
  if (survey.start && survey.start->head.position > 0 && (state == nullptr || in_tables > loss.last_row)) {
    loss.refusal = "old rows were removed from the journal, so tables without the lost rows cannot be made from it";
  }
  if (!survey.readable.empty()) list_seats(disk, survey, state.get(), loss);
  try {
    noted_registry_revision(folder.registry());
  } catch (const DataError& error) {
    loss.damage.emplace_back(error.what());   // registry.head
  }
  return loss;
}

}  // namespace

Loss survey_loss(const fs::path& data) {
  if (!fs::exists(data)) throw DataError("there is no folder " + data.string() + ".");
  const DataFolder folder(data);
  finish_interrupted_conversion(data);
  finish_interrupted_repair(folder);
  const auto format = kind_of_journal(data);
  if (!format) throw DataError("there is no journal in " + data.string() + ".");
  return format == JournalFormat::segments ? loss_in_segments(folder) : loss_in_database(folder);
}

}  // namespace holdfast::cli
