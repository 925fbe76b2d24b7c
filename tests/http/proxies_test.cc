// The client behind proxies: trusted proxies may name it, others may not.
#include "http/proxies.h"

#include <gtest/gtest.h>

#include "http/raw_client.h"

namespace holdfast::http::test {
namespace {

using namespace std::chrono_literals;

boost::asio::ip::address address(const char* text) { return boost::asio::ip::make_address(text); }

TrustedProxies trusting(std::initializer_list<const char*> networks) {
  std::vector<Network> list;
  for (const char* each : networks) list.push_back(read_network(each).value());
  return TrustedProxies(std::move(list));
}

class AnyRequest final : public Request {
 public:
  explicit AnyRequest(std::vector<Header> fields) : fields_(std::move(fields)) { headers = fields_; }
  boost::asio::ip::address client() const override { return {}; }

 private:
  boost::asio::awaitable<std::string_view> read_body() override { co_return std::string_view{}; }
  std::vector<Header> fields_;
};

TEST(TrustedProxy, IsOneOfANetwork) {
  const TrustedProxies proxies = trusting({"10.0.0.0/8", "192.0.2.7", "2001:db8:1::/49"});
  for (const char* trusted : {"10.255.0.1", "192.0.2.7", "::ffff:10.0.0.1", "2001:db8:1:7fff::1"})
    EXPECT_TRUE(proxies.trusts(address(trusted))) << trusted;
  for (const char* other : {"11.0.0.1", "192.0.2.8", "2001:db8:1:8000::1", "::1", "0.0.0.0"})
    EXPECT_FALSE(proxies.trusts(address(other))) << other;
  for (const char* none : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "proxy", "::/129", "10.0.0.0/8/8", "10.0.0.0/-1", "fe80::1%lo"}) {
    EXPECT_FALSE(read_network(none)) << none;
  }
}

TEST(TrustedProxy, TheClientIsTheLastAddressThatIsNotAProxy) {
  const TrustedProxies proxies = trusting({"10.0.0.0/8"});
  const auto client = [&](const char* peer, std::vector<std::string_view> values) {
    std::vector<Header> fields{{"Host", "h"}};
    for (const std::string_view value : values) fields.push_back({"x-forwarded-FOR", value});
    return proxies.client_of(address(peer), AnyRequest(fields)).to_string();
  };
  EXPECT_EQ(client("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(client("10.0.0.1", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"1.1.1.1, 203.0.113.9 , 10.2.2.2"}), "203.0.113.9") << "what the client sent itself is in front";
  EXPECT_EQ(client("10.0.0.1", {"1.1.1.1", "203.0.113.9", "10.2.2.2"}), "203.0.113.9") << "in as many fields as there are";
  EXPECT_EQ(client("10.0.0.1", {"10.3.3.3,10.2.2.2"}), "10.3.3.3") << "none but proxies: the first";
  EXPECT_EQ(client("10.0.0.1", {"203.0.113.9, unknown, 10.2.2.2"}), "10.2.2.2") << "behind what cannot be read nothing is believed";
  EXPECT_EQ(client("10.0.0.1", {""}), "10.0.0.1");
  EXPECT_EQ(client("10.0.0.1", {"203.0.113.9:4711"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", {"[2001:db8::1]:4711"}), "2001:db8::1");
  EXPECT_EQ(client("10.0.0.1", {"2001:db8::1"}), "2001:db8::1");
  EXPECT_EQ(client("10.0.0.1", {"::ffff:203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("203.0.113.1", {"198.51.100.1"}), "203.0.113.1") << "anybody can send a header";
}

using State = ProxyHeader::State;

std::string v2(char command, char family, std::string_view rest) {
  std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
  bytes += command;
  bytes += family;
  bytes += static_cast<char>(rest.size() >> 8U);
  bytes += static_cast<char>(rest.size() & 0xFFU);
  return bytes.append(rest);
}

const std::string k_v2_of_ipv4 = v2('\x21', '\x11', std::string("\xCB\x00\x71\x09\xC6\x33\x64\x01\x12\x67\x01\xBB", 12));

TEST(ProxyProtocol, TellsTheClientInBothVersions) {
  const auto told = [](const std::string& bytes) {
    const ProxyHeader header = read_proxy_header(bytes + "GET / HTTP/1.1\r\n");
    EXPECT_EQ(header.state, State::complete);
    EXPECT_EQ(header.bytes, bytes.size());
    return header.client ? header.client->to_string() : "nobody";
  };
  EXPECT_EQ(told("PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n"), "203.0.113.9");
  EXPECT_EQ(told("PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n"), "2001:db8::9");
  EXPECT_EQ(told("PROXY UNKNOWN\r\n"), "nobody");
  EXPECT_EQ(told("PROXY UNKNOWN whatever\r\n"), "nobody");
  EXPECT_EQ(told(k_v2_of_ipv4), "203.0.113.9");
  EXPECT_EQ(told(v2('\x21', '\x21', std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x09" + std::string(20, '\0'))),
            "2001:db8::9");
  EXPECT_EQ(told(v2('\x21', '\x11', std::string("\xCB\x00\x71\x09\xC6\x33\x64\x01\x12\x67\x01\xBB", 12) + std::string(300, 't'))),
            "203.0.113.9");
  EXPECT_EQ(told(v2('\x20', '\0', "")), "nobody") << "the proxy's own: a health check";
}

TEST(ProxyProtocol, IsReadInAnyPiecesAndRefusedIfMalformed) {
  const std::string v1 = "PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n";
  for (const std::string& whole : {v1, k_v2_of_ipv4}) {
    for (std::size_t n = 0; n < whole.size(); ++n)
      EXPECT_EQ(read_proxy_header(std::string_view(whole).substr(0, n)).state, State::needs_more) << n;
  }
  for (const std::string& bad :
       {std::string("GET / HTTP/1.1\r\n"), std::string("PROXY TCP4 x y 1 2\r\n"), std::string("PROXY TCP5 1.1.1.1 1.1.1.1 1 2\r\n"),
        std::string("PROXY TCP4 1.1.1.1\r\n"), "PROXY UNKNOWN " + std::string(100, 'x'), v2('\x31', '\x11', std::string(12, '\0')),
        v2('\x22', '\x11', std::string(12, '\0')), v2('\x21', '\x11', "short"), v2('\x21', '\x11', std::string(3'000, '\0'))}) {
    EXPECT_EQ(read_proxy_header(bad).state, State::malformed) << bad;
  }
  const auto of_bytes = [](std::size_t bytes) { return v2('\x21', '\x11', std::string(bytes - 16, '\0')); };   // 16 before the addresses
  EXPECT_EQ(read_proxy_header(of_bytes(k_proxy_header_bytes_max)).state, State::complete);
  EXPECT_EQ(read_proxy_header(of_bytes(k_proxy_header_bytes_max + 1)).state, State::malformed);
}

// ---- over sockets: the tests are on 127.0.0.1

TEST(ProxyProtocol, OfATrustedProxyBeginsAConnectionAndIsAskedFor) {
  TestServer s({.trusted_proxies = {*read_network("127.0.0.1")}, .proxy_protocol = true, .header_timeout = 200ms});
  Client client = s.connect();
  client.send("PROXY TCP4 203.0.");
  client.send("113.9 127.0.0.1 4711 443\r\n" + get("/client"));
  EXPECT_EQ(client.read()->body, "203.0.113.9");
  client.send(get("/client"));
  EXPECT_EQ(client.read()->body, "203.0.113.9");
  EXPECT_EQ(s.ask(k_v2_of_ipv4 + "GET /client HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n")->body, "203.0.113.9")
      << "whom it names is no proxy, and can say what he likes";
  EXPECT_EQ(s.ask(get("/client"))->status, 400U);
  Client silent = s.connect();
  EXPECT_TRUE(silent.at_end());
}

TEST(ProxyProtocol, FromAnUntrustedPeerIsRefused) {
  TestServer s({.trusted_proxies = {*read_network("192.0.2.1")}, .proxy_protocol = true});
  EXPECT_EQ(s.ask("PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n" + get("/client"))->status, 400U);
  EXPECT_EQ(s.ask(get("/client"))->body, "127.0.0.1");
}

TEST(ProxyProtocol, ConnectionsCountForTheClientThatItNames) {
  TestServer s({.connections_per_address_max = 1, .trusted_proxies = {*read_network("127.0.0.1")}, .proxy_protocol = true});
  const auto hello = [&](const std::string& client) { return "PROXY TCP4 " + client + " 127.0.0.1 4711 443\r\n" + get("/hello"); };
  Client first = s.connect();
  first.send(hello("203.0.113.9"));
  ASSERT_EQ(first.read()->status, 200U);
  EXPECT_EQ(s.ask(hello("203.0.113.9"))->status, 503U);
  EXPECT_EQ(s.ask(hello("203.0.113.10"))->status, 200U);
}

TEST(ProxyProtocol, RefusedConnectionsOfOneClientTakeNoPlaceFromOthers) {
  TestServer s(
      {.connections_max = 2, .connections_per_address_max = 1, .trusted_proxies = {*read_network("127.0.0.1")}, .proxy_protocol = true});
  const auto hello = [&](const std::string& client) { return "PROXY TCP4 " + client + " 127.0.0.1 4711 443\r\n" + get("/hello"); };
  Client first = s.connect();
  first.send(hello("203.0.113.9"));
  ASSERT_EQ(first.read()->status, 200U);
  std::vector<Client> refused;
  for (int i = 0; i < 5; ++i) {
    refused.push_back(s.connect());
    refused.back().send(hello("203.0.113.9"));
    EXPECT_NE(refused.back().read()->body.find("from this address"), std::string::npos);
  }
  // The last of them may be closing.
  unsigned status = 0;
  for (int tries = 0; tries < 3 && status != 200; ++tries) status = s.ask(hello("203.0.113.10"))->status;
  EXPECT_EQ(status, 200U);
}

TEST(ProxyProtocol, WithoutAClientMakesRequestsTheProxysOwn) {
  TestServer s({.trusted_proxies = {*read_network("127.0.0.1")}, .proxy_protocol = true});
  const std::string request = "GET /client HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
  for (const std::string& beginning : {std::string("PROXY UNKNOWN\r\n"), std::string("PROXY UNKNOWN 203.0.113.9 127.0.0.1 4711 443\r\n"),
                                       v2('\x20', '\0', ""), v2('\x21', '\0', "")}) {
    EXPECT_EQ(s.ask(beginning + request)->body, "127.0.0.1");
  }
}

TEST(TrustedProxy, ItsOwnConnectionsAreNotCounted) {
  TestServer s({.connections_per_address_max = 1, .trusted_proxies = {*read_network("127.0.0.0/8")}});
  Client first = s.connect();
  first.send("GET /client HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
  EXPECT_EQ(first.read()->body, "203.0.113.9");
  EXPECT_TRUE(s.serves());
}

}   // namespace
}   // namespace holdfast::http::test
