// How long a durable write into a preallocated, zeroed file takes, by the ways that Linux has for it: what a round of the journal costs.
//
//   bench_journal FOLDER [SECONDS]     on the file system of FOLDER; 2 s for each way and size unless told otherwise
//
// The ways take turns, a few writes each, so that what else the machine does meets all of them alike. Each way has a file of its own and
// writes it from beginning to end, again and again. Prints median and 99th percentile in microseconds.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace holdfast {
namespace {

using Timer = std::chrono::steady_clock;

constexpr std::size_t k_block = 4'096;
constexpr std::size_t k_file_bytes = std::size_t{32} * 1024 * 1024;
constexpr std::array<std::size_t, 3> k_sizes{2'048, 8'192, 65'536};
constexpr int k_writes_a_turn = 20;

enum class Way { fdatasync, o_dsync, o_direct_dsync, rwf_dsync };
struct Kind {
  Way way;
  const char* name;
  int flags;
};
constexpr std::array<Kind, 4> k_kinds{{{Way::fdatasync, "fdatasync", 0},
                                       {Way::o_dsync, "O_DSYNC", O_DSYNC},
                                       {Way::o_direct_dsync, "O_DIRECT|O_DSYNC", O_DIRECT | O_DSYNC},
                                       {Way::rwf_dsync, "RWF_DSYNC", 0}}};

[[noreturn]] void fail(const std::string& doing, const std::string& path) {
  throw std::runtime_error("cannot " + doing + " " + path + ": " + std::strerror(errno));
}

struct Free {
  void operator()(char* bytes) const { std::free(bytes); }
};
using Buffer = std::unique_ptr<char, Free>;

Buffer aligned(std::size_t bytes, char fill) {
  Buffer buffer(static_cast<char*>(std::aligned_alloc(k_block, bytes)));
  std::memset(buffer.get(), fill, bytes);
  return buffer;
}

// A file that is written in one way. It is removed at once, and gone when the program ends.
class Contender {
 public:
  Contender(const std::string& folder, const Kind& kind) : kind_(kind), path_(folder + "/bench_journal." + std::to_string(::getpid())) {
    const int zeroing = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (zeroing < 0) fail("make", path_);
    file_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | kind.flags);
    const int error = errno;
    ::unlink(path_.c_str());
    errno = error;
    if (file_ < 0) fail("open", path_);
    if (::fallocate(zeroing, 0, 0, k_file_bytes) != 0 && errno != EOPNOTSUPP) fail("make room for", path_);
    const Buffer zeros = aligned(k_file_bytes, 0);
    if (::pwrite(zeroing, zeros.get(), k_file_bytes, 0) != static_cast<ssize_t>(k_file_bytes)) fail("write", path_);
    if (::fsync(zeroing) != 0) fail("sync", path_);
    ::close(zeroing);
  }
  ~Contender() { ::close(file_); }
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;

  // Writes `bytes`, which take whole blocks, and returns when they are on disk.
  void write(const char* bytes, std::size_t size) {
    const iovec part{const_cast<char*>(bytes), size};
    const ssize_t written = kind_.way == Way::rwf_dsync ? ::pwritev2(file_, &part, 1, at_, RWF_DSYNC) : ::pwrite(file_, bytes, size, at_);
    if (written != static_cast<ssize_t>(size)) fail("write", path_);
    if (kind_.way == Way::fdatasync && ::fdatasync(file_) != 0) fail("sync", path_);
    at_ += static_cast<off_t>(size);
    if (at_ + static_cast<off_t>(size) > static_cast<off_t>(k_file_bytes)) at_ = 0;
  }

  const Kind& kind() const { return kind_; }
  std::vector<double>& times_us() { return times_us_; }

 private:
  const Kind& kind_;
  const std::string path_;
  int file_ = -1;
  off_t at_ = 0;
  std::vector<double> times_us_;
};

double percentile(std::vector<double>& times, double share) {
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(times.size() - 1));
  std::ranges::nth_element(times, at);
  return *at;
}

// The size is what a round has; on disk it takes whole blocks.
void measure(const std::string& folder, std::size_t size, double seconds) {
  const std::size_t padded = (size + k_block - 1) / k_block * k_block;
  const Buffer bytes = aligned(padded, 'x');
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const Kind& kind : k_kinds) {
    try {
      contenders.push_back(std::make_unique<Contender>(folder, kind));
    } catch (const std::runtime_error& error) {
      fmt::print("{:>6} {:<18} {}\n", size, kind.name, error.what());
    }
  }
  const auto end = Timer::now() + std::chrono::duration_cast<Timer::duration>(
                                      std::chrono::duration<double>(seconds * static_cast<double>(contenders.size())));
  while (Timer::now() < end) {
    for (const auto& contender : contenders) {
      for (int i = 0; i < k_writes_a_turn; ++i) {
        const auto start = Timer::now();
        contender->write(bytes.get(), padded);
        contender->times_us().push_back(std::chrono::duration<double, std::micro>(Timer::now() - start).count());
      }
    }
  }
  for (const auto& contender : contenders) {
    std::vector<double>& times = contender->times_us();
    fmt::print("{:>6} {:<18} {:>8.0f} {:>8.0f} {:>8}\n", size, contender->kind().name, percentile(times, 0.5), percentile(times, 0.99),
               times.size());
  }
}

}   // namespace
}   // namespace holdfast

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: {} FOLDER [SECONDS]\n", argv[0]);
    return 2;
  }
  try {
    fmt::print("{:>6} {:<18} {:>8} {:>8} {:>8}\n", "bytes", "way", "median", "p99", "writes");
    for (const std::size_t size : holdfast::k_sizes) holdfast::measure(argv[1], size, argc == 3 ? std::atof(argv[2]) : 2);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
