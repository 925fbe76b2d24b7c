#include "feed/kafka/held_payments.h"

#include <algorithm>

namespace holdfast::feed::kafka {

bool HeldPayments::add(EventNumber event, Payment payment, std::string_view why) {
  ++count_;
  bytes_ += payment.message.bytes();
  auto& of_event = payments_[event];
  of_event.push_back(std::move(payment));
  if (of_event.size() > 1) return false;
  failing_.failed(event, why);
  return true;
}

std::vector<Received> HeldPayments::take_due() {
  const auto due = std::ranges::find_if(payments_, [this](const auto& each) { return failing_.may_try(each.first); });
  std::vector<Received> messages;
  if (due == payments_.end()) return messages;
  for (Payment& each : due->second) {
    bytes_ -= each.message.bytes();
    messages.push_back(std::move(each.message));
  }
  count_ -= messages.size();
  payments_.erase(due);
  return messages;
}

void HeldPayments::worked(EventNumber event) {
  if (!has(event)) failing_.worked(event);
}

void HeldPayments::clear() {
  payments_.clear();
  count_ = bytes_ = 0;
  failing_.clear();
}

std::set<EventNumber> HeldPayments::events() const {
  std::set<EventNumber> events;
  for (const auto& [event, payments] : payments_) events.insert(event);
  return events;
}

std::map<std::string, Uuid> HeldPayments::reservations_by_order() const {
  std::map<std::string, Uuid> reservations;
  for (const auto& [event, payments] : payments_) {
    for (const Payment& each : payments) {
      if (!each.order.empty()) reservations.try_emplace(each.order, each.reservation);
    }
  }
  return reservations;
}

std::map<Partition, std::int64_t> HeldPayments::first_offsets() const {
  std::map<Partition, std::int64_t> first;
  for (const auto& [event, payments] : payments_) {
    for (const Payment& each : payments) {
      const auto [at, is_new] = first.try_emplace({each.message.topic, each.message.partition}, each.message.offset);
      if (!is_new) at->second = std::min(at->second, each.message.offset);
    }
  }
  return first;
}

}  // namespace holdfast::feed::kafka
