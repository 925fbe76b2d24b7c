#include "cluster/cluster.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cluster/feed_check.h"

namespace holdfast::test {

Cluster::Cluster(ClusterSettings settings) : settings_(std::move(settings)) {
  if (settings_.own_postgres) {
    postgres_ = std::make_unique<PostgresServer>();
    ledger_url_ = postgres_->url();
  } else {
    database_ = std::make_unique<PostgresDatabase>();
    ledger_url_ = database_->url();
  }
  if (settings_.has_feed) {
    if (settings_.own_kafka) kafka_ = std::make_unique<KafkaServer>();
    bootstrap_ = settings_.own_kafka ? kafka_->bootstrap() : shared_kafka();
    prefix_ = new_uuid() + ".";
  }
  const Finished migrated = run_holdfast({"migrate", "--ledger", ledger_url_});
  if (migrated.status != 0) throw std::runtime_error("holdfast migrate: " + migrated.everything());

  for (std::size_t i = 0; i < settings_.nodes; ++i) {
    ServerSettings node;
    node.flags = {"--ledger", ledger_url_, "--lock", redis_.url()};
    if (settings_.has_feed && !settings_.without_feed.contains(i)) {
      node.flags.insert(node.flags.end(),
                        {"--feed", "kafka://" + bootstrap_, "--feed-topic-prefix", prefix_, "--feed-payments-group", prefix_ + "payments"});
    }
    node.flags.insert(node.flags.end(), settings_.flags.begin(), settings_.flags.end());
    if (i < settings_.environments.size()) node.environment = settings_.environments[i];
    nodes_.push_back(std::make_unique<Server>(std::move(node)));
  }
}

Cluster::~Cluster() = default;

void Cluster::after_kill() {
  constexpr std::int64_t k_contract_ms = 30'000;
  // A living node releases its locks before it answers, and nobody has asked since. So the remaining locks are the killed node's.
  std::istringstream keys(redis_.command({"KEYS", "lock:seat:*"}));
  for (std::string key; std::getline(keys, key);) {
    const std::int64_t left = std::stoll(redis_.command({"PTTL", key}));
    EXPECT_TRUE(left == -2 || (left > 0 && left <= k_contract_ms)) << key << " would stay for " << left << " ms";
    redis_.command({"DEL", key});
  }
}

void Cluster::wait_until_current(std::size_t node, const std::vector<TestEvent>& events) {
  Sql sql(ledger_url_);
  Client asked = client(node);
  for (const TestEvent& event : events) {
    const std::int64_t last = std::stoll(sql.value(
        "select max(j.first_seq + j.changes - 1) from holdfast.journal j join holdfast.event e on e.number = j.event where e.id = $1",
        {event.id}));
    EXPECT_TRUE(eventually([&] { return states(asked, event).seq >= last; })) << "node " << node << " does not come to change " << last;
  }
}

void Cluster::verify(const std::vector<TestEvent>& events) {
  const Finished verified = run_holdfast({"verify", "--ledger", ledger_url_});
  EXPECT_EQ(verified.status, 0) << verified.everything();
  if (!settings_.has_feed) return;
  std::vector<bool> was_running;
  for (const auto& node : nodes_) {
    was_running.push_back(node->process().runs());
    if (!was_running.back()) node->start();
  }
  wait_until_current(0, events);
  Client asked = client(0);
  expect_feed_is_the_journal(asked, events, bootstrap_, prefix_);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!was_running[i]) nodes_[i]->stop();
  }
}

}   // namespace holdfast::test
