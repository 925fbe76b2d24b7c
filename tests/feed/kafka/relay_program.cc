// A relay in a process of its own, for tests that pause and kill it: relay_program BROKERS PREFIX STORE EVENTS CHANGES [STOP-BEFORE-SAVE]
//
// Publishes scripted changes (scripted_feed.h) until it is told to end. With a third number n it stops itself (SIGSTOP) once,
// when Kafka has committed its n-th transaction and the store does not know of it yet.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <iostream>

#include "feed/kafka/feed_file.h"
#include "feed/kafka/relay.h"
#include "feed/kafka/scripted_feed.h"
#include "feed/kafka/store.h"

namespace holdfast::feed::kafka {
namespace {

class StoppingStore : public FeedStore {
 public:
  StoppingStore(const std::string& path, int saves) : FeedStore(open_feed_file(path)), saves_(saves) {}
  void save(Epoch epoch, std::span<const FeedPosition> positions) override {
    if (--saves_ == 0) ::raise(SIGSTOP);   // to this thread: it stops before its next step, and not in the middle of a transaction
    FeedStore::save(epoch, positions);
  }

 private:
  int saves_;
};

int run(const std::vector<std::string>& arguments) {
  spdlog::set_level(spdlog::level::info);   // the first use creates the logger: before there are threads, as in the program
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  StoppingStore store(arguments.at(3), arguments.size() > 6 ? std::stoi(arguments[6]) : 0);
  ScriptedFeed source(static_cast<EventNumber>(std::stoul(arguments.at(4))), std::stoull(arguments.at(5)));
  FeedBoard board;
  // Without lingering: from a transaction's beginning, some of its messages are at the broker. That is where it should be paused.
  Relay relay({.kafka = {.brokers = arguments.at(1), .more = {{"linger.ms", "0"}}},
               .rules = {.topic_prefix = arguments.at(2)},
               .lease_time = std::chrono::milliseconds(3'000),   // no shorter: relay.h says why
               .look_every = std::chrono::milliseconds(20),
               .back_off_max = std::chrono::milliseconds(500)},
              store, source, board);
  relay.start();
  int signal = 0;
  sigwait(&signals, &signal);
  relay.stop();
  spdlog::info("takeovers {} transactions {} failures {}", board.counters.takeovers.load(), board.counters.transactions.load(),
               board.counters.failures.load());
  return 0;
}

}  // namespace
}  // namespace holdfast::feed::kafka

int main(int count, char** arguments) {
  try {
    return holdfast::feed::kafka::run({arguments, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
