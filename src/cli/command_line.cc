#include "cli/command_line.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "cli/build_commit.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/logging.h"
#include "cli/options.h"

namespace holdfast::cli {
namespace {

constexpr const char* k_folder = "FOLDER";
constexpr const char* k_file = "FILE";
constexpr const char* k_url = "URL";

// The options for the folder or the database that a command works with.
void add_place(CLI::App& command, LedgerPlace& place) {
  auto* in_folder = command.add_option("--data", place.data, "Folder of the ledger's files")->type_name(k_folder);
  command.add_option("--ledger", place.ledger, "Ledger in PostgreSQL, instead of --data: postgresql://user@host/database")
      ->type_name(k_url)
      ->excludes(in_folder);
}

}   // namespace

CommandLine::CommandLine() : app_("Holdfast decides, seat by seat, who has it and until when.", "holdfast") {
  app_.set_version_flag("--version", "holdfast " + version_text(), "Print the version and the commit of the build, and exit");
  app_.require_subcommand(1);
  add_serve();
  add_import();
  add_folder_tools();
  add_ledger_tools();
  add_keys();
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

void CommandLine::when_chosen(CLI::App& command, std::function<int()> act) {
  command.callback([this, act = std::move(act)] {
    chosen_ = [act] {
      log_as_tool();
      return act();
    };
  });
}

void CommandLine::add_serve() {
  CLI::App& command = *app_.add_subcommand("serve", "Hold, sell and release seats over HTTP");
  auto options = std::make_shared<ServeOptionsReader>(command);
  command.callback([this, options] { chosen_ = [options] { return serve(options->read()); }; });
}

void CommandLine::add_import() {
  CLI::App& command = *app_.add_subcommand("import", "Create an event from a seating plan (open pretix format)");
  auto options = std::make_shared<ImportOptions>();
  auto* to_data = command.add_option("--data", options->data, "Folder of a ledger that no server uses")->type_name(k_folder);
  command.add_option("--server", options->server, "URL of a running server, instead of --data: http://localhost:50002")
      ->type_name(k_url)
      ->excludes(to_data);
  command.add_option("--name", options->name, "Name of the event")->required();
  command.add_option("--id", options->id, "Id of the event, a UUID (default: a new one)");
  command.add_flag("--keep-ids", options->keep_ids, "Use the plan's seat_guid as the seats' ids");
  command.add_option("PLAN.json", options->plan, "The seating plan")->required()->type_name(k_file);
  when_chosen(command, [options] { return import_plan(*options); });
}

void CommandLine::add_folder_tools() {
  struct Copy {
    std::string data;
    std::string file;
  };
  const auto add = [&](const char* name, const char* help, const char* help_file, int (*act)(const std::string&, const std::string&)) {
    auto copy = std::make_shared<Copy>();
    CLI::App& command = *app_.add_subcommand(name, help);
    command.add_option("--data", copy->data, "Folder of the ledger's files")->required()->type_name(k_folder);
    command.add_option("FILE", copy->file, help_file)->required()->type_name(k_file);
    when_chosen(command, [copy, act] { return act(copy->data, copy->file); });
  };
  add("backup", "Copy the data into one file, also while a server uses them", "The backup to write; it must not exist", backup_data);
  add("restore", "Restore a backup into an empty folder", "The backup", restore_data);
}

void CommandLine::add_ledger_tools() {
  struct Asked {
    LedgerPlace place;
    std::optional<EventNumber> event;
  };
  const auto add = [&](const char* name, const char* help, const char* help_event, int (*act)(const Asked&)) {
    auto asked = std::make_shared<Asked>();
    CLI::App& command = *app_.add_subcommand(name, help);
    add_place(command, asked->place);
    command.add_option("--event", asked->event, help_event)->check(CLI::Range(1, 100'000))->needs("--ledger")->type_name("N");
    when_chosen(command, [asked, act] {
      if (asked->place.data.empty() && asked->place.ledger.empty()) {
        throw UsageError("--data is missing (a folder), or --ledger (a database)");
      }
      return act(*asked);
    });
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

  struct Loss {
    std::string data;
    bool is_accepted = false;
  };
  auto loss = std::make_shared<Loss>();
  CLI::App& repair =
      *app_.add_subcommand("repair", "Accept a journal that has lost its end, so that a server can start on the folder again");
  repair.add_option("--data", loss->data, "Folder of the ledger's files")->required()->type_name(k_folder);
  repair.add_flag("--accept-loss", loss->is_accepted, "Give up the missing rows, with the holds and sales in them")->required();
  when_chosen(repair, [loss] { return accept_loss_of(loss->data); });

  auto url = std::make_shared<std::string>();
  CLI::App& migrate =
      *app_.add_subcommand("migrate", "Bring a PostgreSQL database to the schema of this version; several nodes may do it at once");
  migrate.add_option("--ledger", *url, "URL of the database: postgresql://user@host/database (password: PGPASSWORD or PGPASSFILE)")
      ->required()
      ->type_name(k_url);
  when_chosen(migrate, [url] { return migrate_ledger(*url); });
}

void CommandLine::add_keys() {
  CLI::App& keys = *app_.add_subcommand("keys", "Create, list and revoke API keys, also while servers use the data");
  keys.require_subcommand(1);
  struct Asked {
    LedgerPlace place;
    NewKeyOptions key;
    std::string id;
  };
  auto asked = std::make_shared<Asked>();
  const auto add = [&](const char* name, const char* help) -> CLI::App& {
    CLI::App& command = *keys.add_subcommand(name, help);
    add_place(command, asked->place);
    return command;
  };
  CLI::App& create = add("create", "Create a key and print its token, which is not shown again");
  create.add_option("--name", asked->key.name, "Owner or purpose of the key")->required();
  create.add_option("--scopes", asked->key.scopes, "Permissions of the key: a list of read, hold, sell and admin")
      ->required()
      ->type_name("LIST");
  create.add_option("--expires-days", asked->key.expires_days, "Days until the key expires (default: never)")->type_name("N");
  when_chosen(create, [asked] { return create_key(asked->place, asked->key); });
  when_chosen(add("list", "List all keys, without their tokens"), [asked] { return list_keys(asked->place); });
  CLI::App& accept = *keys.add_subcommand("accept", "Accept a registry.db that is missing, or older than the folder expects");
  accept.add_option("--data", asked->place.data, "Folder of the ledger's files")->required()->type_name(k_folder);
  when_chosen(accept, [asked] { return accept_keys(asked->place.data); });
  CLI::App& revoke = add("revoke", "Revoke a key permanently");
  revoke.add_option("ID", asked->id, "Id of the key, as `list` shows it")->required();
  when_chosen(revoke, [asked] { return revoke_key(asked->place, asked->id); });
}

void CommandLine::add_documents() {
  const auto print = [](const std::string& text) {
    if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) throw std::runtime_error("cannot write to standard output");
    return 0;
  };
  CLI::App& config = *app_.add_subcommand("config", "Print an example file for serve --config: every option with its meaning and default");
  when_chosen(config, [print] { return print(example_file()); });
  CLI::App& man = *app_.add_subcommand("man", "Print the manual page, holdfast(1)");
  when_chosen(man, [this, print] { return print(manual_page(app_)); });
  CLI::App& completion = *app_.add_subcommand("completion", "Print a script that lets a shell complete holdfast's command line");
  completion.require_subcommand(1);
  CLI::App& bash = *completion.add_subcommand("bash", "Print a completion script for bash");
  when_chosen(bash, [this, print] { return print(bash_completion(app_)); });
}

}   // namespace holdfast::cli
