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
  std::string path;   // without a trailing slash; may be empty
};

// Reads http://host[:port][/path]. Throws std::invalid_argument, which says what is wrong. https is not supported.
Url parse_url(std::string_view text);

struct ClientAnswer {
  unsigned status = 0;
  std::string body;
};

// Posts `bytes` bytes of JSON. `read` fills the buffer with the next part and returns its size, 0 at the end. `bearer`: an API key, or empty.
// Throws std::runtime_error if the server cannot be reached or closes the connection.
ClientAnswer post_json(const Url& url, std::string_view path, std::uint64_t bytes,
                       const std::function<std::size_t(char*, std::size_t)>& read, std::string_view bearer = {});

}   // namespace holdfast::http
