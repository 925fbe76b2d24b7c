#include "cli/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>

#include "api/request_facts.h"
#include "cli/log_writer.h"
#include "core/last_words.h"
#include "json/json.h"

namespace holdfast::cli {
namespace {

constexpr const char* k_text = "%H:%M:%S.%e %^%-5!l%$ %v";
constexpr const char* k_json = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%*})";

// The message as a JSON string, followed by the request's members. The thread that logs formats the line.
class JsonMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string text;
    append_json(text, {message.payload.data(), message.payload.size()});
    api::append_log_members(text);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

std::unique_ptr<spdlog::formatter> make_formatter(const char* pattern) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<JsonMessage>('*');
  formatter->set_pattern(pattern);
  return formatter;
}

class WriterSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit WriterSink(std::shared_ptr<LogWriter> writer) : writer_(std::move(writer)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    writer_->add(std::string(line.data(), line.size()));
  }
  void flush_() override {}

 private:
  std::shared_ptr<LogWriter> writer_;
};

// A process that aborts writes the queued lines first: they often have the cause.
constinit std::atomic<LogWriter*> writer_of_process{nullptr};

void end_log() noexcept {
  if (LogWriter* const writer = writer_of_process.load(); writer != nullptr) writer->end();
}

constinit std::terminate_handler terminate_before = nullptr;

[[noreturn]] void end_log_and_terminate() {
  say_last_words();
  if (terminate_before != nullptr) terminate_before();   // prints the exception
  std::abort();
}

}  // namespace

Logging::Logging(const std::string& format, const std::string& level, const std::string& file) {
  const bool is_text = format == "text" || (format == "auto" && file.empty() && ::isatty(STDERR_FILENO) != 0);
  const char* const pattern = is_text ? k_text : k_json;
  writer_ = std::make_shared<LogWriter>(file, [pattern](spdlog::level::level_enum of, const std::string& message) {
    const api::LogMembers members(api::RequestFacts{});   // the calling thread may be working on a request
    const auto formatter = make_formatter(pattern);
    spdlog::memory_buf_t line;
    formatter->format(spdlog::details::log_msg("holdfast", of, message), line);
    return std::string(line.data(), line.size());
  });
  auto sink = std::make_shared<WriterSink>(writer_);
  sink->set_formatter(make_formatter(pattern));
  auto logger = std::make_shared<spdlog::logger>("holdfast", std::move(sink));
  logger->set_level(spdlog::level::from_str(level == "error" ? "err" : level));
  // The default handler of spdlog would print to standard error, and wait for it.
  logger->set_error_handler([writer = writer_](const std::string& what) { writer->warn("cannot format a line of the log: " + what); });
  spdlog::set_default_logger(std::move(logger));
  writer_of_process = writer_.get();
  set_last_words(&end_log);
  if (terminate_before == nullptr) terminate_before = std::set_terminate(&end_log_and_terminate);
}

// The logger stays, and keeps the writer alive: a thread that nobody waits for may still log, which then has no effect.
Logging::~Logging() {
  writer_of_process = nullptr;
  writer_->end();
}

void log_as_tool() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_formatter(make_formatter(k_text));
  auto logger = std::make_shared<spdlog::logger>("holdfast", std::move(sink));
  logger->set_level(spdlog::level::warn);
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace holdfast::cli
