#include "support/recorder.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>

namespace holdfast::test {
namespace {

void append_text(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') line += '\\';
    if (byte >= 0x20 && byte < 0x7F) {
      line += c;
    } else {
      line.append("\\u00").append(1, "0123456789abcdef"[byte >> 4]).append(1, "0123456789abcdef"[byte & 15]);
    }
  }
  line += '"';
}

void append_headers(std::string& line, const Headers& headers) {
  line += '[';
  for (const auto& [name, value] : headers) {
    line += line.back() == '[' ? "[" : ",[";
    append_text(line, name);
    line += ',';
    append_text(line, value);
    line += ']';
  }
  line += ']';
}

class Recorder {
 public:
  Recorder() {
    const char* const folder = std::getenv("HOLDFAST_TEST_RECORD");
    if (folder == nullptr || *folder == '\0') return;
    std::filesystem::create_directories(folder);
    file_.open(std::filesystem::path(folder) / (std::to_string(::getpid()) + ".jsonl"), std::ios::app);
    if (!file_) throw std::runtime_error(std::string("cannot record exchanges in ") + folder);
    left_ = k_recorded_max;
  }

  void write(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (left_ <= 0) return;
    --left_;
    if (!(file_ << line).flush()) throw std::runtime_error("cannot record an exchange");
  }

  bool is_on() const { return file_.is_open(); }

 private:
  std::mutex mutex_;
  std::ofstream file_;
  int left_ = 0;
};

}  // namespace

void record(std::string_view method, std::string_view target, std::string_view body, const Headers& headers, const Answer& answer) {
  static Recorder recorder;
  if (!recorder.is_on() || body.size() + answer.body.size() > k_recorded_bytes_max) return;
  std::string line = R"({"method":)";
  append_text(line, method);
  line += R"(,"target":)";
  append_text(line, target);
  line += R"(,"requestHeaders":)";
  append_headers(line, headers);
  line += R"(,"requestBody":)";
  append_text(line, body);
  line += R"(,"status":)" + std::to_string(answer.status) + R"(,"headers":)";
  append_headers(line, answer.headers);
  line += R"(,"body":)";
  append_text(line, answer.body);
  recorder.write(line + "}\n");
}

}  // namespace holdfast::test
