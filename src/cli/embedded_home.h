// A folder of this machine as the program's home.
#pragma once

#include "cli/home.h"

namespace holdfast::cli {

bool has_keys_in_folder(const std::string& data);
std::unique_ptr<Home> open_folder(const ServeOptions& options, const JudgingOptions& judging);

}  // namespace holdfast::cli
