// The newest revision of registry.db, noted outside of it: a registry that is older has lost changes (access/registry_revision.h).
//
// A folder with journal.db has the note in two slots of journal.head (head_marker.h), one with journal/ in a file of its own, registry.head.
// Whoever asks for it by find() need not know which.
//
//   if (const auto marker = RegistryMarker::find(folder, RegistryMarker::Mode::write)) marker->note(revision);   // durable
//
// Any thread and process: note() locks the file.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "ledger/embedded/marker_file.h"

namespace holdfast {

// The registry of a folder, and how often its security-relevant content has changed.
struct RegistryRevision {
  std::array<std::uint8_t, 16> id{};   // drawn when the registry was made
  std::int64_t number = 0;
  bool operator==(const RegistryRevision&) const = default;
};

class RegistryMarker {
 public:
  using Mode = MarkerFile::Mode;
  static constexpr int k_block_in_head = 2;   // of journal.head, and the next one

  // That of a data folder: registry.head, or else the slots in journal.head. nullptr: the folder has neither, because no ledger was opened in it
  // yet. Throws DataError if it cannot be opened or was cut, or if registry.head is missing beside journal/.
  static std::unique_ptr<RegistryMarker> find(const std::filesystem::path& folder, Mode mode);
  // Creates or replaces the folder's registry.head; durable when it returns. It must be there before journal/ is. Throws DataError.
  static void create(const std::filesystem::path& folder, const std::optional<RegistryRevision>& revision = {});
  // Makes the registry.head of a folder that is about to get its journal/, with what journal.head notes; none if it has one, as after a crash in
  // between. Throws DataError, also if there is no journal/ and the file knows a registry: then the folder had one.
  static void begin(const std::filesystem::path& folder);
  // Replaces a registry.head that is missing beside journal/, or damaged, by one without a revision: registry.db is to count as it is. False if
  // nothing was wrong with it. Throws DataError.
  static bool renew(const std::filesystem::path& folder);

  // The newest revision that any process has noted; nothing when none has. Throws DataError.
  std::optional<RegistryRevision> revision() const;
  // Notes a revision of another registry, or one newer than the noted one; durable when it returns. Throws DataError.
  void note(const RegistryRevision& revision);

  static MarkerSlot slot_of(const RegistryRevision& revision);

 private:
  RegistryMarker(const std::string& path, Mode mode, bool is_in_head);
  [[noreturn]] void damaged() const;

  const MarkerFile file_;
  const bool is_in_head_;
  const int first_block_;
};

}   // namespace holdfast
