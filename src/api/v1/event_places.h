// The form of what makes an event: its objects and arrays, and their members. The one table of what POST /v1/events and
// `holdfast import` take.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace holdfast::api {

// An object or an array, by where it stands.
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
  ignored,   // of a member that has no meaning here, with all that is in it
};

struct Member {
  std::string_view name;
  std::string_view must;        // what its value must be: goes on after "must be"
  Place inner = Place::none;    // an object or array; `ignored`: any value, which says nothing that is needed
  bool may_be_null = false;     // only of an object or array
};

// The members of an object.
std::span<const Member> members_of(Place object);
// nullptr: it has none of this name.
const Member* find_member(Place object, std::string_view name);
// `a`, `b` and `c`: all that an object takes.
std::string names_of_members(Place object);

// What an array has in it; `none` when the place is no array.
Place item_of(Place array);
inline bool is_array(Place place) { return item_of(place) != Place::none; }

// Under which name an object or array stands in the one around it; empty for an array's item and the outermost.
std::string_view name_of(Place place);

}  // namespace holdfast::api
