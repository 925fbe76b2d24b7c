// Publishes changes to Kafka. A consumer that reads committed messages sees each of them once, in order by seat, whichever process dies meanwhile.
//
// One relay at a time holds the store's lease, with an epoch. It has Kafka fence the relay before it (init_transactions with the same
// transactional.id), reads how far that relay came, and goes on: it reads changes by event, sends their messages in a transaction, commits it, and
// saves the positions. The transaction also carries the positions, as the metadata of an offset for a group named like the transactional id. If a
// relay ends between Kafka's commit and its own saving, the next one therefore knows.
//
//   Relay relay(options, store, source, board);
//   relay.start();
//   relay.notify();   // after a commit
//   relay.stop();
//
// An event whose changes cannot be read is left out (failing_events.h): its position stays, and the other events go on.
//
// One thread calls store and source. start(), stop() and notify() may be called from any thread.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>

#include "feed/kafka/client.h"
#include "feed/kafka/marked_positions.h"
#include "feed/kafka/messages.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/settings.h"
#include "feed/kafka/status.h"
#include "feed/kafka/store.h"
#include "feed/worker_loop.h"
#include "ledger/failing_events.h"

namespace holdfast::feed::kafka {

struct RelayOptions {
  KafkaSettings kafka{};
  MessageRules rules{};
  std::string transactional_id{};   // empty: holdfast-relay-<the store's id>
  std::string holder{};   // names this process, and no other that lives; empty: a random name
  // Longer than a few calls to Kafka, each of which may take a second, because the lease is renewed between them. With less, two relays on a slow
  // machine take over from each other before either has committed anything.
  std::chrono::milliseconds lease_time{10'000};
  std::chrono::milliseconds look_every{100};   // for changes without a notify()
  std::chrono::milliseconds back_off_max{5'000};
};

// Of one transaction. The messages of its last change may exceed their number.
inline constexpr std::size_t k_transaction_changes_max = 1'000;
inline constexpr std::size_t k_transaction_messages_max = 4'000;
inline constexpr std::size_t k_transaction_events_max = k_positions_max - 1;   // one position more, if earlier ones are all unconfirmed

class Relay {
 public:
  Relay(RelayOptions options, FeedStore& store, FeedSource& source, FeedBoard& board);

  void start();
  // Changes that are not committed to Kafka by then are published after the next start. Safe to call twice. The destructor stops, too.
  void stop() { loop_.stop(); }
  // There are new changes.
  void notify();

 private:
  struct Transaction;

  void run();
  void report(const std::exception& error);
  bool take_lease();
  void keep_lease();
  void give_up_lease();
  void lead();
  std::unique_ptr<Client> begin_to_publish();
  void await_topics(Client& client);
  void recover();
  bool adopt(MarkedPosition found);

  Transaction gather();
  void try_event(EventNumber event, Transaction& transaction);
  void gather_event(EventNumber event, Transaction& transaction);
  void publish(Client& client, const Transaction& transaction);
  void send(Client& client, const Transaction& transaction);
  void save(const Transaction& transaction);
  void look_at_lag(bool again);

  template <typename Call>
  void ask_until_done(std::string_view doing, Call call);
  void give_up(Client& client);
  std::string topic(std::string_view name) const { return options_.rules.topic_prefix + std::string(name); }
  Seq published(EventNumber event) const;

  RelayOptions options_;
  FeedStore& store_;
  FeedSource& source_;
  FeedBoard& board_;

  // The thread's.
  std::string id_;   // of transactions, and of the group whose offset carries the positions
  const std::string holder_;
  const std::unique_ptr<Lease> lease_;
  Epoch epoch_ = 0;
  std::chrono::steady_clock::time_point lease_renewed_{};
  std::unordered_map<EventNumber, Seq> positions_;
  EventNumber last_event_ = 0;   // whose changes were gathered last
  std::unordered_map<EventNumber, MarkedPosition> unconfirmed_;   // known to Kafka, of events that could not be read since
  FailingEvents failing_{"kafka feed"};
  Millis oldest_ = 0;   // time of the oldest change at hand; 0: there are none
  std::uint64_t behind_ = 0;
  std::chrono::steady_clock::time_point looked_at_lag_{};
  std::string undelivered_;   // topic of a message of this transaction that was not delivered
  rd_kafka_resp_err_t undelivered_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  WorkerLoop loop_;   // last: it ends before what its thread uses
};

}   // namespace holdfast::feed::kafka
