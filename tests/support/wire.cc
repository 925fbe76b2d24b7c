#include "support/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace holdfast::test {
namespace {

constexpr std::size_t k_begin_bytes = 1'000;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// The bytes that have arrived; nothing: the other side is gone.
std::string read_some(int socket) {
  std::array<char, 65'536> buffer;
  ssize_t read = 0;
  do {
    read = ::recv(socket, buffer.data(), buffer.size(), 0);
  } while (read < 0 && errno == EINTR);
  return read <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(read));
}

// The position of the port in a URL with one host.
std::pair<std::size_t, std::size_t> place_of_port(std::string_view url) {
  const std::size_t host = url.find("://");
  const std::size_t path = url.find('/', host + 3);
  const std::size_t colon = url.rfind(':', path);
  if (host == std::string_view::npos || path == std::string_view::npos || colon <= host) {
    throw std::invalid_argument("no port in " + std::string(url));
  }
  return {colon + 1, path};
}

}  // namespace

std::uint16_t port_in(std::string_view url) {
  const auto [begin, end] = place_of_port(url);
  std::uint16_t port = 0;
  std::from_chars(url.data() + begin, url.data() + end, port);
  return port;
}

std::string with_port(std::string_view url, std::uint16_t port) {
  const auto [begin, end] = place_of_port(url);
  return std::string(url.substr(0, begin)) + std::to_string(port) + std::string(url.substr(end));
}

Wire::Wire(std::uint16_t server_port) : server_port_(server_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail("a wire cannot listen");
  }
  port_ = ntohs(address.sin_port);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("a wire cannot be woken");
  wake_read_ = ends[0];
  wake_write_ = ends[1];
  thread_ = std::thread([this] { run(); });
}

Wire::~Wire() {
  ends_ = true;
  wake();
  thread_.join();
  for (Pair& pair : pairs_) close(pair);
  ::close(listener_);
  ::close(wake_read_);
  ::close(wake_write_);
}

void Wire::cut_at(std::string_view text, Cut cut, bool and_all) {
  const std::scoped_lock lock(mutex_);
  cut_text_ = text;
  cut_ = cut;
  cut_all_then_ = and_all;
}

void Wire::cut_all() {
  const std::scoped_lock lock(mutex_);
  is_cut_ = true;
  for (Pair& pair : pairs_) pair.has_ended = true;
  wake();
}

void Wire::mend() {
  const std::scoped_lock lock(mutex_);
  is_cut_ = false;
}

void Wire::mute(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  for (Pair& pair : pairs_) pair.is_muted |= pair.begin.contains(text);
  wake();
}

void Wire::wake() {
  if (::write(wake_write_, "!", 1) != 1) fail("a wire cannot be woken");
}

void Wire::close(Pair& pair) {
  ::close(pair.client);
  ::close(pair.server);
}

void Wire::run() {
  while (!ends_) {
    std::vector<pollfd> sockets{{listener_, POLLIN, 0}, {wake_read_, POLLIN, 0}};
    std::vector<Pair*> pairs;
    {
      const std::scoped_lock lock(mutex_);
      for (auto pair = pairs_.begin(); pair != pairs_.end();) {
        if (pair->has_ended) {
          close(*pair);
          pair = pairs_.erase(pair);
          continue;
        }
        pairs.push_back(&*pair);
        sockets.push_back({pair->client, POLLIN, 0});
        sockets.push_back({pair->is_muted ? -1 : pair->server, POLLIN, 0});   // -1: ignored
        ++pair;
      }
    }
    if (::poll(sockets.data(), sockets.size(), -1) < 0 && errno != EINTR) fail("a wire cannot wait");
    if (sockets[1].revents != 0) {
      std::array<char, 64> woken;
      if (::read(wake_read_, woken.data(), woken.size()) < 0) fail("a wire cannot be woken");
    }
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (!pairs[i]->has_ended && sockets[2 + 2 * i].revents != 0) from_client(*pairs[i]);
      if (!pairs[i]->has_ended && !pairs[i]->is_muted && sockets[3 + 2 * i].revents != 0) from_server(*pairs[i]);
    }
    if (sockets[0].revents != 0) accept_one();
  }
}

// Call with the mutex, like the next two.
void Wire::accept_one() {
  Pair pair;
  pair.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (pair.client < 0) return;
  pair.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_port_);
  if (is_cut_ || ::connect(pair.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return close(pair);
  pairs_.push_back(std::move(pair));
}

void Wire::from_client(Pair& pair) {
  const std::string said = read_some(pair.client);
  pair.has_ended = said.empty();
  if (said.empty()) return;
  if (pair.begin.size() < k_begin_bytes) pair.begin += said;
  const bool is_cut_here = !cut_text_.empty() && said.contains(cut_text_);
  if (is_cut_here) {
    cut_text_.clear();
    ++cuts_;
    pair.has_ended = cut_ == Cut::request;
    pair.ends_with_answer = cut_ == Cut::answer;
    is_cut_ |= cut_all_then_;
    for (Pair& other : pairs_) other.has_ended |= cut_all_then_ && !other.ends_with_answer;
  }
  if (!pair.has_ended && !write_all(pair.server, said)) pair.has_ended = true;
}

void Wire::from_server(Pair& pair) {
  const std::string said = read_some(pair.server);
  pair.has_ended = said.empty() || pair.ends_with_answer || !write_all(pair.client, said);
}

}  // namespace holdfast::test
