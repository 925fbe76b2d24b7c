// One connection: the coroutine that reads requests, asks the handler, and writes answers in the order of the requests.
//
// The input buffer, from low to high offsets:
//
//   begin_          head_end_         body_end_/read_pos_          end_        room
//     | request head | body, decoded    | bytes not looked at yet   | free      |
//
// A request's bytes stay where they are while its handler runs, because the request's views point there.
//
// There is no timer per request: a connection sets deadline_, and its worker checks it periodically.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string_view>

#include "http/chunked.h"
#include "http/exchange.h"
#include "http/parser.h"
#include "http/stream.h"
#include "http/worker.h"

namespace holdfast::http {

class Connection final : public std::enable_shared_from_this<Connection>, public ConnectionHook, private StreamWriter {
 public:
  // `place` counts the connection for its client.
  Connection(Worker& worker, boost::asio::ip::tcp::socket socket, AddressCounts::Place place, bool over_limit);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The whole life of the connection; keeps it alive. A connection over the limit gets one answer: 503, unless its request is urgent.
  boost::asio::awaitable<void> serve();

  // For its exchange: the next part of a streamed body, empty at its end, and the client's address.
  boost::asio::awaitable<std::string_view> read_body_part();
  boost::asio::ip::address client() const;

  // For the worker.
  void check_deadline(Clock::time_point now);
  bool give_way();   // over the limit: ends a connection that has sent no request yet, or has its answer; whether it ended
  void begin_stop();
  void abort();

 private:
  enum class Phase : std::uint8_t { idle, head, body, handling, writing, streaming, lingering };
  enum class Input : std::uint8_t { bytes, late, gone };
  enum class Next : std::uint8_t { wait, overdue, end };
  enum class Rest : std::uint8_t { none, drain, close };   // what to do with the unread rest of a streamed body

  // The client.
  boost::asio::awaitable<bool> begin_with_proxy_header();
  boost::asio::awaitable<Refusal> read_proxy_header();
  boost::asio::ip::address peer() const;

  // Input.
  Refusal find_head(bool& found);
  Refusal skip_empty_lines();
  Refusal open_request();
  Next begin_wait_for_head();
  void begin_wait(Phase phase, std::chrono::milliseconds time);
  bool begin_transfer(Phase phase, std::chrono::milliseconds silence, std::size_t bytes_per_second_min);
  void end_transfer(std::size_t n);
  Input took(const boost::system::error_code& ec, std::size_t n);
  void make_room();
  void move_input(std::size_t capacity);
  boost::asio::mutable_buffer room() { return {input_.get() + end_, capacity_ - end_}; }
  std::string_view unread() const { return {input_.get() + begin_, end_ - begin_}; }
  void take_exchange();

  // Bodies.
  Refusal plan_body(const BodyRule& rule);
  Refusal advance_body();
  boost::asio::awaitable<Input> read_whole_body(Refusal& refusal);
  boost::asio::awaitable<std::string_view> next_body_part();
  std::string_view part_at_hand();
  Rest settle_body();
  boost::asio::awaitable<bool> drain_body();
  void ask_for_body();

  // Answers.
  void before_handling();
  void handler_failed();
  void prepare_refusal(const Problem& problem);
  void compose(bool close);
  void write_apart(std::string_view body);
  void end_request();
  boost::asio::awaitable<void> refuse(const Problem& problem);
  boost::asio::awaitable<void> linger();
  bool has_output() const { return exchange_ && sent_ < exchange_->out.size() + tail_.size(); }
  std::array<boost::asio::const_buffer, 2> output() const;
  bool write_now();
  boost::asio::awaitable<bool> write_rest();
  void wrote(std::size_t n);
  void flush_while_handling();

  // Streamed answers (stream.cc).
  boost::asio::awaitable<void> stream_answer();
  void begin_stream(const std::shared_ptr<StreamSource>& source);
  void end_stream(StreamSource& source);
  bool client_is_there();
  bool write(Chunk chunk) override;
  void end() override;
  void finish_stream();
  void take_part(Chunk chunk);
  void write_part();
  void write_on();

  Worker& worker_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<Exchange> exchange_;   // null while idle
  Clock::time_point deadline_ = Clock::time_point::max();

  std::unique_ptr<char[]> input_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t head_end_ = 0;
  std::size_t body_end_ = 0;
  std::size_t read_pos_ = 0;
  std::size_t end_ = 0;
  HeadScanner scanner_;

  std::uint64_t body_left_ = 0;       // of a body with Content-Length: bytes not looked at yet
  ChunkDecoder chunks_;
  Refusal body_failure_ = nullptr;
  std::string_view tail_;             // a large response body, written without a copy
  std::size_t sent_ = 0;              // of out and tail_ together
  Clock::time_point waits_since_{};   // of the current body or answer
  Clock::duration waited_{0};         // for it, without the current wait
  std::uint64_t moved_ = 0;           // bytes of it

  StreamSource* source_ = nullptr;    // during a streamed answer
  Chunk part_;                        // of it: the chunk that is not written completely
  std::string_view rest_;             // unwritten end of part_
  std::size_t thrown_ = 0;            // bytes that the client sent during it

  AddressCounts::Place place_;
  std::optional<boost::asio::ip::address> told_client_;   // by the PROXY protocol
  bool is_of_proxy_itself_ = false;                       // according to the PROXY protocol: there is no client

  Phase phase_ = Phase::idle;
  std::uint8_t leading_crlfs_ = 0;
  bool over_limit_;
  bool late_ = false;                 // the deadline of this wait has passed
  bool streams_ = false;
  bool body_done_ = true;
  bool continue_due_ = false;         // the client waits for 100 before it sends its body
  bool gone_ = false;                 // the client, as far as is known
  bool close_ = false;                // after the answers in `out`
  bool flush_posted_ = false;
  bool send_buffer_set_ = false;      // for large bodies
  bool chunked_out_ = false;          // the streamed answer is in chunked coding
  bool ending_ = false;               // no further chunk is accepted
  bool last_taken_ = false;
  bool over_ = false;                 // the streamed answer is complete, or cannot be completed
};

}  // namespace holdfast::http
