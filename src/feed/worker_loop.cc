#include "feed/worker_loop.h"

#include <pthread.h>

#include <algorithm>
#include <random>
#include <utility>

#include "core/check.h"

namespace holdfast::feed {

BackOff::Pause BackOff::next() {
  const Pause pause = std::exchange(next_, std::min(2 * next_, max_));
  if (jitter_ == Jitter::none) return pause;
  thread_local std::minstd_rand random(std::random_device{}());
  const auto half = pause.count() / 2;
  return Pause(pause.count() - half + std::uniform_int_distribution<Pause::rep>(0, half)(random));
}

void WorkerLoop::start(Job job) {
  const std::scoped_lock lock(thread_mutex_);
  HOLDFAST_CHECK(!thread_.joinable());
  thread_ = std::thread([this, job = std::move(job)] {
    pthread_setname_np(pthread_self(), name_.c_str());
    work(job);
  });
}

void WorkerLoop::work(const Job& job) {
  while (!stopping()) {
    try {
      job.run();
      continue;
    } catch (const RunEnded&) {
      continue;
    } catch (const std::exception& error) {
      job.failed(error);
    }
    wait(back_off_.next());
  }
  job.ended();
}

void WorkerLoop::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  const std::scoped_lock lock(thread_mutex_);
  if (thread_.joinable()) thread_.join();
}

bool WorkerLoop::stopping() const {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

bool WorkerLoop::wake() {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(has_news_, true)) return false;
  }
  changed_.notify_all();
  return true;
}

void WorkerLoop::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

void WorkerLoop::wait_for_news(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_ || has_news_; });
  has_news_ = false;
}

}  // namespace holdfast::feed
