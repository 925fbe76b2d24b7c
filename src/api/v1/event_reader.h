// Reads what makes an event, part by part as it arrives: the body of POST /v1/events, or a seating plan in the open pretix format.
//
//   EventReader reader(EventReader::Root::event);
//   while (…) if (!reader.feed(part)) break;          // nothing more is read
//   auto read = reader.finish();                      // the event, or all that is wrong with it
//
// A seating plan has zones of rows of seats; the zone's name is the section, positions add up. A byte order mark before the text is
// passed over. Of the text the seats are kept, 64 bytes each and their ids, and each different name of theirs once, 1 GiB together at
// most. Not for several threads at once.
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
  std::vector<SeatIndex> taken{};   // seats that their file says are not available, rising
  NotTaken not_taken{};             // members of a plan that have no meaning here
  bool has_plan = false;            // from a seating plan, not a list of seats
};

class EventReader {
 public:
  enum class Root {
    event,   // an object with `name`, `plan` or `seats`, …
    plan,    // a seating plan
  };

  // What a caller sets beside the text; used where the text does not say.
  struct Defaults {
    std::string name{};
    std::optional<Uuid> id{};   // else a random one
    bool keep_ids = false;
  };

  EventReader(Root root, Defaults defaults);
  ~EventReader();

  // False when the text cannot be read on: it is not JSON, or exceeds a limit. Further parts are ignored then.
  bool feed(std::string_view part);

  // Whether the text gave the event an id. After finish().
  bool has_id() const;

  // After the last part. The error is never empty.
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
