// The health of each part of the server, for people: GET /v1/operations/health.
//
// The code that wires a part adds a probe for it. Each look calls all probes:
//
//   health.add("lock", [&] { return HealthComponent{.kind = "redis", .status = HealthStatus::ok, .detail = "…", .lag = {{0.4, "ms"}}}; });
//
// A probe runs on a background thread. It may wait for a file, but not for the network: the part itself must know that beforehand.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

enum class HealthStatus {
  ok,
  degraded,   // it works, but an operator should look at it
  down,       // it does not work
  off,        // it is not configured
};

const char* name_of(HealthStatus status);

// How far behind something is.
struct HealthLag {
  double value;
  std::string unit;   // "rows", "changes", "ms", …
};

struct HealthComponent {
  std::string kind;     // the implementation: "embedded", "redis", "webhooks", …
  HealthStatus status = HealthStatus::ok;
  std::string detail;   // a sentence for people, even if all is well
  std::optional<HealthLag> lag{};
  std::string name{};   // as its probe was added; Health::look() sets it
};

class Health {
 public:
  using Probe = std::function<HealthComponent()>;

  // Before the server starts. Components appear in the order in which they were added. A second probe with the same name replaces the first.
  void add(std::string name, Probe probe);

  // Calls all probes. A probe that throws counts as down, with its exception's text. Any thread.
  std::vector<HealthComponent> look() const;

 private:
  std::vector<std::pair<std::string, Probe>> probes_;
};

// The worst status; components that are off do not count.
HealthStatus worst_of(const std::vector<HealthComponent>& components);

}   // namespace holdfast::api
