// What the program's state lives in: a folder of this machine, or PostgreSQL. A home brings its ledger, and everything that must be kept
// beside it, so that serve() wires either of them alike.
#pragma once

#include <memory>
#include <string>

#include "access/registry.h"
#include "api/desk/health.h"
#include "api/desk/metrics.h"
#include "cli/options.h"
#include "feed/kafka/ports.h"
#include "feed/lease.h"
#include "feed/webhooks/ports.h"
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
  // Of webhooks; nullptr where no other process works with the store.
  virtual feed::Lease* webhook_lease() { return nullptr; }
  // What the clock of webhooks goes by, where several nodes share them; empty: the wall clock of this machine.
  virtual std::function<Millis()> webhook_clock() { return {}; }
  virtual std::unique_ptr<feed::kafka::FeedStore> make_feed_store() = 0;
  // This process, as no other of the same store is called that lives; empty: any random name.
  virtual std::string feed_holder() const = 0;

  virtual api::LedgerHealth health() const = 0;
  // Probes of the ledger, and of the tables behind it. It must outlive them.
  virtual void add_health_probes(api::Health& health) const = 0;
  // More numbers for /metrics; nullptr: none.
  virtual const prometheus::Collectable* metrics() const { return nullptr; }
  // What callers should know though it can sell: a sentence; empty: nothing.
  virtual std::string degradation() const { return {}; }
  // Whether a round that could not be made durable means that the process must end and recover.
  virtual bool ends_with_a_failed_round() const = 0;
  // Where it is, for the log.
  virtual std::string place() const = 0;

  // `news` is called, on any thread, when changes have been published that this process's engine did not bring. The one before is not
  // called any more once this has returned.
  virtual void on_news(std::function<void()> news) { static_cast<void>(news); }
  // Of the main thread, about once a second; `feed` may be nullptr.
  virtual void every_second(const ServedFeed* feed) = 0;
};

// Whether keys are configured, or may be, found out before anything is opened for long. Throws what the registry throws.
bool has_keys_at_home(const ServeOptions& options);

// How many threads judge at home, which is as many as want a connection to the seat lock.
std::size_t judging_threads(const ServeOptions& options);

// Opens it. Throws UsageError, DataError, sqlite::Error or pg::Error, which say what to do.
std::unique_ptr<Home> open_home(const ServeOptions& options, const JudgingOptions& judging);

}  // namespace holdfast::cli
