// Parts of events, until all seats of an event have come: what seats-generated says, message by message. An event has a total, and its parts come in
// any order, some of them twice.
//
//   Gathering gathering;
//   const auto answer = gathering.add(part, received, now);
//   if (const auto event = gathering.complete()) { …import gathering.seats(*event)…; gathering.take(*event); }
//
// Pure. Messages are kept as they came: where nothing becomes of an event, each goes to the dead letters, and until something has, the offsets of
// all of them are not committed. For one thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "feed/kafka/dead_letters.h"
#include "feed/kafka/ports.h"

namespace holdfast::feed::kafka {

struct GatheringLimits {
  std::size_t events_max = 1'000;   // whose seats have not all come
  std::size_t bytes_max = std::size_t{256} * 1024 * 1024;   // of their messages and seats: some 700,000 seats
  std::chrono::milliseconds age_max = std::chrono::hours(24);   // of an event's oldest part, since it was written
  std::chrono::milliseconds stay_least = std::chrono::hours(1);   // here, all the same: a backlog is read first, and clocks may be wrong
};

class Gathering {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Partition = std::pair<std::string, std::int32_t>;   // topic, number

  explicit Gathering(GatheringLimits limits = {}) : limits_(limits) {}

  enum class Answer : std::uint8_t {
    kept,   // it has seats that had not come
    repeated,   // all of its seats had come
    refused,   // it contradicts itself. Nothing of it was kept
    contradicts,   // a part of its event before it. Nothing of it was kept
    no_room,   // the limits are met: its event cannot be completed here. Nothing of it was kept
  };
  struct Added {
    Answer answer = Answer::kept;
    std::string why{};   // refused, contradicts, no_room: a sentence
  };
  // `written`: when its message was, by its timestamp; not later than `now`. A part with which its event is complete always has room,
  // because what is complete does not stay.
  Added add(const SeatsPart& part, const Received& message, Time now, Time written);
  Added add(const SeatsPart& part, const Received& message, Time now) { return add(part, message, now, now); }

  // An event whose seats have all come, or that has waited too long; nothing: there is none.
  std::optional<Uuid> complete() const;
  std::optional<Uuid> overdue(Time now) const;

  // Of an event that is being gathered. The seats in no order.
  std::vector<GeneratedSeat> seats(const Uuid& event) const;
  // "300 of 500 seats".
  std::string progress(const Uuid& event) const;
  const std::vector<Received>& messages(const Uuid& event) const;   // none when it is not being gathered
  // Ends the gathering of an event; its messages. None when it is not being gathered.
  std::vector<Received> take(const Uuid& event);
  void clear();

  std::size_t events() const { return events_.size(); }
  std::size_t bytes() const { return bytes_; }
  // Since when the oldest of the events is gathered; nothing: none is.
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
    boost::unordered_flat_map<std::string, Uuid> labels{};   // as tickets show them, so that "A-1" with "2" is "A" with "1-2"
  };

  const GatheringLimits limits_;
  std::map<Uuid, Event> events_;
  std::size_t bytes_ = 0;
};

}   // namespace holdfast::feed::kafka
