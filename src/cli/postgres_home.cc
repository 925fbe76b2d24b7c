// The home in a PostgreSQL database, which other nodes may share.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "access/registry.h"
#include "api/desk/part_metrics.h"
#include "cli/commands.h"
#include "cli/health.h"
#include "cli/home.h"
#include "feed/change_counter.h"
#include "feed/kafka/store.h"
#include "feed/lease.h"
#include "feed/webhooks/ledger_source.h"
#include "feed/webhooks/store.h"
#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/schema.h"
#include "sql/postgres_database.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t k_store_connections = 4;   // keys, webhooks, leases, the feed's positions

pg::Settings store_settings(const ServeOptions& options) { return {.url = options.ledger_url, .application = "holdfast stores"}; }

PostgresOptions ledger_options(const ServeOptions& options, const JudgingOptions& judging, pg::Pool& stores) {
  return {.url = options.ledger_url,
          .lanes = static_cast<unsigned>(options.ledger_lanes),
          .connections_max = options.ledger_connections_max,
          .idempotency_keys_max = options.ledger_idempotency_keys_max,
          .ended_in_memory_max = options.ledger_ended_in_memory_max,
          .events_in_memory_max = options.ledger_events_in_memory_max,
          .sync_projection = options.ledger_projection == "sync",
          .journal_retention_days = static_cast<std::int64_t>(options.ledger_journal_retention_days),
          .relayed = [&stores, feeds = !options.feed_url.empty()](EventNumber event) { return pg::relayed_through(stores, event, feeds); },
          .judging = judging};
}

// While the database keeps up, the tables are at most 0.1 s behind.
constexpr std::chrono::milliseconds k_behind_degraded{2'000};

api::HealthComponent look_at_ledger(const PostgresLedger& ledger, bool sweeps) {
  if (std::string trouble = ledger.trouble(); !trouble.empty()) return {"postgresql", api::HealthStatus::down, std::move(trouble)};
  return ok_unless(first_said({ledger.damage(), late_expiries(ledger.stats().expiries_due, sweeps)}), "postgresql",
                   "The database can be written; everything answered is on its disk.");
}

api::HealthComponent look_at_tables(const PostgresLedger& ledger) {
  const pg::ProjectorStats stats = ledger.stats().projector;
  const char* const late = stats.behind > k_behind_degraded ? "The tables are far behind the journal." : "";
  return ok_unless(first_said({ledger.degradation(), late}), "projection", "The tables follow the journal.",
                   api::HealthLag{static_cast<double>(stats.changes_behind), "changes"});
}

api::HealthComponent look_at_clock(const PostgresLedger& ledger) {
  return ok_unless(ledger.clock_doubt(), "postgresql", "The database's clock agrees with what was recorded.");
}

class PostgresHome final : public Home {
 public:
  PostgresHome(const ServeOptions& options, const JudgingOptions& judging)
      : options_(options),
        stores_(store_settings(options), {.connections_max = k_store_connections}),
        ledger_(ledger_options(options, judging, stores_)),
        registry_(std::make_unique<sql::PostgresDatabase>(stores_)),
        webhook_store_(std::make_unique<sql::PostgresDatabase>(stores_)),
        webhook_source_(ledger_, [this](const std::string& cursor) { return pg::count_changes_from(stores_, cursor); }),
        webhook_lease_(lease_database_, feed::k_lease_webhooks) {}

  Ledger& ledger() override { return ledger_; }
  Registry& registry() override { return registry_; }
  feed::WebhookStore& webhook_store() override { return webhook_store_; }
  feed::ChangeSource& webhook_source() override { return webhook_source_; }
  feed::Lease* webhook_lease() override { return &webhook_lease_; }
  std::function<Millis()> webhook_clock() override {
    return [this] { return ledger_.now(); };
  }
  std::unique_ptr<feed::kafka::FeedStore> make_feed_store() override {
    return std::make_unique<feed::kafka::FeedStore>(std::make_unique<sql::PostgresDatabase>(stores_));
  }
  std::string feed_holder() const override { return {}; }   // a random name for each process

  api::LedgerHealth health() const override {
    return {static_cast<Position>(ledger_.stats().projector.changes_behind), ledger_.degradation().empty()};
  }
  void add_health_probes(api::Health& health) const override {
    health.add("ledger", [this] { return look_at_ledger(ledger_, options_.sweep); });
    health.add("tables", [this] { return look_at_tables(ledger_); });
    health.add("clock", [this] { return look_at_clock(ledger_); });
  }
  std::vector<prometheus::MetricFamily> metrics() const override { return api::postgres_metrics(ledger_); }
  std::string degradation() const override {
    const PostgresStats stats = ledger_.stats();
    const double behind = std::chrono::duration<double>(stats.projector.behind).count();
    return first_said(
        {ledger_.clock_doubt(), ledger_.degradation(),
         behind > k_pending_degraded_seconds ? fmt::format("the tables have been behind the journal for {:.0f} s", behind) : "",
         late_expiries(stats.expiries_due, options_.sweep)});
  }
  bool ends_with_a_failed_round() const override { return false; }
  std::string place() const override { return pg::without_password(options_.ledger_url); }
  void on_news(const std::function<void()>& news) override { ledger_.on_news(news); }
  void every_second(const ServedFeed*) override {}

 private:
  const ServeOptions& options_;
  pg::Pool stores_;
  PostgresLedger ledger_;
  Registry registry_;
  feed::WebhookStore webhook_store_;
  feed::LedgerChangeSource webhook_source_;
  sql::PostgresDatabase lease_database_{stores_};
  feed::Lease webhook_lease_;
};

}  // namespace

bool has_keys_in_database(const ServeOptions& options) {
  check_ledger_url(options.ledger_url);
  pg::Connection connection(store_settings(options));
  pg::check_schema(connection);
  pg::Pool pool(store_settings(options), {.connections_max = 1});
  return !Registry(std::make_unique<sql::PostgresDatabase>(pool)).keys().empty();
}

std::unique_ptr<Home> open_database(const ServeOptions& options, const JudgingOptions& judging) {
  return std::make_unique<PostgresHome>(options, judging);
}

}  // namespace holdfast::cli
