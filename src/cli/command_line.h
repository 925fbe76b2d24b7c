// The command line of `holdfast`: the subcommands, and what each does. --help, the manual page and the completion are generated from it.
//
//   return CommandLine().run(argc, argv);       // the process's exit status
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "cli/commands.h"

namespace holdfast::cli {

class CommandLine {
 public:
  CommandLine();
  CommandLine(const CommandLine&) = delete;   // the commands refer to it
  CommandLine& operator=(const CommandLine&) = delete;

  // Parses the command line, runs the chosen command and returns the exit status. Throws UsageError, and what the command throws. Once.
  int run(int argc, char** argv);

 private:
  // What the tools are asked for. Only one of them is chosen.
  struct Asked {
    LedgerPlace place;
    ImportOptions import;
    std::string file;   // of a backup
    std::optional<EventNumber> event;
    bool is_loss_accepted = false;
    NewKeyOptions key;
    std::string key_id;
    JournalRange range;
  };

  void add_serve();
  void add_import();
  void add_folder_tools();
  void add_ledger_tools();
  void add_keys();
  void add_journal();
  void add_documents();
  // Adds a command that calls `act` if it is chosen, after the whole line has been parsed.
  CLI::App& add_tool(CLI::App& parent, const char* name, const char* help, std::function<int()> act);
  // Adds the options for the folder, or for the folder or the database, that a command works with.
  void add_folder(CLI::App& command);
  void add_place(CLI::App& command);

  CLI::App app_;
  Asked asked_;
  std::function<int()> chosen_;
};

}   // namespace holdfast::cli
