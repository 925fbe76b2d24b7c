// The pages / and /console, /assets/{file}, /openapi.json, /docs and what is below it, /llms.txt (docs/api.md).
#include "api/embedded.h"

#include <algorithm>

#include "api/endpoints.h"
#include "api/pages.h"

namespace holdfast::api {
namespace {

// A page may load scripts, styles, fonts and images from this server and call it, and nothing else. Nothing is inline. The icons of /docs are
// data: URLs in its style sheet. The browser itself sends no form.
constexpr std::string_view k_page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

}   // namespace

bool has_docs_page() {
  return std::ranges::any_of(embedded_files(), [](const EmbeddedFile& file) { return file.path.starts_with("/docs/swagger-ui-bundle."); });
}

bool has_pages() {
  return std::ranges::any_of(embedded_files(), [](const EmbeddedFile& file) { return file.path.starts_with("/assets/"); });
}

// GET of any embedded file: the path says which.
Answer get_embedded(Call& call) {
  const auto files = embedded_files();
  const auto file = std::ranges::find(files, call.request.path, &EmbeddedFile::path);
  if (file == files.end()) co_return fail(call, {404, k_not_found, "There is nothing at this path."});
  const bool compressed = accepts_gzip(call.request) && file->gzip.size() < file->plain.size();
  http::Response& response = call.response;
  const bool is_known = has_already(call, file->hash, compressed);
  response.headers.emplace_back("Cache-Control", file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (is_known) co_return;
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
