// `holdfast backup`, `restore`, `rebuild`, `repair` and `verify` for a folder.
#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/maintenance.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/verify.h"

namespace holdfast::cli {

int backup_data(const std::string& data, const std::string& file) {
  backup(data, file);
  std::printf("%s contains everything that was answered before the backup began (%ju bytes)\n", file.c_str(),
              static_cast<std::uintmax_t>(std::filesystem::file_size(file)));
  return 0;
}

int restore_data(const std::string& data, const std::string& file) {
  const RestoredKeys keys = restore(data, file);
  std::printf("%s was restored into %s; journal and tables agree\n", file.c_str(), data.c_str());
  if (keys == RestoredKeys::from_backup) {
    std::printf("the API keys are those of the backup: revoke again the keys that were revoked after it (holdfast keys list)\n");
  }
  if (keys == RestoredKeys::kept) std::printf("the folder's own API keys were kept; those of the backup were not restored\n");
  return 0;
}

int rebuild_tables(const std::string& data) {
  const Position rows = rebuild(data, [](Position done, Position of) {
    std::fprintf(stderr, "\r%lld of %lld rows", static_cast<long long>(done), static_cast<long long>(of));
  });
  std::fprintf(stderr, "\n");
  std::printf("state.db was rebuilt from %lld journal rows\n", static_cast<long long>(rows));
  return 0;
}

int accept_loss_of(const std::string& data) {
  const AcceptedLoss loss = accept_loss(data, [](Position done, Position of) {
    std::fprintf(stderr, "\r%lld of %lld rows", static_cast<long long>(done), static_cast<long long>(of));
  });
  if (loss.known_row == loss.last_row) {
    std::printf("the journal is accepted as it is, up to row %lld; no lost rows are known\n", static_cast<long long>(loss.last_row));
  } else {
    std::printf(
        "rows %lld to %lld of the journal are given up, with the holds and sales in them: compare orders and payments since then with\n"
        "what is held and sold now. The journal is accepted as it is, up to row %lld; the replaced files are kept as *.replaced\n",
        static_cast<long long>(loss.last_row + 1), static_cast<long long>(loss.known_row), static_cast<long long>(loss.last_row));
  }
  if (loss.followers > 0) {
    std::printf("%zu webhooks or events of the Kafka feed had read lost rows: they continue after row %lld\n", loss.followers,
                static_cast<long long>(loss.last_row));
  }
  return 0;
}

int verify_data(const std::string& data) {
  if (!std::filesystem::exists(DataFolder::journal_in(data))) throw DataError("there is no journal.db in " + data + ".");
  const VerifyReport report = verify_folder(data);
  if (!report.problem.empty()) {
    std::printf("NOT VERIFIED: %s\n", report.problem.c_str());
    return 1;
  }
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("verified: the chain of %llu journal rows with %llu changes is unbroken, from the first kept row to row %lld.\n",
              number(report.rows), number(report.changes), static_cast<long long>(report.journal_head));
  if (report.journal_is_whole) {
    std::printf(
        "verified: a replay from the beginning gives exactly the tables of state.db (as of row %lld): %llu events, %llu seats with\n"
        "          state, version and owner, %llu reservations. No seat has two owners.\n",
        static_cast<long long>(report.tables_as_of), number(report.events), number(report.seats), number(report.reservations));
  } else {
    std::printf("not proved: old rows were removed from the journal, so the tables could not be compared with a replay.\n");
  }
  return 0;
}

}  // namespace holdfast::cli
