// Whether the write-ahead log of a database that this process writes is still what it wrote.
//
// SQLite checks the checksums of its log only when it opens it after a crash, and then uses the log up to the first frame that does not fit.
// While the database is open, it moves frames that another program has cut off or overwritten into the database as they are. So the writer
// of a journal checks by itself: the log's header, and the frames up to the last commit, which SQLite's index of the log (-shm) names with
// their checksum.
//
//   LogWatch watch(path);                                            // of a database in WAL mode that is open elsewhere in this process
//   if (std::string what = watch.look(LogWatch::k_all); !what.empty()) …
//
// It takes no locks, and does not mistake a log that begins anew meanwhile for a damaged one. For one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "sql/sqlite.h"

namespace holdfast {

class LogWatch {
 public:
  static constexpr std::size_t k_all = std::numeric_limits<std::size_t>::max();

  // Throws sqlite::Error; DataError if the log cannot be opened.
  explicit LogWatch(const std::string& path);
  ~LogWatch();
  LogWatch(const LogWatch&) = delete;
  LogWatch& operator=(const LogWatch&) = delete;

  // What is wrong with the log, as the rest of a sentence that begins with its name; empty: nothing. Reads its header and at most `bytes_max`
  // of its frames (plus one frame); the next call continues there. A log that cannot be read may have been changed.
  std::string look(std::size_t bytes_max);
  // The same for all frames that no call has checked yet, but throws DataError if the log cannot be read. Use only one of the two functions
  // on a watch; look(k_all) may come last.
  std::string look_at_new();

  // How far look_at_new() has come, for another watch of the same log, so that frames are not checked twice.
  struct Place {
    std::array<std::uint8_t, 8> salt{};
    std::uint32_t next = 1;
  };
  Place place() const { return {salt_, next_}; }
  void go_on_from(const Place& place) {
    salt_ = place.salt;
    next_ = place.next;
  }

 private:
  using Sum = std::array<std::uint32_t, 2>;
  using Salt = std::array<std::uint8_t, 8>;
  // How far the log reaches according to its index.
  struct Reach {
    std::uint32_t frames;
    std::uint32_t page;   // bytes
    Sum sum;   // of the last frame
    Salt salt;   // another one whenever the log begins anew
  };

  std::optional<Reach> reach();
  std::string look_at(const std::function<std::string(const Reach&, bool is_big, Sum)>& compare);
  std::string compare_frames(const Reach& reach, bool is_big, Sum sum, std::uint32_t first, std::uint32_t last);
  std::size_t read(char* to, std::size_t size, std::int64_t offset) const;

  sqlite::Database database_;
  std::string log_;
  int file_ = -1;
  Salt salt_{};   // of the log that was looked at last
  std::uint32_t next_ = 1;   // the frame of it to go on with
  std::vector<char> buffer_;
};

// A sentence with what look() found and what to do: for a running server, and for one that finds it as it ends.
std::string told_of_damaged_log(const std::string& path, const std::string& what);
// Why nothing is sold any more if the disk has failed while the log was moved. SQLite would not move again what a failed sync has lost; a start
// does.
std::string told_of_failed_move(const sqlite::Error& error);
std::string told_of_log_damaged_at_the_end(const std::string& path, const std::string& what);

// Whether a log's file begins with a header that SQLite wrote. If the file is being written, ask again.
bool has_log_header(const std::array<std::uint8_t, 32>& bytes);

}   // namespace holdfast
