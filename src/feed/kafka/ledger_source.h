// Changes for the Kafka feed, out of any ledger: what the ledger records of them, and what plans and reservations say of their
// seats.
#pragma once

#include <atomic>
#include <unordered_map>

#include "feed/kafka/ports.h"
#include "ledger/ledger.h"

namespace holdfast::feed::kafka {

class LedgerFeedSource : public FeedSource {
 public:
  // `ledger` must outlive it.
  explicit LedgerFeedSource(Ledger& ledger) : ledger_(ledger) {}

  // Asks the ledger for every event's last change, when it has moved on since nothing was new: some milliseconds for 100,000
  // events.
  News news(const std::function<Seq(EventNumber)>& published, EventNumber after, std::size_t limit) override;
  FedPage read(EventNumber event, Seq after, std::size_t limit) override;
  void published(std::span<const FeedPosition> positions) override;
  Millis now() override { return ledger_.now(); }

  // Ledger::progress() up to which all changes are published; 0: not known yet. Any thread.
  std::uint64_t published_through() const { return published_through_.load(std::memory_order_relaxed); }

 private:
  FedChange fed(RecordedChange change, const PublishedEvent& event) const;
  Seq head_of(EventNumber number, Seq listed, Seq reached);
  void note_round(std::uint64_t progress, std::unordered_map<EventNumber, Seq> behind);

  Ledger& ledger_;
  std::atomic<std::uint64_t> published_through_{0};

  // The relay's thread's.
  std::uint64_t quiet_at_ = 0;   // progress at which there was nothing to publish; 0: there was
  // Of one moment: where the ledger was, and what was not published then. When that is published, so is all up to there.
  std::uint64_t round_at_ = 0;
  std::unordered_map<EventNumber, Seq> round_;
};

}  // namespace holdfast::feed::kafka
