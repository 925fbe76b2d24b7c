// Tables that are copied from one SQLite file to another, as a backup and its restoring do.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "sql/sqlite.h"

namespace holdfast::cli {

// The URI by which ATTACH opens a file read-only, so that the server's write-ahead log is left alone.
std::string read_only_uri(const std::string& path);

// `database`: the name of an attached one, or `main`. Throws sqlite::Error.
bool has_table(sqlite::Database& file, const std::string& database, std::string_view name);
bool has_table(const std::filesystem::path& file, std::string_view name);

// Calls `copy` in one transaction, in which `source` is the database at this path or URI. Throws sqlite::Error, and what `copy` throws.
void copy_from(sqlite::Database& database, const std::string& source, const std::function<void()>& copy);

}   // namespace holdfast::cli
