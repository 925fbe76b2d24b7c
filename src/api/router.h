// Which endpoint answers a request: by method and path, with 404 and 405 (and its Allow) for the rest.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/desk/metrics.h"

namespace holdfast::api {

struct Route {
  std::string_view method;
  std::string_view path;   // segments; `{}` takes any one: /v1/events/{}/plan
  Group group;
  Need need;
  Answer (*handle)(Call& call);
  http::BodyRule body{};
  EndpointMetrics* metrics = nullptr;
  bool changes = false;   // what it answers about: then no page of another origin may call it
  Traffic traffic = Traffic::none;
};

struct Match {
  const Route* route = nullptr;          // nullptr: none
  std::vector<std::string> parameters;   // decoded
  Group group = Group::operations;       // of the path, also when no route matched
  std::string allow;                     // methods of the path's routes, when the path is known and the method is not
};

class Router {
 public:
  // `demo`: with the demo payment (serve --demo).
  Router(Metrics& metrics, bool demo);

  Match find(std::string_view method, std::string_view path) const;
  std::span<const Route> routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace holdfast::api
