// Every limit at its edge: the largest accepted value, and one more. Every timeout: late connections are ended.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "http/raw_client.h"
#include "http/transfer_time.h"
#include "support/waiting.h"

namespace holdfast::http::test {
namespace {

using namespace std::chrono_literals;

// Takes as many descriptors as a test wants, as far as the process may, until the end of the scope.
class Descriptors {
 public:
  explicit Descriptors(rlim_t wanted) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit more{.rlim_cur = std::max(wanted, before_.rlim_cur), .rlim_max = std::max(wanted, before_.rlim_max)};
    are_there_ = ::setrlimit(RLIMIT_NOFILE, &more) == 0;
  }
  ~Descriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  bool are_there() const { return are_there_; }

 private:
  rlimit before_{};
  bool are_there_ = false;
};

// Clients in a process of their own, so that their descriptors are not this one's. Make it before there are threads.
class OtherProcess {
 public:
  OtherProcess() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    child_ = ::fork();
    ::close(ends[child_ == 0 ? 0 : 1]);
    end_ = ends[child_ == 0 ? 1 : 0];
    if (child_ == 0) obey();
  }
  ~OtherProcess() {
    ::close(end_);
    EXPECT_EQ(::waitpid(child_, nullptr, 0), child_);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  // So many more connections, which stay open until the process ends. Returns how many could be made.
  std::size_t connect(std::uint16_t port, std::size_t connections) {
    Order order{.port = port, .connections = connections};
    EXPECT_EQ(::write(end_, &order, sizeof order), static_cast<ssize_t>(sizeof order));
    EXPECT_EQ(::read(end_, &order, sizeof order), static_cast<ssize_t>(sizeof order));
    return order.connections;
  }

 private:
  struct Order {
    std::uint16_t port;
    std::size_t connections;
  };

  // Only system calls: this is a copy of a process that may have had threads.
  [[noreturn]] void obey() const {
    for (Order order{}; ::read(end_, &order, sizeof order) == static_cast<ssize_t>(sizeof order);) {
      std::size_t made = 0;
      while (made < order.connections && is_connected(order.port)) ++made;
      order.connections = made;
      if (::write(end_, &order, sizeof order) < 0) break;
    }
    ::_exit(0);
  }
  static bool is_connected(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    return socket >= 0 && ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  int end_ = -1;
  pid_t child_ = -1;
};

std::string with_head_of(std::size_t bytes) {
  const std::string start = "GET /hello HTTP/1.1\r\nHost: h\r\nA: ";
  return start + std::string(bytes - start.size() - 4, 'a') + "\r\n\r\n";
}

TEST(Limit, OfHeaderBytes) {
  TestServer s;
  EXPECT_EQ(s.ask(with_head_of(8 * 1024))->status, 200U);
  const auto refused = s.ask(with_head_of(8 * 1024 + 1));
  EXPECT_EQ(refused->status, 431U);
  EXPECT_TRUE(refused->closes());
}

TEST(Limit, OfHeaderBytesHoldsForAHeaderThatNeverEnds) {
  TestServer s;
  Client client = s.connect();
  client.send(with_head_of(8 * 1024 + 4).substr(0, 8 * 1024));
  EXPECT_EQ(client.read()->status, 431U);
}

TEST(Limit, OfHeaderBytesCountsEachRequestAnew) {
  TestServer s;
  Client client = s.connect();
  client.send(with_head_of(5000) + with_head_of(5000) + with_head_of(8 * 1024));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.read()->status, 200U);
}

TEST(Limit, OfTargetBytes) {
  TestServer s;
  const auto target = [](std::size_t n) { return "/hello?" + std::string(n - 7, 'q'); };
  EXPECT_EQ(s.ask(get(target(4 * 1024)))->status, 200U);
  EXPECT_EQ(s.ask(get(target(4 * 1024 + 1)))->status, 414U);
  EXPECT_EQ(s.ask(get(target(20'000)))->status, 414U) << "also when the whole header is over its limit";
  EXPECT_EQ(s.ask("GET " + target(9'000))->status, 414U) << "also when the line has no end yet";
}

TEST(Limit, OfHeaderFields) {
  TestServer s;
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "A: b\r\n";
  EXPECT_EQ(s.ask("GET /hello HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n")->status, 200U);
  EXPECT_EQ(s.ask("GET /hello HTTP/1.1\r\nHost: h\r\n" + fields + "C: d\r\n\r\n")->status, 431U);
}

TEST(Limit, OfBodyBytesByLength) {
  TestServer s;
  EXPECT_EQ(s.ask(post("/echo", std::string(64 * 1024, 'b')))->status, 200U);
  EXPECT_EQ(s.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n")->status, 413U) << "at once, unread";
  EXPECT_EQ(s.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n")->status, 413U);
}

TEST(Limit, OfBodyBytesOfARoute) {
  TestServer s;
  EXPECT_EQ(s.ask(post("/small", "0123456789"))->status, 200U);
  EXPECT_EQ(s.ask(post("/small", "0123456789a"))->status, 413U);
  EXPECT_EQ(s.ask(chunked("/small", "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"))->status, 200U);
  EXPECT_EQ(s.ask(chunked("/small", "5\r\n01234\r\n6\r\n"))->status, 413U) << "when it is passed, not when it has come";
}

TEST(Limit, RefusalReachesAClientThatIsStillSending) {
  TestServer s;
  Client client = s.connect();
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n");
  client.send(std::string(400'000, 'b'));
  const auto answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 413U);
}

TEST(Limit, OfChunkExtensionsAndTrailers) {
  TestServer s;
  const std::string extension(10'000, 'x');
  const std::string trailer(6'000, 'y');
  EXPECT_EQ(s.ask(chunked("/echo", "1;" + extension + "\r\na\r\n0\r\nA: " + trailer + "\r\n\r\n"))->status, 200U);
  EXPECT_EQ(s.ask(chunked("/echo", "1;" + std::string(20'000, 'x') + "\r\na\r\n0\r\n\r\n"))->status, 431U);
  EXPECT_EQ(s.ask(chunked("/echo", "0\r\nA: " + std::string(20'000, 'x') + "\r\n\r\n"))->status, 431U);
}

TEST(Limit, OfConnectionsIsAnswered503AndDoesNotCountClosedOnes) {
  TestServer s({.connections_max = 2});
  Client first = s.connect();
  first.send(get("/hello"));
  EXPECT_TRUE(static_cast<bool>(first.read()));
  {
    Client second = s.connect();
    second.send(get("/hello"));
    EXPECT_TRUE(second.read());
    Client third = s.connect();
    const auto answer = third.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 503U);
    EXPECT_TRUE(answer->closes());
    EXPECT_TRUE(third.at_end());
    EXPECT_EQ(s.server.stats().connections_refused, 1U);
    EXPECT_EQ(s.server.stats().connections_open, 2U);
  }
  EXPECT_TRUE(eventually([&] { return s.server.stats().connections_open == 1; }));
  EXPECT_TRUE(s.serves());
}

TEST(Limit, OfConnectionsIsSixteenThousandUnlessItIsSet) {
  const std::size_t connections = holdfast::test::k_is_sanitized ? 2'000 : ServerOptions{}.connections_max;
  const std::size_t wanted = connections + 1'000;
  const Descriptors descriptors(wanted);
  if (!descriptors.are_there()) GTEST_SKIP() << "a process may not have " << wanted << " descriptors here";
  OtherProcess others;
  TestServer s({.connections_max = connections});
  Client first = s.connect();
  for (std::size_t open = 1; open < connections - 1;) {
    const std::size_t more = std::min<std::size_t>(connections - 1 - open, 1'000);   // the kernel's backlog takes as many
    ASSERT_EQ(others.connect(s.server.port(), more), more) << open;
    open += more;
    ASSERT_TRUE(eventually([&] { return s.server.stats().connections_open == open; })) << open;
  }
  Client last = s.connect();
  for (Client* each : {&first, &last}) {
    each->send(get("/hello"));
    EXPECT_EQ(each->read()->status, 200U);
  }
  EXPECT_EQ(s.ask(get("/hello"))->status, 503U);
  EXPECT_EQ(s.server.stats().connections_open, connections);
  EXPECT_EQ(s.server.stats().connections_refused, 1U);
  last.close();
  EXPECT_TRUE(eventually([&] { return s.server.stats().connections_open == connections - 1; }));
  EXPECT_TRUE(s.serves());
}

TEST(Limit, OfConnectionsAdmitsAnUrgentRequestThenClosesIt) {
  TestServer s({.connections_max = 1});
  Client first = s.connect();
  first.send(get("/hello"));
  ASSERT_EQ(first.read()->status, 200U);
  EXPECT_EQ(s.ask(get("/hello"))->status, 503U);
  Client urgent = s.connect();
  urgent.send("GET /hello HTTP/1.1\r\nHost: h\r\nX-Urgent: 1\r\n\r\n");
  const auto answer = urgent.read();
  EXPECT_EQ(answer->status, 200U);
  EXPECT_TRUE(answer->closes());
  EXPECT_TRUE(urgent.at_end());
  EXPECT_EQ(s.overloads(), 1) << "and it is said once";
}

// So many connections have their header read, to see whether a request is urgent. A silent one gives way to the next.
TEST(Limit, OfConnectionsMakesASilentOneGiveWay) {
  TestServer s({.connections_max = 1, .connections_over_max = 2});
  Client first = s.connect();
  first.send(get("/hello"));
  ASSERT_EQ(first.read()->status, 200U);
  Client silent = s.connect();
  Client silent_too = s.connect();
  Client urgent = s.connect();
  urgent.send("GET /hello HTTP/1.1\r\nHost: h\r\nX-Urgent: 1\r\n\r\n");
  EXPECT_EQ(urgent.read()->status, 200U);
  EXPECT_EQ(silent.read()->status, 503U);
  EXPECT_TRUE(silent.at_end());
  first.send(get("/hello"));
  EXPECT_EQ(first.read()->status, 200U);
}

TEST(Limit, OfConnectionsBeyondItIsSixtyFourAtOnceAndOneMoreIsRefusedUnheard) {
  constexpr std::size_t k_over = 64;
  constexpr std::string_view k_urgent = "GET /held HTTP/1.1\r\nHost: h\r\nX-Urgent: 1\r\n\r\n";
  TestServer s({.connections_max = 1});
  Client first = s.connect();
  first.send(get("/hello"));
  ASSERT_EQ(first.read()->status, 200U);
  std::vector<Client> urgent;
  for (std::size_t i = 0; i < k_over; ++i) {
    urgent.push_back(s.connect());
    urgent.back().send(k_urgent);
  }
  s.handler.gate.wait_for_waiters(k_over);   // none of them can give way
  EXPECT_EQ(s.ask(k_urgent)->status, 503U);
  s.handler.gate.open();
  for (Client& each : urgent) EXPECT_EQ(each.read()->status, 200U);
}

TEST(Limit, OfConnectionsBeyondItHasASecondForItsHeader) {
  TestServer s({.connections_max = 1});
  Client first = s.connect();
  first.send(get("/hello"));
  ASSERT_EQ(first.read()->status, 200U);
  for (const std::string_view beginning : {"", "GET /hello HTTP/1.1\r\nX-Urg"}) {
    const auto began = std::chrono::steady_clock::now();
    Client slow = s.connect();
    slow.send(beginning);
    EXPECT_EQ(slow.read()->status, 503U);
    EXPECT_GE(std::chrono::steady_clock::now() - began, 900ms) << beginning;   // the server looks at its clock now and then
  }
}

// Files take descriptors too, so a connection within its limit may find none left.
TEST(Limit, OfDescriptorsIsAnswered503ByTheSpareOne) {
  if (holdfast::test::k_is_sanitized)
    GTEST_SKIP() << "a sanitizer looks at memory with descriptors of its own, and takes one that it cannot have for a finding";
  TestServer s;
  Client first, second;   // they have their descriptors already
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  const rlimit none_left{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0);
  for (Client* each : {&first, &second}) {
    each->connect(s.server.port());
    const auto answer = each->read();
    EXPECT_EQ(answer->status, 503U);
    EXPECT_TRUE(answer->closes());
  }
  EXPECT_EQ(s.overloads(), 1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(s.serves());
}

TEST(Limit, OfConnectionsOfOneAddress) {
  TestServer s({.connections_per_address_max = 2});
  {
    Client first = s.connect();
    Client second = s.connect();
    for (Client* each : {&first, &second}) {
      each->send(get("/hello"));
      ASSERT_EQ(each->read()->status, 200U);
    }
    for (int i = 0; i < 3; ++i) {
      const auto refused = s.ask(get("/hello"));
      EXPECT_EQ(refused->status, 503U);
      EXPECT_TRUE(refused->closes());
    }
    EXPECT_EQ(s.overloads(), 1) << "said in the log, and not for each connection";
  }
  EXPECT_TRUE(eventually([&] { return s.server.stats().connections_open == 0; }));
  EXPECT_TRUE(s.serves());
}

TEST(Limit, RefusedConnectionsOfOneAddressTakeNoPlaceFromOthers) {
  TestServer s({.connections_max = 2, .connections_per_address_max = 1});
  Client first = s.connect();
  first.send(get("/hello"));
  ASSERT_EQ(first.read()->status, 200U);
  std::vector<Client> refused;
  for (int i = 0; i < 5; ++i) {
    refused.push_back(s.connect());
    EXPECT_EQ(refused.back().read()->status, 503U);   // without having sent a request
    EXPECT_TRUE(refused.back().at_end());
  }
  const auto stats = s.server.stats();
  EXPECT_EQ(stats.connections_open, 1U) << "none of them waits for its client to go";
  EXPECT_EQ(stats.connections_refused, 5U);
}

// The first half second is covered by the silence timeout; after that, 1,024 bytes a second would be needed.
TEST(Timeout, OfABodyIsNotExtendedForEverByBytesThatTrickle) {
  TestServer s({.body_timeout = 500ms});
  for (const char* target : {"/echo", "/stream"}) {
    Client client = s.connect();
    client.send("POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n");
    const auto until = std::chrono::steady_clock::now() + 8s;
    const auto refused = s.server.stats().timeouts;
    while (s.server.stats().timeouts == refused && std::chrono::steady_clock::now() < until) {
      client.send("a");
      std::this_thread::sleep_for(5ms);   // 200 bytes a second: the pace is what is tested
    }
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 408U) << target;
  }
}

TEST(TransferTime, Is30SecondsAndOneMoreForEach1024BytesOfABodyAnd4096OfAnAnswer) {
  const ServerOptions options;
  const auto of_body = [&](std::uint64_t moved) { return transfer_time(options.body_timeout, moved, options.body_bytes_per_second_min); };
  const auto of_answer = [&](std::uint64_t moved) {
    return transfer_time(options.write_timeout, moved, options.answer_bytes_per_second_min);
  };
  EXPECT_EQ(of_body(0), 30s);
  EXPECT_EQ(of_body(100 * 1'024 - 1), 129s);
  EXPECT_EQ(of_body(100 * 1'024), 130s);
  EXPECT_EQ(of_answer(100 * 4'096 - 1), 129s);
  EXPECT_EQ(of_answer(100 * 4'096), 130s);
}

TEST(Timeout, OfWritingEndsAClientThatReadsALittleNowAndThen) {
  TestServer s({.answer_bytes_per_second_min = 1'000'000'000, .write_timeout = 500ms});
  Client client = s.connect(4096);
  client.send(get("/big?50000000"));
  std::size_t taken = 0;
  EXPECT_TRUE(eventually([&] {
    taken += client.read_bytes(1'000).size();
    std::this_thread::sleep_for(1ms);   // its pace: a megabyte a second at most
    return s.server.stats().connections_open == 0;
  }));
  EXPECT_EQ(s.server.stats().timeouts, 1U);
  EXPECT_LT(taken, 50'000'000U);
}

TEST(Timeout, OfAHeaderIsAnswered408) {
  TestServer s({.header_timeout = 50ms});
  Client client = s.connect();
  client.send("GET /hel");
  const auto answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408U);
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(s.server.stats().timeouts, 1U);
  EXPECT_TRUE(s.serves());
}

TEST(Timeout, OfAHeaderIsNotExtendedByBytesThatTrickle) {
  TestServer s({.header_timeout = 100ms});
  Client client = s.connect();
  client.send("GET /hello HTTP/1.1\r\nA: ");
  const auto start = std::chrono::steady_clock::now();
  while (client.send("a") && s.server.stats().timeouts == 0 && std::chrono::steady_clock::now() - start < 10s) {}
  EXPECT_TRUE(eventually([&] { return s.server.stats().requests_refused == 1 && s.server.stats().connections_open <= 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 8s);
}

TEST(Timeout, OfABodyIsAnswered408) {
  TestServer s({.body_timeout = 50ms});
  for (const char* target : {"/echo", "/stream"}) {
    Client client = s.connect();
    client.send("POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 408U);
    EXPECT_TRUE(answer->closes());
  }
}

TEST(Timeout, OfAnIdleConnectionClosesItSilently) {
  TestServer s({.idle_timeout = 50ms});
  Client never_asked = s.connect();
  EXPECT_TRUE(never_asked.at_end());
  Client client = s.connect();
  client.send(get("/hello"));
  EXPECT_EQ(client.read()->status, 200U);
  EXPECT_TRUE(client.at_end());
}

TEST(Timeout, DoesNotEndAHandler) {
  TestServer s({.header_timeout = 20ms, .body_timeout = 20ms, .idle_timeout = 20ms, .write_timeout = 20ms});
  Client client = s.connect();
  client.send(get("/held"));
  s.handler.gate.wait_for_waiters(1);
  Client idle = s.connect();
  EXPECT_TRUE(idle.at_end());   // a timeout has certainly passed meanwhile
  s.handler.gate.open();
  EXPECT_EQ(client.read()->status, 200U);
}

TEST(Timeout, OfWritingEndsAClientThatDoesNotRead) {
  TestServer s({.write_timeout = 50ms});
  Client client = s.connect(4096);
  client.send(get("/big?50000000"));
  EXPECT_TRUE(eventually([&] { return s.server.stats().timeouts == 1 && s.server.stats().connections_open == 0; }));
  EXPECT_LT(client.read_to_end().size(), 50'000'000U);
}

// The kernel's own buffer would grow to megabytes for each of them.
TEST(Limit, OfBytesThatTheKernelKeepsOfALargeAnswerIsHalfAMebibyte) {
  TestServer s({.write_timeout = 50ms});
  Client client = s.connect(4096);
  client.send(get("/big?50000000"));
  ASSERT_TRUE(eventually([&] { return s.server.stats().timeouts == 1 && s.server.stats().connections_open == 0; }));
  EXPECT_LE(s.server.stats().bytes_out, 512U * 1024) << "nothing was read but what the client's own buffer took";
}

TEST(Timeout, OfWritingDoesNotEndAClientThatReadsSlowly) {
  TestServer s({.write_timeout = 2000ms});
  Client client = s.connect(4096);
  client.send(get("/big?3000000"));
  EXPECT_EQ(client.read()->body.size(), 3'000'000U);
}

}  // namespace
}  // namespace holdfast::http::test
