// Changes for webhooks out of the embedded ledger's journal, read on connections of its own.
//
// Of a row that is not what was written each change is told as one that cannot be read, of whatever kind it is, so that those of other rows are
// told too (JournalReader says when that is not possible, and next() throws).
//
// A position is the number of a journal row, all of whose changes are behind us, or `row.n`: the row before it, and n changes of it.
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

  // The last journal row that none of the enabled endpoints has to read any more; the highest number when none is enabled. Any thread.
  // Throws DataError when a position is none.
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
