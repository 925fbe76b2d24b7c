// How much of a large job one statement does. A statement's time limit is fixed, and the job grows with the event: so each piece is measured, and the
// next one is larger after a quick piece and smaller after a slow one.
//
//   PieceSize piece(1'000, 5'000);
//   while (…) {
//     const auto began = PieceSize::Timer::now();
//     … piece.now() rows …
//     piece.took(PieceSize::Timer::now() - began);
//   }
//
// Not for several threads at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace holdfast::pg {

class PieceSize {
 public:
  using Timer = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds k_aim{250};   // a twentieth of a statement's limit

  PieceSize(std::size_t first, std::size_t most) : size_(first), most_(most) {}

  // At least 1, and never more than `most`.
  std::size_t now() const { return size_; }

  // How long the last piece took.
  void took(Timer::duration time) {
    if (time > 2 * k_aim) {
      size_ =
          std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(size_) * (k_aim / std::chrono::duration<double>(time))));
    } else if (time < k_aim / 2) {
      size_ = std::min(most_, 2 * size_);
    }
  }

 private:
  std::size_t size_;
  std::size_t most_;
};

}   // namespace holdfast::pg
