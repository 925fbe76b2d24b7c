#include "lock/fake_redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "support/waiting.h"

namespace holdfast::test {
namespace {

// Takes one command, an array of bulk strings, off `input`. Returns its first word; nothing while it is incomplete.
std::optional<std::string> take_command(std::string& input) {
  std::size_t at = 0;
  const auto number = [&](char kind) -> std::optional<std::size_t> {
    const std::size_t end = input.find("\r\n", at);
    if (end == std::string::npos || input[at] != kind) return std::nullopt;
    const std::size_t value = std::stoul(input.substr(at + 1, end - at - 1));
    at = end + 2;
    return value;
  };
  const auto words = number('*');
  std::string name;
  for (std::size_t i = 0; words && i < *words; ++i) {
    const auto size = number('$');
    if (!size || input.size() < at + *size + 2) return std::nullopt;
    if (i == 0) name = input.substr(at, *size);
    at += *size + 2;
  }
  if (!words) return std::nullopt;
  input.erase(0, at);
  return name;
}

}  // namespace

void Wire::say(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;   // the other end is gone; its reaction to that is under test
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Wire::wait_until_closed() const {
  pollfd more{.fd = socket_, .events = POLLIN, .revents = 0};
  // Reads what still arrives, up to the end of the connection.
  for (char bytes[4'096]; ::poll(&more, 1, static_cast<int>(k_patience.count())) > 0;) {
    if (::recv(socket_, bytes, sizeof bytes, 0) <= 0) return;
  }
}

void Wire::close() const { ::shutdown(socket_, SHUT_RDWR); }

FakeRedis::FakeRedis() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, any, size) != 0 || ::listen(listener_, 16) != 0 || ::getsockname(listener_, any, &size) != 0) {
    throw std::system_error(errno, std::system_category(), "a listening socket");
  }
  port_ = ntohs(address.sin_port);
  on("PING", [](Wire& wire) { wire.say("+PONG\r\n"); });
  on("SET", [](Wire& wire) { wire.say("+OK\r\n"); });
  on("EVALSHA", [](Wire& wire) { wire.say(":0\r\n"); });
  thread_ = std::thread([this] { run(); });
}

FakeRedis::~FakeRedis() {
  ends_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  if (const int socket = serving_; socket >= 0) ::shutdown(socket, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

void FakeRedis::on(const std::string& command, Answer answer) {
  const std::scoped_lock lock(mutex_);
  answers_[command] = std::move(answer);
}

std::size_t FakeRedis::commands(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto at = counts_.find(name);
  return at == counts_.end() ? 0 : at->second;
}

void FakeRedis::run() {
  while (!ends_) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    ++connections_;
    serving_ = socket;
    if (!ends_) serve(socket);
    serving_ = -1;
    ::close(socket);
  }
}

void FakeRedis::serve(int socket) {
  Wire wire(socket);
  std::string input;
  for (char bytes[4'096];;) {
    const ssize_t got = ::recv(socket, bytes, sizeof bytes, 0);
    if (got <= 0) return;
    input.append(bytes, static_cast<std::size_t>(got));
    while (const auto command = take_command(input)) answer(*command, wire);
  }
}

void FakeRedis::answer(const std::string& command, Wire& wire) {
  Answer answer;
  {
    const std::scoped_lock lock(mutex_);
    ++counts_[command];
    answer = answers_[command];
  }
  if (answer) answer(wire);
}

}  // namespace holdfast::test
