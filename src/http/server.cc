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

struct Server::Impl {
  Impl(ServerOptions options, Handler& handler, ServerHooks hooks) : shared{std::move(options), handler, std::move(hooks)} {
    check(shared.options);
    for (unsigned i = 0; i < shared.options.threads; ++i) workers.push_back(std::make_unique<Worker>(shared));
  }

  void listen(tcp::endpoint endpoint) try {
    for (const auto& worker : workers) {
      const bool is_first = worker == workers.front();
      listen_on(worker->acceptor(), endpoint, is_first, workers.size() > 1);
      if (is_first) endpoint.port(worker->acceptor().local_endpoint().port());
    }
  } catch (const boost::system::system_error& e) {
    boost::system::error_code ignored;
    for (auto& worker : workers) worker->acceptor().close(ignored);
    throw std::system_error(e.code().value(), std::system_category(),
                            "http: cannot listen on " + shared.options.listen + " port " + std::to_string(endpoint.port()));
  }

  std::mutex mutex;   // serialises start() and stop()
  Shared shared;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  std::atomic<std::uint16_t> port = 0;
};

Server::Server(ServerOptions options, Handler& handler, ServerHooks hooks)
    : impl_(std::make_unique<Impl>(std::move(options), handler, std::move(hooks))) {}

Server::~Server() { stop(); }

void Server::start() {
  const std::lock_guard lock(impl_->mutex);
  require(impl_->port == 0, "http: a server starts once");
  impl_->listen(endpoint_of(impl_->shared.options));
  impl_->port = impl_->workers.front()->acceptor().local_endpoint().port();
  for (auto& worker : impl_->workers) {
    impl_->threads.emplace_back([&worker = *worker] { worker.run(); });
    ::pthread_setname_np(impl_->threads.back().native_handle(), "http");
  }
}

void Server::stop() {
  const std::lock_guard lock(impl_->mutex);
  for (auto& worker : impl_->workers) {
    if (!impl_->threads.empty()) worker->begin_stop();   // all at once, because each may take drain_timeout
  }
  for (auto& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

std::uint16_t Server::port() const { return impl_->port; }
boost::asio::io_context& Server::context(unsigned i) { return impl_->workers.at(i)->context(); }

ServerStats Server::stats() const {
  ServerStats sum{};
  for (const auto& worker : impl_->workers) {
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

}  // namespace holdfast::http
