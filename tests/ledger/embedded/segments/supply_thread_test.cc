// The thread that prepares segments, over the real disk: run under ThreadSanitizer too.
#include "ledger/embedded/segments/supply_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>

#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/segments_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using segments::DiskError;
using segments::DiskFile;
using segments::PosixDisk;
using segments::Round;
using segments::SegmentWriter;
using segments::Supply;
using segments::SupplyThread;
using std::chrono::milliseconds;

constexpr milliseconds k_test_retry{1};

// The real disk, which makes no new file while it is told so.
class FailingDisk : public PosixDisk {
 public:
  using PosixDisk::PosixDisk;
  std::unique_ptr<DiskFile> create(const std::string& name) override {
    ++tries;
    if (const int code = failing) throw DiskError("cannot make " + name + ": told so", code);
    return PosixDisk::create(name);
  }
  std::atomic<int> failing{0};   // with this code
  std::atomic<int> tries{0};
};

class SupplyThreadTest : public testing::Test {
 protected:
  SupplyThreadTest() : folder_(fs::path(testing::TempDir()) / ("supply_thread_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    disk_ = std::make_unique<FailingDisk>(folder_);
    SegmentWriter::create(*disk_, small_segments(), k_test_journal, {});
    writer_ = std::make_unique<SettledWriter>(*disk_, small_segments());
  }
  ~SupplyThreadTest() override { fs::remove_all(folder_); }

  // Until the condition holds; ctest ends a test that waits for ever.
  static void wait_for(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }
  void append() {
    Round round = test_round(writer_->reach());
    writer_->append(round);
  }

  const fs::path folder_;
  std::unique_ptr<FailingDisk> disk_;
  std::unique_ptr<SettledWriter> writer_;
};

TEST_F(SupplyThreadTest, PreparesWhatTheWriterBegins) {
  const SupplyThread supplying(writer_->supply(), k_test_retry);
  for (int begun = 0; begun < 8; ++begun) {
    wait_for([&] { return writer_->room().prepared == Supply::k_ahead; });
    EXPECT_FALSE(writer_->room().is_short);
    const std::uint64_t segment = writer_->catalog().snapshot().segments.back().header.number;
    while (writer_->catalog().snapshot().segments.back().header.number == segment) append();
  }
  EXPECT_GT(writer_->catalog().snapshot().segments.back().header.number, 8U);
}

TEST_F(SupplyThreadTest, AFailureReachesTheWriterWithItsReasonAndServiceReturnsByItself) {
  for (const auto& [code, reason] : {std::pair(ENOSPC, NotTaken::Reason::no_room), std::pair(EIO, NotTaken::Reason::failing)}) {
    disk_->failing = code;
    const SupplyThread supplying(writer_->supply(), k_test_retry);
    while (writer_->room().prepared == Supply::k_ahead) append();
    wait_for([&] { return writer_->supply().trouble().has_value(); });
    const auto refused = writer_->can_take(segments::k_block, Work::growing);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, reason);
    EXPECT_THAT(refused.error().what, testing::HasSubstr(code == ENOSPC ? "is full" : "told so"));
    const int tries = disk_->tries;
    wait_for([&] { return disk_->tries > tries + 2; });   // it is retried
    disk_->failing = 0;
    wait_for([&] { return writer_->can_take(segments::k_block, Work::growing).has_value(); });
    EXPECT_FALSE(writer_->supply().trouble().has_value());
    wait_for([&] { return writer_->room().prepared == Supply::k_ahead; });
  }
}

// Whatever a try fails of, it is trouble like any other and does not end the process.
TEST_F(SupplyThreadTest, AnErrorThatIsNotOfTheDiskIsTroubleToo) {
  std::atomic<bool> fails{true};
  SegmentWriter::Options options = small_segments();
  options.draw_salt = [&fails, draw = options.draw_salt] {
    if (fails) throw std::runtime_error("no numbers are left");
    return draw();
  };
  SettledWriter writer(*disk_, options);
  const SupplyThread supplying(writer.supply(), k_test_retry);
  wait_for([&] { return writer.supply().trouble().has_value(); });
  EXPECT_THAT(writer.supply().trouble()->what, testing::HasSubstr("no numbers are left"));
  fails = false;
  wait_for([&] { return writer.room().prepared == Supply::k_ahead; });
  EXPECT_FALSE(writer.supply().trouble().has_value());
}

TEST_F(SupplyThreadTest, EndsAtOnceAlsoBetweenTwoTries) {
  disk_->failing = EIO;
  disk_->tries = 0;
  {
    const SupplyThread supplying(writer_->supply(), std::chrono::hours(1));
    wait_for([&] { return disk_->tries > 0; });
  }
  disk_->failing = 0;
  EXPECT_EQ(writer_->supply().prepare(), Supply::Prepared::one_more);
}

TEST_F(SupplyThreadTest, ASegmentThatIsGivenUpLeavesNoFile) {
  std::stop_source stop;
  stop.request_stop();
  const auto files = [&] { return disk_->list().size(); };
  const std::size_t before = files();
  EXPECT_EQ(writer_->supply().prepare(Supply::k_ahead, stop.get_token()), Supply::Prepared::not_made);
  EXPECT_EQ(files(), before);
  EXPECT_FALSE(writer_->supply().trouble().has_value()) << "a stop is no trouble";
}

}  // namespace
}  // namespace holdfast::test
