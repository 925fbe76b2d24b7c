// Events from Kafka into the real program: in parts, repeated, out of order, contradictory, and malformed.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "feed/kafka/program.h"
#include "support/generated_event.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

struct KafkaSeats : testing::Test {
  void write(const std::string& value, const std::string& key = "k") { writer.write(topic, key, value); }
  bool is_there(const std::string& event) { return client.get("/v1/events/" + event).status == 200; }
  bool comes(const std::string& event) {
    return eventually([&] { return is_there(event); }, 4 * k_patience);
  }
  double parts(const char* outcome) { return metric(client, "holdfast_feed_seat_parts_total", {outcome}); }
  bool counts(const char* outcome, double number) {
    return eventually([&] { return parts(outcome) == number; }, 4 * k_patience);
  }
  std::vector<KafkaMessage> dead(std::size_t least) {
    KafkaReader reader(kafka, {topic + ".dead-letter"});
    EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= least; }, 4 * k_patience)) << reader.messages().size();
    reader.read_for(milliseconds(300));
    return reader.messages();
  }
  void restart() {
    server.start();
    client = server.connect();
  }

  const std::string kafka = shared_kafka();
  const FeedNames names;
  const std::string topic = names.topic("seats-generated");
  Server server{with_feed(names, kafka, {"--feed-seats", "on", "--feed-seats-group", names.prefix + "seats"})};
  Client client = server.connect();
  KafkaWriter writer{kafka};
};

TEST_F(KafkaSeats, OfOneMessageAreAnEventOnSaleWithoutPricesInTheOrderOfRowsAndNumbers) {
  GeneratedEvent event(25);
  std::vector<std::size_t> which(25);
  std::iota(which.begin(), which.end(), 0u);
  std::ranges::shuffle(which, std::mt19937(7));
  write(event.part(which));
  ASSERT_TRUE(comes(event.id));
  const Json shown = client.get("/v1/events/" + event.id).json();
  EXPECT_EQ(string_of(shown.at("status")), "on_sale");
  EXPECT_EQ(string_of(shown.at("name")), event.id);
  EXPECT_EQ(shown.at("counts").at("available"), 25);
  EXPECT_TRUE(shown.at("categories").as_array().at(0).at("price").is_null());
  EXPECT_EQ(strings_of(client.get("/v1/events/" + event.id + "/plan").json().at("seats").at("id")), event.seats);

  KafkaReader reader(kafka, {names.topic("reservation-created")});
  ASSERT_EQ(reserve(client, event.seats[11], "anna").status, 201);
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() == 1; }, 4 * k_patience));
  EXPECT_THAT(reader.messages()[0].value, HasSubstr(R"("seatNumber":"A-2-2","section":"A","basePrice":0.00,)"));
  EXPECT_EQ(string_of(reader.messages()[0].json().at("concertEventId")), event.id);
}

TEST_F(KafkaSeats, OfSeveralMessagesAppearOnceAllHaveArrived) {
  const GeneratedEvent event(6);
  write(event.part({4, 5}), "one");
  write(event.part({0, 1}), "two");
  write(event.part({0, 1}), "two");
  ASSERT_TRUE(counts("skipped", 1));
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_events_gathered") == 1; }));
  EXPECT_GT(metric(client, "holdfast_feed_seats_oldest_pending_seconds"), 0);
  EXPECT_FALSE(is_there(event.id));
  EXPECT_EQ(client.get("/v1/seats/" + event.seats[0]).status, 404);
  EXPECT_EQ(reserve(client, event.seats[0], "anna").status, 404);
  write(event.part({2, 3}), "three");
  ASSERT_TRUE(comes(event.id));
  EXPECT_EQ(reserve(client, event.seats[0], "anna").status, 201);
  EXPECT_TRUE(counts("imported", 3));
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_feed_events_gathered") == 0; }));
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_feed_seats_oldest_pending_seconds") == 0; }, 4 * k_patience));
  EXPECT_EQ(parts("dead_letter"), 0);
}

TEST_F(KafkaSeats, ThatExistAreSkippedAndNewOnesOfAnOpenEventAreADeadLetter) {
  const GeneratedEvent event(4);
  write(event.all());
  ASSERT_TRUE(comes(event.id));
  ASSERT_EQ(reserve(client, event.seats[0], "anna").status, 201);
  write(event.all());
  write(event.part({1}));
  ASSERT_TRUE(counts("skipped", 2));
  GeneratedEvent larger = event;
  larger.seats.push_back(new_uuid());
  write(larger.all());
  const auto letters = dead(1);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].value, larger.all());
  EXPECT_THAT(letters[0].headers.at("dead_letter_reason"), HasSubstr("The event is open without seat " + larger.seats.back()));
  EXPECT_EQ(client.get("/v1/events/" + event.id).json().at("counts").at("total"), 4);
  EXPECT_EQ(seat_state(client, event.seats[0]), "held");
}

TEST_F(KafkaSeats, OfAnotherEventAreDeadLettersOfAllParts) {
  const TestEvent before = make_event(client, 1);
  GeneratedEvent event(3);
  event.seats[2] = before[0];
  write(event.part({0}));
  write(event.part({1, 2}));
  const auto letters = dead(2);
  ASSERT_EQ(letters.size(), 2u);
  for (const KafkaMessage& letter : letters) {
    EXPECT_THAT(letter.headers.at("dead_letter_reason"), HasSubstr("a seat with the id " + before[0] + " already exists"));
    EXPECT_EQ(letter.headers.at("original_topic"), topic);
  }
  EXPECT_FALSE(is_there(event.id));
  event.seats[2] = new_uuid();
  write(event.all());
  EXPECT_TRUE(comes(event.id)) << "the event may come anew";
}

TEST_F(KafkaSeats, MalformedMessagesBecomeDeadLettersAndStopNothing) {
  const GeneratedEvent event(2);
  const std::string seat = event.seat(0);
  const auto with = [&](const std::string& seats, const std::string& total = "2") {
    return R"({"eventId":")" + event.id + R"(","seats":[)" + seats + R"(],"totalSeats":)" + total + "}";
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = seat;
    return with(text.replace(text.find(from), from.size(), to));
  };
  const std::map<std::string, std::string> reasons = {
      {"", "empty"},
      {"not json", "not JSON"},
      {"[1,2]", "must be a JSON object"},
      {R"({"seats":[)" + seat + R"(],"totalSeats":2})", "`eventId` is missing"},
      {R"({"eventId":7,"seats":[)" + seat + R"(],"totalSeats":2})", "`eventId` must be a string"},
      {R"({"eventId":"00000000-0000-0000-0000-000000000000","seats":[)" + seat + R"(],"totalSeats":2})", "`eventId` must be a UUID"},
      {with(seat, "0"), "`totalSeats` must be a whole number from 1"},
      {with(seat, "\"2\""), "`totalSeats` must be a whole number"},
      {with(seat, "20000001"), "`totalSeats` must be a whole number"},
      {with(seat, "500001"), "An event from Kafka has at most 500000 seats"},
      {R"({"eventId":")" + event.id + R"(","seats":[)" + seat + "]}", "`totalSeats` is missing"},
      {R"({"eventId":")" + event.id + R"(","totalSeats":2})", "`seats` must be an array"},
      {with(""), "`seats` must be an array with at least one seat"},
      {with("7"), "Seat 1: it must be an object"},
      {with(seat + ",{}"), "Seat 2: `seatId` is missing"},
      {changed(event.seats[0], "A-1"), "Seat 1: `seatId` must be a UUID"},
      {changed(R"("section":"A")", R"("section":"")"), "`section` must have 1 to 200 bytes"},
      {changed(R"("row":"1")", R"("row":1)"), "`row` must be a string"},
      {changed(R"("number":1)", R"("number":"1")"), "`number` must be a whole number"},
      {changed(R"("number":1)", R"("number":-1)"), "`number` must be a whole number"},
      {changed(R"("number":1)", R"("number":1,"number":1)"), "Duplicate member `number`"},
      {with(seat + "," + event.seat(1) + "," + event.seat(1).replace(11, 36, new_uuid())),
       "prints the same label as seat " + event.seats[1] + ": A-1-2"},
  };
  for (const auto& [value, reason] : reasons) write(value, "the key");
  const std::size_t written = reasons.size();
  const auto letters = dead(written);
  ASSERT_EQ(letters.size(), written);
  for (const KafkaMessage& letter : letters) {
    const auto sent = reasons.find(letter.value);
    ASSERT_NE(sent, reasons.end()) << "not as it came: " << letter.value.substr(0, 200);
    EXPECT_THAT(letter.headers.at("dead_letter_reason"), HasSubstr(sent->second)) << letter.value.substr(0, 300);
    EXPECT_EQ(letter.key, "the key");
  }
  EXPECT_TRUE(counts("dead_letter", static_cast<double>(written)));
  write(event.all());
  EXPECT_TRUE(comes(event.id)) << "the import goes on behind them";
}

TEST_F(KafkaSeats, ThatContradictEarlierPartsReplaceThem) {
  const GeneratedEvent event(4);
  write(event.part({0, 1}, 3));
  write(event.part({0, 1}));
  const auto letters = dead(1);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].value, event.part({0, 1}, 3));
  EXPECT_THAT(letters[0].headers.at("dead_letter_reason"), HasSubstr("A later part contradicts this one: `totalSeats` is 4, and was 3"));
  write(event.part({2, 3}));
  ASSERT_TRUE(comes(event.id));
  EXPECT_EQ(client.get("/v1/events/" + event.id).json().at("counts").at("total"), 4);
}

TEST_F(KafkaSeats, FromBeforeARestartAreKeptAndImportedOnesAreSkipped) {
  const GeneratedEvent half(4);
  const GeneratedEvent whole(2);
  write(half.part({0, 1}));
  write(whole.all());
  ASSERT_TRUE(comes(whole.id));
  server.stop();
  write(half.part({2}));
  restart();
  ASSERT_TRUE(counts("skipped", 1)) << "the one behind the part that waits";
  EXPECT_FALSE(is_there(half.id));
  server.kill();
  write(half.part({3}));
  restart();
  ASSERT_TRUE(comes(half.id));
  EXPECT_EQ(client.get("/v1/events/" + half.id).json().at("counts").at("total"), 4);
  // From here on nothing waits, so nothing is read again.
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_seats_oldest_pending_seconds") == 0; }, 4 * k_patience));
  server.stop();
  restart();
  const GeneratedEvent last(1);
  write(last.all());
  ASSERT_TRUE(comes(last.id));
  EXPECT_TRUE(counts("imported", 1));
  EXPECT_EQ(parts("skipped"), 0);
}

TEST_F(KafkaSeats, OfAnImportInterruptedByAKillAreImportedCompletely) {
  const GeneratedEvent event(6'000);   // three steps of the journal
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < event.seats.size(); ++i) {
    which.push_back(i);
    if (which.size() < 1'000 && i + 1 < event.seats.size()) continue;
    if (i + 1 == event.seats.size()) break;
    write(event.part(which));
    which.clear();
  }
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_events_gathered") == 1; }, 4 * k_patience));
  write(event.part(which));   // returns once Kafka has it: the import begins about now
  server.kill();
  restart();
  ASSERT_TRUE(comes(event.id));
  EXPECT_EQ(client.get("/v1/events/" + event.id).json().at("counts").at("total"), 6'000);
}

TEST(KafkaSeatsOff, AreLeftAlone) {
  const std::string kafka = shared_kafka();
  const FeedNames names;
  Server server(with_feed(names, kafka));
  Client client = server.connect();
  const GeneratedEvent event(1);
  KafkaWriter(kafka).write(names.topic("seats-generated"), "k", event.all());
  const TestEvent other = make_event(client, 1);
  KafkaReader reader(kafka, {names.topic("reservation-created")});
  ASSERT_EQ(reserve(client, other[0], "anna").status, 201);
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() == 1; }, 4 * k_patience));
  EXPECT_EQ(client.get("/v1/events/" + event.id).status, 404);
  EXPECT_EQ(metric(client, "holdfast_feed_importing"), 0);
}

}  // namespace
}  // namespace holdfast::test
