// The command line of `holdfast`: the subcommands, and what each does. --help, the manual page and the completion are generated from it.
//
//   return CommandLine().run(argc, argv);       // the process's exit status
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace holdfast::cli {

class CommandLine {
 public:
  CommandLine();
  CommandLine(const CommandLine&) = delete;   // the commands refer to it
  CommandLine& operator=(const CommandLine&) = delete;

  // Parses the command line, runs the chosen command and returns the exit status. Throws UsageError, and what the command throws. Once.
  int run(int argc, char** argv);

 private:
  void add_serve();
  void add_import();
  void add_folder_tools();
  void add_ledger_tools();
  void add_keys();
  void add_documents();
  // Calls `act` if `command` has been chosen, after the whole line has been parsed.
  void when_chosen(CLI::App& command, std::function<int()> act);

  CLI::App app_;
  std::function<int()> chosen_;
};

}   // namespace holdfast::cli
