// The text that makes an event: the body of POST /v1/events, or a seating plan.
//
// Properties: a text in two parts gives the same result as the whole text, be it an event or mistakes. An event that was read,
// and is written as a list of seats, is read again as the same event: settings, and the plan as the journal keeps it.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "api/v1/event_reader.h"
#include "core/time.h"
#include "fuzz/property.h"
#include "json/json.h"

namespace holdfast::api {
namespace {

using fuzz::require;
using Result = std::expected<ReadEvent, Mistakes>;

// A fixed id, so that derived ids are the same each time.
EventReader::Defaults defaults(bool keep_ids) {
  return {.name = "An event", .id = parse_uuid("7ea7e000-0000-4000-8000-000000000001"), .keep_ids = keep_ids};
}

Result read(EventReader::Root root, bool keep_ids, std::string_view text, std::size_t first_part) {
  EventReader reader(root, defaults(keep_ids));
  if (reader.feed(text.substr(0, first_part)) && first_part < text.size()) reader.feed(text.substr(first_part));
  return reader.finish();
}

// Whether a list of seats can have the plan's positions. Positions of zone, row and seat add up and may exceed the limit for a
// single one, and a negative zero becomes zero when it is read.
bool can_be_listed(const Plan& plan) {
  const auto is_plain = [](float value) { return std::abs(value) <= 1e9F && !(value == 0 && std::signbit(value)); };
  for (SeatIndex seat = 0; seat < plan.size(); ++seat) {
    if (!is_plain(plan.x_of(seat)) || !is_plain(plan.y_of(seat))) return false;
  }
  return true;
}

// Everything that is kept of an event, or all mistakes of a text, as comparable text.
std::string in_words(const Result& result) {
  std::string words;
  if (!result) {
    require(!result.error().empty(), "an event that is refused has a mistake");
    for (const Mistake& mistake : result.error().kept()) words.append(sentence_of(mistake)).append("\n");
    return words.append(std::to_string(result.error().count()));
  }
  const NewEvent& event = result->event;
  words.append(to_string(event.card.id)).append(event.card.venue).append("|").append(event.card.currency).append("|");
  Writer writer(words);
  encode_settings(event.settings, writer);
  event.plan->encode_header(writer);
  event.plan->encode_seats(0, event.plan->size(), writer);
  for (const SeatIndex seat : result->taken) words.append(" ").append(std::to_string(seat));
  return words;
}

void write_categories(Json& json, const Plan& plan) {
  json.member("categories");
  json.array([&] {
    for (const Category& category : plan.categories()) {
      json.object([&] {
        json.member("name", category.name);
        json.member("color", category.color);
        if (!category.price) return;
        std::string price;
        append_price(price, *category.price);
        json.member("price");
        json.raw(price);
      });
    }
  });
}

void write_seats(Json& json, const Plan& plan) {
  const auto coordinate = [&](const char* name, float value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.9g", static_cast<double>(value));
    json.member(name);
    json.raw(digits);
  };
  json.member("seats");
  json.array([&] {
    for (SeatIndex seat = 0; seat < plan.size(); ++seat) {
      json.object([&] {
        json.member("id", plan.seat_id(seat));
        json.member("section", plan.section_of(seat));
        json.member("row", plan.row_of(seat));
        json.member("number", plan.number_of(seat));
        json.member("category", plan.categories()[plan.category_of(seat)].name);
        coordinate("x", plan.x_of(seat));
        coordinate("y", plan.y_of(seat));
      });
    }
  });
}

std::string written(const NewEvent& event) {
  std::string text;
  Json json(text);
  json.object([&] {
    json.member("id", to_string(event.card.id));
    json.member("name", event.settings.name);
    json.member("venue", event.card.venue);
    if (!event.card.currency.empty()) json.member("currency", event.card.currency);
    json.member("holdSeconds", event.settings.hold_seconds);
    json.member("maxHoldSeconds", event.settings.max_hold_seconds);
    json.member("limits");
    json.object([&] {
      json.member("seatsPerReservation", event.settings.limits.seats_per_reservation);
      json.member("heldSeatsPerCustomer", event.settings.limits.held_seats_per_customer);
    });
    write_categories(json, *event.plan);
    write_seats(json, *event.plan);
  });
  return text;
}

// The first byte says what kind of text follows and where it is split.
void check(std::string_view input) {
  if (input.empty()) return;
  const auto choice = static_cast<unsigned char>(input.front());
  const auto root = (choice & 1) != 0 ? EventReader::Root::plan : EventReader::Root::event;
  const bool keep_ids = (choice & 2) != 0;
  const std::string_view text = input.substr(1);
  Result whole = read(root, keep_ids, text, text.size());
  const std::string words = in_words(whole);
  const std::size_t split = choice >> 2;
  require(in_words(read(root, keep_ids, text, split)) == words, "a text in two parts gives what it gives whole");
  if (!whole || !can_be_listed(*whole->event.plan)) return;

  Result again = read(EventReader::Root::event, true, written(whole->event), static_cast<std::size_t>(-1));
  require(again.has_value(), "an event that was written again is accepted");
  // A list of seats has neither of these.
  again->event.settings.starts_at = whole->event.settings.starts_at;
  again->event.settings.status = whole->event.settings.status;
  again->taken = whole->taken;
  require(in_words(again) == words, "an event that was written again is the same");
}

}   // namespace
}   // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::api::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
