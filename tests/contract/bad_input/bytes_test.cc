// Bytes that are not HTTP/1.1, or that two servers could read in two ways.
#include "contract/bad_input/bad_input.h"

namespace holdfast::test {
namespace {

using namespace std::string_literals;   // of strings with NUL in them

struct Bytes {
  const char* what;
  std::string bytes;
  int status;
};

const std::string k_post = "POST /reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const std::string k_get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";

std::vector<Bytes> bad_bytes() {
  return {
      {"a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n"s, 400},
      {"no target", "GET\r\n\r\n", 400},
      {"no version", "GET /healthz\r\n\r\n", 400},
      {"an empty target", "GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"two spaces", "GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a space in the target", "GET /heal thz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a space at the end of the line", "GET /healthz HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400},
      {"a tab for a space", "GET\t/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a target without a slash", "GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a fragment", "GET /healthz#top HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a control character in the target", "GET /heal\x01thz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a NUL in the target", "GET /heal\0thz HTTP/1.1\r\nHost: localhost\r\n\r\n"s, 400},
      {"a byte over 127 in the target", "GET /heal\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a foreign scheme", "GET ftp://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"another protocol", "GET /healthz HTTX/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"a version without a point", "GET /healthz HTTP/11\r\nHost: localhost\r\n\r\n", 400},
      {"a bad method", "G(T /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"HTTP/2.0", "GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
      {"a bad Host", "GET /healthz HTTP/1.1\r\nHost: local host\r\n\r\n", 400},
      {"a Host with a path", "GET /healthz HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400},
      {"bare line feeds", "GET /healthz HTTP/1.1\nHost: localhost\n\n", 400},
      {"one bare line feed", "GET /healthz HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400},
      {"a lone carriage return", k_get + "X-A: a\rb\r\n\r\n", 400},
      {"a folded line", k_get + "X-A: a\r\n b\r\n\r\n", 400},
      {"a space before the first field", "GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n", 400},
      {"a space before the colon", k_get + "X-A : a\r\n\r\n", 400},
      {"a field without a name", k_get + ": a\r\n\r\n", 400},
      {"a field without a colon", k_get + "X-A\r\n\r\n", 400},
      {"a bad character in a name", k_get + "X(A: a\r\n\r\n", 400},
      {"a NUL in a value", k_get + "X-A: a\0b\r\n\r\n"s, 400},
      {"a control character in a value", k_get + "X-A: a\x07z\r\n\r\n", 400},
      {"an unknown expectation", k_post + "Content-Length: 2\r\nExpect: miracles\r\n\r\n{}", 417},
      {"CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 501},
      {"a header over the limit", k_get + "X-A: " + std::string(9'000, 'x') + "\r\n\r\n", 431},
      {"a hundred fields too many",
       k_get +
           [] {
             std::string fields;
             for (int i = 0; i < 200; ++i) fields += "X-" + std::to_string(i) + ": y\r\n";
             return fields + "\r\n";
           }(),
       431},
      {"a target over the limit", "GET /" + std::string(5'000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414},
      // How long is the body? Every doubt is refused.
      {"length and chunked", k_post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked and length", k_post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", k_post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400},
      {"the same length twice", k_post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400},
      {"a list of lengths", k_post + "Content-Length: 2, 2\r\n\r\n{}", 400},
      {"a length with a sign", k_post + "Content-Length: +2\r\n\r\n{}", 400},
      {"a negative length", k_post + "Content-Length: -1\r\n\r\n{}", 400},
      {"a hexadecimal length", k_post + "Content-Length: 0x2\r\n\r\n{}", 400},
      {"a length with a space", k_post + "Content-Length: 2 2\r\n\r\n{}", 400},
      {"a length with a fraction", k_post + "Content-Length: 2.0\r\n\r\n{}", 400},
      {"an empty length", k_post + "Content-Length:\r\n\r\n{}", 400},
      {"a length that no number holds", k_post + "Content-Length: 99999999999999999999999\r\n\r\n{}", 400},
      {"a length of a life", k_post + "Content-Length: 18446744073709551615\r\n\r\n{}", 413},
      {"a length over the limit", k_post + "Content-Length: 10000000\r\n\r\n{}", 413},
      {"gzip, chunked", k_post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked, gzip", k_post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
      {"identity", k_post + "Transfer-Encoding: identity\r\n\r\n", 501},
      {"gzip", k_post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"xchunked", k_post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"chunked twice", k_post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked, chunked", k_post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked and identity", k_post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {"chunked with a vertical tab",
       k_post + "Transfer-Encoding: \x0b"
                "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"a space before the colon of Transfer-Encoding", k_post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"HTTP/1.0 with chunked", "POST /reservations HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"a chunk of zz", k_post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk of -2", k_post + "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk of 0x2", k_post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk size after a space", k_post + "Transfer-Encoding: chunked\r\n\r\n 2\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk without a size", k_post + "Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk size with a bare line feed", k_post + "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n", 400},
      {"a chunk longer than it says", k_post + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk of 17 digits", k_post + "Transfer-Encoding: chunked\r\n\r\n00000000000000002\r\n{}\r\n0\r\n\r\n", 400},
      {"a chunk over the limit", k_post + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n{}", 413},
      {"a chunk of all the bits", k_post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}", 413},
      {"a bad trailer", k_post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nbad trailer\r\n\r\n", 400},
      {"a method in small letters", "get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
      {"a method that nobody knows", "BREW /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
      {"TRACE", "TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
  };
}

TEST_F(BadInput, BytesThatAreNotOneRequestAreRefused) {
  for (const Bytes& row : bad_bytes()) {
    try {
      Client mine = server().connect();
      mine.write(row.bytes);
      const Answer answer = mine.read_answer();
      EXPECT_EQ(answer.status, row.status) << row.what << ": " << answer;
      EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << row.what << ": " << answer;
      EXPECT_EQ(answer.json().at("status").to_number<int>(), answer.status) << row.what << ": " << answer;
      EXPECT_FALSE(detail_of(answer).empty()) << row.what << ": " << answer;
    } catch (const std::exception& error) {
      ADD_FAILURE() << row.what << ": " << error.what();
    }
  }
}

TEST_F(BadInput, BytesAfterAnUnreadableRequestAreNotARequest) {
  const std::string smuggled = request_bytes("POST", "/reservations", reserve_body(event[3], "smuggler"));
  for (const char* head : {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 2\r\nContent-Length: 400\r\n",
                           "Transfer-Encoding: chunked, gzip\r\n", "Transfer-Encoding : chunked\r\n", "Content-Length: 0x0\r\n"}) {
    Client mine = server().connect();
    mine.write(k_post + head + "\r\n0\r\n\r\n" + smuggled);
    const Answer answer = mine.read_answer();
    EXPECT_EQ(answer.status, 400) << head << answer;
    EXPECT_TRUE(mine.is_closed_by_server()) << head;
  }
  Client mine = server().connect();
  EXPECT_EQ(seat_state(mine, event[3]), "available");
}

TEST_F(BadInput, AConnectionThatEndsInTheMiddleChangesNothing) {
  const std::string whole = request_bytes("POST", "/reservations", reserve_body(event[3], "c"));
  for (std::size_t size = 1; size < whole.size(); size += 7) {
    Client mine = server().connect();
    mine.write(whole.substr(0, size));
    mine.end_writing();
    const auto answer = mine.try_read_answer();
    if (answer) EXPECT_EQ(answer->status, 400) << *answer;
  }
}

}   // namespace
}   // namespace holdfast::test
