#include "api/v1/event_places.h"

#include <algorithm>

namespace holdfast::api {
namespace {

constexpr std::string_view k_name = "a string or a whole number";
constexpr std::string_view k_coordinate = "a number of at most 1e9";
constexpr std::string_view k_hold_time = "a whole number from 1 to 86400";
constexpr std::string_view k_position = "an object with `x` and `y`";

constexpr Member k_event[] = {
    {"name", "a string"},
    {"id", "a UUID other than the nil UUID"},
    {"startsAt", "a time in the format of RFC 3339"},
    {"venue", "a string"},
    {"currency", "three letters of ISO 4217, such as EUR"},
    {"categories", "an array of categories", Place::categories},
    {"plan", "an object: a seating plan", Place::plan},
    {"seats", "an array of seats", Place::seats},
    {"holdSeconds", k_hold_time},
    {"maxHoldSeconds", k_hold_time},
    {"limits", "an object", Place::limits},
    {"status", "draft, on_sale or closed"},
    {"keepIds", "true or false"},
};
constexpr Member k_limits[] = {
    {"seatsPerReservation", "a whole number from 1 to 1000"},
    {"heldSeatsPerCustomer", "a whole number from 0 to 1000000"},
};
// Ignored members of a plan: the event has its own name, sizes and spacing follow from the seats, and an editor's own ids name nothing that is
// sold.
constexpr Member k_plan[] = {
    {"categories", "an array of categories", Place::categories},
    {"zones", "an array of zones", Place::zones},
    {"name", "", Place::ignored},
    {"size", "", Place::ignored},
    {"uuid", "", Place::ignored},
};
constexpr Member k_zone[] = {
    {"name", "a string"},
    {"position", k_position, Place::position, true},
    {"rows", "an array of rows", Place::rows},
    {"displayed", "", Place::ignored},
    {"uuid", "", Place::ignored},
    {"zone_id", "", Place::ignored},
};
constexpr Member k_row[] = {
    {"row_number", k_name},
    {"position", k_position, Place::position, true},
    {"seats", "an array of seats", Place::seats_of_row},
    {"number_of_seats", "", Place::ignored},
    {"seats_spacing", "", Place::ignored},
    {"uuid", "", Place::ignored},
};
constexpr Member k_seat_of_row[] = {
    {"seat_guid", "a string"},
    {"seat_number", k_name},
    {"category", "a string: the name of a category"},
    {"position", k_position, Place::position, true},
    {"status", "a string: `available`, or why the seat is not available"},
    {"uuid", "", Place::ignored},
};
constexpr Member k_seat[] = {
    {"id", "a string"},  {"section", k_name}, {"row", k_name}, {"number", k_name}, {"category", "a string: the name of a category"},
    {"x", k_coordinate}, {"y", k_coordinate},
};
constexpr Member k_point[] = {{"x", k_coordinate}, {"y", k_coordinate}};
constexpr Member k_category[] = {
    {"name", "a string of 1 to 200 bytes"},
    {"price", "a number from 0 to 1e9 with at most four decimals"},
    {"color", "a string of at most 64 bytes"},
};

struct PlaceFacts {
  Place place;
  std::string_view name{};   // the member's name under which it stands
  Place item = Place::none;   // of an array
  std::span<const Member> members{};   // of an object
};
constexpr PlaceFacts k_places[] = {
    {Place::none},
    {.place = Place::event, .members = k_event},
    {.place = Place::limits, .name = "limits", .members = k_limits},
    {.place = Place::plan, .name = "plan", .members = k_plan},
    {.place = Place::zones, .name = "zones", .item = Place::zone},
    {.place = Place::zone, .members = k_zone},
    {.place = Place::rows, .name = "rows", .item = Place::row},
    {.place = Place::row, .members = k_row},
    {.place = Place::seats_of_row, .name = "seats", .item = Place::seat_of_row},
    {.place = Place::seat_of_row, .members = k_seat_of_row},
    {.place = Place::position, .name = "position", .members = k_point},
    {.place = Place::categories, .name = "categories", .item = Place::category},
    {.place = Place::category, .members = k_category},
    {.place = Place::seats, .name = "seats", .item = Place::seat},
    {.place = Place::seat, .members = k_seat},
    {Place::ignored},
};
constexpr const PlaceFacts& facts_of(Place place) { return k_places[static_cast<std::size_t>(place)]; }
static_assert(std::ranges::all_of(k_places, [](const PlaceFacts& each) { return &facts_of(each.place) == &each; }),
              "in the order of Place");

}   // namespace

std::span<const Member> members_of(Place object) { return facts_of(object).members; }
Place item_of(Place array) { return facts_of(array).item; }
std::string_view name_of(Place place) { return facts_of(place).name; }

const Member* find_member(Place object, std::string_view name) {
  const auto members = members_of(object);
  const auto found = std::ranges::find(members, name, &Member::name);
  return found == members.end() ? nullptr : &*found;
}

std::string names_of_members(Place object) {
  std::string names;
  for (const Member& member : members_of(object)) names.append(names.empty() ? "`" : ", `").append(member.name).append("`");
  return names;
}

}   // namespace holdfast::api
