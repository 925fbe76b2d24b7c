// Changes for webhooks from any ledger, by Ledger::read_all_changes.
//
// Changes of events that are being imported are returned as `/v1/changes` shows them, and so are those of abandoned imports. A change
// that cannot be read does not hold up the others.
#pragma once

#include <functional>

#include "feed/webhooks/ports.h"
#include "ledger/ledger.h"

namespace holdfast::feed {

class LedgerChangeSource final : public ChangeSource {
 public:
  // The number of changes from a cursor on; estimated if there are many. Any thread; throws std::exception.
  using Counter = std::function<std::uint64_t(const std::string& cursor)>;
  // What the store's positions are: cursors of the ledger, or rows of an embedded ledger's journal (row_positions.h).
  enum class Positions { cursors, rows };

  // `ledger` must outlive it.
  LedgerChangeSource(Ledger& ledger, Counter count, Positions positions = Positions::cursors)
      : ledger_(ledger), count_(std::move(count)), positions_(positions) {}

  SourcePage next(const SourcePosition& position, std::size_t limit, KindSet kinds) override;
  std::optional<SourceChange> tell(const Uuid& event, Seq seq) override;
  FailingEvents::Summary unreadable() const override;
  SourcePosition end() override;
  std::uint64_t behind(const SourcePosition& position) override { return count_(cursor_of(position)); }

 private:
  std::string cursor_of(const SourcePosition& position) const;
  SourcePosition position_of(const std::string& cursor) const;
  bool read_on(std::string& cursor, std::size_t limit, KindSet kinds, SourcePage& page);
  SourceChange told(RecordedChange& change);
  std::shared_ptr<const PublishedEvent> find(EventNumber event);

  Ledger& ledger_;
  const Counter count_;
  const Positions positions_;
  FailingEvents away_{"webhooks"};   // cannot be brought at the moment
  FailingEvents unreadable_{"webhooks"};   // have a change that is damaged, until it could be read
};

}   // namespace holdfast::feed
