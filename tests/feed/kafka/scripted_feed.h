// Changes that follow from their number: in each event, seat after seat is held and released again. So the expected messages on
// Kafka are known.
#pragma once

#include <atomic>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "feed/kafka/messages.h"
#include "feed/kafka/ports.h"
#include "support/kafka.h"

namespace holdfast::feed::kafka {

inline constexpr Seq k_scripted_seats = 20;
inline constexpr Millis k_scripted_start = 1'771'949'700'000;

inline Uuid scripted_uuid(std::uint64_t a, std::uint64_t b) {
  Uuid id{};
  for (std::size_t i = 0; i < 8; ++i) {
    id.data[i] = static_cast<std::uint8_t>(a >> (56 - 8 * i));
    id.data[8 + i] = static_cast<std::uint8_t>(b >> (56 - 8 * i));
  }
  return id;
}

// `history`: another number gives other changes with the same numbers.
inline FedChange scripted_change(EventNumber event, Seq seq, std::uint64_t history) {
  const Seq pair = (seq - 1) / 2;
  const bool is_held = seq % 2 == 1;
  const Seq seat = pair % k_scripted_seats;
  FedChange change{.seq = seq,
                   .at = k_scripted_start + static_cast<Millis>(seq),
                   .kind = is_held ? ChangeKind::held : ChangeKind::released,
                   .event = scripted_uuid(event, 0),
                   .reservation = scripted_uuid(event, pair + 1 + history * 1'000'000),
                   .customer = "customer-" + std::to_string(pair),
                   .created_at = k_scripted_start + static_cast<Millis>(2 * pair + 1)};
  if (is_held) change.expires_at = change.at + 900'000;
  FedSeat told{.id = to_string(scripted_uuid(event, 1'000 + seat)), .has_uuid = true, .section = "A", .row = "1"};
  told.number = std::to_string(seat);
  told.version = static_cast<std::uint32_t>(2 * (pair / k_scripted_seats) + (is_held ? 1 : 2));
  change.seats.push_back(std::move(told));
  return change;
}

class ScriptedFeed : public FeedSource {
 public:
  ScriptedFeed(EventNumber events, Seq changes, std::uint64_t history = 0) : events_(events), head(changes), history_(history) {}

  News news(const std::function<Seq(EventNumber)>& published, EventNumber after, std::size_t limit) override {
    fail_if_wished();
    News found;
    for (EventNumber i = 0; i < events_; ++i) {
      const EventNumber event = 1 + (after + i) % events_;
      if (published(event) == head) continue;
      found.behind += head - published(event);
      if (found.events.size() < limit) found.events.push_back({event, head});
    }
    return found;
  }
  FedPage read(EventNumber event, Seq after, std::size_t limit) override {
    fail_if_wished();
    if (event == unreadable) throw std::runtime_error("it is damaged");
    if (after + 1 < oldest) return {.changes = {}, .oldest = oldest};
    FedPage page;
    for (Seq seq = after + 1; seq <= head && page.changes.size() < limit; ++seq) page.changes.push_back(change(event, seq));
    return page;
  }
  Millis now() override { return k_scripted_start + static_cast<Millis>(head) + 5'000; }
  virtual FedChange change(EventNumber event, Seq seq) { return scripted_change(event, seq, history_); }

 private:
  void fail_if_wished() {
    if (failures.load() > 0 && failures.fetch_sub(1) > 0) throw std::runtime_error("the disk does not answer");
  }

  EventNumber events_;

 public:
  std::atomic<Seq> head;            // of every event
  std::atomic<Seq> oldest{1};       // that is kept
  std::atomic<int> failures{0};     // of the next readings
  std::atomic<EventNumber> unreadable{0};   // this event; 0: all can be read

 private:
  std::uint64_t history_;
};

// The messages on the topics, compared with the expected ones. Order is checked by topic and key.
struct OnKafka {
  std::map<std::string, std::size_t> times;                  // by topic, key and version
  std::map<std::string, std::set<std::string>> bodies;       // by eventId
  std::vector<std::string> out_of_order;

  explicit OnKafka(const std::vector<test::KafkaMessage>& messages) {
    std::map<std::string, std::int64_t> last;
    for (const test::KafkaMessage& message : messages) {
      const std::string seat = message.topic + " " + message.key;
      const std::int64_t version = std::stoll(message.headers.at("version"));
      ++times[seat + " " + std::to_string(version)];
      bodies[message.headers.at("ce_id")].insert(message.value);
      if (const auto before = last.find(seat); before != last.end() && version < before->second) out_of_order.push_back(seat);
      last[seat] = version;
    }
  }

  std::size_t different() const { return times.size(); }
  std::size_t repeated() const {
    std::size_t count = 0;
    for (const auto& [what, n] : times) count += n - 1;
    return count;
  }
  std::size_t ids_with_two_bodies() const {
    std::size_t count = 0;
    for (const auto& [id, all] : bodies) count += all.size() > 1 ? 1 : 0;
    return count;
  }
};

}  // namespace holdfast::feed::kafka
