#include "support/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ostream>

#include "support/recorder.h"

namespace holdfast::test {
namespace {

bool same_name(std::string_view a, std::string_view b) { return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0; }

const std::string* find(const Headers& headers, std::string_view name) {
  for (const auto& [header, value] : headers) {
    if (same_name(header, name)) return &value;
  }
  return nullptr;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// The status line and the fields of `head`, which ends before the empty line.
Answer parse_head(std::string_view head) {
  Answer answer;
  const std::string_view line = head.substr(0, head.find("\r\n"));
  if (!line.starts_with("HTTP/1.1 ") || std::from_chars(line.data() + 9, line.data() + line.size(), answer.status).ec != std::errc{}) {
    throw std::runtime_error("not an HTTP/1.1 answer: " + std::string(head));
  }
  for (std::size_t at = line.size() + 2; at < head.size();) {
    const std::size_t end = std::min(head.find("\r\n", at), head.size());
    const std::string_view field = head.substr(at, end - at);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) throw std::runtime_error("not a header field: " + std::string(field));
    answer.headers.emplace_back(field.substr(0, colon), trimmed(field.substr(colon + 1)));
    at = end + 2;
  }
  return answer;
}

std::size_t body_bytes(const Answer& answer) {
  if (answer.status < 200 || answer.status == 204 || answer.status == 304) return 0;
  const std::string* const length = find(answer.headers, "Content-Length");
  if (length == nullptr) throw std::runtime_error("an answer without Content-Length");
  return std::stoul(*length);
}

}  // namespace

bool Answer::has(std::string_view name) const { return find(headers, name) != nullptr; }

std::string Answer::header(std::string_view name) const {
  const std::string* const value = find(headers, name);
  return value == nullptr ? std::string{} : *value;
}

std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  out << answer.status;
  for (const auto& [name, value] : answer.headers) out << " | " << name << ": " << value;
  return out << " | " << answer.body;
}

std::string request_bytes(std::string_view method, std::string_view target, std::string_view body, const Headers& headers) {
  std::string bytes;
  bytes.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) bytes.append(name).append(": ").append(value).append("\r\n");
  };
  if (find(headers, "Host") == nullptr) add("Host", "localhost");
  if (!body.empty() && find(headers, "Content-Type") == nullptr) add("Content-Type", "application/json");
  const bool has_length = !body.empty() || method == "POST" || method == "PUT" || method == "PATCH";
  if (has_length && find(headers, "Content-Length") == nullptr) add("Content-Length", std::to_string(body.size()));
  for (const auto& [name, value] : headers) add(name, value);
  return bytes.append("\r\n").append(body);
}

Client::Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (socket_ < 0) throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    ::close(socket_);
    throw ConnectionLost("cannot connect to port " + std::to_string(port) + ": " + why);
  }
}

Client::~Client() {
  if (socket_ >= 0) ::close(socket_);
}

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), input_(std::move(other.input_)), conversation_(std::move(other.conversation_)) {}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(input_, other.input_);
  std::swap(conversation_, other.conversation_);
  return *this;
}

Answer Client::request(std::string_view method, std::string_view target, std::string_view body, const Headers& headers) {
  write(request_bytes(method, target, body, headers));
  Answer answer = read_answer();
  record(method, target, body, headers, answer);
  return answer;
}

void Client::write(std::string_view bytes) {
  conversation_.asks(bytes);
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) throw ConnectionLost(std::string("send: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool Client::fill() {
  pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
  if (::poll(&readable, 1, static_cast<int>(k_patience.count())) == 0) throw std::runtime_error("no answer in time; so far: " + input_);
  char part[16 * 1024];
  const ssize_t got = ::recv(socket_, part, sizeof part, 0);
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;   // a reset is an end too
  input_.append(part, static_cast<std::size_t>(got));
  return true;
}

std::optional<Answer> Client::try_read_answer() {
  std::size_t head_end = 0;
  while ((head_end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (fill()) continue;
    if (input_.empty()) return std::nullopt;
    throw ConnectionLost("the connection ended in the middle of an answer: " + input_);
  }
  Answer answer = parse_head(std::string_view(input_).substr(0, head_end));
  const std::size_t whole = head_end + 4 + body_bytes(answer);
  while (input_.size() < whole) {
    if (!fill()) throw ConnectionLost("the connection ended in the middle of an answer: " + input_);
  }
  answer.bytes = input_.substr(0, whole);
  answer.body = answer.bytes.substr(head_end + 4);
  input_.erase(0, whole);
  conversation_.hears(answer);
  return answer;
}

Answer Client::read_answer() {
  if (auto answer = try_read_answer()) return *std::move(answer);
  throw ConnectionLost("the connection ended before the answer");
}

bool Client::is_closed_by_server() { return input_.empty() && !fill(); }

void Client::end_writing() { ::shutdown(socket_, SHUT_WR); }

}  // namespace holdfast::test
