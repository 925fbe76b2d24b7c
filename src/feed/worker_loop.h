// The thread of a job that runs until it is stopped, and that starts again after an error: the Kafka feed's relay, payments and imports.
//
//   WorkerLoop loop("kafka-seats", BackOff(100ms, 5s));
//   loop.start({.run = [&] { while (!loop.stopping()) work(); },
//               .failed = [&](const std::exception& error) { report(error); }});
//   …
//   loop.stop();
//
// start(), stop(), stopping() and wake() may be called from any thread, stop() only from another thread than the job's. The functions of the job,
// and the other members, are for the job's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace holdfast::feed {

// The pauses between attempts: each is twice as long as the one before, up to a limit. For one thread.
class BackOff {
 public:
  using Pause = std::chrono::milliseconds;
  enum class Jitter { none, half };   // half: each pause is cut at random, by at most half, so that several nodes do not retry at once

  BackOff(Pause first, Pause max, Jitter jitter = Jitter::none) : first_(first), max_(max), jitter_(jitter), next_(first) {}

  // The pause before the next attempt.
  Pause next();
  // An attempt has succeeded: the next pause is the first again.
  void reset() { next_ = first_; }

 private:
  Pause first_;
  Pause max_;
  Jitter jitter_;
  Pause next_;
};

class WorkerLoop {
 public:
  // Thrown by a job to end its run without an error, for example because the loop is stopping. It is not a std::exception, so that no handler
  // of errors on the way takes it for one.
  struct RunEnded {};

  struct Job {
    std::function<void()> run;   // called again when it returns, at once; after an error, after a pause
    std::function<void(const std::exception&)> failed;   // reports an error of `run`; must not throw
    std::function<void()> ended = [] {};   // called once, after the last run; must not throw
  };

  // `thread_name`: at most 15 bytes. `back_off`: the pauses after errors.
  WorkerLoop(std::string thread_name, BackOff back_off) : name_(std::move(thread_name)), back_off_(back_off) {}
  ~WorkerLoop() { stop(); }
  WorkerLoop(const WorkerLoop&) = delete;
  WorkerLoop& operator=(const WorkerLoop&) = delete;

  // At most once.
  void start(Job job);
  // Wakes the job if it waits, and returns when its thread has ended. Safe to call twice, or before start().
  void stop();
  bool stopping() const;
  // Ends a wait for news, or else the next one. False: the wake-up before this one has not been taken yet.
  bool wake();

  // Waits for this time, or until the loop is stopped.
  void wait(std::chrono::milliseconds time);
  // The same, or until wake(), which it takes.
  void wait_for_news(std::chrono::milliseconds time);
  // The job gets on: the pause after the next error is the first again.
  void worked() { back_off_.reset(); }

 private:
  void work(const Job& job);

  const std::string name_;
  BackOff back_off_;   // the job's thread

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;   // these two under mutex_
  bool has_news_ = false;

  std::mutex thread_mutex_;   // held while the thread is started or joined
  std::thread thread_;
};

}   // namespace holdfast::feed
