// The home in a folder of this machine: the embedded ledger.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <limits>
#include <mutex>
#include <optional>

#include "access/registry_file.h"
#include "api/desk/metric_families.h"
#include "cli/health.h"
#include "cli/home.h"
#include "cli/kafka_feed.h"
#include "feed/backlog.h"
#include "feed/kafka/feed_file.h"
#include "feed/kafka/store.h"
#include "feed/webhooks/ledger_source.h"
#include "feed/webhooks/row_positions.h"
#include "feed/webhooks/store.h"
#include "feed/webhooks/webhook_file.h"
#include "ledger/embedded/embedded_ledger.h"
#include "ledger/embedded/file_watch.h"

namespace holdfast::cli {
namespace {

// Normally state.db is a few dozen rows behind.
constexpr std::int64_t k_rows_behind_degraded = 10'000;

// Tells the checkpointer which journal rows all webhooks have read. If the positions cannot be read, the last answer stays, so that
// no further rows are removed.
class DeliveredRows {
 public:
  // 0 until the first look(), so that nothing is removed.
  Position through() const { return through_.load(std::memory_order_relaxed); }
  void look(feed::WebhookStore& store) {
    const auto now = std::chrono::steady_clock::now();
    if (looked_at_ && now < *looked_at_ + k_period) return;
    looked_at_ = now;
    try {
      through_ = feed::needless_through(store.list());
    } catch (const std::exception& error) {
      spdlog::warn("cannot read the webhooks' positions, so journal rows after row {} are not removed: {}", through(), error.what());
    }
  }

 private:
  static constexpr std::chrono::seconds k_period{10};   // retention is in days
  std::atomic<Position> through_{0};
  std::optional<std::chrono::steady_clock::time_point> looked_at_{};   // of the main thread
};

// Why the journal cannot be compared with its checksums at the moment. Logs each new reason once. Any thread.
class JournalUnwatched {
 public:
  void set(const std::string& because) {
    const std::scoped_lock lock(mutex_);
    if (because_ == because) return;
    because_ = because;
    because.empty() ? spdlog::info("the journal is compared with its checksums again") : spdlog::warn("{}", told());
  }
  std::string text() const {
    const std::scoped_lock lock(mutex_);
    return because_.empty() ? std::string() : told();
  }

 private:
  std::string told() const { return "the journal cannot be compared with its checksums, which is retried every second: " + because_; }

  mutable std::mutex mutex_;
  std::string because_;
};

// Which changes of the journal readers cannot get, because they are damaged; empty: they can get all.
std::string told_of_damage(const EmbeddedLedger& ledger) {
  if (std::string rows = ledger.damaged_rows().text(); !rows.empty()) return rows;
  const auto untold = ledger.untold();
  return untold.events == 0 ? std::string() : "changes cannot be read for " + untold.text;
}

api::HealthComponent look_at_ledger(const EmbeddedLedger& ledger, const JournalUnwatched& unwatched, bool sweeps) {
  if (std::string trouble = ledger.trouble(); !trouble.empty()) return {"embedded", api::HealthStatus::down, std::move(trouble)};
  return ok_unless(
      first_said({ledger.room_trouble(), told_of_damage(ledger), unwatched.text(), late_expiries(ledger.expiries_due(), sweeps)}),
      "embedded", "The journal can be written; everything answered is on disk.");
}

// Requests go first, so under load state.db may follow slowly. A row that waits longer than this waits for something else.
constexpr double k_state_pending_degraded_seconds = 300;

// For how long state.db has been behind the journal, in seconds. Any thread; look() must be called about once a second.
class StateBacklog {
 public:
  double look(const EmbeddedLedger& ledger) {
    const Position through = ledger.state_through();
    const std::scoped_lock lock(mutex_);
    backlog_.done(static_cast<std::uint64_t>(through));
    backlog_.wanted(static_cast<std::uint64_t>(through + ledger.rows_behind()), feed::Backlog::Timer::now());
    return feed::age_of(backlog_.oldest()).count();
  }

 private:
  std::mutex mutex_;
  feed::Backlog backlog_;
};

// Metrics that only the embedded ledger has.
std::vector<prometheus::MetricFamily> state_metrics(StateBacklog& backlog, const EmbeddedLedger& ledger) {
  using api::counter, api::gauge;
  const auto seconds = [](auto duration) { return std::chrono::duration<double>(duration).count(); };
  return {
      gauge("holdfast_journal_room_short", "1 while the journal has no room for new holds, events and changes of events, otherwise 0.",
            ledger.room_trouble().empty() ? 0 : 1),
      gauge("holdfast_journal_rows_damaged", "Journal rows that readers found damaged or missing. Nobody gets their changes.",
            ledger.damaged_rows().count()),
      gauge("holdfast_state_reservations_unreadable", "Ended reservations whose rows in state.db were found unreadable.",
            ledger.unreadable_reservations().count()),
      gauge("holdfast_state_oldest_pending_seconds", "Age of the oldest journal row that state.db does not have.", backlog.look(ledger)),
      gauge("holdfast_state_events_stopped", "Events whose tables in state.db stand still, because a change contradicts their rows.",
            ledger.stopped_events().size()),
      gauge("holdfast_expiries_oldest_pending_seconds", "Since when the oldest expiry waits to be recorded.",
            seconds(ledger.expiries_due())),
      counter("holdfast_state_held_back_seconds_total",
              "Time that rounds have waited for state.db because it exceeded ledger.state_lag_max_ms.", seconds(ledger.held_back()))};
}

// Empty while the tables of all events follow the journal.
std::string told_of_stopped(const EmbeddedLedger& ledger) {
  const StoppedEvents stopped = ledger.stopped_events();
  return stopped.empty() ? std::string() : told_of(stopped, "state.db");
}

// Empty while the delay is normal.
std::string told_of_age(double seconds) {
  return seconds > k_state_pending_degraded_seconds ? fmt::format("state.db has not followed the journal for {:.0f} s", seconds) : "";
}

api::HealthComponent look_at_tables(const EmbeddedLedger& ledger, StateBacklog& backlog) {
  const auto behind = static_cast<std::int64_t>(ledger.rows_behind());
  const std::string stopped = told_of_stopped(ledger);
  const std::string unreadable = ledger.unreadable_reservations().text();
  const std::string late = told_of_age(backlog.look(ledger));
  const std::string fault =
      !ledger.state_follows()
          ? "state.db cannot follow the journal; the log says why. Sales continue, but lists and histories are not available."
      : !stopped.empty()                ? stopped + "."
      : !late.empty()                   ? late + "."
      : behind > k_rows_behind_degraded ? "state.db is far behind the journal."
      : !unreadable.empty()             ? unreadable + "."   // last: one reservation must not hide what concerns all
                                        : "";
  return ok_unless(fault, "state.db", "state.db follows the journal.", api::HealthLag{static_cast<double>(behind), "rows"});
}

// Whether the kernel considers this machine's clock synchronised. The main thread asks it once a minute.
class KernelClock {
 public:
  bool is_unsynchronised() const { return unsynchronised_.load(std::memory_order_relaxed); }
  void look() {
    const auto now = std::chrono::steady_clock::now();
    if (looked_at_ && now < *looked_at_ + k_period) return;
    looked_at_ = now;
    const bool unsynchronised = is_wall_clock_unsynchronised();
    if (unsynchronised == unsynchronised_.exchange(unsynchronised)) return;
    if (unsynchronised) {
      spdlog::warn("the kernel says that nothing synchronises this machine's clock (no NTP, or a container that cannot see it)");
    } else {
      spdlog::info("the kernel says that this machine's clock is synchronised");
    }
  }

 private:
  static constexpr std::chrono::minutes k_period{1};
  std::atomic<bool> unsynchronised_{false};
  std::optional<std::chrono::steady_clock::time_point> looked_at_{};   // of the main thread
};

// An unsynchronised clock is normal in containers, so it does not degrade the server.
api::HealthComponent look_at_clock(const EmbeddedLedger& ledger, const KernelClock& kernel) {
  return ok_unless(ledger.clock_doubt(), "embedded",
                   kernel.is_unsynchronised() ? "The kernel says that nothing synchronises this machine's clock."
                                              : "The kernel says that this machine's clock is synchronised.");
}

// A folder that has segments keeps them, whatever the option says.
JournalOptions journal_options(const ServeOptions& options) {
  const bool wants_segments = options.ledger_journal == "segments";
  return {.for_new = wants_segments ? JournalFormat::segments : JournalFormat::sqlite, .converts = wants_segments};
}

class EmbeddedHome final : public Home {
 public:
  EmbeddedHome(const ServeOptions& options, const JudgingOptions& judging)
      : options_(options),
        published_through_(options.feed_url.empty() ? std::numeric_limits<Position>::max() : 0),
        ledger_({.data = options.data,
                 .journal = journal_options(options),
                 .idempotency_keys_max = options.ledger_idempotency_keys_max,
                 .ended_in_memory_max = options.ledger_ended_in_memory_max,
                 .journal_retention_days = static_cast<std::int64_t>(options.ledger_journal_retention_days),
                 .journal_removable_through = [this] { return std::min(delivered_.through(), published_through_.load()); },
                 .judging = judging,
                 .state_lag_max = std::chrono::milliseconds(options.ledger_state_lag_max_ms)}),
        registry_(DataFolder::registry_in(options.data)),
        webhook_store_(feed::open_webhook_file(DataFolder::registry_in(options.data))),
        counting_(ledger_.new_reader()),
        webhook_source_(
            ledger_, [this](const std::string& cursor) { return counting_->count_changes_from(cursor); },
            feed::LedgerChangeSource::Positions::rows) {
    kernel_clock_.look();
    if (registry_.was_made() && !ledger_.events().empty()) {   // the folder never had one
      spdlog::warn("registry.db was missing beside the data and was created: there are no API keys, and all visitors' sessions have ended");
    }
  }

  Ledger& ledger() override { return ledger_; }
  Registry& registry() override { return registry_; }
  feed::WebhookStore& webhook_store() override { return webhook_store_; }
  feed::ChangeSource& webhook_source() override { return webhook_source_; }
  std::unique_ptr<feed::kafka::FeedStore> make_feed_store() override {
    return std::make_unique<feed::kafka::FeedStore>(feed::kafka::open_feed_file(feed::kafka::feed_file_in(options_.data)));
  }
  std::string feed_holder() const override { return "embedded"; }   // only one process uses the folder at a time
  api::LedgerHealth health() const override { return {ledger_.rows_behind(), ledger_.state_follows()}; }
  void add_health_probes(api::Health& health) const override {
    health.add("ledger", [this] { return look_at_ledger(ledger_, journal_unwatched_, options_.sweep); });
    health.add("tables", [this] { return look_at_tables(ledger_, state_backlog_); });
    health.add("clock", [this] { return look_at_clock(ledger_, kernel_clock_); });
  }
  std::vector<prometheus::MetricFamily> metrics() const override { return state_metrics(state_backlog_, ledger_); }
  std::string degradation() const override {
    return first_said({ledger_.room_trouble(), ledger_.clock_doubt(), told_of_damage(ledger_), journal_unwatched_.text(),
                       ledger_.state_follows() ? "" : "state.db cannot follow the journal; the log says why", told_of_stopped(ledger_),
                       told_of_age(state_backlog_.look(ledger_)), late_expiries(ledger_.expiries_due(), options_.sweep),
                       ledger_.unreadable_reservations().text()});
  }
  // A failed round leaves memory and disk different. If files have gone away they agree, and ending the process would lose the data.
  bool ends_with_a_failed_round() const override { return !has_lost_files_; }
  std::string place() const override { return options_.data; }

  void every_second(const ServedFeed* feed) override {
    kernel_clock_.look();
    look_at_files();
    if (options_.ledger_journal_retention_days > 0) delivered_.look(webhook_store_);
    state_backlog_.look(ledger_);
    ledger_.look_at_expiries();
    if (feed != nullptr) published_through_ = static_cast<Position>(feed->published_through());
    if (const auto step = ledger_.compare_clocks()) {
      spdlog::warn(
          "the wall clock is {} ms ahead of the ledger's clock. Holds keep their time; the ledger's clock gains at most 0.5 ms per second",
          *step);
    }
  }

 private:
  void look_at_files() {
    if (has_lost_files_) return;
    if (!file_watch_) file_watch_.emplace(options_.data, ledger_.new_journal_watch());
    std::optional<FileWatch::Loss> loss = file_watch_->look();
    journal_unwatched_.set(file_watch_->unwatched());
    if (std::string found = ledger_.journal_damage(); !loss && !found.empty()) loss = {.what = std::move(found), .is_damage = true};
    if (!loss) return;
    has_lost_files_ = true;   // before the ledger refuses a round
    ledger_.stop_selling(std::move(loss->what), loss->is_damage);
  }

  const ServeOptions& options_;
  DeliveredRows delivered_;
  KernelClock kernel_clock_;
  std::atomic<bool> has_lost_files_{false};
  std::atomic<Position> published_through_;
  EmbeddedLedger ledger_;
  std::optional<FileWatch> file_watch_;   // of the main thread; created in the first second, once all files exist
  JournalUnwatched journal_unwatched_;
  mutable StateBacklog state_backlog_;
  RegistryFile registry_;
  feed::WebhookStore webhook_store_;
  std::unique_ptr<JournalReader> counting_;   // with connections of its own: counting keeps no reader of changes waiting
  feed::LedgerChangeSource webhook_source_;
};

}  // namespace

bool has_keys_in_folder(const std::string& data) {
  const std::string registry = DataFolder::registry_in(data);
  // If the folder has been served before, open the ledger first, so that an error of the journal is reported before one of the keys.
  if (noted_registry_revision(registry)) return true;
  return std::filesystem::exists(registry) && !RegistryFile(registry).keys().empty();
}

std::unique_ptr<Home> open_folder(const ServeOptions& options, const JudgingOptions& judging) {
  return std::make_unique<EmbeddedHome>(options, judging);
}

}  // namespace holdfast::cli
