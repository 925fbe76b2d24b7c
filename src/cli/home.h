// Where the program's state lives: a folder, or a PostgreSQL database. A home owns its ledger and the stores beside it, so that
// serve() wires both in the same way.
//
//   const std::unique_ptr<Home> home = open_home(options, judging);
//   Engine engine(home->ledger(), …);
#pragma once

#include <memory>
#include <string>

#include "access/registry.h"
#include "api/desk/health.h"
#include "api/desk/metrics.h"
#include "cli/options.h"
#include "feed/kafka/store.h"
#include "feed/lease.h"
#include "feed/webhooks/store.h"
#include "ledger/judging.h"
#include "ledger/ledger.h"

namespace holdfast::cli {

class ServedFeed;

class Home {
 public:
  virtual ~Home() = default;

  virtual Ledger& ledger() = 0;
  virtual Registry& registry() = 0;
  virtual feed::WebhookStore& webhook_store() = 0;
  virtual feed::ChangeSource& webhook_source() = 0;
  // The lease to relay webhooks; nullptr if no other process uses the store.
  virtual feed::Lease* webhook_lease() { return nullptr; }
  // The clock that all nodes share for webhooks; empty: the wall clock of this machine.
  virtual std::function<Millis()> webhook_clock() { return {}; }
  virtual std::unique_ptr<feed::kafka::FeedStore> make_feed_store() = 0;
  // A name for this process that no other living process with the same store has; empty: any random name.
  virtual std::string feed_holder() const = 0;

  virtual api::LedgerHealth health() const = 0;
  // Adds probes of the ledger and of the tables behind it. The home must outlive `health`.
  virtual void add_health_probes(api::Health& health) const = 0;
  // Further metrics, as they are now. Any thread.
  virtual std::vector<prometheus::MetricFamily> metrics() const = 0;
  // What is wrong although the node can sell, as a sentence without a full stop; empty: nothing.
  virtual std::string degradation() const = 0;
  // Whether the process must end and recover after a round that could not be made durable.
  virtual bool ends_with_a_failed_round() const = 0;
  // The folder, or the database's URL without a password; for the log.
  virtual std::string place() const = 0;

  // Calls `news`, on any thread, after changes were published that did not come from this process's engine. Once on_news() has returned,
  // the previous `news` is not called any more.
  virtual void on_news(const std::function<void()>& /*news*/) {}
  // Called by the main thread about once a second; `feed` may be nullptr.
  virtual void every_second(const ServedFeed* feed) = 0;
};

// In a folder of this machine (embedded_home.cc), or in a PostgreSQL database that other nodes may share (postgres_home.cc).
bool has_keys_in_folder(const std::string& data);
bool has_keys_in_database(const ServeOptions& options);
std::unique_ptr<Home> open_folder(const ServeOptions& options, const JudgingOptions& judging);
std::unique_ptr<Home> open_database(const ServeOptions& options, const JudgingOptions& judging);

// Whether API keys exist, or may exist. Opens the registry only briefly. Throws what the registry throws.
inline bool has_keys_at_home(const ServeOptions& options) {
  return options.ledger_url.empty() ? has_keys_in_folder(options.data) : has_keys_in_database(options);
}

// The number of threads that judge; each needs a connection to the seat lock.
inline std::size_t judging_threads(const ServeOptions& options) { return options.ledger_url.empty() ? 1 : options.ledger_lanes; }

// Throws UsageError, DataError, sqlite::Error or pg::Error; their texts say what to do. `options` must outlive the home.
inline std::unique_ptr<Home> open_home(const ServeOptions& options, const JudgingOptions& judging) {
  return options.ledger_url.empty() ? open_folder(options, judging) : open_database(options, judging);
}

}  // namespace holdfast::cli
