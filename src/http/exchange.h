// One request and its answer on their way through a connection: everything that an idle connection does not need.
//
// Each thread pools exchanges. A connection takes one at a request's first byte and returns it after the last answer, so thousands of idle
// connections cost only their input buffers, and the buffers in use stay warm.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "http/limits.h"
#include "http/parser.h"
#include "http/server.h"

namespace holdfast::http {

class Connection;

class Exchange final : public Request {
 public:
  Head head;
  Response response;
  std::string out;                  // heads and small bodies of answers that are not written yet
  std::array<char, 32> new_id{};    // storage of a new request id
  Connection* connection = nullptr;   // which has it; nullptr: it is in the pool

  boost::asio::ip::address client() const override;
  boost::asio::awaitable<std::string_view> read_body() override;

  // Fills the public side of the request from `head`.
  void show_head() {
    method = head.method;
    target = head.target;
    path = head.path;
    query = head.query;
    headers = head.headers;
    body = {};
  }

  // The input buffer has moved: views into [from, from + size) point to the same bytes at `to`.
  void rebase(const char* from, std::size_t size, const char* to) {
    const auto move = [&](std::string_view& view) {
      const std::less_equal<const char*> le;
      if (le(from, view.data()) && le(view.data(), from + size)) view = {to + (view.data() - from), view.size()};
    };
    for (auto* view :
         {&head.method, &head.target, &head.path, &head.query, &head.request_id, &method, &target, &path, &query, &request_id, &body}) {
      move(*view);
    }
    for (Header& header : head.headers) {
      move(header.name);
      move(header.value);
    }
  }

  // No view may outlive its bytes, and no answer may depend on an earlier request.
  void clear_request() {
    head.clear();
    show_head();
    request_id = {};
  }

  void clear_response() {
    response.status = 500;
    response.content_type = {};
    response.body.clear();
    response.shared_body = {};
    response.headers.clear();
    response.close = false;
    response.stream.reset();
  }

  // Before it goes back to the pool.
  void recycle() {
    if (out.capacity() > k_output_bytes_keep) out = {};
    if (response.body.capacity() > k_output_bytes_keep) response.body = {};
    out.clear();
    clear_request();
    clear_response();
    connection = nullptr;
  }
};

}  // namespace holdfast::http
