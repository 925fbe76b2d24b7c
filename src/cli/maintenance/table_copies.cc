#include "cli/maintenance/table_copies.h"

namespace holdfast::cli {

std::string read_only_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {   // all other characters stand for themselves: https://www.sqlite.org/uri.html
    c == '%' ? uri += "%25" : c == '?' ? uri += "%3f" : c == '#' ? uri += "%23" : uri += c;
  }
  return uri + "?mode=ro";
}

bool has_table(sqlite::Database& file, const std::string& database, std::string_view name) {
  sqlite::Statement table(file, "SELECT 1 FROM " + database + ".sqlite_master WHERE type = 'table' AND name = ?1");
  table.bind_text(1, name);
  return table.step();
}

bool has_table(const std::filesystem::path& file, std::string_view name) {
  sqlite::Database database(file.string(), sqlite::Database::Mode::read_only);
  return has_table(database, "main", name);
}

void copy_from(sqlite::Database& database, const std::string& source, const std::function<void()>& copy) {
  sqlite::Statement(database, "ATTACH ?1 AS source").bind_text(1, source).run();
  {
    sqlite::Transaction transaction(database);
    copy();
    transaction.commit();
  }
  database.execute("DETACH source");
}

}   // namespace holdfast::cli
