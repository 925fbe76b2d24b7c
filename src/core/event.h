// What an event is, apart from its seats: its card and the settings that the rules read.
#pragma once

#include <cstdint>
#include <string>

#include "core/ids.h"
#include "core/time.h"

namespace holdfast {

enum class EventStatus : std::uint8_t {
  importing = 0,   // its seats are still being imported; nobody sees it
  draft = 1,
  on_sale = 2,     // the only status in which seats can be held, added or extended
  closed = 3,
  abandoned = 4,   // its import was not completed; its number is used up, its ids are free
};

constexpr const char* name_of(EventStatus status) {
  switch (status) {
    case EventStatus::importing: return "importing";
    case EventStatus::draft: return "draft";
    case EventStatus::on_sale: return "on_sale";
    case EventStatus::closed: return "closed";
    case EventStatus::abandoned: return "abandoned";
  }
  return "unknown";
}

struct EventLimits {
  std::uint32_t seats_per_reservation = 1'000;   // 1 to k_seats_per_reservation_max
  std::uint32_t held_seats_per_customer = 0;     // 0: no limit
  bool operator==(const EventLimits&) const = default;
};

struct EventSettings {
  std::string name{};
  Millis starts_at = 0;                 // 0: not given
  EventStatus status = EventStatus::on_sale;
  std::int64_t hold_seconds = 900;
  std::int64_t max_hold_seconds = 3'600;
  EventLimits limits{};
  bool operator==(const EventSettings&) const = default;
};

// Fixed when the event is created.
struct EventCard {
  EventNumber number = 0;
  Uuid id{};
  std::string venue{};
  std::string currency{};   // ISO 4217, or empty
  bool operator==(const EventCard&) const = default;
};

}  // namespace holdfast
