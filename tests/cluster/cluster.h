// Several real nodes over one database, one Redis and one Kafka.
//
//   Cluster cluster;                                   // three nodes, all ready
//   TestEvent event = make_event(cluster.client(0), 10);
//   cluster.redis().kill();
//   cluster.verify({event});                           // journal, tables and Kafka say the same
//
// The tests share one database and one Kafka, unless the settings ask for private ones because the test stops them. The names of
// the topics begin with a word of this cluster's own.
#pragma once

#include <signal.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/kafka.h"
#include "support/nodes.h"
#include "support/services.h"
#include "support/sql.h"
#include "support/waiting.h"

namespace holdfast::test {

struct ClusterSettings {
  std::size_t nodes = 3;
  std::vector<std::string> flags{};                              // of every node
  std::vector<std::map<std::string, std::string>> environments{};   // of each node; nodes beyond the list have none
  bool has_feed = true;
  std::set<std::size_t> without_feed{};                          // nodes without a feed
  bool own_postgres = false;
  bool own_kafka = false;
};

class Cluster : public Nodes {
 public:
  explicit Cluster(ClusterSettings settings = {});
  ~Cluster() override;

  std::size_t count() const override { return nodes_.size(); }
  Server& at(std::size_t node) override { return *nodes_.at(node); }
  Client client(std::size_t node) { return at(node).connect(); }
  milliseconds behind_max() const override { return k_patience; }

  PostgresServer& postgres() { return *postgres_; }   // with own_postgres
  KafkaServer& kafka() { return *kafka_; }            // with own_kafka
  RedisServer& redis() { return redis_; }
  const std::string& ledger_url() const { return ledger_url_; }
  const std::string& bootstrap() const { return bootstrap_; }
  std::string topic(std::string_view name) const { return prefix_ + std::string(name); }

  // A killed node's seat locks end by themselves within 30 seconds; this ends them at once.
  void after_kill() override;
  // Waits until the node has seen all journal rows of these events: it may have just started, or have been paused.
  void wait_until_current(std::size_t node, const std::vector<TestEvent>& events);
  // Runs `holdfast verify`, and checks that Kafka has what the journal has (feed_check.h). Starts nodes that do not run.
  void verify(const std::vector<TestEvent>& events) override;

 private:
  ClusterSettings settings_;
  std::unique_ptr<PostgresServer> postgres_;
  std::unique_ptr<PostgresDatabase> database_;
  std::unique_ptr<KafkaServer> kafka_;
  RedisServer redis_;
  std::string ledger_url_;
  std::string bootstrap_;
  std::string prefix_;
  std::vector<std::unique_ptr<Server>> nodes_;
};

// Pauses a process, until the end of the scope at the latest. Returns when it stands still.
class Paused {
 public:
  explicit Paused(Process& process) : process_(process) {
    process_.signal(SIGSTOP);
    if (!eventually([&] { return has_stopped(process_.id()); })) throw std::runtime_error("a process did not stop at SIGSTOP");
  }
  ~Paused() { resume(); }
  Paused(const Paused&) = delete;
  Paused& operator=(const Paused&) = delete;
  void resume() { process_.signal(SIGCONT); }

 private:
  Process& process_;
};

}   // namespace holdfast::test
