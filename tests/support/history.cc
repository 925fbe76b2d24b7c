#include "support/history.h"

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "support/client.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_buffer_bytes = 1 << 20;   // so that the disk, which is under test, is seldom written to

std::int64_t monotonic_ns() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// The file of the test that runs. Any thread.
class HistoryFile {
 public:
  HistoryFile() {
    const char* const folder = std::getenv("HOLDFAST_TEST_HISTORIES");
    if (folder != nullptr && *folder != '\0') record_in(folder);
  }
  ~HistoryFile() { end(); }

  static HistoryFile& instance() {
    static HistoryFile file;
    return file;
  }

  bool is_on() const { return is_on_.load(std::memory_order_relaxed); }

  void record_in(const std::filesystem::path& folder) {
    end();
    const std::lock_guard lock(mutex_);
    folder_ = folder;
    std::filesystem::create_directories(folder_);
    is_on_ = true;
  }

  void write(std::string_view line) {
    const ::testing::TestInfo* const test = ::testing::UnitTest::GetInstance()->current_test_info();
    if (test == nullptr) return;
    const std::lock_guard lock(mutex_);
    if (test != test_) begin(*test);
    buffer_.append(line);
    if (buffer_.size() >= k_buffer_bytes) flush();
  }

  std::filesystem::path end() {
    const std::lock_guard lock(mutex_);
    if (test_ == nullptr) return {};
    flush();
    file_.close();
    test_ = nullptr;
    return path_;
  }

 private:
  void begin(const ::testing::TestInfo& test) {
    if (test_ != nullptr) {
      flush();
      file_.close();
    }
    test_ = &test;
    path_ = folder_ / (std::string(test.test_suite_name()) + "." + test.name() + ".jsonl");
    file_.open(path_, std::ios::trunc);
    const auto wall = std::chrono::milliseconds(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
    buffer_ = R"({"monotonic":)" + std::to_string(monotonic_ns()) + R"(,"wall":)" + std::to_string(wall.count()) + "}\n";
  }

  void flush() {
    file_ << buffer_;
    buffer_.clear();
    if (!file_.flush()) throw std::runtime_error("cannot write " + path_.string());
  }

  std::atomic<bool> is_on_{false};
  std::mutex mutex_;
  std::filesystem::path folder_;
  const ::testing::TestInfo* test_ = nullptr;   // whose file is open
  std::filesystem::path path_;
  std::ofstream file_;
  std::string buffer_;
};

int next_client() {
  static std::atomic<int> last{0};
  return ++last;
}

// A request in bytes that begin with one.
struct Parsed {
  std::string_view method, target, key, body;
  std::size_t bytes;
};

std::string_view field(std::string_view head, std::string_view name) {
  const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return {};
  const std::size_t from = at + 2 + name.size() + 2;
  return head.substr(from, head.find("\r\n", from) - from);
}

Parsed parse_request(std::string_view bytes) {
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) throw std::logic_error("a history takes whole requests: " + std::string(bytes.substr(0, 200)));
  const std::string_view head = bytes.substr(0, head_end + 2);
  const std::size_t method_end = head.find(' ');
  const std::size_t target_end = head.find(' ', method_end + 1);
  std::size_t body = 0;
  if (const std::string_view length = field(head, "Content-Length"); !length.empty()) {
    std::from_chars(length.data(), length.data() + length.size(), body);
  }
  if (bytes.size() < head_end + 4 + body) throw std::logic_error("a history takes whole requests, body included: " + std::string(head));
  return {head.substr(0, method_end), head.substr(method_end + 1, target_end - method_end - 1), field(head, "Idempotency-Key"),
          bytes.substr(head_end + 4, body), head_end + 4 + body};
}

bool is_of_seats(const Parsed& request) {
  if (request.method == "GET") return request.target.starts_with("/v1/seats/") && request.target.find('/', 10) == std::string_view::npos;
  return request.target != "/v1/events";
}

// `"name":` and its text or list, in a body that the program wrote; nothing if it has none.
std::string member(std::string_view body, std::string_view name) {
  const std::string before = "\"" + std::string(name) + "\":";
  const std::size_t at = body.find(before);
  if (at == std::string_view::npos) return {};
  const std::size_t value = at + before.size();
  const std::size_t end = body.find(body[value] == '[' ? ']' : '"', value + 1);
  return std::string(body.substr(at, end + 1 - at));
}

// A refusal without the words for people: most answers of a race are refusals.
std::string shortened(std::string_view body) {
  if (const std::string tickets = member(body, "nodisponible"); !tickets.empty()) return R"({"data":{)" + tickets + "}}";
  const std::string seats = member(body, "seatIds");
  return "{" + member(body, "code") + (seats.empty() ? "" : "," + seats) + "}";
}

}   // namespace

void record_histories_in(const std::filesystem::path& folder) { HistoryFile::instance().record_in(folder); }
std::filesystem::path end_history() { return HistoryFile::instance().end(); }

Conversation::Conversation(Conversation&& other) noexcept
    : client_(std::exchange(other.client_, 0)), asked_(std::exchange(other.asked_, {})) {}

Conversation& Conversation::operator=(Conversation&& other) noexcept {
  std::swap(client_, other.client_);
  std::swap(asked_, other.asked_);
  return *this;
}

void Conversation::asks(std::string_view bytes) {
  if (!HistoryFile::instance().is_on()) return;
  if (client_ == 0) client_ = next_client();
  const std::int64_t now = monotonic_ns();
  while (!bytes.empty()) {
    const Parsed request = parse_request(bytes);
    Asked asked{.is_of_seats = is_of_seats(request), .call_ns = now, .begin = {}};
    if (asked.is_of_seats) {
      asked.begin = R"({"client":)" + std::to_string(client_) + R"(,"call":)" + std::to_string(now) + R"(,"method":")";
      asked.begin.append(request.method).append(R"(","target":")").append(request.target);
      asked.begin.append(R"(","key":")").append(request.key).append(R"(","request":)");
      asked.begin.append(request.body.empty() ? "null" : request.body);
    }
    asked_.push_back(std::move(asked));
    bytes.remove_prefix(request.bytes);
  }
}

void Conversation::hears(const Answer& answer) {
  constexpr int k_first_final_status = 200;
  if (asked_.empty() || answer.status < k_first_final_status) return;
  constexpr int k_first_refusal = 400;
  Asked asked = std::move(asked_.front());
  asked_.pop_front();
  if (!asked.is_of_seats) return;
  std::string line = std::move(asked.begin);
  line += R"(,"return":)" + std::to_string(monotonic_ns()) + R"(,"status":)" + std::to_string(answer.status) + R"(,"replayed":)" +
          (answer.header("Idempotency-Replayed") == "true" ? "true" : "false") + R"(,"answer":)";
  line += answer.status >= k_first_refusal ? shortened(answer.body) : answer.body;
  HistoryFile::instance().write(line + "}\n");
}

void Conversation::end() {
  for (const Asked& asked : std::exchange(asked_, {})) {
    if (asked.is_of_seats) HistoryFile::instance().write(asked.begin + ",\"return\":null}\n");
  }
}

}   // namespace holdfast::test
