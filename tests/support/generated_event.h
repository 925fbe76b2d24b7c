// An event as the messages of `seats-generated` describe it: seat i is section A, row i / 10 + 1, number i % 10 + 1, so that the
// plan has the seats in this order.
//
//   const GeneratedEvent event(25);
//   writer.write(topic, "key", event.part({0, 1}));
//   writer.write(topic, "key", event.all());
#pragma once

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "support/events.h"

namespace holdfast::test {

struct GeneratedEvent {
  std::string id = new_uuid();
  std::vector<std::string> seats;

  explicit GeneratedEvent(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) seats.push_back(new_uuid());
  }
  std::string seat(std::size_t i) const {
    return R"({"seatId":")" + seats[i] + R"(","section":"A","row":")" + std::to_string(i / 10 + 1) + R"(","number":)" +
           std::to_string(i % 10 + 1) + "}";
  }
  // A message with these seats. `total`: the number in all messages; 0: that of this event.
  std::string part(const std::vector<std::size_t>& which, std::size_t total = 0) const {
    std::string list;
    for (const std::size_t i : which) list.append(list.empty() ? "" : ",").append(seat(i));
    return R"({"eventId":")" + id + R"(","seats":[)" + list + R"(],"totalSeats":)" + std::to_string(total == 0 ? seats.size() : total) +
           R"(,"generatedAt":"2026-02-24T16:00:00Z","more":"members do not matter"})";
  }
  // A message with `count` seats from the `first`th on.
  std::string part_from(std::size_t first, std::size_t count) const {
    std::vector<std::size_t> which(count);
    std::iota(which.begin(), which.end(), first);
    return part(which);
  }
  std::string all() const { return part_from(0, seats.size()); }
};

}  // namespace holdfast::test
