// `holdfast backup`, `restore`, `rebuild`, `repair` and `verify` for a folder.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/maintenance.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {
namespace {

void show_progress(Position done, Position of) { std::fputs(fmt::format("\r{} of {} rows", done, of).c_str(), stderr); }

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

int accept_loss_of(const std::string& data) {
  const AcceptedLoss loss = accept_loss(data, show_progress);
  if (loss.known_row == loss.last_row) {
    fmt::print("the journal is accepted as it is, up to row {}; no lost rows are known\n", loss.last_row);
  } else {
    fmt::print(
        "rows {} to {} of the journal are given up, with the holds and sales in them: compare orders and payments since then with\n"
        "what is held and sold now. The journal is accepted as it is, up to row {}; the replaced files are kept as *.replaced\n",
        loss.last_row + 1, loss.known_row, loss.last_row);
  }
  if (loss.followers > 0) {
    fmt::print("{} webhooks or events of the Kafka feed had read lost rows: they continue after row {}\n", loss.followers, loss.last_row);
  }
  return 0;
}

int verify_data(const std::string& data) {
  if (!std::filesystem::exists(DataFolder::journal_in(data))) throw DataError("there is no journal.db in " + data + ".");
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
