// A small HTTP/1.1 client over a plain socket, so that tests control every byte.
//
//   Client client(port);
//   const Answer answer = client.post("/reservations", R"({"seatId":"…","customerId":"c"})");
//   EXPECT_EQ(answer.status, 201);
//
// One keep-alive connection. Not for several threads at once. All calls throw ConnectionLost if the server closes before the
// answer is complete, and std::runtime_error if no answer comes or it is not HTTP.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/history.h"
#include "support/json.h"
#include "support/waiting.h"

namespace holdfast::test {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  int status = 0;
  Headers headers;
  std::string body;
  std::string bytes;   // all of it, as received

  bool has(std::string_view name) const;
  std::string header(std::string_view name) const;   // the first with this name in any letter case; empty if there is none
  Json json() const { return parse_json(body); }
};

// For messages of assertions: status, headers and body.
std::ostream& operator<<(std::ostream& out, const Answer& answer);

class ConnectionLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The bytes of a request. Host and, with a body, Content-Type: application/json and Content-Length are added unless `headers` has
// them; a header with an empty value is left out.
std::string request_bytes(std::string_view method, std::string_view target, std::string_view body = {}, const Headers& headers = {});

class Client {
 public:
  explicit Client(std::uint16_t port);
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  Answer get(std::string_view target, const Headers& headers = {}) { return request("GET", target, {}, headers); }
  Answer post(std::string_view target, std::string_view body, const Headers& headers = {}) {
    return request("POST", target, body, headers);
  }
  Answer request(std::string_view method, std::string_view target, std::string_view body = {}, const Headers& headers = {});

  // Pipelining and raw bytes: requests are answered in order.
  void write(std::string_view bytes);
  Answer read_answer();                      // a 100 Continue is one too
  std::optional<Answer> try_read_answer();   // nothing if the server closed without a byte of one
  bool is_closed_by_server();                // waits until the server closes, or another byte arrives
  void end_writing();                        // half-close

 private:
  bool fill();   // more bytes into input_; false at the end

  int socket_ = -1;
  std::string input_;
  Conversation conversation_;   // for the history of the test
};

}  // namespace holdfast::test
