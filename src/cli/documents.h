// Texts that are generated from the command line and the table of options, so that they are always complete.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace holdfast::cli {

// The subcommands of a command; it with all commands below it, depth first; its name with those of its parents: holdfast keys create.
inline std::vector<const CLI::App*> commands_in(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}
inline std::vector<const CLI::App*> all_commands(const CLI::App& app) {
  std::vector<const CLI::App*> all = {&app};
  for (const CLI::App* each : commands_in(app)) std::ranges::copy(all_commands(*each), std::back_inserter(all));
  return all;
}
inline std::string path_of(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name() : path_of(*command.get_parent()) + " " + command.get_name();
}

// holdfast(1), in roff (ASCII, the macros of man(7)).
std::string manual_page(const CLI::App& app);

// A script for bash: subcommands, their flags, and values where they are words, files or folders.
std::string bash_completion(const CLI::App& app);

// A TOML file with every option of `serve`, commented out. A line `#key = value` is the default and can be uncommented as it is. The
// example for an option without a default is indented: `#   key = value`.
std::string example_file();

}   // namespace holdfast::cli
