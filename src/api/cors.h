// Cross-Origin Resource Sharing: which pages of other origins may make calls, and which requests come from a page that may not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace holdfast::api {

inline constexpr std::size_t k_cors_origins_max = 100;

// Whether it is an origin as browsers write it: https://shop.example, with a port where it is not the scheme's.
bool is_origin(std::string_view text);

// Immutable; any thread.
class Cors {
 public:
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  bool is_on() const { return !origins_.empty(); }

  // Adds CORS headers to an answer, if CORS is on: that it depends on the origin, and that a page of a listed origin may read it.
  void mark(const http::Request& request, http::Response& response) const;

  // Answers a browser's preflight request (OPTIONS) for a path with these methods. False if it is not one, or its origin is not listed.
  bool answer_preflight(const http::Request& request, std::string_view methods, http::Response& response) const;

  // Whether a page of another, unlisted origin sent the request: the browser says so, or names an origin that is neither this server's nor
  // listed. Programs that are not browsers name none.
  bool is_cross_site(const http::Request& request) const;

  // Whether a page of an unlisted origin sent the request. Pages of this server's own origin count too.
  bool is_from_page(const http::Request& request) const;

 private:
  bool lists(std::string_view origin) const;

  std::vector<std::string> origins_;
};

}   // namespace holdfast::api
