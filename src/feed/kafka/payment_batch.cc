#include "feed/kafka/payment_batch.h"

#include <spdlog/spdlog.h>

#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "core/check.h"
#include "feed/kafka/client.h"

namespace holdfast::feed::kafka {
namespace {

Rejection read_rejection(const std::string& told) {
  auto rejection = decode_rejection(told);
  if (!rejection) throw std::runtime_error("the stored rejection of a payment is damaged");
  return std::move(*rejection);
}

}  // namespace

EventNumber PaymentBatch::Decision::event() const {
  if (names_order && payment.reservation.is_nil()) return FailingEvents::k_not_known;
  return event_of_reservation(payment.reservation).value_or(0);
}

// ---------------------------------------------------------------------------------------------------------------- reading messages

void PaymentBatch::decide() {
  decisions_.clear();
  read();
  find_orders();
  hold_back();   // so that payments which must wait cost no lookup in the store
  find_rejections();
}

// In one look at the store: an event whose pause is over may have thousands of payments.
void PaymentBatch::find_rejections() {
  std::map<PaymentDigest, std::size_t> first_of;
  std::vector<PaymentDigest> digests;
  std::vector<Decision*> asking;
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    Decision& decision = decisions_[i];
    if (!decision.is_open() || !decision.payment.succeeded) continue;
    decision.digest = digest_of(decision.payment);
    const auto [first, is_first] = first_of.try_emplace(decision.digest, i);
    if (!is_first) {
      decision.repeats = first->second;
      continue;
    }
    digests.push_back(decision.digest);
    asking.push_back(&decision);
  }
  if (digests.empty()) return;
  const auto told = store_.rejections(digests);
  HOLDFAST_CHECK(told.size() == digests.size());
  for (std::size_t i = 0; i < told.size(); ++i) {
    if (told[i]) asking[i]->rejection = read_rejection(*told[i]);
  }
}

void PaymentBatch::read() {
  for (const Received& message : messages_) {
    Decision& decision = decisions_.emplace_back();
    if (!message.value) {
      decision.dead_because = "The message has no body.";
    } else if (message.value->size() > k_payment_bytes_max) {
      decision.dead_because = "The message has more than " + std::to_string(k_payment_bytes_max) + " bytes.";
    } else if (auto payment = desk_.read(message.topic == topic_succeeded_, *message.value)) {
      decision.payment = std::move(*payment);
    } else {
      decision.dead_because = std::move(payment.error());
    }
    if (!decision.dead_because.empty()) continue;
    for (const auto& [name, value] : message.headers) {
      if (name == "traceparent") decision.payment.trace = parse_traceparent(value);
    }
  }
}

// A payment that names only its order belongs to the reservation that was sold for that order. An earlier payment of the same
// batch may be the one that sells it, which the ledger does not know yet.
void PaymentBatch::find_orders() {
  std::vector<std::string> orders;
  for (Decision& decision : decisions_) {
    decision.names_order = decision.dead_because.empty() && decision.payment.reservation.is_nil();
    if (decision.names_order) orders.push_back(decision.payment.order);
  }
  if (orders.empty()) return;
  const auto found = held_.has(FailingEvents::k_not_known) ? std::nullopt : ask_for_orders(orders);
  std::map<std::string, Uuid> named = held_.reservations_by_order();
  std::size_t next = 0;
  for (Decision& decision : decisions_) {
    if (!decision.names_order) {
      const bool sells = decision.dead_because.empty() && decision.payment.succeeded;
      if (sells) named.try_emplace(decision.payment.order, decision.payment.reservation);
      continue;
    }
    if (!found) {
      decision.is_held = true;   // after those already held, which are tried first
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

// Nothing if orders cannot be looked up at present although other payments can be carried out.
std::optional<std::vector<std::optional<Uuid>>> PaymentBatch::ask_for_orders(const std::vector<std::string>& orders) {
  try {
    auto found = desk_.find_orders(orders);
    HOLDFAST_CHECK(found.size() == orders.size());
    return found;
  } catch (const std::exception& error) {
    if (const std::string trouble = desk_.trouble(); !trouble.empty()) throw_trouble(trouble);
    spdlog::debug("kafka payments: {}", error.what());
    return std::nullopt;
  }
}

// ---------------------------------------------------------------------------------------------------------------- carrying out payments

// Carries out each event's payments in order, up to the first one that cannot be carried out now.
void PaymentBatch::settle() {
  hold_back();
  std::vector<Payment> payments;
  std::vector<Decision*> open;
  for (Decision& decision : decisions_) {
    if (!decision.is_open()) continue;
    payments.push_back(decision.payment);
    open.push_back(&decision);
  }
  if (payments.empty()) return;
  const std::vector<Effect> effects = desk_.settle(payments);
  HOLDFAST_CHECK(effects.size() == payments.size());
  for (std::size_t i = 0; i < effects.size(); ++i) apply(effects[i], *open[i]);
  hold_back();
}

// If an event has held payments, its other payments must wait too: they may depend on an earlier one.
void PaymentBatch::hold_back() {
  std::set<EventNumber> waiting = held_.events();
  for (Decision& decision : decisions_) {
    if (!decision.is_payment()) continue;
    if (decision.is_held) waiting.insert(decision.event());
    decision.is_held = waiting.contains(decision.event());
  }
}

void PaymentBatch::apply(const Effect& effect, Decision& decision) {
  if (effect.kind == Effect::Kind::unavailable) {
    if (const std::string trouble = desk_.trouble(); !trouble.empty()) throw_trouble(trouble);
    decision.is_held = true;
  } else if (effect.kind != Effect::Kind::settled && decision.payment.succeeded) {
    const std::string rejection = encode_rejection({effect.reason, effect.at, effect.seat_ids});
    decision.rejection = read_rejection(store_.keep_rejection(decision.digest, rejection, effect.at, desk_.undoubted_now()));
  } else if (effect.kind == Effect::Kind::unknown) {
    decision.dead_because = "There is no reservation " + to_string(decision.payment.reservation) + ".";
  } else {
    decision.is_settled = true;
  }
}

void PaymentBatch::throw_trouble(const std::string& why) const {
  throw Trouble(Trouble::Kind::away, "the ledger does not carry out payments at present: " + why);
}

}   // namespace holdfast::feed::kafka
