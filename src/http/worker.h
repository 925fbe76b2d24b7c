// One thread of the server: its io_context, its acceptor, its connections and the clock that they share.
//
// Everything here belongs to the thread that runs the context, except where a comment says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "http/address_counts.h"
#include "http/exchange.h"
#include "http/proxies.h"
#include "http/server.h"
#include "http/spare_descriptor.h"

namespace holdfast::http {

using Clock = std::chrono::steady_clock;
using ConnectionHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
class Connection;

// A counter with one writer and any number of readers. It needs no locked instruction, because there is only one writer.
class Counter {
 public:
  void add(std::uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct alignas(64) Counters {
  Counter accepted, refused_connections, closed, requests, refused_requests, timeouts, bytes_in, bytes_out;
};

// What all workers of a server share.
struct Shared {
  ServerOptions options;
  Handler& handler;
  ServerHooks hooks;
  TrustedProxies proxies{options.trusted_proxies};
  AddressCounts by_address{options.connections_per_address_max};
  std::atomic<std::size_t> open{0};   // connections, for connections_max
};

class Worker {
 public:
  explicit Worker(Shared& shared);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  boost::asio::ip::tcp::acceptor& acceptor() { return acceptor_; }
  boost::asio::io_context& context() { return context_; }   // any thread
  const Counters& counters() const { return counters_; }    // any thread

  // Runs on the worker's own thread. Returns after begin_stop(), once everything is answered or drain_timeout has passed.
  void run();
  void begin_stop();   // any thread

  // For connections.
  const ServerOptions& options() const { return shared_.options; }
  Handler& handler() { return shared_.handler; }
  const TrustedProxies& proxies() const { return shared_.proxies; }
  Counters& count() { return counters_; }
  Clock::time_point now() const { return now_; }   // at most a sweep period old
  Clock::time_point deadline_in(std::chrono::milliseconds time) const { return now_ + time + sweep_period_; }   // never early
  std::string_view stamp() const { return stamp_; }
  bool stopping() const { return stopping_; }
  std::unique_ptr<Exchange> take_exchange();
  void give_back(std::unique_ptr<Exchange> exchange);
  std::string_view new_request_id(std::array<char, 32>& room);
  void report(std::string_view request_id, std::string_view what) const;
  void turn_away(boost::asio::ip::tcp::socket& socket, const Problem& problem);
  void turn_away_of_address(boost::asio::ip::tcp::socket& socket);
  std::optional<AddressCounts::Place> take_place(const boost::asio::ip::address& client);
  void connection_ended(bool over_limit);

 private:
  using ConnectionList =
      boost::intrusive::list<Connection, boost::intrusive::base_hook<ConnectionHook>, boost::intrusive::constant_time_size<false>>;

  boost::asio::awaitable<void> accept_loop();
  void admit(boost::asio::ip::tcp::socket socket);
  bool make_room_over_limit();
  bool turn_away_without_descriptor();
  std::string refusal_of(const Problem& problem);
  // At most once per k_overload_report_period for each kind; `last`: when this kind was reported.
  void report_overload(std::string_view what, Clock::time_point& last);
  bool has_connections() const { return !connections_.empty() || !over_limit_.empty(); }
  template <typename Action>
  void for_each_connection(Action action) {
    for (ConnectionList* list : {&connections_, &over_limit_}) {
      for (Connection& connection : *list) action(connection);
    }
  }
  boost::asio::awaitable<void> sweep_loop();
  void read_clocks();
  void sweep();
  void stop_here();
  void end_if_drained();

  // The context is destroyed first. It destroys the connections, which then unlink themselves and return their exchanges.
  Shared& shared_;
  Counters counters_;
  ConnectionList connections_;
  ConnectionList over_limit_;   // in the order of their arrival
  std::vector<std::unique_ptr<Exchange>> pool_;
  Clock::time_point now_;
  Clock::time_point drain_deadline_ = Clock::time_point::max();
  std::time_t stamped_at_ = 0;
  std::string stamp_;
  std::mt19937_64 random_;
  std::chrono::milliseconds sweep_period_;
  std::size_t over_limit_open_ = 0;
  Clock::time_point overload_reported_at_ = Clock::time_point::min();       // of the whole server
  Clock::time_point full_address_reported_at_ = Clock::time_point::min();   // of one client, so that it hides nothing about the server
  SpareDescriptor spare_;
  bool stopping_ = false;
  bool sweeping_ = false;

  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_pause_;
  boost::asio::steady_timer sweep_timer_;
};

}  // namespace holdfast::http
