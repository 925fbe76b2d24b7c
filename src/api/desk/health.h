// How each part of the server is doing, for people: GET /v1/operations/health.
//
// Whoever wires a part adds a probe for it, which is asked whenever somebody looks:
//
//   health.add("lock", [&] { return HealthComponent{.kind = "redis", .status = HealthStatus::ok, .detail = "…", .lag = {{0.4, "ms"}}}; });
//
// Probes are called on a thread that may wait for a file, not for a peer: what needs the network is found out before, by whoever owns it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

enum class HealthStatus {
  ok,
  degraded,   // it works, but not as it should: somebody should look
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
  std::string kind;     // what stands behind the name: "embedded", "redis", "webhooks", …
  HealthStatus status = HealthStatus::ok;
  std::string detail;   // a sentence for people, also when all is well
  std::optional<HealthLag> lag{};
};

struct NamedComponent {
  std::string name;
  HealthComponent component;
};

class Health {
 public:
  using Probe = std::function<HealthComponent()>;

  // Before the server starts. Components are shown in the order in which they were added; a second probe of a name takes the place of the
  // first.
  void add(std::string name, Probe probe);

  // Asks all probes. One that throws is shown as down, with what it threw. Any thread.
  std::vector<NamedComponent> look() const;

 private:
  std::vector<std::pair<std::string, Probe>> probes_;
};

// The worst of them; what is off does not count.
HealthStatus worst_of(const std::vector<NamedComponent>& components);

}   // namespace holdfast::api
