// Streamed answers: their bytes, slow and leaving readers, and the server's end.
#include "http/stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <future>
#include <thread>

#include "http/raw_client.h"

namespace holdfast::http::test {
namespace {

using namespace std::chrono_literals;

// The test's messages, written on the connection's thread; and what the server reported to the source.
class Source : public StreamSource {
 public:
  void opened(StreamWriter& writer) override {
    writer_ = &writer;
    is_open = true;
  }
  void writable() override { ++writables; }
  void closed(StreamEnd how) override {
    writer_ = nullptr;
    end = how;
    is_closed = true;
  }

  StreamWriter* writer_ = nullptr;
  std::atomic<bool> is_open = false;
  std::atomic<bool> is_closed = false;
  std::atomic<int> writables = 0;
  std::atomic<StreamEnd> end{};
};

// GET /live opens a stream with the next of `sources`; every other path is answered "other".
class StreamHandler : public Handler {
 public:
  boost::asio::awaitable<void> handle(Request& request, Response& response) override {
    ++handled;
    response.status = 200;
    response.content_type = "text/event-stream";
    if (request.path == "/live") response.stream = sources.at(opened++);
    if (request.path == "/live-204") response.status = 204, response.stream = sources.at(0);
    if (request.path == "/live-throw") {
      response.stream = sources.at(0);
      throw std::runtime_error("thrown on purpose");
    }
    response.body = "other";
    co_return;
  }

  std::vector<std::shared_ptr<Source>> sources{std::make_shared<Source>(), std::make_shared<Source>()};
  std::size_t opened = 0;
  std::atomic<int> handled = 0;
};

class Streams : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    server_ = std::make_unique<Server>(std::move(options), handler_);
    server_->start();
  }

  Client open(std::string_view request = "GET /live HTTP/1.1\r\nHost: h\r\n\r\n", int receive_buffer_bytes = 0) {
    Client client(server_->port(), receive_buffer_bytes);
    client.send(request);
    EXPECT_TRUE(eventually([&] { return source().is_open.load(); }));
    return client;
  }

  // On the connection's thread.
  template <typename Work>
  auto there(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    boost::asio::post(server_->context(0), std::move(task));
    return result.get();
  }
  bool write(std::string_view part) {
    return there([&] { return source().writer_ != nullptr && source().writer_->write(chunk_of(part)); });
  }
  void end() {
    there([&] { source().writer_->end(); });
  }
  bool is_closed_as(StreamEnd how) {
    return eventually([&] { return source().is_closed.load(); }) && source().end == how;
  }
  Source& source() { return *handler_.sources.front(); }

  StreamHandler handler_;
  std::unique_ptr<Server> server_;
};

TEST_F(Streams, SendTheirHeadAtOnceAndChunksAsTheyCome) {
  start();
  Client client = open();
  const Answer head = client.read();
  EXPECT_EQ(head.status, 200U);
  EXPECT_EQ(head.headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(head.headers.at("content-type"), "text/event-stream");
  EXPECT_FALSE(head.headers.contains("content-length"));
  EXPECT_TRUE(head.closes());
  EXPECT_TRUE(write("hello"));
  EXPECT_EQ(client.read_bytes(10), "5\r\nhello\r\n");
  const std::string long_part(300'000, 'x');
  EXPECT_TRUE(write(long_part));
  EXPECT_EQ(client.read_bytes(7 + 300'000 + 2), "493e0\r\n" + long_part + "\r\n");
  end();
  EXPECT_EQ(client.read_to_end(), "0\r\n\r\n");
  EXPECT_TRUE(is_closed_as(StreamEnd::ended));
}

TEST_F(Streams, AreBareAndEndWithTheConnectionForHttp10) {
  start();
  Client client = open("GET /live HTTP/1.0\r\n\r\n");
  const Answer head = client.read();
  EXPECT_FALSE(head.headers.contains("transfer-encoding"));
  EXPECT_FALSE(head.headers.contains("content-length"));
  EXPECT_TRUE(write("hello"));
  EXPECT_EQ(client.read_bytes(5), "hello");
  EXPECT_TRUE(write("again"));
  end();
  EXPECT_EQ(client.read_to_end(), "again");
  EXPECT_TRUE(is_closed_as(StreamEnd::ended));
}

TEST_F(Streams, AreNotOpenedForHeadAndTheConnectionLivesOn) {
  start();
  Client client(server_->port());
  client.send("HEAD /live HTTP/1.1\r\nHost: h\r\n\r\n");
  const Answer head = client.read(true);
  EXPECT_EQ(head.status, 200U);
  EXPECT_FALSE(head.headers.contains("content-length"));
  EXPECT_FALSE(head.closes());
  client.send(get("/other"));
  EXPECT_EQ(client.read().body, "other");
  EXPECT_FALSE(source().is_open);
}

TEST_F(Streams, AreNotOpenedWhereAStatusHasNoBodyOrTheHandlerThrows) {
  start();
  Client client(server_->port());
  client.send(get("/live-204") + get("/live-throw") + get("/other"));
  EXPECT_EQ(client.read().status, 204U);
  EXPECT_EQ(client.read().status, 500U);
  EXPECT_EQ(client.read().body, "other");
  EXPECT_FALSE(source().is_open);
}

TEST_F(Streams, AreTheLastAnswerOfTheirConnection) {
  start();
  Client client = open(get("/other") + get("/live") + get("/other") + get("/other"));
  EXPECT_EQ(client.read().body, "other");
  EXPECT_EQ(client.read().status, 200U);
  EXPECT_TRUE(write("hello"));
  client.send(get("/other"));
  EXPECT_EQ(client.read_bytes(10), "5\r\nhello\r\n");
  end();
  EXPECT_EQ(client.read_to_end(), "0\r\n\r\n");
  EXPECT_EQ(handler_.handled, 2);
}

TEST_F(Streams, NoticeAClientThatLeavesEvenWhileNothingIsWritten) {
  for (const bool politely : {true, false}) {
    handler_.sources.front() = std::make_shared<Source>();
    handler_.opened = 0;
    start();
    Client client = open();
    client.read();
    politely ? client.half_close() : client.close();
    EXPECT_TRUE(is_closed_as(StreamEnd::client_left));
    EXPECT_TRUE(eventually([&] { return server_->stats().connections_open == 0; }));
    server_->stop();
  }
}

TEST_F(Streams, DropAClientThatSendsWithoutEnd) {
  start();
  Client client = open();
  const std::string much(64 * 1024, 'x');
  while (client.send(much)) {}
  EXPECT_TRUE(is_closed_as(StreamEnd::client_left));
}

TEST_F(Streams, TakeOneChunkAtATimeAndReportWhenItIsWritten) {
  start();
  Client client = open(get("/live"), 4096);
  client.read();
  const std::string part(4'000'000, 'x');
  EXPECT_TRUE(write(part));
  EXPECT_FALSE(write("more"));
  EXPECT_EQ(source().writables, 0);
  client.read_bytes(8 + part.size() + 2);
  EXPECT_TRUE(eventually([&] { return source().writables == 1; }));
  EXPECT_TRUE(write("more"));
  EXPECT_EQ(client.read_bytes(9), "4\r\nmore\r\n");
  EXPECT_EQ(source().writables, 1);
}

TEST_F(Streams, DropAReaderThatTakesNothingAndLeaveOthersAlone) {
  start({.write_timeout = 50ms});
  Client client = open(get("/live"), 4096);
  client.read();
  Client other(server_->port());
  other.send(get("/live"));
  Source& others = *handler_.sources.at(1);
  EXPECT_TRUE(eventually([&] { return others.is_open.load(); }));
  EXPECT_TRUE(write(std::string(4'000'000, 'x')));
  EXPECT_TRUE(is_closed_as(StreamEnd::too_slow));
  EXPECT_EQ(server_->stats().timeouts, 1U);
  EXPECT_FALSE(others.is_closed) << "an idle listener is not late";
  EXPECT_TRUE(eventually([&] { return server_->stats().connections_open == 1; }));
}

TEST_F(Streams, EndAfterTheChunkThatWaits) {
  start();
  Client client = open(get("/live"), 4096);
  client.read();
  const std::string part(1'000'000, 'x');
  EXPECT_TRUE(write(part));
  end();
  EXPECT_FALSE(write("more"));
  EXPECT_EQ(client.read_to_end(), "f4240\r\n" + part + "\r\n0\r\n\r\n");
  EXPECT_TRUE(is_closed_as(StreamEnd::ended));
}

TEST_F(Streams, EndWhenTheServerStops) {
  start();
  Client client = open();
  client.read();
  EXPECT_TRUE(write("hello"));
  std::thread stopper([&] { server_->stop(); });
  EXPECT_EQ(client.read_to_end(), "5\r\nhello\r\n0\r\n\r\n");
  client.close();
  stopper.join();
  EXPECT_TRUE(is_closed_as(StreamEnd::ended));
}

TEST_F(Streams, DoNotKeepAServerFromStopping) {
  start();
  Client stuck = open(get("/live"), 4096);
  stuck.read();
  EXPECT_TRUE(write(std::string(4'000'000, 'x')));
  Client silent(server_->port());
  silent.send(get("/live"));
  EXPECT_TRUE(eventually([&] { return handler_.sources.at(1)->is_open.load(); }));
  const auto began = std::chrono::steady_clock::now();
  server_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s) << "drain_timeout is ten seconds";
  EXPECT_TRUE(source().is_closed);
  EXPECT_TRUE(handler_.sources.at(1)->is_closed);
}

TEST_F(Streams, AreClosedWhenTheDrainIsCutShort) {
  start({.drain_timeout = 1ms});
  Client stuck = open(get("/live"), 4096);
  EXPECT_TRUE(write(std::string(4'000'000, 'x')));
  server_.reset();
  EXPECT_TRUE(source().is_closed);
}

TEST_F(Streams, CountAmongTheConnections) {
  start({.connections_max = 1});
  Client client = open();
  Client second(server_->port());
  second.send(get("/other"));
  EXPECT_EQ(second.read().status, 503U);
}

}  // namespace
}  // namespace holdfast::http::test
