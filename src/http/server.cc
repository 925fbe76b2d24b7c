#include "http/server.h"

#include <sys/socket.h>
#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "http/worker.h"

namespace holdfast::http {

using boost::asio::ip::tcp;

namespace {

using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

void check(const ServerOptions& o) {
  using namespace std::chrono_literals;
  require(o.threads >= 1 && o.threads <= k_threads_max, "http: threads must be 1 to 64");
  require(o.header_bytes_max >= 64 && o.header_bytes_max <= 1024 * 1024, "http: header_bytes_max must be 64 to 1048576");
  require(o.target_bytes_max >= 1, "http: target_bytes_max must be at least 1");
  require(o.connections_max >= 1, "http: connections_max must be at least 1");
  require(o.connections_over_max >= 1, "http: connections_over_max must be at least 1");
  for (const auto time : {o.header_timeout, o.body_timeout, o.idle_timeout, o.write_timeout, o.drain_timeout}) {
    require(time > 0ms, "http: timeouts must be positive");
  }
}

tcp::endpoint endpoint_of(const ServerOptions& options) {
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(options.listen, ec);
  if (ec) throw std::system_error(std::make_error_code(std::errc::invalid_argument), "http: not an address: " + options.listen);
  return {address, options.port};
}

// The first acceptor binds the port alone, without SO_REUSEPORT, and only then admits the others. So a port in use is an error whatever
// options its owner has set, and no other process can slip in between.
void listen_on(tcp::acceptor& acceptor, const tcp::endpoint& endpoint, bool is_first, bool others_follow) {
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));   // a port in TIME_WAIT can be used
  if (!is_first) acceptor.set_option(ReusePort(true));
  acceptor.bind(endpoint);
  acceptor.listen(k_listen_backlog);
  acceptor.non_blocking(true);
  if (is_first && others_follow) acceptor.set_option(ReusePort(true));
}

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Handler& handler, ServerHooks hooks) : shared_{std::move(options), handler, std::move(hooks)} {
    check(shared_.options);
    for (unsigned i = 0; i < shared_.options.threads; ++i) workers_.push_back(std::make_unique<Worker>(shared_));
  }

  void start() {
    const std::lock_guard lock(mutex_);
    require(port_ == 0, "http: a server starts once");
    listen(endpoint_of(shared_.options));
    port_ = workers_.front()->acceptor().local_endpoint().port();
    for (auto& worker : workers_) {
      threads_.emplace_back([&worker = *worker] { worker.run(); });
      ::pthread_setname_np(threads_.back().native_handle(), "http");
    }
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    for (auto& worker : workers_) {
      if (!threads_.empty()) worker->begin_stop();   // all at once, because each may take drain_timeout
    }
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  std::uint16_t port() const { return port_; }
  Worker& worker(unsigned i) { return *workers_.at(i); }

  ServerStats stats() const {
    ServerStats sum{};
    for (const auto& worker : workers_) {
      const Counters& c = worker->counters();
      const auto closed = c.closed.get();   // read before `accepted`, so that the difference is never negative
      const auto accepted = c.accepted.get();
      sum.connections_accepted += accepted;
      sum.connections_refused += c.refused_connections.get();
      sum.connections_open += accepted - std::min(closed, accepted);
      sum.requests += c.requests.get();
      sum.requests_refused += c.refused_requests.get();
      sum.timeouts += c.timeouts.get();
      sum.bytes_in += c.bytes_in.get();
      sum.bytes_out += c.bytes_out.get();
    }
    return sum;
  }

 private:
  void listen(tcp::endpoint endpoint) try {
    for (const auto& worker : workers_) {
      const bool is_first = worker == workers_.front();
      listen_on(worker->acceptor(), endpoint, is_first, workers_.size() > 1);
      if (is_first) endpoint.port(worker->acceptor().local_endpoint().port());
    }
  } catch (const boost::system::system_error& e) {
    boost::system::error_code ignored;
    for (auto& worker : workers_) worker->acceptor().close(ignored);
    throw std::system_error(e.code().value(), std::system_category(),
                            "http: cannot listen on " + shared_.options.listen + " port " + std::to_string(endpoint.port()));
  }

  std::mutex mutex_;   // serialises start() and stop()
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::atomic<std::uint16_t> port_ = 0;
};

Server::Server(ServerOptions options, Handler& handler, ServerHooks hooks)
    : impl_(std::make_unique<Impl>(std::move(options), handler, std::move(hooks))) {}

Server::~Server() { stop(); }

void Server::start() { impl_->start(); }
void Server::stop() { impl_->stop(); }
std::uint16_t Server::port() const { return impl_->port(); }
ServerStats Server::stats() const { return impl_->stats(); }
boost::asio::io_context& Server::context(unsigned i) { return impl_->worker(i).context(); }

}  // namespace holdfast::http
