// Publishes changes to Kafka: each message once for whoever reads committed messages, in order by seat, whatever dies in between.
//
// One relay at a time has the store's lease, with an epoch. It asks Kafka to fence the one before (init_transactions with the
// same transactional.id), reads how far that one came, and then goes on: read changes by event, send their messages in a
// transaction, commit it, save the positions. The positions also go into the transaction, as the metadata of an offset that is
// committed with it for a group of the transactional id's name; so when a relay ends between Kafka's commit and its own saving,
// the next one knows.
//
//   Relay relay(options, store, source, board);
//   relay.start();
//   relay.notify();   // after a commit
//   relay.stop();
//
// An event whose changes cannot be read is left out (failing_events.h): its position stays where it is, and the others go on.
//
// One thread, on which store and source are asked; start(), stop() and notify() are of any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "feed/kafka/client.h"
#include "feed/kafka/messages.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/settings.h"
#include "feed/kafka/status.h"
#include "ledger/failing_events.h"

namespace holdfast::feed::kafka {

struct RelayOptions {
  KafkaSettings kafka{};
  MessageRules rules{};
  std::string transactional_id{};   // empty: holdfast-relay-<the store's id>
  std::string holder{};   // this process, as no other is called that lives; empty: a random name
  // Longer than some calls to Kafka, each of which may take a second: it is renewed between them. Else, on a machine that is slow enough, two
  // relays take over from each other before either has committed anything.
  std::chrono::milliseconds lease_time{10'000};
  std::chrono::milliseconds look_every{100};   // for changes that nobody has told of
  std::chrono::milliseconds back_off_max{5'000};
};

// Of one transaction. A change of many seats may exceed the number of messages.
inline constexpr std::size_t k_transaction_changes_max = 1'000;
inline constexpr std::size_t k_transaction_messages_max = 4'000;
inline constexpr std::size_t k_transaction_events_max = 100;   // so that their positions fit into an offset's metadata (4,096 bytes), with
inline constexpr std::size_t k_positions_max = k_transaction_events_max + 1;   // one more when all of those before cannot be confirmed

// How far a transaction came, as the metadata of an offset has it. Pure functions, for tests too.
struct MarkedPosition {
  FeedPosition position;
  std::uint32_t mark = 0;   // mark_of() its last change
  bool operator==(const MarkedPosition&) const = default;
};
std::string encode_positions(const std::vector<MarkedPosition>& positions);
std::optional<std::vector<MarkedPosition>> decode_positions(std::string_view text);

class Relay {
 public:
  Relay(RelayOptions options, FeedStore& store, FeedSource& source, FeedBoard& board);
  ~Relay();   // stops
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void start();
  // What is not committed to Kafka by now is published after the next start. Safe to call twice.
  void stop();
  void notify();

 private:
  struct Transaction;

  void run();
  bool take_lease();
  void keep_lease();
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
  bool stopping();
  void wait(std::chrono::milliseconds time, bool for_news);
  std::string topic(std::string_view name) const { return options_.rules.topic_prefix + std::string(name); }
  Seq published(EventNumber event) const;

  RelayOptions options_;
  FeedStore& store_;
  FeedSource& source_;
  FeedBoard& board_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool notified_ = false;

  // The thread's.
  std::string id_;   // of transactions, and of the group whose offsets have the positions
  std::string holder_;
  std::uint64_t epoch_ = 0;
  std::chrono::steady_clock::time_point lease_renewed_{};
  std::unordered_map<EventNumber, Seq> positions_;
  EventNumber last_event_ = 0;   // whose changes were gathered last
  std::unordered_map<EventNumber, MarkedPosition> unconfirmed_;   // that Kafka knows, of events that could not be read since
  FailingEvents failing_{"kafka feed"};
  Millis oldest_ = 0;   // of the changes at hand; 0: none are
  std::uint64_t behind_ = 0;
  std::chrono::steady_clock::time_point looked_at_lag_{};
  std::string undelivered_;   // what became of a message of the transaction at hand that was not delivered
  rd_kafka_resp_err_t undelivered_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::thread thread_;
};

}   // namespace holdfast::feed::kafka
