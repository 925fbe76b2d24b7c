// Turns files into a C++ source that holds them, for api/embedded.h: plain, gzip-compressed and with a hash of their content.
//
//   embed OUT.cc { KIND PATH FILE }…
//
//   immutable   served below a name with the content's hash in it: docs/page.js becomes /docs/page.0123456789abcdef.js
//   document    served under PATH as it is
//   page        as document, after each {{docs/page.js}} in it was replaced by the hashed name of that immutable file; so it comes last
//   site        FILE is a folder that web/build.mjs has made, PATH a dash: index.html becomes /, console/index.html /console, and what is in
//               assets/, whose names have a hash already, is immutable
//
// String literals, because a compiler reads them a hundred times faster than lists of numbers. Status 1 and a message when something is
// wrong; then nothing is written.
#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t k_hash_hex_digits = 16;
constexpr std::size_t k_gzip_level = 9;
constexpr int k_gzip_window = 15 + 16;   // 32 KiB, with gzip's header in place of zlib's
constexpr std::size_t k_line_bytes = 2'000;   // of one literal; adjacent ones are one

std::string read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string_view type_of(std::string_view file) {
  constexpr std::pair<std::string_view, std::string_view> k_types[] = {
      {".json", "application/json"},
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".md", "text/markdown; charset=utf-8"},
      {".txt", "text/plain; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".woff2", "font/woff2"},
  };
  for (const auto& [ending, type] : k_types) {
    if (file.ends_with(ending)) return type;
  }
  throw std::runtime_error("there is no type for " + std::string(file));
}

std::string hash_of(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  if (EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr) != 1) throw std::runtime_error("SHA-256 failed");
  std::string hex;
  for (std::size_t i = 0; i < k_hash_hex_digits / 2; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

std::string gzip(std::string& bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, k_gzip_level, Z_DEFLATED, k_gzip_window, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib failed");
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("zlib failed");
  return out;
}

// As literals: printable bytes as they are, the others in three octal digits, which no byte after them can lengthen.
std::string literal(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size() || at == 0; at += k_line_bytes) {
    out += "\n    \"";
    for (const char c : bytes.substr(at, k_line_bytes)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\' || c == '?') out += '\\';   // `??` begins a trigraph
      if (byte >= 0x20 && byte < 0x7F) {
        out += c;
      } else {
        out += {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + (byte >> 3 & 7)), static_cast<char>('0' + (byte & 7))};
      }
    }
    out += '"';
  }
  return out;
}

// {{docs/page.js}} -> docs/page.0123456789abcdef.js
std::string filled_in(std::string text, const std::map<std::string, std::string>& hashed) {
  for (std::size_t at = 0; (at = text.find("{{", at)) != std::string::npos;) {
    const std::size_t end = text.find("}}", at);
    const std::string name = end == std::string::npos ? "" : text.substr(at + 2, end - at - 2);
    const auto found = hashed.find(name);
    if (found == hashed.end()) throw std::runtime_error("the page names `" + name + "`, which is not embedded");
    text.replace(at, end + 2 - at, found->second);
  }
  return text;
}

// One line of the table. Sizes stand beside the literals: a file may have a zero byte in it.
std::string entry_of(const std::string& path, const std::string& file, std::string bytes, bool immutable) {
  const std::string compressed = gzip(bytes);
  return "    {\"/" + path + "\", \"" + std::string(type_of(file)) + "\", \"" + hash_of(bytes) + "\", " + (immutable ? "true" : "false") +
         ",\n    {" + literal(bytes) + ", " + std::to_string(bytes.size()) + "},\n    {" + literal(compressed) + ", " +
         std::to_string(compressed.size()) + "}},\n";
}

// The files of a folder that web/build.mjs has made.
std::string entries_of_site(const std::filesystem::path& folder) {
  const std::regex hashed(R"(assets/[\w.-]+-[\w-]{8}\.\w+)");
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.is_regular_file()) paths.push_back(std::filesystem::relative(file.path(), folder).generic_string());
  }
  std::ranges::sort(paths);
  std::string table;
  for (const std::string& path : paths) {
    const std::string file = (folder / path).string();
    if (path.starts_with("assets/")) {
      if (!std::regex_match(path, hashed)) throw std::runtime_error(file + " has no hash in its name");
      table += entry_of(path, file, read(file), true);
    } else if (path == "index.html" || path.ends_with("/index.html")) {
      const std::string place = std::filesystem::path(path).parent_path().generic_string();
      table += entry_of(place, file, read(file), false);
    } else {
      throw std::runtime_error(file + " is neither a page nor in assets/");
    }
  }
  return table;
}

std::string source_of(int count, const char* const* entries) {
  std::map<std::string, std::string> hashed;
  std::string table;
  for (int i = 0; i < count; i += 3) {
    const std::string kind = entries[i], file = entries[i + 2];
    std::string path = entries[i + 1];
    if (path == "/") path.clear();   // an empty word is lost on the way from CMake
    if (kind == "site") {
      table += entries_of_site(file);
      continue;
    }
    if (kind != "immutable" && kind != "document" && kind != "page") throw std::runtime_error("there is no kind `" + kind + "`");
    std::string bytes = read(file);
    if (kind == "page") bytes = filled_in(bytes, hashed);
    if (kind == "immutable") {
      const std::string plain_path = path;
      path.insert(path.rfind('.'), "." + hash_of(bytes));
      hashed.emplace(plain_path, path);
    }
    table += entry_of(path, file, std::move(bytes), kind == "immutable");
  }
  return "// Made by tools/embed.cc when the program is built.\n#include \"api/embedded.h\"\n\n#pragma clang diagnostic ignored "
         "\"-Woverlength-strings\"\n\nnamespace holdfast::api {\nnamespace "
         "{\n\n"
         "constexpr EmbeddedFile k_files[] = {\n" +
         table +
         "};\n\n}  // namespace\n\nstd::span<const EmbeddedFile> embedded_files() { return k_files; }\n\n}  // namespace holdfast::api\n";
}

}   // namespace

int main(int argc, char** argv) {
  if (argc < 5 || (argc - 2) % 3 != 0) {
    std::cerr << "usage: embed OUT.cc { immutable|document|page|site PATH FILE }...\n";
    return 2;
  }
  try {
    const std::string source = source_of(argc - 2, argv + 2);
    std::ofstream out(argv[1], std::ios::binary | std::ios::trunc);
    if (!(out << source).flush()) throw std::runtime_error(std::string("cannot write ") + argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "embed: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
