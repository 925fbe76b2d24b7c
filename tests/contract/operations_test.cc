// What operators see of a running server: health, readiness, version, metrics, request ids, and how it behaves under too much
// load.
#include <gmock/gmock.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/events.h"
#include "support/gzip.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Operations : public OneServer {};

TEST_F(Operations, HealthAndReadinessAre200WhenTheServerCanSell) {
  EXPECT_EQ(client.get("/healthz").status, 200);
  EXPECT_EQ(client.get("/readyz").status, 200);
}

TEST_F(Operations, HealthIsAnsweredUnderTheNameOfContract1sPlatformToo) {
  const Answer answer = client.get("/health");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "ok\n");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
}

TEST_F(Operations, VersionIsThatOfTheCommandLine) {
  const Answer answer = client.get("/version");
  ASSERT_EQ(answer.status, 200) << answer;
  const std::string version = string_of(answer.json().at("version"));
  std::string line = "holdfast " + version;
  const Json commit = answer.json().at("commit");
  const Json modified = answer.json().at("modified");
  if (!commit.is_null()) line += " (commit " + string_of(commit) + (modified.as_bool() ? ", modified)" : ")");
  EXPECT_EQ(run_holdfast({"--version"}).out, line + "\n");
}

TEST_F(Operations, RequestIdIsTheCallersOrANewOneInEveryAnswer) {
  const TestEvent event = make_event(client, 2);
  const Headers mine = {{"X-Request-Id", "my-request-17"}};
  EXPECT_EQ(client.get("/healthz", mine).header("X-Request-Id"), "my-request-17");
  EXPECT_EQ(reserve(client, event[0], "c", mine).header("X-Request-Id"), "my-request-17");
  EXPECT_EQ(reserve(client, event[0], "c", mine).header("X-Request-Id"), "my-request-17") << "on a refusal";
  EXPECT_EQ(client.get("/nothing", mine).header("X-Request-Id"), "my-request-17") << "on a 404";
  const std::string first = client.get("/healthz").header("X-Request-Id");
  const std::string second = client.get("/healthz").header("X-Request-Id");
  EXPECT_FALSE(first.empty());
  EXPECT_NE(first, second);
  const std::string too_long(129, 'x');
  const std::string replaced = client.get("/healthz", {{"X-Request-Id", too_long}}).header("X-Request-Id");
  EXPECT_FALSE(replaced.empty());
  EXPECT_NE(replaced, too_long);
}

TEST(Metrics, CountWhatHappens) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 5);
  const Answer text = client.get("/metrics");
  ASSERT_EQ(text.status, 200);
  EXPECT_THAT(text.header("Content-Type"), StartsWith("text/plain"));
  for (const char* name : {"holdfast_http_request_duration_seconds", "holdfast_batch_commands", "holdfast_commit_seconds",
                           "holdfast_queue_depth", "holdfast_seats", "holdfast_holds_expired_total"}) {
    EXPECT_THAT(text.body, HasSubstr(std::string("# TYPE ") + name)) << name;
  }
  const double requests = metric(client, "holdfast_http_request_duration_seconds_count");
  const double commands = metric(client, "holdfast_batch_commands_sum");
  const double commits = metric(client, "holdfast_commit_seconds_count");
  const double available = metric(client, "holdfast_seats", {"available"});
  const double held = metric(client, "holdfast_seats", {"held"});
  ASSERT_EQ(reserve(client, event[0], "c").status, 201);
  ASSERT_EQ(reserve(client, event[1], "c").status, 201);
  ASSERT_EQ(reserve(client, event[1], "d").status, 409);
  EXPECT_GE(metric(client, "holdfast_http_request_duration_seconds_count"), requests + 3);
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_batch_commands_sum") >= commands + 3; }));
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_commit_seconds_count") >= commits + 2; }));
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_seats", {"held"}) == held + 2; }));
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_seats", {"available"}) == available - 2; }));
}

// What an operator's Prometheus fetches each time, from an unused node.
TEST(Metrics, OfAFreshNodeAreBelow50Kilobytes) {
  Server server;
  Client client = server.connect();
  ASSERT_EQ(client.get("/metrics").status, 200);
  const Answer second = client.get("/metrics");   // which includes the effect of the first one
  ASSERT_EQ(second.status, 200);
  EXPECT_LT(second.body.size(), 50U * 1'000U);
  EXPECT_THAT(second.body, HasSubstr(R"(endpoint="GET /metrics",outcome="accepted")"));
  EXPECT_THAT(second.body, Not(HasSubstr(R"(endpoint="POST /reservations")"))) << "a series is there when it is first used";
}

TEST(Metrics, OfARouteAppearWithTheFirstRequestOfTheirOutcome) {
  Server server;
  Client client = server.connect();
  const TestEvent event = make_event(client, 1);
  const auto count = [&](const char* outcome) {
    return metric(client, "holdfast_http_request_duration_seconds_count",
                  {R"(endpoint="POST /reservations")", std::string("outcome=\"") + outcome + '"'});
  };
  ASSERT_EQ(reserve(client, event[0], "c").status, 201);
  ASSERT_EQ(reserve(client, event[0], "d").status, 409);
  EXPECT_EQ(count("accepted"), 1);
  EXPECT_EQ(count("refused"), 1);
  const std::string text = client.get("/metrics").body;
  EXPECT_THAT(text, Not(HasSubstr(R"(endpoint="POST /reservations",outcome="failed")")));
  EXPECT_THAT(text, HasSubstr(R"(endpoint="POST /reservations",outcome="accepted",le="0.5")")) << "by which the alert HoldfastSlow goes";
}

TEST(Metrics, AreCompressedForAScraperThatTakesGzip) {
  Server server;
  Client client = server.connect();
  const Answer plain = client.get("/metrics");
  const Answer compressed = client.get("/metrics", {{"Accept-Encoding", "gzip"}});
  EXPECT_FALSE(plain.has("Content-Encoding"));
  EXPECT_EQ(compressed.header("Content-Encoding"), "gzip");
  for (const Answer& answer : {plain, compressed}) EXPECT_EQ(answer.header("Vary"), "Accept-Encoding");
  EXPECT_LT(compressed.body.size() * 4, plain.body.size());
  const std::string text = unzipped(compressed.body);
  EXPECT_THAT(text, HasSubstr("# TYPE holdfast_queue_depth gauge"));
  EXPECT_TRUE(text.ends_with('\n'));
  EXPECT_FALSE(client.get("/metrics", {{"Accept-Encoding", "gzip;q=0"}}).has("Content-Encoding"));
}

TEST(Metrics, DescribeTheBuildAndTheProcess) {
  const double before = static_cast<double>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
  Server server;
  Client client = server.connect();
  const std::string version = string_of(client.get("/version").json().at("version"));
  EXPECT_EQ(metric(client, "holdfast_build_info", {"version=\"" + version + '"'}), 1);
  EXPECT_GT(metric(client, "process_cpu_seconds_total"), 0);
  EXPECT_GT(metric(client, "process_resident_memory_bytes"), 1e6);
  const double started = metric(client, "process_start_time_seconds");
  EXPECT_GE(started, before - 2);
  EXPECT_LE(started, before + 60);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(metric(client, "process_max_fds"), static_cast<double>(limit.rlim_max)) << "a node raises its limit to the hard one";

  const double open = metric(client, "process_open_fds");
  EXPECT_GT(open, 5);
  std::vector<Client> more;
  for (int i = 0; i < 10; ++i) more.push_back(server.connect());
  EXPECT_TRUE(eventually([&] { return metric(client, "process_open_fds") >= open + 10; }));
}

TEST(Metrics, HaveTheStateOfReadyz) {
  const auto state_of = [](Client& client) {
    std::string all;
    for (const char* state : {"ready", "degraded", "not_ready"}) {
      if (metric(client, "holdfast_readiness", {std::string("state=\"") + state + "\""}) == 1) all += state;
    }
    return all;
  };
  Server whole;
  Client client = whole.connect();
  EXPECT_EQ(client.get("/readyz").body, "ready\n");
  EXPECT_EQ(state_of(client), "ready");

  // Nothing listens on port 1.
  Server without_lock({.flags = {"--lock", "redis://127.0.0.1:1"}});
  Client other = without_lock.connect();
  EXPECT_THAT(other.get("/readyz").body, HasSubstr("degraded: "));
  EXPECT_EQ(state_of(other), "degraded");
}

TEST_F(Operations, HoldsThatExpiredAreCounted) {
  const TestEvent event = make_event(client, 3);
  const double expired = metric(client, "holdfast_holds_expired_total");
  ASSERT_EQ(hold(client, "c", event.first(2), R"("holdSeconds":1)").status, 201);
  ASSERT_EQ(hold(client, "d", {event[2]}, R"("holdSeconds":1)").status, 201);
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_holds_expired_total") >= expired + 2; }));
}

// Connections that each send without a pause until told to stop.
class Crowd {
 public:
  template <typename Work>
  Crowd(std::size_t size, Work work) {
    for (std::size_t i = 0; i < size; ++i) threads_.emplace_back([this, i, work] { work(i, stop_); });
  }
  ~Crowd() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

TEST(FullQueue, Is503WithRetryAfterAtOnceAndTheServerServesOn) {
  Server server({.flags = {"--engine-queue-max", "1"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 16);
  std::atomic<int> refused{0}, accepted{0}, others{0}, without_retry_after{0}, wrong_code{0};
  {
    const Crowd crowd(16, [&](std::size_t i, const std::atomic<bool>& stop) {
      try {
        Client mine = server.connect();
        while (!stop) {
          const Answer answer = hold(mine, "c", {event[i]});
          if (answer.status == 201) {
            ++accepted;
            const std::string path = "/v1/reservations/" + string_of(answer.json().at("id")) + "/release";
            while (!stop && mine.post(path, "{}").status == 503) ++refused;
          } else if (answer.status == 503) {
            ++refused;
            if (!answer.has("Retry-After")) ++without_retry_after;
            if (string_of(answer.json().at("code")) != "unavailable") ++wrong_code;
          } else {
            ++others;
          }
        }
      } catch (const std::exception&) {
        ++others;
      }
    });
    EXPECT_TRUE(eventually([&] { return refused >= 20 && accepted >= 20; })) << refused << " refused, " << accepted << " accepted";
  }
  EXPECT_EQ(others, 0);
  EXPECT_EQ(without_retry_after, 0);
  EXPECT_EQ(wrong_code, 0);
  const TestEvent later = make_event(client, 1);
  EXPECT_EQ(hold(client, "c", {later[0]}).status, 201);
  EXPECT_EQ(client.get("/readyz").status, 200);
}

TEST(Limits, BodiesOverTheConfiguredLimitAre413AndTheOthersAreNot) {
  Server server({.flags = {"--http-body-bytes-max", "1000"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 2);
  const std::string body = reserve_body(event[0], "c");
  const Answer fits = client.post("/reservations", body + std::string(1'000 - body.size(), ' '));
  EXPECT_EQ(fits.status, 201) << fits;
  const std::string other = reserve_body(event[1], "c");
  expect_problem(client.post("/reservations", other + std::string(1'001 - other.size(), ' ')), 413, "body_too_large");
}

TEST(Limits, HeadersOverTheConfiguredLimitAre431) {
  Server server({.flags = {"--http-header-bytes-max", "1024"}});
  Client client = server.connect();
  EXPECT_EQ(client.get("/healthz", {{"X-Padding", std::string(700, 'x')}}).status, 200);
  expect_problem(client.get("/healthz", {{"X-Padding", std::string(1'100, 'x')}}), 431, "header_too_large");
}

TEST(Limits, OneConnectionTooManyIs503) {
  Server server({.flags = {"--http-connections-max", "3"}});
  std::vector<Client> open;
  EXPECT_TRUE(eventually([&] {   // connections from the start may still be closing
    open.clear();
    for (int i = 0; i < 3; ++i) open.push_back(server.connect());
    for (Client& client : open) {
      if (client.get("/version").status != 200) return false;
    }
    return true;
  }));
  const Answer refused = server.connect().read_answer();
  expect_problem(refused, 503, "unavailable");
  EXPECT_EQ(server.connect().get("/healthz").status, 200) << "probes are answered all the same";
  EXPECT_EQ(server.connect().get("/health").status, 200) << "under either name";
  open.pop_back();
  EXPECT_TRUE(eventually([&] {
    try {
      return server.connect().get("/version").status == 200;
    } catch (const ConnectionLost&) {
      return false;
    }
  }));
}

TEST(Limits, AHeaderThatDoesNotArriveInTimeIs408) {
  Server server({.flags = {"--http-header-timeout-ms", "200"}});
  Client client = server.connect();
  client.write("GET /healthz HTTP/1.1\r\nHost: loc");
  expect_problem(client.read_answer(), 408, "request_timeout");
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(Limits, ABodyThatDoesNotArriveInTimeIs408) {
  Server server({.flags = {"--http-body-timeout-ms", "200"}});
  Client client = server.connect();
  client.write("POST /reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
  expect_problem(client.read_answer(), 408, "request_timeout");
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(Limits, AnIdleConnectionIsClosedSilently) {
  Server server({.flags = {"--http-idle-timeout-ms", "200"}});
  Client client = server.connect();
  EXPECT_EQ(client.get("/healthz").status, 200);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(Operations, PipelinedRequestsAreAnsweredInOrder) {
  const TestEvent event = make_event(client, 20);
  std::string bytes;
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    bytes +=
        request_bytes("POST", "/reservations", reserve_body(event[static_cast<std::size_t>(i)], "c" + n), {{"X-Request-Id", "post-" + n}});
    bytes += request_bytes("GET", "/v1/seats/" + event[static_cast<std::size_t>(i)], {}, {{"X-Request-Id", "get-" + n}});
  }
  client.write(bytes);
  for (int i = 0; i < 20; ++i) {
    const Answer made = client.read_answer();
    EXPECT_EQ(made.status, 201) << made;
    EXPECT_EQ(made.header("X-Request-Id"), "post-" + std::to_string(i));
    const Answer seen = client.read_answer();
    EXPECT_EQ(string_of(seen.json().at("state")), "held") << "one reads what one has written";
    EXPECT_EQ(seen.header("X-Request-Id"), "get-" + std::to_string(i));
  }
}

TEST_F(Operations, RequestsMayComeChunkedAndInAnyPieces) {
  const TestEvent event = make_event(client, 2);
  const std::string body = reserve_body(event[0], "c");
  std::string chunked =
      "POST /reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char c : body) chunked += std::string("1\r\n") + c + "\r\n";
  chunked += "0\r\n\r\n";
  client.write(chunked);
  EXPECT_EQ(client.read_answer().status, 201);
  for (const char c : request_bytes("POST", "/reservations", reserve_body(event[1], "c"))) client.write(std::string_view(&c, 1));
  EXPECT_EQ(client.read_answer().status, 201);
}

}  // namespace
}  // namespace holdfast::test
