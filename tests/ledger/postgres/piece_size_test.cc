// The size of a large job's next piece, from the duration of the last one.
#include "ledger/postgres/piece_size.h"

#include <gtest/gtest.h>

namespace holdfast::test {
namespace {

using pg::PieceSize;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(PieceSize, GrowsUpToItsMaximumWhilePiecesAreQuick) {
  PieceSize piece(1'000, 5'000);
  EXPECT_EQ(piece.now(), 1'000u);
  piece.took(milliseconds(10));
  EXPECT_EQ(piece.now(), 2'000u);
  piece.took(milliseconds(10));
  EXPECT_EQ(piece.now(), 4'000u);
  piece.took(milliseconds(10));
  EXPECT_EQ(piece.now(), 5'000u);
}

TEST(PieceSize, StaysWhenAPieceTookAboutTheIntendedTime) {
  PieceSize piece(1'000, 5'000);
  piece.took(PieceSize::k_aim / 2);
  piece.took(2 * PieceSize::k_aim);
  EXPECT_EQ(piece.now(), 1'000u);
}

TEST(PieceSize, ShrinksAtOnceForASlowDatabase) {
  PieceSize piece(1'000, 5'000);
  piece.took(seconds(25));
  EXPECT_EQ(piece.now(), 10u);
}

TEST(PieceSize, IsNeverLessThanOne) {
  PieceSize piece(1'000, 5'000);
  piece.took(seconds(3'600));
  EXPECT_EQ(piece.now(), 1u);
  piece.took(seconds(3'600));
  EXPECT_EQ(piece.now(), 1u);
  piece.took(milliseconds(1));
  EXPECT_EQ(piece.now(), 2u);
}

}   // namespace
}   // namespace holdfast::test
