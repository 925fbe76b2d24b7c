// The rows of a journal in segment files (segments/), for everybody who reads them.
//
//   segments::PosixDisk disk("data/journal");
//   SegmentRows journal(disk);                                     // at rest: as a start would find it
//   const auto rows = open_segment_rows("data");                   // also while a server writes it
//   const auto rows = SegmentRows::of_writer(disk, catalog, notes);   // in the process that writes it
//
// Rows that a damaged frame has taken are known by their positions: read() throws there, each_stored() goes on behind them. Rows that
// retention removes during a reading are left out; read(), and every reading of pinned rows, throws segments::RowsGone, and can begin anew.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
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
  // Where the segments are known from.
  class Source {
   public:
    Source() = default;
    virtual ~Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual const segments::Disk& disk() const = 0;
    virtual const segments::Catalog& catalog() const = 0;
    virtual segments::Notes notes() const = 0;   // in force
    // Shows in the catalog what others have published. Throws DataError.
    virtual void refresh() {}
  };

  // Recovers the journal as a start would, and changes nothing. `disk` must outlive it. Throws JournalDamage if it is not whole; LaterFormat;
  // DiskError.
  explicit SegmentRows(segments::Disk& disk);
  // Throws JournalDamage or DataError if the source does.
  explicit SegmentRows(std::unique_ptr<Source> source);
  // Of a journal that this process writes: sees each round that is published. All three must outlive it; `notes`, those in force, is called
  // on the thread that reads.
  static std::unique_ptr<SegmentRows> of_writer(const segments::Disk& disk, const segments::Catalog& catalog,
                                                std::function<segments::Notes()> notes);

  const std::string& path() const override { return path_; }
  void pin() override;
  const JournalHead& head() const override { return head_; }
  const JournalHead& anchor() const override { return anchor_; }
  std::optional<ChainHash> hash_at(Position position) override;
  Millis last_time() override;
  std::optional<Position> oldest() override;
  Position removed_through() override;
  CountedRows count(Position first, std::int64_t rows_max) override;   // a lost row has no changes
  // Of the segments in use, up to the last frame, with headers and padding: what a reading of all rows reads. Room that is prepared, and the
  // file `reach`, do not count.
  std::int64_t bytes() override;
  void each_stored(Position first, const VisitStored& visit) override;
  void each_stored_of(EventNumber event, Seq next, Position first, const VisitStored& visit) override;
  void each_stored_at(std::span<const Position> positions, const VisitStored& visit) override;
  bool has_marker() override { return false; }   // the journal's own file `reach` says how far it reaches
  std::optional<DoubtfulStart> doubtful_start() override;

  // From now on head() and anchor() are as of this moment.
  void renew();

 protected:
  void each_chained(const JournalHead& after, const Visit& visit) override;
  std::string told_of(const std::string& what) const override;

 private:
  static constexpr Position k_read_on = 64;   // rows that each_stored_at() passes rather than look for the next one anew

  void refresh();
  const segments::Catalog& catalog() const { return pinned_ ? *pinned_ : source_->catalog(); }
  segments::SegmentReader reader() const { return {source_->disk(), catalog()}; }
  void visit_stored(Position first, const VisitStored& visit) const;

  const std::unique_ptr<Source> source_;
  const std::string path_;
  std::optional<segments::Catalog> pinned_;
  JournalHead head_;
  JournalHead anchor_;
};

// The journal in the folder `journal` of a data folder. While a server uses the data folder, the rows are those that it has published, and
// later readings see what it publishes; otherwise they are those that a start would find. A process that holds the data folder's lock itself
// opens SegmentRows(disk). Throws as SegmentRows; segments::JournalNotReady while the journal is being created.
std::unique_ptr<JournalRows> open_segment_rows(const std::filesystem::path& data);
// The same for who holds the data folder's lock, or knows that nobody writes: the rows that a start would find.
std::unique_ptr<JournalRows> open_segment_rows_at_rest(const std::filesystem::path& data);

}   // namespace holdfast
