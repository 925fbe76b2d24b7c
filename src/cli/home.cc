#include "cli/home.h"

#include "cli/embedded_home.h"
#include "cli/postgres_home.h"

namespace holdfast::cli {

bool has_keys_at_home(const ServeOptions& options) {
  return options.ledger_url.empty() ? has_keys_in_folder(options.data) : has_keys_in_database(options);
}

std::size_t judging_threads(const ServeOptions& options) { return options.ledger_url.empty() ? 1 : options.ledger_lanes; }

std::unique_ptr<Home> open_home(const ServeOptions& options, const JudgingOptions& judging) {
  return options.ledger_url.empty() ? open_folder(options, judging) : open_database(options, judging);
}

}  // namespace holdfast::cli
