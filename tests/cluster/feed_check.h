// Contract 1's promise about Kafka: every committed change of a seat is published, nothing else is, in order by seat, and an `eventId` has
// one body.
#pragma once

#include <string>
#include <vector>

#include "support/events.h"
#include "support/kafka.h"

namespace holdfast::test {

inline const std::vector<std::string> k_reservation_topics = {"reservation-created", "reservation-expired", "reservation-consumed",
                                                              "reservation-released"};

// Compares what readers of committed messages see on the topics (with this prefix) with the journal of these events, as the node
// shows it. Waits for missing messages, then fails the test for those that are still missing, out of order, duplicate, or without
// a change.
void expect_feed_is_the_journal(Client& node, const std::vector<TestEvent>& events, const std::string& bootstrap,
                                const std::string& prefix);

}   // namespace holdfast::test
