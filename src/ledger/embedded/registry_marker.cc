#include "ledger/embedded/registry_marker.h"

#include <cstring>

#include "ledger/embedded/data_folder.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr int k_blocks = 2;
constexpr int k_blocks_of_head = 4;

std::string way_out(const std::string& path) {
  return "Nothing was changed. Put it back, or let registry.db count as it is, then revoke keys and create them again: holdfast keys "
         "accept "
         "--data " +
         fs::path(path).parent_path().string();
}

// An empty folder may have been made ahead, for example to mount a disk there.
bool has_segments(const fs::path& folder) {
  const std::string journal = DataFolder::journal_folder_in(folder);
  return fs::exists(journal) && !fs::is_empty(journal);
}

}  // namespace

std::unique_ptr<RegistryMarker> RegistryMarker::find(const fs::path& folder, Mode mode) {
  const std::string own = DataFolder::registry_head_in(folder);
  if (fs::exists(own)) return std::unique_ptr<RegistryMarker>(new RegistryMarker(own, mode, false));
  if (has_segments(folder)) {
    throw DataError(own + " is missing, so nobody knows how new registry.db must be. " + way_out(own));
  }
  const std::string head = DataFolder::journal_head_in(folder);
  if (!fs::exists(head)) return nullptr;
  return std::unique_ptr<RegistryMarker>(new RegistryMarker(head, mode, true));
}

void RegistryMarker::create(const fs::path& folder, const std::optional<RegistryRevision>& revision) {
  MarkerFile::Content content(k_blocks);
  if (revision) content.put(0, slot_of(*revision));
  MarkerFile::create(DataFolder::registry_head_in(folder), content);
}

void RegistryMarker::begin(const fs::path& folder) {
  const std::string journal = DataFolder::journal_folder_in(folder);
  const std::unique_ptr<RegistryMarker> found = find(folder, Mode::read);
  const std::optional<RegistryRevision> revision = found == nullptr ? std::nullopt : found->revision();
  if (found == nullptr || found->is_in_head_) return create(folder, revision);
  if (!revision || fs::exists(journal)) return;
  throw DataError(journal +
                  " is missing, and registry.head knows that this folder was served. Nothing was changed. Put journal/ back with all its "
                  "files, or restore a backup (holdfast restore). To start over, move registry.head away too.");
}

bool RegistryMarker::renew(const fs::path& folder) {
  const std::string own = DataFolder::registry_head_in(folder);
  if (fs::exists(own)) {
    const RegistryMarker marker(own, Mode::read, false);
    if (marker.file_.has_blocks(k_blocks) && (marker.file_.newest(0) || marker.file_.is_blank(0))) return false;
  } else if (!fs::exists(DataFolder::journal_folder_in(folder))) {
    return false;
  }
  create(folder);
  return true;
}

RegistryMarker::RegistryMarker(const std::string& path, Mode mode, bool is_in_head)
    : file_(path, mode), is_in_head_(is_in_head), first_block_(is_in_head ? k_block_in_head : 0) {}

std::optional<RegistryRevision> RegistryMarker::revision() const {
  if (!file_.has_blocks(is_in_head_ ? k_blocks_of_head : k_blocks)) damaged();
  const std::optional<MarkerSlot> slot = file_.newest(first_block_);
  if (!slot) {
    if (!file_.is_blank(first_block_)) damaged();
    return std::nullopt;
  }
  RegistryRevision revision{.number = slot->number};
  std::memcpy(revision.id.data(), slot->bytes.data(), revision.id.size());
  return revision;
}

void RegistryMarker::note(const RegistryRevision& revision) {
  const MarkerFile::Lock lock(file_);
  const std::optional<RegistryRevision> known = this->revision();
  if (known && known->id == revision.id && known->number >= revision.number) return;   // another process was faster
  file_.write(first_block_, slot_of(revision), file_.newest(first_block_));
  file_.sync();
}

MarkerSlot RegistryMarker::slot_of(const RegistryRevision& revision) {
  MarkerSlot slot{.number = revision.number};
  std::memcpy(slot.bytes.data(), revision.id.data(), revision.id.size());
  return slot;
}

void RegistryMarker::damaged() const {
  if (is_in_head_) refuse_damaged_head(file_.path());
  throw DataError(file_.path() + " is damaged, so nobody knows how new registry.db must be. " + way_out(file_.path()));
}

}  // namespace holdfast
