// The real disk: each operation does what the port says, and an error names the file and the reason.
#include "ledger/embedded/segments/posix_disk.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "ledger/embedded/segments/format.h"

namespace holdfast::test {
namespace {

using segments::Disk;
using segments::DiskError;
using segments::DiskFile;
using segments::k_block;
using testing::AllOf;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class PosixDiskTest : public testing::Test {
 protected:
  PosixDiskTest() : folder_(std::filesystem::path(testing::TempDir()) / ("posix_disk_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    disk_.emplace(folder_);
  }
  ~PosixDiskTest() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_;
  std::optional<segments::PosixDisk> disk_;
};

TEST_F(PosixDiskTest, WritesReadsRenamesAndRemoves) {
  const std::unique_ptr<DiskFile> made = disk_->create("one");
  made->allocate(4 * k_block);
  EXPECT_EQ(made->size(), 4 * k_block);
  const std::string bytes(2 * k_block, 'x');
  made->write_durably(k_block, bytes);
  disk_->rename("one", "two");
  disk_->sync_folder();
  EXPECT_THAT(disk_->list(), UnorderedElementsAre("two"));
  const std::unique_ptr<DiskFile> file = disk_->open("two", Disk::Mode::read);
  for (const auto from : {DiskFile::From::cache, DiskFile::From::disk}) {
    std::string read(4 * k_block, '?');
    file->read(0, read, from);
    EXPECT_EQ(read, std::string(k_block, '\0') + bytes + std::string(k_block, '\0'));
  }
  disk_->remove("two");
  EXPECT_TRUE(disk_->list().empty());
  EXPECT_GT(disk_->free_bytes(), 0U);
}

TEST_F(PosixDiskTest, MakesFilesForTheirOwnerOnlyAndClosesThemInChildProcesses) {
  const std::unique_ptr<DiskFile> file = disk_->create("one");
  struct stat found{};
  ASSERT_EQ(::stat((folder_ / "one").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
  for (int descriptor = 3; descriptor < 64; ++descriptor) {
    std::array<char, 256> path{};
    const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path.data(), path.size());
    if (length <= 0 || std::string_view(path.data(), static_cast<std::size_t>(length)) != (folder_ / "one").string()) continue;
    EXPECT_NE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST_F(PosixDiskTest, AnOpenFileTakesOneDescriptor) {
  disk_->create("one")->write_durably(0, std::string(k_block, 'x'));
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  std::vector<std::unique_ptr<DiskFile>> files;
  std::string read(k_block, '\0');
  for (int i = 0; i < 10; ++i) {
    files.push_back(disk_->open("one", Disk::Mode::write));
    files.back()->read(0, read, DiskFile::From::disk);
    EXPECT_EQ(read, std::string(k_block, 'x'));
  }
  EXPECT_EQ(descriptors() - before, 10);
}

TEST_F(PosixDiskTest, AnErrorNamesTheFileAndTheReason) {
  const auto error_of = [](const std::function<void()>& doing) -> std::pair<int, std::string> {
    try {
      doing();
    } catch (const DiskError& error) {
      return {error.code(), error.what()};
    }
    return {0, ""};
  };
  disk_->create("one")->allocate(k_block);
  EXPECT_THAT(error_of([&] { disk_->create("one"); }),
              testing::Pair(EEXIST, AllOf(HasSubstr("make"), HasSubstr((folder_ / "one").string()))));
  EXPECT_THAT(error_of([&] { disk_->open("none", Disk::Mode::read); }), testing::Pair(ENOENT, HasSubstr("No such file")));
  EXPECT_THAT(error_of([&] { disk_->remove("none"); }), testing::Pair(ENOENT, HasSubstr("cannot remove")));
  EXPECT_THAT(error_of([&] { disk_->rename("none", "one"); }), testing::Pair(ENOENT, HasSubstr("cannot rename")));
  const std::unique_ptr<DiskFile> file = disk_->open("one", Disk::Mode::read);
  EXPECT_THAT(error_of([&] { file->write(0, "x"); }), testing::Pair(EBADF, HasSubstr("cannot write")));
  std::string two(2 * k_block, '\0');
  EXPECT_THAT(error_of([&] { file->read(0, two, DiskFile::From::cache); }), testing::Pair(EIO, HasSubstr("it ends at byte 4096")));
  EXPECT_THAT(error_of([&] { segments::PosixDisk(folder_ / "none"); }), testing::Pair(ENOENT, HasSubstr("open the folder")));
  const std::unique_ptr<DiskFile> large = disk_->create("large");
  EXPECT_NE(error_of([&] { large->allocate(std::uint64_t{1} << 60); }).first, 0);
}

}  // namespace
}  // namespace holdfast::test
