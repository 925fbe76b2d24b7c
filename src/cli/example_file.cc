// `holdfast config`: the example file.
#include <algorithm>
#include <string_view>

#include "cli/documents.h"
#include "cli/option_table.h"

namespace holdfast::cli {
namespace {

using Kind = Takes::Kind;

constexpr const char* k_head =
    R"(# Options of `holdfast serve --config FILE`, in TOML. Flags override environment variables, which override this file.
#
# A line `#name = value` shows the default of an option. To change it, remove the # and edit the value. An option without a default has
# an indented example. The option `name` in the table [table] has the variable HOLDFAST_TABLE_NAME and the flag --table-name.
# The file may contain passwords: let only the server's user read it.
)";

std::string toml_string(const std::string& text) { return "\"" + text + "\""; }

// The TOML form of a value that is given as a flag would have it.
std::string in_toml(const Described& option, const std::string& value) {
  if (option.takes.kind == Kind::number) return value;
  if (option.takes.kind == Kind::flag) return value == "on" ? "true" : "false";
  if (option.takes.kind != Kind::list) return toml_string(value);
  std::string items;
  for (const char c : value) c == ',' ? items += "\", \"" : items += c;
  return "[" + toml_string(items) + "]";
}

// The allowed values, if the name and the example do not show them.
std::string range_of(const Described& option) {
  if (option.takes.kind == Kind::number) return std::to_string(option.takes.least) + " to " + std::to_string(option.takes.most);
  return option.takes.kind == Kind::word ? toml_string(joined(option.takes.words, "\", \"")) : "";
}

void append_option(std::string& file, const Described& option) {
  const std::string name = option.key.substr(option.key.find('.') + 1);   // npos + 1 is 0: no table
  const std::string range = range_of(option);
  file.append("\n# ").append(option.help).append(range.empty() ? "" : " (" + range + ")").append(".\n");
  if (option.standard.empty()) file.append("# Default: ").append(option.otherwise).append(". Example:\n");
  if (option.is_table()) {
    const std::size_t equals = option.example.find('=');
    file.append("#   [").append(option.key).append("]\n#   ").append(toml_string(option.example.substr(0, equals))).append(" = ");
    file.append(toml_string(option.example.substr(equals + 1))).append("\n");
  } else {
    const bool is_default = !option.standard.empty();
    file.append(is_default ? "#" : "#   ").append(name).append(" = ");
    file.append(in_toml(option, is_default ? option.standard : option.example)).append("\n");
  }
}

std::string table_of(const Described& option) {
  const std::size_t dot = option.key.find('.');
  return dot == std::string::npos ? "" : option.key.substr(0, dot);
}

}   // namespace

// TOML wants keys without a table first, and each table once. An option that is a table comes last in the table that contains it.
std::string example_file() {
  std::vector<std::string> tables;
  for (const Described& each : described()) {
    if (const std::string table = table_of(each); std::ranges::find(tables, table) == tables.end()) tables.push_back(table);
  }
  std::string file = k_head;
  for (const std::string& table : tables) {
    if (!table.empty()) file.append("\n[").append(table).append("]\n");
    for (const bool has_table : {false, true}) {
      for (const Described& each : described()) {
        if (table_of(each) == table && each.is_table() == has_table) append_option(file, each);
      }
    }
  }
  return file;
}

}   // namespace holdfast::cli
