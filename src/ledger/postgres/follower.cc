#include "ledger/postgres/follower.h"

#include <spdlog/spdlog.h>

#include <charconv>

namespace holdfast {
namespace {

using namespace pg;
using Timer = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_between_tellings{5};
constexpr std::chrono::milliseconds k_listen{100};            // then checks whether the ledger ends
constexpr std::chrono::milliseconds k_between_comparisons{1'000};
constexpr std::chrono::milliseconds k_between_keepings{1'000};
constexpr std::chrono::milliseconds k_after_failure{200};
constexpr std::size_t k_notification_bytes_max = 7'000;       // of 8,000

constexpr Statement k_listen_statement{"listen", "LISTEN holdfast"};
constexpr Statement k_notify{"notify", "SELECT pg_notify('holdfast', $1)"};
constexpr Statement k_heads{"heads", R"(
  SELECT e.number, h.seq, h.ordinal, h.hash FROM unnest($1) AS e (number) CROSS JOIN LATERAL (
    SELECT first_seq + changes - 1 AS seq, CASE WHEN changes > 0 THEN 0::smallint ELSE ordinal + 1::smallint END AS ordinal, hash
    FROM holdfast.journal j WHERE j.event = e.number
    ORDER BY j.event DESC, j.first_seq DESC, j.ordinal DESC LIMIT 1) h)"};

Settings background(Settings settings) {
  settings.application = "holdfast follower";
  settings.durable = false;
  return settings;
}

}  // namespace

PostgresLedger::Follower::Follower(PostgresLedger& ledger)
    : ledger_(ledger),
      sender_(to_string(ledger.node_) + ":"),
      teller_([this] { tell(); }),
      follower_([this] { follow(); }),
      keeper_([this] { keep(&PostgresLedger::keep_house); }),
      renewer_([this] { keep(&PostgresLedger::renew_imports, &PostgresLedger::has_imports); }),
      abandoner_([this] { keep(&PostgresLedger::abandon_stale_imports); }) {}

PostgresLedger::Follower::~Follower() { stop(); }

void PostgresLedger::Follower::stop() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  for (std::thread* each : {&teller_, &follower_, &keeper_, &renewer_, &abandoner_}) {
    if (each->joinable()) each->join();
  }
}

void PostgresLedger::Follower::announce(EventNumber event) {
  const std::scoped_lock lock(mutex_);
  if (to_tell_.insert(event).second && to_tell_.size() == 1) changed_.notify_all();
}

void PostgresLedger::Follower::on_news(std::function<void()> call) {
  const std::scoped_lock lock(news_mutex_);
  on_news_ = std::move(call);
}

bool PostgresLedger::Follower::ended() {
  const std::scoped_lock lock(mutex_);
  return ended_;
}

bool PostgresLedger::Follower::pause(Milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return ended_; });
}

// ---------------------------------------------------------------------------------------------------------------- telling

void PostgresLedger::Follower::tell() {
  std::unique_ptr<Connection> connection;
  for (;;) {
    std::set<EventNumber> events;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ended_ || !to_tell_.empty(); });
      if (to_tell_.empty()) return;   // ended, and everything has been sent
      events.swap(to_tell_);
    }
    try {
      if (connection == nullptr || !connection->is_usable())
        connection = std::make_unique<Connection>(background(ledger_.pool_.settings()));
      while (!events.empty()) {
        std::string text = sender_;
        while (!events.empty() && text.size() < k_notification_bytes_max) {
          text += std::to_string(*events.begin()) + ",";
          events.erase(events.begin());
        }
        connection->query(k_notify, Parameters().text(text));
      }
    } catch (const Error& error) {
      // Other nodes compare heads within a second.
      spdlog::debug("NOTIFY failed: {}", error.what());
      connection.reset();
      if (!pause(k_after_failure)) return;
    }
    if (!pause(k_between_tellings)) continue;
  }
}

// ---------------------------------------------------------------------------------------------------------------- following

// Notifications make it fast, comparing makes it certain. Comparing continues if LISTEN fails: a pooler between node and server may not
// support it, or may end sessions that use it.
void PostgresLedger::Follower::follow() {
  std::unique_ptr<Connection> listening;
  auto compared = Timer::time_point{};
  auto listen_at = Timer::time_point{};
  while (!ended()) {
    std::set<EventNumber> events;
    if (listening != nullptr || Timer::now() >= listen_at) {
      const bool is_new = listening == nullptr;
      const bool hears = listen(listening, events);
      if (is_new && hears) compared = {};   // notifications sent before were missed
      if (is_new && !hears) listen_at = Timer::now() + k_between_comparisons;
    } else if (!pause(k_listen)) {
      return;
    }
    try {
      if (Timer::now() - compared >= k_between_comparisons) {
        compared = Timer::now();
        events.merge(behind());
      }
      follow_events(events);
    } catch (const std::exception& error) {
      spdlog::debug("cannot follow other nodes at the moment: {}", error.what());
      compared = {};   // comparing finds the events of lost notifications
      if (!pause(k_after_failure)) return;
    }
  }
}

// Waits a moment for notifications. False, and no connection, if LISTEN fails.
bool PostgresLedger::Follower::listen(std::unique_ptr<Connection>& connection, std::set<EventNumber>& events) {
  bool is_refused = false;
  try {
    if (connection == nullptr) {
      connection = std::make_unique<Connection>(background(ledger_.pool_.settings()));
      is_refused = true;   // until the statement has succeeded
      connection->query(k_listen_statement);
      is_refused = false;
      if (std::exchange(is_deaf_, false)) spdlog::warn("LISTEN works again: this node sees at once what other nodes write");
    }
    events = heard(connection->take_notifications(k_listen));
    return true;
  } catch (const std::exception& error) {
    spdlog::debug("cannot listen to other nodes at the moment: {}", error.what());
    if (is_refused && !std::exchange(is_deaf_, true)) {
      spdlog::warn("the database refuses LISTEN, so this node sees up to a second late what other nodes write: {}", error.what());
    }
    connection.reset();
    return false;
  }
}

// Numbers of the events in notifications of other nodes.
std::set<EventNumber> PostgresLedger::Follower::heard(const std::vector<std::string>& notifications) const {
  std::set<EventNumber> events;
  for (const std::string& each : notifications) {
    if (each.starts_with(sender_)) continue;
    const char* at = each.data() + std::min(each.size(), each.find(':') + 1);
    const char* const end = each.data() + each.size();
    for (EventNumber event = 0; at < end; at += at < end) {
      const auto [next, error] = std::from_chars(at, end, event);
      if (error != std::errc{}) break;
      events.insert(event);
      at = next;
    }
  }
  return events;
}

std::set<EventNumber> PostgresLedger::Follower::behind() {
  std::vector<EventNumber> numbers;
  {
    const std::shared_lock lock(ledger_.replicas_mutex_);
    for (const auto& [number, replica] : ledger_.replicas_) {
      if (replica->published() != nullptr) numbers.push_back(number);
    }
  }
  // An event without a head stays in the set: a failover has taken all of it back.
  std::set<EventNumber> behind(numbers.begin(), numbers.end());
  auto connection = ledger_.pool_.take();
  const pg::Result heads = connection->query(k_heads, Parameters().events(numbers));
  for (int row = 0; row < heads.rows(); ++row) {
    const EventNumber number = heads.event(row, 0);
    const ReplicaPtr replica = ledger_.find_replica(number);
    const auto published = replica == nullptr ? nullptr : replica->published();
    const Seq seq = heads.seq(row, 1);
    const bool is_same = published == nullptr ||
                         (published->seq() == seq && !ledger_.is_another_history(*replica, seq, heads.int2(row, 2), heads.bytes(row, 3)));
    if (!is_same) continue;
    behind.erase(number);
    if (published != nullptr) ledger_.not_followed_.worked(number);   // perhaps a batch of this node has caught up meanwhile
  }
  return behind;
}

void PostgresLedger::Follower::follow_events(const std::set<EventNumber>& events) {
  for (const EventNumber event : events) {
    const ReplicaPtr replica = ledger_.find_replica(event);
    if (replica == nullptr) continue;
    // Take the connection first, then the replica's mutex: batches of the event must not wait while a connection is opened.
    ledger_.work_alone(ledger_.not_followed_, event, [&](Connection& connection) {
      // A running batch of this node catches up by itself.
      const std::unique_lock lock(replica->mutex, std::try_to_lock);
      if (!lock || !replica->damage.empty()) return false;
      ledger_.unless_damaged(*replica, [&] {
        ledger_.freshen(connection, *replica);
        ledger_.forget_ended(*replica);
      });
      return true;
    });
  }
  const std::scoped_lock lock(news_mutex_);
  if (!events.empty() && on_news_) on_news_();   // also for events that are not loaded here: relays follow all events
}

// ---------------------------------------------------------------------------------------------------------------- keeping

void PostgresLedger::Follower::keep(void (PostgresLedger::*work)(Connection&), bool (PostgresLedger::*has_work)()) {
  while (pause(k_between_keepings)) {
    if (has_work != nullptr && !(ledger_.*has_work)()) continue;
    try {
      auto connection = ledger_.pool_.take();
      (ledger_.*work)(*connection);
      ledger_.pool_.failures().worked();
    } catch (const Error& error) {
      // An event that another transaction has locked can wait.
      if (!error.is(k_lock_not_available)) ledger_.pool_.failures().failed(Work::upkeep, error.what());
    } catch (const std::exception& error) {
      spdlog::debug("housekeeping failed and is tried again: {}", error.what());   // damage, which has been logged
    }
  }
}

}  // namespace holdfast
