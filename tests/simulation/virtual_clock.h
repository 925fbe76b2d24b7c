// Time of a simulated machine: it passes only when told to. The wall clock may be stepped; the boot clock starts anew with the machine.
// For one thread.
#pragma once

#include <cstdint>
#include <utility>

#include "ledger/embedded/clock.h"

namespace holdfast::simulation {

class VirtualClock : public ClockSource {
 public:
  std::int64_t wall_ns() const override { return (true_ + stepped_) * k_ns_per_ms; }
  std::int64_t boot_ns() const override { return (true_ - booted_) * k_ns_per_ms; }

  void pass(Millis millis) { (is_held_ ? held_ : true_) += millis; }
  // What passes from now on passes only when go_on() is called.
  void hold() { is_held_ = true; }
  void go_on() {
    is_held_ = false;
    true_ += std::exchange(held_, 0);
  }
  // How far the wall clock is ahead of the true time.
  Millis stepped() const { return stepped_; }
  void step_wall(Millis millis) { stepped_ += millis; }
  void reboot() { booted_ = true_; }

 private:
  static constexpr std::int64_t k_ns_per_ms = 1'000'000;
  static constexpr Millis k_begin = 1'771'949'700'000;   // 2026-02-24T16:15:00Z
  Millis true_ = k_begin;
  Millis booted_ = k_begin - 1'000'000;
  Millis stepped_ = 0;
  bool is_held_ = false;
  Millis held_ = 0;
};

}   // namespace holdfast::simulation
