// Writes the log on a thread of its own, so that a thread that logs never waits for the reader of the log.
//
//   LogWriter writer("", line_of);   // to standard error
//   writer.add("{…}\n");             // returns at once, even if nobody reads the pipe
//
// Up to k_log_queue_bytes_max of lines wait. A pipe that nobody reads, or a disk that hangs, therefore costs log lines, not sales. Lines that
// do not fit into the queue or cannot be written (EPIPE, ENOSPC) are counted; once there is room again, the log says in their place how
// many are missing.
#pragma once

#include <spdlog/common.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace holdfast::cli {

inline constexpr std::size_t k_log_queue_bytes_max = std::size_t{1024} * 1024;
// How long the process waits at its end for queued lines to be written.
inline constexpr std::chrono::milliseconds k_log_end_time_max{1'000};

// Any thread.
class LogWriter {
 public:
  // Formats a message of the writer itself as a line, with its newline. Called on any thread.
  using LineOf = std::function<std::string(spdlog::level::level_enum level, const std::string& message)>;

  // `file`: empty for standard error, which is never closed. Throws std::system_error if the file cannot be opened.
  LogWriter(std::string file, LineOf line_of);
  ~LogWriter() { end(); }
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` must end with a newline. Never waits, never throws. Counts the line as lost if there is no memory.
  void add(std::string line) noexcept;

  void warn(const std::string& message) noexcept;   // adds a line of the level `warn`

  // Waits for queued lines, for at most k_log_end_time_max. The rest is lost, and so are lines that are added later.
  void end() noexcept;

  // Reopens the file by its name, soon. If that fails, the old file stays in use and the log says so. Without a file nothing happens.
  void reopen();

  // Since the start.
  std::uint64_t lines_lost() const;

 private:
  struct State;   // outlives this object if the thread hangs in a write
  static void run(State& state);

  std::shared_ptr<State> state_;
};

// Writes `text` to standard error, but waits at most `patience` for its reader. For the last message of a process.
void say_on_stderr(const std::string& text, std::chrono::milliseconds patience = k_log_end_time_max);

}   // namespace holdfast::cli
