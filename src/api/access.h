// Access control: API keys, sessions, scopes and rates. docs/api.md ("Access") is its specification.
//
//   AccessControl access(options, registry.session_secret());
//   access.set_keys(registry.keys());        // at start, and whenever the registry has changed
//   if (!access.admit(call, route.need, route.changes())) …   // the answer is there: 401, 403 or 429
//
// A server that listens on loopback only and has never had a key is open: it lets every caller in. On any other server, a route that is not
// for everybody needs a key with its scope, or a visitor's session.
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

// Renewals cannot keep a session's customer alive for longer than this, or session.hours if that is longer.
inline constexpr std::chrono::hours k_session_life_max{30 * 24};

struct AccessOptions {
  bool beyond_loopback = false;   // the server listens on more than loopback
  bool contract1 = false;   // the contract's routes need no key (access.anonymous)
  bool contract2 = false;
  std::vector<std::string> origins{};   // of pages that may make calls (cors.origins)
  std::chrono::hours session_time{24};
  bool secure_cookie = false;
  // Rates; 0: no limit. A burst may have twice as many.
  std::uint64_t requests_per_second_key = 0;
  std::uint64_t requests_per_second_customer = 20;   // of a session's customer
  std::uint64_t sessions_per_minute_address = 0;
  std::uint32_t held_seats_visitor = 10;   // seats of one event that a session may hold; 0: no limit
};

class AccessControl {
 public:
  AccessControl(AccessOptions options, const SessionSecret& secret);

  // Replaces all keys for all threads at once. Any thread.
  void set_keys(std::vector<ApiKey> keys);
  // Whether the server lets every caller in.
  bool is_open() const { return !options_.beyond_loopback && !has_keys_; }

  // Identifies the caller, enters it into the call, and says whether it may make the call. If not, the answer is there. `changes`: the route
  // changes something, which no page of another origin may do. Any thread.
  bool admit(Call& call, Need need, bool changes);

  // For a call of one contract that changes reservations of another: whether the caller may call that contract too. If not, the answer is
  // there. After admit().
  bool admit_to_contract(Call& call, Group contract) const;

  // The name that a key was given; empty if there is no such key any more. Any thread.
  std::string name_of_key(std::string_view id) const;
  // Whether the caller is an operator: it has a key with the scope `admin`, or the server lets every caller in. After admit().
  bool is_operator(const Caller& caller) const { return caller.is_admin || (caller.kind == Caller::Kind::anonymous && is_open()); }

  // Whether the request has a key that this server knows. Any thread.
  bool shows_key(const http::Request& request) const { return find_key(request).has_value(); }

  // Whether draft events exist for the caller: it has a key with `read`, or has no session on a server that lets every caller in. After
  // admit(), also on a route for everybody, which does not identify its caller otherwise.
  bool sees_drafts(const Call& call) const;

  // How many seats of one event the caller's customer may hold, apart from the event's own limit; 0: no limit.
  std::uint32_t held_seats_max(const Caller& caller) const { return caller.is_session() ? options_.held_seats_visitor : 0; }

  const Cors& cors() const { return cors_; }

  // ---- for /v1/sessions

  // The session in the request's cookie, if it is valid.
  std::optional<Session> session_of(const http::Request& request) const;
  Session new_session() const;
  // A longer session of the same customer, as of `now`, up to its longest life; nothing if that has ended.
  std::optional<Session> renewed(const Session& session, Millis now) const;
  std::string cookie_of(const Session& session) const;   // a value for Set-Cookie
  std::string no_cookie() const;   // a value that makes the browser forget its cookie
  // Counts a request of a customer, or a new session of an address, against its rate. False: the answer is there (429).
  bool take_request_of(Call& call, const std::string& customer);
  bool take_new_session(Call& call);

 private:
  struct KeyFound {
    std::string id;
    Scopes scopes;
  };

  // False for a call from a page of another origin, and for a call to a name that is not this machine's; then the answer is there (403).
  bool is_from_own_page(Call& call) const;
  static bool is_called_by_own_name(Call& call);
  bool lets_contract_in(Group group) const;
  std::string set_cookie(const std::string& value, Millis time) const;
  bool admit_key(Call& call, Need need, bool lets_in);
  std::optional<KeyFound> find_key(const http::Request& request) const;
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

}   // namespace holdfast::api
