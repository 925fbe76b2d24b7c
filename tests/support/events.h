// Events for tests, and shortcuts for questions about their seats.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/client.h"

namespace holdfast::test {

std::string new_uuid();   // random, lower case
std::string upper_case(std::string text);
std::string escaped(std::string_view id);   // for a path: percent-encoded where it must be

struct TestEvent {
  std::string id;
  std::vector<std::string> seats;   // ids in plan order

  const std::string& operator[](std::size_t i) const { return seats.at(i); }
  std::vector<std::string> first(std::size_t n) const { return {seats.begin(), seats.begin() + static_cast<std::ptrdiff_t>(n)}; }
};

// The body that creates an event with these seats: sections A, B, … of 10 rows with 20 numbers each, category `Standard` for
// 45.00 EUR. `more`: further members, for example R"("status":"draft")".
std::string event_body(const std::vector<std::string>& seat_ids, std::string_view more = {});

// Creates an event on sale with unique seats. Throws if it is not created.
TestEvent make_event(Client& client, std::size_t seats, std::string_view more = {});
TestEvent make_event(Client& client, std::vector<std::string> seat_ids, std::string_view more = {});

// POST /v1/reservations, POST /reservations, POST /tickets_lock. `more`: further members.
Answer hold(Client& client, std::string_view customer, const std::vector<std::string>& seats, std::string_view more = {},
            const Headers& headers = {});
Answer reserve(Client& client, std::string_view seat, std::string_view customer, const Headers& headers = {});
Answer lock_tickets(Client& client, const std::vector<std::string>& tickets, std::int64_t seconds = 600, const Headers& headers = {});

// The same, as bodies.
std::string hold_body(std::string_view customer, const std::vector<std::string>& seats, std::string_view more = {});
std::string reserve_body(std::string_view seat, std::string_view customer);
std::string lock_body(const std::vector<std::string>& tickets, std::int64_t seconds = 600);
std::string unlock_body(const std::vector<std::string>& tickets);

// Calls that must be answered 200; otherwise they throw.
Json seat(Client& client, std::string_view id);
std::string seat_state(Client& client, std::string_view id);
Json reservation(Client& client, std::string_view id);   // /v1

// The event's seats as they are now, in plan order: one letter each; or letter and version, which shows whether anything has
// changed.
std::string letters(Client& client, const TestEvent& event);
std::vector<std::string> look(Client& client, const TestEvent& event);

// GET /v1/events/{id}/states: what is recorded.
struct States {
  std::int64_t seq;
  std::string letters;
};
States states(Client& client, const TestEvent& event);

// The sum of all samples of this name in GET /metrics. `labels` are texts that a sample must contain. 0 if there is none.
double metric(Client& client, std::string_view name, const std::vector<std::string>& labels = {});

}  // namespace holdfast::test
