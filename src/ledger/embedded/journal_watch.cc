#include "ledger/embedded/journal_watch.h"

namespace holdfast {

std::string way_out_of_lost_rows(const std::filesystem::path& data) {
  return "restore a backup (holdfast restore), or give up what is lost (holdfast repair --accept-loss --data " + data.string() +
         "), and start again.";
}

std::string told_of_damaged_journal(const std::filesystem::path& data, const std::string& path, const std::string& what) {
  return path + " " + what +
         " by another program while the server works with it. Nothing more is sold: the next start would not find all that was answered. "
         "While this process lives, what was sold can be read from it (GET /v1/reservations, GET /v1/changes). Then stop it and " +
         way_out_of_lost_rows(data);
}

}  // namespace holdfast
