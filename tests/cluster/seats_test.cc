// Seats that come by Kafka to nodes over one database: the node that imports them is killed, and another one goes on.
#include <gmock/gmock.h>

#include "cluster/cluster.h"
#include "support/generated_event.h"

namespace holdfast::test {
namespace {

using testing::IsEmpty;

struct Seats : testing::Test {
  // The node that imports at the moment. Nothing if none does.
  std::optional<std::size_t> importer() {
    for (std::size_t node = 0; node < cluster.count(); ++node) {
      if (!cluster.at(node).process().runs()) continue;
      Client client = cluster.client(node);
      if (metric(client, "holdfast_feed_importing") == 1) return node;
    }
    return std::nullopt;
  }
  std::size_t await_importer() {
    std::optional<std::size_t> found;
    EXPECT_TRUE(eventually([&] { return (found = importer()).has_value(); }, k_long)) << "no node imports";
    return found.value_or(0);
  }
  bool comes(std::size_t node, const GeneratedEvent& event) {
    Client client = cluster.client(node);
    return eventually([&] { return client.get("/v1/events/" + event.id).status == 200; }, k_long);
  }
  bool gathers(std::size_t node, double events) {
    Client client = cluster.client(node);
    return eventually([&] { return metric(client, "holdfast_feed_events_gathered") == events; }, k_long);
  }
  void write(const std::string& part) { writer.write(topic, "key", part); }

  // The event exists once, with each of its seats once, and without a dead letter; on this node and in the database.
  void expect_there_once(std::size_t node, const GeneratedEvent& event) {
    Client client = cluster.client(node);
    const Json shown = client.get("/v1/events/" + event.id).json();
    EXPECT_EQ(string_of(shown.at("status")), "on_sale");
    EXPECT_EQ(shown.at("counts").at("total"), event.seats.size());
    EXPECT_EQ(shown.at("counts").at("available"), event.seats.size());
    EXPECT_EQ(strings_of(client.get("/v1/events/" + event.id + "/plan").json().at("seats").at("id")), event.seats);
    Sql sql(cluster.ledger_url());
    EXPECT_EQ(sql.value("SELECT count(*) FROM holdfast.event_directory WHERE id = $1", {event.id}), "1");
    EXPECT_EQ(sql.value("SELECT count(*) FROM holdfast.seat_directory s JOIN holdfast.event_directory e ON e.event = s.event "
                        "WHERE e.id = $1",
                        {event.id}),
              std::to_string(event.seats.size()));
  }
  void expect_nothing_left_over(std::size_t node) {
    Client client = cluster.client(node);
    EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_feed_seats_oldest_pending_seconds") == 0; }, k_long));
    EXPECT_EQ(metric(client, "holdfast_feed_seat_parts_total", {"dead_letter"}), 0);
    KafkaReader dead(cluster.bootstrap(), {topic + ".dead-letter"});
    dead.read_for(milliseconds(500));
    EXPECT_THAT(dead.messages(), IsEmpty());
    Sql sql(cluster.ledger_url());
    EXPECT_EQ(sql.value("SELECT count(*) FROM holdfast.import"), "0");
    EXPECT_EQ(sql.value("SELECT count(*) FROM holdfast.seat_directory s WHERE NOT EXISTS "
                        "(SELECT FROM holdfast.event_directory e WHERE e.event = s.event)"),
              "0")
        << "ids of an import that was abandoned";
  }

  // Waits for the lease of the feed, and for that of an import whose node has died.
  static constexpr milliseconds k_long = 6 * k_patience;

  Cluster cluster{{.nodes = 2, .flags = {"--feed-seats", "on", "--feed-seats-group", "seats-" + new_uuid()}}};
  const std::string topic = cluster.topic("seats-generated");
  KafkaWriter writer{cluster.bootstrap()};
};

TEST_F(Seats, OfAKilledNodeAreImportedByTheNextOnceTheRestHasCome) {
  const std::size_t first = await_importer();
  const std::size_t second = 1 - first;
  const GeneratedEvent half(6);
  const GeneratedEvent whole(3);
  write(half.part_from(0, 2));
  write(whole.all());
  write(half.part_from(2, 2));
  ASSERT_TRUE(comes(first, whole));
  ASSERT_TRUE(gathers(first, 1));
  cluster.at(first).kill();
  write(half.part_from(4, 2));
  ASSERT_TRUE(comes(second, half)) << "parts of it were read by the node that was killed";
  EXPECT_EQ(await_importer(), second);
  for (const GeneratedEvent* each : {&half, &whole}) expect_there_once(second, *each);
  Client client = cluster.client(second);
  EXPECT_EQ(metric(client, "holdfast_feed_seat_parts_total", {"imported"}), 3);
  EXPECT_EQ(metric(client, "holdfast_feed_seat_parts_total", {"skipped"}), 1) << "what was imported behind the part that waited";
  expect_nothing_left_over(second);
  cluster.verify({{half.id, half.seats}, {whole.id, whole.seats}});
}

TEST_F(Seats, OfAnImportInterruptedByAKillAreImportedOnceByTheNextNode) {
  constexpr std::size_t k_parts = 6;
  constexpr std::size_t k_seats_a_part = 5'000;   // half a megabyte
  const std::size_t first = await_importer();
  const std::size_t second = 1 - first;
  const GeneratedEvent event(k_parts * k_seats_a_part);
  for (std::size_t part = 0; part + 1 < k_parts; ++part) write(event.part_from(part * k_seats_a_part, k_seats_a_part));
  ASSERT_TRUE(gathers(first, 1));
  write(event.part_from((k_parts - 1) * k_seats_a_part, k_seats_a_part));

  Sql sql(cluster.ledger_url());
  // As soon as the event's row is there it is locked, and the next step of the import waits for it: so the import is in progress when its
  // node is killed.
  sql.run("BEGIN");
  const auto is_locked = [&] {
    return sql.value("SELECT count(*) FROM (SELECT FROM holdfast.event WHERE id = $1 FOR UPDATE) e", {event.id}) == "1";
  };
  ASSERT_TRUE(eventually(is_locked, k_long)) << "the import does not begin";
  ASSERT_EQ(sql.value("SELECT count(*) FROM holdfast.import"), "1") << "the import was to be on its way";
  cluster.at(first).kill();
  sql.run("ROLLBACK");

  ASSERT_TRUE(comes(second, event));
  EXPECT_EQ(await_importer(), second);
  expect_there_once(second, event);
  Client client = cluster.client(second);
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_feed_seat_parts_total", {"imported"}) == k_parts; }));
  expect_nothing_left_over(second);
  EXPECT_EQ(reserve(client, event.seats.back(), "anna").status, 201);
  cluster.at(first).start();
  ASSERT_TRUE(comes(first, event)) << "the node that was killed has it too";
  cluster.verify({{event.id, event.seats}});
}

}   // namespace
}   // namespace holdfast::test
