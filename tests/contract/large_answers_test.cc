// Large answers to slow readers, and their cost for the server.
#include <gmock/gmock.h>

#include <fstream>
#include <thread>
#include <utility>

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

// The calls of slow readers. /states is never compressed.
struct LargeAnswer {
  const char* name;
  const char* resource;
  Headers headers;
  std::size_t readers;
};
void PrintTo(const LargeAnswer& answer, std::ostream* out) { *out << answer.name; }
class SlowReaders : public testing::TestWithParam<LargeAnswer> {};
INSTANTIATE_TEST_SUITE_P(Of, SlowReaders,
                         testing::Values(LargeAnswer{"plan", "plan", {}, 40}, LargeAnswer{"compressed_plan", "plan", k_gzip, 100},
                                         LargeAnswer{"states", "states", {}, 100}),
                         [](const auto& answer) { return std::string(answer.param.name); });

// Each asks, on one connection, for more than the sockets buffer, and reads nothing: the server must keep the rest of the answer.
TEST_P(SlowReaders, ShareOneText) {
  constexpr std::size_t k_seats = k_is_sanitized ? 100'000 : 300'000;
  constexpr std::size_t k_socket_bytes = 15'000'000;
  const LargeAnswer& asked = GetParam();
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, k_seats);
  const std::string path = "/v1/events/" + event.id + "/" + asked.resource;
  const std::size_t text_bytes = client.get(path, asked.headers).body.size();
  ASSERT_GT(text_bytes, k_seats);
  const std::size_t requests = k_socket_bytes / text_bytes + 1;
  std::string request;
  for (std::size_t i = 0; i < requests; ++i) request += request_bytes("GET", path, {}, asked.headers);
  // The tables of so many seats take memory too.
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_state_rows_behind") == 0; })) << "state.db does not follow";
  const std::size_t before = resident_bytes(server);
  std::vector<Client> readers;
  for (std::size_t i = 0; i < asked.readers; ++i) {
    readers.push_back(server.connect());
    readers.back().write(request);
  }
  // Sends until no socket takes any more.
  double answered = 0;
  ASSERT_TRUE(eventually([&] {
    const double last = std::exchange(
        answered, metric(client, "holdfast_http_request_duration_seconds_count", {"/v1/events/{}/" + std::string(asked.resource)}));
    std::this_thread::sleep_for(milliseconds(100));
    return answered == last && answered > static_cast<double>(asked.readers);
  }));
  ASSERT_TRUE(requests == 1 || answered < static_cast<double>(asked.readers * requests)) << "sockets took all of it";
  const std::size_t after = resident_bytes(server);
  // A sanitizer keeps freed memory for a while: up to 256 MiB.
  const std::size_t kept_by_sanitizer = k_is_sanitized ? std::size_t{256} << 20 : 0;
  EXPECT_LT(after, kept_by_sanitizer + before + asked.readers / 2 * text_bytes)
      << "a text for each reader would be " << asked.readers * text_bytes << " bytes";
  for (std::size_t i = 0; i < requests; ++i) {
    ASSERT_EQ(readers.back().read_answer().body.size(), text_bytes) << "each gets it as a whole";
  }
  server.kill();   // a stop takes longer than all of this: it completes the tables of so many seats
}

}  // namespace
}  // namespace holdfast::test
