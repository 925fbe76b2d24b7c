#include "cli/environment.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <regex>

#include "cli/option_table.h"

extern char** environ;

namespace holdfast::cli {
namespace {

// Variables of the tools, clients and examples, which may run in the same shell or pod.
constexpr std::array<std::string_view, 5> k_not_options = {"HOLDFAST_CONFIG", k_api_key_variable, k_lock_password_variable, "HOLDFAST_URL",
                                                           "HOLDFAST_KEY"};

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port > 0;
}

bool is_address(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(text), error);
  return !error;
}

bool is_protocol(std::string_view text) { return text == "tcp" || text == "udp" || text == "sctp"; }

// tcp://10.0.0.1:50002, udp://[fd00::1]:53
bool is_link(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const std::size_t colon = text.rfind(':');
  if (scheme == std::string_view::npos || !is_protocol(text.substr(0, scheme)) || colon < scheme + 3) return false;
  std::string_view host = text.substr(scheme + 3, colon - scheme - 3);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return is_address(host) && is_port(text.substr(colon + 1));
}

// Whether this is a variable that Kubernetes sets in every pod for a Service whose name begins with holdfast:
// HOLDFAST_PORT=tcp://10.0.0.1:50002, HOLDFAST_METRICS_SERVICE_HOST=10.0.0.2. Name and value must both have the form, so that a misspelt
// option stays an error.
bool is_service_link(const std::string& name, std::string_view value) {
  static const std::string k_port = "_PORT_[1-9][0-9]{0,4}_(TCP|UDP|SCTP)";
  static const std::pair<std::regex, bool (*)(std::string_view)> k_forms[] = {
      {std::regex("_SERVICE_HOST$"), is_address},
      {std::regex("_SERVICE_PORT(_|$)"), is_port},   // the name of a port in the Service may follow
      {std::regex("_PORT$|" + k_port + "$"), is_link},
      {std::regex(k_port + "_PROTO$"), is_protocol},
      {std::regex(k_port + "_PORT$"), is_port},
      {std::regex(k_port + "_ADDR$"), is_address},
  };
  return std::ranges::any_of(k_forms, [&](const auto& form) { return form.second(value) && std::regex_search(name, form.first); });
}

}   // namespace

Environment read_environment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    if (!variable.starts_with("HOLDFAST_")) continue;
    const std::string_view name = variable.substr(0, variable.find('='));
    const std::string_view value = variable.substr(std::min(variable.size(), name.size() + 1));
    if (std::ranges::find(k_not_options, name) != k_not_options.end()) continue;
    if (is_service_link(std::string(name), value)) {
      environment.service_links.emplace_back(name);
      continue;
    }
    const Described* const known = find_described([&](const std::string& each) { return variable_of(each) == name; });
    if (known == nullptr) throw UsageError("unknown key `" + std::string(name) + "` in the environment");
    std::string& text = environment.values[known->key];
    text = value;
    if (known->is_table()) std::ranges::replace(text, '\n', k_between_pairs);
  }
  std::ranges::sort(environment.service_links);
  return environment;
}

}   // namespace holdfast::cli
