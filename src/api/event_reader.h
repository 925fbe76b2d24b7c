// Reads what makes an event, part by part as it arrives: the body of POST /v1/events, or a seating plan in the open pretix format.
//
//   EventReader reader(EventReader::Root::event);
//   while (…) if (!reader.feed(part)) …400, reader.problem()…
//   auto event = reader.finish();
//
// A seating plan has zones of rows of seats; the zone's name is the section, positions add up. Nothing of the text is kept but the seats:
// about 80 bytes a seat while reading. Not for several threads at once.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/ledger.h"

namespace holdfast::api {

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

  // False when something is wrong; problem() says what, and further parts are ignored.
  bool feed(std::string_view part);
  const std::string& problem() const;

  // Whether the text gave the event an id. After finish().
  bool has_id() const;

  // After the last part. The error is one sentence that names the member or the seat and the rule.
  std::expected<NewEvent, std::string> finish();

 private:
  class Handler;
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

// What is wrong with an event's name, in a sentence; or nothing.
std::optional<std::string> check_event_name(std::string_view name);

}  // namespace holdfast::api
