// Payments of events that the ledger cannot change at present: in memory, each event's in their order, until it is time to try that event again.
//
//   HeldPayments held("kafka payments");
//   held.add(event, {received, order, reservation}, "the ledger does not carry out its payments at present");
//   for (const Received& each : held.take_due()) …        // of one event; later payments of it must wait until these are done
//   held.worked(event);                                   // they were carried out: its next failure is a first one
//
// For one thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "feed/kafka/dead_letters.h"
#include "ledger/failing_events.h"

namespace holdfast::feed::kafka {

class HeldPayments {
 public:
  struct Payment {
    Received message;
    std::string order{};   // of a successful payment that names its reservation: the reservation is that of this order
    Uuid reservation{};
  };

  explicit HeldPayments(std::string work) : failing_(std::move(work)) {}

  // Behind those of the event that are held already. True: it is the first of its event, which is tried again after a pause; each time the pause
  // doubles (failing_events.h).
  bool add(EventNumber event, Payment payment, std::string_view why);
  // All messages of one event whose pause is over, in their order; empty: there is no such event. They are held no longer.
  std::vector<Received> take_due();
  // An event's payments were carried out. Has no effect while some of it are held.
  void worked(EventNumber event);
  void clear();

  bool has(EventNumber event) const { return payments_.contains(event); }
  std::set<EventNumber> events() const;
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return bytes_; }
  // The reservations of held payments, by order.
  std::map<std::string, Uuid> reservations_by_order() const;
  // The lowest offset of each partition that has a held message.
  std::map<Partition, std::int64_t> first_offsets() const;
  FailingEvents::Summary summary() const { return failing_.summary(); }

 private:
  std::map<EventNumber, std::vector<Payment>> payments_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  FailingEvents failing_;
};

}   // namespace holdfast::feed::kafka
