// `holdfast man`: holdfast(1), in roff.
#include <algorithm>
#include <string_view>

#include "cli/documents.h"
#include "cli/option_table.h"
#include "core/version.h"

namespace holdfast::cli {
namespace {

// Escapes text for roff: backslashes, dashes, and a dot or an apostrophe at the beginning of a line.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    c == '\\' ? out += "\\e" : c == '-' ? out += "\\-" : out += c;
  }
  return out;
}

// Wraps text that is escaped already.
std::string wrapped(std::string_view text) {
  constexpr std::size_t k_width = 78;
  std::string out;
  std::size_t line = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (line > 0) out += line + 1 + word.size() > k_width ? (line = 0, '\n') : (++line, ' ');
    out += word;
    line += word.size();
  }
  return out + "\n";
}

std::string bold(std::string_view text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + plain(text) + "\\fR"; }

// The name of a value's type, without the names of its checks.
std::string type_of(const CLI::Option& option) {
  const std::string name = option.get_type_name();
  return name.substr(0, name.find(':'));
}

// --ledger-url URL, --ledger URL; or the name of an argument.
std::string heading_of(const CLI::Option& option) {
  if (option.get_positional()) return italic(option.get_name(true));
  std::string heading;
  for (const std::string& each : option.get_lnames()) {
    heading.append(heading.empty() ? "" : ", ").append(bold("--" + each));
    if (option.get_items_expected_max() > 0) heading.append(" ").append(italic(type_of(option)));
  }
  return heading;
}

bool is_help(const CLI::Option& option) { return option.check_lname("help"); }

// holdfast import [--data FOLDER] … --name TEXT PLAN.json
std::string synopsis_of(const CLI::App& command) {
  std::string line = bold(path_of(command));
  if (command.get_name() == "serve") return line + " [" + italic("OPTIONS") + "]";
  std::string arguments;
  for (const CLI::Option* option : command.get_options()) {
    if (is_help(*option)) continue;
    const std::string one = heading_of(*option);
    (option->get_positional() ? arguments : line).append(option->get_required() ? " " + one : " [" + one + "]");
  }
  return line + arguments;
}

constexpr const char* k_description =
    "Holdfast decides, seat by seat, who has it and until when: fast, durably, and never twice. "
    "It serves two existing contracts and an API of its own over HTTP. All three work on the same seats. "
    "It runs as one process with its data in a folder, or as several equal nodes over a PostgreSQL database. "
    "It can also use a platform's Redis and Kafka.";

// An entry with a hanging heading; both are escaped already.
struct Entry {
  std::string heading;
  std::string text;
};

void append_entries(std::string& page, const std::vector<Entry>& entries) {
  for (const auto& [heading, text] : entries) page.append(".TP\n").append(heading).append("\n").append(wrapped(text));
}

void append_sources(std::string& page) {
  page.append(".SH OPTIONS OF SERVE\n");
  page.append(wrapped("Flags override environment variables, which override the file that " + bold("--config") + " or " +
                      bold("HOLDFAST_CONFIG") + " names. An unknown key in any of them is an error that names it. The flag " +
                      bold("--http-body-bytes-max") + " has the variable " + bold("HOLDFAST_HTTP_BODY_BYTES_MAX") +
                      " and in the file the key " + bold("body_bytes_max") + " in the table " + bold("[http]") + "."));
}

void append_surroundings(std::string& page) {
  page.append(".SH ENVIRONMENT\n");
  append_entries(page, {{bold("HOLDFAST_CONFIG"), "File of options, as " + bold("--config") + "."},
                        {bold("HOLDFAST_PORT") + ", " + bold("HOLDFAST_DATA") + ", ...",
                         "Options of " + bold("serve") + "; the list above has the variable of each."},
                        {bold("HOLDFAST_LOCK_PASSWORD"), "Password of the seat lock's server."},
                        {bold("HOLDFAST_API_KEY"), "API key that " + bold("import --server") + " sends to the server."},
                        {bold("HOLDFAST_URL") + ", " + bold("HOLDFAST_KEY"), "Read by clients and examples; ignored here."},
                        {bold("HOLDFAST_PORT=tcp://...") + ", " + bold("HOLDFAST_SERVICE_HOST") + ", ...",
                         "Kubernetes sets such variables for a Service whose name begins with holdfast. " + bold("serve") +
                             " ignores them and names them in its log."},
                        {bold("PGPASSWORD") + ", " + bold("PGPASSFILE"), "Password of the PostgreSQL ledger, as libpq reads it."}});
  page.append(".SH FILES\n");
  append_entries(page, {{italic("journal.db"), "In the data folder: every change, in order; the source of truth."},
                        {italic("state.db"), "Tables that follow the journal. " + bold("rebuild") + " recreates them from it."},
                        {italic("journal.head"), "How far journal.db is known to reach, and how new registry.db is."},
                        {italic("registry.db"), "API keys, the secret that signs sessions, webhooks and their queues."},
                        {italic("feed.db"), "How far changes were published to Kafka."}});
  page.append(".PP\n").append(wrapped("Each may have a file ending in " + italic("-wal") +
                                      " beside it that belongs to it. Do not copy the files of a running server: use " + bold("backup") +
                                      "."));
  page.append(".SH SIGNALS\n");
  append_entries(page,
                 {{bold("SIGTERM") + ", " + bold("SIGINT"), "Stop: the server answers the requests in flight and exits with status 0."},
                  {bold("SIGHUP"), "Reopen the log file."}});
  page.append(".SH EXIT STATUS\n");
  append_entries(page, {{bold("0"), "Done."},
                        {bold("1"), "Failed. Standard error, or the log, says what failed and what to do."},
                        {bold("2"), "Wrong usage: a flag, an environment variable or a key of the file."},
                        {bold("3"), "Of " + bold("import") + ": an event with this id exists already. Nothing was changed."}});
}

constexpr struct {
  const char* what;
  const char* commands;
} k_examples[] = {
    {"Put a seating plan on sale and serve it on port 50002 of this machine:",
     "holdfast import --data /var/lib/holdfast --name \"An Evening\" theatre.json\nholdfast serve --data /var/lib/holdfast\n"},
    {"Nodes over PostgreSQL:",
     "holdfast migrate --ledger postgresql://holdfast@db/holdfast\nholdfast serve --ledger postgresql://holdfast@db/holdfast\n"},
    {"A key for a shop, and a backup while the server runs:",
     "holdfast keys create --data /var/lib/holdfast --name shop --scopes read,sell\n"
     "holdfast backup --data /var/lib/holdfast /backup/holdfast.db\n"},
    {"The journal's rows of one event, and what is written from now on:",
     "holdfast journal dump --data /var/lib/holdfast --event 7\nholdfast journal tail --data /var/lib/holdfast\n"},
    {"A file of options to start from:", "holdfast config > /etc/holdfast/holdfast.toml\n"},
};

// "Default 50002" as a sentence.
std::string default_sentence(const Described& option) {
  std::string text = option.default_text();
  text[0] = 'D';
  return text + ".";
}

void append_serve_options(std::string& page, const CLI::App& serve) {
  append_sources(page);
  append_entries(page, {{bold("--config") + " " + italic("FILE"), "TOML file with these options."}});
  for (const Described& each : described()) {
    append_entries(page, {{heading_of(*serve.get_option(flag_of(each.key))), plain(each.help) + "."}});
    if (each.takes.kind == Takes::Kind::number) {
      page.append("From " + std::to_string(each.takes.least) + " to " + std::to_string(each.takes.most) + ".\n");
    }
    page.append(wrapped(plain(default_sentence(each)))).append(".br\n");
    std::string sources = "Variable " + bold(variable_of(each.key));
    if (!each.variable.empty()) sources.append(" (for the password itself: ").append(bold(each.variable)).append(")");
    page.append(wrapped(sources + ", key " + bold(each.key) + "."));
  }
}

void append_command(std::string& page, const CLI::App& command) {
  page.append(".SS ").append(plain(path_of(command))).append("\n").append(wrapped(plain(command.get_description()) + "."));
  if (command.get_name() == "serve") {
    page.append("See OPTIONS OF SERVE.\n");
    return;
  }
  for (const CLI::Option* option : command.get_options()) {
    if (is_help(*option)) continue;
    append_entries(page, {{heading_of(*option), plain(option->get_description()) + "."}});
  }
}

}   // namespace

std::string manual_page(const CLI::App& app) {
  std::string page = std::string(".TH HOLDFAST 1 ") + k_version_date + " \"holdfast " + k_version + "\" \"User Commands\"\n";
  page += ".SH NAME\nholdfast \\- hold, sell and release the seats of events\n.SH SYNOPSIS\n.nf\n";
  std::vector<const CLI::App*> commands = all_commands(app);
  std::erase_if(commands, [](const CLI::App* each) { return !commands_in(*each).empty(); });   // `keys create`, not `keys`
  for (const CLI::App* each : commands) page.append(synopsis_of(*each)).append("\n");
  page.append(bold("holdfast")).append(" ").append(bold("--version")).append("\n");
  page.append(bold("holdfast")).append(" [").append(italic("COMMAND")).append("] ").append(bold("--help")).append("\n.fi\n");
  page.append(".SH DESCRIPTION\n").append(wrapped(k_description));
  page += ".SH COMMANDS\n";
  for (const CLI::App* each : commands) append_command(page, *each);
  append_serve_options(page, *app.get_subcommand("serve"));
  append_surroundings(page);
  page += ".SH EXAMPLES\n";
  for (const auto& example : k_examples) {
    page.append(".PP\n").append(example.what).append("\n.PP\n.nf\n.RS\n").append(plain(example.commands)).append(".RE\n.fi\n");
  }
  return page + ".SH SEE ALSO\nA running server serves its documentation at\n" + italic("/docs") + ".\n";
}

}   // namespace holdfast::cli
