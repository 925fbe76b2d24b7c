#include "feed/kafka/payments.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>
#include <utility>

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds k_leave{3'000};   // to leave the group

// The partitions of the current messages may belong to another owner by now, which receives these messages again.
struct PartitionsLost {};

// Whether a commit was refused because this node is no longer a member of the group.
bool is_lost(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID: return true;
    default: return false;
  }
}

}  // namespace

Payments::Payments(PaymentOptions options, PaymentDesk& desk, FeedStore& store, FeedBoard& board)
    : options_(std::move(options)),
      desk_(desk),
      store_(store),
      board_(board),
      loop_("kafka-payments", BackOff(k_back_off, options_.back_off_max)) {
  options_.kafka.more.try_emplace("topic.metadata.refresh.interval.ms", "10000");
  options_.kafka.more.try_emplace("allow.auto.create.topics", "true");
}

void Payments::start() {
  board_.set_payments(ConsumerState::starting);
  loop_.start({.run = [this] { consume(); },
               .failed = [this](const std::exception& error) { report(error); },
               .ended =
                   [this] {
                     joining_since_.reset();
                     show_pending();
                     board_.set_payments(ConsumerState::stopped);
                   }});
}

void Payments::report(const std::exception& error) {
  board_.set_payments(is_refusal(error) ? ConsumerState::refused : ConsumerState::away, error.what());
}

// ---------------------------------------------------------------------------------------------------------------- the group

namespace {

// Leaves the group within k_leave, so that other nodes get its partitions at once. Messages that were fetched and not taken yet come through the
// same queue. They must be taken as events, because rd_kafka_queue_poll_callback aborts the process when it meets a message.
void leave_group(Client& client) {
  const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> queue(rd_kafka_queue_new(client.get()),
                                                                                   &rd_kafka_queue_destroy);
  if (const Error error = owned(rd_kafka_consumer_close_queue(client.get(), queue.get())); error != nullptr) {
    spdlog::debug("kafka payments: leaving the group failed, so it ends by its timeout: {}", rd_kafka_error_string(error.get()));
    return;
  }
  const auto deadline = SteadyClock::now() + k_leave;
  while (rd_kafka_consumer_closed(client.get()) == 0 && SteadyClock::now() < deadline) {
    constexpr int k_slice_ms = 50;
    const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> event(rd_kafka_queue_poll(queue.get(), k_slice_ms),
                                                                                     &rd_kafka_event_destroy);
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) rd_kafka_assign(client.get(), nullptr);
  }
}

}   // namespace

void Payments::consume() {
  Client* consumer = nullptr;
  std::vector<Client::Setting> settings = consumer_settings(options_.group);
  settings.emplace_back("partition.assignment.strategy", "range,roundrobin");   // after each rebalance all start at the committed offsets
  Client client(Client::Kind::consumer, options_.kafka, settings,
                {.delivered = {}, .rebalanced = [&](rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t& partitions) {
                   on_rebalance(*consumer, error, partitions);
                 }});
  consumer = &client;
  forget_partitions();
  if (!joining_since_) joining_since_ = Backlog::Timer::now();
  show_pending();
  teller_ = std::make_unique<Teller>(options_.kafka, k_payment_bytes_max);
  struct AtEnd {
    Payments& payments;
    Client& client;
    ~AtEnd() {
      leave_group(client);
      payments.teller_.reset();
      payments.forget_partitions();
    }
  } const at_end{*this, client};
  await_topics();
  subscribe(client);
  while (!loop_.stopping()) {
    auto messages = receive(client);
    if (!messages.empty()) handle(client, std::move(messages));
    if (auto due = held_.take_due(); !due.empty()) handle(client, std::move(due));
    set_paused(client, holds_too_many());
    look_at_backlog(client);
    show_pending();
  }
}

// Creates the topics if the brokers are configured to do so. The first messages then need not wait for the group's next look at the topics.
void Payments::await_topics() {
  const auto deadline = SteadyClock::now() + k_topics_patience;
  const auto wait = [&](rd_kafka_resp_err_t) {
    if (loop_.stopping()) throw WorkerLoop::RunEnded{};
    loop_.wait(k_back_off);
  };
  for (const std::string_view name : {k_topic_payment_succeeded, k_topic_payment_failed}) {
    if (await_topic(teller_->client(), topic(name), deadline, wait)) continue;
    if (loop_.stopping()) throw WorkerLoop::RunEnded{};   // at the deadline it no longer waits
    return;   // the group reports what is missing, and keeps looking
  }
}

void Payments::subscribe(Client& client) {
  rd_kafka_poll_set_consumer(client.get());
  const PartitionList list = new_list(2);
  for (const std::string_view name : {k_topic_payment_succeeded, k_topic_payment_failed}) {
    rd_kafka_topic_partition_list_add(list.get(), topic(name).c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw trouble_of("subscribing to payments", error);
}

void Payments::on_rebalance(Client& client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t& partitions) {
  partitions_changed_ = true;
  forget_partitions();
  const bool is_given = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  rd_kafka_assign(client.get(), is_given ? &partitions : nullptr);
  if (is_given) {
    rd_kafka_resume_partitions(client.get(), &partitions);   // librdkafka keeps a partition paused even after it was lost
    for (int i = 0; i < partitions.cnt; ++i) places_.try_emplace({partitions.elems[i].topic, partitions.elems[i].partition});
    board_.set_payments(ConsumerState::consuming);
    joining_since_.reset();
  } else {
    joining_since_ = Backlog::Timer::now();
  }
  show_pending();
}

// Forgets the partitions: they may be another node's by now, or are read again from the committed offsets.
void Payments::forget_partitions() {
  places_.clear();
  held_.clear();
  at_hand_since_.reset();
  is_paused_ = false;
  looked_at_backlog_ = {};
}

void Payments::set_paused(Client& client, bool pauses) {
  rd_kafka_topic_partition_list_t* assigned = nullptr;
  if (is_paused_ == pauses || rd_kafka_assignment(client.get(), &assigned) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  pauses ? rd_kafka_pause_partitions(client.get(), assigned) : rd_kafka_resume_partitions(client.get(), assigned);
  rd_kafka_topic_partition_list_destroy(assigned);
  is_paused_ = pauses;
}

// Compares the brokers' ends of the partitions with what was taken. This shows whether the node consumes; its state only says what it intends.
void Payments::look_at_backlog(Client& client) {
  const auto now = Backlog::Timer::now();
  if (now < looked_at_backlog_ + k_between_looks) return;
  looked_at_backlog_ = now;
  for (auto& [partition, place] : places_) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto patience = static_cast<int>(k_question.count());
    if (rd_kafka_query_watermark_offsets(client.get(), partition.first.c_str(), partition.second, &low, &high, patience) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (Backlog::Timer::now() >= now + 2 * k_question) return;   // the broker does not answer: keep what is known
      continue;
    }
    place.backlog.done(static_cast<std::uint64_t>(std::max({place.next, place.end, low})));
    place.backlog.wanted(static_cast<std::uint64_t>(high), now);
  }
}

void Payments::show_pending() {
  std::optional<Time> oldest = earlier(joining_since_, at_hand_since_);
  oldest = earlier(oldest, held_.summary().since);
  for (auto& [partition, place] : places_) {
    place.backlog.done(static_cast<std::uint64_t>(std::max<std::int64_t>({place.next, place.end, 0})));
    oldest = earlier(oldest, place.backlog.oldest());
  }
  board_.set_payments_pending(oldest);
  board_.set_payments_held(held_.count(), held_.summary());
}

// The next messages, in the order of each partition; empty if none come for a moment. A paused partition gives none, but rebalances are noticed.
std::vector<Received> Payments::receive(Client& client) {
  std::vector<Received> messages;
  std::size_t bytes = 0;
  partitions_changed_ = false;
  // Not only as many as there is room for: one event that nearly fills the room would slow down all others to one payment at a time.
  const PaymentLimits& limits = options_.limits;
  const std::size_t messages_max = std::min(limits.at_once_max, limits.held_max);
  const std::size_t bytes_max = std::min(limits.bytes_at_once_max, limits.held_bytes_max);
  while (messages.size() < messages_max && bytes < bytes_max) {
    const Polled message = poll_consumer(client, messages.empty() ? k_look : milliseconds(0));
    if (partitions_changed_) {
      messages.clear();   // the owners of their partitions receive them again; `message`, if any, is of a partition that this node has now
      bytes = 0;
      partitions_changed_ = false;
    }
    if (message == nullptr) break;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      places_[{rd_kafka_topic_name(message->rkt), message->partition}].end = message->offset;
      if (messages.empty()) break;
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      report(Trouble(kind_of(message->err), rd_kafka_message_errstr(message.get())));
    } else {
      messages.push_back(received(*message));
      bytes += messages.back().bytes();
    }
  }
  if (const std::string trouble = client.take_trouble(); !trouble.empty()) board_.set_payments(ConsumerState::away, trouble);
  notice_recovery(client, !messages.empty());
  return messages;
}

// Kafka is back if messages come, or if it answers a question.
void Payments::notice_recovery(Client& client, bool has_messages) {
  if (board_.status().payments != ConsumerState::away) return;
  if (!has_messages) {
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto patience = static_cast<int>(k_question.count());
    if (rd_kafka_metadata(client.get(), 0, nullptr, &metadata, patience) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    rd_kafka_metadata_destroy(metadata);
  }
  board_.set_payments(ConsumerState::consuming);
}

// ---------------------------------------------------------------------------------------------------------------- the effect of messages

// Step by step. A step that fails is repeated after a pause, in which the group is told that this node is alive.
void Payments::handle(Client& client, std::vector<Received> messages) {
  PaymentBatch batch(desk_, store_, held_, messages, topic(k_topic_payment_succeeded));
  const std::function<void()> steps[] = {[&] { batch.decide(); }, [&] { batch.settle(); }, [&] { tell(batch, messages); },
                                         [&] { note_done(batch, messages); }, [&] { commit(client); }};
  at_hand_since_ = Backlog::Timer::now();
  show_pending();
  BackOff back_off(k_back_off, options_.back_off_max);
  bool has_waited = false;
  for (std::size_t step = 0; step < std::size(steps);) {
    try {
      steps[step]();
      ++step;
      continue;
    } catch (const PartitionsLost&) {
      break;
    } catch (const std::exception& error) {
      report(error);
    }
    ++board_.counters.payments_retried;
    if (loop_.stopping()) throw WorkerLoop::RunEnded{};
    set_paused(client, true);
    has_waited = true;
    if (!wait_in_group(client, back_off.next())) return;
  }
  at_hand_since_.reset();
  loop_.worked();
  if (has_waited) board_.set_payments(ConsumerState::consuming);
}

// Waits with all partitions paused, and serves the group meanwhile. False: a rebalance came, after which everything starts at the committed
// offsets.
bool Payments::wait_in_group(Client& client, milliseconds time) {
  const auto until = SteadyClock::now() + time;
  while (SteadyClock::now() < until && !loop_.stopping()) {
    const Polled unexpected = poll_consumer(client, k_back_off);
    // A payment that came with the rebalance would be skipped. Joining again starts at the committed offsets.
    if (partitions_changed_ && unexpected != nullptr && unexpected->err == RD_KAFKA_RESP_ERR_NO_ERROR)
      throw std::runtime_error("a payment came with new partitions while others were being retried; this node joins the group again");
    if (partitions_changed_) return false;
  }
  return true;
}

// Sends rejections and dead letters, and counts what was done.
void Payments::tell(const PaymentBatch& batch, const std::vector<Received>& messages) {
  std::size_t settled = 0;
  std::size_t rejected = 0;
  std::size_t dead = 0;
  const auto fill = [&] {
    settled = rejected = dead = 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (batch[i].is_held) continue;
      const PaymentBatch::Decision& ruling = batch.ruling(i);
      if (ruling.rejection) {
        const auto rejection = rejection_message(batch[i].payment, *ruling.rejection);
        teller_->send(topic(rejection.topic), rejection.key, rejection.value, rejection.headers);
        ++rejected;
      } else if (!ruling.dead_because.empty()) {
        teller_->send_dead(messages[i], ruling.dead_because);
        ++dead;
      } else {
        ++settled;
      }
    }
  };
  if (!teller_->tell(fill, [this] { return loop_.stopping(); })) throw WorkerLoop::RunEnded{};
  board_.counters.payments_settled += settled;
  board_.counters.payments_rejected += rejected;
  board_.counters.payments_dead += dead;
  for (std::size_t i = 0; i < rejected; ++i) board_.count_message(k_topic_payment_rejected);
}

// Notes how far each partition is, and holds the payments that cannot be carried out now.
void Payments::note_done(const PaymentBatch& batch, std::vector<Received>& messages) {
  std::set<EventNumber> worked;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Received& message = messages[i];
    Place& place = places_[{message.topic, message.partition}];
    place.next = std::max(place.next, message.offset + 1);
    const PaymentBatch::Decision& decision = batch[i];
    const bool is_known = decision.event() != FailingEvents::k_not_known;
    if (decision.names_order && (is_known || !decision.is_held)) worked.insert(FailingEvents::k_not_known);
    if (!decision.is_held) {
      if (decision.is_payment()) worked.insert(decision.event());
      continue;
    }
    const bool names_both = decision.payment.succeeded && !decision.names_order;
    const bool is_first = held_.add(
        decision.event(),
        {.message = std::move(message), .order = names_both ? decision.payment.order : "", .reservation = decision.payment.reservation},
        is_known ? "the ledger does not carry out its payments at present"
                 : "what was sold for their orders cannot be looked up at present");
    if (is_first) ++board_.counters.payments_retried;
  }
  for (const EventNumber event : worked) held_.worked(event);
}

// Commits, for each partition, the offset up to its first held payment.
void Payments::commit(Client& client) {
  std::map<Partition, std::int64_t> done;
  for (const auto& [partition, place] : places_) {
    if (place.next >= 0) done[partition] = place.next;
  }
  for (const auto& [partition, offset] : held_.first_offsets()) done[partition] = std::min(done[partition], offset);
  const PartitionList offsets = new_list(done.size());
  for (const auto& [partition, offset] : done) {
    if (offset == places_[partition].committed) continue;
    rd_kafka_topic_partition_list_add(offsets.get(), partition.first.c_str(), partition.second)->offset = offset;
  }
  if (offsets->cnt == 0) return;
  const rd_kafka_resp_err_t error = rd_kafka_commit(client.get(), offsets.get(), 0);
  if (is_lost(error)) throw PartitionsLost{};
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw trouble_of("committing offsets of payments", error);
  for (const auto& [partition, offset] : done) places_[partition].committed = offset;
}

}   // namespace holdfast::feed::kafka
