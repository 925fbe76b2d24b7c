// The variables HOLDFAST_… of the environment: the server's options, and others with the same prefix.
//
//   const Environment environment = read_environment();       // throws UsageError: an unknown variable
//   if (environment.values.contains("http.body_bytes_max")) …
#pragma once

#include <map>
#include <string>
#include <vector>

namespace holdfast::cli {

struct Environment {
  std::map<std::string, std::string> values{};      // by the option's key, as a flag would have it
  std::vector<std::string> service_links{};         // names, sorted
};

// Throws UsageError for a variable that is not an option. Variables of the clients, and those that Kubernetes sets for Services, are
// ignored.
Environment read_environment();

}   // namespace holdfast::cli
