#include "feed/kafka/gathering.h"

#include <algorithm>

#include "core/check.h"

namespace holdfast::feed::kafka {
namespace {

constexpr std::size_t k_bytes_a_seat = 200;   // in the two tables, without its texts
constexpr std::size_t k_bytes_a_message = 200;

std::string label_of(const GeneratedSeat& seat) { return seat.section + "-" + seat.row + "-" + std::to_string(seat.number); }

bool is_same(const GeneratedSeat& a, const GeneratedSeat& b) { return a.section == b.section && a.row == b.row && a.number == b.number; }

}  // namespace

// Checks the whole part before it keeps any of it.
Gathering::Added Gathering::add(const SeatsPart& part, const Received& message, Time now, Time written) {
  const auto known = events_.find(part.event);
  const Event none{.total = part.total};
  const Event& before = known == events_.end() ? none : known->second;
  if (before.total != part.total) {
    return {Answer::contradicts, "`totalSeats` is " + std::to_string(part.total) + ", and was " + std::to_string(before.total) +
                                     " in a part of the same event before."};
  }
  std::size_t bytes = message.bytes() + k_bytes_a_message;
  boost::unordered_flat_map<Uuid, const GeneratedSeat*> fresh;
  boost::unordered_flat_map<std::string, Uuid> labels;
  for (const GeneratedSeat& seat : part.seats) {
    const auto there = before.seats.find(seat.id);
    const auto [in_part, is_first] = fresh.try_emplace(seat.id, &seat);
    const GeneratedSeat& other = there != before.seats.end() ? there->second : *in_part->second;
    if (!is_same(other, seat)) {
      return {there != before.seats.end() ? Answer::contradicts : Answer::refused,
              "Seat " + to_string(seat.id) + " is " + label_of(seat) + ", and was " + label_of(other) + " before."};
    }
    if (there != before.seats.end()) {
      fresh.erase(seat.id);
      continue;
    }
    if (!is_first) continue;
    std::string label = label_of(seat);
    const auto twin_before = before.labels.find(label);
    const auto twin = labels.find(label);
    if (twin_before != before.labels.end() || twin != labels.end()) {
      const Uuid& other_id = twin_before != before.labels.end() ? twin_before->second : twin->second;
      return {twin_before != before.labels.end() ? Answer::contradicts : Answer::refused,
              "Seat " + to_string(seat.id) + " prints the same label as seat " + to_string(other_id) + ": " + label + "."};
    }
    bytes += 2 * label.size() + k_bytes_a_seat;
    labels.emplace(std::move(label), seat.id);
  }
  if (fresh.empty() && known != events_.end()) return {.answer = Answer::repeated};
  if (before.seats.size() + fresh.size() > part.total) {
    return {before.seats.empty() ? Answer::refused : Answer::contradicts,
            "With this part the event has " + std::to_string(before.seats.size() + fresh.size()) + " seats, and `totalSeats` is " +
                std::to_string(part.total) + "."};
  }
  const bool completes = before.seats.size() + fresh.size() == part.total;
  if (!completes && known == events_.end() && events_.size() >= limits_.events_max) {
    return {Answer::no_room, std::to_string(events_.size()) + " events wait for seats already, which is the limit."};
  }
  if (!completes && bytes_ + bytes > limits_.bytes_max) {
    return {Answer::no_room,
            "With this part, the parts that wait for others have more than " + std::to_string(limits_.bytes_max) + " bytes."};
  }
  Event& event = events_[part.event];
  if (known == events_.end()) event = {.total = part.total, .since = now, .written = written};
  event.written = std::min(event.written, written);
  event.bytes += bytes;
  bytes_ += bytes;
  event.messages.push_back(message);
  for (const auto& [id, seat] : fresh) event.seats.emplace(id, *seat);
  event.labels.merge(std::move(labels));
  return {};
}

std::optional<Uuid> Gathering::complete() const {
  const auto at = std::ranges::find_if(events_, [](const auto& each) { return each.second.seats.size() == each.second.total; });
  return at == events_.end() ? std::nullopt : std::optional(at->first);
}

std::optional<Uuid> Gathering::overdue(Time now) const {
  const auto stay_least = std::min(limits_.stay_least, limits_.age_max);
  const auto at = std::ranges::find_if(
      events_, [&](const auto& each) { return now - each.second.written >= limits_.age_max && now - each.second.since >= stay_least; });
  return at == events_.end() ? std::nullopt : std::optional(at->first);
}

std::vector<GeneratedSeat> Gathering::seats(const Uuid& event) const {
  const auto at = events_.find(event);
  HOLDFAST_CHECK(at != events_.end());
  std::vector<GeneratedSeat> all;
  all.reserve(at->second.seats.size());
  for (const auto& [id, seat] : at->second.seats) all.push_back(seat);
  return all;
}

std::string Gathering::progress(const Uuid& event) const {
  const auto at = events_.find(event);
  if (at == events_.end()) return "none of its seats";
  return std::to_string(at->second.seats.size()) + " of " + std::to_string(at->second.total) + " seats";
}

std::vector<Received> Gathering::take(const Uuid& event) {
  const auto at = events_.find(event);
  if (at == events_.end()) return {};
  std::vector<Received> messages = std::move(at->second.messages);
  bytes_ -= at->second.bytes;
  events_.erase(at);
  return messages;
}

void Gathering::clear() {
  events_.clear();
  bytes_ = 0;
}

std::optional<Gathering::Time> Gathering::since() const {
  std::optional<Time> oldest;
  for (const auto& [id, event] : events_) oldest = oldest ? std::min(*oldest, event.since) : event.since;
  return oldest;
}

std::map<Partition, std::int64_t> Gathering::first_offsets() const {
  std::map<Partition, std::int64_t> first;
  for (const auto& [id, event] : events_) {
    for (const Received& message : event.messages) {
      const auto [at, is_new] = first.try_emplace({message.topic, message.partition}, message.offset);
      if (!is_new) at->second = std::min(at->second, message.offset);
    }
  }
  return first;
}

}  // namespace holdfast::feed::kafka
