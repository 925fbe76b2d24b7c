// Answers whose size the client does not pay for: what slow readers of them cost the server.
#include <gmock/gmock.h>

#include <fstream>

#include "support/events.h"
#include "support/gzip.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

std::size_t resident_bytes(Server& server) {
  std::ifstream status("/proc/" + std::to_string(server.process().id()) + "/status");
  for (std::string word; status >> word;) {
    if (word != "VmRSS:") continue;
    std::size_t kilobytes = 0;
    status >> kilobytes;
    return kilobytes * 1'024;
  }
  throw std::runtime_error("no VmRSS");
}

const Headers k_gzip = {{"Accept-Encoding", "br, gzip;q=0.5"}};

class Plans : public OneServer {};

TEST_F(Plans, AreTheSameTextCompressedOrNot) {
  const TestEvent event = make_event(client, 5'000);
  const std::string path = "/v1/events/" + event.id + "/plan";
  const Answer plain = client.get(path);
  const Answer compressed = client.get(path, k_gzip);
  EXPECT_EQ(plain.header("Content-Encoding"), "");
  EXPECT_EQ(compressed.header("Content-Encoding"), "gzip");
  for (const Answer* answer : {&plain, &compressed}) EXPECT_EQ(answer->header("Vary"), "Accept-Encoding");
  EXPECT_EQ(plain.header("ETag"), "\"plan-1\"");
  EXPECT_EQ(compressed.header("ETag"), "\"plan-1-gzip\"") << "other bytes, another strong tag";
  EXPECT_LT(compressed.body.size(), plain.body.size());
  EXPECT_EQ(unzipped(compressed.body), plain.body);
  EXPECT_EQ(plain.json().at("size").to_number<int>(), 5'000);
  EXPECT_EQ(client.get(path, {{"Accept-Encoding", "gzip;q=0"}}).body, plain.body);
  for (const char* known : {"\"plan-1\"", "\"plan-1-gzip\"", "W/\"plan-1\"", "\"x\", \"plan-1\"", "*"}) {
    const Answer again = client.get(path, {{"If-None-Match", known}});
    EXPECT_EQ(again.status, 304) << known;
    EXPECT_EQ(again.body, "");
  }
  EXPECT_EQ(client.get(path, {{"If-None-Match", "\"plan-10\""}}).status, 200);
}

TEST_F(Plans, OfOtherEventsAreOtherTexts) {
  const TestEvent a = make_event(client, 20);
  const TestEvent b = make_event(client, 20);
  for (const TestEvent* event : {&a, &b}) {
    const Json plan = client.get("/v1/events/" + event->id + "/plan").json();
    EXPECT_EQ(string_of(plan.at("eventId")), event->id);
    EXPECT_EQ(strings_of(plan.at("seats").at("id")), event->seats);
  }
}

// Their sockets take a part of the text, the server keeps the rest for them.
TEST(SlowReaders, OfAPlanShareOneText) {
  constexpr std::size_t k_seats = 300'000;
  constexpr std::size_t k_readers = 40;
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, k_seats);
  const std::string path = "/v1/events/" + event.id + "/plan";
  const std::size_t text_bytes = client.get(path).body.size();
  ASSERT_GT(text_bytes, 15'000'000U) << "more than sockets take";
  const std::size_t before = resident_bytes(server);
  std::vector<Client> readers;
  for (std::size_t i = 0; i < k_readers; ++i) {
    readers.push_back(server.connect());
    readers.back().write(request_bytes("GET", path));
  }
  const auto answered = [&] { return metric(client, "holdfast_http_request_duration_seconds_count", {"/v1/events/{}/plan"}); };
  ASSERT_TRUE(eventually([&] { return answered() == k_readers + 1; }));
  const std::size_t after = resident_bytes(server);
  EXPECT_LT(after, before + 8 * text_bytes) << "a text for each reader would be " << k_readers * text_bytes << " bytes";
  EXPECT_EQ(readers.back().read_answer().body.size(), text_bytes) << "each gets it as a whole";
}

}  // namespace
}  // namespace holdfast::test
