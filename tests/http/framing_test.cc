// Well-formed requests: how they are read, and the headers of their answers.
#include <gtest/gtest.h>

#include "http/raw_client.h"

namespace holdfast::http::test {
namespace {

TEST(Answer, CarriesLengthDateServerAndRequestId) {
  TestServer s;
  const auto answer = s.ask(get("/hello"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->body, "hello");
  EXPECT_EQ(answer->headers.at("content-length"), "5");
  EXPECT_EQ(answer->headers.at("content-type"), "text/plain");
  EXPECT_EQ(answer->headers.at("server"), "holdfast");
  EXPECT_EQ(answer->headers.at("date").size(), 29U);
  EXPECT_TRUE(answer->headers.at("date").ends_with(" GMT"));
  EXPECT_EQ(answer->headers.at("x-request-id").size(), 32U);
  EXPECT_FALSE(answer->headers.contains("connection"));
}

TEST(Answer, RepeatsTheCallersRequestId) {
  TestServer s;
  const auto ask = [&](const std::string& id) {
    return s.ask("GET /hello HTTP/1.1\r\nHost: h\r\nx-ReQuest-id: " + id + "\r\n\r\n")->headers.at("x-request-id");
  };
  EXPECT_EQ(ask("abc 1"), "abc 1");
  EXPECT_EQ(ask(std::string(128, 'x')), std::string(128, 'x'));
}

TEST(Answer, HasANewRequestIdWhenTheCallersIsNotFit) {
  TestServer s;
  for (const std::string& id : {std::string(129, 'x'), std::string("caf\xc3\xa9"), std::string("a\tb"), std::string()}) {
    const auto answer = s.ask("GET /hello HTTP/1.1\r\nHost: h\r\nX-Request-Id: " + id + "\r\n\r\n");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->headers.at("x-request-id").size(), 32U);
  }
}

TEST(Answer, LeavesOutHeadersThatWouldBreakItAndReportsThem) {
  TestServer s;
  const auto answer = s.ask(get("/bad-header"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->headers.at("x-good"), "fine");
  EXPECT_FALSE(answer->headers.contains("x-bad"));
  EXPECT_FALSE(answer->headers.contains("x-injected"));
  EXPECT_EQ(answer->headers.at("content-length"), "0");
  ASSERT_EQ(s.errors().size(), 1U);
  EXPECT_NE(s.errors()[0].find("X-Bad"), std::string::npos);
}

TEST(Answer, WithAStatusThatIsNoneBecomes500) {
  TestServer s;
  EXPECT_EQ(s.ask(get("/bad-status"))->status, 500U);
  EXPECT_EQ(s.errors().size(), 1U);
}

TEST(Answer, Of204HasNeitherBodyNorLength) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/no-content") + get("/hello"));
  const auto first = client.read();
  EXPECT_EQ(first->status, 204U);
  EXPECT_FALSE(first->headers.contains("content-length"));
  EXPECT_EQ(client.read()->body, "hello");
}

TEST(Answer, ToHeadHasTheLengthButNotTheBody) {
  TestServer s;
  Client client = s.connect();
  client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n" + get("/hello"));
  const auto head = client.read(true);
  EXPECT_EQ(head->status, 200U);
  EXPECT_EQ(head->headers.at("content-length"), "5");
  EXPECT_EQ(client.read()->body, "hello");
}

TEST(Answer, ThatIsLargeArrivesWholeAndInOrder) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/hello") + get("/big?5000000") + get("/hello"));
  EXPECT_EQ(client.read()->body, "hello");
  EXPECT_EQ(client.read()->body, std::string(5'000'000, 'b'));
  EXPECT_EQ(client.read()->body, "hello");
}

TEST(Handler, ThatThrowsIsAnswered500ReportedAndTheConnectionLives) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/throw") + get("/throw-odd") + get("/hello"));
  EXPECT_EQ(client.read()->status, 500U);
  EXPECT_EQ(client.read()->status, 500U);
  EXPECT_EQ(client.read()->status, 200U);
  EXPECT_EQ(s.errors(), (std::vector<std::string>{"thrown on purpose", "an exception of unknown type"}));
}

TEST(Request, ShowsMethodPathQueryAndHeadersAsSent) {
  TestServer s;
  EXPECT_EQ(s.ask("PATCH /show?a=%20b&c HTTP/1.1\r\nHost: h:80\r\nX-A:  b\t c \t\r\nEmpty:\r\n\r\n")->body,
            "PATCH|/show|a=%20b&c|Host=h:80|X-A=b\t c|Empty=");
}

TEST(Request, InAbsoluteFormShowsItsPath) {
  TestServer s;
  EXPECT_EQ(s.ask("GET HTTP://example.org:8080/show?x HTTP/1.1\r\nHost: h\r\n\r\n")->body, "GET|/show|x|Host=h");
  EXPECT_EQ(s.ask("GET http://example.org HTTP/1.1\r\nHost: h\r\n\r\n")->status, 404U);   // path "/"
  EXPECT_EQ(s.ask("GET http://[::1]:80?x HTTP/1.1\r\nHost: h\r\n\r\n")->status, 404U);
}

TEST(Request, OfOptionsMayHaveAnAsterisk) {
  TestServer s;
  EXPECT_EQ(s.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")->status, 404U);
}

TEST(Request, AcceptsEveryFormOfHost) {
  TestServer s;
  for (const char* host : {"h", "", "example.org:80", "[::1]", "[2001:db8::1]:8080", "127.0.0.1:65535", "a_b-c.d", "a%20b", "a:"}) {
    EXPECT_EQ(s.ask("GET /hello HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n")->status, 200U) << host;
  }
}

TEST(Request, MayFollowAFewEmptyLines) {
  TestServer s;
  Client client = s.connect();
  client.send("\r\n\r\n\r\n\r\n" + get("/hello") + "\r\n" + get("/hello"));
  EXPECT_EQ(client.read()->status, 200U);
  EXPECT_EQ(client.read()->status, 200U);
}

TEST(Connection, IsKeptForFurtherRequests) {
  TestServer s;
  Client client = s.connect();
  for (int i = 0; i < 100; ++i) {
    client.send(post("/echo", std::to_string(i)));
    EXPECT_EQ(client.read()->body, std::to_string(i));
  }
  EXPECT_EQ(s.server.stats().connections_accepted, 1U);
  EXPECT_EQ(s.server.stats().requests, 100U);
}

TEST(Connection, IsClosedWhenTheClientAsks) {
  TestServer s;
  for (const char* value : {"close", "Close", "foo, close"}) {
    Client client = s.connect();
    client.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: " + std::string(value) + "\r\n\r\n" + get("/hello"));
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->closes());
    EXPECT_TRUE(client.at_end()) << "nothing after a close is answered";
  }
}

TEST(Connection, IsClosedWhenTheHandlerAsks) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/close"));
  EXPECT_TRUE(client.read()->closes());
  EXPECT_TRUE(client.at_end());
}

TEST(Connection, OfHttp10IsClosedUnlessKeepAliveIsAskedFor) {
  TestServer s;
  Client closing = s.connect();
  closing.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(closing.read()->closes());
  EXPECT_TRUE(closing.at_end());

  Client kept = s.connect();
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(kept.read()->headers.at("connection"), "keep-alive");
  }
}

TEST(Connection, ThatTheClientHalfClosesStillGetsItsAnswers) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/hello") + post("/echo", "last"));
  client.half_close();
  EXPECT_EQ(client.read()->body, "hello");
  EXPECT_EQ(client.read()->body, "last");
  EXPECT_TRUE(client.at_end());
}

TEST(Connection, ThatIsHalfClosedWhileTheHandlerWorksGetsItsAnswer) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/held"));
  client.half_close();
  s.handler.gate.wait_for_waiters(1);
  s.handler.gate.open();
  EXPECT_EQ(client.read()->body, "/held h");
  EXPECT_TRUE(client.at_end());
}

TEST(Connection, ThatEndsWithinARequestIsClosed) {
  TestServer s;
  for (const std::string& bytes : {std::string("GET /hel"), std::string("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")}) {
    Client client = s.connect();
    client.send(bytes);
    client.half_close();
    EXPECT_TRUE(client.at_end());
  }
  EXPECT_TRUE(eventually([&] { return s.server.stats().connections_open == 0; }));
}

std::string mixed_requests() {
  std::string all;
  for (int i = 0; i < 4; ++i) {
    all += get("/show?" + std::to_string(i));
    all += post("/echo", "body " + std::to_string(i));
    all += chunked("/echo", "3;x=y\r\nabc\r\n1\r\n" + std::to_string(i) + "\r\n0\r\nT: u\r\n\r\n");
  }
  return all;
}

void expect_mixed_answers(Client& client) {
  for (int i = 0; i < 4; ++i) {
    const auto n = std::to_string(i);
    ASSERT_EQ(client.read().body, "GET|/show|" + n + "|Host=h");
    ASSERT_EQ(client.read().body, "body " + n);
    ASSERT_EQ(client.read().body, "abc" + n);
  }
}

TEST(Pipeline, OfTwelveRequestsInOnePacketIsAnsweredInOrder) {
  TestServer s;
  Client client = s.connect();
  client.send(mixed_requests());
  expect_mixed_answers(client);
}

TEST(Pipeline, MayBeSplitAtEveryByte) {
  TestServer s;
  const std::string all = mixed_requests();
  for (std::size_t at = 1; at < all.size(); ++at) {
    Client client = s.connect();
    client.send(all.substr(0, at));
    if (at % 7 == 0 && at > 40) client.wait_readable();   // sometimes the server has certainly seen only the first part
    client.send(all.substr(at));
    expect_mixed_answers(client);
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "split at " << at;
  }
}

TEST(Pipeline, MayArriveByteByByte) {
  TestServer s;
  Client client = s.connect();
  for (const char c : mixed_requests()) client.send({&c, 1});
  expect_mixed_answers(client);
}

TEST(Pipeline, OfThousandsIsAnsweredWhileTheClientStillSends) {
  TestServer s;
  Client client = s.connect();
  std::string block;
  for (int i = 0; i < 1000; ++i) block += get("/hello");
  for (int i = 0; i < 10; ++i) {
    client.send(block);
    for (int j = 0; j < 1000; ++j) ASSERT_EQ(client.read()->status, 200U);
  }
}

TEST(Pipeline, AnswersWhatIsReadyWhileALaterRequestWaits) {
  TestServer s;
  Client client = s.connect();
  client.send(get("/hello") + get("/held") + get("/hello"));
  EXPECT_EQ(client.read()->body, "hello");   // the gate is still closed
  s.handler.gate.wait_for_waiters(1);
  s.handler.gate.open();
  EXPECT_EQ(client.read()->body, "/held h");
  EXPECT_EQ(client.read()->body, "hello");
}

}  // namespace
}  // namespace holdfast::http::test
