// Requests that RFC 9110 and 9112 forbid are refused, the connection is closed, and the server serves on.
#include <gtest/gtest.h>

#include "http/raw_client.h"

namespace holdfast::http::test {
namespace {

using namespace std::string_literals;

struct Case {
  const char* name;
  std::string bytes;
  unsigned status;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.name; }

std::string with(std::string_view fields) { return "POST /echo HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n"; }
std::string line(std::string_view request_line) { return std::string(request_line) + "\r\nHost: h\r\n\r\n"; }
std::string host(std::string_view value) { return "GET /hello HTTP/1.1\r\nHost: " + std::string(value) + "\r\n\r\n"; }

class Refused : public testing::TestWithParam<Case> {};

// Another request follows each one in the same packet: a server that misreads the first would answer the second.
TEST_P(Refused, IsAnsweredOnceAndClosedAndTheServerServesOn) {
  TestServer s;
  Client client = s.connect();
  ASSERT_TRUE(client.send(GetParam().bytes + "GET /hello HTTP/1.1\r\nHost: h\r\nX-Smuggled: 1\r\n\r\n"));
  const auto answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, GetParam().status);
  EXPECT_TRUE(answer->closes());
  EXPECT_EQ(answer->headers.at("content-type"), "application/problem+json");
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(s.serves());
  EXPECT_EQ(s.server.stats().requests_refused, 1U);
}

const std::string k_chunk_end = "0\r\n\r\n";

const Case k_cases[] = {
    // The body's end (RFC 9112, 6)
    {"conflicting_content_lengths", with("Content-Length: 0\r\nContent-Length: 5\r\n"), 400},
    {"repeated_equal_content_length", with("Content-Length: 0\r\nContent-Length: 0\r\n"), 400},
    {"listed_equal_content_length", with("Content-Length: 0, 0\r\n"), 400},
    {"listed_conflicting_content_length", with("Content-Length: 0, 5\r\n"), 400},
    {"content_length_with_plus", with("Content-Length: +0\r\n"), 400},
    {"content_length_with_minus", with("Content-Length: -1\r\n"), 400},
    {"content_length_in_hex", with("Content-Length: 0x0\r\n"), 400},
    {"content_length_with_inner_space", with("Content-Length: 0 0\r\n"), 400},
    {"content_length_empty", with("Content-Length:\r\n"), 400},
    {"content_length_with_comma_at_end", with("Content-Length: 0,\r\n"), 400},
    {"content_length_as_fraction", with("Content-Length: 0.0\r\n"), 400},
    {"content_length_over_64_bits", with("Content-Length: 18446744073709551616\r\n"), 400},
    {"content_length_far_over_64_bits", with("Content-Length: 99999999999999999999999999\r\n"), 400},
    {"content_length_wrapping_to_zero", with("Content-Length: 36893488147419103232\r\n"), 400},
    {"content_length_then_transfer_encoding", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + k_chunk_end, 400},
    {"transfer_encoding_then_content_length", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + k_chunk_end, 400},
    {"transfer_encoding_identity", with("Transfer-Encoding: identity\r\n"), 501},
    {"transfer_encoding_gzip", with("Transfer-Encoding: gzip\r\n"), 501},
    {"transfer_encoding_unknown_with_content_length", with("Content-Length: 0\r\nTransfer-Encoding: xchunked\r\n"), 400},
    {"transfer_encoding_chunked_then_gzip", with("Transfer-Encoding: chunked, gzip\r\n") + k_chunk_end, 400},
    {"transfer_encoding_gzip_then_chunked", with("Transfer-Encoding: gzip, chunked\r\n") + k_chunk_end, 400},
    {"transfer_encoding_chunked_twice_in_a_list", with("Transfer-Encoding: chunked, chunked\r\n") + k_chunk_end, 400},
    {"transfer_encoding_with_empty_list_member", with("Transfer-Encoding: ,chunked\r\n") + k_chunk_end, 400},
    {"transfer_encoding_repeated", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + k_chunk_end, 400},
    {"transfer_encoding_repeated_with_identity", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
    {"transfer_encoding_with_parameter", with("Transfer-Encoding: chunked;q=1\r\n") + k_chunk_end, 400},
    {"transfer_encoding_quoted", with("Transfer-Encoding: \"chunked\"\r\n") + k_chunk_end, 400},
    {"transfer_encoding_with_vertical_tab", with("Transfer-Encoding: \vchunked\r\n") + k_chunk_end, 400},
    {"transfer_encoding_empty", with("Transfer-Encoding:\r\n") + k_chunk_end, 400},
    {"transfer_encoding_in_http_1_0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + k_chunk_end, 400},
    {"space_before_colon_of_transfer_encoding", with("Transfer-Encoding : chunked\r\n") + k_chunk_end, 400},
    {"space_before_colon_of_content_length", with("Content-Length : 0\r\n"), 400},
    {"tab_before_colon", with("Content-Length\t: 0\r\n"), 400},
    // The host (RFC 9112, 3.2)
    {"http_1_1_without_host", "GET /hello HTTP/1.1\r\n\r\n", 400},
    {"two_hosts", with("Host: other\r\n"), 400},
    {"two_equal_hosts", with("Host: h\r\n"), 400},
    {"two_hosts_in_http_1_0", "GET /hello HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"host_with_path", host("a/b"), 400},
    {"host_with_user", host("user@a"), 400},
    {"host_with_space", host("a b"), 400},
    {"host_with_list", host("a, b"), 400},
    {"host_with_letters_as_port", host("a:http"), 400},
    {"host_with_two_ports", host("a:1:2"), 400},
    {"host_with_long_port", host("a:123456"), 400},
    {"host_with_open_bracket", host("[::1"), 400},
    {"host_with_letters_after_bracket", host("[::1]x"), 400},
    {"host_with_empty_brackets", host("[]"), 400},
    {"host_with_cut_escape", host("a%4"), 400},
    {"host_with_non_ascii", host("\xc3\xa9"), 400},
    // Line ends (RFC 9112, 2.2 and 5.2)
    {"bare_lf_after_request_line", "GET /hello HTTP/1.1\nHost: h\r\n\r\n", 400},
    {"bare_lf_after_field", with("A: b\n"), 400},
    {"bare_lf_as_end_of_header", "GET /hello HTTP/1.1\r\nHost: h\r\n\n", 400},
    {"bare_lf_everywhere", "GET /hello HTTP/1.1\nHost: h\n\n", 400},
    {"bare_lf_before_request_line", "\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"bare_cr_in_request_line", "GET /hello\r HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"bare_cr_in_value", with("A: b\rc\r\n"), 400},
    {"bare_cr_hiding_a_field", with("A: b\rContent-Length: 30\r\n"), 400},
    {"bare_cr_in_name", with("A\rB: c\r\n"), 400},
    {"bare_cr_at_start_of_line", with("\rContent-Length: 30\r\n"), 400},
    {"bare_cr_before_crlf", with("A: b\r\r\n"), 400},
    {"cr_cr_lf_as_end_of_header", "GET /hello HTTP/1.1\r\nHost: h\r\n\r\r\n", 400},
    {"folded_line_with_space", with("A: b\r\n c\r\n"), 400},
    {"folded_line_with_tab", with("A: b\r\n\tc\r\n"), 400},
    {"folded_line_after_empty_value", with("A:\r\n b\r\n"), 400},
    {"folded_transfer_encoding", with("Transfer-Encoding:\r\n chunked\r\n") + k_chunk_end, 400},
    {"folded_first_line", "GET /hello HTTP/1.1\r\n Host: h\r\n\r\n", 400},
    {"space_line_as_end_of_header", "GET /hello HTTP/1.1\r\nHost: h\r\n \r\n\r\n", 400},
    // Names and values (RFC 9110, 5)
    {"nul_in_value", with("A: b\0c\r\n"s), 400},
    {"control_character_in_value",
     with("A: b\x01"
          "c\r\n"),
     400},
    {"delete_in_value", with("A: b\x7f\r\n"), 400},
    {"nul_in_name", with("A\0: b\r\n"s), 400},
    {"non_ascii_in_name", with("\xc3\xa9: b\r\n"), 400},
    {"empty_name", with(": b\r\n"), 400},
    {"line_without_colon", with("Connection close\r\n"), 400},
    {"space_in_name", with("Content Length: 0\r\n"), 400},
    // Request line (RFC 9112, 3)
    {"http_2_0", line("GET /hello HTTP/2.0"), 505},
    {"http_1_2", line("GET /hello HTTP/1.2"), 505},
    {"http_0_9", line("GET /hello HTTP/0.9"), 505},
    {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"no_version", line("GET /hello"), 400},
    {"lower_case_version", line("GET /hello http/1.1"), 400},
    {"long_version", line("GET /hello HTTP/1.10"), 400},
    {"version_without_minor", line("GET /hello HTTP/1"), 400},
    {"space_after_version", line("GET /hello HTTP/1.1 "), 400},
    {"two_versions", line("GET /hello HTTP/1.1 HTTP/1.1"), 400},
    {"two_spaces_before_target", line("GET  /hello HTTP/1.1"), 400},
    {"two_spaces_before_version", line("GET /hello  HTTP/1.1"), 400},
    {"tab_as_separator", line("GET\t/hello HTTP/1.1"), 400},
    {"space_before_method", line(" GET /hello HTTP/1.1"), 400},
    {"space_in_target", line("GET /he llo HTTP/1.1"), 400},
    {"no_method", line("/hello HTTP/1.1"), 400},
    {"method_that_is_no_token", line("G@T /hello HTTP/1.1"), 400},
    {"control_character_in_target", line("GET /he\x01llo HTTP/1.1"), 400},
    {"nul_in_target", line("GET /he\0llo HTTP/1.1"s), 400},
    {"non_ascii_in_target", line("GET /h\xc3\xa9llo HTTP/1.1"), 400},
    {"fragment_in_target", line("GET /hello#a HTTP/1.1"), 400},
    {"relative_target", line("GET hello HTTP/1.1"), 400},
    {"asterisk_with_get", line("GET * HTTP/1.1"), 400},
    {"asterisk_with_more", line("OPTIONS *a HTTP/1.1"), 400},
    {"absolute_target_of_another_scheme", line("GET ftp://h/hello HTTP/1.1"), 400},
    {"absolute_target_without_host", line("GET http:///hello HTTP/1.1"), 400},
    {"absolute_target_with_port_only", line("GET http://:80/hello HTTP/1.1"), 400},
    {"absolute_target_with_user", line("GET http://user@h/hello HTTP/1.1"), 400},
    {"authority_as_target", line("GET h:80 HTTP/1.1"), 400},
    {"connect", line("CONNECT h:443 HTTP/1.1"), 501},
    {"five_empty_lines_first", "\r\n\r\n\r\n\r\n\r\n" + get("/hello"), 400},
    {"tls_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
    {"socks_hello", "\x05\x01\x00"s, 400},
    // Expectations (RFC 9110, 10.1.1)
    {"unknown_expectation", with("Expect: 200-ok\r\n"), 417},
    {"expectation_in_a_list", with("Expect: 100-continue, more\r\nContent-Length: 1\r\n"), 417},
    // Chunks (RFC 9112, 7.1)
    {"chunk_size_empty", chunked("/echo", "\r\n\r\n"), 400},
    {"chunk_size_not_hex", chunked("/echo", "g\r\n"), 400},
    {"chunk_size_with_prefix", chunked("/echo", "0x5\r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_size_negative", chunked("/echo", "-1\r\n"), 400},
    {"chunk_size_with_plus", chunked("/echo", "+5\r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_size_over_64_bits", chunked("/echo", "10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_size_of_64_bits", chunked("/echo", "ffffffffffffffff\r\n"), 413},
    {"chunk_size_with_leading_space", chunked("/echo", " 5\r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_size_with_space_after", chunked("/echo", "5 \r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_size_ended_by_lf", chunked("/echo", "5\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_size_ended_by_cr", chunked("/echo", "5\rhello\r\n0\r\n\r\n"), 400},
    {"chunk_extension_with_lf", chunked("/echo", "5;a\n\r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_extension_with_cr", chunked("/echo", "5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_extension_with_nul", chunked("/echo", "5;a\0\r\nhello\r\n0\r\n\r\n"s), 400},
    {"chunk_longer_than_its_size", chunked("/echo", "4\r\nhello\r\n0\r\n\r\n"), 400},
    {"chunk_ended_by_lf", chunked("/echo", "5\r\nhello\n0\r\n\r\n"), 400},
    {"chunk_ended_by_nothing", chunked("/echo", "5\r\nhello0\r\n\r\n"), 400},
    {"last_chunk_ended_by_lf", chunked("/echo", "0\r\n\n"), 400},
    {"trailer_without_colon", chunked("/echo", "0\r\nabc\r\n\r\n"), 400},
    {"trailer_folded", chunked("/echo", "0\r\na: b\r\n c\r\n\r\n"), 400},
    {"trailer_without_name", chunked("/echo", "0\r\n: b\r\n\r\n"), 400},
    {"trailer_ended_by_lf", chunked("/echo", "0\r\na: b\n\r\n"), 400},
};

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(http, Refused, testing::ValuesIn(k_cases), name_of);

TEST(Malformed, IsRefusedHoweverItsBytesAreSplit) {
  TestServer s;
  const std::string bytes = with("Transfer-Encoding:\r\n chunked\r\n");
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    Client client = s.connect();
    ASSERT_TRUE(client.send(bytes.substr(0, at)));
    client.send(bytes.substr(at));
    const auto answer = client.read();
    ASSERT_TRUE(answer) << at;
    EXPECT_EQ(answer->status, 400U) << at;
  }
}

TEST(Refusal, SaysInProblemJsonWhatWasWrong) {
  TestServer s;
  const auto answer = s.ask("GET /hello HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body,
            "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
            "\"detail\":\"The request needs exactly one valid Host header.\",\"code\":\"invalid_request\"}\n");
  EXPECT_EQ(answer->headers.at("x-request-id").size(), 32U);
}

TEST(Refusal, TakesNothingFromTheRequestsBeforeIt) {
  TestServer s;
  Client client = s.connect();
  client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\nX-Request-Id: first\r\n\r\nGET /hello HTTP/1.1\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read(true)->headers.at("x-request-id"), "first");
  const auto refused = client.read();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->headers.at("x-request-id").size(), 32U);
  EXPECT_FALSE(refused->body.empty());

  Client another = s.connect();   // with the same, reused, exchange
  another.send("GET /hello HTTP/1.1\n");
  EXPECT_EQ(another.read()->headers.at("x-request-id").size(), 32U);
}

TEST(Refusal, EscapesWhatJsonDoesNotAllow) {
  TestHandler handler;
  Response response;
  handler.refuse({.status = 400, .code = "a\"b", .detail = "c\\d\x01\n\x1f\xc3\xa9"}, "", response);
  EXPECT_NE(response.body.find(R"("detail":"c\\d\u0001\n\u001f)"
                               "\xc3\xa9\""),
            std::string::npos)
      << response.body;
  EXPECT_NE(response.body.find(R"("code":"a\"b")"), std::string::npos) << response.body;
}

}  // namespace
}  // namespace holdfast::http::test
