// The queue of the log: its lines when the process ends by a failed check, and when there is no memory for a line.
#include "cli/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <new>
#include <stdexcept>

#include "cli/logging.h"
#include "core/check.h"
#include "support/process.h"

namespace holdfast::cli {
namespace {

using test::eventually;
using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;

constexpr int k_lines = 5'000;   // more than a thread writes before the process has ended, and less than the queue holds

[[noreturn]] void fail() { throw std::runtime_error("nobody catches this"); }

class Last : public ::testing::Test {
 protected:
  Last() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  // Lines of a log. The last one says why the process is about to end.
  static void log_until_the_cause() {
    for (int i = 0; i < k_lines; ++i) spdlog::info("line {}", i);
    spdlog::error("this is the cause");
  }
};

TEST_F(Last, LinesOfALogAreWrittenBeforeAFailedCheckEndsTheProcess) {
  const auto end = [] {
    const Logging logging("json", "info", "");
    log_until_the_cause();
    HOLDFAST_CHECK(1 > 2);
  };
  EXPECT_DEATH(end(), AllOf(HasSubstr("line 0"), HasSubstr("this is the cause"), HasSubstr("a rule of its own does not hold: 1 > 2")));
}

TEST_F(Last, LinesOfALogAreWrittenBeforeAnUncaughtExceptionEndsTheProcess) {
  const auto end = []() noexcept {
    const Logging logging("json", "info", "");
    log_until_the_cause();
    fail();
  };
  EXPECT_DEATH(end(), AllOf(HasSubstr("this is the cause"), HasSubstr("nobody catches this")));
}

// A named pipe, which the writer opens as its file and the test reads at will.
class Full : public ::testing::Test {
 protected:
  Full() {
    if (::mkfifo(file().c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    reader_ = ::open(file().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (reader_ < 0) throw std::runtime_error("the pipe cannot be opened");
  }
  ~Full() override { ::close(reader_); }

  std::string file() const { return folder_ / "pipe"; }
  // Reads until this is in the pipe's output.
  bool reads(std::string_view text) {
    return eventually([&] {
      char part[65'536];
      for (ssize_t size = 0; (size = ::read(reader_, part, sizeof part)) > 0;) seen.append(part, static_cast<std::size_t>(size));
      return seen.find(text) != std::string::npos;
    });
  }
  std::string seen;

 private:
  TempFolder folder_;
  int reader_;
};

TEST_F(Full, QueueOfALogWithoutMemoryDropsLinesAndReportsThemLater) {
  std::atomic<bool> has_memory{false};
  std::atomic<int> tried{0};
  LogWriter writer(file(), [&](spdlog::level::level_enum, const std::string& message) {
    ++tried;
    if (!has_memory) throw std::bad_alloc();
    return message + "\n";
  });
  const std::string line = std::string(1'000, 'x') + "\n";
  while (writer.lines_lost() == 0) writer.add(line);
  writer.warn("no memory for this one");
  EXPECT_EQ(writer.lines_lost(), 2U);

  EXPECT_TRUE(eventually([&] { return reads("x") && tried > 1; })) << "the queue is written, and then what it lost could not be said";
  has_memory = true;
  writer.add("afterwards\n");
  EXPECT_TRUE(reads("afterwards"));
  EXPECT_THAT(seen, HasSubstr("1 line of the log was lost here: the log was not read fast enough"));
}

// The first line does not fit into the pipe, so that it keeps its place in the queue.
TEST_F(Full, QueueOfALogHasOneMebibyteOfLinesAndNotAByteMore) {
  constexpr std::size_t k_most = std::size_t{1} * 1'024 * 1'024;
  const auto line_of = [](spdlog::level::level_enum, const std::string& message) { return message + "\n"; };
  const std::string last = "fills\n";
  LogWriter writer(file(), line_of);
  writer.add(std::string(k_most - last.size() - 1, 'x') + "\n");
  writer.add(last);
  EXPECT_EQ(writer.lines_lost(), 0U);
  writer.add("\n");
  EXPECT_EQ(writer.lines_lost(), 1U);
  EXPECT_TRUE(reads(last));
}

}  // namespace
}  // namespace holdfast::cli
