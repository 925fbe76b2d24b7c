// `holdfast completion bash`.
#include <algorithm>
#include <map>

#include "cli/documents.h"

namespace holdfast::cli {
namespace {

constexpr const char* k_head = R"(# bash completion for holdfast. Made by `holdfast completion bash`.

_holdfast() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=holdfast words="" i
  COMPREPLY=()
  # --flag=value is three words to bash.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  # The command has one word, or two: as far as they are known, they are taken.
  for ((i = 1; i < COMP_CWORD && i <= 2; i++)); do
    case "$command ${COMP_WORDS[i]}" in
)";

constexpr const char* k_after_commands = R"() command+=" ${COMP_WORDS[i]}" ;;
      *) break ;;
    esac
  done
  [[ $cur != -* ]] || prev=""   # another flag: `--demo` may stand alone
  # What follows a flag.
  case "$command $prev" in
)";

constexpr const char* k_after_values = R"(  esac
  # A flag, a command, or what the command works with.
  case $command in
)";

constexpr const char* k_tail = R"(  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
} && complete -F _holdfast holdfast
)";

constexpr const char* k_files = R"(compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"))";
constexpr const char* k_folders = R"(compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"))";

std::vector<const CLI::App*> commands_in(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::App*> all_commands(const CLI::App& app) {
  std::vector<const CLI::App*> all = {&app};
  for (const CLI::App* each : commands_in(app)) std::ranges::copy(all_commands(*each), std::back_inserter(all));
  return all;
}

// holdfast keys create
std::string path_of(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name() : path_of(*command.get_parent()) + " " + command.get_name();
}

std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const std::string& each : option.get_lnames()) flags.push_back("--" + each);
  for (const std::string& each : option.get_snames()) flags.push_back("-" + each);
  return flags;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const std::string& each : words) all.append(all.empty() ? "" : between).append(each);
  return all;
}

// The statement that completes a value of this type name; `:` for one that cannot be guessed.
std::string completing(std::string type) {
  if (type == "FILE") return k_files;
  if (type == "FOLDER") return k_folders;
  if (type.find('|') == std::string::npos) return ":";
  std::ranges::replace(type, '|', ' ');
  return "mapfile -t COMPREPLY < <(compgen -W \"" + type + "\" -- \"$cur\")";
}

// What stands behind the flags of one command: those that are completed alike are one case.
void append_values(std::string& script, const CLI::App& command) {
  std::map<std::string, std::vector<std::string>> cases;   // by statement
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_items_expected_max() == 0 || option->get_positional()) continue;
    auto& flags = cases[completing(option->get_type_name())];
    for (const std::string& each : flags_of(*option)) flags.push_back("\"" + path_of(command) + " " + each + "\"");
  }
  for (const auto& [statement, flags] : cases) {
    script.append("    ").append(joined(flags, " | ")).append(")\n      ").append(statement).append("\n      return\n      ;;\n");
  }
}

void append_words(std::string& script, const CLI::App& command) {
  std::vector<std::string> words;
  std::string otherwise;   // the statement for what is no flag
  for (const CLI::App* each : commands_in(command)) words.push_back(each->get_name());
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional() && option->get_type_name() == "FILE") otherwise = k_files;
    std::ranges::copy(flags_of(*option), std::back_inserter(words));
  }
  script.append("    \"" + path_of(command) + "\")\n");
  if (!otherwise.empty()) {
    script.append("      if [[ $cur != -* ]]; then\n        ").append(otherwise).append("\n        return\n      fi\n");
  }
  script.append("      words=\"").append(joined(words, " ")).append("\"\n      ;;\n");
}

}   // namespace

std::string bash_completion(const CLI::App& app) {
  const std::vector<const CLI::App*> commands = all_commands(app);
  std::vector<std::string> paths;
  for (const CLI::App* each : commands) {
    if (each->get_parent() != nullptr) paths.push_back("\"" + path_of(*each) + "\"");
  }
  std::string script = std::string(k_head) + "      " + joined(paths, " | ") + k_after_commands;
  for (const CLI::App* each : commands) append_values(script, *each);
  script += k_after_values;
  for (const CLI::App* each : commands) append_words(script, *each);
  return script + k_tail;
}

}   // namespace holdfast::cli
