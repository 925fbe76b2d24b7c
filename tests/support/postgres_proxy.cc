#include "support/postgres_proxy.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <deque>
#include <exception>
#include <future>
#include <list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/services.h"

namespace holdfast::test {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

constexpr std::size_t k_read_bytes = 65'536;
constexpr std::size_t k_length_bytes = 4;
constexpr std::uint32_t k_asks_for_tls = 80'877'103, k_asks_for_gss = 80'877'104;

constexpr std::string_view k_application_of_batches = "holdfast ledger";

struct Message {
  char type;   // 0: the first message of a connection, which has none
  std::string bytes;
};

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (const char c : bytes.substr(at, k_length_bytes)) number = number << 8U | static_cast<unsigned char>(c);
  return number;
}

// Takes the whole messages at the front of what has come.
class Reader {
 public:
  explicit Reader(bool begins_without_type) : is_typed_(!begins_without_type) {}

  void add(std::string_view bytes) { input_ += bytes; }
  std::optional<Message> next() {
    const std::size_t before = is_typed_ ? 1 : 0;
    if (input_.size() < before + k_length_bytes) return std::nullopt;
    const std::size_t bytes = before + number_at(input_, before);   // the length counts itself, and not the type
    if (input_.size() < bytes) return std::nullopt;
    Message message{is_typed_ ? input_[0] : '\0', input_.substr(0, bytes)};
    input_.erase(0, bytes);
    // A client that is told that there is no TLS begins again.
    is_typed_ = is_typed_ || !asks_for_encryption(message);
    return message;
  }
  static bool asks_for_encryption(const Message& message) {
    if (message.type != 0 || message.bytes.size() < 2 * k_length_bytes) return false;
    const std::uint32_t code = number_at(message.bytes, k_length_bytes);
    return code == k_asks_for_tls || code == k_asks_for_gss;
  }

 private:
  bool is_typed_;
  std::string input_;
};

// The statement that a Bind executes: its text is `portal 0 statement 0`.
std::string_view statement_of(const Message& bind) {
  const std::string_view text = std::string_view(bind.bytes).substr(1 + k_length_bytes);
  const std::size_t begin = text.find('\0') + 1;
  return text.substr(begin, text.find('\0', begin) - begin);
}

// What the client does with a group of messages, which ends with a Sync. The names are those of src/ledger/postgres/transaction.cc.
Trip trip_of(const std::vector<Message>& group) {
  Trip trip = Trip::other;
  for (const Message& message : group) {
    if (message.type != 'B') continue;
    const std::string_view statement = statement_of(message);
    if (statement == "append") return Trip::write;
    if (statement == "find_batch") return Trip::settlement;
    if (statement == "lock" || statement == "lock_nowait") trip = Trip::read;
  }
  return trip;
}

bool ends_group(char type) { return type != 'P' && type != 'B' && type != 'D' && type != 'E' && type != 'C'; }
bool is_answered_with_ready(char type) { return type == 'S' || type == 'Q'; }

// Once, and corrects the message's length.
void replace_text(Message& message, std::string_view from, std::string_view to) {
  const std::size_t at = message.bytes.find(from);
  if (at == std::string::npos) return;
  message.bytes.replace(at, from.size(), to);
  const auto length = static_cast<std::uint32_t>(message.bytes.size() - 1);
  for (std::size_t i = 0; i < k_length_bytes; ++i) message.bytes[1 + i] = static_cast<char>(length >> (8 * (k_length_bytes - 1 - i)));
}

// Ends the coroutine that has met it; the connection ends with it.
struct ConnectionIsCut {};

}   // namespace

// All of it runs in one thread, but for the constructor and on_thread().
class PostgresProxy::Network {
 public:
  Network(std::uint16_t server_port, std::uint64_t seed)
      : server_(asio::ip::address_v4::loopback(), server_port), port_(free_port()), plan_(seed), acceptor_(io_), outage_end_(io_) {
    listen();
    asio::co_spawn(io_, accept(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Network() {
    io_.stop();
    thread_.join();
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  std::uint16_t port() const { return port_; }

  // Runs it in the network's thread, and returns its result.
  template <typename Work>
  auto on_thread(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    asio::post(io_, [&task] { task(); });
    return result.get();
  }

  struct Session;
  struct Wanted {
    Trip trip;
    Way way;
    char type;
    Fault fault;
  };

  void end_faults();
  void end_all();

  bool is_faulty_ = false;
  bool loses_commits_ = false;
  std::list<Wanted> wanted_;
  FaultTally tally_;

 private:
  void listen();
  awaitable<void> accept();
  awaitable<void> serve(std::shared_ptr<Session> session);
  awaitable<void> outage(milliseconds lasts);
  awaitable<void> to_server(std::shared_ptr<Session> session);
  awaitable<void> to_client(std::shared_ptr<Session> session);
  awaitable<void> pass_group(Session& session, std::vector<Message> group);
  awaitable<void> pass(Session& session, Trip trip, Way way, const Message& message);
  std::optional<Fault> fault_of(Trip trip, Way way, char type);
  std::vector<std::shared_ptr<Session>> living();

  const tcp::endpoint server_;
  const std::uint16_t port_;
  FaultPlan plan_;
  std::list<std::weak_ptr<Session>> sessions_;
  bool is_away_ = false;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer outage_end_;
  std::thread thread_;   // last: it uses the others
};

// A connection of a client, and the one to the server for it.
struct PostgresProxy::Network::Session {
  // One of the two ways.
  struct Half {
    tcp::socket& from;
    tcp::socket& to;
    asio::steady_timer timer;
    std::string output{};   // whole messages that go out together
  };

  explicit Session(tcp::socket accepted)
      : client(std::move(accepted)),
        server(client.get_executor()),
        halves{Half{client, server, asio::steady_timer(client.get_executor())},
               Half{server, client, asio::steady_timer(client.get_executor())}} {}

  Half& half(Way way) { return halves.at(static_cast<std::size_t>(way)); }
  void close() {
    boost::system::error_code ignored;   // it may be closed already
    client.close(ignored);
    server.close(ignored);
    for (Half& each : halves) each.timer.cancel();
  }

  tcp::socket client;
  tcp::socket server;
  std::array<Half, k_ways> halves;
  bool has_begun = false;        // the server is ready for the first statement
  bool is_of_batches = false;   // not a projector's or follower's
  bool is_silent = false;        // a message was swallowed
  std::deque<Trip> awaited{};    // of the groups that the server has not answered wholly
};

std::vector<std::shared_ptr<PostgresProxy::Network::Session>> PostgresProxy::Network::living() {
  std::vector<std::shared_ptr<Session>> all;
  std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
  for (const auto& session : sessions_) all.push_back(session.lock());
  return all;
}

void PostgresProxy::Network::end_faults() {
  is_faulty_ = false;
  outage_end_.cancel();
  for (const auto& session : living()) {
    if (session->is_silent) session->close();
  }
}

void PostgresProxy::Network::end_all() {
  for (const auto& session : living()) session->close();
}

void PostgresProxy::Network::listen() {
  acceptor_.open(tcp::v4());
  acceptor_.set_option(tcp::acceptor::reuse_address(true));
  acceptor_.bind({asio::ip::address_v4::loopback(), port_});
  acceptor_.listen();
}

awaitable<void> PostgresProxy::Network::accept() {
  for (;;) {
    if (is_away_) co_await outage_end_.async_wait(asio::as_tuple(use_awaitable));
    if (is_away_) continue;
    auto [error, client] = co_await acceptor_.async_accept(asio::as_tuple(use_awaitable));
    if (error) continue;   // an outage began
    auto session = std::make_shared<Session>(std::move(client));
    sessions_.push_back(session);
    asio::co_spawn(io_, serve(session), asio::detached);
  }
}

awaitable<void> PostgresProxy::Network::serve(std::shared_ptr<Session> session) {
  boost::system::error_code error;
  co_await session->server.async_connect(server_, asio::redirect_error(use_awaitable, error));
  if (error) co_return session->close();
  session->client.set_option(tcp::no_delay(true), error);
  session->server.set_option(tcp::no_delay(true), error);
  const auto at_its_end = [session](const std::exception_ptr& why) {
    session->close();   // the end of one side ends the other
    try {
      std::rethrow_exception(why);
    } catch (const boost::system::system_error&) {   // a side has closed
    } catch (const ConnectionIsCut&) {}
  };
  asio::co_spawn(io_, to_server(session), at_its_end);
  asio::co_spawn(io_, to_client(session), at_its_end);
}

namespace {

// Reads more messages; throws boost::system::system_error at the connection's end.
template <typename Half>
awaitable<void> read_more(Half& half, Reader& reader) {
  std::array<char, k_read_bytes> buffer;
  const std::size_t bytes = co_await half.from.async_read_some(asio::buffer(buffer), use_awaitable);
  reader.add(std::string_view(buffer.data(), bytes));
}

template <typename Half>
awaitable<void> write_out(Half& half) {
  const std::string output = std::exchange(half.output, {});
  if (!output.empty()) co_await asio::async_write(half.to, asio::buffer(output), use_awaitable);
}

}   // namespace

awaitable<void> PostgresProxy::Network::to_server(std::shared_ptr<Session> session) {
  Reader reader(true);
  std::vector<Message> group;
  Session::Half& half = session->half(Way::to_server);
  for (;;) {
    co_await read_more(half, reader);
    while (auto message = reader.next()) {
      if (Reader::asks_for_encryption(*message)) {
        co_await asio::async_write(session->client, asio::buffer("N", 1), use_awaitable);
        continue;
      }
      const char type = message->type;
      if (type == 0) session->is_of_batches = message->bytes.contains(k_application_of_batches);
      group.push_back(std::move(*message));
      if (ends_group(type)) co_await pass_group(*session, std::exchange(group, {}));
    }
    co_await write_out(half);
  }
}

awaitable<void> PostgresProxy::Network::pass_group(Session& session, std::vector<Message> group) {
  const char last = group.back().type;
  const Trip trip = session.has_begun ? trip_of(group) : Trip::startup;
  if (is_answered_with_ready(last)) session.awaited.push_back(trip);
  for (Message& message : group) {
    if (loses_commits_ && session.is_of_batches && message.type == 'P')
      replace_text(message, std::string_view("\0COMMIT\0", 8), std::string_view("\0ROLLBACK\0", 10));
    co_await pass(session, trip, Way::to_server, message);
  }
}

awaitable<void> PostgresProxy::Network::to_client(std::shared_ptr<Session> session) {
  Reader reader(false);
  Session::Half& half = session->half(Way::to_client);
  for (;;) {
    co_await read_more(half, reader);
    while (auto message = reader.next()) {
      Trip trip = session->has_begun ? Trip::other : Trip::startup;
      if (!session->awaited.empty()) trip = session->awaited.front();
      if (loses_commits_ && session->is_of_batches && trip == Trip::write && message->type == 'C')
        replace_text(*message, "ROLLBACK", "COMMIT");
      co_await pass(*session, trip, Way::to_client, *message);
      if (message->type != 'Z') continue;
      session->has_begun = true;
      if (!session->awaited.empty()) session->awaited.pop_front();
    }
    co_await write_out(half);
  }
}

// Nothing, or a fault that is counted.
std::optional<Fault> PostgresProxy::Network::fault_of(Trip trip, Way way, char type) {
  std::optional<Fault> fault;
  const auto matches = [&](const Wanted& each) { return each.trip == trip && each.way == way && (each.type == 0 || each.type == type); };
  const auto wanted = std::ranges::find_if(wanted_, matches);
  if (wanted != wanted_.end()) {
    fault = wanted->fault;
    wanted_.erase(wanted);
  } else if (is_faulty_) {
    fault = plan_.next(trip, way);
  }
  if (fault) tally_.add(fault->kind, trip, way, type);
  return fault;
}

awaitable<void> PostgresProxy::Network::pass(Session& session, Trip trip, Way way, const Message& message) {
  Session::Half& half = session.half(way);
  const auto fault = fault_of(trip, way, message.type);
  if (!fault) {
    half.output += message.bytes;
    co_return;
  }
  if (fault->kind == FaultKind::cut_within) {
    half.output += message.bytes.substr(0, static_cast<std::size_t>(fault->part * static_cast<double>(message.bytes.size())));
  }
  if (fault->kind == FaultKind::cut_after) half.output += message.bytes;
  if (fault->kind == FaultKind::swallow) session.is_silent = true;   // before the write, during which the other way goes on
  co_await write_out(half);
  switch (fault->kind) {
    case FaultKind::cut_before:
    case FaultKind::cut_within:
    case FaultKind::cut_after: throw ConnectionIsCut();
    case FaultKind::delay:
      half.timer.expires_after(fault->lasts);
      co_await half.timer.async_wait(use_awaitable);
      half.output += message.bytes;
      co_return;
    case FaultKind::swallow:
      half.timer.expires_after(fault->lasts);
      co_await half.timer.async_wait(use_awaitable);
      throw ConnectionIsCut();
    case FaultKind::outage:
      if (!is_away_) asio::co_spawn(io_, outage(fault->lasts), asio::detached);
      throw ConnectionIsCut();
  }
}

// A listener that is shut down refuses connections and keeps its port.
awaitable<void> PostgresProxy::Network::outage(milliseconds lasts) {
  is_away_ = true;
  outage_end_.expires_after(lasts);
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  end_all();
  co_await outage_end_.async_wait(asio::as_tuple(use_awaitable));
  acceptor_.listen();
  is_away_ = false;
}

PostgresProxy::PostgresProxy(std::uint16_t server_port, std::uint64_t seed) : network_(std::make_unique<Network>(server_port, seed)) {}
PostgresProxy::~PostgresProxy() = default;

std::uint16_t PostgresProxy::port() const { return network_->port(); }
void PostgresProxy::begin_faults() {
  network_->on_thread([this] { network_->is_faulty_ = true; });
}
void PostgresProxy::end_faults() {
  network_->on_thread([this] { network_->end_faults(); });
}
FaultTally PostgresProxy::tally() const {
  return network_->on_thread([this] { return network_->tally_; });
}
void PostgresProxy::meet(Trip trip, Way way, char type, Fault fault) {
  network_->on_thread([&] { network_->wanted_.push_back({trip, way, type, fault}); });
}
void PostgresProxy::lose_commits() {
  network_->on_thread([this] {
    network_->loses_commits_ = true;
    network_->end_all();
  });
}

}   // namespace holdfast::test
