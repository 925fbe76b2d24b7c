#include "ledger/embedded/log_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "ledger/data_error.h"
#include "ledger/embedded/journal_watch.h"

namespace holdfast {
namespace {

// See https://www.sqlite.org/walformat.html.
constexpr std::uint32_t k_magic = 0x377f0682;   // the lowest bit says that checksums are of big-endian words
constexpr std::size_t k_header = 32;
constexpr std::size_t k_frame_header = 24;
constexpr std::size_t k_index_header = 48;   // stored twice, one after the other
constexpr int k_index_page = 32'768;

constexpr int k_tries_max = 10;   // while the log restarts, or its index changes
constexpr std::size_t k_read_at_once = std::size_t{256} * 1024;

using Bytes = std::span<const char>;
using Sum = std::array<std::uint32_t, 2>;

template <typename Number>
Number number_at(Bytes bytes, std::size_t offset) {   // in native byte order
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

std::uint32_t big_at(Bytes bytes, std::size_t offset) {
  const auto number = number_at<std::uint32_t>(bytes, offset);
  return std::endian::native == std::endian::big ? number : __builtin_bswap32(number);
}

// SQLite's checksum of words. `sum` is the checksum of everything before them.
Sum sum_of(Bytes bytes, bool is_big, Sum sum) {
  const bool swaps = is_big != (std::endian::native == std::endian::big);
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    auto first = number_at<std::uint32_t>(bytes, at);
    auto second = number_at<std::uint32_t>(bytes, at + 4);
    if (swaps) {
      first = __builtin_bswap32(first);
      second = __builtin_bswap32(second);
    }
    sum[0] += first + sum[1];
    sum[1] += second + sum[0];
  }
  return sum;
}

bool is_header(Bytes bytes) {
  const std::uint32_t magic = big_at(bytes, 0);
  const Sum sum{big_at(bytes, 24), big_at(bytes, 28)};
  return (magic & ~1u) == k_magic && sum_of(bytes.first(24), (magic & 1) != 0, {}) == sum;
}

std::string way_out_beside(const std::string& path) { return way_out_of_lost_rows(std::filesystem::path(path).parent_path()); }

}  // namespace

bool has_log_header(const std::array<std::uint8_t, 32>& bytes) {
  static_assert(k_header == 32);
  return is_header({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string told_of_damaged_log(const std::string& path, const std::string& what) {
  return told_of_damaged_journal(std::filesystem::path(path).parent_path(), path, what);
}

std::string told_of_failed_move(const sqlite::Error& error) {
  return std::string("the journal's log could not be moved into its file: ") + error.what() +
         ". What was answered is in the log, which is kept. Repair the disk, then start again.";
}

std::string told_of_log_damaged_at_the_end(const std::string& path, const std::string& what) {
  return path + " " + what +
         " by another program before the server ended. It was left as it is, and not moved into its database: the next start would "
         "not find all that was answered. Keep a copy of the folder, " +
         way_out_beside(path);
}

LogWatch::LogWatch(const std::string& path) : database_(path, sqlite::Database::Mode::read_only), log_(path + "-wal") {
  try {
    database_.query_int("SELECT count(*) FROM sqlite_master");   // opens the log and its index
  } catch (const sqlite::Error&) {
    if (!reach()) throw;   // both are open; only a page in the log is unreadable, and look() reports that
  }
  // SQLite takes its locks on the other two files, so opening and closing this one drops none.
  file_ = ::open(log_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) throw DataError("cannot open " + log_ + ": " + std::strerror(errno));
}

LogWatch::~LogWatch() { ::close(file_); }

// SQLite writes the two headers of the index one after the other. If they are equal and the checksum is right, they are complete.
std::optional<LogWatch::Reach> LogWatch::reach() {
  sqlite3_file* file = nullptr;
  void volatile* index = nullptr;
  const int asked = sqlite3_file_control(database_.handle(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  if (asked != SQLITE_OK || file == nullptr || file->pMethods == nullptr || file->pMethods->iVersion < 2 ||
      file->pMethods->xShmMap(file, 0, k_index_page, 0, &index) != SQLITE_OK || index == nullptr) {
    return std::nullopt;
  }
  for (int i = 0; i < k_tries_max; ++i) {
    std::array<char, 2 * k_index_header> both{};
    for (std::size_t at = 0; at < both.size(); ++at) both[at] = static_cast<const volatile char*>(index)[at];
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const Bytes header = Bytes(both).first(k_index_header);
    const bool is_whole = std::memcmp(both.data(), both.data() + k_index_header, k_index_header) == 0 && header[12] != 0 &&
                          sum_of(header.first(40), std::endian::native == std::endian::big, {}) ==
                              Sum{number_at<std::uint32_t>(header, 40), number_at<std::uint32_t>(header, 44)};
    if (!is_whole) continue;
    const std::uint32_t page = number_at<std::uint16_t>(header, 14);
    Reach found{.frames = number_at<std::uint32_t>(header, 16),
                .page = page == 1 ? 65'536 : page,
                .sum = {number_at<std::uint32_t>(header, 24), number_at<std::uint32_t>(header, 28)},
                .salt = {}};
    std::memcpy(found.salt.data(), header.data() + 32, found.salt.size());
    return found;
  }
  return std::nullopt;
}

std::string LogWatch::look(std::size_t bytes_max) try {
  return look_at([&](const Reach& reach, bool is_big, Sum sum) {
    if (next_ > reach.frames) next_ = 1;
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(reach.frames, bytes_max / (k_frame_header + reach.page) + 1));
    const std::uint32_t first = next_;
    const std::uint32_t last = std::min(reach.frames, first + (count - 1));
    std::string damage = compare_frames(reach, is_big, sum, first, last);
    next_ = last == reach.frames ? 1 : last + 1;
    const std::uint32_t left = count - (last - first + 1);
    if (!damage.empty() || left == 0) return damage;
    next_ = left + 1;
    return compare_frames(reach, is_big, sum, 1, left);   // the log's beginning
  });
} catch (const DataError& error) {
  return std::string("cannot be read (") + error.what() + "), so it may have been changed";
}

std::string LogWatch::look_at_new() {
  return look_at([&](const Reach& reach, bool is_big, Sum sum) {
    if (next_ > reach.frames) return std::string();
    std::string damage = compare_frames(reach, is_big, sum, next_, reach.frames);
    if (damage.empty()) next_ = reach.frames + 1;
    return damage;
  });
}

std::string LogWatch::look_at(const std::function<std::string(const Reach&, bool is_big, Sum)>& compare) {
  for (int i = 0; i < k_tries_max; ++i) {
    const std::optional<Reach> before = reach();
    if (!before || before->frames == 0) return {};
    if (before->salt != salt_) next_ = 1;
    salt_ = before->salt;
    std::array<char, k_header> header{};
    const bool is_whole = read(header.data(), header.size(), 0) == header.size();
    const bool is_ours = is_header(header) && std::memcmp(header.data() + 16, salt_.data(), salt_.size()) == 0;
    std::string damage = !is_whole  ? "was cut off"
                         : !is_ours ? "has lost its header"
                                    : compare(*before, (big_at(header, 0) & 1) != 0, {big_at(header, 24), big_at(header, 28)});
    if (damage.empty()) return {};
    // When a log restarts, its new salt is in the index before its first byte is written.
    const std::optional<Reach> after = reach();
    if (after && after->salt == before->salt) return damage;
  }
  return {};
}

// `sum` is the checksum in the header.
std::string LogWatch::compare_frames(const Reach& reach, bool is_big, Sum sum, std::uint32_t first, std::uint32_t last) {
  const std::size_t frame = k_frame_header + reach.page;
  const auto offset_of = [&](std::uint32_t number) { return static_cast<std::int64_t>(k_header + std::size_t{number - 1} * frame); };
  if (first > 1) {   // continue from the checksum in the previous frame
    std::array<char, 8> known{};
    if (read(known.data(), known.size(), offset_of(first - 1) + 16) != known.size()) return "was cut off";
    sum = {big_at(known, 0), big_at(known, 4)};
  }
  buffer_.resize(std::max<std::size_t>(1, k_read_at_once / frame) * frame);
  for (std::uint32_t number = first; number <= last;) {
    const std::size_t wanted = std::min<std::size_t>(buffer_.size(), std::size_t{last - number + 1} * frame);
    if (read(buffer_.data(), wanted, offset_of(number)) != wanted) return "was cut off";
    for (std::size_t at = 0; at < wanted; at += frame, ++number) {
      const Bytes bytes(buffer_.data() + at, frame);
      sum = sum_of(bytes.subspan(k_frame_header), is_big, sum_of(bytes.first(8), is_big, sum));
      const bool fits = std::memcmp(bytes.data() + 8, reach.salt.data(), reach.salt.size()) == 0 &&
                        sum == Sum{big_at(bytes, 16), big_at(bytes, 20)} && (number < reach.frames || sum == reach.sum);
      if (!fits) return "was overwritten in its frame " + std::to_string(number);
    }
  }
  return {};
}

// Returns the number of bytes read: less than `size` at the end of the file.
std::size_t LogWatch::read(char* to, std::size_t size, std::int64_t offset) const {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(file_, to + done, size - done, offset + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw DataError("cannot read " + log_ + ": " + std::strerror(errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace holdfast
