// The home in a PostgreSQL database, which other nodes may share.
#pragma once

#include "cli/home.h"

namespace holdfast::cli {

// As has_keys_at_home() and open_home().
bool has_keys_in_database(const ServeOptions& options);
std::unique_ptr<Home> open_database(const ServeOptions& options, const JudgingOptions& judging);

}  // namespace holdfast::cli
