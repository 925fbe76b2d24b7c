// A node that only relays webhooks of a shared store, for tests that kill and pause it:
//
//   relaying_node URL CHANGES MILLISECONDS
//
// It has that many changes of one reservation and needs so long for each message. On its standard output it reports delivered
// changes (their seq), and when it begins and stops relaying ("relays", "waits"). It runs until it is killed.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "feed/lease.h"
#include "feed/webhooks/scripted_source.h"
#include "feed/webhooks/store.h"
#include "sql/postgres_database.h"

namespace holdfast::feed {
namespace {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

class SlowSender : public Sender {
 public:
  SlowSender(boost::asio::io_context& context, std::chrono::milliseconds time) : context_(context), time_(time) {}
  boost::asio::awaitable<Attempt> send(Delivery delivery) override {
    boost::asio::steady_timer timer(context_, time_);
    co_await timer.async_wait(boost::asio::use_awaitable);
    say(std::to_string(seq_of(delivery)));
    co_return Attempt{.outcome = Attempt::Outcome::delivered, .status = 200};
  }
  boost::asio::awaitable<std::string> why_refused(std::string) override { co_return ""; }

 private:
  boost::asio::io_context& context_;
  std::chrono::milliseconds time_;
};

[[noreturn]] void relay(const std::string& url, std::uint64_t changes, std::chrono::milliseconds time) {
  pg::Pool pool({.url = url}, {});
  WebhookStore store(std::make_unique<sql::PostgresDatabase>(pool));
  sql::PostgresDatabase database(pool);
  Lease lease(database, k_lease_webhooks);
  ScriptedSource source(changes, 1);
  Webhooks webhooks(
      {}, store, source, [&](boost::asio::io_context& context) { return std::make_unique<SlowSender>(context, time); }, &lease);
  webhooks.start();
  for (bool relaying = false;; std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
    if (webhooks.is_relaying() == relaying) continue;
    relaying = !relaying;
    say(relaying ? "relays" : "waits");
  }
}

}   // namespace
}   // namespace holdfast::feed

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  spdlog::set_default_logger(spdlog::stderr_logger_mt("relaying_node"));   // standard output is for what it says
  holdfast::feed::relay(argv[1], std::strtoull(argv[2], nullptr, 10), std::chrono::milliseconds(std::atoi(argv[3])));
}
