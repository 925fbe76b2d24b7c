#include "cli/options.h"

#include <fmt/format.h>
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
  std::vector<std::string> items;
  for (const toml::node& item : *list) {
    if (!item.is_string()) return std::nullopt;
    items.push_back(item.as_string()->get());
  }
  return joined(items, ",");
}

void read_table(const toml::table& table, const std::string& prefix, const std::string& file, std::map<std::string, std::string>& values) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      read_table(*inner, key + ".", file, values);
      continue;
    }
    const std::string where = fmt::format("{}, line {}", file, node.source().begin.line);
    const Described* const known = find_described([&](const std::string& each) { return each == key; });
    const auto table_key = find_table(key);
    if (known == nullptr && !table_key) throw UsageError(fmt::format("unknown key `{}` in {}", key, where));
    const auto value = as_text(node);
    if (!value) {
      throw UsageError(fmt::format("`{}` in {} must be a text, a whole number, true or false, or a list of texts", key, where));
    }
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

// A value as a flag would have it, and where it comes from.
struct Given {
  std::string source;
  std::string value;
};

}   // namespace

ServeOptionsReader::ServeOptionsReader(CLI::App& command) {
  command.add_option("--config", config_, "TOML file with these options (also HOLDFAST_CONFIG)")->type_name("FILE");
  for (const Described& each : described()) {
    const std::string names = flag_of(each.key) + (each.alias.empty() ? "" : "," + flag_of(each.alias));
    const std::string help = each.help + " (" + each.default_text() + ")";
    declared_[each.key] = command.add_option(names, help)->type_name(each.takes.name());
    if (each.is_table()) declared_[each.key]->expected(1, -1);   // may be repeated
  }
  declared_["demo"]->expected(0, 1)->default_str("on");   // `--demo` without a value turns it on
}

ServeOptions ServeOptionsReader::read() {
  if (const char* config = std::getenv("HOLDFAST_CONFIG"); config_.empty() && config != nullptr) config_ = config;
  const auto file = config_.empty() ? std::map<std::string, std::string>{} : read_file(config_);
  Environment environment = read_environment();
  options_.service_links = std::move(environment.service_links);
  for (const Described& each : described()) {
    std::vector<Given> given;
    if (const auto at = file.find(each.key); at != file.end()) given.push_back({"`" + each.key + "` in " + config_, at->second});
    if (const auto at = environment.values.find(each.key); at != environment.values.end()) {
      given.push_back({variable_of(each.key), at->second});
    }
    for (const std::string& value : declared_.at(each.key)->results()) given.push_back({flag_of(each.key), value});
    // The last one overrides the others; the pairs of a table are merged.
    if (!each.is_table() && given.size() > 1) given.erase(given.begin(), given.end() - 1);
    for (const auto& [source, value] : given) {
      const std::string problem = each.set(options_, value);
      if (problem.empty()) continue;
      const std::string shown = each.is_table() ? "" : fmt::format("; it is `{}`", value);   // a table's value may be a secret
      throw UsageError(fmt::format("{} {}{}", source, problem, shown));
    }
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

}   // namespace holdfast::cli
