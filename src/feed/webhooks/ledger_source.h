// Changes for webhooks from any ledger, by Ledger::read_all_changes.
//
// A position is one of the ledger's cursors. Changes of events that are being imported are returned as `/v1/changes` shows them,
// and so are those of abandoned imports.
//
// The embedded ledger has a source of its own (journal_source.h). Its positions are rows of the journal, so that it knows which
// rows its retention may remove.
#pragma once

#include <functional>

#include "feed/webhooks/ports.h"
#include "ledger/ledger.h"

namespace holdfast::feed {

class LedgerChangeSource final : public ChangeSource {
 public:
  // The number of changes from a cursor on; estimated if there are many. Any thread; throws std::exception.
  using Counter = std::function<std::uint64_t(const std::string& cursor)>;

  // `ledger` must outlive it.
  LedgerChangeSource(Ledger& ledger, Counter count) : ledger_(ledger), count_(std::move(count)) {}

  SourcePage next(const SourcePosition& position, std::size_t limit, KindSet kinds) override;
  std::optional<SourceChange> tell(const Uuid& event, Seq seq) override;
  FailingEvents::Summary unreadable() const override { return unreadable_.summary(); }
  SourcePosition end() override;
  std::uint64_t behind(const SourcePosition& position) override { return count_(position); }

 private:
  SourceChange told(RecordedChange& change);
  std::shared_ptr<const PublishedEvent> find(EventNumber event);

  Ledger& ledger_;
  const Counter count_;
  FailingEvents unreadable_{"webhooks"};
};

}  // namespace holdfast::feed
