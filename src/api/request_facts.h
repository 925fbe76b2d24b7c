// What a request was about, for those who look later: members of the JSON lines of the log, and attributes of spans.
//
//   const RequestFacts facts = facts_of(call, match.route, took);   // only where somebody wants them: it costs a look-up or two
//   const LogMembers members(facts);
//   spdlog::debug("…");   // as long as `members` lives, lines of this thread have them
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

struct Call;
struct Route;

// What is empty is not known, or there is none.
struct RequestFacts {
  std::string request_id{};
  std::string route{};         // POST /v1/reservations/{}/consume
  unsigned status = 0;
  std::optional<std::chrono::nanoseconds> took{};
  std::string_view code{};     // of the refusal
  std::string key_name{};      // of the caller's API key
  std::string event{};         // ids
  std::string reservation{};
  std::string trace_id{};      // of the caller's `traceparent`, in hex
};

// Of a call that has been answered. `route`: nullptr if none was found.
RequestFacts facts_of(const Call& call, const Route* route, std::optional<std::chrono::nanoseconds> took = {});

// Gives the lines that this thread logs these members, while it lives. Scopes may be nested: the innermost counts.
class LogMembers {
 public:
  explicit LogMembers(const RequestFacts& facts);   // which must live as long
  ~LogMembers();
  LogMembers(const LogMembers&) = delete;
  LogMembers& operator=(const LogMembers&) = delete;

 private:
  const RequestFacts* before_;
};

// Appends what this thread's lines have beside their message, each as `,"name":value`; nothing where nobody has said anything.
void append_log_members(std::string& out);

}   // namespace holdfast::api
