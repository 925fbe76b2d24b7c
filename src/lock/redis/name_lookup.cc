#include "lock/redis/name_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace holdfast::lock {
namespace {

using Clock = std::chrono::steady_clock;
using Found = std::expected<std::vector<std::string>, std::string>;

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> unused{};
  return ::inet_pton(AF_INET, host.c_str(), unused.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), unused.data()) == 1;
}

// Blocks, possibly for a long time.
Found look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &first); failed != 0) return std::unexpected(::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(first, &::freeaddrinfo);
  std::vector<std::string> found;
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
      found.emplace_back(text.data());
  }
  if (found.empty()) return std::unexpected("the name has no address");
  return found;
}

}  // namespace

struct NameLookup::Question {
  std::mutex mutex;
  std::condition_variable_any answered;
  std::optional<Found> answer;
  Clock::time_point answered_at;

  bool is_answered() {
    const std::scoped_lock lock(mutex);
    return answer.has_value();
  }
  // Drop a late answer that is too old.
  bool is_over() {
    const std::scoped_lock lock(mutex);
    return answer.has_value() && Clock::now() >= answered_at + k_late_answer_kept;
  }
};

Found NameLookup::find(const std::string& host, std::chrono::steady_clock::time_point deadline, const std::stop_token& stop) {
  if (is_address(host)) return std::vector{host};
  std::erase_if(under_way_, [](const auto& each) { return each.second->is_over(); });
  auto& question = under_way_[host];
  if (question == nullptr) {
    const auto refused = [&](const char* why) {
      under_way_.erase(host);
      return std::unexpected(std::string(why));
    };
    const auto unanswered = std::ranges::count_if(under_way_, [](const auto& each) { return each.second && !each.second->is_answered(); });
    if (static_cast<std::size_t>(unanswered) >= k_lookups_at_once) return refused("too many names are being looked up");
    question = std::make_shared<Question>();
    try {
      std::thread([asked = question, host] {
        pthread_setname_np(pthread_self(), "lookup");
        Found found = look_up(host);
        const std::scoped_lock lock(asked->mutex);
        asked->answer = std::move(found);
        asked->answered_at = Clock::now();
        asked->answered.notify_all();
      }).detach();
    } catch (const std::system_error&) {
      return refused("there is no thread to look the name up");
    }
  }
  std::unique_lock lock(question->mutex);
  if (!question->answered.wait_until(lock, stop, deadline, [&] { return question->answer.has_value(); }))
    return std::unexpected(stop.stop_requested() ? "the look-up of its name was given up" : "its name could not be looked up in time");
  Found found = *std::move(question->answer);
  lock.unlock();
  under_way_.erase(host);   // the next caller looks up again, because addresses change
  return found;
}

}  // namespace holdfast::lock
