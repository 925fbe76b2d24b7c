// The pages / and /console, /assets/{file}, /openapi.json, /docs and what is below it, /llms.txt (docs/api.md).
#include "api/embedded.h"

#include <algorithm>

#include "api/endpoints.h"

namespace holdfast::api {
namespace {

// A page may load scripts, styles, fonts and images from this server and call it, and nothing else. Nothing is inline. The icons of /docs are
// data: URLs in its style sheet. The browser itself sends no form.
constexpr std::string_view k_page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// Removes the first item, up to `separator`, from `list` and returns it.
std::string_view next(std::string_view& list, char separator) {
  const std::string_view item = list.substr(0, list.find(separator));
  list.remove_prefix(std::min(list.size(), item.size() + 1));
  return trimmed(item);
}

}   // namespace

bool is_named(std::string_view if_none_match, std::string_view hash) {
  while (!if_none_match.empty()) {
    std::string_view tag = next(if_none_match, ',');
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag.size() < 2 || tag.front() != '"' || tag.back() != '"') continue;
    tag = tag.substr(1, tag.size() - 2);
    if (tag.starts_with(hash) && (tag.size() == hash.size() || tag.substr(hash.size()) == "-gzip")) return true;
  }
  return false;
}

bool has_docs_page() {
  return std::ranges::any_of(embedded_files(), [](const EmbeddedFile& file) { return file.path.starts_with("/docs/swagger-ui-bundle."); });
}

bool has_pages() {
  return std::ranges::any_of(embedded_files(), [](const EmbeddedFile& file) { return file.path.starts_with("/assets/"); });
}

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    std::string_view item = next(accept_encoding, ',');
    const std::string_view coding = next(item, ';');
    if (coding != "gzip" && coding != "x-gzip" && coding != "*") continue;
    // `q=0`, `q=0.0`, …: not this one.
    const std::string_view weight = trimmed(item);
    return !weight.starts_with("q=") || weight.find_first_not_of("0.", 2) != std::string_view::npos;
  }
  return false;
}

// GET of any embedded file: the path says which.
Answer get_embedded(Call& call) {
  const auto files = embedded_files();
  const auto file = std::ranges::find(files, call.request.path, &EmbeddedFile::path);
  if (file == files.end()) co_return fail(call, {404, k_not_found, "There is nothing at this path."});
  const std::string_view* const codings = call.request.header("Accept-Encoding");
  const bool compressed = codings != nullptr && accepts_gzip(*codings) && file->gzip.size() < file->plain.size();
  http::Response& response = call.response;
  response.headers.emplace_back("ETag", '"' + std::string(file->hash) + (compressed ? "-gzip\"" : "\""));
  response.headers.emplace_back("Cache-Control", file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.emplace_back("Vary", "Accept-Encoding");
  const std::string_view* const known = call.request.header("If-None-Match");
  if (known != nullptr && is_named(*known, file->hash)) {
    response.status = 304;
    co_return;
  }
  response.status = 200;
  response.content_type = file->content_type;
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (file->content_type.starts_with("text/html")) {
    response.headers.emplace_back("Content-Security-Policy", k_page_policy);
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
  }
  if (compressed) response.headers.emplace_back("Content-Encoding", "gzip");
  response.shared_body = {compressed ? file->gzip : file->plain, nullptr};
}

}   // namespace holdfast::api
