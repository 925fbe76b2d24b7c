#include "feed/kafka/relay.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "access/random.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds k_abort{2'000};
constexpr milliseconds k_between_questions{100};
constexpr milliseconds k_between_lags{1'000};

}  // namespace

// The changes of one transaction.
struct Relay::Transaction {
  std::vector<Message> messages;
  std::vector<MarkedPosition> positions;   // after its changes
  std::size_t changes = 0;
  Millis oldest = 0;                       // of its changes
  std::size_t events_max = k_transaction_events_max;

  bool is_full() const {
    return changes >= k_transaction_changes_max || messages.size() >= k_transaction_messages_max || positions.size() >= events_max;
  }

  // The size so far: the transaction is cut to it when the rest of an event cannot be read.
  struct Size {
    std::size_t messages, positions, changes;
    Millis oldest;
  };
  Size size() const { return {messages.size(), positions.size(), changes, oldest}; }
  void cut_to(const Size& size) {
    messages.resize(size.messages);
    positions.resize(size.positions);
    changes = size.changes;
    oldest = size.oldest;
  }
};

Relay::Relay(RelayOptions options, FeedStore& store, FeedSource& source, FeedBoard& board)
    : options_(std::move(options)),
      store_(store),
      source_(source),
      board_(board),
      holder_(options_.holder.empty() ? "holdfast-" + to_string(random_uuid()) : options_.holder),
      lease_(store_.make_lease(holder_, options_.lease_time)),
      loop_("kafka-relay", BackOff(k_back_off, options_.back_off_max, BackOff::Jitter::half)) {}

void Relay::start() {
  loop_.start(
      {.run = [this] { run(); }, .failed = [this](const std::exception& error) { report(error); }, .ended = [this] { give_up_lease(); }});
}

// The relay may read the changes before the news is noted. It then takes the news at its next look, at most look_every later.
void Relay::notify() {
  if (loop_.wake()) board_.note_news();
}

// ---------------------------------------------------------------------------------------------------------------- the lease

void Relay::run() {
  try {
    if (take_lease()) {
      lead();
    } else {
      loop_.wait(options_.lease_time / 5);
    }
  } catch (const LeaseLost&) {
    // No failure: another node publishes, and this one asks for the lease again.
  }
}

void Relay::report(const std::exception& error) {
  const auto* const trouble = dynamic_cast<const Trouble*>(&error);
  const bool is_fenced = trouble != nullptr && trouble->kind() == Trouble::Kind::fenced;
  board_.set_relay(is_fenced ? RelayState::starting : is_refusal(error) ? RelayState::refused : RelayState::away, error.what());
  ++board_.counters.failures;
}

void Relay::give_up_lease() {
  board_.set_leads(false);
  try {
    lease_->release();
  } catch (const std::exception& error) {
    spdlog::warn("kafka feed: giving up the lease failed, so it ends by its timeout: {}", error.what());
  }
  board_.set_relay(RelayState::stopped);
}

bool Relay::take_lease() {
  const auto asked = SteadyClock::now();
  const std::optional<Epoch> epoch = lease_->acquire();
  epoch_ = epoch.value_or(0);
  lease_renewed_ = asked;
  board_.set_leads(epoch.has_value());
  if (epoch) return true;
  board_.set_relay(RelayState::standby, lease_->last_holder() + " publishes");
  board_.set_lag(0, std::nullopt);
  board_.take_news();
  failing_.clear();
  board_.set_held_back({});
  return false;
}

void Relay::keep_lease() {
  if (SteadyClock::now() < lease_renewed_ + options_.lease_time / 3) return;
  const auto asked = SteadyClock::now();
  const bool is_held = lease_->renew();
  board_.set_leads(is_held);
  if (!is_held) throw LeaseLost("another node has taken the lease of the Kafka feed");
  lease_renewed_ = asked;
}

void Relay::lead() {
  board_.set_relay(RelayState::starting);
  const std::unique_ptr<Client> client = begin_to_publish();
  board_.set_relay(RelayState::publishing);
  ++board_.counters.takeovers;
  while (!loop_.stopping()) {
    keep_lease();
    client->poll(milliseconds(0));
    board_.take_news();   // later news is seen by the next round, if not by this one
    const Transaction transaction = gather();
    oldest_ = transaction.oldest;
    board_.set_held_back(failing_.summary());
    if (transaction.positions.empty()) {
      look_at_lag(false);
      loop_.wait_for_news(options_.look_every);
    } else {
      publish(*client, transaction);
    }
  }
}

// When init_transactions has returned, the relay before this one can commit nothing more, and its commits are visible. The lease is renewed
// after it, because this node may have been paused for long between taking the lease and fencing.
std::unique_ptr<Client> Relay::begin_to_publish() {
  id_ = options_.transactional_id.empty() ? "holdfast-relay-" + store_.id() : options_.transactional_id;
  auto client = std::make_unique<Client>(
      Client::Kind::producer, options_.kafka,
      std::vector<Client::Setting>{{"transactional.id", id_},
                                   {"enable.idempotence", "true"},
                                   {"acks", "all"},
                                   {"partitioner", "murmur2_random"}},   // Java's default: other programs may write the same keys
      Client::Callbacks{.delivered = [this](const rd_kafka_message_t& message) {
        if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR || undelivered_error_ != RD_KAFKA_RESP_ERR_NO_ERROR) return;
        // An aborted transaction purges its messages: the error before that is the reason.
        if (message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) return;
        undelivered_error_ = message.err;
        undelivered_ = rd_kafka_topic_name(message.rkt);
      }});
  ask_until_done("waiting for Kafka", [&] { return rd_kafka_init_transactions(client->get(), static_cast<int>(k_question.count())); });
  lease_renewed_ = {};
  keep_lease();
  await_topics(*client);
  positions_.clear();
  unconfirmed_.clear();
  for (const FeedPosition& each : store_.positions()) positions_[each.event] = each.seq;
  recover();
  return client;
}

// Repeats a call until it succeeds. Throws RunEnded, or Trouble if a further call is of no use.
template <typename Call>
void Relay::ask_until_done(std::string_view doing, Call call) {
  for (;;) {
    const Error error = owned(call());
    if (error == nullptr) return;
    if (undelivered_error_ != RD_KAFKA_RESP_ERR_NO_ERROR) throw trouble_of("sending to " + undelivered_, undelivered_error_);
    const bool again = rd_kafka_error_is_retriable(error.get()) != 0 && rd_kafka_error_txn_requires_abort(error.get()) == 0;
    if (!again || rd_kafka_error_is_fatal(error.get()) != 0) throw trouble_of(doing, error.get());
    if (loop_.stopping()) throw WorkerLoop::RunEnded{};
    board_.set_relay(RelayState::away, std::string(doing) + ": " + rd_kafka_err2str(rd_kafka_error_code(error.get())));
    look_at_lag(true);
    keep_lease();
    loop_.wait(k_between_questions);
  }
}

// Asking creates the topics if the brokers are configured to do so. Offsets can be committed only for topics that exist.
void Relay::await_topics(Client& client) {
  std::vector<std::string_view> topics = {k_topic_created, k_topic_expired, k_topic_consumed, k_topic_released};
  if (options_.rules.returned) topics.push_back(k_topic_returned);
  for (const std::string_view name : topics) {
    const std::string full = topic(name);
    const auto found = await_topic(client, full, SteadyClock::now() + k_topics_patience, [&](rd_kafka_resp_err_t error) {
      if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) throw trouble_of("the topic " + full, error);
      if (loop_.stopping()) throw WorkerLoop::RunEnded{};
      keep_lease();
      loop_.wait(k_between_questions);
    });
    if (!found && loop_.stopping()) throw WorkerLoop::RunEnded{};   // at the deadline it no longer waits
    if (!found) throw trouble_of("the topic " + full, found.error());
  }
}

// The relay before this one may have committed a transaction whose positions it could not save. They are in the metadata of the group's offset.
void Relay::recover() {
  Client reader(Client::Kind::consumer, options_.kafka,
                {{"group.id", id_}, {"enable.auto.commit", "false"}, {"isolation.level", "read_committed"}}, {});
  const PartitionList list = new_list(1);
  rd_kafka_topic_partition_t* const offset = rd_kafka_topic_partition_list_add(list.get(), topic(k_topic_created).c_str(), 0);
  for (;;) {
    const rd_kafka_resp_err_t error = rd_kafka_committed(reader.get(), list.get(), static_cast<int>(k_question.count()));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && offset->err == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    const Trouble trouble = trouble_of("asking how far was published", error == RD_KAFKA_RESP_ERR_NO_ERROR ? offset->err : error);
    if (trouble.kind() != Trouble::Kind::away) throw trouble;
    if (loop_.stopping()) throw WorkerLoop::RunEnded{};
    board_.set_relay(RelayState::away, trouble.what());
    keep_lease();
    loop_.wait(k_between_questions);
  }
  if (offset->metadata == nullptr || offset->metadata_size == 0) return;
  const std::string_view text(static_cast<const char*>(offset->metadata), offset->metadata_size);
  const auto found = decode_positions(text);
  if (!found) {
    spdlog::error("kafka feed: the offset of group {} has the metadata `{}`, which Holdfast did not write. Messages may be published twice",
                  id_, text);
    return;
  }
  for (const MarkedPosition& each : *found) adopt(each);
}

// Takes over a position that Kafka knows, if it is of this history: the data may have been restored from a backup since. False: the event cannot
// be read now, so this is not known. Until it can be read, each transaction carries the position on, because it is stored nowhere else.
bool Relay::adopt(MarkedPosition found) {
  const auto [event, seq] = found.position;
  if (seq <= published(event)) return true;
  FedPage page;
  try {
    page = source_.read(event, seq - 1, 1);
  } catch (const std::exception& error) {
    unconfirmed_[event] = found;
    ++board_.counters.failures;
    failing_.failed(event, error.what());
    return false;
  }
  unconfirmed_.erase(event);
  const bool is_ours = page.changes.size() == 1 && page.changes[0].seq == seq && mark_of(page.changes[0]) == found.mark;
  if (!is_ours) {
    spdlog::warn("kafka feed: event {} was published up to change {}, which is not in this journal. Publishing continues after change {}",
                 event, seq, published(event));
    return true;
  }
  positions_[event] = seq;
  store_.save(epoch_, {{found.position}});
  spdlog::info("kafka feed: event {} was published up to change {}, according to Kafka", event, seq);
  return true;
}

// ---------------------------------------------------------------------------------------------------------------- publishing

Seq Relay::published(EventNumber event) const {
  const auto at = positions_.find(event);
  return at == positions_.end() ? 0 : at->second;
}

Relay::Transaction Relay::gather() {
  Transaction transaction;
  transaction.events_max = std::max<std::size_t>(k_positions_max - 1 - std::min(unconfirmed_.size(), k_positions_max - 1), 1);
  const News news = source_.news([this](EventNumber event) { return published(event); }, last_event_, k_transaction_events_max);
  behind_ = news.behind;
  for (const EventHead& head : news.events) {
    if (transaction.is_full()) break;
    last_event_ = head.event;
    if (!failing_.may_try(head.event)) continue;
    if (const auto known = unconfirmed_.find(head.event); known != unconfirmed_.end() && !adopt(known->second)) continue;
    if (unconfirmed_.size() + transaction.positions.size() >= k_positions_max) continue;   // no room for its position in the metadata
    if (head.seq < published(head.event)) {
      spdlog::warn("kafka feed: event {} has {} changes, but {} were published, so its data were replaced. All changes are published again",
                   head.event, head.seq, published(head.event));
      positions_[head.event] = 0;
    }
    try_event(head.event, transaction);
  }
  return transaction;
}

// An event that cannot be read keeps only itself back.
void Relay::try_event(EventNumber event, Transaction& transaction) {
  const Transaction::Size before = transaction.size();
  try {
    gather_event(event, transaction);
    failing_.worked(event);
  } catch (const std::exception& error) {
    transaction.cut_to(before);
    ++board_.counters.failures;
    failing_.failed(event, error.what());
  }
}

void Relay::gather_event(EventNumber event, Transaction& transaction) {
  Seq after = published(event);
  FedPage page = source_.read(event, after, k_transaction_changes_max - transaction.changes);
  if (page.oldest != 0) {
    const Seq gone = page.oldest - 1 - after;
    if (after == 0) {
      spdlog::warn("kafka feed: the journal begins with change {} of event {}. Earlier changes are not published", page.oldest, event);
    } else {
      spdlog::error("kafka feed: {} changes of event {}, from {} on, are no longer in the journal and were never published", gone, event,
                    after + 1);
      board_.counters.lost_changes += gone;
    }
    after = page.oldest - 1;
    page = source_.read(event, after, k_transaction_changes_max - transaction.changes);
  }
  MarkedPosition reached;
  for (const FedChange& change : page.changes) {
    if (change.seq != after + 1)
      throw std::runtime_error("change " + std::to_string(after) + " is followed by change " + std::to_string(change.seq));
    append_messages(change, options_.rules, transaction.messages);
    after = change.seq;
    reached = {{event, after}, mark_of(change)};
    if (transaction.oldest == 0 || change.at < transaction.oldest) transaction.oldest = change.at;
    ++transaction.changes;
    if (transaction.messages.size() >= k_transaction_messages_max) break;
  }
  if (reached.position.event != 0) transaction.positions.push_back(reached);
}

void Relay::publish(Client& client, const Transaction& transaction) {
  if (!transaction.messages.empty()) send(client, transaction);
  save(transaction);
  board_.set_relay(RelayState::publishing);
  for (const Message& message : transaction.messages) board_.count_message(message.topic);
  behind_ -= std::min<std::uint64_t>(behind_, transaction.changes);
  look_at_lag(false);
}

void Relay::send(Client& client, const Transaction& transaction) {
  undelivered_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  try {
    if (const Error error = owned(rd_kafka_begin_transaction(client.get())); error != nullptr) {
      throw trouble_of("beginning a transaction", error.get());
    }
    for (const Message& message : transaction.messages) {
      client.produce(topic(message.topic), message.key, message.value, message.headers, k_question);
    }
    const PartitionList offsets = new_list(1);
    rd_kafka_topic_partition_t* const offset = rd_kafka_topic_partition_list_add(offsets.get(), topic(k_topic_created).c_str(), 0);
    std::vector<MarkedPosition> known = transaction.positions;
    for (const auto& [event, position] : unconfirmed_) known.push_back(position);
    const std::string positions = encode_positions(known);
    offset->offset = 0;
    offset->metadata = ::strdup(positions.c_str());   // the list frees it
    offset->metadata_size = positions.size();
    const std::unique_ptr<rd_kafka_consumer_group_metadata_t, decltype(&rd_kafka_consumer_group_metadata_destroy)> group(
        rd_kafka_consumer_group_metadata_new(id_.c_str()), &rd_kafka_consumer_group_metadata_destroy);
    ask_until_done("writing the position", [&] {
      return rd_kafka_send_offsets_to_transaction(client.get(), offsets.get(), group.get(), static_cast<int>(k_question.count()));
    });
    ask_until_done("committing a transaction",
                   [&] { return rd_kafka_commit_transaction(client.get(), static_cast<int>(k_question.count())); });
    ++board_.counters.transactions;
    loop_.worked();
  } catch (...) {
    give_up(client);
    throw;
  }
}

// Aborts the open transaction, so that consumers need not wait for it. If that fails, the next takeover aborts it.
void Relay::give_up(Client& client) {
  std::array<char, 1> ignored{};
  if (rd_kafka_fatal_error(client.get(), ignored.data(), ignored.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const Error error = owned(rd_kafka_abort_transaction(client.get(), static_cast<int>(k_abort.count())));
  if (error != nullptr) spdlog::debug("kafka feed: aborting a transaction failed: {}", rd_kafka_error_string(error.get()));
}

// If this fails, the positions are still in Kafka: the next lead() finds them there.
void Relay::save(const Transaction& transaction) {
  std::vector<FeedPosition> positions;
  positions.reserve(transaction.positions.size());
  for (const MarkedPosition& each : transaction.positions) positions.push_back(each.position);
  store_.save(epoch_, positions);
  for (const FeedPosition& each : positions) positions_[each.event] = each.seq;
  source_.published(positions);
}

void Relay::look_at_lag(bool again) {
  const auto now = SteadyClock::now();
  if (now < looked_at_lag_ + k_between_lags && behind_ != 0) return;
  looked_at_lag_ = now;
  if (again) behind_ = source_.news([this](EventNumber event) { return published(event); }, 0, 0).behind;
  std::optional<FeedBoard::Time> oldest = failing_.summary().since;
  if (oldest_ != 0) oldest = earlier(oldest, now - milliseconds(std::max<Millis>(0, source_.now() - oldest_)));
  board_.set_lag(behind_, behind_ == 0 ? std::nullopt : oldest);
}

}   // namespace holdfast::feed::kafka
