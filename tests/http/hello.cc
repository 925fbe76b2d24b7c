// The server with the smallest handler, to measure its own cost: for example, `wrk -t1 -c64 -d5 http://127.0.0.1:8088/`.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "http/server.h"

namespace {

struct Hello : holdfast::http::Handler {
  boost::asio::awaitable<void> handle(holdfast::http::Request&, holdfast::http::Response& response) override {
    response.status = 200;
    response.content_type = "text/plain";
    response.body = "hello\n";
    co_return;
  }
};

}  // namespace

int main(int argc, char** argv) try {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);   // before start(): the server's threads inherit it

  Hello hello;
  holdfast::http::Server server({.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8088),
                                 .threads = static_cast<unsigned>(argc > 2 ? std::atoi(argv[2]) : 1)},
                                hello);
  server.start();
  std::cout << "http://127.0.0.1:" << server.port() << "/\n" << std::flush;
  int signal = 0;
  sigwait(&signals, &signal);
  server.stop();
  return 0;
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
