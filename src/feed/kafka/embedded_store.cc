#include "feed/kafka/embedded_store.h"

#include <time.h>

#include <array>
#include <random>

#include "core/check.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast::feed::kafka {
namespace {

using sqlite::Statement;
using sqlite::Transaction;

constexpr int k_format = 1;
constexpr std::int64_t k_lease_ms_max = 300'000;

constexpr const char* k_sql_create = R"(
  CREATE TABLE IF NOT EXISTS feed_lease (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    store  TEXT NOT NULL,
    epoch  INTEGER NOT NULL,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS feed_position (
    event INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS payment_rejected (
    digest BLOB PRIMARY KEY,
    told   BLOB NOT NULL,
    at     INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS payment_rejected_at ON payment_rejected (at);
)";
constexpr const char* k_sql_begin = "INSERT OR IGNORE INTO feed_lease (only, store, epoch, holder, until) VALUES (1, ?1, 0, '', 0)";
constexpr const char* k_sql_lease = "SELECT epoch, holder, until FROM feed_lease";
constexpr const char* k_sql_take = "UPDATE feed_lease SET epoch = ?1, holder = ?2, until = ?3";
constexpr const char* k_sql_give_up = "UPDATE feed_lease SET until = 0, holder = '' WHERE epoch = ?1";
constexpr const char* k_sql_positions = "SELECT event, seq FROM feed_position";
constexpr const char* k_sql_save =
    "INSERT INTO feed_position (event, seq) VALUES (?1, ?2) ON CONFLICT (event) DO UPDATE SET seq = excluded.seq";
constexpr const char* k_sql_keep = "INSERT OR IGNORE INTO payment_rejected (digest, told, at) VALUES (?1, ?2, ?3)";
constexpr const char* k_sql_told = "SELECT told FROM payment_rejected WHERE digest = ?1";
constexpr const char* k_sql_forget = "DELETE FROM payment_rejected WHERE at < ?1";

// Of the machine, also while it sleeps; the same for all of its processes, and less after it was started anew, which ends every
// lease.
std::int64_t boot_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

std::string new_store_id() {
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::random_device device;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    std::uint32_t number = device();
    for (int digit = 0; digit < 8; ++digit, number >>= 4) id += k_digits[number & 15];
  }
  return id;
}

std::string_view view(const PaymentDigest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

}  // namespace

struct EmbeddedFeedStore::Statements {
  explicit Statements(sqlite::Database& database)
      : lease(database, k_sql_lease),
        take(database, k_sql_take),
        give_up(database, k_sql_give_up),
        positions(database, k_sql_positions),
        save(database, k_sql_save),
        keep(database, k_sql_keep),
        told(database, k_sql_told),
        forget(database, k_sql_forget) {}

  Statement lease, take, give_up, positions, save, keep, told, forget;
};

EmbeddedFeedStore::EmbeddedFeedStore(const std::string& path) {
  if (!std::filesystem::exists(path)) create_private_file(path);   // rejections have names of orders and payments
  database_ = std::make_unique<sqlite::Database>(path, sqlite::Database::Mode::read_write);
  database_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  const auto format = database_->query_int("PRAGMA user_version");
  if (format != 0 && format != k_format) {
    throw DataError(path + " has format " + std::to_string(format) + "; this version of Holdfast reads format " + std::to_string(k_format) +
                    ". Nothing was changed. Use the version that wrote it, or a later one.");
  }
  Transaction transaction(*database_);
  database_->execute(k_sql_create);
  database_->execute(("PRAGMA user_version = " + std::to_string(k_format)).c_str());
  const std::string id = new_store_id();
  Statement(*database_, k_sql_begin).bind_text(1, id).run();
  transaction.commit();
  statements_ = std::make_unique<Statements>(*database_);
}

EmbeddedFeedStore::~EmbeddedFeedStore() = default;

void EmbeddedFeedStore::restore(bool was_made) {
  const std::scoped_lock lock(mutex_);
  Transaction transaction(*database_);
  if (was_made) {
    database_->execute("UPDATE main.feed_lease SET (store, epoch) = (SELECT store, epoch FROM source.feed_lease)");
  }
  database_->execute("DELETE FROM main.feed_position");
  database_->execute("INSERT INTO main.feed_position SELECT event, seq FROM source.feed_position");
  database_->execute("INSERT OR IGNORE INTO main.payment_rejected SELECT digest, told, at FROM source.payment_rejected");
  transaction.commit();
}

std::size_t EmbeddedFeedStore::go_back_to(const std::map<EventNumber, Seq>& heads) {
  const std::vector<FeedPosition> all = positions();
  const std::scoped_lock lock(mutex_);
  Transaction transaction(*database_);
  std::size_t further = 0;
  for (const FeedPosition& each : all) {
    const auto head = heads.find(each.event);
    if (head != heads.end() && each.seq <= head->second) continue;
    ++further;
    if (head == heads.end()) {
      Statement(*database_, "DELETE FROM feed_position WHERE event = ?1").bind(1, std::int64_t{each.event}).run();
    } else {
      statements_->save.bind(1, std::int64_t{each.event}).bind(2, static_cast<std::int64_t>(head->second)).run();
    }
  }
  transaction.commit();
  return further;
}

std::string EmbeddedFeedStore::id() {
  const std::scoped_lock lock(mutex_);
  Statement store(*database_, "SELECT store FROM feed_lease");
  if (!store.step()) throw DataError(database_->path() + " is damaged: the row of its lease is missing.");
  return std::string(store.text(0));
}

Lease EmbeddedFeedStore::take_lease(std::string_view holder, std::chrono::milliseconds time) {
  HOLDFAST_CHECK(time.count() > 0 && time.count() <= k_lease_ms_max);
  const std::scoped_lock lock(mutex_);
  Transaction transaction(*database_);
  const std::int64_t now = boot_ms();
  if (!statements_->lease.step()) throw DataError(database_->path() + " is damaged: the row of its lease is missing.");
  Lease lease{.epoch = static_cast<std::uint64_t>(statements_->lease.integer(0)), .holder = std::string(statements_->lease.text(1))};
  const std::int64_t until = statements_->lease.integer(2);
  statements_->lease.reset();
  const bool is_holder = lease.holder == holder;
  // A lease cannot end later than its time from now: what does is from before the machine was started anew.
  const bool is_over = until <= now || until > now + k_lease_ms_max;
  if (!is_holder && !is_over) return lease;
  if (!is_holder) ++lease.epoch;
  lease.holder = holder;
  lease.is_mine = true;
  statements_->take.bind(1, static_cast<std::int64_t>(lease.epoch)).bind_text(2, holder).bind(3, now + time.count()).run();
  transaction.commit();
  return lease;
}

void EmbeddedFeedStore::give_up_lease(std::uint64_t epoch) {
  const std::scoped_lock lock(mutex_);
  statements_->give_up.bind(1, static_cast<std::int64_t>(epoch)).run();
}

std::vector<FeedPosition> EmbeddedFeedStore::positions() {
  const std::scoped_lock lock(mutex_);
  std::vector<FeedPosition> all;
  while (statements_->positions.step()) {
    all.push_back({static_cast<EventNumber>(statements_->positions.integer(0)), static_cast<Seq>(statements_->positions.integer(1))});
  }
  return all;
}

bool EmbeddedFeedStore::save(std::uint64_t epoch, std::span<const FeedPosition> positions) {
  const std::scoped_lock lock(mutex_);
  Transaction transaction(*database_);
  if (!statements_->lease.step()) throw DataError(database_->path() + " is damaged: the row of its lease is missing.");
  const bool is_current = statements_->lease.integer(0) == static_cast<std::int64_t>(epoch);
  statements_->lease.reset();
  if (!is_current) return false;
  for (const FeedPosition& each : positions) {
    statements_->save.bind(1, std::int64_t{each.event}).bind(2, static_cast<std::int64_t>(each.seq)).run();
  }
  transaction.commit();
  return true;
}

std::string EmbeddedFeedStore::keep_rejection(const PaymentDigest& payment, std::string_view told, Millis at, Millis undoubted_now) {
  const std::scoped_lock lock(mutex_);
  Transaction transaction(*database_);
  statements_->forget.bind(1, undoubted_now - k_rejection_days * 86'400 * k_millis_per_second).run();
  statements_->keep.bind_blob(1, view(payment)).bind_blob(2, told).bind(3, at).run();
  statements_->told.bind_blob(1, view(payment));
  const bool is_kept = statements_->told.step();
  HOLDFAST_CHECK(is_kept);
  std::string kept(statements_->told.blob(0));
  statements_->told.reset();
  transaction.commit();
  return kept;
}

std::optional<std::string> EmbeddedFeedStore::rejection(const PaymentDigest& payment) {
  const std::scoped_lock lock(mutex_);
  statements_->told.bind_blob(1, view(payment));
  if (!statements_->told.step()) return std::nullopt;
  std::string kept(statements_->told.blob(0));
  statements_->told.reset();
  return kept;
}

}  // namespace holdfast::feed::kafka
