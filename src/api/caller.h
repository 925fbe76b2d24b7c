// Who calls, and what a route needs of its caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "access/registry.h"

namespace holdfast::api {

struct Caller {
  enum class Kind : std::uint8_t { anonymous, key, session };
  Kind kind = Kind::anonymous;
  std::string id;   // of the key; the session's customer
  bool is_admin = false;   // a key with the scope `admin`
  bool reads = false;      // a key with the scope `read`

  bool is_session() const { return kind == Kind::session; }
};

// Stands in every route: there is no default, so that nobody opens a route by leaving it out.
enum class Need : std::uint8_t {
  everybody,         // public
  contract,          // as access.anonymous says, or a key with `hold`
  read,              // a key with the scope
  read_or_session,   // that, or a visitor's session
  hold_or_session,
  sell,
  admin,
};

// Nothing for everybody.
std::optional<Scope> scope_of(Need need);
bool lets_sessions_in(Need need);

}  // namespace holdfast::api
