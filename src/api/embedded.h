// Files in the binary: the pages / and /console with their assets, and the documentation (/openapi.json, /docs with its files, /llms.txt).
//
// tools/embed.cc writes the table when the program is built, from web/, src/api/openapi/ and docs/, with a compressed copy of each file.
#pragma once

#include <span>
#include <string_view>

namespace holdfast::api {

struct EmbeddedFile {
  std::string_view path;           // begins with a slash
  std::string_view content_type;
  std::string_view hash;           // of the content, in hex
  bool immutable;                  // its path has the hash
  std::string_view plain;
  std::string_view gzip;
};

// All of them; static storage.
std::span<const EmbeddedFile> embedded_files();

// Whether the program was built with Swagger UI. If not, the page at /docs says so.
bool has_docs_page();

// Whether the program was built with the seat map and the console. If not, the pages / and /console say so.
bool has_pages();

}  // namespace holdfast::api
