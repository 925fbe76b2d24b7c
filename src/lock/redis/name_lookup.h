// Resolves host names, on threads that nobody waits for.
//
//   NameLookup names;
//   const auto found = names.find("redis.example", deadline, stop);   // {"192.0.2.1", "2001:db8::1"}, or what is wrong
//
// The system's resolver cannot be interrupted and may take half a minute. The caller therefore leaves a look-up behind at the deadline or when it
// is told to stop, and so does the process: no destructor waits. While a host is being looked up, the next caller waits for the same
// answer. An answer that came after its caller had left goes to the next caller while it is fresh, so that even a resolver that takes longer
// than every deadline is of use. Literal addresses need no look-up.
//
// One thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace holdfast::lock {

inline constexpr std::size_t k_lookups_at_once = 4;   // hosts, one thread each; one more is an error
inline constexpr std::chrono::seconds k_late_answer_kept{30};   // how long an answer is kept that nobody waited for

class NameLookup {
 public:
  // At least one address, in the resolver's order of preference.
  std::expected<std::vector<std::string>, std::string> find(const std::string& host, std::chrono::steady_clock::time_point deadline,
                                                            const std::stop_token& stop);

 private:
  struct Question;

  std::map<std::string, std::shared_ptr<Question>> under_way_;   // or answered late; shared with their threads, which may outlive this
};

}   // namespace holdfast::lock
