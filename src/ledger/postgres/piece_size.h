// How many rows of a large job one statement handles. A statement's time limit is fixed, and the job grows with the event. So each piece
// is timed: the next one is larger after a fast piece, smaller after a slow one.
//
//   PieceSize piece(1'000, 5'000);
//   while (…) {
//     const auto began = PieceSize::Timer::now();
//     … piece.now() rows …
//     piece.took(PieceSize::Timer::now() - began);
//   }
//
// One thread at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace holdfast::pg {

class PieceSize {
 public:
  using Timer = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds k_aim{250};   // per piece: a twentieth of a statement's limit

  PieceSize(std::size_t first, std::size_t most) : size_(first), most_(most) {}

  // Rows of the next piece: at least 1, at most `most`.
  std::size_t now() const { return size_; }

  // Reports how long the last piece took.
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
