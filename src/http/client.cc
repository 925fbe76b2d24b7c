#include "http/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <vector>

#include "http/beast.h"

namespace holdfast::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr std::size_t k_part_bytes = 256 * 1024;
constexpr std::uint64_t k_answer_bytes_max = 16 * 1024 * 1024;

}  // namespace

Url parse_url(std::string_view text) {
  constexpr std::string_view k_scheme = "http://";
  if (!text.starts_with(k_scheme)) throw std::invalid_argument("the server's URL must begin with http:// (" + std::string(text) + ")");
  text.remove_prefix(k_scheme.size());
  const std::string_view authority = text.substr(0, text.find('/'));
  Url url{.host = "", .port = "80", .path = std::string(text.substr(authority.size()))};
  while (url.path.ends_with('/')) url.path.pop_back();
  const std::size_t bracket = authority.find(']');
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  url.host = authority.substr(0, colon);
  if (url.host.starts_with('[') && url.host.ends_with(']')) url.host = url.host.substr(1, url.host.size() - 2);
  if (colon != std::string_view::npos) url.port = authority.substr(colon + 1);
  if (url.host.empty() || url.port.empty()) throw std::invalid_argument("the server's URL has no host or no port");
  return url;
}

ClientAnswer post_json(const Url& url, std::string_view path, std::uint64_t bytes,
                       const std::function<std::size_t(char*, std::size_t)>& read, std::string_view bearer) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  boost::system::error_code unreachable;
  const auto addresses = asio::ip::tcp::resolver(context).resolve(url.host, url.port, unreachable);
  if (!unreachable) asio::connect(socket, addresses, unreachable);
  if (unreachable) throw std::runtime_error("cannot reach " + url.host + ":" + url.port + ": " + unreachable.message());
  const bool v6 = url.host.find(':') != std::string::npos;
  const std::string header = "POST " + url.path + std::string(path) + " HTTP/1.1\r\nHost: " + (v6 ? "[" + url.host + "]" : url.host) + ":" +
                             url.port + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(bytes) +
                             (bearer.empty() ? "" : "\r\nAuthorization: Bearer " + std::string(bearer)) + "\r\nConnection: close\r\n\r\n";
  boost::system::error_code sent;
  asio::write(socket, asio::buffer(header), sent);
  std::vector<char> part(k_part_bytes);
  // A server that refuses early answers and stops reading. The answer is read below.
  while (!sent) {
    const std::size_t got = read(part.data(), part.size());
    if (got == 0) break;
    asio::write(socket, asio::buffer(part.data(), got), sent);
  }
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(k_answer_bytes_max);
  beast::http::read(socket, buffer, parser);
  return {parser.get().result_int(), parser.get().body()};
}

}  // namespace holdfast::http
