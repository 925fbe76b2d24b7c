#include "lock/redis/url.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace holdfast::lock {
namespace {

constexpr std::uint16_t k_redis_port = 6379;
constexpr std::uint16_t k_sentinel_port = 26379;
constexpr std::size_t k_url_bytes_max = 4'096;
constexpr std::size_t k_sentinels_max = 16;
constexpr std::uint32_t k_database_max = 1'000'000;

template <typename Number>
std::optional<Number> parse_number(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (error != std::errc{} || end != text.data() + i + 3) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

// host, host:port, [address] or [address]:port.
std::optional<Address> parse_address(std::string_view text, std::uint16_t default_port) {
  Address address{.host = {}, .port = default_port};
  std::string_view behind;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    address.host = text.substr(1, end - 1);
    behind = text.substr(end + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    address.host = text.substr(0, colon);
    behind = text.substr(colon);
  }
  const auto is_odd = [](unsigned char c) { return c <= ' ' || c >= 0x7F || c == '/' || c == '?' || c == '#' || c == '@' || c == ','; };
  if (address.host.empty() || std::ranges::any_of(address.host, is_odd)) return std::nullopt;
  if (behind.empty()) return address;
  const auto port = behind.starts_with(':') ? parse_number<std::uint16_t>(behind.substr(1), 1, 65'535) : std::nullopt;
  if (!port) return std::nullopt;
  address.port = *port;
  return address;
}

// Returns the text up to the first `separator`, and removes both from `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t at = std::min(rest.find(separator), rest.size());
  const std::string_view head = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return head;
}

// user, user:password or :password. False if it is malformed.
bool parse_user_and_password(std::string_view text, RedisUrl& url) {
  const bool has_password = text.contains(':');
  const auto user = percent_decode(cut(text, ':'));
  const auto password = percent_decode(text);
  if (!user || !password || password->empty() == has_password) return false;
  url.user = *user;
  url.password = *password;
  return true;
}

}  // namespace

std::string to_string(const Address& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::string RedisUrl::shown() const {
  std::string text = is_sentinel() ? "redis-sentinel://" : "redis://";
  for (const Address& server : servers) {
    if (!text.ends_with('/')) text += ',';
    text += to_string(server);
  }
  if (is_sentinel()) text += "/" + master;
  if (database != 0) text += "/" + std::to_string(database);
  return text;
}

std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text) {
  if (text.size() > k_url_bytes_max) return std::unexpected("is too long");
  if (text.starts_with("rediss://")) {
    return std::unexpected("asks for TLS, which this client does not have: use a tunnel or a sidecar on the same machine, and redis://");
  }
  constexpr std::string_view k_single = "redis://";
  constexpr std::string_view k_sentinel = "redis-sentinel://";
  const bool is_sentinel = text.starts_with(k_sentinel);
  if (!is_sentinel && !text.starts_with(k_single)) return std::unexpected("must begin with redis:// or redis-sentinel://");
  std::string_view rest = text.substr(is_sentinel ? k_sentinel.size() : k_single.size());
  std::string_view authority = cut(rest, '/');

  RedisUrl url;
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (!parse_user_and_password(authority.substr(0, at), url)) {
      return std::unexpected("has a user or password that cannot be read: percent-encode them");
    }
    authority.remove_prefix(at + 1);
  }
  do {
    const std::string_view one = is_sentinel ? cut(authority, ',') : std::exchange(authority, std::string_view{});
    const auto address = parse_address(one, is_sentinel ? k_sentinel_port : k_redis_port);
    if (!address) return std::unexpected("has no host, or a host or port that cannot be read");
    url.servers.push_back(*address);
  } while (!authority.empty());
  if (is_sentinel && text.contains(",/")) return std::unexpected("has a comma without a sentinel behind it");
  if (url.servers.size() > k_sentinels_max) return std::unexpected("names more than 16 sentinels");
  if (is_sentinel) {
    url.master = cut(rest, '/');
    if (url.master.empty()) return std::unexpected("does not say which master: redis-sentinel://host/master");
  }
  if (!rest.empty()) {
    const auto database = parse_number<std::uint32_t>(rest, 0, k_database_max);
    if (!database) return std::unexpected("has something behind its last `/` that is not a database's number");
    url.database = *database;
  }
  return url;
}

}  // namespace holdfast::lock
