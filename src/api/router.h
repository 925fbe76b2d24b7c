// The table of routes, and which of them answers a request: by method and path, with 404 and 405 (and its Allow) for the rest.
//
//   const Match match = router.find(request.method, request.path);
//   if (match.route != nullptr) co_await match.route->handle(call);
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/desk/metrics.h"

namespace holdfast::api {

// Whether a route changes what it answers about. No page of another origin may call one that does.
enum class Effect : std::uint8_t { reads, changes };

// What the first `{}` of a route's path names. A ledger that does not have everything in memory brings it before the call.
enum class Subject : std::uint8_t { none, event, reservation, seat };

// Which requests are served although the server has more connections than it takes (http::Handler::is_urgent).
enum class Admission : std::uint8_t {
  known_key,   // those that show an API key that the server knows
  probe,       // those without a body
  never,       // none: the answer goes on for as long as its client likes
};

// What is so for few routes.
struct RouteDetails {
  Admission admission = Admission::known_key;
  bool shows_body = false;   // the list of operators' actions has the beginning of the body, which is short and has no secret
  http::BodyRule body{};
};

// What is so for a route, apart from what its endpoint does.
struct Route {
  std::string_view method;
  std::string_view path;   // segments; `{}` is any one: /v1/events/{}/plan
  Group group;
  Need need;
  Effect effect;
  Subject subject;
  Traffic traffic;   // what the statistics count its requests as
  Answer (*handle)(Call& call);
  RouteDetails details{};
  EndpointMetrics* metrics = nullptr;   // which the router adds

  bool changes() const { return effect == Effect::changes; }
};

struct Match {
  const Route* route = nullptr;          // nullptr: none
  const Route* at_path = nullptr;        // a route at this path, whatever its method; nullptr: none
  std::vector<std::string> parameters;   // of the path, decoded; empty if no route is at this path
  Group group = Group::operations;       // of the path, also if no route matches
  std::string allow;                     // the methods of the path's routes, if none has the request's
};

class Router {
 public:
  // `demo`: with the demo payment (serve --demo).
  Router(Metrics& metrics, bool demo);

  // Any thread.
  Match find(std::string_view method, std::string_view path) const;
  std::span<const Route> routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace holdfast::api
