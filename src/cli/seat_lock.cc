#include "cli/seat_lock.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lock/redis/redis_lock.h"

namespace holdfast::cli {
namespace {

constexpr std::chrono::milliseconds k_patience_at_start{1'000};
constexpr std::size_t k_password_bytes_max = 4'096;

bool proceeds(const ServeOptions& options) { return options.lock_on_failure == "proceed"; }

// The first line, without its end.
std::string read_password(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string password;
  std::getline(in, password);
  if (!password.empty() && password.back() == '\r') password.pop_back();
  if (password.empty() || password.size() > k_password_bytes_max)
    throw UsageError("cannot read lock.password_file, or its first line is not a password: " + file);
  return password;
}

// The password comes from the file, the variable or the URL, but from only one of them.
void find_password(const ServeOptions& options, lock::RedisUrl& url) {
  const char* const variable = std::getenv(k_lock_password_variable);
  const int places = (url.password.empty() ? 0 : 1) + (options.lock_password_file.empty() ? 0 : 1) + (variable == nullptr ? 0 : 1);
  if (places > 1) {
    throw UsageError(std::string("the seat lock has two passwords: of its URL, lock.password_file and ") + k_lock_password_variable +
                     " use one");
  }
  if (variable != nullptr) url.password = variable;
  if (!options.lock_password_file.empty()) url.password = read_password(options.lock_password_file);
  if (!url.user.empty() && url.password.empty()) throw UsageError("the seat lock's URL has a user but no password");
}

}  // namespace

std::unique_ptr<lock::SeatLock> make_seat_lock(const ServeOptions& options, std::size_t connections) {
  if (options.lock_url.empty()) return nullptr;
  auto url = lock::parse_redis_url(options.lock_url);
  if (!url) throw UsageError("lock.url " + url.error());   // not the URL itself: it may hold a password
  find_password(options, *url);
  const std::string shown = url->shown();
  auto seat_lock = std::make_unique<lock::RedisLock>(lock::RedisOptions{.url = std::move(*url),
                                                                        .deadline = std::chrono::milliseconds(options.lock_deadline_ms),
                                                                        .ttl = std::chrono::milliseconds(options.lock_ttl_ms),
                                                                        .connections = connections});
  const char* const effect = proceeds(options) ? "proceed without it" : "are answered 503";
  if (seat_lock->wait_until_up(k_patience_at_start)) {
    spdlog::info("seat locks: {}; while it is away, holds {}", shown, effect);
  } else {
    spdlog::warn("seat locks: {}; until it is up, holds {}", seat_lock->health().detail, effect);
  }
  return seat_lock;
}

JudgingOptions judging_options(const ServeOptions& options, lock::SeatLock* seat_lock) {
  return {.lock = seat_lock, .proceeds = proceeds(options)};
}

std::string degradation_of(const lock::SeatLock& seat_lock, const ServeOptions& options) {
  const lock::Health health = seat_lock.health();
  if (health.state == lock::Health::State::up) return {};
  const char* const effect = proceeds(options) ? "holds proceed, guarded by the ledger alone" : "holds are answered 503";
  return "the seat lock is away (" + health.detail + "); " + effect;
}

}  // namespace holdfast::cli
