#include "feed/kafka/payments.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "core/check.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds k_look{200};              // for messages; a stop is noticed in between
constexpr milliseconds k_back_off{100};
constexpr milliseconds k_leave{3'000};           // the group, at the end
constexpr milliseconds k_question{1'000};
constexpr milliseconds k_topics_patience{10'000};
constexpr milliseconds k_between_looks{5'000};   // at how far the partitions go

struct Stopping {};
// The partitions of the messages at hand may be somebody else's by now; who has them gets these messages again.
struct PartitionsLost {};

// A commit that comes from a member that is none any more.
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

// What became of messages, in their order.
struct Payments::Batch {
  struct Decision {
    Payment payment{};
    PaymentDigest digest{};                  // of one that succeeded
    bool is_settled = false;
    std::optional<std::size_t> repeats{};    // an earlier one of the batch with the same digest
    std::optional<Rejection> rejection{};
    std::string dead_because{};              // not empty: a dead letter
    bool is_held = false;                    // not now, and others are not kept waiting
    bool names_order = false;                // and no reservation: nil until one is found
    const Received* message = nullptr;

    bool is_open() const { return !is_settled && !repeats && !rejection && dead_because.empty() && !is_held; }
    EventNumber event() const {
      if (names_order && payment.reservation.is_nil()) return FailingEvents::k_not_known;
      return event_of_reservation(payment.reservation).value_or(0);
    }
    bool is_payment() const { return dead_because.empty() || payment.reservation != Uuid{}; }
  };
  std::vector<Decision> decisions;
};

Payments::Payments(PaymentOptions options, PaymentDesk& desk, FeedStore& store, FeedBoard& board)
    : options_(std::move(options)), desk_(desk), store_(store), board_(board) {
  options_.kafka.more.try_emplace("topic.metadata.refresh.interval.ms", "10000");
  options_.kafka.more.try_emplace("allow.auto.create.topics", "true");
}

Payments::~Payments() { stop(); }

void Payments::start() {
  HOLDFAST_CHECK(!thread_.joinable());
  board_.set_payments(PaymentState::starting);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "kafka-payments");
    run();
  });
}

void Payments::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Payments::stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

void Payments::wait(milliseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, time, [&] { return stopping_; });
}

void Payments::run() {
  milliseconds back_off = k_back_off;
  while (!stopping()) {
    try {
      consume();
    } catch (const Stopping&) {
      break;
    } catch (const Trouble& trouble) {
      board_.set_payments(trouble.kind() == Trouble::Kind::refused ? PaymentState::refused : PaymentState::away, trouble.what());
    } catch (const std::exception& error) {
      board_.set_payments(PaymentState::away, error.what());
    }
    if (std::exchange(has_worked_, false)) back_off = k_back_off;
    wait(back_off);
    back_off = std::min(2 * back_off, options_.back_off_max);
  }
  joining_since_.reset();
  show_pending();
  board_.set_payments(PaymentState::stopped);
}

// ---------------------------------------------------------------------------------------------------------------- the group

namespace {

// Leaves the group, so that its partitions are given to others at once; not for longer than k_leave. What was fetched and not taken yet comes
// through the same queue: it must be taken as an event, because rd_kafka_queue_poll_callback ends the process over a message.
void leave_group(Client& client) {
  const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> queue(rd_kafka_queue_new(client.get()),
                                                                                   &rd_kafka_queue_destroy);
  if (const Error error = owned(rd_kafka_consumer_close_queue(client.get(), queue.get())); error != nullptr) {
    spdlog::debug("kafka payments: the group was not left: {}", rd_kafka_error_string(error.get()));
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
  Client client(Client::Kind::consumer, options_.kafka,
                {{"group.id", options_.group},
                 {"enable.auto.commit", "false"},
                 {"enable.auto.offset.store", "false"},
                 {"auto.offset.reset", "earliest"},
                 {"isolation.level", "read_committed"},
                 {"enable.partition.eof", "true"},   // its end is no message's offset where transactions leave marks
                 {"partition.assignment.strategy", "range,roundrobin"}},   // after each rebalance all begin at what is committed
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
  while (!stopping()) {
    auto messages = receive(client);
    if (!messages.empty()) handle(client, std::move(messages));
    handle_held(client);
    holds_too_many() ? pause(client) : resume(client);
    look_at_backlog(client);
    show_pending();
  }
  throw Stopping{};
}

// Makes the topics, where brokers do so by themselves: the first messages need not wait until the group has looked again.
void Payments::await_topics() {
  const auto deadline = SteadyClock::now() + k_topics_patience;
  for (const std::string_view name : {k_topic_payment_succeeded, k_topic_payment_failed}) {
    while (ask_for_topic(teller_->client(), topic(name), k_question) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (stopping()) throw Stopping{};
      if (SteadyClock::now() >= deadline) return;   // the group says what is missing, and goes on looking
      wait(k_back_off);
    }
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
    rd_kafka_resume_partitions(client.get(), &partitions);   // librdkafka keeps a partition's pause over the loss of it
    for (int i = 0; i < partitions.cnt; ++i) places_.try_emplace({partitions.elems[i].topic, partitions.elems[i].partition});
    board_.set_payments(PaymentState::consuming);
    joining_since_.reset();
  } else {
    joining_since_ = Backlog::Timer::now();
  }
  show_pending();
}

// All that is known of partitions that may be another node's by now, or are read anew from what is committed.
void Payments::forget_partitions() {
  places_.clear();
  held_.clear();
  held_messages_ = held_bytes_ = 0;
  failing_.clear();
  at_hand_since_.reset();
  is_paused_ = false;
  looked_at_backlog_ = {};
}

void Payments::pause(Client& client) {
  rd_kafka_topic_partition_list_t* assigned = nullptr;
  if (is_paused_ || rd_kafka_assignment(client.get(), &assigned) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  rd_kafka_pause_partitions(client.get(), assigned);
  rd_kafka_topic_partition_list_destroy(assigned);
  is_paused_ = true;
}

void Payments::resume(Client& client) {
  rd_kafka_topic_partition_list_t* assigned = nullptr;
  if (!is_paused_ || rd_kafka_assignment(client.get(), &assigned) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  rd_kafka_resume_partitions(client.get(), assigned);
  rd_kafka_topic_partition_list_destroy(assigned);
  is_paused_ = false;
}

// What is there, as the brokers say, against what was taken: whether this node takes it is known from that and not from its state.
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
      if (Backlog::Timer::now() >= now + 2 * k_question) return;   // the broker does not answer; what is known stays
      continue;
    }
    place.backlog.done(static_cast<std::uint64_t>(std::max({place.next, place.end, low})));
    place.backlog.wanted(static_cast<std::uint64_t>(high), now);
  }
}

void Payments::show_pending() {
  std::optional<Time> oldest = earlier(joining_since_, at_hand_since_);
  oldest = earlier(oldest, failing_.summary().since);
  for (auto& [partition, place] : places_) {
    place.backlog.done(static_cast<std::uint64_t>(std::max<std::int64_t>({place.next, place.end, 0})));
    oldest = earlier(oldest, place.backlog.oldest());
  }
  board_.set_payments_pending(oldest);
  board_.set_payments_held(held_messages_, failing_.summary());
}

// What has come, in the order of each partition, and no more than could be held; none when there is nothing for a moment. While too many are
// held, what is paused gives none, and a rebalance is heard of all the same.
std::vector<Received> Payments::receive(Client& client) {
  std::vector<Received> messages;
  std::size_t bytes = 0;
  partitions_changed_ = false;
  const PaymentLimits& limits = options_.limits;
  const auto room = [](std::size_t most, std::size_t held) { return std::max<std::size_t>(1, most - std::min(most, held)); };
  const std::size_t messages_max = std::min(limits.at_once_max, room(limits.held_max, held_messages_));
  const std::size_t bytes_max = std::min(limits.bytes_at_once_max, room(limits.held_bytes_max, held_bytes_));
  while (messages.size() < messages_max && bytes < bytes_max) {
    const std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)> message(
        rd_kafka_consumer_poll(client.get(), messages.empty() ? static_cast<int>(k_look.count()) : 0), &rd_kafka_message_destroy);
    if (partitions_changed_) {
      messages.clear();   // whoever has their partitions gets them again; this one, if any, is of a partition that we have now
      bytes = 0;
      partitions_changed_ = false;
    }
    if (message == nullptr) break;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      places_[{rd_kafka_topic_name(message->rkt), message->partition}].end = message->offset;
      if (messages.empty()) break;
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const Trouble trouble(kind_of(message->err), rd_kafka_message_errstr(message.get()));
      board_.set_payments(trouble.kind() == Trouble::Kind::refused ? PaymentState::refused : PaymentState::away, trouble.what());
      continue;
    }
    messages.push_back(received(*message));
    bytes += messages.back().bytes();
  }
  if (const std::string trouble = client.take_trouble(); !trouble.empty()) board_.set_payments(PaymentState::away, trouble);
  const bool is_away = board_.status().payments == PaymentState::away;
  if (is_away && !messages.empty()) board_.set_payments(PaymentState::consuming);
  if (is_away && messages.empty()) {
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(client.get(), 0, nullptr, &metadata, static_cast<int>(k_question.count())) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
      board_.set_payments(PaymentState::consuming);
    }
  }
  return messages;
}

// ---------------------------------------------------------------------------------------------------------------- what a message does

// Step by step; a step that fails is done again, while the group is told that we are still there.
void Payments::handle(Client& client, std::vector<Received> messages) {
  Batch batch;
  const std::function<void()> steps[] = {[&] { batch = decide(messages); }, [&] { settle(batch); }, [&] { tell(batch); },
                                         [&] { note_done(batch, messages); }, [&] { commit(client); }};
  at_hand_since_ = Backlog::Timer::now();
  show_pending();
  milliseconds back_off = k_back_off;
  bool has_waited = false;
  for (std::size_t step = 0; step < std::size(steps);) {
    try {
      steps[step]();
      ++step;
      continue;
    } catch (const PartitionsLost&) {
      break;
    } catch (const Trouble& trouble) {
      board_.set_payments(trouble.kind() == Trouble::Kind::refused ? PaymentState::refused : PaymentState::away, trouble.what());
    } catch (const std::exception& error) {
      board_.set_payments(PaymentState::away, error.what());
    }
    ++board_.counters.payments_retried;
    if (stopping()) throw Stopping{};
    pause(client);
    has_waited = true;
    // What is paused gives no messages: what comes here is a rebalance, after which everything begins at what is committed.
    const auto until = SteadyClock::now() + back_off;
    while (SteadyClock::now() < until && !stopping()) {
      const std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)> unexpected(
          rd_kafka_consumer_poll(client.get(), static_cast<int>(k_back_off.count())), &rd_kafka_message_destroy);
      // A payment that came in the same look would be passed over: to join anew begins at what is committed.
      if (partitions_changed_ && unexpected != nullptr && unexpected->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        throw std::runtime_error("a payment came with new partitions while others were waited for; the group is joined anew");
      if (partitions_changed_) return;
    }
    back_off = std::min(2 * back_off, options_.back_off_max);
  }
  at_hand_since_.reset();
  has_worked_ = true;
  if (has_waited) board_.set_payments(PaymentState::consuming);
}

// Payments of events for which it is time to be tried again, an event at a time.
void Payments::handle_held(Client& client) {
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (!failing_.may_try(at->first)) continue;
    std::vector<Received> messages;
    for (Held& each : at->second) {
      held_bytes_ -= each.message.bytes();
      messages.push_back(std::move(each.message));
    }
    held_messages_ -= messages.size();
    held_.erase(at);
    handle(client, std::move(messages));
    return;
  }
}

Payments::Batch Payments::decide(const std::vector<Received>& messages) {
  Batch batch;
  read(batch, messages);
  find_orders(batch);
  std::map<PaymentDigest, std::size_t> first_of;
  for (std::size_t i = 0; i < batch.decisions.size(); ++i) {
    Batch::Decision& decision = batch.decisions[i];
    if (!decision.is_open() || !decision.payment.succeeded) continue;
    decision.digest = digest_of(decision.payment);
    const auto [first, is_first] = first_of.try_emplace(decision.digest, i);
    if (!is_first) {
      decision.repeats = first->second;
    } else if (const auto told = store_.rejection(decision.digest)) {
      decision.rejection = decode_rejection(*told);
      if (!decision.rejection) throw std::runtime_error("what was told of a refused payment cannot be read");
    }
  }
  return batch;
}

void Payments::read(Batch& batch, const std::vector<Received>& messages) {
  for (const Received& message : messages) {
    Batch::Decision& decision = batch.decisions.emplace_back();
    decision.message = &message;
    if (!message.value) {
      decision.dead_because = "The message has no body.";
    } else if (message.value->size() > k_payment_bytes_max) {
      decision.dead_because = "The message has more than " + std::to_string(k_payment_bytes_max) + " bytes.";
    } else {
      auto payment = desk_.read(message.topic == topic(k_topic_payment_succeeded), *message.value);
      if (payment) {
        decision.payment = std::move(*payment);
      } else {
        decision.dead_because = std::move(payment.error());
      }
    }
    if (!decision.dead_because.empty()) continue;
    for (const auto& [name, value] : message.headers) {
      if (name == "traceparent") decision.payment.trace = parse_traceparent(value);
    }
  }
}

// Reservations of payments that wait, by their orders.
std::map<std::string, Uuid> Payments::orders_named_before() const {
  std::map<std::string, Uuid> named;
  for (const auto& [event, payments] : held_) {
    for (const Held& each : payments) {
      if (!each.order.empty()) named.try_emplace(each.order, each.reservation);
    }
  }
  return named;
}

// Payments that name no reservation are those of a reservation that was sold for their order; or that a payment before them sells, which
// the ledger does not know yet.
void Payments::find_orders(Batch& batch) {
  std::vector<std::string> orders;
  for (Batch::Decision& decision : batch.decisions) {
    decision.names_order = decision.dead_because.empty() && decision.payment.reservation.is_nil();
    if (decision.names_order) orders.push_back(decision.payment.order);
  }
  if (orders.empty()) return;
  const auto found = held_.contains(FailingEvents::k_not_known) ? std::nullopt : ask_for_orders(orders);
  std::map<std::string, Uuid> named = orders_named_before();
  std::size_t next = 0;
  for (Batch::Decision& decision : batch.decisions) {
    if (!decision.names_order) {
      const bool sells = decision.dead_because.empty() && decision.payment.succeeded;
      if (sells) named.try_emplace(decision.payment.order, decision.payment.reservation);
      continue;
    }
    if (!found) {
      decision.is_held = true;   // behind those that wait, if any do: they are tried first
      continue;
    }
    const auto before = named.find(decision.payment.order);
    if (const auto& known = (*found)[next++]) {
      decision.payment.reservation = *known;
    } else if (before != named.end()) {
      decision.payment.reservation = before->second;
    } else {
      decision.dead_because = "`reservationId` is missing, and nothing was sold for the order.";
    }
  }
}

// Nothing when that cannot be found out at the moment, and other payments can be carried out.
std::optional<std::vector<std::optional<Uuid>>> Payments::ask_for_orders(const std::vector<std::string>& orders) {
  try {
    auto found = desk_.find_orders(orders);
    HOLDFAST_CHECK(found.size() == orders.size());
    return found;
  } catch (const std::exception& error) {
    if (const std::string trouble = desk_.trouble(); !trouble.empty()) {
      throw Trouble(Trouble::Kind::away, "the ledger does not carry out payments at the moment: " + trouble);
    }
    spdlog::debug("kafka payments: {}", error.what());
    return std::nullopt;
  }
}

// Marks what must wait for a payment of its event that waits: a later one may rest on an earlier one.
void Payments::hold_back(Batch& batch) {
  std::set<EventNumber> waiting;
  for (const auto& [event, messages] : held_) waiting.insert(event);
  for (Batch::Decision& decision : batch.decisions) {
    if (!decision.is_payment()) continue;
    if (decision.is_held) waiting.insert(decision.event());
    decision.is_held = waiting.contains(decision.event());
  }
}

// Each event's payments are carried out in their order, up to the first that cannot be now.
void Payments::settle(Batch& batch) {
  hold_back(batch);
  std::vector<Payment> payments;
  std::vector<Batch::Decision*> decisions;
  for (Batch::Decision& decision : batch.decisions) {
    if (!decision.is_open()) continue;
    payments.push_back(decision.payment);
    decisions.push_back(&decision);
  }
  if (payments.empty()) return;
  std::vector<Effect> effects = desk_.settle(payments);
  HOLDFAST_CHECK(effects.size() == payments.size());
  for (std::size_t i = 0; i < effects.size(); ++i) {
    Effect& effect = effects[i];
    Batch::Decision& decision = *decisions[i];
    if (effect.kind == Effect::Kind::unavailable) {
      if (const std::string trouble = desk_.trouble(); !trouble.empty()) {
        throw Trouble(Trouble::Kind::away, "the ledger does not carry out payments at the moment: " + trouble);
      }
      decision.is_held = true;
      continue;
    }
    if (effect.kind == Effect::Kind::settled) {
      decision.is_settled = true;
    } else if (decision.payment.succeeded) {
      const std::string told =
          store_.keep_rejection(decision.digest, encode_rejection({effect.reason, effect.at, effect.seat_ids}), effect.at);
      decision.rejection = decode_rejection(told);
      if (!decision.rejection) throw std::runtime_error("what was told of a refused payment cannot be read");
    } else if (effect.kind == Effect::Kind::unknown) {
      decision.dead_because = "There is no reservation " + to_string(decision.payment.reservation) + ".";
    } else {
      decision.is_settled = true;
    }
  }
  hold_back(batch);
}

void Payments::tell(Batch& batch) {
  std::size_t settled = 0;
  std::size_t rejected = 0;
  std::size_t dead = 0;
  const auto fill = [&] {
    settled = rejected = dead = 0;
    for (const Batch::Decision& each : batch.decisions) {
      if (each.is_held) continue;
      const Batch::Decision& decision = each.repeats ? batch.decisions[*each.repeats] : each;
      if (decision.rejection) {
        const Message message = rejection_message(each.payment, *decision.rejection);
        teller_->send(topic(message.topic), message.key, message.value, message.headers);
        ++rejected;
      } else if (!decision.dead_because.empty()) {
        teller_->send_dead(*each.message, decision.dead_because);
        ++dead;
      } else {
        ++settled;
      }
    }
  };
  if (!teller_->tell(fill, [this] { return stopping(); })) throw Stopping{};
  board_.counters.payments_settled += settled;
  board_.counters.payments_rejected += rejected;
  board_.counters.payments_dead += dead;
  for (std::size_t i = 0; i < rejected; ++i) board_.count_message(k_topic_payment_rejected);
}

// Keeps what is held, and how far all the others are.
void Payments::note_done(const Batch& batch, std::vector<Received>& messages) {
  std::set<EventNumber> worked;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Received& message = messages[i];
    Place& place = places_[{message.topic, message.partition}];
    place.next = std::max(place.next, message.offset + 1);
    const Batch::Decision& decision = batch.decisions[i];
    const bool is_known = decision.event() != FailingEvents::k_not_known;
    if (decision.names_order && (is_known || !decision.is_held)) worked.insert(FailingEvents::k_not_known);
    if (!decision.is_held) {
      if (decision.is_payment()) worked.insert(decision.event());
      continue;
    }
    ++held_messages_;
    held_bytes_ += message.bytes();
    auto& of_event = held_[decision.event()];
    if (of_event.empty()) {
      failing_.failed(decision.event(), is_known ? "the ledger does not carry out its payments at the moment"
                                                 : "what was sold for their orders cannot be found out at the moment");
      ++board_.counters.payments_retried;
    }
    const bool names_both = decision.payment.succeeded && !decision.names_order;
    of_event.push_back({std::move(message), names_both ? decision.payment.order : "", decision.payment.reservation});
  }
  for (const EventNumber event : worked) {
    if (!held_.contains(event)) failing_.worked(event);
  }
}

// Of each partition, up to the first message that is held.
void Payments::commit(Client& client) {
  std::map<Partition, std::int64_t> done;
  for (const auto& [partition, place] : places_) {
    if (place.next >= 0) done[partition] = place.next;
  }
  for (const auto& [event, messages] : held_) {
    for (const Held& each : messages) {
      std::int64_t& through = done[{each.message.topic, each.message.partition}];
      through = std::min(through, each.message.offset);
    }
  }
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
