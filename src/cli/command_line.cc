#include "cli/command_line.h"

#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>

#include "cli/build_commit.h"
#include "cli/documents.h"
#include "cli/logging.h"
#include "cli/options.h"

namespace holdfast::cli {
namespace {

constexpr const char* k_folder = "FOLDER";
constexpr const char* k_file = "FILE";
constexpr const char* k_url = "URL";
const CLI::Range k_position(std::int64_t{1}, std::numeric_limits<std::int64_t>::max());

}   // namespace

CommandLine::CommandLine() : app_("Holdfast decides, seat by seat, who has it and until when.", "holdfast") {
  app_.set_version_flag("--version", "holdfast " + version_text(), "Print the version and the commit of the build, and exit");
  app_.require_subcommand(1);
  add_serve();
  add_import();
  add_folder_tools();
  add_ledger_tools();
  add_keys();
  add_journal();
  add_documents();
}

int CommandLine::run(int argc, char** argv) {
  const auto is_asked = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app_.get_subcommands(is_asked).empty()) {
    throw UsageError("there is no command `" + std::string(argv[1]) + "`");
  }
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_.exit(error) == 0 ? 0 : 2;
  }
  return chosen_();
}

CLI::App& CommandLine::add_tool(CLI::App& parent, const char* name, const char* help, std::function<int()> act) {
  CLI::App& command = *parent.add_subcommand(name, help);
  command.callback([this, act = std::move(act)] {
    chosen_ = [act] {
      log_as_tool();
      return act();
    };
  });
  return command;
}

void CommandLine::add_folder(CLI::App& command) {
  command.add_option("--data", asked_.place.data, "Folder of the ledger's files")->required()->type_name(k_folder);
}

void CommandLine::add_place(CLI::App& command) {
  auto* in_folder = command.add_option("--data", asked_.place.data, "Folder of the ledger's files")->type_name(k_folder);
  command.add_option("--ledger", asked_.place.ledger, "Ledger in PostgreSQL, instead of --data: postgresql://user@host/database")
      ->type_name(k_url)
      ->excludes(in_folder);
}

void CommandLine::add_serve() {
  CLI::App& command = *app_.add_subcommand("serve", "Hold, sell and release seats over HTTP");
  auto options = std::make_shared<ServeOptionsReader>(command);
  command.callback([this, options] { chosen_ = [options] { return serve(options->read()); }; });
}

void CommandLine::add_import() {
  CLI::App& command =
      add_tool(app_, "import", "Create an event from a seating plan (open pretix format)", [this] { return import_plan(asked_.import); });
  ImportOptions& options = asked_.import;
  auto* to_data = command.add_option("--data", options.data, "Folder of a ledger that no server uses")->type_name(k_folder);
  command.add_option("--server", options.server, "URL of a running server, instead of --data: http://localhost:50002")
      ->type_name(k_url)
      ->excludes(to_data);
  command.add_option("--name", options.name, "Name of the event")->required();
  command.add_option("--id", options.id, "Id of the event, a UUID (default: a new one)");
  command.add_flag("--keep-ids", options.keep_ids, "Use the plan's seat_guid as the seats' ids");
  command.add_option("PLAN.json", options.plan, "The seating plan")->required()->type_name(k_file);
}

void CommandLine::add_folder_tools() {
  const auto add = [this](const char* name, const char* help, const char* help_file, int (*act)(const std::string&, const std::string&)) {
    CLI::App& command = add_tool(app_, name, help, [this, act] { return act(asked_.place.data, asked_.file); });
    add_folder(command);
    command.add_option("FILE", asked_.file, help_file)->required()->type_name(k_file);
  };
  add("backup", "Copy the data into one file, also while a server uses them", "The backup to write; it must not exist", backup_data);
  add("restore", "Restore a backup into an empty folder", "The backup", restore_data);
}

void CommandLine::add_ledger_tools() {
  const auto add = [this](const char* name, const char* help, const char* help_event, int (*act)(const Asked&)) {
    CLI::App& command = add_tool(app_, name, help, [this, act] {
      if (!asked_.place.data.empty() || !asked_.place.ledger.empty()) return act(asked_);
      throw UsageError("--data is missing (a folder), or --ledger (a database)");
    });
    add_place(command);
    command.add_option("--event", asked_.event, help_event)->check(CLI::Range(1, 100'000))->needs("--ledger")->type_name("N");
  };
  add("verify", "Replay the journal, compare the tables with it, and print what that proves",
      "Number of the only event of the database to verify", [](const Asked& asked) {
        return asked.place.data.empty() ? verify_ledger(asked.place.ledger, asked.event) : verify_data(asked.place.data);
      });
  add("rebuild", "Rebuild the tables from a complete journal", "Number of the event of the database whose tables to rebuild",
      [](const Asked& asked) {
        if (!asked.place.data.empty()) return rebuild_tables(asked.place.data);
        if (!asked.event) throw UsageError("--event is missing: the number of the event whose tables to rebuild");
        return rebuild_ledger_tables(asked.place.ledger, *asked.event);
      });
  CLI::App& repair =
      add_tool(app_, "repair", "List what a damaged journal has lost; or accept that, so that a server can start on the folder again",
               [this] { return asked_.is_loss_accepted ? accept_loss_of(asked_.place.data) : list_loss_of(asked_.place.data); });
  add_folder(repair);
  repair.add_flag("--accept-loss", asked_.is_loss_accepted, "Give up the lost rows, with the holds and sales in them");
  add_tool(app_, "migrate", "Bring a PostgreSQL database to the schema of this version; several nodes may do it at once",
           [this] { return migrate_ledger(asked_.place.ledger); })
      .add_option("--ledger", asked_.place.ledger,
                  "URL of the database: postgresql://user@host/database (password: PGPASSWORD or PGPASSFILE)")
      ->required()
      ->type_name(k_url);
}

void CommandLine::add_keys() {
  CLI::App& keys = *app_.add_subcommand("keys", "Create, list and revoke API keys, also while servers use the data");
  keys.require_subcommand(1);
  CLI::App& create = add_tool(keys, "create", "Create a key and print its token, which is not shown again",
                              [this] { return create_key(asked_.place, asked_.key); });
  add_place(create);
  create.add_option("--name", asked_.key.name, "Owner or purpose of the key")->required();
  create.add_option("--scopes", asked_.key.scopes, "Permissions of the key: a list of read, hold, sell and admin")
      ->required()
      ->type_name("LIST");
  create.add_option("--expires-days", asked_.key.expires_days, "Days until the key expires (default: never)")->type_name("N");
  add_place(add_tool(keys, "list", "List all keys, without their tokens", [this] { return list_keys(asked_.place); }));
  add_folder(add_tool(keys, "accept", "Accept a registry.db that is missing, or older than the folder expects",
                      [this] { return accept_keys(asked_.place.data); }));
  CLI::App& revoke = add_tool(keys, "revoke", "Revoke a key permanently", [this] { return revoke_key(asked_.place, asked_.key_id); });
  add_place(revoke);
  revoke.add_option("ID", asked_.key_id, "Id of the key, as `list` shows it")->required();
}

void CommandLine::add_journal() {
  CLI::App& journal = *app_.add_subcommand("journal", "Print the rows of a folder's journal as JSON, also while a server writes it");
  journal.require_subcommand(1);
  const auto add = [&](const char* name, const char* help, const char* help_from, int (*act)(const JournalRange&)) -> CLI::App& {
    CLI::App& command = add_tool(journal, name, help, [this, act] { return act(asked_.range); });
    command.add_option("--data", asked_.range.data, "Folder of the ledger's files")->required()->type_name(k_folder);
    command.add_option("--from", asked_.range.from, help_from)->check(k_position)->type_name("POSITION");
    command.add_option("--event", asked_.range.event, "Only rows of this event, by its id or its number; damaged rows are printed always")
        ->type_name("ID");
    return command;
  };
  add("dump", "Print rows with their changes as lines of JSON; damaged and missing rows too",
      "Position of the first row (default: the oldest)", dump_journal)
      .add_option("--to", asked_.range.to, "Position of the last row (default: the newest)")
      ->check(k_position)
      ->type_name("POSITION");
  add("tail", "Print new rows as a server writes them, until the command is ended by a signal",
      "Position of the first row (default: the next one that is written)", tail_journal);
}

void CommandLine::add_documents() {
  const auto print = [](const std::string& text) {
    if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) throw std::runtime_error("cannot write to standard output");
    return 0;
  };
  add_tool(app_, "config", "Print an example file for serve --config: every option with its meaning and default",
           [print] { return print(example_file()); });
  add_tool(app_, "man", "Print the manual page, holdfast(1)", [this, print] { return print(manual_page(app_)); });
  CLI::App& completion = *app_.add_subcommand("completion", "Print a script that lets a shell complete holdfast's command line");
  completion.require_subcommand(1);
  add_tool(completion, "bash", "Print a completion script for bash", [this, print] { return print(bash_completion(app_)); });
}

}   // namespace holdfast::cli
