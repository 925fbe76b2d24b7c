// Payments on Kafka that are repeated, late, malformed, or for another customer's reservation: no seat of another customer moves.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cluster/cluster.h"

namespace holdfast::test {
namespace {

class Payments : public ::testing::Test {
 protected:
  std::string reserve_seat(std::size_t seat, const std::string& customer = "c") {
    const Answer answer = reserve(client, event[seat], customer);
    if (answer.status != 201) throw std::runtime_error("not reserved: " + answer.bytes);
    return string_of(answer.json().at("reservationId"));
  }
  // An ended hold: of one second, and recorded as expired.
  std::string expired_hold(std::size_t seat) {
    const Answer answer = hold(client, "late", {event[seat]}, R"("holdSeconds":1)");
    if (answer.status != 201) throw std::runtime_error("not held: " + answer.bytes);
    const std::string id = string_of(answer.json().at("id"));
    if (!eventually([&] { return status_of(id) == "expired"; })) throw std::runtime_error("it does not expire");
    return id;
  }

  std::string status_of(const std::string& reservation_id) { return string_of(reservation(client, reservation_id).at("status")); }
  std::string order_of(const std::string& reservation_id) {
    const Json found = reservation(client, reservation_id);
    const Json* const order = found.as_object().if_contains("orderId");
    return order == nullptr || order->is_null() ? "" : string_of(*order);
  }

  void succeeded(const std::string& reservation_id, const std::string& order, const std::string& payment = "p-1") {
    writer.write(cluster.topic("payment-succeeded"), reservation_id,
                 R"({"reservationId":)" + json_of(reservation_id) + R"(,"orderId":)" + json_of(order) + R"(,"paymentId":)" +
                     json_of(payment) + R"(,"amount":45.00})");
  }
  void failed(const std::string& reservation_id, const std::string& order) {
    writer.write(cluster.topic("payment-failed"), reservation_id,
                 R"({"reservationId":)" + json_of(reservation_id) + R"(,"orderId":)" + json_of(order) + R"(,"reason":"card declined"})");
  }
  // Waits until everything written to both topics so far has had its effect: a later payment in every partition has.
  void wait_for_payments() {
    const std::size_t partitions = 3;
    std::vector<std::string> markers;
    for (std::size_t i = 0; i < partitions * 4; ++i) {   // by key: with this many, every partition almost certainly has one
      markers.push_back(reserve_seat(next_marker_++, "marker"));
      succeeded(markers.back(), "marker");
    }
    for (const std::string& marker : markers) {
      if (!eventually([&] { return status_of(marker) == "consumed"; }, 3 * k_patience)) {
        throw std::runtime_error("a payment is not consumed: " + status_of(marker) + what_nodes_say());
      }
    }
  }
  std::string what_nodes_say() {
    std::string all;
    for (std::size_t node = 0; node < cluster.count(); ++node) {
      std::istringstream lines(cluster.client(node).get("/metrics").body);
      for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("holdfast_feed_payments") || line.starts_with("holdfast_feed_consuming")) {
          all += "\nnode " + std::to_string(node) + ": " + line;
        }
      }
    }
    return all;
  }

  Cluster cluster;
  Client client = cluster.client(0);
  TestEvent event = make_event(client, 200);
  KafkaWriter writer{cluster.bootstrap()};
  std::size_t next_marker_ = 50;
};

TEST_F(Payments, ThatSucceedSellTheReservationForTheirOrder) {
  const std::string id = reserve_seat(0);
  succeeded(id, "order-1");
  ASSERT_TRUE(eventually([&] { return status_of(id) == "consumed"; }, 3 * k_patience));
  EXPECT_EQ(order_of(id), "order-1");
  EXPECT_EQ(seat_state(client, event[0]), "sold");
  cluster.verify({event});
}

TEST_F(Payments, ThatComeTwiceSellOnce) {
  const std::string id = reserve_seat(0);
  succeeded(id, "order-1");
  succeeded(id, "order-1");
  wait_for_payments();
  EXPECT_EQ(status_of(id), "consumed");
  EXPECT_EQ(order_of(id), "order-1");
  cluster.verify({event});   // one reservation-consumed, no rejection without a change
  KafkaReader reader(cluster.bootstrap(), {cluster.topic("reservation-payment-rejected"), cluster.topic("payment-succeeded.dead-letter")});
  reader.read_for(milliseconds{1'000});
  EXPECT_TRUE(reader.messages().empty()) << reader.messages()[0].value;
}

TEST_F(Payments, ThatComeLateStillGetTheSeatIfItIsFree) {
  const std::string id = expired_hold(0);
  succeeded(id, "order-late");
  ASSERT_TRUE(eventually([&] { return status_of(id) == "consumed"; }, 3 * k_patience));
  EXPECT_EQ(order_of(id), "order-late");
  EXPECT_EQ(seat_state(client, event[0]), "sold");
  cluster.verify({event});
}

TEST_F(Payments, ThatComeLateForASeatThatHasGoneAreRejectedForARefund) {
  const std::string id = expired_hold(0);
  const std::string winner = reserve_seat(0, "quick");
  succeeded(id, "order-late", "payment-77");
  KafkaReader reader(cluster.bootstrap(), {cluster.topic("reservation-payment-rejected")});
  ASSERT_TRUE(reader.read_until([&] { return !reader.messages().empty(); }, 3 * k_patience));
  const Json told = reader.messages()[0].json();
  EXPECT_EQ(string_of(told.at("reservationId")), id);
  EXPECT_EQ(string_of(told.at("orderId")), "order-late");
  EXPECT_EQ(string_of(told.at("paymentId")), "payment-77");
  EXPECT_EQ(strings_of(told.at("seatIds")), std::vector<std::string>{event[0]});
  EXPECT_FALSE(string_of(told.at("reason")).empty());
  EXPECT_FALSE(string_of(told.at("eventId")).empty());
  EXPECT_FALSE(string_of(told.at("rejectedAt")).empty());
  EXPECT_EQ(status_of(id), "expired");
  EXPECT_EQ(status_of(winner), "active") << "a late payment cannot touch a seat that has gone to somebody else";

  // A repeated payment is refused in the same words each time and never carried out, even when the seat is free again.
  ASSERT_EQ(client.post("/v1/reservations/" + winner + "/release", "{}").status, 200);
  succeeded(id, "order-late", "payment-77");
  wait_for_payments();
  EXPECT_EQ(status_of(id), "expired");
  reader.read_for(milliseconds{1'000});
  for (const KafkaMessage& message : reader.messages()) EXPECT_EQ(message.value, reader.messages()[0].value);
  cluster.verify({event});
}

TEST_F(Payments, ThatFailReleaseTheReservationAndOneThatThenSucceedsGetsItIfItIsFree) {
  const std::string id = reserve_seat(0);
  failed(id, "order-1");
  ASSERT_TRUE(eventually([&] { return status_of(id) == "released"; }, 3 * k_patience));
  EXPECT_EQ(seat_state(client, event[0]), "available");
  succeeded(id, "order-1");
  ASSERT_TRUE(eventually([&] { return status_of(id) == "consumed"; }, 3 * k_patience));
  failed(id, "order-1");   // late: a consumed one is never touched
  wait_for_payments();
  EXPECT_EQ(status_of(id), "consumed");
  EXPECT_EQ(seat_state(client, event[0]), "sold");
  cluster.verify({event});
}

TEST_F(Payments, ForAnotherCustomersReservationMoveNoSeat) {
  const std::string bought = reserve_seat(0, "buyer");
  succeeded(bought, "order-1");
  ASSERT_TRUE(eventually([&] { return status_of(bought) == "consumed"; }, 3 * k_patience));
  succeeded(bought, "order-of-another");   // another order for a sold reservation
  failed(bought, "order-of-another");
  succeeded("00000001-0000-8000-8000-000000000000", "order-3");   // a reservation that never existed
  KafkaReader rejected(cluster.bootstrap(), {cluster.topic("reservation-payment-rejected")});
  ASSERT_TRUE(rejected.read_until(
      [&] {
        return std::ranges::any_of(
            rejected.messages(), [](const KafkaMessage& message) { return string_of(message.json().at("orderId")) == "order-of-another"; });
      },
      3 * k_patience));
  wait_for_payments();
  EXPECT_EQ(status_of(bought), "consumed");
  EXPECT_EQ(order_of(bought), "order-1");
  EXPECT_EQ(seat_state(client, event[0]), "sold");
  cluster.verify({event});
}

TEST_F(Payments, MalformedOnesBecomeDeadLettersAndStopNothing) {
  const std::vector<std::string> malformed = {"",
                                              "not JSON",
                                              "[]",
                                              "{}",
                                              R"({"reservationId":7,"orderId":"o"})",
                                              R"({"reservationId":"not a UUID","orderId":"o","paymentId":"p"})",
                                              std::string("\xff\xfe", 2),
                                              R"({"reservationId":)"};
  for (const std::string& value : malformed) writer.write(cluster.topic("payment-succeeded"), "key", value);
  writer.write(cluster.topic("payment-failed"), "key", "{}");
  const std::string id = reserve_seat(0);
  succeeded(id, "order-1");
  ASSERT_TRUE(eventually([&] { return status_of(id) == "consumed"; }, 3 * k_patience)) << "poison stops nobody";
  KafkaReader dead(cluster.bootstrap(), {cluster.topic("payment-succeeded.dead-letter"), cluster.topic("payment-failed.dead-letter")});
  ASSERT_TRUE(dead.read_until([&] { return dead.messages().size() >= malformed.size() + 1; }, 3 * k_patience)) << dead.messages().size();
  std::multiset<std::string> values;
  for (const KafkaMessage& message : dead.of_topic(cluster.topic("payment-succeeded.dead-letter"))) {
    values.insert(message.value);
    EXPECT_TRUE(
        std::ranges::any_of(message.headers, [](const auto& header) { return header.first.contains("reason") && !header.second.empty(); }))
        << "a dead letter without a reason: " << message.value;
  }
  EXPECT_EQ(values, std::multiset<std::string>(malformed.begin(), malformed.end()));
  double counted = 0;
  for (std::size_t node = 0; node < cluster.count(); ++node) {
    Client asked = cluster.client(node);
    counted += metric(asked, "holdfast_feed_payments_total", {"outcome=\"dead_letter\""});
  }
  EXPECT_EQ(counted, static_cast<double>(malformed.size() + 1));
}

}   // namespace
}   // namespace holdfast::test
