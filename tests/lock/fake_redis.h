// A listener in place of a Redis, which answers as a test tells it to: late, half, garbage, or never.
//
//   FakeRedis redis;                                    // answers PING; SET with OK, EVALSHA with 0
//   redis.on("SET", [](Wire& wire) { wire.say("$-1\r\n"); });
//   redis.url()
//
// One thread, one connection after the other: a connection is served until its other end closes it. Commands are answered one by
// one, in order.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lock/redis/url.h"

namespace holdfast::test {

// One connection, as an answer sees it.
class Wire {
 public:
  explicit Wire(int socket) : socket_(socket) {}
  void say(std::string_view bytes) const;
  void wait_until_closed() const;   // by the other end, or by the end of the test
  void close() const;

 private:
  int socket_;
};

class FakeRedis {
 public:
  using Answer = std::function<void(Wire&)>;

  FakeRedis();
  ~FakeRedis();
  FakeRedis(const FakeRedis&) = delete;
  FakeRedis& operator=(const FakeRedis&) = delete;

  // How a command is answered from now on. Called on the server's thread.
  void on(const std::string& command, Answer answer);
  lock::RedisUrl url() const { return {.servers = {{"127.0.0.1", port_}}}; }
  std::size_t connections() const { return connections_; }
  std::size_t commands(const std::string& name) const;

 private:
  void run();
  void serve(int socket);
  void answer(const std::string& command, Wire& wire);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> serving_{-1};
  std::atomic<bool> ends_{false};
  std::atomic<std::size_t> connections_{0};
  mutable std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, std::size_t> counts_;
  std::thread thread_;
};

}  // namespace holdfast::test
