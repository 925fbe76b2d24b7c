// Files that are handed out of the binary: the pages / and /console with their assets, and what Holdfast says about itself
// (/openapi.json, /docs with its files, /llms.txt).
//
// tools/embed.cc makes the table when the program is built, from web/, src/api/openapi/ and docs/. Nothing is loaded from elsewhere, and
// nothing is compressed at run time.
#pragma once

#include <span>
#include <string_view>

namespace holdfast::api {

struct EmbeddedFile {
  std::string_view path;           // with a slash before it
  std::string_view content_type;
  std::string_view hash;           // of the content, in hex
  bool immutable;                  // its hash is in its path
  std::string_view plain;
  std::string_view gzip;
};

// All of them; static storage.
std::span<const EmbeddedFile> embedded_files();

// Whether the page at /docs can show the document, or says only that it was built without what shows it.
bool has_docs_page();

// Whether / and /console are the seat map and the console, or say only that the program was built without them.
bool has_pages();

// Whether an If-None-Match names this content, in whatever coding the caller has it: `"HASH"` or `"HASH-gzip"`.
bool is_named(std::string_view if_none_match, std::string_view hash);

// Whether an Accept-Encoding lets an answer be compressed by gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace holdfast::api
