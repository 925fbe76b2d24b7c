// Listeners and a seller on one event of a server that runs: what the listeners cost the seller, and how late they learn of a sale.
//
//   bench_live PORT PID LISTENERS SECONDS ROUNDS       started by bench/live/run.sh
//
// The seller has 32 connections that hold a seat and release it, in turns with and without listeners, at full speed and at 1,000 changes a
// second. Lag: from the sending of a request to the message about its seat, at 50 of the listeners.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_seats = 20'000;
constexpr std::size_t k_connections = 32;
constexpr std::size_t k_sampled = 50;
const std::string k_event = "0e000000-0000-4000-8000-00000000bb01";

std::uint16_t port;

void must(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

int connected() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(fd >= 0, "socket");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    must(n > 0, "send");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::size_t whole_answer(const std::string& in) {   // its bytes; 0: not whole yet
  const std::size_t end = in.find("\r\n\r\n");
  const std::size_t length = in.find("Content-Length: ");
  if (end == std::string::npos || length > end) return 0;
  const std::size_t all = end + 4 + static_cast<std::size_t>(std::atoi(in.c_str() + length + 16));
  return in.size() >= all ? all : 0;
}

void create_event() {
  std::string body = R"({"id":")" + k_event + R"(","name":"Bench","categories":[{"name":"c"}],"seats":[)";
  for (std::size_t i = 0; i < k_seats; ++i) {
    body += (i > 0 ? "," : "") + std::string(R"({"id":"S)") + std::to_string(i) + R"(","section":"A","row":")" + std::to_string(i / 100) +
            R"(","number":")" + std::to_string(i % 100) + R"(","category":"c"})";
  }
  const int fd = connected();
  send_all(fd, post("/v1/events", body + "]}"));
  std::string in;
  char bytes[65'536];
  while (whole_answer(in) == 0) {
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    must(n > 0, "recv");
    in.append(bytes, static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (!in.starts_with("HTTP/1.1 201")) throw std::runtime_error("no event: " + in.substr(0, 300));
}

// What the seller last asked of each seat.
struct Asked {
  std::atomic<std::int64_t> at_ns{0};
  std::atomic<char> letter{'a'};
};
std::vector<Asked> asked(k_seats);

struct Rate {
  double per_second = 0;
  double p99_us = 0;
};

// 0: as fast as it goes.
Rate sell(double seconds, double changes_a_second) {
  struct Seller {
    int fd = -1;
    std::size_t seat = 0;
    std::string reservation, in;
    std::int64_t sent_ns = 0;
    bool waits = false;
  };
  std::vector<Seller> sellers(k_connections);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < sellers.size(); ++i) {
    sellers[i] = {.fd = connected(), .seat = i, .reservation = {}, .in = {}};
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    must(::epoll_ctl(poll, EPOLL_CTL_ADD, sellers[i].fd, &event) == 0, "epoll_ctl");
  }
  std::vector<double> latencies_us;
  std::size_t sent = 0;
  const auto began = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  const auto ask = [&](Seller& seller) {
    Asked& seat = asked[seller.seat];
    const bool releases = !seller.reservation.empty();
    seller.sent_ns = now_ns();
    seat.at_ns = seller.sent_ns;
    seat.letter = releases ? 'a' : 'h';
    send_all(seller.fd, releases ? post("/v1/reservations/" + seller.reservation + "/release", "")
                                 : post("/v1/reservations", R"({"customerId":"c","seatIds":["S)" + std::to_string(seller.seat) + "\"]}"));
    seller.waits = true;
    ++sent;
  };
  bool stopping = false;
  for (std::size_t waiting = 0; !stopping || waiting > 0;) {
    stopping = elapsed() > seconds;
    waiting = 0;
    for (Seller& seller : sellers) {
      const bool due = changes_a_second == 0 || static_cast<double>(sent) < elapsed() * changes_a_second;
      if (!seller.waits && ((!stopping && due) || (stopping && !seller.reservation.empty()))) ask(seller);
      waiting += seller.waits ? 1 : 0;
    }
    epoll_event events[k_connections];
    const int n = ::epoll_wait(poll, events, k_connections, 1);
    for (int i = 0; i < n; ++i) {
      Seller& seller = sellers[events[i].data.u64];
      char bytes[16'384];
      const ssize_t got = ::recv(seller.fd, bytes, sizeof bytes, 0);
      must(got > 0, "the server closed on the seller");
      seller.in.append(bytes, static_cast<std::size_t>(got));
      if (whole_answer(seller.in) == 0) continue;
      latencies_us.push_back(static_cast<double>(now_ns() - seller.sent_ns) / 1e3);
      if (seller.reservation.empty()) {
        if (!seller.in.starts_with("HTTP/1.1 201")) throw std::runtime_error("not held: " + seller.in);
        seller.reservation = seller.in.substr(seller.in.find("{\"id\":\"") + 7, 36);
      } else {
        if (!seller.in.starts_with("HTTP/1.1 200")) throw std::runtime_error("not released: " + seller.in);
        seller.reservation.clear();
        seller.seat = (seller.seat + k_connections) % k_seats;
      }
      seller.in.clear();
      seller.waits = false;
    }
  }
  const double took = elapsed();
  for (const Seller& seller : sellers) ::close(seller.fd);
  ::close(poll);
  std::ranges::sort(latencies_us);
  return {static_cast<double>(latencies_us.size()) / took, latencies_us[latencies_us.size() * 99 / 100]};
}

class Listeners {
 public:
  explicit Listeners(std::size_t count) : poll_(::epoll_create1(EPOLL_CLOEXEC)), all_(count) {
    const std::string request = "GET /v1/events/" + k_event + "/live HTTP/1.1\r\nHost: b\r\n\r\n";
    for (std::size_t i = 0; i < count; ++i) {
      all_[i].fd = connected();
      send_all(all_[i].fd, request);
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      must(::epoll_ctl(poll_, EPOLL_CTL_ADD, all_[i].fd, &event) == 0, "epoll_ctl");
    }
    thread_ = std::thread([this] { read(); });
  }
  ~Listeners() {
    stop_ = true;
    thread_.join();
    for (const One& one : all_) ::close(one.fd);
    ::close(poll_);
  }

  void wait_for_snapshots() const {
    while (messages < all_.size() && closed == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::vector<double> take_lags_ms() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(lags_ms_, {});
  }

  std::atomic<std::uint64_t> messages = 0;
  std::atomic<std::uint64_t> closed = 0;

 private:
  struct One {
    int fd = -1;
    std::size_t matched = 0;   // of "\nid: ", which each message has once
    std::string text;          // of a sampled one
  };

  void read() {
    std::vector<char> bytes(256 * 1024);
    epoll_event events[512];
    while (!stop_) {
      const int n = ::epoll_wait(poll_, events, 512, 50);
      for (int i = 0; i < n; ++i) {
        const std::size_t which = events[i].data.u64;
        One& one = all_[which];
        const ssize_t got = ::recv(one.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (got <= 0) {
          ++closed;
          ::epoll_ctl(poll_, EPOLL_CTL_DEL, one.fd, nullptr);
          continue;
        }
        count(one, {bytes.data(), static_cast<std::size_t>(got)});
        if (which < k_sampled) sample(one, {bytes.data(), static_cast<std::size_t>(got)});
      }
    }
  }

  void count(One& one, std::string_view bytes) {
    static constexpr std::string_view k_mark = "\nid: ";
    std::uint64_t found = 0;
    if (one.matched == 0) {   // the usual case: a part begins where a message does
      const char* at = bytes.data();
      const char* const end = at + bytes.size();
      while ((at = static_cast<const char*>(::memmem(at, static_cast<std::size_t>(end - at), k_mark.data(), k_mark.size()))) != nullptr) {
        ++found;
        at += k_mark.size();
      }
    }
    messages += found;
  }

  void sample(One& one, std::string_view bytes) {
    one.text += bytes;
    const std::int64_t now = now_ns();
    const std::scoped_lock lock(mutex_);
    std::size_t end = 0;
    while ((end = one.text.find("\n\n")) != std::string::npos) {
      std::size_t at = one.text.find("\"seats\":[");
      if (at < end) {
        at += 8;
        while ((at = one.text.find('[', at + 1)) < end) {
          char* letter = nullptr;
          const std::size_t seat = std::strtoul(one.text.c_str() + at + 1, &letter, 10);
          if (seat < k_seats && asked[seat].letter == letter[2]) lags_ms_.push_back(static_cast<double>(now - asked[seat].at_ns) / 1e6);
        }
      }
      one.text.erase(0, end + 2);
    }
  }

  int poll_;
  std::vector<One> all_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<double> lags_ms_;
  std::thread thread_;
};

long rss_kb(const std::string& pid) {
  std::ifstream status("/proc/" + pid + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

double part(std::vector<double>& values, std::size_t percent) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, values.size() * percent / 100)];
}

void measure(std::size_t count, double seconds, double pace, const std::string& pid) {
  const Rate alone = sell(seconds, pace);
  const long before_kb = rss_kb(pid);
  Listeners listeners(count);
  listeners.wait_for_snapshots();
  const long idle_kb = rss_kb(pid);
  listeners.take_lags_ms();
  const std::uint64_t messages_before = listeners.messages;
  const Rate with = sell(seconds, pace);
  const double messages = static_cast<double>(listeners.messages - messages_before) / seconds;
  std::vector<double> lags = listeners.take_lags_ms();
  std::printf("%-6s %10.0f %8.0f %10.0f %8.0f %7.1f %% %10.0f %9.0f %9.0f %8ld %8ld %8.1f %6lu\n", pace == 0 ? "full" : "paced",
              alone.per_second, alone.p99_us, with.per_second, with.p99_us, 100 * (1 - with.per_second / alone.per_second), messages,
              part(lags, 50), part(lags, 99), before_kb / 1024, idle_kb / 1024,
              static_cast<double>(idle_kb - before_kb) / static_cast<double>(count), static_cast<unsigned long>(listeners.closed));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 6) throw std::runtime_error("bench_live PORT PID LISTENERS SECONDS ROUNDS");
  port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const std::size_t listeners = std::strtoul(argv[3], nullptr, 10);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  create_event();
  sell(1, 0);   // warm
  std::printf("%zu listeners\n%-6s %10s %8s %10s %8s %9s %10s %9s %9s %8s %8s %8s %6s\n", listeners, "seller", "alone /s", "p99 us",
              "with /s", "p99 us", "loss", "messages/s", "lag50 ms", "lag99 ms", "RSS MB", "with MB", "KB each", "closed");
  for (int round = 0; round < std::atoi(argv[5]); ++round) {
    for (const double pace : {0.0, 1'000.0}) measure(listeners, std::atof(argv[4]), pace, argv[2]);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_live: %s\n", error.what());
  return 1;
}
