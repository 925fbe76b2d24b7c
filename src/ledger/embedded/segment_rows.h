// The rows of a journal in segment files (segments/), as they are while nobody writes it: for tools that look into a folder.
//
//   segments::PosixDisk disk("data/journal");
//   SegmentRows journal(disk);
//
// Rows that a damaged frame has taken are known by their positions: read() throws there, each_stored() goes on behind them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "ledger/embedded/journal_rows.h"
#include "ledger/embedded/segments/catalog.h"
#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/round.h"
#include "ledger/embedded/segments/segment_reader.h"

namespace holdfast {

class SegmentRows final : public JournalRows {
 public:
  // Recovers the journal as a start would, and changes nothing. `disk` must outlive it. Throws JournalDamage if it is not whole; DiskError.
  explicit SegmentRows(segments::Disk& disk);

  const std::string& path() const override { return path_; }
  void pin() override {}   // it always is as of its opening
  const JournalHead& head() const override { return head_; }
  const JournalHead& anchor() const override { return anchor_; }
  std::optional<ChainHash> hash_at(Position position) override;
  Millis last_time() override;
  std::optional<Position> oldest() override;
  Position removed_through() override { return anchor_.position; }
  CountedRows count(Position first, std::int64_t rows_max) override;   // a lost row has no changes
  std::int64_t bytes() override { return bytes_; }   // up to the last frame, with the headers of segments
  void each_stored(Position first, const VisitStored& visit) override;
  void each_stored_of(EventNumber event, Seq next, Position first, const VisitStored& visit) override;
  void each_stored_at(std::span<const Position> positions, const VisitStored& visit) override;
  bool has_marker() override { return false; }   // the journal's own file `reach` says how far it reaches
  std::optional<DoubtfulStart> doubtful_start() override;

 protected:
  void each_chained(const JournalHead& after, const Visit& visit) override;
  std::string told_of(const std::string& what) const override;

 private:
  void load();

  segments::Disk& disk_;
  const std::string path_;
  segments::Catalog catalog_;
  const segments::SegmentReader reader_{disk_, catalog_};
  segments::Notes notes_;
  JournalHead head_;
  JournalHead anchor_;
  std::int64_t bytes_ = 0;
};

}   // namespace holdfast
