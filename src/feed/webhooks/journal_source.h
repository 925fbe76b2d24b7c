// Changes for webhooks from the embedded ledger's journal, read on connections of its own.
//
// Each change of a damaged row is returned as unreadable, with an unknown kind, so that the changes of other rows go on.
// (JournalReader says when that is not possible; then next() throws.)
//
// A position is the number of the last journal row whose changes have all been read, or `row.n`: also n changes of the row
// after it.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>

#include "feed/webhooks/ports.h"
#include "ledger/embedded/embedded_ledger.h"
#include "ledger/embedded/journal.h"

namespace holdfast::feed {

class JournalChangeSource final : public ChangeSource {
 public:
  // `ledger` must outlive it, and `journal` is the path of its journal. Throws what Journal throws.
  JournalChangeSource(const EmbeddedLedger& ledger, std::string journal);
  ~JournalChangeSource() override;

  SourcePage next(const SourcePosition& position, std::size_t limit, KindSet kinds) override;
  std::optional<SourceChange> tell(const Uuid& event, Seq seq) override;
  FailingEvents::Summary unreadable() const override { return unreadable_.summary(); }
  SourcePosition end() override;
  std::uint64_t behind(const SourcePosition& position) override;

  // The last journal row that no enabled endpoint needs any longer; the largest number if no endpoint is enabled. Any thread.
  // Throws DataError if a position is malformed.
  static Position needless_through(std::span<const EndpointReport> endpoints);

 private:
  struct Place {
    Position row = 0;   // every change up to it …
    std::uint32_t extra = 0;   // … and so many of the row after it
  };
  struct Reading;

  static Place parse(const SourcePosition& position);
  static Place place_behind(const KeptRow& row, std::uint32_t i);
  static SourcePosition text_of(const Place& place);
  bool read_row(const KeptRow& row, Reading& reading);
  SourceChange told(const KeptRow& row, const Change& change, std::uint32_t i, const Uuid& event);
  bool read_damaged(const KeptRow& row, Reading& reading);
  void find_beginning(Reading& reading, bool is_new);
  std::optional<Uuid> event_id(EventNumber number, const Change& change);
  std::optional<Uuid> known_id(EventNumber number);
  std::string json_of(const KeptRow& row, const Change& change, Seq seq, const Uuid& event) const;

  const EmbeddedLedger& ledger_;
  const std::string path_;
  std::mutex mutex_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<JournalReader> reader_;
  FailingEvents unreadable_{"webhooks"};
  std::unordered_map<EventNumber, Uuid> importing_;   // ids of events that nobody sees yet
};

}   // namespace holdfast::feed
