// Notes of other threads reach the journal with the writer's next round, and are reported when they are on disk.
#include "ledger/embedded/segments/posted_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

using segments::PostedNotes;
using segments::Round;
using segments::SegmentWriter;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Pair;

bool is_ready(const std::future<void>& future) { return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }

class PostedNotesTest : public testing::Test {
 protected:
  PostedNotesTest() {
    SegmentWriter::create(disk_, small_segments(), k_test_journal, {});
    writer_.emplace(disk_, small_segments());
  }
  void write() {
    posted_.take();
    Round round(writer_->reach());
    posted_.add_to(round);
    writer_->append(round);
    posted_.written();
  }

  SimulatedDisk disk_;
  std::optional<SettledWriter> writer_;
  int woken_ = 0;
  PostedNotes posted_{[this] { ++woken_; }};
};

TEST_F(PostedNotesTest, ANoteIsReportedWhenItIsOnDisk) {
  auto first = posted_.post(100, "one");
  EXPECT_EQ(woken_, 1);
  EXPECT_FALSE(is_ready(first));
  write();
  ASSERT_TRUE(is_ready(first));
  first.get();
  EXPECT_EQ(posted_.take(), 0U);
  disk_.lose_power([](std::size_t) { return false; });
  EXPECT_EQ(SettledWriter(disk_, small_segments()).notes().at(100), "one");
}

TEST_F(PostedNotesTest, TheNewestTextOfAKindCountsAndBothAreDone) {
  auto older = posted_.post(100, "older");
  auto newer = posted_.post(100, "newer");
  write();
  EXPECT_TRUE(is_ready(older));
  EXPECT_TRUE(is_ready(newer));
  EXPECT_EQ(writer_->notes().at(100), "newer");
}

// A round is judged by the room that the taken notes need. If one more came in, it might not fit any more.
TEST_F(PostedNotesTest, ANoteThatComesAfterTheTakingWaitsForTheNextRound) {
  auto first = posted_.post(100, "first");
  ASSERT_EQ(posted_.take(), 1U);
  auto second = posted_.post(100, "second");
  auto other = posted_.post(101, "other");
  Round round(writer_->reach());
  posted_.add_to(round);
  EXPECT_THAT(round.notes(), ElementsAre(Pair(100, "first")));
  writer_->append(round);
  posted_.written();
  EXPECT_TRUE(is_ready(first));
  EXPECT_FALSE(is_ready(second));
  EXPECT_FALSE(is_ready(other));
  EXPECT_EQ(writer_->notes().at(100), "first");
  write();
  EXPECT_TRUE(is_ready(second));
  EXPECT_TRUE(is_ready(other));
  EXPECT_EQ(writer_->notes().at(100), "second");
}

// Whichever call of the append fails: those who wait are told, and nobody is told that a note is on disk which is not.
TEST_F(PostedNotesTest, AfterAFailedWriteThoseWhoWaitAndThoseWhoPostLaterAreTold) {
  auto waiting = posted_.post(100, "one");
  disk_.fail_at(disk_.calls(), EIO);
  try {
    write();
    FAIL() << "the write did not fail";
  } catch (const segments::DiskError&) {
    EXPECT_FALSE(is_ready(waiting));
    posted_.failed(std::current_exception());
  }
  EXPECT_THROW(waiting.get(), segments::DiskError);
  auto later = posted_.post(100, "two");
  EXPECT_THROW(later.get(), segments::DiskError);
}

TEST_F(PostedNotesTest, ARoundThatWasNotAppendedLeavesItsNotesToTheNextOne) {
  auto waiting = posted_.post(100, "one");
  posted_.take();
  Round refused(writer_->reach());
  posted_.add_to(refused);
  refused.add_row(1, 1, 1, k_test_time, std::string(writer_->round_bytes_max(), 'x'));
  EXPECT_THROW(writer_->append(refused), segments::RoundRefused);
  EXPECT_FALSE(is_ready(waiting));
  auto newer = posted_.post(100, "newer");
  auto other = posted_.post(101, "other");
  EXPECT_EQ(posted_.take(), 2U) << "those of the refused round, and what has come since";
  write();
  EXPECT_TRUE(is_ready(waiting));
  EXPECT_TRUE(is_ready(newer));
  EXPECT_TRUE(is_ready(other));
  EXPECT_THAT(writer_->notes(), IsSupersetOf({Pair(100, "newer"), Pair(101, "other")}));
}

// One thread posts as fast as it can. Each round has just the notes that it was judged with, and each note is reported.
TEST_F(PostedNotesTest, ARoundHasTheNotesThatWereTakenWhileAnotherThreadPosts) {
  constexpr int k_posts = 2'000;
  constexpr int k_kinds = 8;
  std::vector<std::future<void>> futures;
  PostedNotes posted(nullptr);
  std::atomic<bool> is_done = false;
  std::jthread poster([&] {
    for (int i = 0; i < k_posts; ++i) futures.push_back(posted.post(static_cast<segments::NoteKind>(100 + i % k_kinds), std::to_string(i)));
    is_done = true;
  });
  for (bool is_last = false; !is_last;) {
    is_last = is_done;   // before the taking: nothing comes after it
    const std::size_t taken = posted.take();
    Round round(writer_->reach());
    posted.add_to(round);
    ASSERT_EQ(round.notes().size(), taken);
    if (taken > 0) writer_->append(round);
    posted.written();
  }
  poster.join();
  for (std::future<void>& future : futures) ASSERT_TRUE(is_ready(future));
  EXPECT_EQ(writer_->notes().at(100 + (k_posts - 1) % k_kinds), std::to_string(k_posts - 1));
}

}  // namespace
}  // namespace holdfast::test
