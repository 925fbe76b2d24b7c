// The part of a connection's life that is a streamed answer.
#include "http/stream.h"

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "core/check.h"
#include "http/connection.h"
#include "http/limits.h"

namespace holdfast::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

Chunk chunk_of(std::string_view part) {
  HOLDFAST_CHECK(!part.empty());
  std::array<char, 16> size;
  const auto end = std::to_chars(size.data(), size.data() + size.size(), part.size(), 16).ptr;
  auto chunk = std::make_shared<std::string>();
  chunk->reserve(static_cast<std::size_t>(end - size.data()) + part.size() + 4);
  chunk->append(size.data(), end).append("\r\n").append(part).append("\r\n");
  return chunk;
}

namespace {

const Chunk& last_chunk() {
  static const Chunk chunk = std::make_shared<std::string>("0\r\n\r\n");
  return chunk;
}

// The part alone, for HTTP/1.0 clients.
std::string_view part_of(std::string_view chunk) {
  const std::size_t at = chunk.find("\r\n") + 2;
  return at + 2 <= chunk.size() ? chunk.substr(at, chunk.size() - at - 2) : std::string_view{};
}

}  // namespace

// Waits only for the end: the client leaves, or over_ is set. The source writes, by calling write().
asio::awaitable<void> Connection::stream_answer() {
  const std::shared_ptr<StreamSource> source = std::exchange(exchange_->response.stream, nullptr);
  if (!write_now() && !co_await write_rest()) co_return;
  begin_stream(source);
  struct Closing {
    Connection& connection;
    StreamSource& source;
    ~Closing() { connection.end_stream(source); }
  };
  {
    const Closing closing{*this, *source};
    source->opened(*this);
    if (worker_.stopping()) begin_stop();
    while (!over_) {
      error_code ec;
      co_await socket_.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, ec));
      if (!over_ && (late_ || !client_is_there())) break;
    }
  }
  if (over_ && !gone_) co_await linger();
}

// An idle listener keeps its socket and this coroutine, and no buffers.
void Connection::begin_stream(const std::shared_ptr<StreamSource>& source) {
  source_ = source.get();
  chunked_out_ = exchange_->head.http_1_1;
  worker_.give_back(std::move(exchange_));
  input_.reset();
  capacity_ = begin_ = head_end_ = body_end_ = read_pos_ = end_ = 0;
  phase_ = Phase::streaming;
  late_ = false;
  deadline_ = Clock::time_point::max();
  error_code ignored;   // the kernel's default can be megabytes, which are out of date by the time they are read
  socket_.set_option(asio::socket_base::send_buffer_size(k_stream_send_buffer_bytes), ignored);
}

void Connection::end_stream(StreamSource& source) {
  source_ = nullptr;
  part_.reset();
  deadline_ = Clock::time_point::max();
  const bool ended = over_ && !gone_;
  if (late_) {   // otherwise the kernel would keep unread bytes for minutes
    error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  }
  source.closed(late_ ? StreamEnd::too_slow : ended ? StreamEnd::ended : StreamEnd::client_left);
}

// Reads and discards what the client has sent.
bool Connection::client_is_there() {
  std::array<char, 1024> waste;
  error_code ec;
  while (!ec && thrown_ < k_linger_bytes_max) {
    const std::size_t n = socket_.read_some(asio::buffer(waste), ec);
    thrown_ += n;
    worker_.count().bytes_in.add(n);
  }
  gone_ = ec != asio::error::would_block;
  return !gone_;
}

bool Connection::write(Chunk chunk) {
  if (source_ == nullptr || part_ != nullptr || ending_ || over_) return false;
  take_part(std::move(chunk));
  return true;
}

void Connection::end() {
  if (source_ == nullptr || ending_ || over_) return;
  ending_ = true;
  if (part_ == nullptr) finish_stream();
}

// Everything accepted has been written. Writes the last chunk, which ends the body.
void Connection::finish_stream() {
  if (chunked_out_ && !last_taken_) {
    last_taken_ = true;
    take_part(last_chunk());
    if (part_ != nullptr) return;
  }
  over_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void Connection::take_part(Chunk chunk) {
  part_ = std::move(chunk);
  rest_ = chunked_out_ ? std::string_view(*part_) : part_of(*part_);
  deadline_ = worker_.deadline_in(worker_.options().write_timeout);
  write_part();
}

void Connection::write_part() {
  error_code ec;
  const std::size_t n = rest_.empty() ? 0 : socket_.write_some(asio::buffer(rest_), ec);
  rest_.remove_prefix(n);
  worker_.count().bytes_out.add(n);
  if (n > 0) deadline_ = worker_.deadline_in(worker_.options().write_timeout);
  if (rest_.empty()) {
    part_.reset();
    deadline_ = Clock::time_point::max();
    return;
  }
  if (ec && ec != asio::error::would_block) {
    gone_ = over_ = true;
    socket_.cancel(ec);
    return;
  }
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& failed) {
    if (!failed) self->write_on();
  });
}

void Connection::write_on() {
  if (part_ == nullptr) return;
  write_part();
  if (part_ != nullptr || over_) return;
  if (ending_) finish_stream();
  else source_->writable();
}

}  // namespace holdfast::http
