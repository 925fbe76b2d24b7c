// The log: one JSON object per line, or text on a terminal.
#pragma once

#include <memory>
#include <string>

namespace holdfast::cli {

class LogWriter;

// Directs spdlog's default logger to the server's log. A thread that logs never waits for the reader (log_writer.h). Any thread.
class Logging {
 public:
  // `format`: auto, text or json. `level`: debug, info, warn or error. `file`: empty for standard error. Starts a thread, so the signals
  // that the process handles must be blocked. Throws std::system_error if the file cannot be opened.
  Logging(const std::string& format, const std::string& level, const std::string& file);
  // Waits for queued lines, for at most k_log_end_time_max.
  ~Logging();
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;

  // Reopens the file, for log rotation, and counts lines that were lost.
  LogWriter& writer() const { return *writer_; }

 private:
  std::shared_ptr<LogWriter> writer_;
};

// For the tools: writes warnings and errors as text to standard error, in order with the tool's own output.
void log_as_tool();

}   // namespace holdfast::cli
