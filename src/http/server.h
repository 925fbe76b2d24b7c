// An HTTP/1.1 server on Boost.Asio. It knows nothing of seats.
//
// The server parses and frames; a Handler answers. Each of its threads has its own io_context, its own acceptor (SO_REUSEPORT)
// and its own connections; a connection never changes its thread, so a handler needs no locks for what belongs to one request.
//
//   struct Hello : holdfast::http::Handler {
//     boost::asio::awaitable<void> handle(holdfast::http::Request& request, holdfast::http::Response& response) override {
//       response.status = 200;
//       response.content_type = "text/plain";
//       response.body = "hello\n";
//       co_return;
//     }
//   };
//   Hello hello;
//   holdfast::http::Server server({.port = 8080}, hello);
//   server.start();   // returns when it listens; throws std::system_error if it cannot listen
//   …
//   server.stop();    // answers the requests in flight, then returns
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/network.h"
#include "http/stream.h"

namespace holdfast::http {

struct ServerOptions {
  std::string listen = "127.0.0.1";   // an address, not a name: IPv4 or IPv6
  std::uint16_t port = 0;             // 0: any free port, see Server::port()
  unsigned threads = 1;               // 1 to 64
  std::size_t header_bytes_max = 8 * 1024;            // request line and all header fields
  std::size_t target_bytes_max = 4 * 1024;            // request target; more is 414
  std::size_t body_bytes_max = 64 * 1024;             // for routes that set no limit of their own
  std::size_t connections_max = 16'000;               // over all threads; one more is answered 503 and closed, unless it is urgent
  std::size_t connections_over_max = 64;              // connections beyond it that each thread may have at once, to answer them
  std::size_t connections_per_address_max = 0;        // of one client (an IPv4 address, an IPv6 /64); 0: no limit
  std::vector<Network> trusted_proxies{};             // peers whose statements about their clients are believed
  bool proxy_protocol = false;                        // trusted proxies begin each connection with the PROXY protocol
  std::size_t body_bytes_per_second_min = 1'024;      // lowest average rate of a body after body_timeout; 0: no limit
  std::size_t answer_bytes_per_second_min = 4'096;   // lowest average rate of an answer after write_timeout, streams excepted; 0: no limit
  std::chrono::milliseconds header_timeout{10'000};   // from a request's first byte to the end of its header
  std::chrono::milliseconds body_timeout{30'000};   // without a byte of the body arriving
  std::chrono::milliseconds idle_timeout{75'000};   // between two requests of a connection
  std::chrono::milliseconds write_timeout{30'000};   // for a client that does not read its answer
  std::chrono::milliseconds drain_timeout{10'000};   // how long stop() waits for requests in flight
};

struct Header {
  std::string_view name;   // as sent
  std::string_view value;   // without surrounding white space
};

// One request. Views point into the connection's buffer and live until the answer has been handed over (handle() returned).
class Request {
 public:
  std::string_view method;   // as sent, case-sensitive
  std::string_view target;   // as sent, at most target_bytes_max
  std::string_view path;   // the target up to '?', not decoded; of an absolute-form target its path
  std::string_view query;   // after '?', not decoded
  std::string_view body;   // whole, unless the route streams
  std::span<const Header> headers;
  std::string_view request_id;   // the caller's X-Request-Id if it is 1 to 128 printable ASCII characters, otherwise a new one

  // The value of the first header with this name (any letter case), or nullptr.
  const std::string_view* header(std::string_view name) const;

  // For a route whose BodyRule streams: the next part of the body, empty at its end. The view lives until the next call.
  // Throws BodyUnreadable if the client is gone or too slow, or the body exceeds the route's limit.
  virtual boost::asio::awaitable<std::string_view> read_body() = 0;

  // The client's address: the connection's other end, or the client that a trusted proxy names. Unspecified if the client is gone.
  virtual boost::asio::ip::address client() const = 0;

  virtual ~Request() = default;

 protected:
  Request() = default;
};

// One answer. The server adds Content-Length, Connection where needed, Date, X-Request-Id and `Server: holdfast`.
struct Response {
  unsigned status = 500;   // 200 to 599; anything else becomes 500. 204 and 304 have no body
  std::string_view content_type;   // static storage; empty: no Content-Type
  std::string body;   // its capacity is kept from request to request
  // If it has bytes, they are the body instead of `body`, and are written without a copy. For bodies that many answers share.
  struct SharedBody {
    std::string_view bytes;
    std::shared_ptr<const void> owner;   // keeps the bytes until they are written; null for static storage
  };
  SharedBody shared_body;
  // Names must be in static storage. A header that only the server may set, or whose value has control characters, is omitted and reported.
  std::vector<std::pair<std::string_view, std::string>> headers;
  bool close = false;   // close the connection after this answer
  std::string_view body_bytes() const { return shared_body.bytes.empty() ? std::string_view(body) : shared_body.bytes; }
  // If set, it replaces the body: the source keeps writing after handle() has returned (stream.h). The status must allow a body.
  std::shared_ptr<StreamSource> stream;
};

// How a route takes a request's body. The server asks when the header is complete, before it reads the body.
struct BodyRule {
  std::size_t bytes_max = 0;   // 0: ServerOptions::body_bytes_max
  bool streams = false;   // true: handle() is called at once, and reads the body with Request::read_body()
};

// A problem that the server itself finds. The handler writes the answer's body in the application's error format.
struct Problem {
  unsigned status;   // 400, 408, 411, 413, 414, 417, 431, 501, 503, 505 or 500
  std::string_view code;   // a stable word: `invalid_request`, `body_too_large`, `unavailable`, …
  std::string_view detail;   // one sentence for people: what was wrong and what to do
};

class Handler {
 public:
  // Called on the connection's thread when a request's header is complete. `request.body` is still empty. Must not throw.
  virtual BodyRule body_rule(const Request& request) {
    (void)request;
    return {};
  }

  // Whether a request over connections_max is answered all the same. Called on the connection's thread when the header is complete. Must
  // not throw.
  virtual bool is_urgent(const Request& request) {
    (void)request;
    return false;
  }

  // Called on the connection's thread. Fills `response`. May suspend; the connection reads nothing further until it returns.
  // An exception ends this request with 500 and is logged through ServerHooks::on_handler_error.
  virtual boost::asio::awaitable<void> handle(Request& request, Response& response) = 0;

  // Fills `response` for a request that the server itself refuses. `response.status` is set already; `path` is empty if the request line
  // could not be read. Must not throw.
  virtual void refuse(const Problem& problem, std::string_view path, Response& response);

 protected:
  ~Handler() = default;
};

// Counts since the start, for metrics. Each is exact; together they are from about the same moment.
struct ServerStats {
  std::uint64_t connections_accepted;
  std::uint64_t connections_refused;   // over connections_max, or connections_per_address_max
  std::uint64_t connections_open;
  std::uint64_t requests;
  std::uint64_t requests_refused;   // by the server itself, before any handler
  std::uint64_t timeouts;
  std::uint64_t bytes_in;
  std::uint64_t bytes_out;
};

struct ServerHooks {
  std::function<void(std::string_view request_id, std::string_view what)> on_handler_error;
  // Which resource the server runs out of, as a sentence. Called at most once a minute by each thread, for each resource.
  std::function<void(std::string_view what)> on_overload{};
};

class Server {
 public:
  Server(ServerOptions options, Handler& handler, ServerHooks hooks = {});
  ~Server();   // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds, listens and starts the threads. A port that another process uses is an error (std::system_error, address_in_use), even
  // if that process set SO_REUSEPORT.
  void start();

  // Stops accepting, closes idle connections, ends streamed answers, waits at most drain_timeout for answers to requests that have been
  // read (with `Connection: close`), then joins the threads. Safe to call twice, from any thread but the server's own. A handler that has
  // not returned by then is never resumed: whatever it waits for must be ended before the Server is destroyed.
  void stop();

  std::uint16_t port() const;
  ServerStats stats() const;

  // The io_context of thread `i` in [0, threads), to deliver something to a connection's thread.
  boost::asio::io_context& context(unsigned i);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}   // namespace holdfast::http
