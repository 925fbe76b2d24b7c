// Finds the addresses of hosts, on threads that nobody waits for.
//
//   NameLookup names;
//   const auto found = names.find("redis.example", deadline, stop);   // {"192.0.2.1", "2001:db8::1"}, or what is wrong
//
// A look-up at the system's resolver cannot be interrupted and may take half a minute. So the caller leaves it behind at the deadline or when
// it is told to stop, and so does the process: no destructor waits for it. A host that is still being looked up is not looked up a second
// time; the next caller waits for the same answer. One that came when nobody waited is the next caller's, while it is fresh, so that a resolver
// which takes longer than every deadline helps too. Addresses that are written as such need no look-up.
//
// For one thread at a time.
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

inline constexpr std::size_t k_lookups_at_once = 4;   // hosts, a thread each; one more is an error
inline constexpr std::chrono::seconds k_late_answer_kept{30};   // that nobody waited for

class NameLookup {
 public:
  // At least one address, in the resolver's order of preference.
  std::expected<std::vector<std::string>, std::string> find(const std::string& host, std::chrono::steady_clock::time_point deadline,
                                                            const std::stop_token& stop);

 private:
  struct Question;

  std::map<std::string, std::shared_ptr<Question>> under_way_;   // or answered late; shared with their threads, which may live longer
};

}   // namespace holdfast::lock
