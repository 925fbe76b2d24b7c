#include "cluster/feed_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include "support/services.h"

namespace holdfast::test {
namespace {

// The parts of a message that follow from its change.
struct Told {
  std::string topic;          // without the prefix
  std::string reservation;
  std::int64_t version = 0;   // of the seat, after the change
  bool operator==(const Told&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Told& told) {
  return out << told.topic << " " << told.reservation << " v" << told.version;
}
using BySeat = std::map<std::string, std::vector<Told>>;   // of each seat, in order

std::string topic_of(const std::string& type) {
  if (type == "held" || type == "seats_added") return "reservation-created";
  if (type == "released") return "reservation-released";
  if (type == "consumed") return "reservation-consumed";
  if (type == "expired") return "reservation-expired";
  return {};
}

// The messages that follow from an event's journal. A seat's version is the number of its changes.
void read_journal(Client& node, const TestEvent& event, BySeat& expected) {
  std::map<std::string, std::int64_t> versions;
  for (std::int64_t after = 0;;) {
    const Answer answer = node.get("/v1/events/" + event.id + "/changes?limit=1000&after=" + std::to_string(after));
    if (answer.status != 200) throw std::runtime_error("no changes: " + answer.bytes);
    const Json page = answer.json();
    for (const Json& change : page.at("items").as_array()) {
      after = change.at("seq").to_number<std::int64_t>();
      const Json* const seats = change.as_object().if_contains("seats");
      if (seats == nullptr) continue;
      const std::string topic = topic_of(string_of(change.at("type")));
      for (const Json& seat : seats->as_array()) {
        const std::string id = string_of(seat.at("id"));
        const std::int64_t version = ++versions[id];
        const bool is_told = !topic.empty() && !change.at("customerId").is_null();   // ticket locks have no customer
        if (is_told) expected[id].push_back({topic, string_of(change.at("reservationId")), version});
      }
    }
    if (after >= page.at("seq").to_number<std::int64_t>()) return;
  }
}

std::string key_of(std::string seat) {
  std::erase(seat, '-');
  return seat;
}

// The messages that were read, by seat and topic. Reports contradictions among them.
class Reading {
 public:
  Reading(const BySeat& expected, std::size_t prefix) : expected_(expected), prefix_(prefix) {}

  std::size_t count() const { return count_; }
  const std::map<std::pair<std::string, std::string>, std::vector<Told>>& told() const { return told_; }

  void take(const KafkaMessage& message) {
    const Json body = message.json();
    const std::string id = string_of(body.at("eventId"));
    const auto [known, is_new] = bodies_.emplace(id, message.value);
    if (!is_new) {
      EXPECT_EQ(known->second, message.value) << "an eventId with two bodies";
      ADD_FAILURE() << "a reader of committed messages sees this one twice: " << message.topic << " " << message.value;
      return;
    }
    const std::string seat = string_of(body.at("seatId"));
    EXPECT_EQ(message.key, key_of(seat)) << message.value;
    const auto header = message.headers.find("ce_id");
    EXPECT_TRUE(header != message.headers.end() && header->second == id) << "ce_id is not the eventId of " << message.value;
    const std::string topic = message.topic.substr(prefix_);
    if (!expected_.contains(seat)) {
      ADD_FAILURE() << "a message without a change: " << topic << " " << message.value;
      return;
    }
    told_[{seat, topic}].push_back({topic, string_of(body.at("reservationId")), body.at("version").to_number<std::int64_t>()});
    ++count_;
  }

 private:
  const BySeat& expected_;
  std::size_t prefix_;
  std::size_t count_ = 0;
  std::map<std::string, std::string> bodies_;   // by eventId
  std::map<std::pair<std::string, std::string>, std::vector<Told>> told_;
};

}   // namespace

void expect_feed_is_the_journal(Client& node, const std::vector<TestEvent>& events, const std::string& bootstrap,
                                const std::string& prefix) {
  BySeat expected;
  for (const TestEvent& event : events) read_journal(node, event, expected);
  std::size_t wanted = 0;
  for (const auto& [seat, changes] : expected) wanted += changes.size();

  std::vector<std::string> topics;
  for (const std::string& topic : k_reservation_topics) topics.push_back(prefix + topic);
  KafkaReader reader(bootstrap, topics, has_real_kafka() ? Isolation::read_committed : Isolation::read_uncommitted);
  Reading reading(expected, prefix.size());
  std::size_t taken = 0;
  const auto take = [&] {
    for (; taken < reader.messages().size(); ++taken) reading.take(reader.messages()[taken]);
    return reading.count() >= wanted;
  };
  EXPECT_TRUE(reader.read_until(take, 6 * k_patience)) << "of " << wanted << " messages " << reading.count() << " came";
  reader.read_for(milliseconds{500});   // for messages that should not exist
  take();
  std::cout << "kafka: " << wanted << " messages of " << expected.size() << " seats\n";

  for (const auto& [seat, changes] : expected) {
    for (const std::string& topic : k_reservation_topics) {
      std::vector<Told> of_topic;
      std::ranges::copy_if(changes, std::back_inserter(of_topic), [&](const Told& told) { return told.topic == topic; });
      const auto at = reading.told().find({seat, topic});
      const std::vector<Told> told = at == reading.told().end() ? std::vector<Told>{} : at->second;
      EXPECT_TRUE(std::ranges::equal(told, of_topic)) << "seat " << seat << " on " << topic << ": " << testing::PrintToString(told)
                                                      << "\nthe journal has " << testing::PrintToString(of_topic);
    }
  }
}

}   // namespace holdfast::test
