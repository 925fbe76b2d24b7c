// A PostgreSQL database as the program's home, which other nodes may share.
#pragma once

#include "cli/home.h"

namespace holdfast::cli {

bool has_keys_in_database(const ServeOptions& options);
std::unique_ptr<Home> open_database(const ServeOptions& options, const JudgingOptions& judging);

}  // namespace holdfast::cli
