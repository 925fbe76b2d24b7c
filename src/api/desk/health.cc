#include "api/desk/health.h"

#include <algorithm>

namespace holdfast::api {

const char* name_of(HealthStatus status) {
  switch (status) {
    case HealthStatus::ok: return "ok";
    case HealthStatus::degraded: return "degraded";
    case HealthStatus::down: return "down";
    case HealthStatus::off: return "off";
  }
  return "unknown";
}

void Health::add(std::string name, Probe probe) {
  const auto at = std::ranges::find(probes_, name, &std::pair<std::string, Probe>::first);
  if (at != probes_.end()) {
    at->second = std::move(probe);
  } else {
    probes_.emplace_back(std::move(name), std::move(probe));
  }
}

std::vector<HealthComponent> Health::look() const {
  std::vector<HealthComponent> components;
  for (const auto& [name, probe] : probes_) {
    try {
      components.push_back(probe());
    } catch (const std::exception& error) {
      components.push_back({.kind = "unknown", .status = HealthStatus::down, .detail = error.what()});
    }
    components.back().name = name;
  }
  return components;
}

HealthStatus worst_of(const std::vector<HealthComponent>& components) {
  HealthStatus worst = HealthStatus::ok;
  for (const HealthComponent& component : components) {
    if (component.status != HealthStatus::off) worst = std::max(worst, component.status);
  }
  return worst;
}

}  // namespace holdfast::api
