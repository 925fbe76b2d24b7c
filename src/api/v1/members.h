// The members that a body may have. Calls of /v1 that change something refuse all others by name: a wish that is not understood must
// not look granted. Contracts 1 and 2 ignore what they do not know, as their clients expect.
//
//   const JsonBody body(call.request.body);
//   if (!takes_only(call, *body.object(), {"customerId", "bestAvailable.eventId", "bestAvailable.quantity"})) co_return;
#pragma once

#include <boost/json/object.hpp>
#include <initializer_list>
#include <string_view>

#include "api/call.h"

namespace holdfast::api {

// So many members are named in one refusal; more are counted.
inline constexpr std::size_t k_members_named_max = 20;

// A member that the resource has and that this call cannot change.
struct FixedMember {
  std::string_view name;
  std::string_view why;   // goes on after "cannot be changed here: "
};

// Whether `object` has only members that are `taken`: paths such as `limits.seatsPerReservation`; the objects on the way there are
// taken too. False: the answer is there (400) and names those that are not.
bool takes_only(Call& call, const boost::json::object& object, std::initializer_list<std::string_view> taken,
                std::initializer_list<FixedMember> fixed = {});

// Whether the request has no body, or an empty object. False: the answer is there (400 or 415).
bool takes_nothing(Call& call);

}  // namespace holdfast::api
