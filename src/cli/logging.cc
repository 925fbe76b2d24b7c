#include "cli/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "api/json.h"

namespace holdfast::cli {
namespace {

// The message as a JSON string.
class JsonMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string text;
    append_json(text, {message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

// A file that can be opened anew under the same name.
class ReopenableFile : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ReopenableFile(std::string path) : path_(std::move(path)) { file_.open(path_); }
  void reopen() {
    const std::scoped_lock lock(mutex_);
    file_.close();
    file_.open(path_);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    file_.write(line);
    file_.flush();
  }
  void flush_() override { file_.flush(); }

 private:
  std::string path_;
  spdlog::details::file_helper file_;
};

std::shared_ptr<ReopenableFile>& log_file() {
  static std::shared_ptr<ReopenableFile> file;
  return file;
}

}  // namespace

void set_up_logging(const std::string& format, const std::string& level, const std::string& file) {
  spdlog::sink_ptr sink;
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    log_file() = std::make_shared<ReopenableFile>(file);
    sink = log_file();
  }
  const bool text = format == "text" || (format == "auto" && file.empty() && ::isatty(STDERR_FILENO) != 0);
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<JsonMessage>('*');
  formatter->set_pattern(text ? "%H:%M:%S.%e %^%-5!l%$ %v" : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%*})");
  sink->set_formatter(std::move(formatter));
  auto logger = std::make_shared<spdlog::logger>("holdfast", std::move(sink));
  logger->set_level(spdlog::level::from_str(level == "error" ? "err" : level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void reopen_log() {
  if (log_file() == nullptr) return;
  log_file()->reopen();
  spdlog::info("the log file was opened again");
}

}  // namespace holdfast::cli
