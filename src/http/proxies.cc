#include "http/proxies.h"

#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/decimal.h"

namespace holdfast::http {

using boost::asio::ip::address;
using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;

namespace {

using State = ProxyHeader::State;

constexpr std::string_view k_v1 = "PROXY ";
constexpr std::size_t k_v1_bytes_max = 107;
constexpr std::string_view k_v2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t k_v2_head_bytes = 16;

template <typename Bytes>
bool same_beginning(const Bytes& a, const Bytes& b, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<address> read_address(std::string_view text) {
  constexpr std::size_t k_bytes_max = 64;
  if (text.size() > k_bytes_max || text.find('%') != std::string_view::npos) return std::nullopt;   // no scopes: they have no meaning here
  boost::system::error_code error;
  const address read = boost::asio::ip::make_address(std::string(text), error);
  return error ? std::nullopt : std::optional(plain(read));
}

// 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:4711: some proxies add the port.
std::optional<address> read_forwarded(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    return end == std::string_view::npos ? std::nullopt : read_address(text.substr(1, end - 1));
  }
  const std::size_t colon = text.find(':');
  const bool has_port = colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos;
  return read_address(text.substr(0, has_port ? colon : text.size()));
}

// PROXY TCP4 192.0.2.1 198.51.100.1 4711 443
ProxyHeader read_v1(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, k_v1_bytes_max).find("\r\n");
  if (end == std::string_view::npos) return {.state = bytes.size() < k_v1_bytes_max ? State::needs_more : State::malformed};
  std::string_view line = bytes.substr(k_v1.size(), end - k_v1.size());
  ProxyHeader header{.state = State::complete, .bytes = end + 2};
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return header;
  const bool is_v4 = line.starts_with("TCP4 ");
  if (!is_v4 && !line.starts_with("TCP6 ")) return {.state = State::malformed};
  line.remove_prefix(5);
  header.client = read_address(line.substr(0, line.find(' ')));
  if (!header.client || line.find(' ') == std::string_view::npos) return {.state = State::malformed};
  return header;
}

ProxyHeader read_v2(std::string_view bytes) {
  if (bytes.size() < k_v2_head_bytes) return {};
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const unsigned version = byte(12) >> 4U, command = byte(12) & 0x0FU, family = byte(13) >> 4U;
  const std::size_t length = std::size_t{byte(14)} << 8U | byte(15);
  if (version != 2 || command > 1 || k_v2_head_bytes + length > k_proxy_header_bytes_max) return {.state = State::malformed};
  if (bytes.size() < k_v2_head_bytes + length) return {};
  ProxyHeader header{.state = State::complete, .bytes = k_v2_head_bytes + length};
  constexpr unsigned k_ipv4 = 1, k_ipv6 = 2;
  constexpr std::size_t k_ipv4_bytes = 12, k_ipv6_bytes = 36;   // two addresses and two ports
  if (command == 0 || (family != k_ipv4 && family != k_ipv6)) return header;   // the proxy's own connection, or a family without addresses
  if (length < (family == k_ipv4 ? k_ipv4_bytes : k_ipv6_bytes)) return {.state = State::malformed};
  if (family == k_ipv4) {
    address_v4::bytes_type raw;
    for (std::size_t i = 0; i < raw.size(); ++i) raw.at(i) = byte(k_v2_head_bytes + i);
    header.client = address_v4(raw);
  } else {
    address_v6::bytes_type raw;
    for (std::size_t i = 0; i < raw.size(); ++i) raw.at(i) = byte(k_v2_head_bytes + i);
    header.client = plain(address_v6(raw));
  }
  return header;
}

}   // namespace

address plain(const address& any) {
  if (!any.is_v6() || !any.to_v6().is_v4_mapped()) return any;
  return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, any.to_v6());
}

address one_client(const address& any) {
  address one = plain(any);
  if (one.is_v4()) return one;
  auto bytes = one.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return address_v6(bytes);
}

std::optional<Network> read_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = read_address(text.substr(0, slash));
  if (!base) return std::nullopt;
  const unsigned most = base->is_v4() ? 32 : 128;
  const auto bits = slash == std::string_view::npos ? most : parse_decimal<unsigned>(text.substr(slash + 1));
  return bits && *bits <= most ? std::optional(Network{.base = *base, .bits = *bits}) : std::nullopt;
}

bool TrustedProxies::trusts(const address& any) const {
  const address one = plain(any);
  return std::ranges::any_of(networks_, [&](const Network& network) {
    if (network.base.is_v4() != one.is_v4()) return false;
    return one.is_v4() ? same_beginning(network.base.to_v4().to_bytes(), one.to_v4().to_bytes(), network.bits)
                       : same_beginning(network.base.to_v6().to_bytes(), one.to_v6().to_bytes(), network.bits);
  });
}

address TrustedProxies::client_of(const address& peer, const Request& request) const {
  address client = plain(peer);
  if (!trusts(client)) return client;
  constexpr std::string_view k_name = "x-forwarded-for";
  // From the last address of the last field to the first of the first: each proxy appends the address of its own client.
  for (std::size_t i = request.headers.size(); i-- > 0;) {
    const Header& header = request.headers[i];
    if (!equals_ignoring_case(header.name, k_name)) continue;
    for (std::string_view rest = header.value;;) {
      const std::size_t comma = rest.rfind(',');
      const auto told = read_forwarded(trimmed(comma == std::string_view::npos ? rest : rest.substr(comma + 1)));
      if (!told) return client;
      client = *told;
      if (!trusts(client)) return client;
      if (comma == std::string_view::npos) break;
      rest = rest.substr(0, comma);
    }
  }
  return client;
}

ProxyHeader read_proxy_header(std::string_view bytes) {
  const auto begins = [&](std::string_view with) {
    const std::size_t known = std::min(bytes.size(), with.size());
    return bytes.substr(0, known) == with.substr(0, known);
  };
  if (begins(k_v1)) return bytes.size() < k_v1.size() ? ProxyHeader{} : read_v1(bytes);
  if (begins(k_v2)) return bytes.size() < k_v2.size() ? ProxyHeader{} : read_v2(bytes);
  return {.state = State::malformed};
}

}   // namespace holdfast::http
