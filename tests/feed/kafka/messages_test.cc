// Kafka messages of contract 1: topic, key, every byte of the body, every header; and ids that depend only on the facts.
#include "feed/kafka/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "feed/kafka/relay.h"
#include "feed/kafka/settings.h"

namespace holdfast::feed::kafka {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr Millis k_at = 1'771'949'700'250;   // 2026-02-24T16:15:00.250Z

Uuid uuid(std::string_view text) { return parse_uuid(text).value(); }

FedSeat seat(std::string number = "1", std::uint32_t version = 1) {
  return {.id = "550e8400-e29b-41d4-a716-44665544000" + number,
          .has_uuid = true,
          .section = "A",
          .row = "12",
          .number = std::move(number),
          .price = Price{450'000},
          .version = version};
}

FedChange change(ChangeKind kind, std::vector<FedSeat> seats = {seat()}) {
  FedChange made{.seq = 4,
                 .at = k_at,
                 .kind = kind,
                 .event = uuid("0e000000-0000-4000-8000-000000000003"),
                 .reservation = uuid("8bf7fffc-9ff5-801c-9d2d-86f525f42e40"),
                 .customer = "customer-123",
                 .created_at = k_at,
                 .seats = std::move(seats)};
  if (kind == ChangeKind::held || kind == ChangeKind::seats_added) made.expires_at = k_at + 900'000;
  if (kind == ChangeKind::consumed || kind == ChangeKind::returned) made.order = "order-1";
  return made;
}

std::vector<Message> messages_of(const FedChange& of, const MessageRules& rules = {}) {
  std::vector<Message> messages;
  append_messages(of, rules, messages);
  return messages;
}

std::string event_id(const Message& message) { return message.value.substr(std::string_view(R"({"eventId":")").size(), 36); }

// The body with every eventId replaced; the id itself is tested below.
std::string body_of(const Message& message) {
  const std::string id = event_id(message);
  std::string text = message.value;
  for (std::size_t at = 0; (at = text.find(id, at)) != std::string::npos;) text.replace(at, id.size(), "ID");
  return text;
}

TEST(KafkaMessages, OfAHoldHaveTheContractsTopicKeyAndMembersInItsOrder) {
  const auto messages = messages_of(change(ChangeKind::held));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].topic, "reservation-created");
  EXPECT_EQ(messages[0].key, "550e8400e29b41d4a716446655440001");
  EXPECT_EQ(body_of(messages[0]),
            R"({"eventId":"ID","reservationId":"8bf7fffc-9ff5-801c-9d2d-86f525f42e40","customerId":"customer-123",)"
            R"("seatId":"550e8400-e29b-41d4-a716-446655440001","seatNumber":"A-12-1","section":"A","basePrice":45.00,)"
            R"("createdAt":"2026-02-24T16:15:00.250Z","expiresAt":"2026-02-24T16:30:00.250Z","status":"active",)"
            R"("concertEventId":"0e000000-0000-4000-8000-000000000003","version":1})");
}

TEST(KafkaMessages, OfAnEndHaveStatusReasonTimeAndIds) {
  const std::map<ChangeKind, std::string> ends = {
      {ChangeKind::expired, R"("status":"expired","reason":"ttl_expired","expiredAt")"},
      {ChangeKind::consumed, R"("status":"consumed","consumedAt")"},
      {ChangeKind::released, R"("status":"released","reason":"manual_cancellation","releasedAt")"},
      {ChangeKind::returned, R"("status":"returned","orderId":"order-1","returnedAt")"},
  };
  const std::map<ChangeKind, std::string_view> topics = {{ChangeKind::expired, "reservation-expired"},
                                                         {ChangeKind::consumed, "reservation-consumed"},
                                                         {ChangeKind::released, "reservation-released"},
                                                         {ChangeKind::returned, "reservation-returned"}};
  for (const auto& [kind, end] : ends) {
    const auto messages = messages_of(change(kind, {seat("1", 2)}), {.returned = true});
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0].topic, topics.at(kind));
    EXPECT_EQ(messages[0].key, "550e8400e29b41d4a716446655440001");
    EXPECT_EQ(body_of(messages[0]),
              R"({"eventId":"ID","messageId":"ID","concertEventId":"0e000000-0000-4000-8000-000000000003",)"
              R"("reservationId":"8bf7fffc-9ff5-801c-9d2d-86f525f42e40","seatId":"550e8400-e29b-41d4-a716-446655440001",)"
              R"("customerId":"customer-123",)" +
                  end + R"(:"2026-02-24T16:15:00.250Z","version":2})");
  }
}

TEST(KafkaMessages, OfAReleaseAreAlsoExpiriesIfConfiguredWithTheirOwnIds) {
  const FedChange release = change(ChangeKind::released, {seat("1", 2), seat("2", 4)});
  const auto messages = messages_of(release, {.releases_as_expired = true});
  ASSERT_EQ(messages.size(), 4u);
  const auto as_ever = messages_of(release);
  ASSERT_EQ(as_ever.size(), 2u);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    ids.insert(event_id(messages[i]));
    EXPECT_EQ(messages[i].key, as_ever[i / 2].key);
    EXPECT_THAT(messages[i].headers, testing::Contains(Pair("ce_id", event_id(messages[i]))));
    EXPECT_THAT(messages[i].headers, testing::Contains(Pair("ce_type", std::string(messages[i].topic))));
    if (i % 2 == 0) EXPECT_EQ(messages[i].value, as_ever[i / 2].value) << "the release is told as without it";
  }
  EXPECT_EQ(ids.size(), 4u);
  EXPECT_EQ(messages[1].topic, "reservation-expired");
  EXPECT_EQ(body_of(messages[1]),
            R"({"eventId":"ID","messageId":"ID","concertEventId":"0e000000-0000-4000-8000-000000000003",)"
            R"("reservationId":"8bf7fffc-9ff5-801c-9d2d-86f525f42e40","seatId":"550e8400-e29b-41d4-a716-446655440001",)"
            R"("customerId":"customer-123","status":"expired","reason":"manual_cancellation","expiredAt":"2026-02-24T16:15:00.250Z",)"
            R"("version":2})");
  for (const ChangeKind kind : {ChangeKind::held, ChangeKind::expired, ChangeKind::consumed}) {
    EXPECT_EQ(messages_of(change(kind), {.releases_as_expired = true}).size(), 1u) << name_of(kind);
  }
  FedChange lock = release;
  lock.customer.clear();
  EXPECT_TRUE(messages_of(lock, {.releases_as_expired = true}).empty()) << "a ticket lock is nobody's";
}

TEST(KafkaMessages, CarryCloudEventsAttributesVersionAndTheTraceOfTheRequestAsHeaders) {
  FedChange of = change(ChangeKind::held);
  of.trace = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto messages = messages_of(of);
  EXPECT_THAT(messages[0].headers,
              ElementsAre(Pair("ce_specversion", "1.0"), Pair("ce_id", event_id(messages[0])), Pair("ce_type", "reservation-created"),
                          Pair("ce_source", "/v1/events/0e000000-0000-4000-8000-000000000003"), Pair("ce_time", "2026-02-24T16:15:00.250Z"),
                          Pair("ce_subject", "550e8400-e29b-41d4-a716-446655440001"), Pair("content-type", "application/json"),
                          Pair("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Pair("version", "1")));
  const auto untraced = messages_of(change(ChangeKind::held));
  for (const auto& [name, value] : untraced[0].headers) EXPECT_NE(name, "traceparent");
}

TEST(KafkaMessages, AreOneForEachSeat) {
  const auto messages = messages_of(change(ChangeKind::consumed, {seat("1", 2), seat("2", 8), seat("3", 4)}));
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_THAT(messages[1].value, HasSubstr(R"("seatId":"550e8400-e29b-41d4-a716-446655440002")"));
  EXPECT_THAT(messages[1].value, HasSubstr(R"("version":8)"));
  EXPECT_NE(event_id(messages[0]), event_id(messages[1]));
  EXPECT_NE(event_id(messages[1]), event_id(messages[2]));
}

TEST(KafkaMessages, OfSeatsThatWereAddedAreReservationsThatWereCreated) {
  const auto messages = messages_of(change(ChangeKind::seats_added, {seat("2", 7)}));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].topic, "reservation-created");
  EXPECT_THAT(messages[0].value, HasSubstr(R"("expiresAt":"2026-02-24T16:30:00.250Z","status":"active",)"
                                           R"("concertEventId":"0e000000-0000-4000-8000-000000000003","version":7)"));
}

TEST(KafkaMessages, ExistOnlyForChangesWithATopic) {
  for (const ChangeKind kind : {ChangeKind::event_created, ChangeKind::seats_appended, ChangeKind::event_configured, ChangeKind::extended,
                                ChangeKind::returned, ChangeKind::blocked, ChangeKind::unblocked}) {
    EXPECT_TRUE(messages_of(change(kind)).empty()) << name_of(kind);
  }
}

TEST(KafkaMessages, OfTicketLocksAndOtherIdsExistOnlyIfConfigured) {
  FedChange lock = change(ChangeKind::held);
  lock.customer.clear();
  EXPECT_TRUE(messages_of(lock).empty());
  EXPECT_THAT(messages_of(lock, {.ticket_locks = true}).at(0).value, HasSubstr(R"("customerId":null)"));

  FedSeat other = seat();
  other.id = "JAOTIiQrtU1fMWZZY2IZ-nGxHQ00YzCg9PphEwlYb";
  other.has_uuid = false;
  const FedChange mixed = change(ChangeKind::held, {other, seat("2")});
  EXPECT_EQ(messages_of(mixed).size(), 1u);
  const auto all = messages_of(mixed, {.all_seat_ids = true});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].key, "JAOTIiQrtU1fMWZZY2IZ-nGxHQ00YzCg9PphEwlYb") << "as it stands, dashes too";
}

TEST(KafkaMessages, HaveANumericBasePriceEvenWithoutAPrice) {
  FedSeat bare = seat();
  bare.price.reset();
  EXPECT_THAT(messages_of(change(ChangeKind::held, {bare}))[0].value, HasSubstr(R"("basePrice":0.00,)"));
  EXPECT_THAT(messages_of(change(ChangeKind::seats_added, {bare}))[0].value, HasSubstr(R"("basePrice":0.00,)"));
}

TEST(KafkaMessages, OfSeatsWithoutAVersionHaveNone) {
  const auto messages = messages_of(change(ChangeKind::held, {seat("1", 0)}));
  EXPECT_THAT(messages[0].value, Not(HasSubstr("version")));
  for (const auto& [name, value] : messages[0].headers) EXPECT_NE(name, "version");
}

TEST(KafkaMessages, EscapeWhatJsonMustAndKeepTheRest) {
  FedChange of = change(ChangeKind::held);
  of.customer = "a\"b\\c\n\x01 josé";
  EXPECT_THAT(messages_of(of)[0].value, HasSubstr(R"("customerId":"a\"b\\c\n\u0001 josé")"));
}

TEST(KafkaMessages, HaveOneIdPerChange) {
  const auto id = [](const FedChange& of) { return event_id(messages_of(of, {.ticket_locks = true, .returned = true}).at(0)); };
  const FedChange base = change(ChangeKind::held);
  EXPECT_EQ(id(base), id(base));
  EXPECT_TRUE(parse_uuid(id(base)).has_value());
  EXPECT_EQ(id(base)[14], '8') << "a UUID of version 8";
  std::set<std::string> ids = {id(base)};
  const auto differs = [&](const char* what, auto alter) {
    FedChange other = base;
    alter(other);
    EXPECT_TRUE(ids.insert(id(other)).second) << what;
  };
  differs("seq", [](FedChange& of) { of.seq = 5; });
  differs("time", [](FedChange& of) { of.at += 1; });
  differs("kind", [](FedChange& of) { of.kind = ChangeKind::seats_added; });
  differs("event", [](FedChange& of) { of.event.data[0] ^= 1; });
  differs("reservation", [](FedChange& of) { of.reservation.data[15] ^= 1; });
  differs("customer", [](FedChange& of) { of.customer = "other"; });
  differs("created", [](FedChange& of) { of.created_at += 1; });
  differs("expiry", [](FedChange& of) { of.expires_at += 1; });
  differs("seat", [](FedChange& of) { of.seats[0].id.back() = '9'; });
  differs("section", [](FedChange& of) { of.seats[0].section = "B"; });
  differs("row", [](FedChange& of) { of.seats[0].row = "1"; });
  differs("number", [](FedChange& of) { of.seats[0].number = "21"; });
  differs("price", [](FedChange& of) { of.seats[0].price = Price{450'001}; });
  differs("no price", [](FedChange& of) { of.seats[0].price.reset(); });
  differs("version", [](FedChange& of) { of.seats[0].version = 2; });
}

TEST(KafkaMessages, OfARejectedPaymentNameTheSeatsAndTheReason) {
  const Payment payment{.succeeded = true,
                        .reservation = uuid("8bf7fffc-9ff5-801c-9d2d-86f525f42e40"),
                        .order = "order-1",
                        .payment = "payment-1",
                        .trace = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")};
  const Rejection rejection{.reason = "seat_unavailable", .at = k_at, .seat_ids = {seat("1").id, seat("2").id}};
  const Message message = rejection_message(payment, rejection);
  EXPECT_EQ(message.topic, "reservation-payment-rejected");
  EXPECT_EQ(message.key, "8bf7fffc9ff5801c9d2d86f525f42e40");
  EXPECT_EQ(body_of(message),
            R"({"eventId":"ID","reservationId":"8bf7fffc-9ff5-801c-9d2d-86f525f42e40","orderId":"order-1","paymentId":"payment-1",)"
            R"("seatIds":["550e8400-e29b-41d4-a716-446655440001","550e8400-e29b-41d4-a716-446655440002"],)"
            R"("reason":"seat_unavailable","rejectedAt":"2026-02-24T16:15:00.250Z"})");
  EXPECT_THAT(message.headers, testing::Contains(Pair("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
  EXPECT_EQ(message.value, rejection_message(payment, decode_rejection(encode_rejection(rejection)).value()).value) << "from the store too";

  Payment other = payment;
  other.payment = "payment-2";
  EXPECT_NE(event_id(rejection_message(other, rejection)), event_id(message));
  EXPECT_NE(digest_of(other), digest_of(payment));
  EXPECT_FALSE(decode_rejection("").has_value());
  EXPECT_FALSE(decode_rejection(encode_rejection(rejection) + "x").has_value());
}

TEST(KafkaPositions, ComeBackFromTheTextOfAnOffsetAndFitIntoIt) {
  std::vector<MarkedPosition> positions;
  EXPECT_EQ(decode_positions(encode_positions(positions)), positions);
  for (std::size_t i = 0; i < k_transaction_events_max; ++i) {
    positions.push_back({{static_cast<EventNumber>(UINT32_MAX - i), UINT64_MAX - i}, static_cast<std::uint32_t>(UINT32_MAX - i)});
  }
  const std::string text = encode_positions(positions);
  EXPECT_LE(text.size(), 4'096u) << "offset.metadata.max.bytes of a broker, unless it was changed";
  EXPECT_EQ(decode_positions(text), positions);
}

TEST(KafkaPositions, AreNotReadFromAnotherText) {
  for (const char* text :
       {"", "2 1:2:3", "1 1:2", "1 1:2:3,", "1 1:2:3;1:2:3", "1,1:2:3", "1 x:2:3", "1 1:2:100000000", "1 100000000:2:3", "hello"}) {
    EXPECT_FALSE(decode_positions(text).has_value()) << text;
  }
}

TEST(KafkaUrl, NamesBrokersAndNothingElse) {
  EXPECT_EQ(read_kafka_url("kafka://localhost:9092"), "localhost:9092");
  EXPECT_EQ(read_kafka_url("kafka://a:1,[::1]:65535,c.example:9092/"), "a:1,[::1]:65535,c.example:9092");
  for (const char* url :
       {"", "localhost:9092", "kafka://", "kafka://host", "kafka://host:0", "kafka://host:65536", "kafka://host:9092,",
        "kafka://user:secret@host:9092", "kafka://host:9092/topic", "kafka://host:9092?x=1", "kafka://ho st:9092", "http://h:1"}) {
    EXPECT_FALSE(read_kafka_url(url).has_value()) << url;
  }
}

TEST(KafkaSettings, ThatOrderOrSafetyDependOnAreRefusedByNameAndOthersPass) {
  EXPECT_EQ(why_refused("security.protocol", "SASL_SSL"), "");
  EXPECT_EQ(why_refused("sasl.password", "secret"), "");
  EXPECT_EQ(why_refused("compression.type", "lz4"), "");
  for (const char* name : {"enable.idempotence", "acks", "request.required.acks", "transactional.id", "enable.auto.commit", "group.id",
                           "bootstrap.servers", "partitioner", "isolation.level", "auto.offset.reset"}) {
    EXPECT_THAT(why_refused(name, "1"), HasSubstr("Holdfast's own")) << name;
  }
  EXPECT_EQ(why_refused("no.such.setting", "1"), "is not a setting of librdkafka");
  const std::string wrong = why_refused("security.protocol", "a-secret-by-mistake");
  EXPECT_EQ(wrong, "has a value that librdkafka refuses");
}

}  // namespace
}  // namespace holdfast::feed::kafka
