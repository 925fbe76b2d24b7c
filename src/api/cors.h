// Which pages of other origins may call (Cross-Origin Resource Sharing), and which requests come from a page that may not.
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

  // What every answer says when CORS is on: that it depends on the origin, and to a page of a listed origin, that it may read the answer.
  void mark(const http::Request& request, http::Response& response) const;

  // Answers the OPTIONS that a browser sends ahead, for a path with these methods. False when it is none, or of an origin that is not listed.
  bool answer_preflight(const http::Request& request, std::string_view methods, http::Response& response) const;

  // Whether a request that changes something comes from a page of a strange origin: the browser says so, or names an origin that is neither
  // the one asked nor listed. Programs that are not browsers name none.
  bool is_cross_site(const http::Request& request) const;

  // Whether a page whose origin is not listed sent the request, be it one of the origin that is asked.
  bool is_from_page(const http::Request& request) const;

 private:
  bool lists(std::string_view origin) const;

  std::vector<std::string> origins_;
};

}   // namespace holdfast::api
