#include "http/worker.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "http/answer.h"
#include "http/connection.h"

namespace holdfast::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

std::mt19937_64 seeded() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

// A quarter of the shortest timeout.
std::chrono::milliseconds sweep_period_of(const ServerOptions& o) {
  const auto shortest = std::min({o.header_timeout, o.body_timeout, o.idle_timeout, o.write_timeout, o.drain_timeout});
  return std::clamp(shortest / 4, k_sweep_period_min, k_sweep_period_max);
}

// A server that no longer accepts or checks deadlines must not look alive: an exception here ends the process.
void end_of_loop(const std::exception_ptr& failure) {
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

Worker::Worker(Shared& shared)
    : shared_(shared),
      random_(seeded()),
      sweep_period_(sweep_period_of(shared.options)),
      context_(1),
      acceptor_(context_),
      accept_pause_(context_),
      sweep_timer_(context_) {
  read_clocks();
}

// The context is destroyed after this, with the connections of a drain that was cut short. They must not call end_if_drained().
Worker::~Worker() { stopping_ = false; }

void Worker::run() {
  asio::co_spawn(context_, accept_loop(), end_of_loop);
  context_.run();
}

asio::awaitable<void> Worker::accept_loop() {
  while (!stopping_) {
    error_code ec;
    tcp::socket socket(context_);
    co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
    if (stopping_) co_return;
    if (!ec) {
      admit(std::move(socket));
    } else if (ec == asio::error::no_descriptors && turn_away_without_descriptor()) {
      continue;
    } else if (ec != asio::error::connection_aborted) {   // out of descriptors or memory: retry after a pause
      accept_pause_.expires_after(k_accept_pause);
      co_await accept_pause_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
  }
}

void Worker::admit(tcp::socket socket) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  if (!sweeping_) read_clocks();
  std::optional<AddressCounts::Place> place = AddressCounts::Place();
  if (!shared_.by_address.is_off()) place = take_place(socket.remote_endpoint(ignored).address());
  if (!place) return turn_away_of_address(socket);
  const bool over_limit = shared_.open.fetch_add(1, std::memory_order_relaxed) >= shared_.options.connections_max;
  if (over_limit) {
    shared_.open.fetch_sub(1, std::memory_order_relaxed);
    counters_.refused_connections.add(1);
    report_overload("http.connections_max (" + std::to_string(shared_.options.connections_max) +
                        ") connections are open; further ones are answered 503, except probes and callers with a key",
                    overload_reported_at_);
    if (over_limit_open_ >= shared_.options.connections_over_max && !make_room_over_limit())
      return turn_away(socket, problems::k_too_many_connections);
    ++over_limit_open_;
  } else {
    counters_.accepted.add(1);
  }
  auto connection = std::make_shared<Connection>(*this, std::move(socket), *std::move(place), over_limit);
  (over_limit ? over_limit_ : connections_).push_back(*connection);
  if (!sweeping_) asio::co_spawn(context_, sweep_loop(), end_of_loop);
  asio::co_spawn(context_, connection->serve(), [this](const std::exception_ptr& failure) {
    if (failure) report({}, "a connection was closed: out of memory, or body_rule() or refuse() has thrown");
  });
}

// A connection over the limit that has sent no request yet, or has its answer, gives way to a new one: urgent callers send their request at
// once. The old connection may take a moment to end.
bool Worker::make_room_over_limit() {
  return std::ranges::any_of(over_limit_, [](Connection& connection) { return connection.give_way(); });
}

// Counts one more connection of a client; nullopt if the client has its maximum. Connections of a trusted proxy that does not name its client,
// or not yet, belong to many clients and are not counted.
std::optional<AddressCounts::Place> Worker::take_place(const asio::ip::address& client) {
  if (proxies().trusts(client)) return AddressCounts::Place();
  return shared_.by_address.take(client);
}

// Without waiting, so that one address with too many connections cannot keep others out.
void Worker::turn_away_of_address(tcp::socket& socket) {
  counters_.refused_connections.add(1);
  report_overload("a client address has http.connections_per_address_max (" + std::to_string(shared_.options.connections_per_address_max) +
                      ") connections open; further ones of such addresses are answered 503",
                  full_address_reported_at_);
  turn_away(socket, problems::k_too_many_of_address);
}

// Answers 503 without waiting for the client.
void Worker::turn_away(tcp::socket& socket, const Problem& problem) {
  error_code ec;
  const std::string answer = refusal_of(problem);
  socket.write_some(asio::buffer(answer), ec);
  socket.shutdown(tcp::socket::shutdown_send, ec);
  // Read first, because unread bytes would make the kernel send RST after the answer.
  std::array<char, 4096> thrown{};
  for (std::size_t all = 0; !ec && all < k_drain_bytes_max;) all += socket.read_some(asio::buffer(thrown), ec);
  socket.close(ec);
}

// The process has no descriptor left: the spare one serves to accept a waiting connection and answer 503, without waiting for the client.
// False if that was not possible.
bool Worker::turn_away_without_descriptor() {
  report_overload("the process has run out of file descriptors (the limit is `ulimit -n`, LimitNOFILE); new connections are answered 503",
                  overload_reported_at_);
  spare_.give_up();
  bool accepted = false;
  {
    error_code ec;
    tcp::socket socket(context_);
    acceptor_.accept(socket, ec);
    accepted = !ec;
    if (accepted) {
      counters_.refused_connections.add(1);
      socket.non_blocking(true, ec);
      turn_away(socket, problems::k_too_many_connections);
    }
  }
  spare_.take();
  return accepted;
}

std::string Worker::refusal_of(const Problem& problem) {
  Response response;
  response.status = problem.status;
  handler().refuse(problem, {}, response);
  std::array<char, 32> id{};
  std::string out;
  append_head(out, response,
              {.stamp = stamp_, .request_id = new_request_id(id), .close = true, .says_keep_alive = false, .framing = Framing::length});
  return out.append(response.body_bytes());
}

void Worker::connection_ended(bool over_limit) {
  if (over_limit) {
    --over_limit_open_;
  } else {
    counters_.closed.add(1);
    shared_.open.fetch_sub(1, std::memory_order_relaxed);
  }
  end_if_drained();
}

asio::awaitable<void> Worker::sweep_loop() {
  sweeping_ = true;
  while (has_connections()) {
    error_code ec;
    sweep_timer_.expires_after(sweep_period_);
    co_await sweep_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    sweep();
  }
  sweeping_ = false;
}

void Worker::read_clocks() {
  now_ = Clock::now();
  const std::time_t second = std::time(nullptr);
  if (second == stamped_at_) return;
  stamped_at_ = second;
  stamp_ = stamp_of(second);
}

void Worker::sweep() {
  read_clocks();
  for_each_connection([this](Connection& connection) { connection.check_deadline(now_); });
  if (now_ < drain_deadline_) return;
  for_each_connection([](Connection& connection) { connection.abort(); });
  context_.stop();
}

void Worker::begin_stop() {
  asio::post(context_, [this] { stop_here(); });
}

void Worker::stop_here() {
  stopping_ = true;
  read_clocks();
  drain_deadline_ = now_ + options().drain_timeout;
  error_code ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  for_each_connection([](Connection& connection) { connection.begin_stop(); });
  end_if_drained();
}

void Worker::end_if_drained() {
  if (stopping_ && !has_connections()) context_.stop();
}

std::unique_ptr<Exchange> Worker::take_exchange() {
  if (pool_.empty()) return std::make_unique<Exchange>();
  auto exchange = std::move(pool_.back());
  pool_.pop_back();
  return exchange;
}

void Worker::give_back(std::unique_ptr<Exchange> exchange) {
  if (pool_.size() >= k_exchanges_pooled_max) return;
  exchange->recycle();
  pool_.push_back(std::move(exchange));
}

std::string_view Worker::new_request_id(std::array<char, 32>& room) {
  static constexpr char k_hex[] = "0123456789abcdef";
  for (std::size_t i = 0; i < room.size(); i += 16) {
    std::uint64_t bits = random_();
    for (std::size_t j = 0; j < 16; ++j, bits >>= 4U) room.at(i + j) = k_hex[bits & 15U];
  }
  return {room.data(), room.size()};
}

void Worker::report_overload(std::string_view what, Clock::time_point& last) {
  const auto now = Clock::now();
  if (!shared_.hooks.on_overload || (last != Clock::time_point::min() && now < last + k_overload_report_period)) return;
  last = now;
  shared_.hooks.on_overload(what);
}

void Worker::report(std::string_view request_id, std::string_view what) const {
  if (shared_.hooks.on_handler_error) shared_.hooks.on_handler_error(request_id, what);
}

}   // namespace holdfast::http
