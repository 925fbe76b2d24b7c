// Logs: one JSON object a line, or text on a terminal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace holdfast::cli {

class LogWriter;

// The log of a server, for its life. Whoever logs never waits for whoever reads the log (log_writer.h). Any thread.
class Logging {
 public:
  // `format`: auto, text or json; `level`: debug, info, warn or error; `file`: empty for standard error. Throws std::system_error when the file
  // cannot be opened. The signals that the process handles must be blocked: a thread begins here.
  Logging(const std::string& format, const std::string& level, const std::string& file);
  // Waits for what is to be written, at most k_log_end_time_max.
  ~Logging();
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;

  // Opens the log file again, for log rotation. Without a file nothing happens.
  void reopen();

  // That were not written, since the start.
  std::uint64_t lines_lost() const;

 private:
  std::shared_ptr<LogWriter> writer_;
};

// For the tools: warnings and errors as text on standard error, in order with what the tool prints there.
void log_as_tool();

}   // namespace holdfast::cli
