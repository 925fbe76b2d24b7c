#include "api/cors.h"

#include <algorithm>

#include "core/ascii.h"

namespace holdfast::api {
namespace {

constexpr std::string_view k_allowed_headers = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id";
constexpr std::string_view k_exposed_headers = "Location, Retry-After, Idempotency-Replayed, X-Request-Id, ETag";
constexpr std::string_view k_preflight_seconds = "600";

// Host and port of an origin.
std::string_view authority_of(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? std::string_view{} : origin.substr(scheme + 3);
}

bool equals_host(std::string_view authority, std::string_view host) { return !authority.empty() && equals_ignoring_case(authority, host); }

}  // namespace

bool is_origin(std::string_view text) {
  if (!text.starts_with("https://") && !text.starts_with("http://")) return false;
  const std::string_view authority = authority_of(text);
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view(".-_:[]").find(c) != std::string_view::npos;
  };
  return !authority.empty() && authority.size() <= 260 && std::ranges::all_of(authority, fits);
}

bool Cors::lists(std::string_view origin) const { return std::ranges::find(origins_, origin) != origins_.end(); }

void Cors::mark(const http::Request& request, http::Response& response) const {
  if (!is_on()) return;
  response.headers.emplace_back("Vary", "Origin");
  const std::string_view* origin = request.header("Origin");
  if (origin == nullptr || !lists(*origin)) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", *origin);
  response.headers.emplace_back("Access-Control-Allow-Credentials", "true");
  response.headers.emplace_back("Access-Control-Expose-Headers", k_exposed_headers);
}

bool Cors::answer_preflight(const http::Request& request, std::string_view methods, http::Response& response) const {
  const std::string_view* origin = request.header("Origin");
  if (request.method != "OPTIONS" || origin == nullptr || !lists(*origin)) return false;
  if (request.header("Access-Control-Request-Method") == nullptr) return false;
  response.status = 204;
  response.headers.emplace_back("Access-Control-Allow-Methods", methods);
  response.headers.emplace_back("Access-Control-Allow-Headers", k_allowed_headers);
  response.headers.emplace_back("Access-Control-Max-Age", k_preflight_seconds);
  return true;
}

bool Cors::is_from_page(const http::Request& request) const {
  if (const std::string_view* origin = request.header("Origin")) return !lists(*origin);
  const std::string_view* site = request.header("Sec-Fetch-Site");
  return site != nullptr && *site != "none";
}

bool Cors::is_cross_site(const http::Request& request) const {
  const std::string_view* origin = request.header("Origin");
  if (origin != nullptr && lists(*origin)) return false;
  // The browser sets this header, and no page can forge it. It is right even behind a proxy that changes Host.
  if (const std::string_view* site = request.header("Sec-Fetch-Site")) return *site != "same-origin" && *site != "none";
  if (origin == nullptr) return false;
  const std::string_view* host = request.header("Host");
  return host == nullptr || !equals_host(authority_of(*origin), *host);
}

}  // namespace holdfast::api
