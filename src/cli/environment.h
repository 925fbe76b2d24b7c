// The variables HOLDFAST_… of the environment: the server's options, and others with the same prefix.
//
//   const Environment environment = read_environment();       // throws UsageError: an unknown variable
//   if (environment.values.contains("http.body_bytes_max")) …
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

struct Environment {
  std::map<std::string, std::string> values{};      // by the option's key, as a flag would have it
  std::vector<std::string> service_links{};         // names, sorted
};

// Throws UsageError for a variable that is not an option. Variables of the clients, and those that Kubernetes sets for Services, are
// ignored.
Environment read_environment();

// Whether this is a variable that Kubernetes sets in every pod for a Service whose name begins with holdfast: HOLDFAST_PORT=tcp://10.0.0.1:50002,
// HOLDFAST_METRICS_SERVICE_HOST=10.0.0.2. Name and value must both have the form, so that a misspelt option stays an error.
bool is_service_link(std::string_view name, std::string_view value);

}   // namespace holdfast::cli
