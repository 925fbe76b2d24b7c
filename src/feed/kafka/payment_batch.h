// Payments that were taken from Kafka together, and the decision about each of them, in their order.
//
//   PaymentBatch batch(desk, store, held, messages, topic_succeeded);
//   batch.decide();     // reads the messages, and finds earlier rejections
//   batch.settle();     // carries out the payments that are open
//   for (std::size_t i = 0; i < messages.size(); ++i) … batch[i] …
//
// A step that has thrown may be repeated, without a second effect. Both throw Trouble while the ledger carries out no payments at all, and what store
// and desk throw. For one thread; all arguments must outlive the batch.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feed/kafka/held_payments.h"
#include "feed/kafka/messages.h"
#include "feed/kafka/ports.h"
#include "feed/kafka/store.h"

namespace holdfast::feed::kafka {

inline constexpr std::size_t k_payment_bytes_max = 64 * 1024;   // a larger message is a dead letter

class PaymentBatch {
 public:
  struct Decision {
    Payment payment{};
    PaymentDigest digest{};   // of a payment that succeeded
    bool is_settled = false;   // the ledger has done what it asks for
    std::optional<std::size_t> repeats{};   // the place of an earlier message of the batch with the same digest
    std::optional<Rejection> rejection{};   // the ledger has refused it, now or earlier
    std::string dead_because{};   // not empty: a dead letter, and why
    bool is_held = false;   // not now: the event cannot be changed, while others can
    bool names_order = false;   // and no reservation: `reservation` is nil until one is found

    bool is_open() const { return !is_settled && !repeats && !rejection && dead_because.empty() && !is_held; }
    bool is_payment() const { return dead_because.empty() || payment.reservation != Uuid{}; }
    // FailingEvents::k_not_known while the reservation is not known.
    EventNumber event() const;
  };

  PaymentBatch(PaymentDesk& desk, FeedStore& store, const HeldPayments& held, const std::vector<Received>& messages,
               std::string_view topic_succeeded)
      : desk_(desk), store_(store), held_(held), messages_(messages), topic_succeeded_(topic_succeeded) {}

  void decide();
  void settle();

  const Decision& operator[](std::size_t place) const { return decisions_[place]; }
  // The decision that applies to a message: its own, or that of the earlier message that it repeats.
  const Decision& ruling(std::size_t place) const { return decisions_[decisions_[place].repeats.value_or(place)]; }

 private:
  void read();
  void find_orders();
  std::optional<std::vector<std::optional<Uuid>>> ask_for_orders(const std::vector<std::string>& orders);
  void find_rejections();
  void hold_back();
  void apply(const Effect& effect, Decision& decision);
  [[noreturn]] void throw_trouble(const std::string& why) const;

  PaymentDesk& desk_;
  FeedStore& store_;
  const HeldPayments& held_;
  const std::vector<Received>& messages_;
  const std::string topic_succeeded_;
  std::vector<Decision> decisions_;
};

}   // namespace holdfast::feed::kafka
