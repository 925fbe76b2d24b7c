// The body of a call of /v1 that changes something. Members that the call does not know are refused by name: a wish that is not understood
// must not look granted. (Contracts 1 and 2 ignore unknown members, as their clients expect.)
//
//   BodyReader body(call, Required::yes, {"orderId", "reinstate"});
//   const auto order = body.fields().name("orderId", k_order_bytes_max, Required::yes);
//   const bool reinstate = body.fields().flag("reinstate").value_or(false);
//   if (!body.is_good()) co_return;   // the answer is there: 400, with the first problem
#pragma once

#include <boost/json/object.hpp>
#include <initializer_list>
#include <string>
#include <string_view>

#include "api/call.h"
#include "json/fields.h"
#include "json/json.h"

namespace holdfast::api {

// One refusal names at most this many members, and counts the others.
inline constexpr std::size_t k_members_named_max = 20;

// A member that the resource has but that this call cannot change.
struct FixedMember {
  std::string_view name;
  std::string_view why;   // follows "cannot be changed here: "
};

// What is wrong if `object` has members other than `taken`, as sentences for the client; empty if it has none. `taken` are paths such as
// `limits.seatsPerReservation`; the objects on the way to them are taken too.
std::string problem_of_members(const boost::json::object& object, std::initializer_list<std::string_view> taken,
                               std::initializer_list<FixedMember> fixed = {});

class BodyReader {
 public:
  // Reads the request's body. `required`: an empty body is a problem; else it is an empty object. Values live as long as this does.
  BodyReader(Call& call, Required required, std::initializer_list<std::string_view> taken, std::initializer_list<FixedMember> fixed = {});
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  FieldReader& fields() { return fields_; }
  const boost::json::object& object() const { return *body_.object(); }   // only if is_good()

  // Whether no problem was found so far. If not, the answer is there (400).
  bool is_good();

 private:
  Call& call_;
  JsonBody body_;
  std::string problem_;
  FieldReader fields_;
};

// Whether the request has no body, or an empty object. False: the answer is there (400 or 415).
bool takes_nothing(Call& call);

}  // namespace holdfast::api
