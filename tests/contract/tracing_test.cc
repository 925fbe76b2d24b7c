// Spans of the real program as a collector receives them: OTLP over HTTP, in JSON.
#include <gmock/gmock.h>

#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "support/events.h"
#include "support/receiver.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

constexpr const char* k_trace = "0af7651916cd43dd8448eb211c80319c";
constexpr const char* k_caller = "b7ad6b7169203331";

Headers traced(const std::string& request_id, const char* flags = "01") {
  return {{"traceparent", std::string("00-") + k_trace + "-" + k_caller + "-" + flags}, {"X-Request-Id", request_id}};
}

// The values of a span's attributes, all as texts.
std::map<std::string, std::string> attributes_of(const Json& span) {
  std::map<std::string, std::string> all;
  for (const Json& each : span.at("attributes").as_array()) {
    const auto& value = each.at("value").as_object();
    all[string_of(each.at("key"))] = string_of(value.begin()->value());
  }
  return all;
}

class Tracing : public ::testing::Test {
 protected:
  Receiver collector;
  Server server{{.flags = {"--tracing-otlp-url", collector.url("")}}};
  Client client = server.connect();
  TestEvent event = make_event(client, 3);

  std::vector<Json> spans() const {
    std::vector<Json> all;
    for (const Received& request : collector.received()) {
      for (const Json& span : request.json().at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").as_array()) all.push_back(span);
    }
    return all;
  }
  // The span of the request with this id.
  Json span_of(const std::string& request_id) const {
    Json found = boost::json::object();
    EXPECT_TRUE(eventually([&] {
      for (const Json& span : spans()) {
        if (attributes_of(span)["holdfast.request_id"] == request_id) found = span;
      }
      return !found.as_object().empty();
    })) << "no span of "
        << request_id;
    return found;
  }
  double counted(const char* result) { return metric(client, "holdfast_spans_total", {result}); }
};

TEST_F(Tracing, OfARequestIsASpanWhoseParentIsTheCallers) {
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const Answer held = hold(client, "c", {event[0]}, {}, traced("hold-1"));
  ASSERT_EQ(held.status, 201);
  const Json span = span_of("hold-1");
  EXPECT_EQ(string_of(span.at("traceId")), k_trace);
  EXPECT_EQ(string_of(span.at("parentSpanId")), k_caller);
  EXPECT_EQ(string_of(span.at("spanId")).size(), 16U);
  EXPECT_NE(string_of(span.at("spanId")), k_caller);
  EXPECT_EQ(string_of(span.at("name")), "POST /v1/reservations");
  const auto began = std::stoll(string_of(span.at("startTimeUnixNano"))), ended = std::stoll(string_of(span.at("endTimeUnixNano")));
  EXPECT_LT(began, ended);
  EXPECT_GT(ended, now);
  auto attributes = attributes_of(span);
  EXPECT_EQ(attributes["http.request.method"], "POST");
  EXPECT_EQ(attributes["http.route"], "/v1/reservations");
  EXPECT_EQ(attributes["http.response.status_code"], "201");
  EXPECT_EQ(attributes["holdfast.event"], event.id);
  EXPECT_EQ(attributes["holdfast.reservation"], string_of(held.json().at("id")));

  const Received request = collector.received().at(0);
  EXPECT_EQ(request.target, "/v1/traces") << "of a URL without a path";
  EXPECT_EQ(request.header("Content-Type"), "application/json");
  EXPECT_THAT(request.body, HasSubstr(R"({"key":"service.name","value":{"stringValue":"holdfast"}})"));
  EXPECT_TRUE(eventually([&] { return counted("sent") >= 1; }));
}

TEST_F(Tracing, SkipsRequestsThatTheCallerDoesNotRecord) {
  ASSERT_EQ(hold(client, "c", {event[0]}, {}, traced("not-sampled", "00")).status, 201);
  ASSERT_EQ(hold(client, "c", {event[1]}, {}, {{"X-Request-Id", "no-trace"}}).status, 201);
  ASSERT_EQ(hold(client, "c", {event[2]}, {}, {{"X-Request-Id", "malformed"}, {"traceparent", "00-0-0-01"}}).status, 201);
  ASSERT_EQ(hold(client, "d", {event[2]}, {}, traced("refused-1")).status, 409);   // comes after them
  EXPECT_EQ(attributes_of(span_of("refused-1"))["holdfast.code"], "seat_unavailable");
  EXPECT_EQ(spans().size(), 1U);
}

TEST_F(Tracing, SendsTheRestWhenTheServerEnds) {
  ASSERT_EQ(hold(client, "c", {event[0]}, {}, traced("last-1")).status, 201);
  server.stop();
  ASSERT_EQ(spans().size(), 1U);
  EXPECT_EQ(attributes_of(spans()[0])["holdfast.request_id"], "last-1");
}

TEST_F(Tracing, CountsSpansThatACollectorRefusesAndGoesOn) {
  collector.answers([](const Received&) { return Reply{.status = 503}; });
  ASSERT_EQ(hold(client, "c", {event[0]}, {}, traced("lost-1")).status, 201);
  EXPECT_TRUE(eventually([&] { return counted("dropped") == 1; }));
  EXPECT_TRUE(server.says("traces: spans are dropped"));
  collector.answers([](const Received&) { return Reply{.status = 200}; });
  ASSERT_EQ(hold(client, "c", {event[1]}, {}, traced("taken-1")).status, 201);
  EXPECT_TRUE(eventually([&] { return counted("sent") == 1; }));
  EXPECT_TRUE(server.says("the collector takes spans again"));
}

TEST_F(Tracing, NeverWaitsForACollectorThatHangs) {
  collector.answers([](const Received&) { return Reply{.hangs = true}; });
  // More than fit into the queue and one request to the collector.
  constexpr std::size_t k_requests = 6'000, k_waiting = 4'096 + 512;
  std::string bytes;
  for (std::size_t i = 0; i < 100; ++i) bytes += request_bytes("GET", "/v1/seats/" + event[0], {}, traced("many"));
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < k_requests / 100; ++i) {
    client.write(bytes);
    for (std::size_t k = 0; k < 100; ++k) ASSERT_EQ(client.read_answer().status, 200);
  }
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(counted("dropped"), k_requests - k_waiting) << "those that found no room";
  // If they had waited for room, three requests to the collector would have had to fail first, each after two seconds.
  EXPECT_LT(took, std::chrono::seconds(4));
  ASSERT_EQ(hold(client, "c", {event[0]}).status, 201);
}

TEST_F(Tracing, ASlowCollectorDoesNotDelayTheEnd) {
  static constexpr std::chrono::milliseconds k_slow{1'500};
  collector.answers([](const Received&) {
    std::this_thread::sleep_for(k_slow);
    return Reply{.status = 200};
  });
  std::string bytes;
  for (std::size_t i = 0; i < 100; ++i) bytes += request_bytes("GET", "/v1/seats/" + event[0], {}, traced("many"));
  for (std::size_t i = 0; i < 40; ++i) {
    client.write(bytes);
    for (std::size_t k = 0; k < 100; ++k) ASSERT_EQ(client.read_answer().status, 200);
  }
  const auto began = std::chrono::steady_clock::now();
  server.stop();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_LT(took, 4 * k_slow) << "all of them are eight requests";
  EXPECT_TRUE(server.says("traces: the process ends, and "));
}

TEST_F(Tracing, OfARequestWhoseBodyCannotBeReadIsASpanToo) {
  const auto refused = [&] {
    return metric(client, "holdfast_http_request_duration_seconds_count", {"endpoint=\"POST /v1/events\"", "outcome=\"invalid\""});
  };
  const double before = refused();
  Client another = server.connect();
  another.write(
      "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
      "X-Request-Id: broken-1\r\ntraceparent: 00-" +
      std::string(k_trace) + "-" + k_caller + "-01\r\n\r\n5\r\n{\"nam\r\nx");
  EXPECT_EQ(another.read_answer().status, 400);
  auto attributes = attributes_of(span_of("broken-1"));
  EXPECT_EQ(attributes["http.route"], "/v1/events");
  EXPECT_EQ(attributes["http.response.status_code"], "400");
  EXPECT_EQ(refused(), before + 1);
}

TEST(TracingOptions, WrongOnesAreNamed) {
  EXPECT_THAT(failing_start({.flags = {"--tracing-otlp-url", "otel:4318"}}).err,
              HasSubstr("--tracing-otlp-url must begin with https:// or http://"));
  EXPECT_THAT(failing_start({.flags = {"--tracing-otlp-url", "https://otel:4318", "--tracing-ca-file", "/nowhere/ca.pem"}}).err,
              HasSubstr("cannot read tracing.ca_file: /nowhere/ca.pem"));
}

}  // namespace
}  // namespace holdfast::test
