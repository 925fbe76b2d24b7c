#include "api/v1/best_available.h"

#include <algorithm>
#include <functional>

#include "api/pages.h"
#include "core/limits.h"
#include "json/fields.h"

namespace holdfast::api {
namespace {

// The members as they stand there.
struct Members {
  std::string_view event_id;
  std::uint32_t quantity;
  std::optional<std::string_view> section;
  std::optional<std::string_view> category;
  bool adjacent;
};

// Nothing when `problem` says what is wrong.
std::optional<Members> read_members(const boost::json::object& object, std::string& problem) {
  const auto event_id = read_text(object, "eventId", 36, true, problem);
  if (!event_id) return std::nullopt;
  const auto quantity = read_whole(object, "quantity", 1, k_seats_per_reservation_max, true, problem);
  if (!quantity) return std::nullopt;
  const auto section = read_text(object, "section", k_name_bytes_max, false, problem);
  if (!problem.empty()) return std::nullopt;
  const auto category = read_text(object, "category", k_name_bytes_max, false, problem);
  if (!problem.empty()) return std::nullopt;
  const auto adjacent = read_flag(object, "adjacent", problem);
  if (!problem.empty()) return std::nullopt;
  return Members{*event_id, static_cast<std::uint32_t>(*quantity), section, category, adjacent.value_or(true)};
}

// The place of `name` among `items`; nothing, with the answer written, when it is not among them.
template <typename Items, typename NameOf>
std::optional<std::uint32_t> find_name(Call& call, const Items& items, NameOf name_of, std::string_view name, std::string_view member) {
  const auto at = std::ranges::find(items, name, name_of);
  if (at != items.end()) return static_cast<std::uint32_t>(at - items.begin());
  fail(call, {422, k_invalid_request, "`bestAvailable." + std::string(member) + "`: the event has no `" + std::string(name) + "`."});
  return std::nullopt;
}

}  // namespace

std::string WishedBest::meaning() const {
  const auto choice = [](const std::optional<std::uint32_t>& of) { return of ? std::to_string(*of) : std::string("any"); };
  return "best " + std::to_string(event) + " " + std::to_string(wish.quantity) + " " + choice(wish.section) + " " + choice(wish.category) +
         (wish.adjacent ? " adjacent" : " apart");
}

std::optional<Uuid> event_wished_for(const boost::json::object& body) {
  const boost::json::object* wish = body.at("bestAvailable").if_object();
  const boost::json::value* id = wish == nullptr ? nullptr : wish->if_contains("eventId");
  return id != nullptr && id->is_string() ? parse_uuid(id->get_string()) : std::nullopt;
}

std::optional<WishedBest> read_best_available(Call& call, const boost::json::object& body) {
  const boost::json::value& value = body.at("bestAvailable");
  const auto malformed = [&](const std::string& what) {
    fail(call, {400, k_invalid_request, what});
    return std::nullopt;
  };
  if (!value.is_object()) return malformed("`bestAvailable` must be an object.");
  std::string problem;
  const auto members = read_members(value.get_object(), problem);
  if (!members) return malformed(problem.insert(1, "bestAvailable."));
  const auto id = parse_uuid(members->event_id);
  if (!id) return malformed("`bestAvailable.eventId` must be a UUID.");
  const auto event = find_event(call, members->event_id);
  if (event == nullptr) return std::nullopt;
  WishedBest best{.event = event->card().number, .hold_seconds = event->settings().hold_seconds};
  best.wish.quantity = members->quantity;
  best.wish.adjacent = members->adjacent;
  if (members->section) {
    best.wish.section = find_name(call, event->plan()->sections(), std::identity{}, *members->section, "section");
    if (!best.wish.section) return std::nullopt;
  }
  if (members->category) {
    best.wish.category = find_name(call, event->plan()->categories(), &Category::name, *members->category, "category");
    if (!best.wish.category) return std::nullopt;
  }
  return best;
}

}  // namespace holdfast::api
