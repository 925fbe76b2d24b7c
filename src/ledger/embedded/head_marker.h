// journal.head: how far the journal of a folder is known to reach, kept outside of the journal's own files.
//
// SQLite opens a database whose -wal file was lost without a word, and has forgotten what was in it. So the writer notes the last row
// of each durable round here: one write into a preallocated file, without a sync, after the row itself has been synced. Such a note
// survives the end of the process. After a power loss it may be some seconds old, but it is never ahead of the journal. A journal that
// ends before it has lost rows, and is refused.
//
// Beside it stands the newest revision of registry.db (registry_revision.h), synced with each change.
//
//   HeadMarker marker(HeadMarker::file_in(data), HeadMarker::Mode::write);
//   marker.reach(journal.head());   // after each commit
//   marker.stop();                  // synced: nothing was under way
//
// Each of the two is kept in two slots that are written in turn, each in a block of its own with a checksum: a write that was torn leaves
// the one before. The head is for one thread; the registry's revision for any process (note_registry() locks the file).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "ledger/journal_row.h"

namespace holdfast {

class Journal;

// Which registry a folder has, and how often what is security's was changed in it.
struct RegistryRevision {
  std::array<std::uint8_t, 16> id{};   // drawn when the registry was made
  std::int64_t number = 0;
  bool operator==(const RegistryRevision&) const = default;
};

class HeadMarker {
 public:
  enum class Mode { read, write };
  static std::string file_in(const std::filesystem::path& folder) { return (folder / "journal.head").string(); }

  // Makes the file, or replaces it; durable when it returns. Throws DataError.
  static void create(const std::string& path, const JournalHead& head, const std::optional<RegistryRevision>& registry = {});

  // Opens one that is there. Throws DataError, also when it is damaged.
  HeadMarker(const std::string& path, Mode mode);
  ~HeadMarker();
  HeadMarker(const HeadMarker&) = delete;
  HeadMarker& operator=(const HeadMarker&) = delete;

  // The row that the journal has at least.
  const JournalHead& head() const { return head_; }
  // Whether the last writer ended in order, after everything was synced.
  bool was_stopped() const { return stopped_; }

  // Notes the last durable row; not synced. Throws DataError when it cannot be written.
  void reach(const JournalHead& head);
  // Notes that the writer ends in order; synced. Throws DataError.
  void stop();

  // The newest revision that any process has noted; nothing when none has. Throws DataError.
  std::optional<RegistryRevision> registry() const;
  // Notes one that is of another registry, or newer than what stands here; durable when it returns. Throws DataError.
  void note_registry(const RegistryRevision& revision);

 private:
  struct Slot;

  static Slot slot_of(const RegistryRevision& revision);
  std::optional<Slot> newest(int first_block) const;
  void write(int first_block, const Slot& slot, const std::optional<Slot>& before);
  void sync();
  [[noreturn]] void fail(const char* doing, int error) const;
  [[noreturn]] void damaged() const;

  std::string path_;
  int file_ = -1;
  JournalHead head_;
  std::uint64_t ordinal_ = 0;
  bool stopped_ = false;
};

// Throws DataError when the journal ends before the marker's row, or has another one in its place.
void check_reached(const HeadMarker& marker, Journal& journal);

// The marker of a journal that is about to be written, checked against it. A journal from before there were markers gets one, once.
std::unique_ptr<HeadMarker> open_head_marker(const std::string& path, Journal& journal);

// The same for somebody who only reads; nothing where there is no marker yet. To be called before the journal is opened, which may grow
// meanwhile.
std::unique_ptr<HeadMarker> read_head_marker(const std::string& path);
// And then, of that: throws DataError as check_reached does, or when the journal had a marker that is gone.
void check_reached(const HeadMarker* marker, Journal& journal);

}  // namespace holdfast
