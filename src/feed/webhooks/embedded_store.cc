#include "feed/webhooks/embedded_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "access/registry_revision.h"
#include "ledger/data_error.h"

namespace holdfast::feed {
namespace {

using sqlite::Statement;
using sqlite::Transaction;

constexpr const char* k_sql_create = R"(
  CREATE TABLE IF NOT EXISTS webhook_endpoint (
    ordinal          INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT NOT NULL UNIQUE,
    url              TEXT NOT NULL,
    kinds            INTEGER NOT NULL,
    secret           BLOB NOT NULL,
    previous_secret  BLOB NOT NULL,
    previous_until   INTEGER NOT NULL,
    description      TEXT NOT NULL,
    enabled          INTEGER NOT NULL,
    disabled_because TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    position         TEXT NOT NULL,
    last_success_at  INTEGER NOT NULL DEFAULT 0,
    last_failure_at  INTEGER NOT NULL DEFAULT 0,
    last_error       TEXT NOT NULL DEFAULT '',
    dead_dropped     INTEGER NOT NULL DEFAULT 0,
    made_key         BLOB NOT NULL DEFAULT x'',
    made_request     BLOB NOT NULL DEFAULT x'',
    once_key         BLOB NOT NULL DEFAULT x'',
    once_request     BLOB NOT NULL DEFAULT x''
  ) STRICT;
  CREATE TABLE IF NOT EXISTS webhook_message (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint   TEXT NOT NULL REFERENCES webhook_endpoint (id) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    kind       INTEGER NOT NULL,
    grp        TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    last_error TEXT NOT NULL,
    died_at    INTEGER,
    UNIQUE (endpoint, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS webhook_message_due ON webhook_message (endpoint, next_at) WHERE died_at IS NULL;
  CREATE INDEX IF NOT EXISTS webhook_message_group ON webhook_message (endpoint, grp, number) WHERE died_at IS NULL;
  CREATE INDEX IF NOT EXISTS webhook_message_dead ON webhook_message (endpoint, number) WHERE died_at IS NOT NULL;
)";

constexpr const char* k_sql_reports = R"(
  SELECT id, url, kinds, secret, previous_secret, previous_until, description, enabled, disabled_because, created_at, position,
         last_success_at, last_failure_at, last_error, dead_dropped,
         (SELECT count(*) FROM webhook_message m WHERE m.endpoint = e.id AND m.died_at IS NULL),
         (SELECT count(*) FROM webhook_message m WHERE m.endpoint = e.id AND m.died_at IS NOT NULL)
  FROM webhook_endpoint e)";
constexpr const char* k_sql_insert = R"(
  INSERT INTO webhook_endpoint (id, url, kinds, secret, previous_secret, previous_until, description, enabled, disabled_because,
                                created_at, position, made_key, made_request)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))";
constexpr const char* k_sql_write = R"(
  UPDATE webhook_endpoint SET url = ?2, kinds = ?3, secret = ?4, previous_secret = ?5, previous_until = ?6, description = ?7, enabled = ?8,
                              disabled_because = ?9
  WHERE id = ?1)";
// A message waits for those of its group that are in the queue already.
constexpr const char* k_sql_enqueue = R"(
  INSERT INTO webhook_message (endpoint, id, kind, grp, attempts, next_at, body, last_error)
  SELECT ?1, ?2, ?3, ?4, ?5,
         CASE WHEN EXISTS (SELECT 1 FROM webhook_message WHERE endpoint = ?1 AND grp = ?4 AND died_at IS NULL) THEN ?6 ELSE ?7 END, ?8, ?9
  WHERE EXISTS (SELECT 1 FROM webhook_endpoint WHERE id = ?1)
  ON CONFLICT (endpoint, id) DO NOTHING)";
// Message ?2 leaves the queue: the first of its group that is left has its turn, unless it had it already, because it came back meanwhile.
constexpr const char* k_sql_promote = R"(
  UPDATE webhook_message SET next_at = ?3
  WHERE next_at = ?4 AND number = (SELECT min(m.number) FROM webhook_message m JOIN webhook_message o ON o.number = ?2
                                   WHERE m.endpoint = ?1 AND m.grp = o.grp AND m.number <> ?2 AND m.died_at IS NULL))";
// After messages have come back: only the first of each group has a time.
constexpr const char* k_sql_heads = R"(
  UPDATE webhook_message SET next_at =
    CASE WHEN number = (SELECT min(m.number) FROM webhook_message m
                        WHERE m.endpoint = ?1 AND m.grp = webhook_message.grp AND m.died_at IS NULL)
         THEN min(next_at, ?2) ELSE ?3 END
  WHERE endpoint = ?1 AND died_at IS NULL)";
constexpr const char* k_sql_drop_dead = R"(
  DELETE FROM webhook_message WHERE endpoint = ?1 AND died_at IS NOT NULL AND number IN
    (SELECT number FROM webhook_message WHERE endpoint = ?1 AND died_at IS NOT NULL ORDER BY number DESC LIMIT -1 OFFSET ?2))";
constexpr const char* k_sql_messages = "SELECT number, id, kind, grp, attempts, next_at, body, last_error, died_at FROM webhook_message ";

void make_file(const std::string& path) {
  // Never one that is there: to close a second descriptor of it would drop the locks that this process has on it.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file >= 0) {
    ::close(file);
  } else if (errno != EEXIST) {
    throw DataError("cannot make " + path + ": " + std::strerror(errno) + ". Holdfast needs to write to its data folder.");
  }
}

EndpointReport report_of(const Statement& row) {
  EndpointReport report;
  Endpoint& endpoint = report.endpoint;
  endpoint.id = parse_uuid(row.text(0)).value_or(Uuid{});
  endpoint.url = row.text(1);
  endpoint.kinds = static_cast<KindSet>(row.integer(2));
  endpoint.secret = row.blob(3);
  endpoint.previous_secret = row.blob(4);
  endpoint.previous_until = row.integer(5);
  endpoint.description = row.text(6);
  endpoint.enabled = row.integer(7) != 0;
  endpoint.disabled_because = row.text(8);
  endpoint.created_at = row.integer(9);
  endpoint.position = row.text(10);
  report.last_success_at = row.integer(11);
  report.last_failure_at = row.integer(12);
  report.last_error = row.text(13);
  report.dead_dropped = static_cast<std::uint64_t>(row.integer(14));
  report.pending = static_cast<std::uint64_t>(row.integer(15));
  report.dead = static_cast<std::uint64_t>(row.integer(16));
  return report;
}

QueuedMessage message_of(const Statement& row) {
  return {.number = row.integer(0),
          .id = std::string(row.text(1)),
          .kind = static_cast<ChangeKind>(row.integer(2)),
          .group = std::string(row.text(3)),
          .attempts = static_cast<unsigned>(row.integer(4)),
          .next_at = row.integer(5),
          .body = std::string(row.text(6)),
          .last_error = std::string(row.text(7)),
          .died_at = row.integer(8)};
}

std::vector<QueuedMessage> messages_of(Statement& rows) {
  std::vector<QueuedMessage> messages;
  while (rows.step()) messages.push_back(message_of(rows));
  return messages;
}

std::string sql(const char* first, const char* second) { return std::string(first) + second; }

}  // namespace

// The statements that relays run again and again.
struct EmbeddedWebhookStore::Statements {
  explicit Statements(sqlite::Database& database)
      : find(database, sql(k_sql_reports, " WHERE id = ?")),
        save(database,
             "UPDATE webhook_endpoint SET position = coalesce(?2, position), last_success_at = max(last_success_at, ?3), "
             "last_error = CASE WHEN ?4 > 0 THEN ?5 ELSE last_error END, last_failure_at = max(last_failure_at, ?4) WHERE id = ?1"),
        enqueue(database, k_sql_enqueue),
        due_groups(database,
                   "SELECT grp FROM webhook_message WHERE endpoint = ? AND died_at IS NULL AND next_at <= ? ORDER BY next_at LIMIT ?"),
        next_due(database, "SELECT min(next_at) FROM webhook_message WHERE endpoint = ? AND died_at IS NULL AND next_at > ?"),
        of_group(database, sql(k_sql_messages, "WHERE endpoint = ? AND grp = ? AND died_at IS NULL ORDER BY number LIMIT ?")),
        promote(database, k_sql_promote),
        remove(database, "DELETE FROM webhook_message WHERE number = ? AND endpoint = ?"),
        postpone(database, "UPDATE webhook_message SET attempts = ?, next_at = ?, last_error = ? WHERE number = ? AND endpoint = ?") {}

  Statement find;
  Statement save;
  Statement enqueue;
  Statement due_groups;
  Statement next_due;
  Statement of_group;
  Statement promote;
  Statement remove;
  Statement postpone;
};

EmbeddedWebhookStore::EmbeddedWebhookStore(const std::string& path) {
  make_file(path);
  database_ = std::make_unique<sqlite::Database>(path, sqlite::Database::Mode::read_write);
  database_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  Transaction transaction(*database_);
  database_->execute(k_sql_create);
  transaction.commit();
  statements_ = std::make_unique<Statements>(*database_);
}

EmbeddedWebhookStore::~EmbeddedWebhookStore() = default;

// ---------------------------------------------------------------------------------------------------------------- endpoints

WebhookStore::Made EmbeddedWebhookStore::create(Endpoint& endpoint, const CallKey& key) {
  const std::scoped_lock lock(mutex_);
  Transaction transaction(*database_);
  if (!key.key.empty()) {
    Statement made(*database_, "SELECT id, made_request FROM webhook_endpoint WHERE made_key = ?");
    made.bind_blob(1, key.key);
    if (made.step()) {
      if (made.blob(1) != key.request) return Made::key_reused;
      const auto id = parse_uuid(made.text(0));
      made.reset();
      if (const auto report = look_up(id.value_or(Uuid{}))) endpoint = report->endpoint;
      return Made::replayed;
    }
  }
  if (database_->query_int("SELECT count(*) FROM webhook_endpoint") >= static_cast<std::int64_t>(k_endpoints_max)) return Made::too_many;
  const std::string id = to_string(endpoint.id);
  Statement(*database_, k_sql_insert)
      .bind_text(1, id)
      .bind_text(2, endpoint.url)
      .bind(3, std::int64_t{endpoint.kinds})
      .bind_blob(4, endpoint.secret)
      .bind_blob(5, endpoint.previous_secret)
      .bind(6, endpoint.previous_until)
      .bind_text(7, endpoint.description)
      .bind(8, std::int64_t{endpoint.enabled})
      .bind_text(9, endpoint.disabled_because)
      .bind(10, endpoint.created_at)
      .bind_text(11, endpoint.position)
      .bind_blob(12, key.key)
      .bind_blob(13, key.request)
      .run();
  commit_change(transaction);
  return Made::created;
}

std::vector<EndpointReport> EmbeddedWebhookStore::list() {
  const std::scoped_lock lock(mutex_);
  std::vector<EndpointReport> reports;
  Statement rows(*database_, sql(k_sql_reports, " ORDER BY ordinal"));
  while (rows.step()) reports.push_back(report_of(rows));
  return reports;
}

std::optional<EndpointReport> EmbeddedWebhookStore::find(const Uuid& id) {
  const std::scoped_lock lock(mutex_);
  return look_up(id);
}

std::optional<EndpointReport> EmbeddedWebhookStore::look_up(const Uuid& id) {
  const std::string text = to_string(id);
  Statement& row = statements_->find;
  row.reset();
  row.bind_text(1, text);
  if (!row.step()) return std::nullopt;
  EndpointReport report = report_of(row);
  row.reset();
  return report;
}

bool EmbeddedWebhookStore::change(const Uuid& id, const std::function<void(Endpoint&)>& change) {
  return change_once(id, {}, change) == Changed::changed;
}

WebhookStore::Changed EmbeddedWebhookStore::change_once(const Uuid& id, const CallKey& key, const std::function<void(Endpoint&)>& change) {
  const std::scoped_lock lock(mutex_);
  const std::string text = to_string(id);
  Transaction transaction(*database_);
  auto report = look_up(id);
  if (!report) return Changed::not_found;
  if (!key.key.empty()) {
    Statement once(*database_, "SELECT once_request FROM webhook_endpoint WHERE id = ? AND once_key = ?");
    once.bind_text(1, text).bind_blob(2, key.key);
    if (once.step()) return once.blob(0) == key.request ? Changed::replayed : Changed::key_reused;
    Statement(*database_, "UPDATE webhook_endpoint SET once_key = ?, once_request = ? WHERE id = ?")
        .bind_blob(1, key.key)
        .bind_blob(2, key.request)
        .bind_text(3, text)
        .run();
  }
  change(report->endpoint);
  write(report->endpoint);
  commit_change(transaction);
  return Changed::changed;
}

void EmbeddedWebhookStore::write(const Endpoint& endpoint) {
  const std::string id = to_string(endpoint.id);
  Statement(*database_, k_sql_write)
      .bind_text(1, id)
      .bind_text(2, endpoint.url)
      .bind(3, std::int64_t{endpoint.kinds})
      .bind_blob(4, endpoint.secret)
      .bind_blob(5, endpoint.previous_secret)
      .bind(6, endpoint.previous_until)
      .bind_text(7, endpoint.description)
      .bind(8, std::int64_t{endpoint.enabled})
      .bind_text(9, endpoint.disabled_because)
      .run();
}

bool EmbeddedWebhookStore::remove(const Uuid& id) {
  const std::scoped_lock lock(mutex_);
  const std::string text = to_string(id);
  Transaction transaction(*database_);
  Statement(*database_, "DELETE FROM webhook_endpoint WHERE id = ?").bind_text(1, text).run();
  if (sqlite3_changes(database_->handle()) == 0) return false;
  commit_change(transaction);
  return true;
}

// Of an operator's change: addresses and secrets must not come back as they were before it.
void EmbeddedWebhookStore::commit_change(Transaction& transaction) {
  raise_registry_revision(*database_);
  transaction.commit();
  ++revision_;
  note_registry_revision(*database_);
}

std::int64_t EmbeddedWebhookStore::revision() {
  const std::scoped_lock lock(mutex_);
  return revision_;
}

// ---------------------------------------------------------------------------------------------------------------- progress

// A position is a row, or `row.n`, and n changes of the row after it (journal_source.h): the number in front says which is further.
std::size_t EmbeddedWebhookStore::go_back_to(Position last) {
  const std::scoped_lock lock(mutex_);
  const std::string position = std::to_string(last);
  Statement(*database_,
            "UPDATE webhook_endpoint SET position = ?1 WHERE CAST(position AS INTEGER) > ?2 OR (CAST(position AS INTEGER) = ?2 AND "
            "position LIKE '%.%')")
      .bind_text(1, position)
      .bind(2, last)
      .run();
  return static_cast<std::size_t>(sqlite3_changes(database_->handle()));
}

void EmbeddedWebhookStore::save(Epoch, const Uuid& id, const Progress& progress) {
  const std::scoped_lock lock(mutex_);
  const std::string text = to_string(id);
  Statement& save = statements_->save;
  save.bind_text(1, text);
  progress.position ? save.bind_text(2, *progress.position) : save.bind_null(2);
  save.bind(3, progress.last_success_at).bind(4, progress.last_failure_at).bind_text(5, progress.last_error).run();
}

bool EmbeddedWebhookStore::disable(Epoch, const Uuid& id, std::string_view url, std::string_view because) {
  const std::scoped_lock lock(mutex_);
  const std::string text = to_string(id);
  Statement(*database_, "UPDATE webhook_endpoint SET enabled = 0, disabled_because = ? WHERE id = ? AND url = ?")
      .bind_text(1, because)
      .bind_text(2, text)
      .bind_text(3, url)
      .run();
  return sqlite3_changes(database_->handle()) > 0;
}

// ---------------------------------------------------------------------------------------------------------------- the queue

std::vector<bool> EmbeddedWebhookStore::enqueue(Epoch, const Uuid& id, std::span<const QueuedMessage> messages) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  std::vector<bool> taken;
  Transaction transaction(*database_);
  for (const QueuedMessage& each : messages) {
    statements_->enqueue.bind_text(1, endpoint)
        .bind_text(2, each.id)
        .bind(3, static_cast<std::int64_t>(each.kind))
        .bind_text(4, each.group)
        .bind(5, std::int64_t{each.attempts})
        .bind(6, k_never)
        .bind(7, each.next_at)
        .bind_text(8, each.body)
        .bind_text(9, each.last_error)
        .run();
    taken.push_back(sqlite3_changes(database_->handle()) > 0);
  }
  transaction.commit();
  return taken;
}

QueueSummary EmbeddedWebhookStore::queue(const Uuid& id) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  QueueSummary summary;
  Statement groups(
      *database_,
      "SELECT grp, count(*), sum(length(CAST(body AS BLOB))) FROM webhook_message WHERE endpoint = ? AND died_at IS NULL GROUP BY grp");
  groups.bind_text(1, endpoint);
  while (groups.step()) {
    const auto messages = static_cast<std::uint64_t>(groups.integer(1));
    summary.messages += messages;
    summary.bytes += static_cast<std::uint64_t>(groups.integer(2));
    summary.groups.emplace(groups.text(0), messages);
  }
  return summary;
}

std::vector<std::string> EmbeddedWebhookStore::due_groups(const Uuid& id, Millis now, std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  std::vector<std::string> groups;
  Statement& rows = statements_->due_groups;
  rows.reset();
  rows.bind_text(1, endpoint).bind(2, now).bind(3, static_cast<std::int64_t>(limit));
  while (rows.step()) groups.emplace_back(rows.text(0));
  return groups;
}

Millis EmbeddedWebhookStore::next_due(const Uuid& id, Millis now) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  Statement& row = statements_->next_due;
  row.reset();
  row.bind_text(1, endpoint).bind(2, now);
  const Millis next = row.step() && !row.is_null(0) ? row.integer(0) : k_never;
  row.reset();
  return next;
}

std::vector<QueuedMessage> EmbeddedWebhookStore::of_group(const Uuid& id, std::string_view group, std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  Statement& rows = statements_->of_group;
  rows.reset();
  rows.bind_text(1, endpoint).bind_text(2, group).bind(3, static_cast<std::int64_t>(limit));
  return messages_of(rows);
}

void EmbeddedWebhookStore::promote_after(const std::string& endpoint, std::int64_t number, Millis now) {
  statements_->promote.bind_text(1, endpoint).bind(2, number).bind(3, now).bind(4, k_never).run();
}

void EmbeddedWebhookStore::settle(Epoch, const Uuid& id, std::int64_t number, Millis now) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  Transaction transaction(*database_);
  promote_after(endpoint, number, now);
  statements_->remove.bind(1, number).bind_text(2, endpoint).run();
  transaction.commit();
}

void EmbeddedWebhookStore::postpone(Epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis next_at, std::string_view error) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  statements_->postpone.bind(1, std::int64_t{attempts}).bind(2, next_at).bind_text(3, error).bind(4, number).bind_text(5, endpoint).run();
}

void EmbeddedWebhookStore::complete(Epoch, const Uuid& id, std::int64_t number, ChangeKind kind, std::string_view body) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  Statement(*database_, "UPDATE webhook_message SET kind = ?, body = ?, attempts = 0 WHERE number = ? AND endpoint = ?")
      .bind(1, static_cast<std::int64_t>(kind))
      .bind_text(2, body)
      .bind(3, number)
      .bind_text(4, endpoint)
      .run();
}

void EmbeddedWebhookStore::bury(Epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis now, std::string_view error,
                                std::size_t dead_max) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  Transaction transaction(*database_);
  promote_after(endpoint, number, now);
  Statement(*database_, "UPDATE webhook_message SET attempts = ?, died_at = ?, last_error = ? WHERE number = ? AND endpoint = ?")
      .bind(1, std::int64_t{attempts})
      .bind(2, now)
      .bind_text(3, error)
      .bind(4, number)
      .bind_text(5, endpoint)
      .run();
  Statement(*database_, k_sql_drop_dead).bind_text(1, endpoint).bind(2, static_cast<std::int64_t>(dead_max)).run();
  if (const int dropped = sqlite3_changes(database_->handle()); dropped > 0) {
    Statement(*database_, "UPDATE webhook_endpoint SET dead_dropped = dead_dropped + ? WHERE id = ?")
        .bind(1, std::int64_t{dropped})
        .bind_text(2, endpoint)
        .run();
  }
  transaction.commit();
}

// ---------------------------------------------------------------------------------------------------------------- the dead

std::vector<QueuedMessage> EmbeddedWebhookStore::dead(const Uuid& id, std::int64_t after, std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  Statement rows(*database_, sql(k_sql_messages, "WHERE endpoint = ? AND died_at IS NOT NULL AND number > ? ORDER BY number LIMIT ?"));
  rows.bind_text(1, endpoint).bind(2, after).bind(3, static_cast<std::int64_t>(limit));
  return messages_of(rows);
}

std::uint64_t EmbeddedWebhookStore::revive(const Uuid& id, std::span<const std::string> ids, Millis now) {
  const std::scoped_lock lock(mutex_);
  const std::string endpoint = to_string(id);
  Transaction transaction(*database_);
  std::uint64_t revived = 0;
  Statement all(*database_,
                "UPDATE webhook_message SET died_at = NULL, attempts = 0, next_at = ?1 WHERE endpoint = ?2 AND died_at IS NOT NULL");
  Statement one(
      *database_,
      "UPDATE webhook_message SET died_at = NULL, attempts = 0, next_at = ?1 WHERE endpoint = ?2 AND died_at IS NOT NULL AND id = ?3");
  if (ids.empty()) {
    all.bind(1, now).bind_text(2, endpoint).run();
    revived += static_cast<std::uint64_t>(sqlite3_changes(database_->handle()));
  }
  for (const std::string& each : ids) {
    one.bind(1, now).bind_text(2, endpoint).bind_text(3, each).run();
    revived += static_cast<std::uint64_t>(sqlite3_changes(database_->handle()));
  }
  if (revived > 0) Statement(*database_, k_sql_heads).bind_text(1, endpoint).bind(2, now).bind(3, k_never).run();
  transaction.commit();
  if (revived > 0) ++revision_;
  return revived;
}

}  // namespace holdfast::feed
