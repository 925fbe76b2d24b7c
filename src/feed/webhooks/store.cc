#include "feed/webhooks/store.h"

#include "access/registry_revision.h"

namespace holdfast::feed {
namespace {

using sql::Result;
using sql::Statement;
using sql::Values;

// ---- where the databases differ

// Serialises changes of endpoints. SQLite's transaction does so by itself, and the store counts the changes.
constexpr Statement k_revise{"webhook_revise", "UPDATE holdfast.webhook_revision SET revision = revision + 1", sql::k_not_in_sqlite};
constexpr Statement k_revision{"webhook_revision", "SELECT revision FROM holdfast.webhook_revision", sql::k_not_in_sqlite};
constexpr Statement k_lock{"webhook_lock", "SELECT 1 FROM holdfast.webhook_endpoint WHERE id = $1 FOR NO KEY UPDATE", sql::k_not_in_sqlite};
constexpr Statement k_queue{"webhook_queue", R"(
  SELECT grp, count(*), sum(octet_length(body)) FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NULL GROUP BY grp)",
                            R"(
  SELECT grp, count(*), sum(length(CAST(body AS BLOB))) FROM webhook_message WHERE endpoint = $1 AND died_at IS NULL GROUP BY grp)"};

// ---- endpoints

// One endpoint, or all of them if $1 is NULL; there are at most k_endpoints_max.
constexpr Statement k_reports{"webhook_reports", R"(
  SELECT id, url, kinds, secret, previous_secret, previous_until, description, enabled, disabled_because, created_at, position,
         last_success_at, last_failure_at, last_error, dead_dropped,
         (SELECT count(*) FROM holdfast.webhook_message m WHERE m.endpoint = e.id AND m.died_at IS NULL),
         (SELECT count(*) FROM holdfast.webhook_message m WHERE m.endpoint = e.id AND m.died_at IS NOT NULL),
         once_key, once_request
  FROM holdfast.webhook_endpoint e WHERE $1 IS NULL OR id = $1 ORDER BY ordinal)"};
constexpr int k_once_key = 17;
constexpr int k_once_request = 18;
constexpr Statement k_made{"webhook_made", "SELECT id, made_request FROM holdfast.webhook_endpoint WHERE made_key = $1"};
constexpr Statement k_count{"webhook_count", "SELECT count(*) FROM holdfast.webhook_endpoint"};
constexpr Statement k_insert{"webhook_insert", R"(
  INSERT INTO holdfast.webhook_endpoint (id, url, kinds, secret, previous_secret, previous_until, description, enabled, disabled_because,
                                         created_at, position)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11))"};
constexpr Statement k_write{"webhook_write", R"(
  UPDATE holdfast.webhook_endpoint SET url = $2, kinds = $3, secret = $4, previous_secret = $5, previous_until = $6, description = $7,
                                       enabled = $8, disabled_because = $9
  WHERE id = $1)"};
constexpr Statement k_set_made{"webhook_set_made", "UPDATE holdfast.webhook_endpoint SET made_key = $2, made_request = $3 WHERE id = $1"};
constexpr Statement k_set_once{"webhook_set_once", "UPDATE holdfast.webhook_endpoint SET once_key = $2, once_request = $3 WHERE id = $1"};
constexpr Statement k_remove{"webhook_remove", "DELETE FROM holdfast.webhook_endpoint WHERE id = $1"};
constexpr Statement k_save{"webhook_save", R"(
  UPDATE holdfast.webhook_endpoint SET
    position = coalesce($2, position), last_success_at = CASE WHEN $3 > last_success_at THEN $3 ELSE last_success_at END,
    last_error = CASE WHEN $4 > 0 THEN $5 ELSE last_error END,
    last_failure_at = CASE WHEN $4 > last_failure_at THEN $4 ELSE last_failure_at END
  WHERE id = $1)"};
constexpr Statement k_disable{"webhook_disable",
                              "UPDATE holdfast.webhook_endpoint SET enabled = false, disabled_because = $2 WHERE id = $1 AND url = $3"};

// ---- messages

// A message waits if its group already has messages in the queue.
constexpr Statement k_enqueue{"webhook_enqueue", R"(
  INSERT INTO holdfast.webhook_message (endpoint, id, kind, grp, attempts, next_at, body, last_error)
  SELECT $1, $2, $3, $4, $5,
         CASE WHEN EXISTS (SELECT 1 FROM holdfast.webhook_message WHERE endpoint = $1 AND grp = $4 AND died_at IS NULL) THEN $6 ELSE $7 END,
         $8, $9
  WHERE EXISTS (SELECT 1 FROM holdfast.webhook_endpoint WHERE id = $1)
  ON CONFLICT (endpoint, id) DO NOTHING)"};
constexpr Statement k_due_groups{"webhook_due_groups", R"(
  SELECT grp FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NULL AND next_at <= $2 ORDER BY next_at, number LIMIT $3)"};
constexpr Statement k_next_due{"webhook_next_due", R"(
  SELECT min(next_at) FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NULL AND next_at > $2)"};
constexpr Statement k_of_group{"webhook_of_group", R"(
  SELECT number, id, kind, grp, attempts, next_at, body, last_error, coalesce(died_at, 0) FROM holdfast.webhook_message
  WHERE endpoint = $1 AND grp = $2 AND died_at IS NULL ORDER BY number LIMIT $3)"};
constexpr Statement k_dead{"webhook_dead", R"(
  SELECT number, id, kind, grp, attempts, next_at, body, last_error, died_at FROM holdfast.webhook_message
  WHERE endpoint = $1 AND died_at IS NOT NULL AND number > $2 ORDER BY number LIMIT $3)"};
// Message $2 leaves the queue, so the first remaining message of its group is due. Does nothing if that message already was due:
// then it came back in the meantime.
constexpr Statement k_promote{"webhook_promote", R"(
  UPDATE holdfast.webhook_message SET next_at = $3
  WHERE endpoint = $1 AND next_at = $4 AND number = (
    SELECT min(m.number) FROM holdfast.webhook_message m JOIN holdfast.webhook_message o ON o.endpoint = $1 AND o.number = $2
    WHERE m.endpoint = $1 AND m.grp = o.grp AND m.number <> $2 AND m.died_at IS NULL))"};
constexpr Statement k_delete{"webhook_delete", "DELETE FROM holdfast.webhook_message WHERE endpoint = $1 AND number = $2"};
constexpr Statement k_postpone{"webhook_postpone", R"(
  UPDATE holdfast.webhook_message SET attempts = $3, next_at = $4, last_error = $5 WHERE endpoint = $1 AND number = $2)"};
constexpr Statement k_complete{"webhook_complete", R"(
  UPDATE holdfast.webhook_message SET kind = $3, body = $4, attempts = 0 WHERE endpoint = $1 AND number = $2)"};
constexpr Statement k_bury{"webhook_bury", R"(
  UPDATE holdfast.webhook_message SET attempts = $3, died_at = $4, last_error = $5 WHERE endpoint = $1 AND number = $2)"};
// Keeps the newest $2 dead messages. The first statement counts those to be dropped, the second deletes them.
constexpr Statement k_count_dropped{"webhook_count_dropped", R"(
  UPDATE holdfast.webhook_endpoint SET dead_dropped = dead_dropped + d.dead - $2
  FROM (SELECT count(*) AS dead FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NOT NULL) d
  WHERE id = $1 AND d.dead > $2)"};
constexpr Statement k_drop_dead{"webhook_drop_dead", R"(
  DELETE FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NOT NULL AND number <= (
    SELECT number FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NOT NULL ORDER BY number DESC LIMIT 1 OFFSET $2))"};
constexpr Statement k_revive_all{"webhook_revive_all", R"(
  UPDATE holdfast.webhook_message SET died_at = NULL, attempts = 0, next_at = $2 WHERE endpoint = $1 AND died_at IS NOT NULL)"};
constexpr Statement k_revive{"webhook_revive", R"(
  UPDATE holdfast.webhook_message SET died_at = NULL, attempts = 0, next_at = $2 WHERE endpoint = $1 AND died_at IS NOT NULL AND id = $3)"};
// After messages have come back: only the first message of each group gets a time.
constexpr Statement k_heads{"webhook_heads", R"(
  UPDATE holdfast.webhook_message AS w SET next_at =
    CASE WHEN number <> (SELECT min(m.number) FROM holdfast.webhook_message m WHERE m.endpoint = $1 AND m.grp = w.grp AND m.died_at IS NULL)
         THEN $3 WHEN next_at < $2 THEN next_at ELSE $2 END
  WHERE endpoint = $1 AND died_at IS NULL)"};

EndpointReport report_of(const Result& rows, int row) {
  EndpointReport report;
  Endpoint& endpoint = report.endpoint;
  endpoint.id = rows.uuid(row, 0);
  endpoint.url = rows.text(row, 1);
  endpoint.kinds = static_cast<KindSet>(rows.integer(row, 2));
  endpoint.secret = rows.text(row, 3);
  endpoint.previous_secret = rows.text(row, 4);
  endpoint.previous_until = rows.integer(row, 5);
  endpoint.description = rows.text(row, 6);
  endpoint.enabled = rows.boolean(row, 7);
  endpoint.disabled_because = rows.text(row, 8);
  endpoint.created_at = rows.integer(row, 9);
  endpoint.position = rows.text(row, 10);
  report.last_success_at = rows.integer(row, 11);
  report.last_failure_at = rows.integer(row, 12);
  report.last_error = rows.text(row, 13);
  report.dead_dropped = static_cast<std::uint64_t>(rows.integer(row, 14));
  report.pending = static_cast<std::uint64_t>(rows.integer(row, 15));
  report.dead = static_cast<std::uint64_t>(rows.integer(row, 16));
  return report;
}

std::vector<QueuedMessage> messages_of(const Result& rows) {
  std::vector<QueuedMessage> messages;
  messages.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    messages.push_back({.number = rows.integer(i, 0),
                        .id = std::string(rows.text(i, 1)),
                        .kind = static_cast<ChangeKind>(rows.integer(i, 2)),
                        .group = std::string(rows.text(i, 3)),
                        .attempts = static_cast<unsigned>(rows.integer(i, 4)),
                        .next_at = rows.integer(i, 5),
                        .body = std::string(rows.text(i, 6)),
                        .last_error = std::string(rows.text(i, 7)),
                        .died_at = rows.integer(i, 8)});
  }
  return messages;
}

// $1 to $9 of k_insert and k_write.
Values values_of(const Endpoint& endpoint) {
  Values values;
  values.uuid(endpoint.id).text(endpoint.url).integer(endpoint.kinds).bytes(endpoint.secret).bytes(endpoint.previous_secret);
  values.integer(endpoint.previous_until).any_text(endpoint.description).boolean(endpoint.enabled).text(endpoint.disabled_because);
  return values;
}

std::int64_t limit_of(std::size_t limit) { return static_cast<std::int64_t>(limit); }

}   // namespace

FencedTransaction WebhookStore::begin(Epoch epoch) {
  return database_->file() == nullptr ? FencedTransaction(*database_, k_lease_webhooks, epoch) : FencedTransaction(*database_);
}

// Commits an operator's change. Raises the registry's revision, so that a restart cannot fall back to earlier addresses and
// secrets.
void WebhookStore::commit_change(sql::Transaction& transaction) {
  // Also when the change is committed and only the note of its revision fails: the relay must see the change.
  struct Raise {
    std::atomic<std::int64_t>& revision;
    ~Raise() { ++revision; }
  } const raise{revision_};
  commit_registry_change(*database_, transaction);
}

// ---------------------------------------------------------------------------------------------------------------- endpoints

WebhookStore::Made WebhookStore::create(Endpoint& endpoint, const CallKey& key) {
  const auto transaction = database_->begin();
  transaction->send(k_revise);
  transaction->send(k_made, Values().bytes(key.key));
  transaction->send(k_count);
  const std::vector<Result> results = transaction->receive(2);
  const Result& made = results[0];
  if (!key.key.empty() && made.rows() == 1) {
    if (made.text(0, 1) != key.request) return Made::key_reused;
    endpoint = report_of(transaction->ask(k_reports, Values().uuid(made.uuid(0, 0))), 0).endpoint;
    return Made::replayed;
  }
  if (results[1].integer(0, 0) >= limit_of(k_endpoints_max)) return Made::too_many;
  transaction->send(k_insert, values_of(endpoint).integer(endpoint.created_at).text(endpoint.position));
  if (!key.key.empty()) transaction->send(k_set_made, Values().uuid(endpoint.id).bytes(key.key).bytes(key.request));
  commit_change(*transaction);
  return Made::created;
}

std::vector<EndpointReport> WebhookStore::list() {
  const Result rows = database_->query(k_reports, Values().uuid(std::nullopt));
  std::vector<EndpointReport> reports;
  reports.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) reports.push_back(report_of(rows, i));
  return reports;
}

std::optional<EndpointReport> WebhookStore::find(const Uuid& id) {
  const Result rows = database_->query(k_reports, Values().uuid(id));
  return rows.rows() == 1 ? std::optional(report_of(rows, 0)) : std::nullopt;
}

bool WebhookStore::change(const Uuid& id, const std::function<void(Endpoint&)>& change) {
  return change_once(id, {}, change) == Changed::changed;
}

WebhookStore::Changed WebhookStore::change_once(const Uuid& id, const CallKey& key, const std::function<void(Endpoint&)>& change) {
  const auto transaction = database_->begin();
  transaction->send(k_revise);
  transaction->send(k_lock, Values().uuid(id));
  const Result rows = transaction->ask(k_reports, Values().uuid(id));
  if (rows.rows() == 0) return Changed::not_found;
  if (!key.key.empty() && rows.text(0, k_once_key) == key.key) {
    return rows.text(0, k_once_request) == key.request ? Changed::replayed : Changed::key_reused;
  }
  Endpoint endpoint = report_of(rows, 0).endpoint;
  change(endpoint);
  transaction->send(k_write, values_of(endpoint));
  if (!key.key.empty()) transaction->send(k_set_once, Values().uuid(id).bytes(key.key).bytes(key.request));
  commit_change(*transaction);
  return Changed::changed;
}

bool WebhookStore::remove(const Uuid& id) {
  const auto transaction = database_->begin();
  transaction->send(k_revise);
  if (transaction->ask(k_remove, Values().uuid(id)).affected() == 0) return false;
  commit_change(*transaction);
  return true;
}

std::int64_t WebhookStore::revision() {
  const Result row = database_->query(k_revision);
  return row.rows() == 1 ? row.integer(0, 0) : revision_.load();
}

// ---------------------------------------------------------------------------------------------------------------- progress

void WebhookStore::save(Epoch epoch, const Uuid& id, const Progress& progress) {
  Values values;
  values.uuid(id).text(progress.position).integer(progress.last_success_at).integer(progress.last_failure_at);
  begin(epoch).send(k_save, values.any_text(progress.last_error)).commit();
}

bool WebhookStore::disable(Epoch epoch, const Uuid& id, std::string_view url, std::string_view because) {
  return begin(epoch).send(k_disable, Values().uuid(id).text(because).text(url)).commit(1)[0].affected() == 1;
}

// ---------------------------------------------------------------------------------------------------------------- the queue

std::vector<bool> WebhookStore::enqueue(Epoch epoch, const Uuid& id, std::span<const QueuedMessage> messages) {
  FencedTransaction writing = begin(epoch);
  writing.send(k_lock, Values().uuid(id));
  for (const QueuedMessage& each : messages) {
    Values values;
    values.uuid(id).text(each.id).integer(static_cast<std::int64_t>(each.kind)).text(each.group).integer(each.attempts);
    writing.send(k_enqueue, values.integer(k_never).integer(each.next_at).any_text(each.body).any_text(each.last_error));
  }
  std::vector<bool> taken;
  taken.reserve(messages.size());
  for (const Result& each : writing.commit(messages.size())) taken.push_back(each.affected() == 1);
  return taken;
}

QueueSummary WebhookStore::queue(const Uuid& id) {
  const Result rows = database_->query(k_queue, Values().uuid(id));
  QueueSummary summary;
  for (int i = 0; i < rows.rows(); ++i) {
    const auto messages = static_cast<std::uint64_t>(rows.integer(i, 1));
    summary.messages += messages;
    summary.bytes += static_cast<std::uint64_t>(rows.integer(i, 2));
    summary.groups.emplace(rows.text(i, 0), messages);
  }
  return summary;
}

std::vector<std::string> WebhookStore::due_groups(const Uuid& id, Millis now, std::size_t limit) {
  const Result rows = database_->query(k_due_groups, Values().uuid(id).integer(now).integer(limit_of(limit)));
  std::vector<std::string> groups;
  groups.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) groups.emplace_back(rows.text(i, 0));
  return groups;
}

Millis WebhookStore::next_due(const Uuid& id, Millis now) {
  return database_->query(k_next_due, Values().uuid(id).integer(now)).integer_or_null(0, 0).value_or(k_never);
}

std::vector<QueuedMessage> WebhookStore::of_group(const Uuid& id, std::string_view group, std::size_t limit) {
  return messages_of(database_->query(k_of_group, Values().uuid(id).text(group).integer(limit_of(limit))));
}

void WebhookStore::settle(Epoch epoch, const Uuid& id, std::int64_t number, Millis now) {
  begin(epoch)
      .send(k_lock, Values().uuid(id))
      .send(k_promote, Values().uuid(id).integer(number).integer(now).integer(k_never))
      .send(k_delete, Values().uuid(id).integer(number))
      .commit();
}

void WebhookStore::postpone(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis next_at, std::string_view error) {
  begin(epoch)
      .send(k_lock, Values().uuid(id))
      .send(k_postpone, Values().uuid(id).integer(number).integer(attempts).integer(next_at).any_text(error))
      .commit();
}

void WebhookStore::complete(Epoch epoch, const Uuid& id, std::int64_t number, ChangeKind kind, std::string_view body) {
  begin(epoch)
      .send(k_lock, Values().uuid(id))
      .send(k_complete, Values().uuid(id).integer(number).integer(static_cast<std::int64_t>(kind)).any_text(body))
      .commit();
}

void WebhookStore::bury(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis now, std::string_view error,
                        std::size_t dead_max) {
  begin(epoch)
      .send(k_lock, Values().uuid(id))
      .send(k_promote, Values().uuid(id).integer(number).integer(now).integer(k_never))
      .send(k_bury, Values().uuid(id).integer(number).integer(attempts).integer(now).any_text(error))
      .send(k_count_dropped, Values().uuid(id).integer(limit_of(dead_max)))
      .send(k_drop_dead, Values().uuid(id).integer(limit_of(dead_max)))
      .commit();
}

// ---------------------------------------------------------------------------------------------------------------- the dead

std::vector<QueuedMessage> WebhookStore::dead(const Uuid& id, std::int64_t after, std::size_t limit) {
  return messages_of(database_->query(k_dead, Values().uuid(id).integer(after).integer(limit_of(limit))));
}

std::uint64_t WebhookStore::revive(const Uuid& id, std::span<const std::string> ids, Millis now) {
  const auto transaction = database_->begin();
  transaction->send(k_revise);
  transaction->send(k_lock, Values().uuid(id));
  if (ids.empty()) transaction->send(k_revive_all, Values().uuid(id).integer(now));
  for (const std::string& each : ids) transaction->send(k_revive, Values().uuid(id).integer(now).text(each));
  std::uint64_t revived = 0;
  for (const Result& each : transaction->receive(ids.empty() ? 1 : ids.size())) revived += each.affected();
  if (revived == 0) return 0;
  transaction->send(k_heads, Values().uuid(id).integer(now).integer(k_never));
  transaction->commit();
  ++revision_;
  return revived;
}

}   // namespace holdfast::feed
