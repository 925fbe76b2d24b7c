#include "ledger/embedded/segments/supply_thread.h"

#include <condition_variable>
#include <mutex>

namespace holdfast::segments {
namespace {

// Returns after `pause`, or when a stop is requested.
void rest(std::chrono::milliseconds pause, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
}

}  // namespace

SupplyThread::SupplyThread(Supply& supply, std::chrono::milliseconds retry)
    : thread_([&supply, retry](const std::stop_token& stop) { run(supply, retry, stop); }) {}

void SupplyThread::run(Supply& supply, std::chrono::milliseconds retry, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    switch (supply.prepare(Supply::k_ahead, stop)) {
      case Supply::Prepared::one_more: break;
      case Supply::Prepared::enough: supply.wait_until_wanted(stop); break;
      case Supply::Prepared::not_made: rest(retry, stop); break;
    }
  }
}

}  // namespace holdfast::segments
