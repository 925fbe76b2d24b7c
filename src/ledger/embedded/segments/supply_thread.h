// Prepares segments outside the writer's way.
//
//   SegmentWriter writer(disk, options);
//   SupplyThread supplying(writer.supply());   // ends before the writer does
//
// It makes segments until Supply::k_ahead are prepared, then waits until the writer has begun one. A try that fails is repeated every
// `retry`; meanwhile Supply::trouble() has the reason, and SegmentWriter::can_take() refuses by it. Over a simulated disk there is no
// thread: a test calls Supply::prepare() where it wants.
#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

#include "ledger/embedded/segments/supply.h"

namespace holdfast::segments {

class SupplyThread {
 public:
  static constexpr std::chrono::milliseconds k_retry{1'000};

  // `supply` must outlive it.
  explicit SupplyThread(Supply& supply, std::chrono::milliseconds retry = k_retry);
  // Waits for the step that is under way: at most one write and sync of 1 MiB. A segment that is not finished is removed.
  ~SupplyThread() = default;
  SupplyThread(const SupplyThread&) = delete;
  SupplyThread& operator=(const SupplyThread&) = delete;

 private:
  static void run(Supply& supply, std::chrono::milliseconds retry, const std::stop_token& stop);

  std::jthread thread_;
};

}   // namespace holdfast::segments
