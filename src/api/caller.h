// The caller of a request, and what a route needs of its caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "access/registry.h"

namespace holdfast::api {

struct Caller {
  enum class Kind : std::uint8_t { anonymous, key, session };
  Kind kind = Kind::anonymous;
  std::string id;   // the key's id, or the session's customer
  bool is_admin = false;   // a key with the scope `admin`
  bool reads = false;      // a key with the scope `read`

  bool is_session() const { return kind == Kind::session; }
};

// Every route states its need. There is no default, so that nobody opens a route by leaving it out.
enum class Need : std::uint8_t {
  everybody,         // the route is public
  contract,          // a key with `hold`, unless access.anonymous opens the contract
  read,              // a key with this scope
  read_or_session,   // such a key, or a visitor's session
  hold_or_session,
  sell,
  admin,
};

// The scope that a key needs; nothing for everybody.
std::optional<Scope> scope_of(Need need);
bool lets_sessions_in(Need need);

}  // namespace holdfast::api
