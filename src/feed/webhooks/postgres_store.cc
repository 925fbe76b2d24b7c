#include "feed/webhooks/postgres_store.h"

#include "feed/lease.h"

namespace holdfast::feed {
namespace {

using pg::Connection;
using pg::Parameters;
using pg::Result;
using pg::Statement;

constexpr Statement k_assert_lease{"assert_lease", "SELECT holdfast.assert_lease($1, $2)"};
constexpr std::string_view k_lease_lost = "HF001";
// Whoever changes endpoints does this first, so they do it one after the other.
constexpr Statement k_revise{"webhook_revise", "UPDATE holdfast.webhook_revision SET revision = revision + 1"};
constexpr Statement k_revision{"webhook_revision", "SELECT revision FROM holdfast.webhook_revision"};
constexpr Statement k_lock{"webhook_lock", "SELECT 1 FROM holdfast.webhook_endpoint WHERE id = $1 FOR NO KEY UPDATE"};

// ---- endpoints

// One endpoint; all of them when $1 is NULL, of which there are at most k_endpoints_max.
constexpr Statement k_reports{"webhook_reports", R"(
  SELECT id, url, kinds, secret, previous_secret, previous_until, description, enabled, disabled_because, created_at, position,
         last_success_at, last_failure_at, last_error, dead_dropped,
         (SELECT count(*) FROM holdfast.webhook_message m WHERE m.endpoint = e.id AND m.died_at IS NULL),
         (SELECT count(*) FROM holdfast.webhook_message m WHERE m.endpoint = e.id AND m.died_at IS NOT NULL)
  FROM holdfast.webhook_endpoint e WHERE $1 IS NULL OR id = $1 ORDER BY ordinal)"};
constexpr Statement k_made{"webhook_made", "SELECT id, made_request FROM holdfast.webhook_endpoint WHERE made_key = $1"};
constexpr Statement k_count{"webhook_count", "SELECT count(*) FROM holdfast.webhook_endpoint"};
constexpr Statement k_insert{"webhook_insert", R"(
  INSERT INTO holdfast.webhook_endpoint (id, url, kinds, secret, previous_secret, previous_until, description, enabled, disabled_because,
                                         created_at, position, made_key, made_request)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13))"};
constexpr Statement k_write{"webhook_write", R"(
  UPDATE holdfast.webhook_endpoint SET url = $2, kinds = $3, secret = $4, previous_secret = $5, previous_until = $6, description = $7,
                                       enabled = $8, disabled_because = $9
  WHERE id = $1)"};
constexpr Statement k_once{"webhook_once", "SELECT once_key, once_request FROM holdfast.webhook_endpoint WHERE id = $1"};
constexpr Statement k_set_once{"webhook_set_once", "UPDATE holdfast.webhook_endpoint SET once_key = $2, once_request = $3 WHERE id = $1"};
constexpr Statement k_remove{"webhook_remove", "DELETE FROM holdfast.webhook_endpoint WHERE id = $1"};
constexpr Statement k_save{"webhook_save", R"(
  UPDATE holdfast.webhook_endpoint SET
    position = coalesce($2, position), last_success_at = greatest(last_success_at, $3),
    last_error = CASE WHEN $4 > 0 THEN $5 ELSE last_error END, last_failure_at = greatest(last_failure_at, $4)
  WHERE id = $1)"};
constexpr Statement k_disable{"webhook_disable",
                              "UPDATE holdfast.webhook_endpoint SET enabled = false, disabled_because = $2 WHERE id = $1 AND url = $3"};

// ---- messages

// A message waits for those of its group that are in the queue already.
constexpr Statement k_enqueue{"webhook_enqueue", R"(
  INSERT INTO holdfast.webhook_message (endpoint, id, kind, grp, attempts, next_at, body, last_error)
  SELECT $1, $2, $3, $4, $5,
         CASE WHEN EXISTS (SELECT 1 FROM holdfast.webhook_message WHERE endpoint = $1 AND grp = $4 AND died_at IS NULL) THEN $6 ELSE $7 END,
         $8, $9
  WHERE EXISTS (SELECT 1 FROM holdfast.webhook_endpoint WHERE id = $1)
  ON CONFLICT (endpoint, id) DO NOTHING)"};
constexpr Statement k_queue{"webhook_queue", R"(
  SELECT grp, count(*), sum(octet_length(body)) FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NULL GROUP BY grp)"};
constexpr Statement k_due_groups{"webhook_due_groups", R"(
  SELECT grp FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NULL AND next_at <= $2 ORDER BY next_at, number LIMIT $3)"};
constexpr Statement k_next_due{"webhook_next_due", R"(
  SELECT min(next_at) FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NULL AND next_at > $2)"};
constexpr Statement k_of_group{"webhook_of_group", R"(
  SELECT number, id, kind, grp, attempts, next_at, body, last_error, 0::bigint FROM holdfast.webhook_message
  WHERE endpoint = $1 AND grp = $2 AND died_at IS NULL ORDER BY number LIMIT $3)"};
constexpr Statement k_dead{"webhook_dead", R"(
  SELECT number, id, kind, grp, attempts, next_at, body, last_error, died_at FROM holdfast.webhook_message
  WHERE endpoint = $1 AND died_at IS NOT NULL AND number > $2 ORDER BY number LIMIT $3)"};
// Message $2 leaves the queue: the first of its group that is left has its turn, unless it had it already, because it came back meanwhile.
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
constexpr Statement k_drop_dead{"webhook_drop_dead", R"(
  WITH dropped AS (
    DELETE FROM holdfast.webhook_message WHERE endpoint = $1 AND number IN (
      SELECT number FROM holdfast.webhook_message WHERE endpoint = $1 AND died_at IS NOT NULL ORDER BY number DESC OFFSET $2)
    RETURNING 1)
  UPDATE holdfast.webhook_endpoint SET dead_dropped = dead_dropped + (SELECT count(*) FROM dropped)
  WHERE id = $1 AND EXISTS (SELECT 1 FROM dropped))"};
constexpr Statement k_revive_all{"webhook_revive_all", R"(
  UPDATE holdfast.webhook_message SET died_at = NULL, attempts = 0, next_at = $2 WHERE endpoint = $1 AND died_at IS NOT NULL)"};
constexpr Statement k_revive{"webhook_revive", R"(
  UPDATE holdfast.webhook_message SET died_at = NULL, attempts = 0, next_at = $2
  WHERE endpoint = $1 AND died_at IS NOT NULL AND id = ANY ($3))"};
// After messages have come back: only the first of each group has a time.
constexpr Statement k_heads{"webhook_heads", R"(
  UPDATE holdfast.webhook_message w SET next_at =
    CASE WHEN number = (SELECT min(m.number) FROM holdfast.webhook_message m
                        WHERE m.endpoint = $1 AND m.grp = w.grp AND m.died_at IS NULL)
         THEN least(next_at, $2) ELSE $3 END
  WHERE endpoint = $1 AND died_at IS NULL)"};

// A transaction that goes out with its commit in one round trip.
class Writing {
 public:
  explicit Writing(pg::Pool& pool) : lease_(pool.take()) { send(pg::k_begin); }
  // Of a relay of this epoch, on messages of this endpoint.
  Writing(pg::Pool& pool, Epoch epoch) : Writing(pool) { send(k_assert_lease, Parameters().text(k_lease_webhooks).int8(epoch)); }

  Writing& send(const Statement& statement, const Parameters& parameters = {}) {
    lease_->send(statement, parameters);
    ++sent_;
    return *this;
  }
  // The results of the last `count` statements. Throws LeaseLost when the epoch is over.
  std::vector<Result> commit(std::size_t count) {
    lease_->send(pg::k_commit);
    lease_->sync();
    std::vector<Result> results;
    try {
      for (std::size_t i = 0; i < sent_; ++i) {
        Result result = lease_->receive();
        if (i + count >= sent_) results.push_back(std::move(result));
      }
      lease_->receive();
      lease_->end_sync();
    } catch (const pg::Error& error) {
      if (error.is(k_lease_lost)) throw LeaseLost(error.what());
      throw;
    }
    return results;
  }

 private:
  pg::Pool::Borrowed lease_;
  std::size_t sent_ = 0;
};

EndpointReport report_of(const Result& rows, int row) {
  EndpointReport report;
  Endpoint& endpoint = report.endpoint;
  endpoint.id = rows.uuid(row, 0);
  endpoint.url = rows.text(row, 1);
  endpoint.kinds = static_cast<KindSet>(rows.int8(row, 2));
  endpoint.secret = rows.bytes(row, 3);
  endpoint.previous_secret = rows.bytes(row, 4);
  endpoint.previous_until = rows.int8(row, 5);
  endpoint.description = rows.bytes(row, 6);
  endpoint.enabled = rows.boolean(row, 7);
  endpoint.disabled_because = rows.text(row, 8);
  endpoint.created_at = rows.int8(row, 9);
  endpoint.position = rows.text(row, 10);
  report.last_success_at = rows.int8(row, 11);
  report.last_failure_at = rows.int8(row, 12);
  report.last_error = rows.bytes(row, 13);
  report.dead_dropped = static_cast<std::uint64_t>(rows.int8(row, 14));
  report.pending = static_cast<std::uint64_t>(rows.int8(row, 15));
  report.dead = static_cast<std::uint64_t>(rows.int8(row, 16));
  return report;
}

std::vector<QueuedMessage> messages_of(const Result& rows) {
  std::vector<QueuedMessage> messages;
  messages.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    messages.push_back({.number = rows.int8(i, 0),
                        .id = std::string(rows.text(i, 1)),
                        .kind = static_cast<ChangeKind>(rows.int2(i, 2)),
                        .group = std::string(rows.text(i, 3)),
                        .attempts = static_cast<unsigned>(rows.int4(i, 4)),
                        .next_at = rows.int8(i, 5),
                        .body = std::string(rows.bytes(i, 6)),
                        .last_error = std::string(rows.bytes(i, 7)),
                        .died_at = rows.int8(i, 8)});
  }
  return messages;
}

std::int64_t limit_of(std::size_t limit) { return static_cast<std::int64_t>(limit); }

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- endpoints

WebhookStore::Made PostgresWebhookStore::create(Endpoint& endpoint, const CallKey& key) {
  auto connection = pool_.take();
  connection->send(pg::k_begin);
  connection->send(k_revise);
  connection->send(k_made, Parameters().bytes(key.key));
  connection->send(k_count);
  connection->sync();
  connection->receive();
  connection->receive();
  const Result made = connection->receive();
  const Result count = connection->receive();
  connection->end_sync();
  // What is returned before the commit is undone when the connection goes back.
  if (made.rows() == 1) {
    if (made.bytes(0, 1) != key.request) return Made::key_reused;
    endpoint = report_of(connection->query(k_reports, Parameters().uuid(made.uuid(0, 0))), 0).endpoint;
    return Made::replayed;
  }
  if (count.int8(0, 0) >= limit_of(k_endpoints_max)) return Made::too_many;
  Parameters values;
  values.uuid(endpoint.id).text(endpoint.url).int8(endpoint.kinds).bytes(endpoint.secret).bytes(endpoint.previous_secret);
  values.int8(endpoint.previous_until).bytes(endpoint.description).boolean(endpoint.enabled).text(endpoint.disabled_because);
  values.int8(endpoint.created_at).text(endpoint.position);
  key.key.empty() ? values.null(pg::k_oid_bytea) : values.bytes(key.key);
  connection->send(k_insert, values.bytes(key.request));
  connection->send(pg::k_commit);
  connection->sync();
  connection->receive();
  connection->receive();
  connection->end_sync();
  return Made::created;
}

std::vector<EndpointReport> PostgresWebhookStore::list() {
  const Result rows = pool_.take()->query(k_reports, Parameters().null(pg::k_oid_uuid));
  std::vector<EndpointReport> reports;
  for (int i = 0; i < rows.rows(); ++i) reports.push_back(report_of(rows, i));
  return reports;
}

std::optional<EndpointReport> PostgresWebhookStore::find(const Uuid& id) {
  const Result rows = pool_.take()->query(k_reports, Parameters().uuid(id));
  return rows.rows() == 1 ? std::optional(report_of(rows, 0)) : std::nullopt;
}

bool PostgresWebhookStore::change(const Uuid& id, const std::function<void(Endpoint&)>& change) {
  return change_once(id, {}, change) == Changed::changed;
}

WebhookStore::Changed PostgresWebhookStore::change_once(const Uuid& id, const CallKey& key, const std::function<void(Endpoint&)>& change) {
  auto connection = pool_.take();
  connection->send(pg::k_begin);
  connection->send(k_revise);
  connection->send(k_lock, Parameters().uuid(id));
  connection->send(k_once, Parameters().uuid(id));
  connection->send(k_reports, Parameters().uuid(id));
  connection->sync();
  connection->receive();
  connection->receive();
  connection->receive();
  const Result once = connection->receive();
  const Result rows = connection->receive();
  connection->end_sync();
  if (rows.rows() == 0) return Changed::not_found;
  if (!key.key.empty() && once.bytes(0, 0) == key.key) return once.bytes(0, 1) == key.request ? Changed::replayed : Changed::key_reused;
  Endpoint endpoint = report_of(rows, 0).endpoint;
  change(endpoint);
  Parameters values;
  values.uuid(id).text(endpoint.url).int8(endpoint.kinds).bytes(endpoint.secret).bytes(endpoint.previous_secret);
  values.int8(endpoint.previous_until).bytes(endpoint.description).boolean(endpoint.enabled).text(endpoint.disabled_because);
  connection->send(k_write, values);
  if (!key.key.empty()) connection->send(k_set_once, Parameters().uuid(id).bytes(key.key).bytes(key.request));
  connection->send(pg::k_commit);
  connection->sync();
  connection->receive();
  if (!key.key.empty()) connection->receive();
  connection->receive();
  connection->end_sync();
  return Changed::changed;
}

bool PostgresWebhookStore::remove(const Uuid& id) {
  Writing writing(pool_);
  return writing.send(k_revise).send(k_remove, Parameters().uuid(id)).commit(1)[0].affected() == 1;
}

std::int64_t PostgresWebhookStore::revision() {
  const Result row = pool_.take()->query(k_revision);
  return row.rows() == 1 ? row.int8(0, 0) : 0;
}

// ---------------------------------------------------------------------------------------------------------------- progress

void PostgresWebhookStore::save(Epoch epoch, const Uuid& id, const Progress& progress) {
  Parameters values;
  values.uuid(id);
  progress.position ? values.text(*progress.position) : values.null(pg::k_oid_text);
  values.int8(progress.last_success_at).int8(progress.last_failure_at).bytes(progress.last_error);
  Writing(pool_, epoch).send(k_save, values).commit(0);
}

bool PostgresWebhookStore::disable(Epoch epoch, const Uuid& id, std::string_view url, std::string_view because) {
  return Writing(pool_, epoch).send(k_disable, Parameters().uuid(id).text(because).text(url)).commit(1)[0].affected() == 1;
}

// ---------------------------------------------------------------------------------------------------------------- the queue

std::vector<bool> PostgresWebhookStore::enqueue(Epoch epoch, const Uuid& id, std::span<const QueuedMessage> messages) {
  Writing writing(pool_, epoch);
  writing.send(k_lock, Parameters().uuid(id));
  for (const QueuedMessage& each : messages) {
    Parameters values;
    values.uuid(id).text(each.id).int2(static_cast<std::int16_t>(each.kind)).text(each.group);
    values.int4(static_cast<std::int32_t>(each.attempts)).int8(k_never).int8(each.next_at).bytes(each.body).bytes(each.last_error);
    writing.send(k_enqueue, values);
  }
  std::vector<bool> taken;
  taken.reserve(messages.size());
  for (const Result& each : writing.commit(messages.size())) taken.push_back(each.affected() == 1);
  return taken;
}

QueueSummary PostgresWebhookStore::queue(const Uuid& id) {
  const Result rows = pool_.take()->query(k_queue, Parameters().uuid(id));
  QueueSummary summary;
  for (int i = 0; i < rows.rows(); ++i) {
    const auto messages = static_cast<std::uint64_t>(rows.int8(i, 1));
    summary.messages += messages;
    summary.bytes += static_cast<std::uint64_t>(rows.int8(i, 2));
    summary.groups.emplace(rows.text(i, 0), messages);
  }
  return summary;
}

std::vector<std::string> PostgresWebhookStore::due_groups(const Uuid& id, Millis now, std::size_t limit) {
  const Result rows = pool_.take()->query(k_due_groups, Parameters().uuid(id).int8(now).int8(limit_of(limit)));
  std::vector<std::string> groups;
  for (int i = 0; i < rows.rows(); ++i) groups.emplace_back(rows.text(i, 0));
  return groups;
}

Millis PostgresWebhookStore::next_due(const Uuid& id, Millis now) {
  const Result row = pool_.take()->query(k_next_due, Parameters().uuid(id).int8(now));
  return row.is_null(0, 0) ? k_never : row.int8(0, 0);
}

std::vector<QueuedMessage> PostgresWebhookStore::of_group(const Uuid& id, std::string_view group, std::size_t limit) {
  return messages_of(pool_.take()->query(k_of_group, Parameters().uuid(id).text(group).int8(limit_of(limit))));
}

void PostgresWebhookStore::settle(Epoch epoch, const Uuid& id, std::int64_t number, Millis now) {
  Writing(pool_, epoch)
      .send(k_lock, Parameters().uuid(id))
      .send(k_promote, Parameters().uuid(id).int8(number).int8(now).int8(k_never))
      .send(k_delete, Parameters().uuid(id).int8(number))
      .commit(0);
}

void PostgresWebhookStore::postpone(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis next_at,
                                    std::string_view error) {
  Writing(pool_, epoch)
      .send(k_lock, Parameters().uuid(id))
      .send(k_postpone, Parameters().uuid(id).int8(number).int4(static_cast<std::int32_t>(attempts)).int8(next_at).bytes(error))
      .commit(0);
}

void PostgresWebhookStore::complete(Epoch epoch, const Uuid& id, std::int64_t number, ChangeKind kind, std::string_view body) {
  Writing(pool_, epoch)
      .send(k_lock, Parameters().uuid(id))
      .send(k_complete, Parameters().uuid(id).int8(number).int2(static_cast<std::int16_t>(kind)).bytes(body))
      .commit(0);
}

void PostgresWebhookStore::bury(Epoch epoch, const Uuid& id, std::int64_t number, unsigned attempts, Millis now, std::string_view error,
                                std::size_t dead_max) {
  Writing(pool_, epoch)
      .send(k_lock, Parameters().uuid(id))
      .send(k_promote, Parameters().uuid(id).int8(number).int8(now).int8(k_never))
      .send(k_bury, Parameters().uuid(id).int8(number).int4(static_cast<std::int32_t>(attempts)).int8(now).bytes(error))
      .send(k_drop_dead, Parameters().uuid(id).int8(limit_of(dead_max)))
      .commit(0);
}

// ---------------------------------------------------------------------------------------------------------------- the dead

std::vector<QueuedMessage> PostgresWebhookStore::dead(const Uuid& id, std::int64_t after, std::size_t limit) {
  return messages_of(pool_.take()->query(k_dead, Parameters().uuid(id).int8(after).int8(limit_of(limit))));
}

std::uint64_t PostgresWebhookStore::revive(const Uuid& id, std::span<const std::string> ids, Millis now) {
  Writing writing(pool_);
  writing.send(k_revise).send(k_lock, Parameters().uuid(id));
  if (ids.empty()) {
    writing.send(k_revive_all, Parameters().uuid(id).int8(now));
  } else {
    writing.send(k_revive, Parameters().uuid(id).int8(now).texts(ids));
  }
  return writing.send(k_heads, Parameters().uuid(id).int8(now).int8(k_never)).commit(2)[0].affected();
}

}  // namespace holdfast::feed
