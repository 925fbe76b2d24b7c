#include "api/v1/best_available.h"

#include <algorithm>
#include <functional>

#include "api/pages.h"
#include "core/limits.h"
#include "json/fields.h"

namespace holdfast::api {
namespace {

// The place of `name` among `items`. Nothing if it is not among them; then the answer is there (422).
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
  std::string problem;
  FieldReader fields = FieldReader(&body, problem).inside("bestAvailable");
  const auto id = fields.uuid("eventId", Required::yes);
  const auto quantity = fields.whole("quantity", 1, k_seats_per_reservation_max, Required::yes);
  const auto section = fields.text("section", k_name_bytes_max);
  const auto category = fields.text("category", k_name_bytes_max);
  const bool adjacent = fields.flag("adjacent").value_or(true);
  if (!problem.empty()) return malformed(call, std::move(problem));
  const auto event = find_event(call, to_string(*id));
  if (event == nullptr) return std::nullopt;
  WishedBest best{.event = event->card().number, .hold_seconds = event->settings().hold_seconds};
  best.wish.quantity = static_cast<std::uint32_t>(*quantity);
  best.wish.adjacent = adjacent;
  if (section) {
    best.wish.section = find_name(call, event->plan()->sections(), std::identity{}, *section, "section");
    if (!best.wish.section) return std::nullopt;
  }
  if (category) {
    best.wish.category = find_name(call, event->plan()->categories(), &Category::name, *category, "category");
    if (!best.wish.category) return std::nullopt;
  }
  return best;
}

}  // namespace holdfast::api
