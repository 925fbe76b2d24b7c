// What can be saved of a journal whose files are damaged.
//
//   const Survey survey = survey_journal(damaged);                          // reads all of it, and changes nothing
//   show(survey);                                                           // what is lost, for whoever decides
//   write_kept(damaged, survey, fresh, options, new_id);                    // a new journal of the rows before the damage
//
// Rows behind the damage are not kept: each row was judged by those before it, and the chain of hashes is broken. They are listed, with
// their events. The damaged files stay as they are, beside the new ones. For one thread, while nobody writes to the folder.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/segments/disk.h"
#include "ledger/embedded/segments/format.h"
#include "ledger/embedded/segments/segment_writer.h"

namespace holdfast::segments {

// Rows from `first` to `last`.
struct Stretch {
  Position first = 0;
  Position last = 0;
  bool operator==(const Stretch&) const = default;
};

// Changes of one event that are not kept, as far as rows behind the damage show.
struct EventLoss {
  Seq first_lost = 0;   // none of the event's changes from here on is kept
  std::uint64_t readable = 0;   // changes in rows that can be read
  std::uint64_t unreadable = 0;   // changes that are missing between rows that can be read
  bool operator==(const EventLoss&) const = default;
};

struct Survey {
  JournalId journal{};   // of the damaged journal
  std::optional<Reach>
      start;   // before the first row that is kept; nothing: the journal's beginning cannot be read, and no row can be kept
  JournalHead kept;   // the last row that is kept; as start if none is
  std::uint64_t largest_body = 0;   // of the rows that are kept, in bytes
  Notes notes;   // in force there, but for those that only a damaged opening of the first segment had
  std::vector<Stretch> unreadable;   // rows that cannot be read. Without `start`, with those that retention has removed
  std::vector<Stretch> readable;   // rows behind the damage
  // By number. An event that has only unreadable rows is not here: nobody knows of it.
  std::map<EventNumber, EventLoss> events;
  // Each place as a sentence without its full stop, in order. Empty: a start would refuse nothing.
  std::vector<std::string> damage;
};

// Damage is what it reports, not an error, and so is a block that the disk cannot read any more (EIO). Throws DiskError of other errors;
// LaterFormat, because a later version can read more of it; DataError if the folder has no segment at all.
Survey survey_journal(Disk& disk);

// Visits each row that can be read, kept or not, in order; rows that retention has given up are left out. `visit` returns false: no further
// one. Throws DiskError.
void each_readable_row(Disk& disk, const Survey& survey, const std::function<bool(const JournalRow&)>& visit);

// Writes the rows that the survey keeps to a new journal with the id `journal`, which is drawn at random: it has another history from here
// on. Positions and hashes stay, rounds are counted anew. `to` is another folder, without a journal. It must not take the place of the
// damaged one before this has returned: a crash leaves in it a journal that is whole and too short. Throws DataError if survey.start is
// missing, `to` has a journal, or the files have changed since the survey; DiskError; NoRoom.
void write_kept(Disk& from, const Survey& survey, Disk& to, const SegmentWriter::Options& options, const JournalId& journal);

}   // namespace holdfast::segments
