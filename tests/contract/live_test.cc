// GET /v1/events/{eventId}/live: whatever happens to a follower, its states are those of /states.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/json/serialize.hpp>
#include <map>
#include <thread>

#include "support/events.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

std::string live(const TestEvent& event, std::string_view query = {}) { return "/v1/events/" + event.id + "/live" + std::string(query); }

struct Message {
  std::string event;   // empty: a comment
  std::string id;
  Json data;
};

// A connection of its own that reads a stream's messages and applies them.
class Follower {
 public:
  Follower(std::uint16_t port, const std::string& target, const Headers& headers = {}, int receive_buffer_bytes = 0,
           std::string_view method = "GET") {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("cannot connect");
    const std::string request = request_bytes(method, target, {}, headers);
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) < 0) throw ConnectionLost("cannot send");
  }
  ~Follower() { ::close(socket_); }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  const std::string& head() {
    while (head_.empty()) {
      const std::size_t end = raw_.find("\r\n\r\n");
      if (end != std::string::npos) {
        head_ = raw_.substr(0, end + 4);
        raw_.erase(0, end + 4);
      } else if (!fill()) {
        throw ConnectionLost("no head: " + raw_);
      }
    }
    return head_;
  }

  // The next message or comment; nothing at the stream's regular end. A message is applied to `states`.
  std::optional<Message> next() {
    head();
    std::size_t end = 0;
    while ((end = text_.find("\n\n")) == std::string::npos) {
      if (ended_) return std::nullopt;
      if (!take_chunk() && !fill()) throw ConnectionLost("the stream broke off");
    }
    const Message message = parse(text_.substr(0, end + 1));
    text_.erase(0, end + 2);
    if (!message.event.empty()) apply(message);
    return message;
  }
  // Reads until the states are as of `at_least`.
  void follow(std::int64_t at_least) {
    while (seq < at_least) {
      if (!next()) throw ConnectionLost("the stream ended");
    }
  }

  std::int64_t seq = -1;
  std::string states;

 private:
  bool fill() {
    pollfd p{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, static_cast<int>(k_patience.count())) != 1) throw std::runtime_error("nothing came");
    char bytes[64 * 1024];
    const ssize_t n = ::recv(socket_, bytes, sizeof bytes, 0);
    if (n > 0) raw_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }

  bool take_chunk() {
    const std::size_t line = raw_.find("\r\n");
    if (line == std::string::npos) return false;
    const std::size_t size = std::stoul(raw_.substr(0, line), nullptr, 16);
    if (raw_.size() < line + 2 + size + 2) return false;
    ended_ = size == 0;
    text_ += raw_.substr(line + 2, size);
    raw_.erase(0, line + 2 + size + 2);
    return true;
  }

  static Message parse(const std::string& text) {
    Message message;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      if (line.starts_with("event: ")) message.event = line.substr(7);
      if (line.starts_with("id: ")) message.id = line.substr(4);
      if (line.starts_with("data: ")) message.data = parse_json(line.substr(6));
    }
    return message;
  }

  void apply(const Message& message) {
    const auto& data = message.data.as_object();
    const std::int64_t before = std::exchange(seq, data.at("seq").as_int64());
    EXPECT_EQ(message.id, std::to_string(seq));
    EXPECT_GT(seq, before) << "an edition comes once, and never goes back";
    if (message.event == "snapshot") {
      EXPECT_EQ(data.at("planVersion").as_int64(), 1);
      states = string_of(data.at("states"));
      return;
    }
    EXPECT_EQ(message.event, "changes");
    for (const Json& pair : data.at("seats").as_array()) {
      states.at(static_cast<std::size_t>(pair.at(0).as_int64())) = string_of(pair.at(1)).at(0);
    }
  }

  int socket_;
  std::string raw_;
  std::string head_;
  std::string text_;
  bool ended_ = false;
};

class Live : public OneServer {};

TEST_F(Live, BeginsWithTheStatesAndGoesOnWithWhatChanges) {
  const TestEvent event = make_event(client, 4);
  hold(client, "anna", {event[1]});
  Follower follower(server().port(), live(event));
  EXPECT_THAT(follower.head(), testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  for (const char* line : {"Content-Type: text/event-stream\r\n", "Cache-Control: no-store\r\n", "X-Accel-Buffering: no\r\n",
                           "Transfer-Encoding: chunked\r\n"}) {
    EXPECT_THAT(follower.head(), testing::HasSubstr(line));
  }
  EXPECT_EQ(follower.next()->event, "snapshot");
  EXPECT_EQ(follower.states, "ahaa");
  const std::int64_t seq = follower.seq;
  hold(client, "bert", {event[3], event[0]});
  const auto message = follower.next();
  EXPECT_EQ(message->event, "changes");
  EXPECT_EQ(boost::json::serialize(message->data), "{\"seq\":" + std::to_string(seq + 1) + R"(,"seats":[[0,"h"],[3,"h"]]})");
}

TEST_F(Live, ReportsEveryKindOfChange) {
  const TestEvent event = make_event(client, 6);
  Follower follower(server().port(), live(event));
  follower.next();
  const auto shows = [&](const std::string& letters) {
    return eventually([&] { return follower.next().has_value() && follower.states == letters; });
  };
  const std::string id = string_of(hold(client, "anna", event.first(2)).json().at("id"));
  EXPECT_TRUE(shows("hhaaaa"));
  client.post("/v1/reservations/" + id + "/add", "{\"seatIds\":" + json_of(std::vector{event[2]}) + "}");
  EXPECT_TRUE(shows("hhhaaa"));
  client.post("/v1/reservations/" + id + "/release", "{\"seatIds\":" + json_of(std::vector{event[0]}) + "}");
  EXPECT_TRUE(shows("ahhaaa"));
  client.post("/v1/reservations/" + id + "/consume", R"({"orderId":"o"})");
  EXPECT_TRUE(shows("assaaa"));
  client.post("/v1/reservations/" + id + "/return", "{\"orderId\":\"o\",\"seatIds\":" + json_of(std::vector{event[1]}) + "}");
  EXPECT_TRUE(shows("aasaaa"));
  client.post("/v1/events/" + event.id + "/block", "{\"seatIds\":" + json_of(std::vector{event[5]}) + "}");
  EXPECT_TRUE(shows("aasaab"));
  client.post("/v1/events/" + event.id + "/unblock", "{\"seatIds\":" + json_of(std::vector{event[5]}) + "}");
  EXPECT_TRUE(shows("aasaaa"));
  hold(client, "bert", {event[4]}, R"("holdSeconds":1)");
  EXPECT_TRUE(shows("aasaha"));
  EXPECT_TRUE(shows("aasaaa")) << "the expiry, by itself";
}

// Sells and gives back at random until the object ends.
class Sellers {
 public:
  Sellers(std::uint16_t port, const TestEvent& event, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      threads_.emplace_back([this, port, &event, i, count] {
        Client client(port);
        std::map<std::size_t, std::string> held;
        for (std::size_t turn = 0; !stop_; ++turn) {
          const std::size_t seat = (turn * 7 % (event.seats.size() / count)) * count + i;   // its own seats
          const auto at = held.find(seat);
          if (at == held.end()) {
            held[seat] = string_of(hold(client, "c" + std::to_string(i), {event[seat]}).json().at("id"));
          } else {
            EXPECT_EQ(client.post("/v1/reservations/" + at->second + "/release", "").status, 200);
            held.erase(at);
          }
          ++done;
        }
      });
    }
  }
  ~Sellers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  std::atomic<int> done = 0;

 private:
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

TEST_F(Live, AgreesWithStatesAtEverySharedSeqWhileOthersSell) {
  const TestEvent event = make_event(client, 400);
  std::map<std::int64_t, std::string> as_followed;
  std::map<std::int64_t, std::string> as_read;
  {
    const Sellers sellers(server().port(), event, 3);
    Follower follower(server().port(), live(event));
    // /states is shared for 100 ms. A follower that resumes from there must reach the same states as all others.
    for (int i = 0; i < 15; ++i) {
      const States read = states(client, event);
      Follower resumed(server().port(), live(event, "?lastEventId=" + std::to_string(read.seq)));
      resumed.states = read.letters;
      for (int j = 0; j < 2; ++j) {
        const auto message = resumed.next();
        ASSERT_TRUE(message);
        if (message->event.empty()) continue;
        follower.follow(resumed.seq);
        if (follower.seq == resumed.seq) as_read[resumed.seq] = resumed.states;
        as_followed[follower.seq] = follower.states;
      }
    }
  }
  Follower at_the_end(server().port(), live(event));
  at_the_end.next();
  int compared = 0;
  for (const auto& [seq, letters] : as_read) {
    if (!as_followed.contains(seq)) continue;
    EXPECT_EQ(as_followed[seq], letters) << "as of " << seq;
    ++compared;
  }
  EXPECT_GT(compared, 5);
  const std::size_t free = letters(client, event).find('a');
  ASSERT_NE(free, std::string::npos);
  ASSERT_EQ(hold(client, "last", {event[free]}).status, 201);
  EXPECT_TRUE(eventually([&] { return states(client, event).letters.at(free) == 'h'; }));
  const States last = states(client, event);
  at_the_end.follow(last.seq);
  EXPECT_EQ(at_the_end.states, last.letters);
}

TEST_F(Live, SendsAtMostTenMessagesASecond) {
  const TestEvent event = make_event(client, 300);
  const Sellers sellers(server().port(), event, 2);
  Follower follower(server().port(), live(event));
  follower.next();
  // However slow the machine is, ten messages never come faster, and sooner or later the sellers change more than twice per
  // message.
  const auto deadline = Clock::now() + k_patience;
  int changes = 0;
  do {
    const auto began = Clock::now();
    const int before = sellers.done;
    for (int i = 0; i < 10; ++i) follower.next();
    EXPECT_GT(Clock::now() - began, milliseconds{800});
    changes = sellers.done - before;
  } while (changes <= 20 && Clock::now() < deadline && !HasFailure());
  EXPECT_GT(changes, 20) << "many changes share a message";
}

TEST_F(Live, ResumesWhereAListenerLeft) {
  const TestEvent event = make_event(client, 300);
  std::string known;
  std::int64_t seq = 0;
  {
    Follower follower(server().port(), live(event));
    follower.next();
    known = follower.states;
    seq = follower.seq;
  }
  hold(client, "anna", {event[7]});
  for (const bool by_header : {true, false}) {
    // The header is newer than the query, which a browser keeps.
    Follower follower(server().port(), live(event, by_header ? "?lastEventId=1" : "?lastEventId=" + std::to_string(seq)),
                      by_header ? Headers{{"Last-Event-ID", std::to_string(seq)}} : Headers{});
    follower.states = known;
    const auto message = follower.next();
    EXPECT_EQ(message->event, "changes");
    EXPECT_EQ(boost::json::serialize(message->data.at("seats")), R"([[7,"h"]])");
  }
  Follower up_to_date(server().port(), live(event), {{"Last-Event-ID", std::to_string(seq + 1)}});
  EXPECT_EQ(up_to_date.next()->event, "") << "nothing has changed: a comment says that the stream lives";
}

TEST_F(Live, StartsOverForAnUnknownId) {
  const TestEvent event = make_event(client, 5);
  for (const char* id : {"0", "1", "999999999", "18446744073709551616", "-1", "x"}) {
    Follower follower(server().port(), live(event), {{"Last-Event-ID", id}});
    EXPECT_EQ(follower.next()->event, "snapshot") << id;
  }
}

TEST_F(Live, RefusesMalformedQueries) {
  const TestEvent event = make_event(client, 5);
  for (const char* query :
       {"?lastEventId=", "?lastEventId=x", "?lastEventId=-1", "?lastEventId=1&lastEventId=1", "?after=1", "?lastEventId"}) {
    const Answer answer = client.get(live(event, query));
    EXPECT_EQ(answer.status, 400) << query << answer;
    EXPECT_THAT(string_of(answer.json().at("detail")), testing::HasSubstr("lastEventId")) << query;
  }
  EXPECT_EQ(client.get("/v1/events/" + new_uuid() + "/live").status, 404);
  EXPECT_EQ(client.get("/v1/events/nonsense/live").status, 404);
  const Answer wrong = client.post(live(event), "{}");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD");
}

TEST_F(Live, AnswersHeadWithoutAStream) {
  const TestEvent event = make_event(client, 5);
  Follower head(server().port(), live(event), {}, 0, "HEAD");
  EXPECT_THAT(head.head(), testing::HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(head.head(), testing::Not(testing::HasSubstr("Connection: close")));
  EXPECT_TRUE(eventually([&] {
    Client other = server().connect();
    return metric(other, "holdfast_live_listeners") == 0;
  }));
}

TEST(LiveServer, ResumesOrStartsOverAfterARestart) {
  // No comment is due in this test: whatever comes, comes because somebody has begun to listen.
  Server server({.flags = {"--live-comment-seconds", "3600"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 5);
  hold(client, "anna", {event[2]});
  std::int64_t seq = 0;
  {
    Follower follower(server.port(), live(event));
    follower.next();
    seq = follower.seq;
    std::thread stopping([&] { server.stop(); });
    while (follower.next()) {}   // a regular end
    stopping.join();
  }
  server.start();
  Client again = server.connect();
  Follower current(server.port(), live(event), {{"Last-Event-ID", std::to_string(seq)}});
  EXPECT_EQ(current.next()->event, "") << "it knows everything";
  hold(again, "bert", {event[4]});
  current.states = "aahaa";
  current.follow(seq + 1);
  EXPECT_EQ(current.states, "aahah");
  Follower old(server.port(), live(event), {{"Last-Event-ID", std::to_string(seq - 1)}});
  EXPECT_EQ(old.next()->event, "snapshot") << "what was before the start is not remembered";
  EXPECT_EQ(old.states, "aahah");
}

TEST(LiveServer, SendsCommentsToIdleListeners) {
  Server server({.flags = {"--live-comment-seconds", "1"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 5);
  Follower follower(server.port(), live(event));
  EXPECT_EQ(follower.next()->event, "snapshot");
  EXPECT_EQ(follower.next()->event, "");
  EXPECT_EQ(follower.next()->event, "");
}

TEST(LiveServer, TakesAtMostTheConfiguredListeners) {
  Server server({.flags = {"--live-listeners-max", "2"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 5);
  Follower first(server.port(), live(event));
  first.next();
  {
    Follower second(server.port(), live(event));
    second.next();
    const Answer third = client.get(live(event));
    EXPECT_EQ(third.status, 503);
    EXPECT_TRUE(third.has("Retry-After"));
    EXPECT_EQ(metric(client, "holdfast_live_events", {"refused"}), 1);
  }
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_live_listeners") == 1; }));
  Follower third(server.port(), live(event));
  EXPECT_EQ(third.next()->event, "snapshot");
}

TEST(LiveServer, DropsAListenerThatStopsReadingWhileOthersGoOn) {
  Server server({.flags = {"--http-write-timeout-ms", "300"}});
  Client client = server.connect();
  const TestEvent event = make_event(client, 2'000);
  Follower follower(server.port(), live(event));
  follower.next();
  Follower stuck(server.port(), live(event), {}, 2'048);
  EXPECT_TRUE(eventually([&] { return metric(client, "holdfast_live_listeners") == 2; }));
  const Sellers sellers(server.port(), event, 2);
  EXPECT_TRUE(eventually(
      [&] {
        follower.next();
        return metric(client, "holdfast_live_events", {"dropped"}) == 1;
      },
      4 * k_patience))
      << "messages fill what the kernel keeps for a connection, and then it takes none";
  EXPECT_EQ(metric(client, "holdfast_live_listeners"), 1);
  const std::int64_t seq = follower.seq;
  follower.follow(seq + 1);
}

}  // namespace
}  // namespace holdfast::test
