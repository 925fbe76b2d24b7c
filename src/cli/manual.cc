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

// The commands without subcommands, depth first: `keys create`, not `keys`.
std::vector<const CLI::App*> leaves_of(const CLI::App& app) {
  if (commands_in(app).empty()) return {&app};
  std::vector<const CLI::App*> all;
  for (const CLI::App* each : commands_in(app)) std::ranges::copy(leaves_of(*each), std::back_inserter(all));
  return all;
}

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

constexpr const char* k_description = R"(.SH DESCRIPTION
Holdfast decides, seat by seat, who has it and until when: fast, durably, and
never twice.
It serves two existing contracts and an API of its own over HTTP.
All three work on the same seats.
It runs as one process with its data in a folder, or as several equal nodes
over a PostgreSQL database. It can also use a platform's Redis and Kafka.
)";

constexpr const char* k_sources = R"(.SH OPTIONS OF SERVE
Flags override environment variables, which override the file that
.B \-\-config
or
.B HOLDFAST_CONFIG
names.
An unknown key in any of them is an error that names it.
The flag
.B \-\-http\-body\-bytes\-max
has the variable
.B HOLDFAST_HTTP_BODY_BYTES_MAX
and in the file the key
.B body_bytes_max
in the table
.BR [http] .
)";

constexpr const char* k_end = R"(.SH ENVIRONMENT
.TP
.B HOLDFAST_CONFIG
File of options, as
.BR \-\-config .
.TP
.BR HOLDFAST_PORT ", " HOLDFAST_DATA ", ..."
Options of
.BR serve ;
the list above has the variable of each.
.TP
.B HOLDFAST_LOCK_PASSWORD
Password of the seat lock's server.
.TP
.B HOLDFAST_API_KEY
API key that
.B import \-\-server
sends to the server.
.TP
.BR HOLDFAST_URL ", " HOLDFAST_KEY
Read by clients and examples; ignored here.
.TP
.BR HOLDFAST_PORT=tcp://... ", " HOLDFAST_SERVICE_HOST ", ..."
Kubernetes sets such variables for a Service whose name begins with holdfast.
.B serve
ignores them and names them in its log.
.TP
.BR PGPASSWORD ", " PGPASSFILE
Password of the PostgreSQL ledger, as libpq reads it.
.SH FILES
.TP
.I journal.db
In the data folder: every change, in order; the source of truth.
.TP
.I state.db
Tables that follow the journal.
.B rebuild
recreates them from it.
.TP
.I journal.head
How far journal.db is known to reach, and how new registry.db is.
.TP
.I registry.db
API keys, the secret that signs sessions, webhooks and their queues.
.TP
.I feed.db
How far changes were published to Kafka.
.PP
Each may have a file ending in
.I \-wal
beside it that belongs to it.
Do not copy the files of a running server: use
.BR backup .
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
Stop: the server answers the requests in flight and exits with status 0.
.TP
.B SIGHUP
Reopen the log file.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
Failed. Standard error, or the log, says what failed and what to do.
.TP
.B 2
Wrong usage: a flag, an environment variable or a key of the file.
.TP
.B 3
Of
.BR import :
an event with this id exists already. Nothing was changed.
.SH EXAMPLES
Put a seating plan on sale and serve it on port 50002 of this machine:
.PP
.nf
.RS
holdfast import \-\-data /var/lib/holdfast \-\-name "An Evening" theatre.json
holdfast serve \-\-data /var/lib/holdfast
.RE
.fi
.PP
Nodes over PostgreSQL:
.PP
.nf
.RS
holdfast migrate \-\-ledger postgresql://holdfast@db/holdfast
holdfast serve \-\-ledger postgresql://holdfast@db/holdfast
.RE
.fi
.PP
A key for a shop, and a backup while the server runs:
.PP
.nf
.RS
holdfast keys create \-\-data /var/lib/holdfast \-\-name shop \-\-scopes read,sell
holdfast backup \-\-data /var/lib/holdfast /backup/holdfast.db
.RE
.fi
.PP
A file of options to start from:
.PP
.nf
.RS
holdfast config > /etc/holdfast/holdfast.toml
.RE
.fi
.SH SEE ALSO
A running server serves its documentation at
.IR /docs .
)";

// "Default 50002" as a sentence.
std::string default_sentence(const Described& option) {
  std::string text = option.default_text();
  text[0] = 'D';
  return text + ".";
}

void append_serve_options(std::string& page, const CLI::App& serve) {
  page += k_sources;
  page.append(".TP\n").append(bold("--config")).append(" ").append(italic("FILE")).append("\nTOML file with these options.\n");
  for (const Described& each : described()) {
    page.append(".TP\n").append(heading_of(*serve.get_option(flag_of(each.key)))).append("\n");
    page.append(wrapped(plain(each.help) + "."));
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
    page.append(".TP\n").append(heading_of(*option)).append("\n").append(wrapped(plain(option->get_description()) + "."));
  }
}

}   // namespace

std::string manual_page(const CLI::App& app) {
  std::string page = std::string(".TH HOLDFAST 1 ") + k_version_date + " \"holdfast " + k_version + "\" \"User Commands\"\n";
  page += ".SH NAME\nholdfast \\- hold, sell and release the seats of events\n.SH SYNOPSIS\n.nf\n";
  const std::vector<const CLI::App*> commands = leaves_of(app);
  for (const CLI::App* each : commands) page.append(synopsis_of(*each)).append("\n");
  page.append(bold("holdfast")).append(" ").append(bold("--version")).append("\n");
  page.append(bold("holdfast")).append(" [").append(italic("COMMAND")).append("] ").append(bold("--help")).append("\n.fi\n");
  page += k_description;
  page += ".SH COMMANDS\n";
  for (const CLI::App* each : commands) append_command(page, *each);
  append_serve_options(page, *app.get_subcommand("serve"));
  return page + k_end;
}

}   // namespace holdfast::cli
