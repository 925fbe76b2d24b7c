// A client that sends given bytes and reads answers; and the server and handler for the tests.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace holdfast::http::test {

struct Answer {
  unsigned status = 0;
  std::map<std::string, std::string> headers;   // names in lower case
  std::string body;

  explicit operator bool() const { return status != 0; }   // false: the connection ended before an answer was whole
  const Answer* operator->() const { return this; }
  bool closes() const { return headers.contains("connection") && headers.at("connection") == "close"; }
};

// One TCP connection to 127.0.0.1. A step that takes longer than ten seconds fails the test instead of hanging it.
class Client {
 public:
  Client();                             // not connected yet
  explicit Client(std::uint16_t port, int receive_buffer_bytes = 0);
  void connect(std::uint16_t port);
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;

  bool send(std::string_view bytes);   // false: the server has closed
  void half_close();
  void close();                        // at once, with RST
  bool wait_readable();

  // The next answer. `to_head`: it has no body, whatever its headers say.
  Answer read(bool to_head = false);
  bool at_end();                       // waits; true if the server closes without another byte
  std::string read_to_end();
  std::string read_bytes(std::size_t n);   // fewer: the connection has ended

 private:
  bool more();

  int fd_;
  std::string buffer_;
};

// Holds handlers until a test lets them go, from another thread.
class Gate {
 public:
  boost::asio::awaitable<void> wait();   // for handlers
  void wait_for_waiters(std::size_t n);
  void open();                           // for waiting handlers and all later ones
  void abandon();                        // waiting handlers are never resumed

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<std::function<void()>>> waiters_;
  bool open_ = false;
};

// GET /hello           "hello"                     * /echo            the body
// * /show              how the request was read    GET /held          as /hello, once the gate is open
// * /stream            the streamed body's length and sum
// * /stream-catch      the same, but 299 if it cannot be read
// * /stream-ignore     "ignored", body unread      GET /throw, /throw-odd
// GET /big?n           n bytes                     GET /bad-header, /bad-status, /no-content, /close
// * /small             as /echo, bytes_max 10      GET /client        who asks
// With X-Urgent a request is urgent.
class TestHandler : public Handler {
 public:
  BodyRule body_rule(const Request& request) override;
  bool is_urgent(const Request& request) override;
  boost::asio::awaitable<void> handle(Request& request, Response& response) override;

  Gate gate;

 private:
  static boost::asio::awaitable<void> stream(Request& request, Response& response);
};

// A server on a free port. Its errors from handlers are kept.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {});
  ~TestServer();

  Client connect(int receive_buffer_bytes = 0) const { return Client(server.port(), receive_buffer_bytes); }
  Answer ask(std::string_view bytes) const;   // on a connection of its own
  bool serves() const;                                       // whether it still answers correctly
  std::vector<std::string> errors() const;
  int overloads() const;   // how many it has reported

  TestHandler handler;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> errors_;
  int overloads_ = 0;

 public:
  Server server;
};

// Waits for a condition that another thread brings about.
bool eventually(const std::function<bool()>& condition);

inline std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n"; }
std::string post(std::string_view target, std::string_view body);
std::string chunked(std::string_view target, std::string_view raw_body);

}  // namespace holdfast::http::test
