// Who may call what: keys, sessions, rights and rates. docs/api.md ("Access") is its specification.
//
//   AccessControl access(options, registry.session_secret());
//   access.set_keys(registry.keys());        // at start, and whenever the registry has changed
//   if (!access.admit(call, route.need, route.changes)) …   // the answer is there: 401, 403 or 429
//
// A server on loopback in whose registry no key was ever made is open: it lets every caller in. Everywhere else a route that is not for
// everybody takes a key with its scope, or a visitor's session.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "access/rate_limiter.h"
#include "access/tokens.h"
#include "api/call.h"
#include "api/caller.h"
#include "api/cors.h"

namespace holdfast::api {

inline constexpr std::string_view k_unauthorized = "unauthorized";
inline constexpr std::string_view k_forbidden = "forbidden";
inline constexpr std::string_view k_rate_limited = "rate_limited";

// However often a session is renewed, its customer ends so long after it began; or after session.hours, when they are more.
inline constexpr std::chrono::hours k_session_life_max{30 * 24};

struct AccessOptions {
  bool beyond_loopback = false;         // the server listens on more than loopback
  bool contract1 = false;               // routes that are let in without a key (access.anonymous)
  bool contract2 = false;
  std::vector<std::string> origins{};   // of pages that may call (cors.origins)
  std::chrono::hours session_time{24};
  bool secure_cookie = false;
  std::uint64_t requests_per_second_key = 0;        // 0: no limit; twice as many at once
  std::uint64_t requests_per_second_customer = 20;  // of a session's customer, likewise
  std::uint64_t sessions_per_minute_address = 0;    // likewise
  std::uint32_t held_seats_visitor = 10;            // that a session may hold in one event at once; 0: no limit
};

class AccessControl {
 public:
  AccessControl(AccessOptions options, const SessionSecret& secret);

  // Replaces all keys, at once for all threads. Any thread.
  void set_keys(std::vector<ApiKey> keys);
  // Whether every caller is let in.
  bool is_open() const { return !options_.beyond_loopback && !has_keys_; }

  // Finds out who calls, enters it into the call, and says whether it may. If not, the answer is there. `changes`: the route changes
  // something, which no page of another origin may. Any thread.
  bool admit(Call& call, Need need, bool changes);

  // For a call of a contract whose effect is on another contract's reservations: whether the caller may call that one too. If not, the
  // answer is there. After admit().
  bool admit_to_contract(Call& call, Group contract) const;

  // Who let a key be made: the name that it was given. Empty when it is not there any more.
  std::string name_of_key(std::string_view id) const;
  // Whether the caller is one of the operators: with a key that may do everything, or on a server that lets everybody in. After admit().
  bool is_operator(const Caller& caller) const { return caller.is_admin || (caller.kind == Caller::Kind::anonymous && is_open()); }

  // Whether the request shows a key that this server knows. Any thread.
  bool shows_key(const http::Request& request) const {
    const std::string_view* authorization = request.header("Authorization");
    return authorization != nullptr && find_key(request, *authorization);
  }

  // Whether draft events exist for the caller: a key with `read`, or anybody but a session on a server that lets everybody in. After
  // admit(); also of a route that is for everybody, which does not look at its caller otherwise.
  bool sees_drafts(const Call& call) const;

  // How many seats of one event the caller's customer may hold at once, beside what the event says; 0: no limit.
  std::uint32_t held_seats_max(const Caller& caller) const { return caller.is_session() ? options_.held_seats_visitor : 0; }

  const Cors& cors() const { return cors_; }

  // ---- for /v1/sessions

  // The session that the request's cookie carries, if it is one that holds.
  std::optional<Session> session_of(const http::Request& request) const;
  Session new_session() const;
  // The same customer, for longer, though not beyond its longest life; nothing when that is over.
  std::optional<Session> renewed(const Session& session) const;
  std::string cookie_of(const Session& session) const;   // a value for Set-Cookie
  std::string no_cookie() const;                         // one that makes the browser forget
  // Takes one of a customer's requests, or one of an address' new sessions. False: the answer is there (429).
  bool take_request_of(Call& call, const std::string& customer);
  bool take_new_session(Call& call);

 private:
  struct KeyFound {
    std::string id;
    Scopes scopes;
  };

  // False for a call from a page of another origin, and for one under a name that is not this machine's; then the answer is there (403).
  bool is_from_own_page(Call& call) const;
  static bool is_called_by_own_name(Call& call);
  bool lets_contract_in(Group group) const;
  std::string set_cookie(const std::string& value, Millis time) const;
  bool admit_key(Call& call, Need need, std::string_view authorization, bool lets_in);
  std::optional<KeyFound> find_key(const http::Request& request, std::string_view authorization) const;
  bool take(Call& call, RateLimiter& limiter, std::string_view caller);
  AccessOptions options_;
  SessionSecret secret_;
  Cors cors_;
  RateLimiter by_key_;
  RateLimiter by_customer_;
  RateLimiter by_address_;

  std::atomic<bool> has_keys_{false};
  mutable std::shared_mutex keys_mutex_;
  std::vector<ApiKey> keys_;   // by hash
};

}  // namespace holdfast::api
