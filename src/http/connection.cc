#include "http/connection.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <exception>

#include "http/answer.h"
#include "http/body_unreadable.h"
#include "http/limits.h"
#include "http/transfer_time.h"

namespace holdfast::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// For co_await: error and size, without a frame for the operation.
constexpr auto k_result = asio::as_tuple(asio::deferred);

}  // namespace

Connection::Connection(Worker& worker, asio::ip::tcp::socket socket, AddressCounts::Place place, bool over_limit)
    : worker_(worker), socket_(std::move(socket)), place_(std::move(place)), over_limit_(over_limit) {}

Connection::~Connection() {
  if (exchange_) worker_.give_back(std::move(exchange_));
  unlink();
  worker_.connection_ended(over_limit_);
}

// Each round of the loop handles one request, or one read. A small request that has arrived completely costs one co_await for the read and one
// for the handler; everything else is a plain call, and becomes a coroutine only if it must wait. An answer stays in `out` while the buffer
// has further requests: pipelined requests share a write.
asio::awaitable<void> Connection::serve() {
  const auto self = shared_from_this();
  if (worker_.options().proxy_protocol && worker_.proxies().trusts(peer()) && !co_await begin_with_proxy_header()) co_return;
  for (;;) {
    bool found = false;
    Refusal refusal = find_head(found);
    if (refusal == nullptr && !found) {
      if (!write_now() && !co_await write_rest()) co_return;
      const Next next = begin_wait_for_head();
      if (next == Next::end) co_return;
      if (next == Next::wait) {
        const auto [ec, n] = co_await socket_.async_read_some(room(), k_result);
        const Input input = took(ec, n);
        if (input == Input::gone || (input == Input::late && phase_ == Phase::idle && !over_limit_)) co_return;
        if (input != Input::late || phase_ != Phase::idle) continue;
      }
      refusal = over_limit_ ? &problems::k_too_many_connections : &problems::k_header_timeout;
    }
    if (refusal == nullptr && over_limit_ && !worker_.handler().is_urgent(*exchange_)) refusal = &problems::k_too_many_connections;
    if (refusal == nullptr) refusal = plan_body(worker_.handler().body_rule(*exchange_));
    if (refusal == nullptr && !streams_) {
      refusal = advance_body();
      if (refusal == nullptr && !body_done_ && co_await read_whole_body(refusal) == Input::gone) co_return;
    }
    if (refusal != nullptr) {
      co_await refuse(*refusal);
      co_return;
    }

    before_handling();
    try {
      co_await worker_.handler().handle(*exchange_, exchange_->response);
    } catch (...) {
      handler_failed();
    }
    const Rest rest = settle_body();
    compose(rest == Rest::close);
    if (exchange_->response.stream != nullptr) {
      co_await stream_answer();
      co_return;
    }
    const bool more_may_follow = !close_ && rest == Rest::none && tail_.empty() && exchange_->out.size() < k_gather_bytes_max;
    if (!more_may_follow && !write_now() && !co_await write_rest()) co_return;
    if (close_ || (rest == Rest::drain && !co_await drain_body())) {
      co_await linger();
      co_return;
    }
    end_request();
  }
}

// ---- The client.

// False: the connection was refused, or the client is gone.
asio::awaitable<bool> Connection::begin_with_proxy_header() {
  const Refusal refusal = co_await read_proxy_header();
  if (gone_) co_return false;
  if (refusal != nullptr) {
    co_await refuse(*refusal);
    co_return false;
  }
  if (!told_client_) co_return true;   // a proxy's own connections are not counted
  auto place = worker_.take_place(*told_client_);
  if (!place) {
    worker_.turn_away_of_address(socket_);
    co_return false;
  }
  place_ = *std::move(place);
  co_return true;
}

asio::awaitable<Refusal> Connection::read_proxy_header() {
  begin_wait(Phase::head, over_limit_ ? k_over_limit_time : worker_.options().header_timeout);
  for (;;) {
    const ProxyHeader header = http::read_proxy_header(unread());
    if (header.state == ProxyHeader::State::malformed) co_return &problems::k_proxy_header;
    if (header.state == ProxyHeader::State::complete) {
      begin_ += header.bytes;
      told_client_ = header.client;
      is_of_proxy_itself_ = !header.client;
      phase_ = Phase::idle;   // the request's own timeouts begin with its first byte
      co_return nullptr;
    }
    make_room();
    error_code ec;
    const std::size_t n = co_await socket_.async_read_some(room(), asio::redirect_error(asio::use_awaitable, ec));
    const Input input = took(ec, n);
    gone_ = input != Input::bytes;   // a proxy that sends nothing gets no answer
    if (gone_) co_return nullptr;
  }
}

asio::ip::address Connection::peer() const {
  error_code gone;
  return plain(socket_.remote_endpoint(gone).address());
}

// A connection without a client is the proxy's own probe, or of a kind that the protocol does not know. It speaks for no client, whatever
// headers its requests have.
asio::ip::address Connection::client() const {
  if (is_of_proxy_itself_) return peer();
  const asio::ip::address beginning = told_client_ ? *told_client_ : peer();
  return worker_.proxies().empty() ? beginning : worker_.proxies().client_of(beginning, *exchange_);
}

asio::ip::address Exchange::client() const { return connection->client(); }

asio::awaitable<std::string_view> Exchange::read_body() { return connection->read_body_part(); }

// ---- For the worker.

// Wakes the coroutine, which sees late_ and knows from its phase what that means.
void Connection::check_deadline(Clock::time_point now) {
  if (deadline_ > now) return;
  deadline_ = Clock::time_point::max();
  late_ = true;
  if (phase_ != Phase::lingering) worker_.count().timeouts.add(1);
  error_code ignored;
  socket_.cancel(ignored);
}

// The connection's coroutine then finds the socket closed.
bool Connection::give_way() {
  if (phase_ != Phase::idle && phase_ != Phase::head && phase_ != Phase::lingering) return false;
  if (!socket_.is_open()) return false;
  if (phase_ == Phase::lingering) {
    abort();
  } else {
    worker_.turn_away(socket_, problems::k_too_many_connections);
  }
  return true;
}

void Connection::begin_stop() {
  error_code ignored;
  if (phase_ == Phase::idle) socket_.cancel(ignored);
  const auto at_most = [this](std::chrono::milliseconds time) { deadline_ = std::min(deadline_, worker_.deadline_in(time)); };
  if (phase_ == Phase::head || phase_ == Phase::body) at_most(k_stop_read_grace);
  if (phase_ == Phase::streaming) end();
  if (phase_ == Phase::streaming || phase_ == Phase::lingering) at_most(k_linger_time_stopping);
}

void Connection::abort() {
  error_code ignored;
  socket_.close(ignored);
}

// ---- Input.

Refusal Connection::find_head(bool& found) {
  if (const Refusal refusal = skip_empty_lines()) return refusal;
  if (begin_ == end_) return nullptr;
  const std::size_t limit = worker_.options().header_bytes_max;
  switch (scanner_.scan(unread())) {
    case HeadScanner::Result::refused: return &problems::k_header;
    case HeadScanner::Result::need_more: return unread().size() >= limit ? too_large(unread(), worker_.options()) : nullptr;
    case HeadScanner::Result::complete:
      if (scanner_.head_bytes() > limit) return too_large(unread(), worker_.options());
      found = true;
      return open_request();
  }
  return nullptr;
}

Refusal Connection::skip_empty_lines() {
  while (begin_ < end_ && (input_[begin_] == '\r' || input_[begin_] == '\n')) {
    if (input_[begin_] == '\r' && end_ - begin_ == 1) return nullptr;   // wait for its LF, as the scanner does
    if (!unread().starts_with("\r\n") || ++leading_crlfs_ > k_leading_crlf_max) return &problems::k_request_line;
    begin_ += 2;
  }
  return nullptr;
}

Refusal Connection::open_request() {
  take_exchange();
  Exchange& x = *exchange_;
  leading_crlfs_ = 0;
  const Refusal refusal = parse_head(unread().substr(0, scanner_.head_bytes()), worker_.options(), x.head);
  if (refusal != nullptr) return refusal;
  x.show_head();
  x.request_id = x.head.request_id.empty() ? worker_.new_request_id(x.new_id) : x.head.request_id;
  return nullptr;
}

void Connection::take_exchange() {
  if (!exchange_) exchange_ = worker_.take_exchange();
  exchange_->connection = this;
}

Connection::Next Connection::begin_wait_for_head() {
  if (exchange_) worker_.give_back(std::move(exchange_));
  if (begin_ == end_) {
    if (worker_.stopping()) return Next::end;
    begin_ = end_ = 0;
    if (capacity_ > k_input_bytes_keep) {
      input_.reset();
      capacity_ = 0;
    }
    begin_wait(Phase::idle, over_limit_ ? k_over_limit_time : worker_.options().idle_timeout);
  } else if (phase_ != Phase::head) {
    // From the first byte on: further bytes do not extend the time.
    begin_wait(Phase::head, over_limit_ ? k_over_limit_time : worker_.options().header_timeout);
  } else if (late_) {
    return Next::overdue;
  }
  make_room();
  return Next::wait;
}

void Connection::begin_wait(Phase phase, std::chrono::milliseconds time) {
  phase_ = phase;
  late_ = false;
  deadline_ = worker_.deadline_in(time);
  if (worker_.stopping()) begin_stop();
}

// Begins to wait for more of a body, or for the client to read more of its answer. Each wait may last `silence`; all waits together may last
// `silence` plus one second for each `bytes_per_second_min` transferred. False: they have lasted longer.
bool Connection::begin_transfer(Phase phase, std::chrono::milliseconds silence, std::size_t bytes_per_second_min) {
  auto left = silence;
  if (bytes_per_second_min > 0) {
    const auto allowed = transfer_time(silence, moved_, bytes_per_second_min);
    left = std::min(left, std::chrono::duration_cast<std::chrono::milliseconds>(allowed - waited_));
  }
  begin_wait(phase, std::max(left, std::chrono::milliseconds(0)));
  waits_since_ = Clock::now();
  if (left > std::chrono::milliseconds(0)) return true;
  worker_.count().timeouts.add(1);
  return false;
}

void Connection::end_transfer(std::size_t n) {
  waited_ += Clock::now() - waits_since_;
  moved_ += n;
}

// Bytes that arrived before a wait ended count, for whatever reason it ended: clients must not pay for a delayed thread, and a request that
// reached the socket before stop() is answered.
Connection::Input Connection::took(const error_code& ec, std::size_t n) {
  error_code now = ec;
  if (ec == asio::error::operation_aborted) n = socket_.read_some(room(), now);
  if (!now && n > 0) {
    end_ += n;
    worker_.count().bytes_in.add(n);
    return Input::bytes;
  }
  return late_ && now == asio::error::would_block ? Input::late : Input::gone;
}

void Connection::make_room() {
  constexpr std::size_t enough = 1024;
  if (capacity_ - end_ >= enough) return;
  if (begin_ > 0) move_input(capacity_);
  if (capacity_ - end_ < enough) move_input(std::max(2 * capacity_, k_input_bytes_start));
}

// Moves the input to the front of the buffer, or of a new one.
void Connection::move_input(std::size_t capacity) {
  const char* const from = input_.get() + begin_;
  const std::size_t size = end_ - begin_;
  std::unique_ptr<char[]> old;
  if (capacity == capacity_) {
    std::memmove(input_.get(), from, size);
  } else {
    old = std::exchange(input_, std::make_unique_for_overwrite<char[]>(capacity));
    if (size > 0) std::memcpy(input_.get(), from, size);
    capacity_ = capacity;
  }
  if (exchange_) exchange_->rebase(from, size, input_.get());
  for (std::size_t* offset : {&head_end_, &body_end_, &read_pos_, &end_}) *offset -= std::min(begin_, *offset);
  begin_ = 0;
}

// ---- Bodies.

Refusal Connection::plan_body(const BodyRule& rule) {
  const Head& head = exchange_->head;
  const std::size_t limit = rule.bytes_max > 0 ? rule.bytes_max : worker_.options().body_bytes_max;
  head_end_ = body_end_ = read_pos_ = begin_ + scanner_.head_bytes();
  streams_ = rule.streams;
  body_done_ = !head.has_body();
  body_failure_ = nullptr;
  body_left_ = head.content_length;
  waited_ = {};
  moved_ = 0;
  continue_due_ = head.expects_continue && head.http_1_1 && !body_done_ && end_ == head_end_;
  if (head.content_length > limit) return &problems::k_body_too_large;
  if (head.chunked) chunks_.reset(limit);
  if (streams_ && !body_done_ && capacity_ - head_end_ < k_stream_room_bytes) {
    // Now, because nothing may move while the handler runs.
    move_input(std::max(capacity_, scanner_.head_bytes() + k_stream_room_bytes));
  }
  return nullptr;
}

// Adds the bytes that have arrived to the body.
Refusal Connection::advance_body() {
  char* const base = input_.get();
  if (body_done_) return nullptr;
  if (exchange_->head.chunked) {
    const auto progress = chunks_.decode(base + read_pos_, end_ - read_pos_, base + body_end_);
    body_end_ += progress.produced;
    read_pos_ += progress.consumed;
    if (chunks_.refusal() != nullptr) return chunks_.refusal();
    body_done_ = chunks_.done();
    if (!body_done_) read_pos_ = end_ = body_end_;   // drop the framing, to make room
  } else {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, end_ - read_pos_));
    body_end_ = read_pos_ += part;
    body_left_ -= part;
    body_done_ = body_left_ == 0;
  }
  if (body_done_) exchange_->body = {base + head_end_, body_end_ - head_end_};
  return nullptr;
}

asio::awaitable<Connection::Input> Connection::read_whole_body(Refusal& refusal) {
  ask_for_body();
  if (!write_now() && !co_await write_rest()) co_return Input::gone;
  Input input = Input::bytes;
  while (refusal == nullptr && !body_done_) {
    make_room();
    if (!begin_transfer(Phase::body, worker_.options().body_timeout, worker_.options().body_bytes_per_second_min)) {
      refusal = &problems::k_body_timeout;
      break;
    }
    error_code ec;
    const std::size_t before = end_;
    const std::size_t n = co_await socket_.async_read_some(room(), asio::redirect_error(asio::use_awaitable, ec));
    input = took(ec, n);
    end_transfer(end_ - before);
    if (input == Input::gone) co_return input;
    refusal = input == Input::late ? &problems::k_body_timeout : advance_body();
  }
  co_return input;
}

void Connection::ask_for_body() {
  if (!continue_due_) return;
  continue_due_ = false;
  exchange_->out += "HTTP/1.1 100 Continue\r\n\r\n";
}

asio::awaitable<std::string_view> Connection::read_body_part() {
  const std::string_view part = co_await next_body_part();
  if (!part.empty() || body_done_) co_return part;
  namespace errc = boost::system::errc;
  if (body_failure_ == nullptr) throw BodyUnreadable(0, asio::error::connection_reset, "the client is gone");
  const auto code = body_failure_->status == 413   ? errc::make_error_code(errc::message_size)
                    : body_failure_->status == 408 ? errc::make_error_code(errc::timed_out)
                                                   : errc::make_error_code(errc::bad_message);
  throw BodyUnreadable(body_failure_->status, code, std::string(body_failure_->detail));
}

// Empty: the body is complete, or body_failure_ or gone_ says why it ends here.
asio::awaitable<std::string_view> Connection::next_body_part() {
  std::string_view part;
  if (!body_done_) {
    ask_for_body();
    if (!write_now() && !co_await write_rest()) gone_ = true;
  }
  while (!body_done_ && !gone_ && body_failure_ == nullptr) {
    part = part_at_hand();
    if (!part.empty() || body_done_ || body_failure_ != nullptr) break;
    read_pos_ = end_ = head_end_;   // overwrites the parts that were handed out before
    if (!begin_transfer(Phase::body, worker_.options().body_timeout, worker_.options().body_bytes_per_second_min)) {
      body_failure_ = &problems::k_body_timeout;
      break;
    }
    error_code ec;
    const std::size_t before = end_;
    const std::size_t n = co_await socket_.async_read_some(room(), asio::redirect_error(asio::use_awaitable, ec));
    const Input input = took(ec, n);
    end_transfer(end_ - before);
    gone_ = input == Input::gone;
    if (input == Input::late) body_failure_ = &problems::k_body_timeout;
  }
  phase_ = Phase::handling;
  deadline_ = Clock::time_point::max();
  co_return part;
}

std::string_view Connection::part_at_hand() {
  char* const at = input_.get() + read_pos_;
  if (!exchange_->head.chunked) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, end_ - read_pos_));
    read_pos_ += size;
    body_left_ -= size;
    body_done_ = body_left_ == 0;
    return {at, size};
  }
  const auto progress = chunks_.decode(at, end_ - read_pos_, at);
  read_pos_ += progress.consumed;
  body_done_ = chunks_.done();
  body_failure_ = chunks_.refusal();
  return {at, progress.produced};
}

Connection::Rest Connection::settle_body() {
  while (!body_done_ && body_failure_ == nullptr && !part_at_hand().empty()) {}
  if (body_done_) return Rest::none;
  // A client that waits for 100 may send its body or its next request, and the two cannot be told apart.
  if (body_failure_ != nullptr || gone_ || continue_due_) return Rest::close;
  return exchange_->head.chunked || body_left_ <= k_drain_bytes_max ? Rest::drain : Rest::close;
}

asio::awaitable<bool> Connection::drain_body() {
  std::size_t drained = 0;
  while (!body_done_ && drained <= k_drain_bytes_max) {
    const auto part = co_await next_body_part();
    if (part.empty()) break;
    drained += part.size();
  }
  co_return body_done_;
}

// ---- Answers.

void Connection::before_handling() {
  phase_ = Phase::handling;
  deadline_ = Clock::time_point::max();
  worker_.count().requests.add(1);
  if (!has_output() || flush_posted_) return;
  // If the handler suspends, answers to earlier requests must not wait for it.
  flush_posted_ = true;
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->flush_while_handling(); });
}

void Connection::flush_while_handling() {
  flush_posted_ = false;
  if (phase_ == Phase::handling) write_now();
}

void Connection::handler_failed() {
  if (body_failure_ != nullptr) return prepare_refusal(*body_failure_);
  if (!gone_) {
    try {
      throw;
    } catch (const std::exception& e) {
      worker_.report(exchange_->request_id, e.what());
    } catch (...) {
      worker_.report(exchange_->request_id, "an exception of unknown type");
    }
  }
  prepare_refusal(problems::k_internal);
}

void Connection::prepare_refusal(const Problem& problem) {
  exchange_->clear_response();
  exchange_->response.status = problem.status;
  worker_.handler().refuse(problem, exchange_->head.path, exchange_->response);
}

void Connection::compose(bool close) {
  Exchange& x = *exchange_;
  waited_ = {};   // measure the answer from here on, without the waits for the body
  moved_ = 0;
  Response& response = x.response;
  if (response.status < 200 || response.status > 599) {
    worker_.report(x.request_id, "the handler set a status outside 200 to 599");
    prepare_refusal(problems::k_internal);
  }
  const bool streamed = response.stream != nullptr && has_body(response.status);
  if (!streamed || x.head.method == "HEAD") response.stream.reset();
  close_ = close || response.close || gone_ || over_limit_ || !x.head.keep_alive || worker_.stopping() || response.stream != nullptr;
  const AnswerFacts facts{.stamp = worker_.stamp(),
                          .request_id = x.request_id,
                          .close = close_,
                          .says_keep_alive = !x.head.http_1_1 && !close_,
                          .framing = !streamed         ? Framing::length
                                     : x.head.http_1_1 ? Framing::chunked
                                                       : Framing::until_close};
  const std::string_view dropped = append_head(x.out, response, facts);
  if (!dropped.empty()) worker_.report(x.request_id, "omitted a header that a handler cannot set: " + std::string(dropped));
  if (!has_body(response.status) || x.head.method == "HEAD" || streamed) return;
  const std::string_view body = response.body_bytes();
  if (body.size() <= k_copied_body_bytes_max) x.out += body;
  else write_apart(body);
}

// Writes a body without a copy. The kernel's own buffer would grow to megabytes for each connection. A smaller one keeps less memory for a slow
// client, and is faster: both sides find its bytes in the processor's cache.
void Connection::write_apart(std::string_view body) {
  tail_ = body;
  if (body.size() < k_large_body_bytes_min || send_buffer_set_) return;
  send_buffer_set_ = true;
  error_code ignored;   // without it, more memory is used
  socket_.set_option(asio::socket_base::send_buffer_size(k_body_send_buffer_bytes), ignored);
}

void Connection::end_request() {
  begin_ = read_pos_;
  scanner_.reset();
  exchange_->clear_request();
  exchange_->clear_response();
}

asio::awaitable<void> Connection::refuse(const Problem& problem) {
  take_exchange();
  Exchange& x = *exchange_;
  worker_.count().refused_requests.add(1);
  if (x.request_id.empty()) x.request_id = worker_.new_request_id(x.new_id);
  prepare_refusal(problem);
  compose(true);
  if (!write_now() && !co_await write_rest()) co_return;
  co_await linger();
}

// Closing a socket with unread bytes makes the kernel send RST, which can destroy the answer on its way. So this announces the end, then
// reads and discards until the client has seen it.
asio::awaitable<void> Connection::linger() {
  if (exchange_) worker_.give_back(std::move(exchange_));
  error_code ec;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
  begin_ = end_ = 0;
  make_room();
  begin_wait(Phase::lingering, k_linger_time);
  for (std::size_t thrown = 0; !ec && !late_ && thrown < k_linger_bytes_max;) {
    thrown += co_await socket_.async_read_some(room(), asio::redirect_error(asio::use_awaitable, ec));
  }
}

std::array<asio::const_buffer, 2> Connection::output() const {
  const std::string& out = exchange_->out;
  const std::size_t of_out = std::min(sent_, out.size());
  const std::size_t of_tail = sent_ - of_out;
  return {asio::buffer(out.data() + of_out, out.size() - of_out), asio::buffer(tail_.data() + of_tail, tail_.size() - of_tail)};
}

// Writes what the socket accepts at once; true if that is everything. An error shows up when the rest is waited for.
bool Connection::write_now() {
  if (!has_output()) return true;
  error_code ec;
  wrote(socket_.write_some(output(), ec));
  return !has_output();
}

asio::awaitable<bool> Connection::write_rest() {
  while (has_output()) {
    if (!begin_transfer(Phase::writing, worker_.options().write_timeout, worker_.options().answer_bytes_per_second_min)) co_return false;
    error_code ec;
    const std::size_t n = co_await socket_.async_write_some(output(), asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return false;
    end_transfer(n);
    wrote(n);
  }
  co_return true;
}

void Connection::wrote(std::size_t n) {
  worker_.count().bytes_out.add(n);
  sent_ += n;
  if (has_output()) return;
  sent_ = 0;
  tail_ = {};
  exchange_->out.clear();
}

}   // namespace holdfast::http
