// Parts of events from seats-generated, until all seats of an event have come. Each part names the event's number of seats. Parts come in any order,
// some of them twice.
//
//   Gathering gathering;
//   const auto answer = gathering.add(part, received, now);
//   if (const auto event = gathering.complete()) { …import gathering.seats(*event)…; gathering.take(*event); }
//
// Pure. Messages are kept unchanged: if an event is given up, each of them becomes a dead letter. Until the event is imported or given up, none of
// their offsets is committed. For one thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "feed/kafka/dead_letters.h"
#include "feed/kafka/ports.h"

namespace holdfast::feed::kafka {

struct GatheringLimits {
  std::size_t events_max = 1'000;   // events that lack seats
  std::size_t bytes_max = std::size_t{256} * 1024 * 1024;   // of their messages and seats: with room for k_generated_seats_max
  std::chrono::milliseconds age_max = std::chrono::hours(24);   // of an event's oldest part, counted from its timestamp
  // In this process, whatever the timestamp: a backlog is read first, and clocks may be wrong.
  std::chrono::milliseconds stay_least = std::chrono::hours(1);
};

class Gathering {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Gathering(GatheringLimits limits = {}) : limits_(limits) {}

  enum class Answer : std::uint8_t {
    kept,   // it has new seats
    repeated,   // all of its seats had come before
    refused,   // it contradicts itself. Nothing of it was kept
    contradicts,   // it contradicts an earlier part of its event. Nothing of it was kept
    no_room,   // the limits are reached, so its event cannot be completed here. Nothing of it was kept
  };
  struct Added {
    Answer answer = Answer::kept;
    std::string why{};   // refused, contradicts, no_room: a sentence
  };
  // `written`: the message's timestamp; not later than `now`. A part that completes its event always has room, because a complete event leaves.
  Added add(const SeatsPart& part, const Received& message, Time now, Time written);
  Added add(const SeatsPart& part, const Received& message, Time now) { return add(part, message, now, now); }

  // An event whose seats have all come, and one that has waited too long; nothing: there is none.
  std::optional<Uuid> complete() const;
  std::optional<Uuid> overdue(Time now) const;

  // The seats of an event that is being gathered, in no order.
  std::vector<GeneratedSeat> seats(const Uuid& event) const;
  // "300 of 500 seats".
  std::string progress(const Uuid& event) const;
  // Ends the gathering of an event and returns its messages; empty if it is not being gathered.
  std::vector<Received> take(const Uuid& event);
  void clear();

  std::size_t events() const { return events_.size(); }
  std::size_t bytes() const { return bytes_; }
  // Since when the oldest event is being gathered; nothing: there is none.
  std::optional<Time> since() const;
  // The lowest offset of each partition that has a message of an event that is being gathered.
  std::map<Partition, std::int64_t> first_offsets() const;

 private:
  struct Event {
    std::uint64_t total = 0;
    Time since{};   // here
    Time written{};   // its oldest part
    std::size_t bytes = 0;
    std::vector<Received> messages{};
    boost::unordered_flat_map<Uuid, GeneratedSeat> seats{};
    boost::unordered_flat_map<std::string, Uuid> labels{};   // as printed on tickets, where "A-1" with "2" is the same as "A" with "1-2"
  };

  const GatheringLimits limits_;
  std::map<Uuid, Event> events_;
  std::size_t bytes_ = 0;
};

}   // namespace holdfast::feed::kafka
