// Payments from Kafka into the real program: late, repeated, out of order, for another customer's reservation, and malformed.
#include <gmock/gmock.h>

#include "feed/kafka/program.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

struct KafkaPayments : testing::Test {
  std::string hold_one(const std::string& seat, std::string_view customer = "anna", std::string_view more = {}) {
    const Answer made = hold(client, customer, {seat}, more);
    EXPECT_EQ(made.status, 201) << made;
    return string_of(made.json().at("id"));
  }
  std::string status_of(const std::string& id) { return string_of(reservation(client, id).at("status")); }
  bool becomes(const std::string& id, std::string_view status) {
    return eventually([&] { return status_of(id) == status; }, 4 * k_patience);
  }

  static std::string payment(const std::string& reservation, const std::string& order, const std::string& id = "payment-1") {
    return R"({"reservationId":)" + json_of(reservation) + R"(,"orderId":)" + json_of(order) + R"(,"paymentId":)" + json_of(id) +
           R"(,"amount":45.0,"note":"more members do not matter"})";
  }
  void succeed(const std::string& reservation, const std::string& order, const std::string& id = "payment-1") {
    writer.write(names.topic("payment-succeeded"), reservation, payment(reservation, order, id));
  }
  void fail(const std::string& reservation, const std::string& order) {
    writer.write(names.topic("payment-failed"), reservation,
                 R"({"reservationId":)" + json_of(reservation) + R"(,"orderId":)" + json_of(order) + "}");
  }
  // Payments of one topic are carried out in order by key: once this one is, so are those before it.
  bool all_carried_out() {
    for (const char* topic : {"payment-succeeded", "payment-failed"}) {
      const std::string id = hold_one(event[event.seats.size() - 1 - markers_], "marker");
      ++markers_;
      if (std::string_view(topic) == "payment-succeeded") {
        succeed(id, "marker");
        if (!becomes(id, "consumed")) return false;
      } else {
        fail(id, "marker");
        if (!becomes(id, "released")) return false;
      }
    }
    return true;
  }
  std::vector<KafkaMessage> rejected(std::size_t least) { return read({names.topic("reservation-payment-rejected")}, least); }
  std::vector<KafkaMessage> read(const std::vector<std::string>& topics, std::size_t least) {
    KafkaReader reader(kafka, topics);
    EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= least; }, 4 * k_patience)) << reader.messages().size();
    reader.read_for(milliseconds(300));
    return reader.messages();
  }

  const std::string kafka = shared_kafka();
  const FeedNames names;
  Server server{with_feed(names, kafka)};
  Client client = server.connect();
  KafkaWriter writer{kafka};
  TestEvent event = make_event(client, 60);
  std::size_t markers_ = 0;
};

TEST_F(KafkaPayments, ThatSucceededSellTheReservationForTheirOrder) {
  const std::string id = hold_one(event[0]);
  succeed(id, "order-1");
  ASSERT_TRUE(becomes(id, "consumed"));
  EXPECT_EQ(reservation(client, id).at("orderId"), "order-1");
  EXPECT_EQ(seat_state(client, event[0]), "sold");
}

TEST_F(KafkaPayments, ThatSucceededTwiceSellOnceAndNothingIsRejected) {
  const std::string id = hold_one(event[0]);
  succeed(id, "order-1");
  succeed(id, "order-1");
  succeed(id, "order-1", "payment-2");   // of the same order
  ASSERT_TRUE(becomes(id, "consumed"));
  ASSERT_TRUE(all_carried_out());
  EXPECT_EQ(seat(client, event[0]).at("version"), 2);
  EXPECT_EQ(metric(client, "holdfast_feed_payments_total", {"rejected"}), 0);
}

TEST_F(KafkaPayments, ThatComeTooLateStillSellTheSeatWhenItIsFree) {
  const std::string id = hold_one(event[0], "anna", R"("holdSeconds":1)");
  ASSERT_TRUE(becomes(id, "expired"));
  succeed(id, "order-1");
  ASSERT_TRUE(becomes(id, "consumed"));
  EXPECT_EQ(seat_state(client, event[0]), "sold");
}

TEST_F(KafkaPayments, ThatComeTooLateForATakenSeatAreRejectedForARefund) {
  const Answer made = hold(client, "anna", {event[0], event[1]}, R"("holdSeconds":1)");
  ASSERT_EQ(made.status, 201) << made;
  const std::string late = string_of(made.json().at("id"));
  ASSERT_TRUE(becomes(late, "expired"));
  const std::string other = hold_one(event[1], "berta");
  succeed(late, "order-1", "payment-9");
  const auto messages = rejected(1);
  ASSERT_EQ(messages.size(), 1u);
  const Json body = messages[0].json();
  EXPECT_THAT(members_of(body),
              UnorderedElementsAre("eventId", "reservationId", "orderId", "paymentId", "seatIds", "reason", "rejectedAt"));
  EXPECT_EQ(string_of(body.at("reservationId")), late);
  EXPECT_EQ(body.at("orderId"), "order-1");
  EXPECT_EQ(body.at("paymentId"), "payment-9");
  EXPECT_THAT(strings_of(body.at("seatIds")), ElementsAre(event[0], event[1])) << "all that were paid for";
  EXPECT_EQ(body.at("reason"), "seat_unavailable");
  EXPECT_GT(millis_of(body.at("rejectedAt")), 0);
  EXPECT_EQ(messages[0].headers.at("ce_id"), string_of(body.at("eventId")));
  EXPECT_EQ(messages[0].headers.at("ce_type"), "reservation-payment-rejected");
  EXPECT_EQ(status_of(late), "expired");
  EXPECT_EQ(status_of(other), "active") << "the seat is still the other's";
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_feed_payments_total", {"rejected"}) == 1; }));
}

// The money was sent back. If the payment comes again, the seat must not be sold too, even if it is free by then.
TEST_F(KafkaPayments, RejectedOnesThatRepeatAreRejectedInTheSameWords) {
  const std::string late = hold_one(event[0], "anna", R"("holdSeconds":1)");
  ASSERT_TRUE(becomes(late, "expired"));
  const std::string other = hold_one(event[0], "berta");
  succeed(late, "order-1");
  const auto first = rejected(1);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(client.post("/v1/reservations/" + other + "/release", "").status, 200);
  succeed(late, "order-1");
  const auto both = rejected(2);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].value, both[1].value) << "the same eventId, the same body";
  EXPECT_EQ(seat_state(client, event[0]), "available");
  succeed(late, "order-1", "payment-2");   // another payment
  EXPECT_TRUE(becomes(late, "consumed"));
}

TEST_F(KafkaPayments, ThatFailedReleaseTheReservationAndOneThatThenSucceedsSellsIt) {
  const std::string id = hold_one(event[0]);
  fail(id, "order-1");
  ASSERT_TRUE(becomes(id, "released"));
  EXPECT_EQ(seat_state(client, event[0]), "available");
  fail(id, "order-1");
  succeed(id, "order-1");
  EXPECT_TRUE(becomes(id, "consumed"));
  EXPECT_EQ(seat_state(client, event[0]), "sold");
}

TEST_F(KafkaPayments, ThatFailedTouchNothingThatWasSoldOrHasEndedOrBelongsToAnother) {
  const std::string sold = hold_one(event[0]);
  succeed(sold, "order-1");
  ASSERT_TRUE(becomes(sold, "consumed"));
  const std::string ended = hold_one(event[1], "anna", R"("holdSeconds":1)");
  ASSERT_TRUE(becomes(ended, "expired"));
  const std::string next = hold_one(event[1], "berta");
  fail(sold, "order-1");
  fail(sold, "order-2");
  fail(ended, "order-3");
  ASSERT_TRUE(all_carried_out());
  EXPECT_EQ(status_of(sold), "consumed");
  EXPECT_EQ(seat_state(client, event[0]), "sold");
  EXPECT_EQ(status_of(ended), "expired");
  EXPECT_EQ(status_of(next), "active");
  EXPECT_EQ(metric(client, "holdfast_feed_payments_total", {"dead_letter"}), 0);
}

TEST_F(KafkaPayments, ForAReservationThatWasSoldForAnotherOrderAreRejected) {
  const std::string id = hold_one(event[0]);
  succeed(id, "order-1");
  ASSERT_TRUE(becomes(id, "consumed"));
  succeed(id, "order-2", "payment-2");
  const auto messages = rejected(1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].json().at("reason"), "reservation_not_active");
  EXPECT_EQ(messages[0].json().at("orderId"), "order-2");
  EXPECT_THAT(strings_of(messages[0].json().at("seatIds")), ElementsAre(event[0]));
  EXPECT_EQ(reservation(client, id).at("orderId"), "order-1");
}

TEST_F(KafkaPayments, ForNoReservationAreRefundedOrBecomeDeadLetters) {
  const std::string nobodys = new_uuid();
  const std::string one_of_ours = hold_one(event[0]);
  std::string never_made = one_of_ours;   // in the form of Holdfast's ids
  never_made.back() = never_made.back() == '0' ? '1' : '0';
  succeed(nobodys, "order-1", "payment-1");
  succeed(never_made, "order-2", "payment-2");
  const auto messages = rejected(2);
  ASSERT_EQ(messages.size(), 2u);
  for (const KafkaMessage& message : messages) {
    EXPECT_EQ(message.json().at("reason"), "reservation_not_found");
    EXPECT_TRUE(message.json().at("seatIds").as_array().empty());
  }
  fail(nobodys, "order-3");
  const auto dead = read({names.topic("payment-failed.dead-letter")}, 1);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_THAT(dead[0].headers.at("dead_letter_reason"), HasSubstr("There is no reservation " + nobodys));
  EXPECT_EQ(status_of(one_of_ours), "active");
}

TEST_F(KafkaPayments, WithoutAReservationAreFoundByTheirOrderOrBecomeDeadLetters) {
  const std::string id = hold_one(event[0]);
  const std::string other = hold_one(event[1]);
  ASSERT_EQ(client.post("/v1/reservations/" + id + "/consume", R"({"orderId":"order-1"})").status, 200);
  writer.write(names.topic("payment-succeeded"), "k", R"({"orderId":"order-1","paymentId":"payment-1","reservationId":null})");
  writer.write(names.topic("payment-succeeded"), "k", R"({"orderId":"order-2","paymentId":"payment-2"})");
  writer.write(names.topic("payment-failed"), "k", R"({"orderId":"order-1"})");
  writer.write(names.topic("payment-failed"), "k", R"({"orderId":"order-2"})");
  const auto dead = read({names.topic("payment-succeeded.dead-letter"), names.topic("payment-failed.dead-letter")}, 2);
  ASSERT_EQ(dead.size(), 2u);
  for (const KafkaMessage& message : dead) {
    EXPECT_EQ(string_of(message.json().at("orderId")), "order-2");
    EXPECT_EQ(message.headers.at("dead_letter_reason"), "`reservationId` is missing, and nothing was sold for the order.");
  }
  ASSERT_TRUE(all_carried_out());
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_feed_payments_total", {"settled"}) == 4; }))
      << "of order-1 twice, and the two markers";
  EXPECT_EQ(metric(client, "holdfast_feed_payments_total", {"rejected"}), 0);
  EXPECT_EQ(status_of(id), "consumed");
  EXPECT_EQ(seat(client, event[0]).at("version"), 2) << "sold once, and not released";
  EXPECT_EQ(status_of(other), "active");
}

TEST_F(KafkaPayments, MalformedOnesBecomeDeadLettersAndStopNothing) {
  const std::string id = hold_one(event[0]);
  const std::map<std::string, std::string> reasons = {
      {"", "empty"},
      {"not json", "not JSON"},
      {"[1,2]", "must be a JSON object"},
      {R"({"orderId":"o","paymentId":"p"})", "`reservationId` is missing, and nothing was sold for the order"},
      {R"({"reservationId":null,"orderId":"o","paymentId":"p"})", "`reservationId` is missing, and nothing was sold for the order"},
      {R"({"reservationId":"00000000-0000-0000-0000-000000000000","orderId":"o","paymentId":"p"})", "`reservationId` is missing"},
      {R"({"reservationId":7,"orderId":"o","paymentId":"p"})", "`reservationId` must be a string"},
      {R"({"reservationId":"not-a-uuid","orderId":"o","paymentId":"p"})", "`reservationId` must be a UUID"},
      {R"({"reservationId":")" + id + R"(","paymentId":"p"})", "`orderId` is missing"},
      {R"({"reservationId":")" + id + R"(","orderId":{"a":1},"paymentId":"p"})", "`orderId` must be a string"},
      {R"({"reservationId":")" + id + R"(","orderId":"  ","paymentId":"p"})", "`orderId` must be more than white space"},
      {R"({"reservationId":")" + id + R"(","orderId":"o"})", "`paymentId` is missing"},
      {R"({"reservationId":")" + id + R"(","reservationId":")" + id + R"(","orderId":"o","paymentId":"p"})",
       "Duplicate member `reservationId`"},
      {R"({"reservationId":")" + id + R"(","orderId":"o","paymentId":"p","method":{"card":1,"c\u0061rd":2}})", "Duplicate member `card`"},
      {R"({"reservationId":")" + id + R"(","orderId":")" + std::string(200, 'o') + R"(","paymentId":"p"})", "`orderId` must have 1 to"},
      {"{\"reservationId\":\"" + id + "\",\"orderId\":\"\xFF\",\"paymentId\":\"p\"}", "UTF-8"},
      {std::string(100'000, '['), "more than 65536 bytes"},
      {std::string(1'000, '['), "not JSON"},
  };
  const std::string topic = names.topic("payment-succeeded");
  for (const auto& [value, reason] : reasons) writer.write(topic, "the key", value);
  const auto dead = read({topic + ".dead-letter"}, reasons.size());
  ASSERT_EQ(dead.size(), reasons.size());
  for (const KafkaMessage& message : dead) {
    const auto sent = reasons.find(message.value);
    ASSERT_NE(sent, reasons.end()) << "not as it came: " << message.value.substr(0, 200);
    EXPECT_THAT(message.headers.at("dead_letter_reason"), HasSubstr(sent->second));
    EXPECT_EQ(message.key, "the key");
    EXPECT_EQ(message.headers.at("original_topic"), topic);
    EXPECT_FALSE(message.headers.at("original_partition").empty());
    EXPECT_FALSE(message.headers.at("original_offset").empty());
  }
  EXPECT_TRUE(
      eventually([&] { return metric(client, "holdfast_feed_payments_total", {"dead_letter"}) == static_cast<double>(reasons.size()); }));
  EXPECT_EQ(status_of(id), "active");
  succeed(id, "order-1");
  EXPECT_TRUE(becomes(id, "consumed")) << "the consumer goes on behind them";
}

TEST_F(KafkaPayments, ThatComeWhileTheServerIsDownAreCarriedOutAfterwardsAndNoneTwice) {
  const std::string before = hold_one(event[0]);
  const std::string meanwhile = hold_one(event[1]);
  succeed(before, "order-1");
  succeed(new_uuid(), "order-2");
  ASSERT_TRUE(becomes(before, "consumed"));
  ASSERT_EQ(rejected(1).size(), 1u);
  server.stop();
  succeed(meanwhile, "order-3");
  server.start();
  client = server.connect();
  ASSERT_TRUE(becomes(meanwhile, "consumed"));
  // The feed counts a payment once Kafka has its offset.
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_payments_total", {"settled"}) > 0; }, 4 * k_patience));
  EXPECT_EQ(rejected(1).size(), 1u);
  EXPECT_EQ(metric(client, "holdfast_feed_payments_total", {"settled"}), 1) << "those before were not consumed again";
}

TEST_F(KafkaPayments, InProgressAtAKillAreCarriedOut) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < 30; ++i) ids.push_back(hold_one(event[i]));
  for (const std::string& id : ids) succeed(id, "order-" + id);
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_payments_total", {"settled"}) > 0; }, 4 * k_patience));
  server.kill();
  server.start();
  client = server.connect();
  for (const std::string& id : ids) EXPECT_TRUE(becomes(id, "consumed"));
}

TEST_F(KafkaPayments, HandTheirTraceOnToTheSale) {
  KafkaReader reader(kafka, {names.topic("reservation-consumed")});
  const std::string id = hold_one(event[0]);
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  writer.write(names.topic("payment-succeeded"), id, payment(id, "order-1"), {{"traceparent", trace}});
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() == 1; }, 4 * k_patience));
  EXPECT_EQ(reader.messages()[0].headers.at("traceparent"), trace);
}

TEST(KafkaPaymentsOff, AreLeftAlone) {
  const std::string kafka = shared_kafka();
  const FeedNames names;
  Server server(with_feed(names, kafka, {"--feed-payments", "off"}));
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  const Answer made = hold(client, "anna", {event[0]});
  const std::string id = string_of(made.json().at("id"));
  KafkaWriter(kafka).write(names.topic("payment-succeeded"), id,
                           R"({"reservationId":)" + json_of(id) + R"(,"orderId":"o","paymentId":"p"})");
  KafkaReader reader(kafka, {names.topic("reservation-created")});
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() == 1; }, 4 * k_patience));
  EXPECT_EQ(reservation(client, id).at("status"), "active");
  EXPECT_EQ(metric(client, "holdfast_feed_consuming"), 0);
}

}  // namespace
}  // namespace holdfast::test
