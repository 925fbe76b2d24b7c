// Reads a new event part by part, as its text arrives: the body of POST /v1/events, or a seating plan in the open pretix format.
//
//   EventReader reader(EventReader::Root::event, {});
//   while (…) if (!reader.feed(part)) break;   // later parts would be ignored
//   auto read = reader.finish();               // the event, or all of its mistakes
//
// A seating plan has zones of rows of seats. The zone's name is the section, and positions add up. A byte order mark before the text is
// skipped. Memory holds 64 bytes and the id of each seat, and each different name once, at most 256 MiB of names. Not for several threads
// at once.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/v1/mistakes.h"
#include "ledger/ledger.h"

namespace holdfast::api {

inline constexpr std::int64_t k_held_seats_per_customer_max = 1'000'000;   // of an event's `limits`

struct ReadEvent {
  NewEvent event;
  std::vector<SeatIndex> taken{};   // seats that the text says are not available, in ascending order
  NotTaken not_taken{};             // members of the plan that were ignored
  bool has_plan = false;            // the text has a seating plan, not a list of seats
};

class EventReader {
 public:
  enum class Root {
    event,   // an object with `name`, `plan` or `seats`, …
    plan,    // a seating plan
  };

  // Values for what the text does not say.
  struct Defaults {
    std::string name{};
    std::optional<Uuid> id{};   // else a random one
    bool keep_ids = false;
  };

  EventReader(Root root, Defaults defaults);
  ~EventReader();

  // Reads a part. False if reading has ended early, because the text is not JSON or exceeds a limit; later parts are ignored then.
  bool feed(std::string_view part);

  // Whether the text has an id for the event. After finish().
  bool has_id() const;

  // The event, or its mistakes, of which there is at least one. Call it once, after the last part.
  std::expected<ReadEvent, Mistakes> finish();

 private:
  class Handler;
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

// What is wrong with an event's name, as it follows the member's name in a message: "must …"; or nothing.
std::optional<std::string_view> check_event_name(std::string_view name);

// The status of an event that clients write as `draft`, `on_sale` or `closed`; nothing for any other word.
std::optional<EventStatus> event_status_named(std::string_view name);

}  // namespace holdfast::api
