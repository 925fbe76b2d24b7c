#include "feed/kafka/feed_file.h"

#include <vector>

#include "access/random.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast::feed::kafka {
namespace {

using sqlite::Statement;
using sqlite::Transaction;

constexpr int k_format = 1;

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

}  // namespace

std::unique_ptr<sql::SqliteDatabase> open_feed_file(const std::string& path) {
  create_private_file_if_missing(path);   // rejections have names of orders and payments
  auto database = std::make_unique<sql::SqliteDatabase>(path);
  sqlite::Database& feed = *database->file();
  feed.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  if (feed.query_int("PRAGMA user_version") != 0) refuse_other_format(feed, k_format);
  Transaction transaction(feed);
  feed.execute(k_sql_create);
  feed.execute(("PRAGMA user_version = " + std::to_string(k_format)).c_str());
  const std::string id = to_string(random_uuid());
  Statement(feed, k_sql_begin).bind_text(1, id).run();
  transaction.commit();
  return database;
}

void restore_feed_file(sqlite::Database& feed, bool was_made) {
  Transaction transaction(feed);
  if (was_made) {
    feed.execute("UPDATE main.feed_lease SET (store, epoch) = (SELECT store, epoch FROM source.feed_lease)");
  }
  feed.execute("DELETE FROM main.feed_position");
  feed.execute("INSERT INTO main.feed_position SELECT event, seq FROM source.feed_position");
  feed.execute("INSERT OR IGNORE INTO main.payment_rejected SELECT digest, told, at FROM source.payment_rejected");
  transaction.commit();
}

std::size_t move_feed_back(sqlite::Database& feed, const std::map<EventNumber, Seq>& heads) {
  Transaction transaction(feed);
  std::vector<EventNumber> further;
  Statement positions(feed, "SELECT event, seq FROM feed_position");
  while (positions.step()) {
    const auto event = static_cast<EventNumber>(positions.integer(0));
    const auto seq = static_cast<Seq>(positions.integer(1));
    const auto head = heads.find(event);
    if (head == heads.end() || seq > head->second) further.push_back(event);
  }
  Statement forget(feed, "DELETE FROM feed_position WHERE event = ?1");
  Statement move(feed, "UPDATE feed_position SET seq = ?2 WHERE event = ?1");
  for (const EventNumber event : further) {
    const auto head = heads.find(event);
    if (head == heads.end()) {
      forget.bind(1, std::int64_t{event}).run();
    } else {
      move.bind(1, std::int64_t{event}).bind(2, static_cast<std::int64_t>(head->second)).run();
    }
  }
  transaction.commit();
  return further.size();
}

}  // namespace holdfast::feed::kafka
