// The real program with a feed on a Kafka, under names that no other test uses.
#pragma once

#include <string>
#include <vector>

#include "support/events.h"
#include "support/kafka.h"
#include "support/server.h"
#include "support/services.h"

namespace holdfast::test {

struct FeedNames {
  std::string prefix = "t" + std::to_string(Clock::now().time_since_epoch().count()) + "-";
  std::string topic(std::string_view name) const { return prefix + std::string(name); }
  std::vector<std::string> reservation_topics() const {
    std::vector<std::string> all;
    for (const char* name : {"created", "expired", "consumed", "released", "returned"})
      all.push_back(topic(std::string("reservation-") + name));
    return all;
  }
};

inline ServerSettings with_feed(const FeedNames& names, const std::string& bootstrap, std::vector<std::string> more = {}) {
  std::vector<std::string> flags = {"--feed", "kafka://" + bootstrap, "--feed-topic-prefix", names.prefix, "--feed-payments-group",
                                    names.prefix + "payments",
                                    // A killed one should be missed soon.
                                    "--feed-kafka", "session.timeout.ms=6000"};
  flags.insert(flags.end(), more.begin(), more.end());
  return {.flags = std::move(flags), .environment = {}, .data = {}};
}

inline std::string without_dashes(std::string id) {
  std::erase(id, '-');
  return id;
}

}  // namespace holdfast::test
