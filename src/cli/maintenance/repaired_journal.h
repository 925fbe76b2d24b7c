// The journal of segments that a repair has written, and its way to the place of the damaged one.
#pragma once

#include <filesystem>

#include "ledger/embedded/data_folder.h"

namespace holdfast::cli {

// Where it is written.
std::filesystem::path new_journal_in(const DataFolder& folder);

// Puts it, complete and on disk, in the place of journal/, in one step where the file system can: a crash leaves either. Returns where the damaged
// one is kept. Throws DataError; journal/ is as it was then.
std::filesystem::path replace_journal(const DataFolder& folder);

// Ends what a crash in replace_journal() has left on a file system that cannot exchange names: the damaged journal had been moved away. Does
// nothing otherwise. Throws DataError.
void finish_interrupted_repair(const DataFolder& folder);

}   // namespace holdfast::cli
