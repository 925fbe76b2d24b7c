// The targets of this program's own requests: addresses by their networks, and URLs by their form.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <netdb.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <memory>

#include "http/outgoing_client.h"

namespace {

constexpr const char* k_host_that_hangs = "hangs.example";
std::atomic<int> look_ups_that_hang{0};
std::atomic<bool> name_server_answers{false};

}  // namespace

// The system's resolver, except that for one name no name server seems to answer.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto system_call = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (host != nullptr && std::strcmp(host, k_host_that_hangs) == 0) {
    ++look_ups_that_hang;
    look_ups_that_hang.notify_all();
    name_server_answers.wait(false);
    --look_ups_that_hang;
    look_ups_that_hang.notify_all();
    return EAI_AGAIN;
  }
  return system_call(host, service, hints, found);
}

namespace holdfast::http {
namespace {

using testing::HasSubstr;

bool is_public(const char* address) { return is_public_address(boost::asio::ip::make_address(address)); }

// The first and the last address of each network, and their neighbours outside.
TEST(Outgoing, AddressesOfSpecialNetworksAreNotPublic) {
  for (const char* address : {"0.0.0.0",
                              "0.255.255.255",
                              "10.0.0.0",
                              "10.255.255.255",
                              "100.64.0.0",
                              "100.127.255.255",
                              "127.0.0.0",
                              "127.255.255.255",
                              "169.254.0.0",
                              "169.254.169.254",
                              "172.16.0.0",
                              "172.31.255.255",
                              "192.0.0.0",
                              "192.0.2.1",
                              "192.168.0.0",
                              "192.168.255.255",
                              "198.18.0.0",
                              "198.19.255.255",
                              "198.51.100.7",
                              "203.0.113.7",
                              "224.0.0.0",
                              "239.255.255.255",
                              "240.0.0.0",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::7f00:1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.1.2.3",
                              "64:ff9b::10.0.0.1",
                              "64:ff9b:1::1",
                              "100::1",
                              "2001::1",
                              "2001:db8::1",
                              "2002:a00:1::1",
                              "3fff::1",
                              "fc00::",
                              "fdff::1",
                              "fe80::1",
                              "febf::1",
                              "fec0::1",
                              "ff02::1",
                              "ffff::1"}) {
    EXPECT_FALSE(is_public(address)) << address;
  }
}

TEST(Outgoing, AddressesOfTheInternetArePublic) {
  for (const char* address :
       {"1.0.0.0",        "9.255.255.255",    "11.0.0.0",       "100.63.255.255",  "100.128.0.0",  "126.255.255.255",
        "128.0.0.0",      "169.253.255.255",  "169.255.0.0",    "172.15.255.255",  "172.32.0.0",   "192.167.255.255",
        "192.169.0.0",    "198.17.255.255",   "198.20.0.0",     "223.255.255.255", "2606:4700::1", "2a00:1450:4001::1",
        "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
    EXPECT_TRUE(is_public(address)) << address;
  }
}

TEST(Outgoing, AUrlIsSplitIntoItsParts) {
  const auto plain = parse_outgoing_url("HTTP://x");
  EXPECT_FALSE(plain) << "the scheme is written in lower case";
  const auto full = parse_outgoing_url("https://Hooks.Example.org:8443/a/b?c=d&e");
  ASSERT_TRUE(full) << full.error();
  EXPECT_TRUE(full->tls);
  EXPECT_EQ(full->host, "hooks.example.org");
  EXPECT_EQ(full->port, 8443);
  EXPECT_EQ(full->target, "/a/b?c=d&e");
  const auto bare = parse_outgoing_url("http://example.org?x");
  ASSERT_TRUE(bare) << bare.error();
  EXPECT_FALSE(bare->tls);
  EXPECT_EQ(bare->port, 80);
  EXPECT_EQ(bare->target, "/?x");
  const auto v6 = parse_outgoing_url("https://[2001:DB8::1]:444");
  ASSERT_TRUE(v6) << v6.error();
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_EQ(v6->port, 444);
  EXPECT_EQ(v6->target, "/");
}

TEST(Outgoing, AnUrlHas2048BytesAndNoMore) {
  std::string url = "https://example.org/";
  url.resize(2'048, 'x');
  EXPECT_TRUE(parse_outgoing_url(url));
  EXPECT_FALSE(parse_outgoing_url(url + "x"));
}

TEST(Outgoing, AUrlThatIsAmbiguousOrHasMoreThanAnAddressIsRefused) {
  for (const char* url : {"",
                          "x",
                          "//example.org/",
                          "ftp://example.org/",
                          "file:///etc/passwd",
                          "https:/example.org",
                          "https://",
                          "https:///x",
                          "https://?x",
                          "https://user@example.org/",
                          "https://user:word@example.org/",
                          "https://example.org@10.0.0.1/",
                          "https://example.org/#x",
                          "https://example.org:/",
                          "https://example.org:0/",
                          "https://example.org:65536/",
                          "https://example.org:-1/",
                          "https://example.org:8 0/",
                          "https://example.org:80:80/",
                          "https://exa mple.org/",
                          "https://example.org/a b",
                          "https://example.org/\r\nX: y",
                          "https://example.org\\@10.0.0.1/",
                          "https://ex%61mple.org/",
                          "https://ex\xC3\xA4mple.org/",
                          "https://[::1",
                          "https://[::1]x/",
                          "https://[fe80::1%25eth0]/",
                          "https://[127.0.0.1]/",
                          "https://[]/"}) {
    EXPECT_FALSE(parse_outgoing_url(url)) << url;
  }
  const std::string start = "https://example.org/";
  EXPECT_TRUE(parse_outgoing_url(start + std::string(k_outgoing_url_bytes_max - start.size(), 'x')));
  EXPECT_FALSE(parse_outgoing_url(start + std::string(k_outgoing_url_bytes_max + 1 - start.size(), 'x')));
}

// What the client makes of these bytes, and how long that took. Their server then sends `for_ever` again and again, or without it neither sends
// more nor closes.
struct Exchanged {
  OutgoingAnswer answer;
  std::chrono::steady_clock::duration took{};
};
Exchanged answered_with(const std::string& bytes, const std::string& for_ever = "") {
  namespace asio = boost::asio;
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  const std::string host = "127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  OutgoingClient client(context, {.allow_hosts = {host}});
  const auto serve = [&]() -> asio::awaitable<void> {
    asio::ip::tcp::socket peer = co_await acceptor.async_accept(asio::use_awaitable);
    std::string request;
    std::array<char, 1> none;
    boost::system::error_code closed;
    co_await asio::async_read_until(peer, asio::dynamic_buffer(request), "{}", asio::use_awaitable);
    co_await asio::async_write(peer, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, closed));
    while (!for_ever.empty() && !closed) {
      co_await asio::async_write(peer, asio::buffer(for_ever), asio::redirect_error(asio::use_awaitable, closed));
    }
    co_await peer.async_read_some(asio::buffer(none), asio::redirect_error(asio::use_awaitable, closed));
  };
  Exchanged made;
  const auto post = [&]() -> asio::awaitable<void> {
    const auto began = std::chrono::steady_clock::now();
    made.answer = co_await client.post({.url = parse_outgoing_url("http://" + host + "/").value(), .headers = {}, .body = "{}"});
    made.took = std::chrono::steady_clock::now() - began;
  };
  asio::co_spawn(context, serve(), asio::detached);
  asio::co_spawn(context, post(), asio::detached);
  context.run();
  return made;
}

TEST(Outgoing, AnAnswersHeaderHasSixteenKibibytesAndNoMore) {
  const auto of = [](std::size_t bytes) {
    const std::string before = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: ";
    const std::string after = "\r\n\r\n";
    return before + std::string(bytes - before.size() - after.size(), 'x') + after;
  };
  EXPECT_EQ(answered_with(of(16 * 1'024)).answer.kind, OutgoingAnswer::Kind::answered);
  EXPECT_EQ(answered_with(of(16 * 1'024 + 1)).answer.kind, OutgoingAnswer::Kind::unreachable);
  std::string many = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  for (int i = 0; i < 10'000; ++i) many += "X-Short: short\r\n";
  EXPECT_EQ(answered_with(many + "\r\n").answer.kind, OutgoingAnswer::Kind::unreachable) << "nor in many fields";
}

// Of the first header each piece ends with the first byte of a field: all that is sent and read at once is a multiple of 8 bytes. Beast's parser
// takes all but this byte then, and so does not see how much it has taken. Of a longer rest it waits for the whole header.
TEST(Outgoing, AnAnswersHeaderWithoutEndFailsLongBeforeTheTimeout) {
  const std::string begin = "HTTP/1.1 200 All good\r\nX";
  ASSERT_EQ(begin.size() % 8, 0U);
  for (const char* for_ever : {": yes\r\nX", "x"}) {
    const Exchanged made = answered_with(begin, for_ever);
    EXPECT_EQ(made.answer.kind, OutgoingAnswer::Kind::unreachable) << for_ever;
    EXPECT_THAT(made.answer.error, HasSubstr("could not read the answer: header limit exceeded")) << for_ever;
    EXPECT_LT(made.took, OutgoingOptions{}.timeout / 2) << for_ever;
  }
}

// The client waits a second for the rest of a body that may still fit.
TEST(Outgoing, AnAnswersBodyIsReadUpToFourKibibytesAndNotAByteMore) {
  const auto of = [](std::size_t length, std::size_t sent) {
    return answered_with("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" + std::string(sent, 'x'));
  };
  const auto is_read_at_once = [&](std::size_t length, std::size_t sent) {
    bool is_quick = false;
    for (int tries = 0; tries < 10 && !is_quick; ++tries) {   // the machine may be busy
      const Exchanged made = of(length, sent);
      EXPECT_EQ(made.answer.status, 200U);
      is_quick = made.took < k_outgoing_body_time;
    }
    return is_quick;
  };
  EXPECT_TRUE(is_read_at_once(4 * 1'024, 4 * 1'024)) << "it is whole";
  const Exchanged at_most = of(4 * 1'024 + 1, 4 * 1'024);
  EXPECT_EQ(at_most.answer.status, 200U);
  EXPECT_GE(at_most.took, k_outgoing_body_time) << "one more byte may come";
  EXPECT_TRUE(is_read_at_once(1'024 * 1'024, 4 * 1'024 + 1)) << "the rest is of no interest";
}

// A webhook whose name server does not answer must not delay the end of the program.
TEST(Outgoing, AHangingLookUpIsAbandonedAtItsDeadlineAndByAStop) {
  OutgoingAnswer late;
  bool other_has_ended = false;
  auto context = std::make_unique<boost::asio::io_context>();
  auto client = std::make_unique<OutgoingClient>(*context, OutgoingOptions{.timeout = std::chrono::milliseconds(50)});
  const OutgoingUrl url = parse_outgoing_url("http://" + std::string(k_host_that_hangs) + "/").value();
  const auto post = [&]() -> boost::asio::awaitable<void> { late = co_await client->post({.url = url, .headers = {}, .body = "{}"}); };
  const auto look = [&]() -> boost::asio::awaitable<void> {
    co_await client->why_refused(url);
    other_has_ended = true;
  };
  boost::asio::co_spawn(*context, post(), boost::asio::detached);
  boost::asio::co_spawn(*context, look(), boost::asio::detached);
  while (late.error.empty()) context->run_one();
  EXPECT_EQ(late.kind, OutgoingAnswer::Kind::timed_out);
  for (int hang = look_ups_that_hang; hang < 2; hang = look_ups_that_hang) look_ups_that_hang.wait(hang);
  context.reset();
  client.reset();
  EXPECT_EQ(look_ups_that_hang, 2) << "nobody has waited for them";
  EXPECT_FALSE(other_has_ended);
  name_server_answers = true;
  name_server_answers.notify_all();
  for (int hang = look_ups_that_hang; hang > 0; hang = look_ups_that_hang) look_ups_that_hang.wait(hang);
}

}   // namespace
}   // namespace holdfast::http
