#include "simulation/checks.h"

#include <fmt/format.h>

#include "ledger/ledger_in_test.h"
#include "simulation/failure.h"

namespace holdfast::simulation {
namespace {

std::string owner_text(const std::optional<Uuid>& owner) { return owner ? to_string(*owner) : "nobody"; }

// An expiry that is not recorded yet will raise the version by one.
std::string difference_of_seat(const PublishedEvent& shown, const Model& model, SeatIndex seat, Millis now, bool all_recorded) {
  const SeatReading reading = shown.seat(seat, now);
  const Model::Seat& expected = model.seats()[seat];
  const bool waits = !all_recorded && expected.state == SeatState::available && expected.version == reading.version + 1;
  if (reading.state == expected.state && reading.reservation == expected.owner && (reading.version == expected.version || waits)) return {};
  return fmt::format("seat {} is {} of {} version {}, and should be {} of {} version {}", seat, name_of(reading.state),
                     owner_text(reading.reservation), reading.version, name_of(expected.state), owner_text(expected.owner),
                     expected.version);
}

std::string difference_of_seats(const PublishedEvent& shown, const Model& model, Millis now, bool all_recorded) {
  if (shown.seat_count() != model.seats().size()) return "another number of seats";
  if (shown.settings() != model.settings()) return "other settings";
  for (SeatIndex seat = 0; seat < model.seats().size(); ++seat) {
    std::string difference = difference_of_seat(shown, model, seat, now, all_recorded);
    if (!difference.empty()) return difference;
  }
  return {};
}

std::string difference_of_directory(const EmbeddedLedger& ledger, const PublishedEvent& shown) {
  for (SeatIndex seat = 0; seat < shown.seat_count(); ++seat) {
    const auto place = ledger.seats().find(shown.plan()->seat_id(seat));
    if (!place || place->event != shown.card().number || place->seat != seat) return fmt::format("seat {} is not in the directory", seat);
  }
  return {};
}

std::string difference_of_reservations(const EmbeddedLedger& ledger, const Model& model) {
  for (const auto& [id, reservation] : model.reservations()) {
    const auto view = ledger.reservation(id);
    const std::string shown = view ? test::told(*view) : "none";
    const std::string expected = test::told(model.view(id));
    if (shown != expected) return fmt::format("reservation {}\nshould be   {}", shown, expected);
  }
  return {};
}

}   // namespace

std::string difference_from(const EmbeddedLedger& ledger, const Book& book, Millis now) {
  const std::vector<EventNumber> events = ledger.events();
  if (events.size() != book.events().size()) return fmt::format("{} events instead of {}", events.size(), book.events().size());
  for (const auto& [number, model] : book.events()) {
    const auto shown = ledger.event(number);
    if (shown == nullptr) return fmt::format("event {} is missing", number);
    std::string difference = difference_of_seats(*shown, model, now, false);
    if (difference.empty()) difference = difference_of_reservations(ledger, model);
    if (difference.empty()) difference = difference_of_directory(ledger, *shown);
    if (!difference.empty()) return fmt::format("event {}: {}", number, difference);
  }
  return {};
}

void check_readers(const EmbeddedLedger& ledger, const Book& book, Millis now, bool all_recorded) {
  for (const auto& [number, model] : book.events()) {
    const auto shown = ledger.event(number);
    expect(shown != nullptr, fmt::format("readers do not see event {}", number));
    const std::string difference = difference_of_seats(*shown, model, now, all_recorded);
    expect(difference.empty(), fmt::format("readers of event {}: {}", number, difference));
  }
}

void check_tables(const EmbeddedLedger& ledger, Book book) {
  book.pass(ledger.now());
  std::size_t expected = 0;
  for (const auto& [number, model] : book.events()) expected += model.reservations().size();
  std::size_t found = 0;
  std::string cursor;
  do {
    const auto page = ledger.list_reservations({}, cursor, 100);
    expect(page.has_value(), "reservations cannot be listed");
    for (const ListedReservation& item : page->items) {
      const auto event = book.events().find(item.event);
      expect(event != book.events().end() && event->second.reservations().contains(item.view.id),
             "a list has reservation " + test::told(item.view) + ", which nobody has made");
      const std::string should = test::told(event->second.view(item.view.id));
      expect(test::told(item.view) == should, fmt::format("a list has      {}\nand should have {}", test::told(item.view), should));
      ++found;
    }
    cursor = page->next;
  } while (!cursor.empty());
  expect(found == expected, fmt::format("lists have {} reservations, and should have {}", found, expected));
}

}   // namespace holdfast::simulation
