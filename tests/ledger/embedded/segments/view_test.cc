// A view beside a writer that it shares nothing with but the files: whenever it looks, it shows what is published, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>
#include <thread>

#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/retention.h"
#include "ledger/embedded/segments/segment_view.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using segments::Disk;
using segments::DiskError;
using segments::DiskFile;
using segments::JournalNotReady;
using segments::Round;
using segments::SegmentDamage;
using segments::SegmentReader;
using segments::SegmentView;
using segments::SegmentWriter;
using testing::HasSubstr;

// Looks at a journal, and compares what it shows with what was answered. Rows that it has compared are not read again unless others are
// gone.
class Watcher {
 public:
  Watcher(Disk& disk, const Answered& answered) : disk_(disk), answered_(answered) {}

  void look() {
    if (!view_ && !is_there()) return;
    if (!view_) {
      view_.emplace(disk_);
    } else {
      view_->refresh();
    }
    ++looks_;
    const segments::Reach reach = view_->catalog().reach();
    ASSERT_GE(reach.round, answered_.reach.round) << "an answered round is not shown";
    ASSERT_LE(reach.round, answered_.reach.round + 1) << "a round is shown that was not published";
    const auto list = view_->catalog().snapshot().segments;
    ASSERT_LE(list.front().header.number, answered_.kept_from) << "rows are gone that nobody gave up";
    const SegmentReader reader(disk_, view_->catalog());
    if (oldest_ == reader.oldest() && reach == compared_) return;
    const Position from = oldest_ == reader.oldest() ? compared_.head.position + 1 : reader.oldest();
    ASSERT_EQ(compare_rows(reader, from, reach.head.position), "");
    if (from > 1) ASSERT_EQ(reader.hash_at(from - 1).has_value(), true);
    oldest_ = reader.oldest();
    compared_ = reach;
  }
  std::size_t looks() const { return looks_; }
  const SegmentView& view() const { return *view_; }

 private:
  bool is_there() const {
    try {
      return SegmentWriter::exists(disk_);
    } catch (const DiskError&) {
      return false;
    }
  }

  Disk& disk_;
  const Answered& answered_;
  std::optional<SegmentView> view_;
  Position oldest_ = 0;
  segments::Reach compared_;
  std::size_t looks_ = 0;
};

TEST(SegmentViewTest, InLockStepWithTheWriterShowsWhatIsPublished) {
  for (const auto& options : {small_segments(), growing_segments()}) {
    SimulatedDisk disk;
    Answered answered;
    Watcher watcher(disk, answered);
    disk.watch([&] { ASSERT_NO_FATAL_FAILURE(watcher.look()); });
    ASSERT_NO_THROW(live(disk, 90, answered, options));
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_GT(watcher.looks(), 500U);
    EXPECT_EQ(watcher.view().catalog().reach(), answered.reach);
    EXPECT_TRUE(watcher.view().notes().contains(k_test_note));
    EXPECT_GT(SegmentReader(disk, watcher.view().catalog()).oldest(), 1) << "retention was not seen";
  }
}

// The writer is killed at each call, and the next one recovers and goes on, while the view stays.
TEST(SegmentViewTest, StaysTrueWhenTheWriterIsKilledAndTheNextOneGoesOn) {
  bool crashed = true;
  std::size_t call = 0;
  for (; crashed; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimulatedDisk disk;
    Answered answered;
    Watcher watcher(disk, answered);
    disk.watch([&] { ASSERT_NO_FATAL_FAILURE(watcher.look()); });
    disk.crash_at(call, call % 2 == 0 ? SimulatedDisk::When::before : SimulatedDisk::When::after);
    crashed = false;
    try {
      live(disk, 25, answered);
    } catch (const Crash&) {
      crashed = true;
    }
    disk.end_process();
    ASSERT_NO_THROW(live(disk, 30, answered));
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(call, 100U);
}

// A folder in which something happens before each operation of its user.
class Busy : public Disk {
 public:
  Busy(Disk& disk, std::function<void()> act) : disk_(disk), act_(std::move(act)) {}
  std::vector<std::string> list() override { return act_(), disk_.list(); }
  std::unique_ptr<DiskFile> open(const std::string& name, Mode mode) override {
    act_();
    return std::make_unique<File>(disk_.open(name, mode), act_);
  }
  std::unique_ptr<DiskFile> create(const std::string& name) override { return disk_.create(name); }
  void rename(const std::string& from, const std::string& to) override { disk_.rename(from, to); }
  void remove(const std::string& name) override { disk_.remove(name); }
  void sync_folder() override { disk_.sync_folder(); }
  std::uint64_t free_bytes() override { return disk_.free_bytes(); }
  std::string path_of(const std::string& name) const override { return disk_.path_of(name); }

 private:
  class File : public DiskFile {
   public:
    File(std::unique_ptr<DiskFile> file, std::function<void()>& act) : file_(std::move(file)), act_(act) {}
    std::uint64_t size() override { return file_->size(); }
    void read(std::uint64_t offset, std::span<char> to, From from) override {
      act_();
      file_->read(offset, to, from);
    }
    void write(std::uint64_t offset, std::string_view bytes) override { file_->write(offset, bytes); }
    void write_durably(std::uint64_t offset, std::string_view bytes) override { file_->write_durably(offset, bytes); }
    void sync() override { file_->sync(); }
    void allocate(std::uint64_t bytes) override { file_->allocate(bytes); }

   private:
    const std::unique_ptr<DiskFile> file_;
    std::function<void()>& act_;
  };

  Disk& disk_;
  std::function<void()> act_;
};

// The other way round: between two operations of a refresh the writer begins segments, and gives up and removes others.
TEST(SegmentViewTest, IsTrueWhateverTheWriterDoesInTheMiddleOfARefresh) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    SimulatedDisk disk;
    Answered answered;
    live(disk, 12, answered);
    std::uint64_t last = 12;
    std::uint64_t acts_left = 0;   // more than a few in one refresh, and it gives up: the writer is never that fast
    const auto act = [&] {
      if (acts_left == 0 || random() % 3 != 0) return;
      --acts_left;
      last += random() % 25;
      live(disk, last, answered);
    };
    Busy busy(disk, act);
    std::optional<SegmentView> view;
    for (int refresh = 0; refresh < 8; ++refresh) {
      const segments::Reach before = answered.reach;
      acts_left = random() % 4;
      if (view) {
        ASSERT_NO_THROW(view->refresh());
      } else {
        ASSERT_NO_THROW(view.emplace(busy));
      }
      acts_left = 0;
      ASSERT_GE(view->catalog().reach().round, before.round);
      ASSERT_LE(view->catalog().reach().round, answered.reach.round);
      const SegmentReader reader(busy, view->catalog());
      ASSERT_EQ(compare_rows(reader, reader.oldest(), view->catalog().reach().head.position), "");
    }
    view->refresh();
    EXPECT_EQ(view->catalog().reach(), answered.reach);
  }
}

TEST(SegmentViewTest, RowsThatRetentionHasGivenUpAreGoneAndAReadingThatHasBegunGoesOn) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 9, answered);
  SegmentView view(disk);
  const SegmentReader reader(disk, view.catalog());
  const Position last = answered.reach.head.position;
  std::vector<Position> seen;
  const auto see = [&](const JournalRow& row) {
    if (row.position == 1) {
      live(disk, 60, answered);   // and the first segments are removed
      view.refresh();
    }
    seen.push_back(row.position);
    return true;
  };
  EXPECT_TRUE(reader.read(1, see));
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(last)) << "the reading shows what it began with";
  EXPECT_FALSE(reader.read(1, see)) << "these rows are gone";
  EXPECT_GT(reader.oldest(), last);
  EXPECT_EQ(compare_rows(reader, reader.oldest(), answered.reach.head.position), "");
}

TEST(SegmentViewTest, SaysThatTheJournalIsBeingCreatedOrIsNotThere) {
  SimulatedDisk disk;
  EXPECT_THROW(SegmentView{disk}, DiskError);
  segments::ReachMarker::create(disk, k_test_journal, {});
  EXPECT_THROW(SegmentView{disk}, JournalNotReady);
}

TEST(SegmentViewTest, APublishedFrameThatIsDamagedIsRefusedByNameAndTheViewShowsWhatItDid) {
  SimulatedDisk disk;
  Answered answered;
  live(disk, 4, answered);
  SegmentView view(disk);
  const auto before = view.catalog().snapshot();
  live(disk, 6, answered);
  const std::string name = before.segments.back().name();
  SimulatedDisk whole = disk.copy();
  const auto refusal = [&]() -> std::string {
    try {
      view.refresh();
    } catch (const SegmentDamage& damage) {
      return damage.what();
    }
    return "";
  };
  std::string& bytes = disk.content(name);   // the file that the view has open
  char& byte = bytes[std::size_t{before.end_block} * segments::k_block + 90];
  byte = static_cast<char>(byte ^ 1);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("journal/" + name + " is damaged at byte"), HasSubstr("round 5 was published")));
  EXPECT_EQ(view.catalog().reach(), before.reach);
  byte = static_cast<char>(byte ^ 1);
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(view.catalog().reach(), answered.reach);

  // A segment that is missing without having been given up, and a folder that was put back from a backup.
  live(disk, 15, answered);
  ASSERT_GT(SegmentView(disk).catalog().snapshot().segments.size(), 1U);
  SimulatedDisk missing = disk.copy();
  missing.take(segments::name_of_segment(1));
  EXPECT_THROW(SegmentView{missing}, SegmentDamage);
  EXPECT_EQ(refusal(), "");
  disk.put("reach", whole.content("reach"));
  EXPECT_THAT(refusal(), HasSubstr("Were the files replaced while they were read?"));
}

// Each reading of a refresh fails once. The view then shows what it did, and the next refresh is well.
TEST(SegmentViewTest, AFailedReadingIsAnErrorAndTheNextRefreshIsWell) {
  for (std::size_t failing = 0;; ++failing) {
    SimulatedDisk disk;
    Answered answered;
    live(disk, 9, answered);
    SegmentView view(disk);
    const segments::Reach before = view.catalog().reach();
    live(disk, 24, answered);
    disk.fail_read_at(disk.reads() + failing);
    try {
      view.refresh();
      EXPECT_GT(failing, 3U);
      break;
    } catch (const DiskError&) {
      EXPECT_EQ(view.catalog().reach(), before);
    }
    view.refresh();
    EXPECT_EQ(view.catalog().reach(), answered.reach);
    const SegmentReader reader(disk, view.catalog());
    EXPECT_EQ(compare_rows(reader, reader.oldest(), answered.reach.head.position), "");
  }
}

// The real disk, a writer, and a thread with a view of its own: run under ThreadSanitizer too.
TEST(SegmentViewTest, ReadsBesideAWriterOnTheRealDisk) {
  const fs::path folder = fs::path(testing::TempDir()) / ("segment_view_" + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::create_directories(folder);
  segments::PosixDisk disk(folder);
  SegmentWriter::create(disk, small_segments(), k_test_journal, {});
  std::atomic<std::uint64_t> answered{0};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> looks{0};
  std::exception_ptr failure;
  const auto look = [&] {
    segments::PosixDisk own(folder);
    SegmentView view(own);
    const SegmentReader reader(own, view.catalog());
    while (!done) {
      const std::uint64_t before = answered;
      view.refresh();
      EXPECT_GE(view.catalog().reach().round, before);
      EXPECT_EQ(compare_rows(reader, reader.oldest(), view.catalog().reach().head.position), "");
      ++looks;
      looks.notify_all();
    }
  };
  std::thread viewing([&] {
    try {
      look();
    } catch (...) {
      failure = std::current_exception();   // thrown again below
      looks = std::numeric_limits<std::uint64_t>::max();   // nobody waits for a further one
      looks.notify_all();
    }
  });
  {
    SettledWriter writer(disk, small_segments());
    while (writer.reach().round < 150) {
      for (std::uint64_t seen = looks; seen < writer.reach().round / 30; seen = looks) looks.wait(seen);
      Round round = test_round(writer.reach());
      std::uint64_t keep = 0;
      if (round.after().round % 10 == 0) {
        keep = segments::first_segment_to_keep(writer.catalog(), writer.reach().head.position - 20);
        round.add_note(segments::k_note_first_kept, segments::note_of_first_kept(keep));
      }
      writer.append(round);
      answered = round.after().round;
      if (keep > 0) segments::remove_segments_before(disk, writer.catalog(), keep);
    }
  }
  done = true;
  viewing.join();
  fs::remove_all(folder);
  if (failure) std::rethrow_exception(failure);
  EXPECT_GE(looks, 4U);
}

}   // namespace
}   // namespace holdfast::test
