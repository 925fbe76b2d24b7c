// The home in a folder of this machine: the embedded ledger.
#pragma once

#include "cli/home.h"

namespace holdfast::cli {

// As has_keys_at_home() and open_home().
bool has_keys_in_folder(const std::string& data);
std::unique_ptr<Home> open_folder(const ServeOptions& options, const JudgingOptions& judging);

}  // namespace holdfast::cli
