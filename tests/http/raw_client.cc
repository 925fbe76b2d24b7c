#include "http/raw_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace holdfast::http::test {

namespace asio = boost::asio;

namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

unsigned number(std::string_view s) {
  unsigned n = 0;
  std::from_chars(s.data(), s.data() + s.size(), n);
  return n;
}

Answer parse(std::string_view head) {
  Answer answer;
  answer.status = number(head.substr(9, 3));
  for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
    const std::size_t end = head.find("\r\n", at);
    const auto line = head.substr(at, end - at);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) break;
    EXPECT_TRUE(answer.headers.emplace(lower(line.substr(0, colon)), line.substr(colon + 2)).second) << "twice: " << line;
    at = end + 2;
  }
  return answer;
}

}  // namespace

Client::Client() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval ten_seconds{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &ten_seconds, sizeof ten_seconds);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &ten_seconds, sizeof ten_seconds);
}

Client::Client(std::uint16_t port, int receive_buffer_bytes) : Client() {
  if (receive_buffer_bytes > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  connect(port);
}

void Client::connect(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect");
  }
}

Client::~Client() {
  if (fd_ >= 0) ::close(fd_);
}

Client::Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Client::half_close() { ::shutdown(fd_, SHUT_WR); }

void Client::close() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(fd_, -1));
}

bool Client::wait_readable() {
  pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, 10'000) == 1;
}

bool Client::more() {
  char bytes[16 * 1024];
  const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

Answer Client::read(bool to_head) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return {};
  }
  Answer answer = parse(std::string_view(buffer_).substr(0, end + 4));
  std::size_t size = 0;
  if (!to_head && answer.headers.contains("content-length")) size = number(answer.headers.at("content-length"));
  while (buffer_.size() < end + 4 + size) {
    if (!more()) return {};
  }
  answer.body = buffer_.substr(end + 4, size);
  buffer_.erase(0, end + 4 + size);
  return answer;
}

bool Client::at_end() {
  char byte = 0;
  return buffer_.empty() && ::recv(fd_, &byte, 1, 0) == 0;
}

std::string Client::read_to_end() {
  while (more()) {}
  return std::exchange(buffer_, {});
}

std::string Client::read_bytes(std::size_t n) {
  while (buffer_.size() < n && more()) {}
  std::string bytes = buffer_.substr(0, n);
  buffer_.erase(0, bytes.size());
  return bytes;
}

asio::awaitable<void> Gate::wait() {
  {
    const std::lock_guard lock(mutex_);
    if (open_) co_return;
  }
  const auto initiate = [this](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto resume = std::make_shared<std::function<void()>>([shared] {
      const auto executor = asio::get_associated_executor(*shared);
      asio::post(executor, std::move(*shared));
    });
    const std::lock_guard lock(mutex_);
    waiters_.push_back(std::move(resume));
    changed_.notify_all();
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(initiate, asio::use_awaitable);
}

void Gate::wait_for_waiters(std::size_t n) {
  std::unique_lock lock(mutex_);
  ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10), [&] { return waiters_.size() >= n; }));
}

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  for (const auto& waiter : waiters_) (*waiter)();
  waiters_.clear();
}

void Gate::abandon() {
  const std::lock_guard lock(mutex_);
  waiters_.clear();
}

BodyRule TestHandler::body_rule(const Request& request) {
  if (request.path == "/small") return {.bytes_max = 10};
  return {.bytes_max = 0, .streams = request.path.starts_with("/stream")};
}

bool TestHandler::is_urgent(const Request& request) { return request.header("X-Urgent") != nullptr; }

asio::awaitable<void> TestHandler::handle(Request& request, Response& response) {
  const std::string_view path = request.path;
  response.status = 200;
  response.content_type = "text/plain";
  if (path == "/hello") {
    response.body = "hello";
  } else if (path == "/echo" || path == "/small") {
    response.body = request.body;
  } else if (path == "/show") {
    response.body = std::string(request.method) + "|" + std::string(request.path) + "|" + std::string(request.query);
    for (const Header& h : request.headers) response.body += "|" + std::string(h.name) + "=" + std::string(h.value);
  } else if (path == "/client") {
    response.body = request.client().to_string();
  } else if (path == "/held") {
    co_await gate.wait();
    response.body = std::string(request.target) + " " + std::string(*request.header("hOST"));   // from the buffer, still there
  } else if (path == "/stream") {
    co_await stream(request, response);
  } else if (path == "/stream-catch") {
    try {
      co_await stream(request, response);
    } catch (const boost::system::system_error&) {
      response.status = 299;
    }
  } else if (path == "/stream-ignore") {
    response.body = "ignored";
  } else if (path == "/throw") {
    throw std::runtime_error("thrown on purpose");
  } else if (path == "/throw-odd") {
    throw 42;
  } else if (path == "/big") {
    response.body.assign(number(request.query), 'b');
  } else if (path == "/bad-header") {
    response.headers.emplace_back("X-Good", "fine");
    response.headers.emplace_back("X-Bad", "a\r\nX-Injected: 1");
    response.headers.emplace_back("Content-Length", "99");
  } else if (path == "/bad-status") {
    response.status = 101;
  } else if (path == "/no-content") {
    response.status = 204;
    response.body = "must not be sent";
  } else if (path == "/close") {
    response.close = true;
  } else {
    response.status = 404;
  }
}

asio::awaitable<void> TestHandler::stream(Request& request, Response& response) {
  const std::string path(request.path);
  std::size_t size = 0;
  std::uint64_t sum = 0;
  for (;;) {
    const std::string_view part = co_await request.read_body();
    if (part.empty()) break;
    size += part.size();
    for (const char c : part) sum = sum * 31 + static_cast<unsigned char>(c);
  }
  EXPECT_EQ(path, request.path) << "the request's views stay valid while its body is read";
  response.body = std::to_string(size) + " " + std::to_string(sum);
}

TestServer::TestServer(ServerOptions options)
    : server(std::move(options), handler,
             {.on_handler_error =
                  [this](std::string_view, std::string_view what) {
                    const std::lock_guard lock(mutex_);
                    errors_.emplace_back(what);
                  },
              .on_overload =
                  [this](std::string_view) {
                    const std::lock_guard lock(mutex_);
                    ++overloads_;
                  }}) {
  server.start();
}

TestServer::~TestServer() {
  handler.gate.open();
  server.stop();
}

Answer TestServer::ask(std::string_view bytes) const {
  Client client = connect();
  client.send(bytes);
  return client.read();
}

bool TestServer::serves() const {
  const auto answer = ask(get("/hello"));
  return answer && answer->status == 200 && answer->body == "hello";
}

std::vector<std::string> TestServer::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

int TestServer::overloads() const {
  const std::lock_guard lock(mutex_);
  return overloads_;
}

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

std::string post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

std::string chunked(std::string_view target, std::string_view raw_body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(raw_body);
}

}  // namespace holdfast::http::test
