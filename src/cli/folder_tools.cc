// `holdfast backup`, `restore`, `rebuild`, `repair` and `verify` for a folder.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/maintenance.h"
#include "core/time.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {
namespace {

void show_progress(Position done, Position of) { std::fputs(fmt::format("\r{} of {} rows", done, of).c_str(), stderr); }

std::string told(const segments::Stretch& rows) {
  return rows.first == rows.last ? fmt::format("row {}", rows.first) : fmt::format("rows {} to {}", rows.first, rows.last);
}

void show(const Loss::Event& event) {
  const std::string id =
      event.seats.id ? to_string(*event.seats.id) + (event.seats.name.empty() ? "" : ", " + event.seats.name) : "of an unknown id";
  fmt::print("event {} ({}): its changes from {} on are lost, {} that can be read and {} that cannot\n", event.seats.number, id,
             event.counted.first_lost, event.counted.readable, event.counted.unreadable);
  for (const LostSeat& seat : event.seats.seats) {
    fmt::print("  {}: {}, by change {} at {}{}\n", seat.name, seat.became, seat.seq, rfc3339(seat.at),
               seat.is.empty() ? "" : "; in what is kept it is " + seat.is);
  }
}

void show(const Loss& loss) {
  for (const std::string& each : loss.damage) fmt::print("damage: {}\n", each);
  for (const segments::Stretch& rows : loss.unreadable) fmt::print("lost: {}, which cannot be read\n", told(rows));
  for (const segments::Stretch& rows : loss.readable) {
    fmt::print("lost: {}, which can be read: they were decided by what the rows before them said, and those are lost\n", told(rows));
  }
  for (const Loss::Event& event : loss.events) show(event);
  fmt::print("kept: all up to row {}\n", loss.last_row);
}

}  // namespace

int backup_data(const std::string& data, const std::string& file) {
  backup(data, file);
  fmt::print("{} contains everything that was answered before the backup began ({} bytes)\n", file, std::filesystem::file_size(file));
  return 0;
}

int restore_data(const std::string& data, const std::string& file) {
  const RestoredKeys keys = restore(data, file);
  fmt::print("{} was restored into {}; journal and tables agree\n", file, data);
  if (keys == RestoredKeys::from_backup) {
    fmt::print("the API keys are those of the backup: revoke again the keys that were revoked after it (holdfast keys list)\n");
  }
  if (keys == RestoredKeys::kept) fmt::print("the folder's own API keys were kept; those of the backup were not restored\n");
  return 0;
}

int rebuild_tables(const std::string& data) {
  const Position rows = rebuild(data, show_progress);
  std::fputc('\n', stderr);
  fmt::print("state.db was rebuilt from {} journal rows\n", rows);
  return 0;
}

int list_loss_of(const std::string& data) {
  const Loss loss = survey_loss(data);
  show(loss);
  if (loss.is_nothing()) {
    fmt::print("nothing is lost, as far as the files tell. Nothing was changed\n");
    return 0;
  }
  if (loss.refusal.empty()) {
    fmt::print(
        "Nothing was changed. Restore a backup if you have one; otherwise give up what is lost: holdfast repair --accept-loss --data {}\n",
        data);
  } else {
    fmt::print("Nothing was changed. The loss cannot be accepted: {}. Restore a backup (holdfast restore)\n", loss.refusal);
  }
  return 1;
}

int accept_loss_of(const std::string& data) {
  show(survey_loss(data));   // after it, nothing has the lost rows but the files that are kept
  const AcceptedLoss loss = accept_loss(data, show_progress);
  if (loss.known_row == loss.last_row) {
    fmt::print("the journal is accepted as it is, up to row {}; no lost rows are known\n", loss.last_row);
  } else {
    fmt::print(
        "rows {} to {} of the journal are given up, with the holds and sales in them: compare orders and payments since then with\n"
        "what is held and sold now. The journal is accepted as it is, up to row {}; the replaced files are kept as *.replaced\n",
        loss.last_row + 1, loss.known_row, loss.last_row);
  }
  if (!loss.kept_as.empty()) fmt::print("the damaged journal is kept as {}\n", loss.kept_as);
  if (loss.has_accepted_registry) {
    fmt::print(
        "registry.head was missing or damaged, and was made anew: registry.db counts as it is. Revoke again the keys that had been "
        "revoked\n"
        "(holdfast keys list)\n");
  }
  if (loss.followers > 0) {
    fmt::print("{} webhooks or events of the Kafka feed had read lost rows: they continue after row {}\n", loss.followers, loss.last_row);
  }
  return 0;
}

int verify_data(const std::string& data) {
  if (!find_journal(data)) throw DataError("there is no journal in " + data + ".");
  const VerifyReport report = verify_folder(data);
  if (!report.problem.empty()) {
    fmt::print("NOT VERIFIED: {}\n", report.problem);
    return 1;
  }
  fmt::print("verified: the chain of {} journal rows with {} changes is unbroken, from the first kept row to row {}.\n", report.rows,
             report.changes, report.journal_head);
  if (report.journal_is_whole) {
    fmt::print(
        "verified: a replay from the beginning gives exactly the tables of state.db (as of row {}): {} events, {} seats with\n"
        "          state, version and owner, {} reservations. No seat has two owners.\n",
        report.tables_as_of, report.events, report.seats, report.reservations);
  } else {
    fmt::print("not proved: old rows were removed from the journal, so the tables could not be compared with a replay.\n");
  }
  return 0;
}

}  // namespace holdfast::cli
