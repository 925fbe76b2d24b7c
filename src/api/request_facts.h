// Facts about a request for the log and for spans: members of the log's JSON lines, and attributes of a span.
//
//   const LogMembers members(facts_of(call, match.route, took));   // facts cost a look-up or two: only if something will show them
//   spdlog::debug("…");   // while `members` lives, this thread's lines have these members
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

struct Call;
struct Route;

// A member is empty if it is unknown or absent.
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

// The facts of a call that has been answered. `route` is nullptr if none matched.
RequestFacts facts_of(const Call& call, const Route* route, std::optional<std::chrono::nanoseconds> took = {});

// While it lives, the lines that this thread logs have these members. Scopes may be nested; the innermost counts.
class LogMembers {
 public:
  explicit LogMembers(RequestFacts facts);
  ~LogMembers();
  LogMembers(const LogMembers&) = delete;
  LogMembers& operator=(const LogMembers&) = delete;

 private:
  const RequestFacts facts_;
  const RequestFacts* before_;
};

// Appends the members of the innermost LogMembers of this thread, each as `,"name":value`; nothing if there is none.
void append_log_members(std::string& out);

}   // namespace holdfast::api
