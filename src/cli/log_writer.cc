#include "cli/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace holdfast::cli {
namespace {

int open_log(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code ignored;   // then opening the file fails too, and says why
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

// Standard error is shared, so another program may have made it non-blocking.
bool wait_until_writable(int file, int timeout_ms) {
  pollfd wanted{.fd = file, .events = POLLOUT, .revents = 0};
  return ::poll(&wanted, 1, timeout_ms) > 0;
}

// How many bytes were written, and why no more: 0, or an errno.
struct Written {
  std::size_t bytes;
  int error;
};

Written write_all(int file, std::string_view text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      wait_until_writable(file, -1);
    } else if (count == 0 || errno != EINTR) {
      return {done, count == 0 ? EIO : errno};
    }
  }
  return {done, 0};
}

std::string lost(std::uint64_t lines, const std::string& why) {
  return std::to_string(lines) + (lines == 1 ? " line of the log was lost here: " : " lines of the log were lost here: ") + why;
}

}  // namespace

struct LogWriter::State {
  State(std::string path, LineOf line) : file(std::move(path)), line_of(std::move(line)) {}
  ~State() {
    if (!file.empty()) ::close(descriptor);
  }

  const std::string file;
  const LineOf line_of;
  std::atomic<std::uint64_t> lines_lost{0};

  std::mutex mutex;   // guards the members below, up to has_ended
  std::condition_variable changed;
  std::deque<std::string> queue;
  std::size_t queue_bytes = 0;
  std::uint64_t dropped = 0;   // after the queue's last line, for lack of room
  bool must_reopen = false;
  bool ends = false;
  bool has_ended = false;

  // Only the thread uses the rest.
  int descriptor = STDERR_FILENO;
  bool is_in_line = false;   // a part of a line was written
  std::uint64_t failed = 0;   // lines that could not be written, and that the log does not mention yet
  int failure = 0;

  void push(std::string line) {
    const std::size_t bytes = line.size();
    queue.push_back(std::move(line));
    queue_bytes += bytes;
  }
  void tell_dropped() {
    push(line_of(spdlog::level::warn, lost(dropped, "the log was not read fast enough")));
    dropped = 0;
  }
  void try_to_tell_dropped() noexcept {
    try {
      tell_dropped();
    } catch (const std::exception&) {   // they stay counted; a later line mentions them
    }
  }
  bool write(const std::string& line) {
    // If a full disk has cut the previous line, end it first.
    const auto [bytes, error] = write_all(descriptor, is_in_line ? "\n" + line : line);
    if (error == 0) {
      is_in_line = false;
      return true;
    }
    is_in_line = is_in_line ? bytes != 1 : bytes != 0;
    failure = error;
    return false;
  }
  void count_failed() noexcept {
    ++failed;
    ++lines_lost;
  }
  void write_or_count(const std::string& line) noexcept {
    try {
      if (failed > 0 && write(line_of(spdlog::level::warn, lost(failed, std::strerror(failure))))) failed = 0;
      if (failed == 0 && write(line)) return;
    } catch (const std::exception&) {   // no memory to format the line about lost lines
      failure = ENOMEM;
    }
    count_failed();
  }
  void reopen() noexcept try {
    const int opened = open_log(file);
    if (opened < 0) {
      write_or_count(line_of(spdlog::level::err, "cannot reopen the log file, so the log stays in the file that is open: " + file + ": " +
                                                     std::strerror(errno)));
      return;
    }
    ::close(std::exchange(descriptor, opened));
    is_in_line = false;
    write_or_count(line_of(spdlog::level::info, "the log file was reopened"));
  } catch (const std::exception&) {   // no memory to format the line
    failure = ENOMEM;
    count_failed();
  }
};

LogWriter::LogWriter(std::string file, LineOf line_of) : state_(std::make_shared<State>(std::move(file), std::move(line_of))) {
  if (!state_->file.empty()) {
    state_->descriptor = open_log(state_->file);
    if (state_->descriptor < 0) throw std::system_error(errno, std::generic_category(), "cannot open the log file " + state_->file);
  }
  std::thread([state = state_] { run(*state); }).detach();
}

void LogWriter::end() noexcept {
  std::unique_lock lock(state_->mutex);
  if (std::exchange(state_->ends, true)) return;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, k_log_end_time_max, [&] { return state_->has_ended; });
}

void LogWriter::run(State& state) {
  std::unique_lock lock(state.mutex);
  for (;;) {
    if (state.queue.empty() && state.dropped > 0) state.try_to_tell_dropped();
    state.changed.wait(lock, [&] { return !state.queue.empty() || state.must_reopen || state.ends; });
    if (std::exchange(state.must_reopen, false)) {
      lock.unlock();
      state.reopen();
      lock.lock();
    }
    if (state.queue.empty()) {
      if (!state.ends) continue;
      state.has_ended = true;
      state.changed.notify_all();
      return;
    }
    const std::string line = std::move(state.queue.front());
    state.queue.pop_front();
    lock.unlock();
    state.write_or_count(line);
    lock.lock();
    state.queue_bytes -= line.size();
  }
}

void LogWriter::add(std::string line) noexcept {
  try {
    const std::scoped_lock lock(state_->mutex);
    if (state_->ends || state_->queue_bytes + line.size() > k_log_queue_bytes_max) {
      ++state_->dropped;
      ++state_->lines_lost;
      return;
    }
    if (state_->dropped > 0) state_->tell_dropped();
    state_->push(std::move(line));
    state_->changed.notify_all();
  } catch (const std::exception&) {
    ++state_->lines_lost;   // no memory
  }
}

void LogWriter::warn(const std::string& message) noexcept {
  try {
    add(state_->line_of(spdlog::level::warn, message));
  } catch (const std::exception&) {
    ++state_->lines_lost;
  }
}

void LogWriter::reopen() {
  if (state_->file.empty()) return;
  const std::scoped_lock lock(state_->mutex);
  state_->must_reopen = true;
  state_->changed.notify_all();
}

std::uint64_t LogWriter::lines_lost() const { return state_->lines_lost.load(); }

// A writable pipe accepts a page without waiting.
void say_on_stderr(const std::string& text, std::chrono::milliseconds patience) {
  constexpr std::size_t k_part_bytes = 512;
  for (std::string_view rest = text; !rest.empty();) {
    if (!wait_until_writable(STDERR_FILENO, static_cast<int>(patience.count()))) return;
    const ssize_t count = ::write(STDERR_FILENO, rest.data(), std::min(rest.size(), k_part_bytes));
    if (count < 0 && errno != EINTR && errno != EAGAIN) return;
    if (count > 0) rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace holdfast::cli
