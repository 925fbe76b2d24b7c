// The objects, arrays and members that describe a new event: the one table of what POST /v1/events and `holdfast import` take. Pure
// functions; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace holdfast::api {

// An object or an array, by its position in the text.
enum class Place {
  none,
  event,
  limits,
  plan,
  zones,
  zone,
  rows,
  row,
  seats_of_row,
  seat_of_row,
  position,
  categories,
  category,
  seats,
  seat,
  ignored,   // the value of a member that has no meaning here, with everything inside
};

struct Member {
  std::string_view name;
  std::string_view must;        // what its value must be; follows "must be" in a message
  Place inner = Place::none;    // the object or array that it must be; `ignored`: it may be anything
  bool may_be_null = false;     // only for an object or array
};

// The members of an object.
std::span<const Member> members_of(Place object);
// A member by its name; nullptr if the object has none of this name.
const Member* find_member(Place object, std::string_view name);
// All members of an object, as a message lists them: `a`, `b`, `c`.
std::string names_of_members(Place object);

// The items of an array; `none` if the place is not an array.
Place item_of(Place array);
inline bool is_array(Place place) { return item_of(place) != Place::none; }

// The member's name under which an object or array stands; empty for an array's item and for the outermost object.
std::string_view name_of(Place place);

}  // namespace holdfast::api
