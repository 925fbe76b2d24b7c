#include "cli/maintenance/followers.h"

#include <filesystem>
#include <map>

#include "cli/maintenance/table_copies.h"
#include "feed/kafka/feed_file.h"
#include "feed/webhooks/webhook_file.h"

namespace holdfast::cli {

std::size_t put_followers_back(const DataFolder& folder, JournalRows& journal, StateStore& state) {
  std::size_t further = 0;
  if (std::filesystem::exists(folder.registry()) && has_table(folder.registry(), "webhook_endpoint")) {
    further += feed::move_webhooks_back(*feed::open_webhook_file(folder.registry())->file(), journal.head().position);
  }
  const std::string feed = feed::kafka::feed_file_in(folder.path());
  if (!std::filesystem::exists(feed)) return further;
  std::map<EventNumber, Seq> heads;
  state.each_event_head([&](EventNumber event, Seq last) { heads[event] = last; });
  journal.read(state.as_of(), [&](const JournalRow& row) {
    heads[row.event] = row.first_seq + row.changes - 1;
    return true;
  });
  return further + feed::kafka::move_feed_back(*feed::kafka::open_feed_file(feed)->file(), heads);
}

}   // namespace holdfast::cli
