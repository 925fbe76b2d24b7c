#include "cli/options.h"

#include <toml++/toml.h>

#include <optional>

#include "cli/environment.h"
#include "cli/option_table.h"

namespace holdfast::cli {
namespace {

// The option whose table the key of a file belongs to, and the key's name in that table; nullopt for other keys.
std::optional<std::pair<const Described*, std::string>> find_table(const std::string& key) {
  for (const Described& each : described()) {
    const std::string begin = each.key + ".";
    if (each.is_table() && key.starts_with(begin)) return std::pair(&each, key.substr(begin.size()));
  }
  return std::nullopt;
}

// A TOML value as a flag would have it; nullopt for tables, dates and other types.
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  const auto* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  std::string joined;
  for (const toml::node& item : *list) {
    if (!item.is_string()) return std::nullopt;
    joined.append(joined.empty() ? "" : ",").append(item.as_string()->get());
  }
  return joined;
}

void read_table(const toml::table& table, const std::string& prefix, const std::string& file, std::map<std::string, std::string>& values) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      read_table(*inner, key + ".", file, values);
      continue;
    }
    const std::string where = file + ", line " + std::to_string(node.source().begin.line);
    const Described* const known = find_described([&](const std::string& each) { return each == key; });
    const auto table_key = find_table(key);
    if (known == nullptr && !table_key) throw UsageError("unknown key `" + key + "` in " + where);
    const auto value = as_text(node);
    if (!value) throw UsageError("`" + key + "` in " + where + " must be a text, a whole number, true or false, or a list of texts");
    if (table_key) {
      values[table_key->first->key].append(table_key->second).append("=").append(*value).append(1, k_between_pairs);
    } else {
      values[known->key] = *value;
    }
  }
}

std::map<std::string, std::string> read_file(const std::string& file) {
  std::map<std::string, std::string> values;
  try {
    read_table(toml::parse_file(file), "", file, values);
  } catch (const toml::parse_error& error) {
    throw UsageError("cannot read " + file + ", line " + std::to_string(error.source().begin.line) + ": " +
                     std::string(error.description()));
  }
  return values;
}

}   // namespace

ServeOptionsReader::ServeOptionsReader(CLI::App& command) {
  command.add_option("--config", config_, "TOML file with these options (also HOLDFAST_CONFIG)")->type_name("FILE");
  for (const Described& each : described()) {
    const std::string names = flag_of(each.key) + (each.alias.empty() ? "" : "," + flag_of(each.alias));
    const std::string help = each.help + " (" + each.default_text() + ")";
    CLI::Option* const option = each.is_table() ? command.add_option(names, table_flags_, help)->allow_extra_args(false)
                                                : command.add_option(names, flags_[each.key], help);
    declared_[each.key] = option->type_name(each.takes.name());
  }
  declared_["demo"]->expected(0, 1)->default_str("on");   // `--demo` without a value turns it on
}

ServeOptions ServeOptionsReader::read() {
  if (const char* config = std::getenv("HOLDFAST_CONFIG"); config_.empty() && config != nullptr) config_ = config;
  const auto file = config_.empty() ? std::map<std::string, std::string>{} : read_file(config_);
  Environment surroundings = read_environment();
  options_.service_links = std::move(surroundings.service_links);
  const auto& environment = surroundings.values;
  for (const Described& each : described()) {
    if (each.is_table()) {
      read_tables(each, file, environment);
      continue;
    }
    std::optional<std::string> value;
    std::string source;
    if (declared_.at(each.key)->count() > 0) {
      value = flags_.at(each.key);
      source = flag_of(each.key);
    } else if (const auto at = environment.find(each.key); at != environment.end()) {
      value = at->second;
      source = variable_of(each.key);
    } else if (const auto in_file = file.find(each.key); in_file != file.end()) {
      value = in_file->second;
      source = "`" + each.key + "` in " + config_;
    }
    if (!value) continue;
    if (const std::string problem = each.set(options_, *value); !problem.empty())
      throw UsageError(source + " " + problem + "; it is `" + *value + "`");
  }
  if (options_.feed_url.empty() && !options_.feed_kafka.empty())
    throw UsageError("feed.kafka has settings, but feed.url is not set (--feed kafka://…)");
  if (options_.feed_payments && options_.feed_seats && options_.feed_payments_group == options_.feed_seats_group) {
    throw UsageError("feed.payments_group and feed.seats_group must differ; both are `" + options_.feed_seats_group + "`");
  }
  if (options_.data.empty() && options_.ledger_url.empty()) {
    throw UsageError("--data is missing: the folder of the ledger's files (or --ledger: a PostgreSQL database)");
  }
  if (!options_.data.empty() && !options_.ledger_url.empty()) throw UsageError("--data and --ledger exclude each other: use one of them");
  if (options_.http_proxy_protocol && options_.http_trusted_proxies.empty()) {
    throw UsageError("http.proxy_protocol is on, but http.trusted_proxies names no proxy that speaks it");
  }
  constexpr std::uint64_t k_connections_beside_lanes = 12;   // eight readers, and the ledger's own threads
  if (!options_.ledger_url.empty() && options_.ledger_connections_max < options_.ledger_lanes + k_connections_beside_lanes) {
    throw UsageError("ledger.connections_max must be at least 12 more than ledger.lanes: readers and the ledger's own threads need 12");
  }
  return options_;
}

// The last source overrides the others.
void ServeOptionsReader::read_tables(const Described& option, const std::map<std::string, std::string>& file,
                                     const std::map<std::string, std::string>& environment) {
  const auto add = [&](const std::string& source, const std::string& pairs) {
    if (const std::string problem = option.set(options_, pairs); !problem.empty()) throw UsageError(source + " " + problem);
  };
  if (const auto in_file = file.find(option.key); in_file != file.end()) add("`" + option.key + "` in " + config_, in_file->second);
  if (const auto at = environment.find(option.key); at != environment.end()) add(variable_of(option.key), at->second);
  for (const std::string& pair : table_flags_) add(flag_of(option.key), pair);
}

}   // namespace holdfast::cli
