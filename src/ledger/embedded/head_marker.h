// journal.head: how far the journal is known to reach, kept outside the journal's own files.
//
// SQLite opens a database whose -wal file was lost without an error, and has forgotten what was in it. So the writer notes the last row of
// each durable round here: one write into a preallocated file, without a sync, after the row has been synced. The note survives the end of
// the process. After a power loss it may be some seconds old, but it is never ahead of the journal. A journal that ends before the note has
// lost rows, and is refused.
//
// Beside it stands the newest revision of registry.db (registry_revision.h), synced with each change.
//
//   HeadMarker marker(HeadMarker::file_in(data), HeadMarker::Mode::write);
//   marker.reach(journal.head());   // after each commit
//   marker.stop();                  // synced: nothing was under way
//
// Both are kept in two slots, written in turn, each in its own block with a checksum: a torn write leaves the previous one. The head is for one
// thread; the registry's revision for any process (note_registry() locks the file).
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
class JournalRows;

// The registry of a folder, and how often its security-relevant content has changed.
struct RegistryRevision {
  std::array<std::uint8_t, 16> id{};   // drawn when the registry was made
  std::int64_t number = 0;
  bool operator==(const RegistryRevision&) const = default;
};

class HeadMarker {
 public:
  enum class Mode { read, write };
  static std::string file_in(const std::filesystem::path& folder) { return (folder / "journal.head").string(); }

  // Creates or replaces the file; durable when it returns. Throws DataError.
  static void create(const std::string& path, const JournalHead& head, const std::optional<RegistryRevision>& registry = {});

  // Opens an existing file. Throws DataError, also if it is damaged.
  HeadMarker(const std::string& path, Mode mode);
  ~HeadMarker();
  HeadMarker(const HeadMarker&) = delete;
  HeadMarker& operator=(const HeadMarker&) = delete;

  // The row that the journal must have.
  const JournalHead& head() const { return head_; }
  // Whether the last writer stopped cleanly, with everything synced.
  bool was_stopped() const { return stopped_; }

  // Notes the last durable row, without a sync. Throws DataError if it cannot be written.
  void reach(const JournalHead& head);
  // Notes that the writer stops cleanly; synced. Throws DataError.
  void stop();

  // The newest revision that any process has noted; nothing when none has. Throws DataError.
  std::optional<RegistryRevision> registry() const;
  // Notes a revision of another registry, or one newer than the noted one; durable when it returns. Throws DataError.
  void note_registry(const RegistryRevision& revision);

 private:
  struct Slot;

  static Slot slot_of(const RegistryRevision& revision);
  std::optional<Slot> newest(int first_block) const;
  void write(int first_block, const Slot& slot, const std::optional<Slot>& before);
  void sync();
  [[noreturn]] void damaged() const;

  std::string path_;
  int file_ = -1;
  JournalHead head_;
  std::uint64_t ordinal_ = 0;
  bool stopped_ = false;
};

// The marker of a journal that is about to be written, checked against it. A journal from before there were markers gets one, once.
std::unique_ptr<HeadMarker> open_head_marker(const std::string& path, Journal& journal);

// The same for a reader; nullptr if there is no marker yet. Call it before opening the journal, which may grow meanwhile.
std::unique_ptr<HeadMarker> read_head_marker(const std::string& path);
// And then, of that: throws DataError if the journal ends before the marker's row, has another row there, or had a marker that is gone.
void check_reached(const HeadMarker* marker, JournalRows& journal);

}   // namespace holdfast
