// Request bodies: by length and in chunks, whole and streamed, expected and refused.
#include <gtest/gtest.h>

#include "http/raw_client.h"

namespace holdfast::http::test {
namespace {

std::string letters(std::size_t n) {
  std::string s(n, ' ');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return s;
}

std::string length_and_sum(std::string_view body) {
  std::uint64_t sum = 0;
  for (const char c : body) sum = sum * 31 + static_cast<unsigned char>(c);
  return std::to_string(body.size()) + " " + std::to_string(sum);
}

std::string in_chunks(std::string_view body, std::size_t chunk) {
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(chunk, body.size()))) {
    const auto part = body.substr(0, chunk);
    char size[20];
    std::snprintf(size, sizeof size, "%zX", part.size());
    out += std::string(size) + "\r\n" + std::string(part) + "\r\n";
  }
  return out + "0\r\n\r\n";
}

TEST(Body, InChunksMayBeSplitAtEveryByte) {
  TestServer s;
  const std::string bytes = chunked("/echo",
                                    "5\r\nhello\r\n001;ext=\"v\"\r\n \r\n"
                                    "A\r\nwonderful \r\n5\r\nworld\r\n000\r\nA: b\r\nC:\r\n\r\n");
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    Client client = s.connect();
    client.send(bytes.substr(0, at));
    client.send(bytes.substr(at) + get("/hello"));
    ASSERT_EQ(client.read().body, "hello wonderful world") << at;
    ASSERT_EQ(client.read().body, "hello") << at;
  }
}

TEST(Body, InChunksIsWholeAndContiguousAtAnyChunkSize) {
  TestServer s;
  Client client = s.connect();
  const std::string body = letters(60'000);
  for (const std::size_t chunk : {1UL, 2UL, 7UL, 1000UL, 4096UL, 60'000UL}) {
    client.send(chunked("/echo", in_chunks(body, chunk)) + get("/hello"));
    ASSERT_EQ(client.read()->body, body) << chunk;
    ASSERT_EQ(client.read()->body, "hello") << chunk;
  }
}

TEST(Body, ThatMakesTheBufferGrowLeavesTheRequestReadable) {
  TestServer s;
  const std::string body = letters(50'000);
  Client client = s.connect();
  client.send("POST /show?q HTTP/1.1\r\nHost: h\r\nX-Request-Id: id-1\r\nContent-Length: 50000\r\n\r\n" + body.substr(0, 100));
  client.send(body.substr(100));
  const auto answer = client.read();
  EXPECT_EQ(answer->body, "POST|/show|q|Host=h|X-Request-Id=id-1|Content-Length=50000");
  EXPECT_EQ(answer->headers.at("x-request-id"), "id-1");
}

TEST(Body, WithoutLengthIsNone) {
  TestServer s;
  EXPECT_EQ(s.ask("POST /echo HTTP/1.1\r\nHost: h\r\n\r\n")->body, "");
}

TEST(Stream, GivesTheBodyInParts) {
  TestServer s;
  Client client = s.connect();
  const std::string body = letters(64 * 1024);
  for (int i = 0; i < 3; ++i) {
    client.send(post("/stream", body) + get("/hello"));
    EXPECT_EQ(client.read()->body, length_and_sum(body));
    EXPECT_EQ(client.read()->body, "hello");
    client.send(chunked("/stream", in_chunks(body, 999)) + get("/hello"));
    EXPECT_EQ(client.read()->body, length_and_sum(body));
    EXPECT_EQ(client.read()->body, "hello");
  }
}

TEST(Stream, MayBeSplitAtEveryByte) {
  TestServer s;
  const std::string bytes = chunked("/stream", "5\r\nhello\r\n6;a\r\n world\r\n0\r\nA: b\r\n\r\n");
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    Client client = s.connect();
    client.send(bytes.substr(0, at));
    client.send(bytes.substr(at) + get("/hello"));
    ASSERT_EQ(client.read().body, length_and_sum("hello world")) << at;
    ASSERT_EQ(client.read().body, "hello") << at;
  }
}

TEST(Stream, OfAnEmptyBodyEndsAtOnce) {
  TestServer s;
  EXPECT_EQ(s.ask(post("/stream", ""))->body, "0 0");
  EXPECT_EQ(s.ask(chunked("/stream", "0\r\n\r\n"))->body, "0 0");
  EXPECT_EQ(s.ask(get("/stream"))->body, "0 0");
}

TEST(Stream, OverTheLimitIsRefused413) {
  TestServer s({.body_bytes_max = 1000});
  Client client = s.connect();
  client.send(chunked("/stream", in_chunks(letters(1001), 100)));
  const auto answer = client.read();
  EXPECT_EQ(answer->status, 413U);
  EXPECT_TRUE(answer->closes());
  EXPECT_EQ(s.ask(post("/stream", letters(1001)))->status, 413U);
  EXPECT_EQ(s.ask(chunked("/stream", in_chunks(letters(1000), 100)))->status, 200U);
}

TEST(Stream, ThatFailsCanBeAnsweredByTheHandler) {
  TestServer s;
  const auto answer = s.ask(chunked("/stream-catch", "5\r\nhello\r\nx"));
  EXPECT_EQ(answer->status, 299U);
  EXPECT_TRUE(answer->closes());
}

TEST(Stream, ThatIsMalformedIsRefused400) {
  TestServer s;
  EXPECT_EQ(s.ask(chunked("/stream", "5\r\nhello\r\nx"))->status, 400U);
  EXPECT_TRUE(s.errors().empty()) << "the client's fault is not reported as the handler's";
}

TEST(Stream, ThatTheHandlerIgnoresIsDrainedWhenItIsShort) {
  TestServer s;
  Client client = s.connect();
  const std::string body = letters(20'000);
  client.send(post("/stream-ignore", body) + chunked("/stream-ignore", in_chunks(body, 100)) + get("/hello"));
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.read();
    EXPECT_EQ(answer->body, "ignored");
    EXPECT_FALSE(answer->closes());
  }
  EXPECT_EQ(client.read()->body, "hello");
}

TEST(Stream, ThatTheHandlerIgnoresClosesTheConnectionWhenItIsLong) {
  TestServer s({.body_bytes_max = 1'000'000});
  Client client = s.connect();
  client.send("POST /stream-ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\nabc");
  const auto answer = client.read();
  EXPECT_EQ(answer->body, "ignored");
  EXPECT_TRUE(answer->closes());
  EXPECT_TRUE(client.at_end());
}

TEST(Stream, OfAClientThatVanishesEndsWithAnException) {
  TestServer s;
  Client client = s.connect();
  client.send("POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
  EXPECT_TRUE(eventually([&] { return s.server.stats().requests == 1; }));
  client.close();
  EXPECT_TRUE(eventually([&] { return s.server.stats().connections_open == 0; }));
  EXPECT_TRUE(s.serves());
}

std::string expecting(std::string_view target, std::size_t length) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: " + std::to_string(length) +
         "\r\n\r\n";
}

TEST(Expect, IsAnswered100BeforeTheBodyIsRead) {
  TestServer s;
  Client client = s.connect();
  for (const char* target : {"/echo", "/stream"}) {
    client.send(expecting(target, 5));
    EXPECT_EQ(client.read()->status, 100U);
    client.send("hello");
    EXPECT_EQ(client.read()->status, 200U);
  }
}

TEST(Expect, KeepsItsPlaceAmongPipelinedAnswers) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/hello") + expecting("/echo", 5));
  EXPECT_EQ(client.read()->body, "hello");
  EXPECT_EQ(client.read()->status, 100U);
  client.send("hello");
  EXPECT_EQ(client.read()->body, "hello");
}

TEST(Expect, IsIgnoredWhenTheBodyHasArrivedOrIsEmpty) {
  TestServer s;
  EXPECT_EQ(s.ask(expecting("/echo", 5) + "hello")->status, 200U);
  EXPECT_EQ(s.ask(expecting("/echo", 0))->status, 200U);
}

TEST(Expect, OfTooLargeABodyIsAnswered413Instead) {
  TestServer s;
  Client client = s.connect();
  client.send(expecting("/small", 11));
  EXPECT_EQ(client.read()->status, 413U);
  EXPECT_TRUE(client.at_end());
}

TEST(Expect, OfABodyThatTheHandlerNeverReadsClosesTheConnection) {
  TestServer s;
  Client client = s.connect();
  client.send(expecting("/stream-ignore", 5));
  const auto answer = client.read();
  EXPECT_EQ(answer->status, 200U);
  EXPECT_TRUE(answer->closes());
}

TEST(Expect, OfHttp10IsIgnored) {
  TestServer s;
  Client client = s.connect();
  client.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  client.send("hello");
  EXPECT_EQ(client.read()->status, 200U);
}

}  // namespace
}  // namespace holdfast::http::test
