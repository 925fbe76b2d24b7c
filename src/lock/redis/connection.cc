#include "lock/redis/connection.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace holdfast::lock {
namespace {

using Timer = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr microseconds k_connect_least{1'000};   // hiredis takes zero for "no limit"

timeval as_timeval(microseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_usec = (time - seconds).count()};
}

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

}  // namespace

// Connects in hiredis's blocking mode, which honours a timeout. After that nothing blocks.
std::expected<std::unique_ptr<Connection>, std::string> Connection::open(const Address& address, Deadline deadline) {
  const auto left = std::max(std::chrono::duration_cast<microseconds>(deadline - Timer::now()), k_connect_least);
  redisContext* const context = redisConnectWithTimeout(address.host.c_str(), address.port, as_timeval(left));
  if (context == nullptr) return std::unexpected("no memory for a connection");
  std::unique_ptr<Connection> connection(new Connection(context));
  if (context->err != 0) return std::unexpected(std::string("cannot connect: ") + context->errstr);
  const int flags = ::fcntl(context->fd, F_GETFL);
  if (flags < 0 || ::fcntl(context->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    return std::unexpected(std::string("cannot connect: ") + std::strerror(errno));
  }
  context->flags &= ~REDIS_BLOCK;
  redisEnableKeepAlive(context);
  connection->last_used = Timer::now();
  return connection;
}

Connection::~Connection() { redisFree(context_); }

void Connection::append(std::span<const std::string_view> arguments) {
  constexpr std::size_t k_few = 8;
  boost::container::small_vector<const char*, k_few> texts;
  boost::container::small_vector<std::size_t, k_few> sizes;
  for (const std::string_view argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  const int appended = redisAppendCommandArgv(context_, static_cast<int>(arguments.size()), texts.data(), sizes.data());
  HOLDFAST_CHECK(appended == REDIS_OK);   // fails only for lack of memory
  ++appended_;
}

bool Connection::exchange(Deadline deadline, const std::function<void(std::size_t, const redisReply&)>& on_reply) {
  const std::size_t wanted = std::exchange(appended_, 0);
  std::size_t taken = 0;
  int written = 0;
  for (;;) {
    if (written == 0 && redisBufferWrite(context_, &written) != REDIS_OK) return fail(context_->errstr);
    if (written != 0 && taken == wanted) break;
    if (!wait(deadline, written == 0)) return false;
    if (redisBufferRead(context_) != REDIS_OK) return fail(context_->errstr);
    for (;;) {
      void* found = nullptr;
      if (redisGetReplyFromReader(context_, &found) != REDIS_OK) return fail(context_->errstr);
      if (found == nullptr) break;
      const std::unique_ptr<redisReply, FreeReply> reply(static_cast<redisReply*>(found));
      if (taken < wanted) on_reply(taken, *reply);
      ++taken;
    }
  }
  const redisReader& reader = *context_->reader;
  if (taken > wanted || reader.pos != reader.len) return fail("it answered more than it was asked");
  last_used = Timer::now();
  return true;
}

bool Connection::wait(Deadline deadline, bool to_write) {
  pollfd waiting{.fd = context_->fd, .events = static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN), .revents = 0};
  for (;;) {
    const auto left = deadline - Timer::now();
    if (left <= Timer::duration::zero()) return fail("it did not answer in time");
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(left - seconds).count()};
    const int ready = ::ppoll(&waiting, 1, &timeout, nullptr);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return fail(std::string("poll: ") + std::strerror(errno));
  }
}

bool Connection::fail(std::string what) {
  error_ = std::move(what);
  return false;
}

}  // namespace holdfast::lock
