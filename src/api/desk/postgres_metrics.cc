#include "api/desk/metric_families.h"
#include "api/desk/part_metrics.h"
#include "ledger/postgres/postgres_ledger.h"

namespace holdfast::api {

std::vector<prometheus::MetricFamily> postgres_metrics(const PostgresLedger& ledger) {
  const PostgresStats stats = ledger.stats();
  return {
      gauges("holdfast_postgresql_connections", "Connections to the database, by state.", "state",
             {{"busy", stats.connections.busy}, {"idle", stats.connections.open - stats.connections.busy}}),
      counter("holdfast_postgresql_connections_made_total", "Connections opened to the database.", stats.connections.connected),
      counter("holdfast_postgresql_connection_failures_total", "Failed attempts to connect to the database.", stats.connections.failures),
      counters("holdfast_postgresql_batches_total", "Batches, by result.", "result",
               {{"written", stats.batches_written}, {"nothing_to_write", stats.batches_refused}, {"unavailable", stats.batches_failed}}),
      counter("holdfast_postgresql_batches_again_total", "Times that a batch was judged again.", stats.batches_again),
      counter("holdfast_postgresql_commits_settled_total", "Commits whose answer was lost and that turned out to be committed.",
              stats.commits_settled),
      gauge("holdfast_postgresql_replicas", "Events in this node's memory.", stats.replicas),
      counter("holdfast_postgresql_replicas_loaded_total", "Times that an event was loaded.", stats.replicas_loaded),
      counter("holdfast_postgresql_rows_followed_total", "Journal rows that were read from other nodes, and at the start.",
              stats.rows_followed),
      counter("holdfast_postgresql_histories_changed_total",
              "Times that the database had a different history from the one that this node had seen.", stats.histories_changed),
      gauge("holdfast_postgresql_projection_changes_behind", "Changes that the tables do not have yet.", stats.projector.changes_behind),
      gauge("holdfast_postgresql_projection_seconds_behind", "Age of the oldest change that the tables do not have yet.",
            static_cast<double>(stats.projector.behind.count()) / 1'000),
      counter("holdfast_postgresql_projection_steps_total", "Steps of this node's projector.", stats.projector.steps),
      counter("holdfast_postgresql_projection_changes_total", "Changes that this node's projector has written.", stats.projector.changes),
      counter("holdfast_postgresql_projection_failures_total", "Steps that the database refused.", stats.projector.failures),
      gauge("holdfast_postgresql_events_damaged", "Events whose journal or tables are damaged.", stats.projector.events_damaged),
      gauge("holdfast_postgresql_events_left_out", "Events that cannot be followed, swept or repaired at the moment.",
            stats.events_left_out),
      gauge("holdfast_expiries_oldest_pending_seconds",
            "Age of the oldest expiry that is due but not recorded, of events in this node's memory.",
            static_cast<double>(stats.expiries_due.count()) / 1'000),
      counter("holdfast_postgresql_journal_rows_removed_total", "Journal rows removed by retention.", stats.projector.rows_removed),
  };
}

}  // namespace holdfast::api
