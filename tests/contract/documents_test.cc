// The program's own documents: manual page, completion and example file name every option of `serve`, and are valid for their
// readers.
#include <gmock/gmock.h>

#include <regex>
#include <set>
#include <sstream>

#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::UnorderedElementsAre;

const std::vector<std::string> k_commands = {"serve",   "import",      "backup",          "restore",      "verify",      "rebuild",
                                             "migrate", "keys create", "keys list",       "keys accept",  "keys revoke", "repair",
                                             "config",  "man",         "completion bash", "journal dump", "journal tail"};

std::string printed(const std::vector<std::string>& command) {
  const Finished finished = run_holdfast(command);
  EXPECT_EQ(finished.status, 0) << finished.everything();
  EXPECT_THAT(finished.err, IsEmpty());
  return finished.out;
}

// The flags of `serve`, as --help has them: --http-body-bytes-max, without those that are only another name.
std::set<std::string> flags_of_serve() {
  const std::string help = printed({"serve", "--help"});
  std::set<std::string> flags;
  const std::regex flag("\n  (?:-h,)?(--[a-z0-9-]+)");
  for (std::sregex_iterator at(help.begin(), help.end(), flag), end; at != end; ++at) flags.insert((*at)[1]);
  EXPECT_GT(flags.size(), 50U);
  return flags;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The example's keys with their tables: http.body_bytes_max; as flags they would be --http-body-bytes-max.
std::set<std::string> flags_in(const std::string& example) {
  std::set<std::string> flags;
  std::string table;
  const std::regex head("(?:#   )?\\[([a-z._]+)\\]"), key("#(?:   )?\"?([a-z_.]+)\"? = .*");
  for (const std::string& line : lines_of(example)) {
    std::smatch match;
    if (std::regex_match(line, match, head)) {
      table = match[1].str() + ".";
      if (table == "feed.kafka.") flags.insert("--feed-kafka");
    } else if (std::regex_match(line, match, key) && table != "feed.kafka.") {
      std::string flag = "--" + table + match[1].str();
      for (char& c : flag) c = c == '_' || c == '.' ? '-' : c;
      flags.insert(flag);
    }
  }
  return flags;
}

// What bash offers at the end of these words.
std::vector<std::string> completed(const std::vector<std::string>& words, const std::filesystem::path& folder = {}) {
  const TempFolder temporary;
  write_file(temporary / "completion", printed({"completion", "bash"}));
  std::string list;
  for (const std::string& word : words) list.append(" '").append(word).append("'");
  ProcessSettings bash;
  bash.arguments = {"/bin/bash", "-u", "-c",
                    "source " + (temporary / "completion").string() + " || exit 9; COMP_WORDS=(" + list + "); COMP_CWORD=" +
                        std::to_string(words.size() - 1) + "; _holdfast; ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\""};
  bash.folder = folder;
  bash.stdout_file = temporary / "out";
  bash.stderr_file = temporary / "err";
  const Ending ending = Process(bash).wait();
  EXPECT_EQ(ending, Ending{}) << to_string(ending);
  EXPECT_EQ(read_file(temporary / "err"), "");
  return lines_of(read_file(temporary / "out"));
}

TEST(ManualPage, NamesEveryCommandAndEveryOptionWithVariableAndKey) {
  std::string page = printed({"man"});
  EXPECT_THAT(page, HasSubstr(".TH HOLDFAST 1 "));
  page = std::regex_replace(page, std::regex("\\\\-"), "-");
  for (const std::string& command : k_commands) EXPECT_THAT(page, HasSubstr("\n.SS holdfast " + command + "\n"));
  for (const std::string& flag : flags_of_serve()) {
    if (flag == "--help") continue;
    EXPECT_THAT(page, HasSubstr("\\fB" + flag + "\\fR "));
    std::string variable = "HOLDFAST_" + flag.substr(2);
    for (char& c : variable) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_THAT(page, HasSubstr(variable));
  }
  EXPECT_THAT(page, HasSubstr("Default 262144."));
  EXPECT_THAT(page, HasSubstr("key \\fBhttp.body_bytes_max\\fR"));
  for (const char* section : {"NAME", "SYNOPSIS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"}) {
    EXPECT_THAT(page, HasSubstr(std::string("\n.SH ") + section + "\n"));
  }
}

TEST(ManualPage, IsAsciiSoThatEveryReaderShowsIt) {
  const std::string page = printed({"man"});
  for (const std::string& line : lines_of(page)) {
    EXPECT_TRUE(std::ranges::all_of(line, [](unsigned char c) { return c >= 0x20 && c < 0x7F; })) << line;
    EXPECT_THAT(line, Not(IsEmpty())) << "an empty line in roff";
  }
}

TEST(Completion, NamesEveryFlagOfServe) {
  const auto offered = completed({"holdfast", "serve", "--"});
  for (const std::string& flag : flags_of_serve()) EXPECT_THAT(offered, Contains(flag));
}

TEST(Completion, CompletesCommandsAndFlags) {
  EXPECT_THAT(completed({"holdfast", "serve", "--http-he"}), UnorderedElementsAre("--http-header-bytes-max", "--http-header-timeout-ms"));
  EXPECT_THAT(completed({"holdfast", "re"}), UnorderedElementsAre("restore", "rebuild", "repair"));
  EXPECT_THAT(completed({"holdfast", "keys", "c"}), UnorderedElementsAre("create"));
  EXPECT_THAT(completed({"holdfast", "keys", "create", "--sc"}), UnorderedElementsAre("--scopes"));
  EXPECT_THAT(completed({"holdfast", "completion", ""}), Contains("bash"));
  EXPECT_THAT(completed({"holdfast", "journal", ""}), IsSupersetOf({"dump", "tail"}));
  EXPECT_THAT(completed({"holdfast", "journal", "dump", "--"}), IsSupersetOf({"--data", "--from", "--to", "--event"}));
  EXPECT_THAT(completed({"holdfast", "--v"}), UnorderedElementsAre("--version"));
  EXPECT_THAT(completed({"holdfast", "serve", "--data", "keys", "--http-he"}),
              UnorderedElementsAre("--http-header-bytes-max", "--http-header-timeout-ms"))
      << "a value is no command";
}

TEST(Completion, CompletesValuesThatAreWords) {
  EXPECT_THAT(completed({"holdfast", "serve", "--log-format", ""}), UnorderedElementsAre("auto", "text", "json"));
  EXPECT_THAT(completed({"holdfast", "serve", "--log-format", "=", "j"}), UnorderedElementsAre("json"));
  EXPECT_THAT(completed({"holdfast", "serve", "--lock-on-failure", "="}), UnorderedElementsAre("proceed", "reject"));
  EXPECT_THAT(completed({"holdfast", "serve", "--sweep", "o"}), UnorderedElementsAre("on", "off"));
  EXPECT_THAT(completed({"holdfast", "serve", "--demo", "--po"}), UnorderedElementsAre("--port", "--port-file")) << "it may stand alone";
  EXPECT_THAT(completed({"holdfast", "serve", "--port", ""}), IsEmpty());
}

TEST(Completion, CompletesFilesAndFoldersAlsoWithSpaces) {
  const TempFolder folder;
  write_file(folder / "plan one.json", "{}");
  std::filesystem::create_directory(folder / "plans");
  EXPECT_THAT(completed({"holdfast", "import", "--name", "x", "plan"}, folder.path()), UnorderedElementsAre("plan one.json", "plans"));
  EXPECT_THAT(completed({"holdfast", "serve", "--config", "plan"}, folder.path()), UnorderedElementsAre("plan one.json", "plans"));
  EXPECT_THAT(completed({"holdfast", "backup", "--data", "plan"}, folder.path()), UnorderedElementsAre("plans"));
}

TEST(ExampleFile, NamesEveryOptionOfServe) {
  std::set<std::string> flags = flags_of_serve();
  flags.erase("--help");
  flags.erase("--config");
  EXPECT_EQ(flags_in(printed({"config"})), flags);
}

TEST(ExampleFile, IsAcceptedAsItStandsAndWithAllOfItsDefaults) {
  const TempFolder folder;
  const std::string example = printed({"config"});
  std::string uncommented = std::regex_replace(example, std::regex("\n#([a-z])"), "\n$1");
  EXPECT_THAT(uncommented, HasSubstr("\nport = 50002\n"));
  uncommented = std::regex_replace(uncommented, std::regex("\nport = 50002\n"), "\nport = 0\n");   // another process may use that port
  for (const std::string& text : {"port = 0\n" + example, uncommented}) {
    write_file(folder / "holdfast.toml", text);
    Server server({.flags = {"--config", (folder / "holdfast.toml").string()}});
    EXPECT_EQ(server.connect().get("/readyz").status, 200);
  }
}

// As `serve` accepts them, without values that no machine has (a folder, a server).
TEST(ExampleFile, HasExamplesThatAreAccepted) {
  const TempFolder folder;
  std::string uncommented = std::regex_replace(printed({"config"}), std::regex("\n#(?:   )?([a-z\\[\"])"), "\n$1");
  uncommented = std::regex_replace(uncommented, std::regex("\n(data|port|port_file|file|url|password_file|ca_file) = [^\n]*"), "");
  uncommented = std::regex_replace(uncommented, std::regex("\n\\[feed.kafka\\]\n[^\n]*"), "");   // is refused without a feed
  write_file(folder / "holdfast.toml", "port = 0\n" + uncommented);
  EXPECT_THAT(uncommented, HasSubstr("anonymous = [\"contract1\", \"contract2\"]"));
  Server server({.flags = {"--config", (folder / "holdfast.toml").string()}});
  EXPECT_EQ(server.connect().get("/readyz").status, 200);
}

}   // namespace
}   // namespace holdfast::test
