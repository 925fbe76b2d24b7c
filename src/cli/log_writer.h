// Writes lines of the log, so that nobody who logs waits for whoever reads the log.
//
//   LogWriter writer("", line_of);   // to standard error
//   writer.add("{…}\n");             // at once, whatever becomes of the pipe
//
// Lines are queued, up to k_log_queue_bytes_max, and written by a thread of their own: a pipe that nobody reads, a disk that hangs or a reader
// that died cost lines of the log, not sales. Lines that do not fit into the queue, or cannot be written (EPIPE, ENOSPC), are counted, and
// what was lost is said in their place as soon as there is room again.
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
// How long the end of the process waits for the log to take what is queued.
inline constexpr std::chrono::milliseconds k_log_end_time_max{1'000};

// Any thread.
class LogWriter {
 public:
  // Makes a line, with its newline, of what the writer itself has to say. Called by any thread.
  using LineOf = std::function<std::string(spdlog::level::level_enum level, const std::string& message)>;

  // `file`: empty for standard error, which is not closed. Throws std::system_error when the file cannot be opened.
  LogWriter(std::string file, LineOf line_of);
  ~LogWriter() { end(); }
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` ends with a newline. Never waits, never throws. A line for which there is no memory is counted as lost.
  void add(std::string line) noexcept;

  void warn(const std::string& message) noexcept;   // adds a line of that level

  // Waits for what is queued, at most k_log_end_time_max; the rest is lost, and so is what is added later.
  void end() noexcept;

  // Opens the file anew under its name, soon. When that fails the old one is kept, and the log says so. Without a file nothing happens.
  void reopen();

  // Since the start.
  std::uint64_t lines_lost() const;

 private:
  struct State;   // outlives this when the thread hangs in a write
  static void run(State& state);

  std::shared_ptr<State> state_;
};

// Writes `text` to standard error, unless that would wait for longer than `patience` for a reader. For the last words of a process.
void say_on_stderr(const std::string& text, std::chrono::milliseconds patience = k_log_end_time_max);

}   // namespace holdfast::cli
