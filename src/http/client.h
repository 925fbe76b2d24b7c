// A small blocking HTTP client for the command line: one request, one answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace holdfast::http {

struct Url {
  std::string host;
  std::string port;
  std::string path;   // without the slash at its end; may be empty
};

// Reads http://host[:port][/path]. Throws std::invalid_argument that says what is wrong; https is not spoken.
Url parse_url(std::string_view text);

struct ClientAnswer {
  unsigned status = 0;
  std::string body;
};

// Posts JSON of `bytes` bytes which `read` gives part by part (it fills the buffer and returns how much, 0 at the end). Throws
// std::runtime_error when the server cannot be reached or goes away. `bearer`: an API key to show, or empty.
ClientAnswer post_json(const Url& url, std::string_view path, std::uint64_t bytes,
                       const std::function<std::size_t(char*, std::size_t)>& read, std::string_view bearer = {});

}  // namespace holdfast::http
