// Notes that other threads want in the journal: the writer's thread puts them into its next round.
//
//   PostedNotes posted(wake_writer);
//   posted.post(k_note_first_kept, note_of_first_kept(keep)).get();   // any thread: on disk when it returns
//   remove_segments_before(disk, catalog, keep);
//
//   const std::size_t notes = posted.take();   // the writer's thread, before it judges: Round::bytes_max() has room for just these
//   posted.add_to(round);
//   writer.append(round);
//   posted.written();
//
// post() belongs to any thread, the rest to the writer's.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "ledger/embedded/segments/round.h"

namespace holdfast::segments {

class PostedNotes {
 public:
  // `wake` is called on the posting thread after each post: without other work, the writer makes a round of the notes alone.
  explicit PostedNotes(std::function<void()> wake) : wake_(std::move(wake)) {}

  // The newest text of a kind replaces an older one that waits, and both are done with it. The future is ready when the note is on disk; it
  // has the error if the journal cannot be written any more, and std::future_error if this has ended before. `text` has at most
  // k_note_bytes_max bytes.
  std::future<void> post(NoteKind kind, std::string text);
  // Chooses the notes that wait for the next round, and returns how many it has. A note that is posted later waits for the round after it,
  // so a round does not grow once it has been judged.
  std::size_t take();
  // Puts the taken notes into `round`. They stay taken until written(): a round that was not appended can be made again, and a further
  // take() adds what waits by then.
  void add_to(Round& round) const;
  // The last round of add_to() is on disk.
  void written();
  // No round will be written any more, because of `error`: tells those who wait, and those who post later.
  void failed(const std::exception_ptr& error);

 private:
  struct Note {
    std::string text;
    std::vector<std::promise<void>> promises;   // of all whose text this one is, or has replaced
  };
  using ByKind = std::map<NoteKind, Note>;

  const std::function<void()> wake_;
  ByKind taken_;   // of the writer's thread
  std::mutex mutex_;
  ByKind waiting_;
  std::exception_ptr error_;   // null: all is well
};

}   // namespace holdfast::segments
