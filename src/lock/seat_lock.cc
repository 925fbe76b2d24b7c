#include "lock/seat_lock.h"

#include <sys/random.h>

#include <cerrno>
#include <vector>

#include "core/bytes.h"
#include "core/check.h"

namespace holdfast::lock {
namespace {

constexpr std::string_view k_prefix = "lock:seat:";
constexpr std::size_t k_token_bytes = 16;

void fill_randomly(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    HOLDFAST_CHECK(got > 0);   // a running Linux always has random bytes
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace

std::string key_of(const Uuid& seat) {
  std::string key;
  key.reserve(k_prefix.size() + 2 * seat.size());
  key += k_prefix;
  append_hex(key, seat.data);
  return key;
}

std::string key_of(std::string_view seat_id) {
  if (const auto uuid = parse_uuid(seat_id)) return key_of(*uuid);
  return std::string(k_prefix).append(seat_id);
}

void draw_tokens(std::span<KeyLock> key_locks) {
  std::vector<std::uint8_t> random(key_locks.size() * k_token_bytes);
  fill_randomly(random);
  const std::uint8_t* next = random.data();
  for (KeyLock& key_lock : key_locks) {
    key_lock.token.clear();
    append_hex(key_lock.token, {next, k_token_bytes});
    next += k_token_bytes;
  }
}

}  // namespace holdfast::lock
