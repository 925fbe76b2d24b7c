// The one program: `holdfast serve`, and the tools beside it.
#include <cstdio>
#include <exception>

#include "cli/build_commit.h"
#include "cli/commands.h"
#include "cli/logging.h"
#include "cli/options.h"

namespace {

using namespace holdfast;

int run(int argc, char** argv) {
  CLI::App app("Holdfast decides, seat by seat, who has it and until when.", "holdfast");
  app.set_version_flag("--version", "holdfast " + cli::version_text());
  app.require_subcommand(1);

  CLI::App& serve = *app.add_subcommand("serve", "Hold, sell and release seats over HTTP");
  cli::ServeOptionsReader serve_options(serve);

  cli::ImportOptions import_options;
  CLI::App& import = *app.add_subcommand("import", "Create an event from a seating plan (open pretix format)");
  auto* to_data = import.add_option("--data", import_options.data, "Folder of a ledger that no server works with");
  import.add_option("--server", import_options.server, "URL of a running server: http://localhost:50002")->excludes(to_data);
  import.add_option("--name", import_options.name, "Name of the event")->required();
  import.add_option("--id", import_options.id, "Id of the event, a UUID (default: a new one)");
  import.add_flag("--keep-ids", import_options.keep_ids, "Let the plan's seat_guid be the seats' ids");
  import.add_option("PLAN.json", import_options.plan, "The seating plan")->required();

  std::string data;
  std::string file;
  const auto with_data = [&](const char* name, const char* help) -> CLI::App& {
    CLI::App& command = *app.add_subcommand(name, help);
    command.add_option("--data", data, "Folder of the ledger's files")->required();
    return command;
  };
  CLI::App& backup = with_data("backup", "Copy the data into one file, also while a server works with them");
  backup.add_option("FILE", file, "The copy; it must not exist")->required();
  CLI::App& restore = with_data("restore", "Put a backup back, into an empty folder");
  restore.add_option("FILE", file, "The copy")->required();

  std::string ledger;
  std::optional<EventNumber> of_event;
  const auto with_data_or_ledger = [&](const char* name, const char* help, const char* help_event) -> CLI::App& {
    CLI::App& command = *app.add_subcommand(name, help);
    auto* in_folder = command.add_option("--data", data, "Folder of the ledger's files");
    auto* in_database = command.add_option("--ledger", ledger, "Or the ledger in PostgreSQL: postgresql://user@host/database");
    in_database->excludes(in_folder);
    command.add_option("--event", of_event, help_event)->check(CLI::Range(1, 100'000))->needs(in_database);
    return command;
  };
  CLI::App& verify = with_data_or_ledger("verify", "Replay the journal against the tables and state what was proved",
                                         "Only this event of the database, by its number");
  CLI::App& rebuild =
      with_data_or_ledger("rebuild", "Make the tables again from a whole journal", "The event of the database whose tables are made again");

  CLI::App& migrate =
      *app.add_subcommand("migrate", "Bring a PostgreSQL database to the schema of this version; safe from several nodes at once");
  migrate.add_option("--ledger", ledger, "URL of the database: postgresql://user@host/database (a password: PGPASSWORD or PGPASSFILE)")
      ->required();

  CLI::App& keys = *app.add_subcommand("keys", "Make, list and revoke API keys, also while servers work with the data");
  keys.require_subcommand(1);
  cli::RegistryPlace registry;
  cli::NewKeyOptions new_key;
  std::string key_id;
  const auto for_keys = [&](const char* name, const char* help) -> CLI::App& {
    CLI::App& command = *keys.add_subcommand(name, help);
    auto* in_folder = command.add_option("--data", registry.data, "Folder of the ledger's files");
    command.add_option("--ledger", registry.ledger, "Or the ledger in PostgreSQL: postgresql://user@host/db")->excludes(in_folder);
    return command;
  };
  CLI::App& create = for_keys("create", "Make a key and print its token, once");
  create.add_option("--name", new_key.name, "Whose it is, or what for")->required();
  create.add_option("--scopes", new_key.scopes, "What it may do: a list of read, hold, sell and admin")->required();
  create.add_option("--expires-days", new_key.expires_days, "Days that it is good for (default: for ever)");
  CLI::App& list = for_keys("list", "Show all keys, without their tokens");
  CLI::App& revoke = for_keys("revoke", "Take a key out of use, for good");
  revoke.add_option("ID", key_id, "The key's id, as `list` shows it")->required();

  const auto is_asked = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_asked).empty()) {
    throw cli::UsageError("there is no command `" + std::string(argv[1]) + "`");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : 2;
  }
  if (serve.parsed()) return cli::serve(serve_options.read());
  cli::set_up_logging("text", "warn", "");
  if (import.parsed()) return cli::import_plan(import_options);
  if (backup.parsed()) return cli::backup_data(data, file);
  if (restore.parsed()) return cli::restore_data(data, file);
  if (verify.parsed() || rebuild.parsed()) {
    if (data.empty() && ledger.empty()) throw cli::UsageError("--data is missing (a folder), or --ledger (a database)");
    if (verify.parsed()) return data.empty() ? cli::verify_ledger(ledger, of_event) : cli::verify_data(data);
    if (!data.empty()) return cli::rebuild_tables(data);
    if (!of_event) throw cli::UsageError("--event is missing: the number of the event whose tables are to be made again");
    return cli::rebuild_ledger_tables(ledger, *of_event);
  }
  if (migrate.parsed()) return cli::migrate_ledger(ledger);
  if (create.parsed()) return cli::create_key(registry, new_key);
  if (list.parsed()) return cli::list_keys(registry);
  if (revoke.parsed()) return cli::revoke_key(registry, key_id);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const holdfast::cli::UsageError& error) {
    std::fprintf(stderr, "holdfast: %s\nTry --help.\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast: %s\n", error.what());
    return 1;
  }
}
