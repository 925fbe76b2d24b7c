// What a ledger says in its log, for tests that read it.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::test {

// The lines logged from a level on, as long as this lives. Any thread; one at a time in a process.
class LoggedLines {
 public:
  explicit LoggedLines(spdlog::level::level_enum from = spdlog::level::warn) {
    auto logger = std::make_shared<spdlog::logger>("lines", std::make_shared<Sink>(*this));
    logger->set_level(from);
    spdlog::set_default_logger(std::move(logger));
  }
  ~LoggedLines() { spdlog::set_default_logger(before_); }
  LoggedLines(const LoggedLines&) = delete;
  LoggedLines& operator=(const LoggedLines&) = delete;

  std::vector<std::string> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  std::vector<std::string> with(std::string_view text) const {
    std::vector<std::string> found = lines();
    std::erase_if(found, [&](const std::string& line) { return line.find(text) == std::string::npos; });
    return found;
  }

 private:
  class Sink : public spdlog::sinks::base_sink<std::mutex> {
   public:
    explicit Sink(LoggedLines& of) : of_(of) {}

   protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
      const std::scoped_lock lock(of_.mutex_);
      of_.lines_.emplace_back(message.payload.data(), message.payload.size());
    }
    void flush_() override {}

   private:
    LoggedLines& of_;
  };

  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}   // namespace holdfast::test
