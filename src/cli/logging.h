// Logs: one JSON object a line, or text on a terminal.
#pragma once

#include <string>

namespace holdfast::cli {

// `format`: auto, text or json; `level`: debug, info, warn or error; `file`: empty for standard error. Throws spdlog::spdlog_ex when the file
// cannot be opened.
void set_up_logging(const std::string& format, const std::string& level, const std::string& file);

// Opens the log file again, for log rotation. Without a file nothing happens.
void reopen_log();

}   // namespace holdfast::cli
