#include "lock/redis/redis_lock.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>

#include "core/bytes.h"
#include "core/check.h"

namespace holdfast::lock {
namespace {

constexpr std::size_t k_key_locks_per_deadline = 10'000;
constexpr std::size_t k_keys_per_script = 1'000;   // about 1 ms, in which the server serves no other client
constexpr std::size_t k_leftovers_max = 100'000;
constexpr std::chrono::milliseconds k_leftovers_pause{1'000};
constexpr std::chrono::milliseconds k_connect_patience{1'000};   // of the background thread, for one server
constexpr std::chrono::milliseconds k_idle_max{1'000};           // after that, a connection is checked
constexpr std::size_t k_problem_bytes_max = 200;

// KEYS and ARGV in pairs: deletes each key that still has its token, and returns their number.
constexpr std::string_view k_release_script =
    "local deleted = 0\n"
    "for i, key in ipairs(KEYS) do\n"
    "  if redis.pcall('GET', key) == ARGV[i] then deleted = deleted + redis.call('DEL', key) end\n"
    "end\n"
    "return deleted\n";

std::string sha1_hex(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const bool hashed = EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr) == 1;
  HOLDFAST_CHECK(hashed);
  std::string hex;
  append_hex(hex, {digest, size});
  return hex;
}

bool is_error(const redisReply& reply) { return reply.type == REDIS_REPLY_ERROR; }
std::string_view text_of(const redisReply& reply) {
  const bool has_text = is_error(reply) || reply.type == REDIS_REPLY_STATUS || reply.type == REDIS_REPLY_STRING;
  return has_text ? std::string_view(reply.str, reply.len) : std::string_view();
}

// A server's text appears in logs and pages, so it must be short and printable.
std::string clean(std::string_view text) {
  std::string cleaned(text.substr(0, k_problem_bytes_max));
  std::ranges::replace_if(cleaned, [](unsigned char c) { return c < 0x20 || c > 0x7E; }, '?');
  return cleaned;
}

std::string problem_of(const redisReply& reply) {
  if (!is_error(reply)) return "it answered what Redis does not answer";
  const std::string text = clean(text_of(reply));
  const bool is_cluster = text.starts_with("MOVED ") || text.starts_with("ASK ") || text.starts_with("CROSSSLOT");
  return is_cluster ? text + " (Redis Cluster is not supported)" : text;
}

Grant grant_of(const redisReply& reply, std::string& problem) {
  if (reply.type == REDIS_REPLY_NIL) return Grant::held;
  if (reply.type == REDIS_REPLY_STATUS && text_of(reply) == "OK") return Grant::granted;
  problem = problem_of(reply);
  return Grant::unknown;
}

void count(RoundTrips& trips, std::chrono::steady_clock::duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const auto bucket = std::ranges::lower_bound(k_round_trip_bounds, seconds) - k_round_trip_bounds.begin();
  ++trips.buckets[static_cast<std::size_t>(bucket)];
  trips.seconds += seconds;
}

}  // namespace

RedisLock::RedisLock(RedisOptions options)
    : options_(std::move(options)),
      ttl_text_(std::to_string(options_.ttl.count())),
      script_sha_(sha1_hex(k_release_script)),
      breaker_(options_.breaker, std::random_device()()) {
  HOLDFAST_CHECK(options_.connections > 0 && !options_.url.servers.empty());
  background_ = std::thread([this] { run(); });
}

RedisLock::~RedisLock() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  stop_.request_stop();
  background_wake_.notify_one();
  idle_wake_.notify_all();
  background_.join();
}

// ---------------------------------------------------------------------------------------------------------------- callers

void RedisLock::acquire(std::span<KeyLock> key_locks) {
  if (key_locks.empty()) return;
  const auto started = Timer::now();
  const Deadline deadline = deadline_for(key_locks.size());
  for (KeyLock& key_lock : key_locks) {
    key_lock.token.clear();
    key_lock.grant = Grant::unknown;
  }
  if (ConnectionPtr connection = take(deadline)) {
    draw_tokens(key_locks);
    for (const KeyLock& key_lock : key_locks) connection->append({"SET", key_lock.key, key_lock.token, "NX", "PX", ttl_text_});
    std::string problem;
    const bool whole =
        connection->exchange(deadline, [&](std::size_t i, const redisReply& reply) { key_locks[i].grant = grant_of(reply, problem); });
    if (!whole) problem = connection->error();
    give_back(std::move(connection), problem);
  }
  const std::scoped_lock lock(mutex_);
  for (const KeyLock& key_lock : key_locks) ++stats_.acquisitions[static_cast<std::size_t>(key_lock.grant)];
  count(stats_.acquiring, Timer::now() - started);
}

void RedisLock::release(std::span<const KeyLock> key_locks) {
  std::vector<const KeyLock*> ours;
  for (const KeyLock& key_lock : key_locks) {
    if (!key_lock.token.empty() && key_lock.grant != Grant::held) ours.push_back(&key_lock);
  }
  if (ours.empty()) return;
  const auto started = Timer::now();
  const Deadline deadline = deadline_for(ours.size());
  std::vector<bool> answered(ours.size());
  std::uint64_t deleted = 0;
  if (ConnectionPtr connection = take(deadline)) {
    const std::string problem = ask_to_release(*connection, ours, deadline, answered, deleted);
    give_back(std::move(connection), problem);
  }
  const std::scoped_lock lock(mutex_);
  count(stats_.releasing, Timer::now() - started);
  std::uint64_t granted = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) granted += answered[i] && ours[i]->grant == Grant::granted ? 1 : 0;
  stats_.expired += granted - std::min(granted, deleted);
  keep_leftovers(ours, answered);
}

Deadline RedisLock::deadline_for(std::size_t key_locks) const {
  return Timer::now() + options_.deadline * static_cast<std::int64_t>(1 + key_locks / k_key_locks_per_deadline);
}

// A connection; nullptr if there is none in time, or the breaker is open.
RedisLock::ConnectionPtr RedisLock::take(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto settled = [this] { return !breaker_.admits() || !idle_.empty() || stopping_; };
  idle_wake_.wait_until(lock, deadline, settled);
  if (!breaker_.admits() || idle_.empty()) return nullptr;
  ConnectionPtr connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

// `problem`: why the connection must not be used again; empty: it may be.
void RedisLock::give_back(ConnectionPtr connection, const std::string& problem) {
  const std::scoped_lock lock(mutex_);
  const bool is_current = connection->generation == generation_;
  if (problem.empty()) {
    breaker_.succeeded();
    if (breaker_.admits()) note_recovery();
    if (!is_current) return;
    idle_.push_back(std::move(connection));
    idle_wake_.notify_one();
    return;
  }
  if (is_current) --open_;
  // The master has become a replica, and all connections lead to it.
  if (problem.starts_with("READONLY")) drop_idle();
  note_failure(problem);
}

// Fills in which keys were answered, and how many were deleted. Returns why not all were answered; empty if they were.
std::string RedisLock::ask_to_release(Connection& connection, std::span<const KeyLock* const> key_locks, Deadline deadline,
                                      std::vector<bool>& answered, std::uint64_t& deleted) const {
  std::string problem;
  const std::size_t chunks = (key_locks.size() + k_keys_per_script - 1) / k_keys_per_script;
  std::vector<std::size_t> asked(chunks);
  for (std::size_t i = 0; i < chunks; ++i) asked[i] = i;
  // Call the script by its hash first. A server that does not know it gets its text, and knows it from then on.
  for (const bool by_hash : {true, false}) {
    for (const std::size_t chunk : asked) {
      const auto part =
          key_locks.subspan(chunk * k_keys_per_script, std::min(k_keys_per_script, key_locks.size() - chunk * k_keys_per_script));
      const std::string keys = std::to_string(part.size());
      std::vector<std::string_view> arguments{by_hash ? "EVALSHA" : "EVAL", by_hash ? script_sha_ : k_release_script, keys};
      for (const KeyLock* key_lock : part) arguments.push_back(key_lock->key);
      for (const KeyLock* key_lock : part) arguments.push_back(key_lock->token);
      connection.append(arguments);
    }
    std::vector<std::size_t> unknown_script;
    const bool whole = connection.exchange(deadline, [&](std::size_t i, const redisReply& reply) {
      const std::size_t first = asked[i] * k_keys_per_script;
      if (reply.type == REDIS_REPLY_INTEGER && reply.integer >= 0) {
        deleted += static_cast<std::uint64_t>(reply.integer);
        std::fill_n(answered.begin() + static_cast<std::ptrdiff_t>(first), std::min(k_keys_per_script, key_locks.size() - first), true);
      } else if (by_hash && text_of(reply).starts_with("NOSCRIPT")) {
        unknown_script.push_back(asked[i]);
      } else {
        problem = problem_of(reply);
      }
    });
    if (!whole) problem = connection.error();
    if (!problem.empty() || unknown_script.empty()) break;
    asked = std::move(unknown_script);
  }
  return problem;
}

// The mutex must be locked. Keeps locks without an answer, and those that a server may still grant because it reads late.
void RedisLock::keep_leftovers(std::span<const KeyLock* const> key_locks, const std::vector<bool>& answered) {
  for (std::size_t i = 0; i < key_locks.size(); ++i) {
    const bool may_come_late = key_locks[i]->grant == Grant::unknown;
    if (answered[i] && !may_come_late) continue;
    stats_.unreleased += answered[i] ? 0 : 1;
    if (leftovers_.empty()) leftovers_due_ = Timer::now() + (answered[i] ? k_leftovers_pause : std::chrono::milliseconds::zero());
    leftovers_.push_back({*key_locks[i], answered[i] || !may_come_late});
    if (leftovers_.size() <= k_leftovers_max) continue;
    leftovers_.pop_front();
    ++stats_.abandoned;
  }
  if (!leftovers_.empty()) background_wake_.notify_one();
}

Health RedisLock::health() const {
  const std::scoped_lock lock(mutex_);
  const auto state = breaker_.state() == Breaker::State::half_open ? Health::State::probing
                     : breaker_.admits() && open_ > 0              ? Health::State::up
                                                                   : Health::State::away;
  return {.kind = "redis", .state = state, .detail = options_.url.shown() + (problem_.empty() ? "" : ": " + problem_)};
}

Stats RedisLock::stats() const {
  const std::scoped_lock lock(mutex_);
  Stats stats = stats_;
  stats.leftovers = leftovers_.size();
  return stats;
}

bool RedisLock::wait_until_up(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return idle_wake_.wait_for(lock, patience, [this] { return open_ > 0; });
}

// ---------------------------------------------------------------------------------------------------------------- the background thread

void RedisLock::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Timer::now();
    const bool has_idle = breaker_.admits() && !idle_.empty();
    if (breaker_.may_probe(now)) {
      connect(lock, true);
    } else if (breaker_.admits() && open_ < options_.connections) {
      connect(lock, false);
    } else if (has_idle && !leftovers_.empty() && leftovers_due_ <= now) {
      release_leftovers(lock);
    } else if (has_idle && idle_.front()->last_used + k_idle_max <= now) {
      check_idle(lock);
    } else {
      auto until = now + k_idle_max;
      if (breaker_.state() == Breaker::State::open) until = std::min(until, breaker_.probe_at());
      if (has_idle && !leftovers_.empty()) until = std::min(until, leftovers_due_);
      background_wake_.wait_until(lock, until);
    }
  }
}

void RedisLock::connect(std::unique_lock<std::mutex>& lock, bool is_probe) {
  const std::uint64_t generation = generation_;
  lock.unlock();
  auto opened = open();
  lock.lock();
  if (stopping_) return;   // which may be why the connection was dropped
  if (!opened) return note_failure(opened.error());
  if (is_probe) breaker_.probe_succeeded();
  if (generation != generation_) return;   // its server was given up meanwhile
  note_recovery();
  (*opened)->generation = generation_;
  idle_.push_back(std::move(*opened));
  ++open_;
  leftovers_due_ = Timer::now();
  idle_wake_.notify_all();
}

// Checks that the connection that has been idle longest is still alive and leads to a master.
void RedisLock::check_idle(std::unique_lock<std::mutex>& lock) {
  ConnectionPtr connection = std::move(idle_.front());
  idle_.erase(idle_.begin());
  lock.unlock();
  const std::string problem = check(*connection, Timer::now() + options_.deadline);
  lock.lock();
  const bool is_current = connection->generation == generation_;
  if (problem.empty()) {
    if (is_current) idle_.push_back(std::move(connection));
    idle_wake_.notify_one();
    return;
  }
  if (is_current) drop_idle();
  note_failure(problem);
}

void RedisLock::release_leftovers(std::unique_lock<std::mutex>& lock) {
  ConnectionPtr connection = std::move(idle_.back());
  idle_.pop_back();
  std::vector<Leftover> batch;
  while (!leftovers_.empty() && batch.size() < k_keys_per_script) {
    batch.push_back(std::move(leftovers_.front()));
    leftovers_.pop_front();
  }
  lock.unlock();
  std::vector<const KeyLock*> key_locks;
  key_locks.reserve(batch.size());
  for (const Leftover& each : batch) key_locks.push_back(&each.key_lock);
  std::vector<bool> answered(batch.size());
  std::uint64_t deleted = 0;
  const std::string problem = ask_to_release(*connection, key_locks, deadline_for(batch.size()), answered, deleted);
  give_back(std::move(connection), problem);
  lock.lock();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (answered[i] && batch[i].tried) continue;
    leftovers_.push_back({std::move(batch[i].key_lock), batch[i].tried || answered[i]});
  }
  // Locks that wait for their first retry do not wait for those that wait for their second.
  const bool is_first_pending = !leftovers_.empty() && !leftovers_.front().tried;
  leftovers_due_ = Timer::now() + (is_first_pending && problem.empty() ? std::chrono::milliseconds::zero() : k_leftovers_pause);
}

// A connection to a server that has answered in time and accepts writes.
std::expected<RedisLock::ConnectionPtr, std::string> RedisLock::open() {
  if (!options_.url.is_sentinel()) return open_server(options_.url.servers.front(), Timer::now() + k_connect_patience);
  std::string problem;
  for (const Address& sentinel : options_.url.servers) {
    if (stop_.stop_requested()) break;
    const Deadline deadline = Timer::now() + k_connect_patience;
    auto master = ask_sentinel(sentinel, deadline);
    auto opened = master ? open_server(*master, deadline) : std::unexpected(master.error());
    if (opened) return opened;
    problem = "by sentinel " + to_string(sentinel) + ": " + opened.error();
  }
  return std::unexpected(problem);
}

std::expected<RedisLock::ConnectionPtr, std::string> RedisLock::open_server(const Address& address, Deadline deadline) {
  auto opened = reach(address, deadline);
  if (!opened) return opened;
  Connection& connection = **opened;
  const RedisUrl& url = options_.url;
  if (!url.password.empty()) {
    url.user.empty() ? connection.append({"AUTH", url.password}) : connection.append({"AUTH", url.user, url.password});
  }
  const std::string database = std::to_string(url.database);
  if (url.database != 0) connection.append({"SELECT", database});
  std::string problem;
  const bool whole = connection.exchange(deadline, [&](std::size_t, const redisReply& reply) {
    if (problem.empty() && text_of(reply) != "OK") problem = problem_of(reply);
  });
  if (!whole) problem = connection.error();
  if (problem.empty()) problem = check(connection, Timer::now() + options_.deadline);
  if (!problem.empty()) return std::unexpected(problem);
  return opened;
}

std::expected<Address, std::string> RedisLock::ask_sentinel(const Address& sentinel, Deadline deadline) {
  auto opened = reach(sentinel, deadline);
  if (!opened) return std::unexpected(opened.error());
  Address master;
  std::string problem;
  (*opened)->append({"SENTINEL", "get-master-addr-by-name", options_.url.master});
  const bool whole = (*opened)->exchange(deadline, [&](std::size_t, const redisReply& reply) {
    if (reply.type == REDIS_REPLY_NIL) {
      problem = "it does not know the master " + clean(options_.url.master);
    } else if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 2 || text_of(*reply.element[0]).empty()) {
      problem = problem_of(reply);
    } else {
      master.host = text_of(*reply.element[0]);
      const std::string port(text_of(*reply.element[1]));
      master.port = static_cast<std::uint16_t>(std::strtoul(port.c_str(), nullptr, 10));
    }
  });
  if (!whole) problem = (*opened)->error();
  if (problem.empty()) return master;
  return std::unexpected(problem);
}

// Connects to the first address of the host that accepts. Each address gets a share of the time.
std::expected<RedisLock::ConnectionPtr, std::string> RedisLock::reach(const Address& address, Deadline deadline) {
  const auto hosts = names_.find(address.host, deadline, stop_.get_token());
  if (!hosts) return std::unexpected("cannot connect: " + hosts.error());
  std::string problem;
  for (auto left = static_cast<std::ptrdiff_t>(hosts->size()); const std::string& host : *hosts) {
    const auto now = Timer::now();
    auto opened = Connection::open({.host = host, .port = address.port}, now + (deadline - now) / left--);
    if (opened) return opened;
    problem = opened.error();
  }
  return std::unexpected(problem);
}

// What is wrong with a server; empty if it answers in time and, if Sentinel has named it, says that it is a master.
std::string RedisLock::check(Connection& connection, Deadline deadline) const {
  const bool asks_role = options_.url.is_sentinel();
  connection.append({asks_role ? "ROLE" : "PING"});
  std::string problem;
  const bool whole = connection.exchange(deadline, [&](std::size_t, const redisReply& reply) {
    const bool has_role = reply.type == REDIS_REPLY_ARRAY && reply.elements > 0;
    if (asks_role && has_role) {
      if (text_of(*reply.element[0]) != "master") problem = "the server that Sentinel names is not a master";
    } else if (asks_role || text_of(reply) != "PONG") {
      problem = problem_of(reply);
    }
  });
  return whole ? problem : connection.error();
}

// The mutex must be locked.
void RedisLock::note_failure(const std::string& problem) {
  problem_ = problem;
  ++stats_.failures;
  breaker_.failed(Timer::now());
  if (breaker_.state() == Breaker::State::open) {
    drop_idle();   // they are no better, and the probe must not use one
    if (!is_away_) spdlog::warn("seat locks: {} is away: {}", options_.url.shown(), problem);
    is_away_ = true;
  }
  idle_wake_.notify_all();
  background_wake_.notify_one();
}

void RedisLock::note_recovery() {
  problem_.clear();
  if (is_away_) spdlog::info("seat locks: {} is back", options_.url.shown());
  is_away_ = false;
}

void RedisLock::drop_idle() {
  idle_.clear();
  open_ = 0;
  ++generation_;
}

}  // namespace holdfast::lock
