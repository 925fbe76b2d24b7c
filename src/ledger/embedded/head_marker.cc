#include "ledger/embedded/head_marker.h"

#include "ledger/data_error.h"
#include "ledger/embedded/journal.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr int k_blocks = 4;
constexpr int k_head_block = 0;   // and the next one

}  // namespace

void HeadMarker::create(const std::string& path, const JournalHead& head, const std::optional<RegistryRevision>& registry) {
  MarkerFile::Content content(k_blocks);
  content.put(k_head_block, {.number = head.position, .bytes = head.hash});
  if (registry) content.put(RegistryMarker::k_block_in_head, RegistryMarker::slot_of(*registry));
  MarkerFile::create(path, content);
}

HeadMarker::HeadMarker(const std::string& path, Mode mode) : file_(path, mode) {
  if (!file_.has_blocks(k_blocks)) refuse_damaged_head(path);
  const std::optional<MarkerSlot> slot = file_.newest(k_head_block);
  if (!slot) refuse_damaged_head(path);
  head_ = {slot->number, slot->bytes};
  ordinal_ = slot->ordinal;
  stopped_ = slot->stopped != 0;
}

void HeadMarker::write(MarkerSlot slot) {
  file_.write(k_head_block, slot, MarkerSlot{.ordinal = ordinal_});
  ++ordinal_;
}

void HeadMarker::reach(const JournalHead& head) {
  write({.number = head.position, .bytes = head.hash});
  head_ = head;
  stopped_ = false;
}

void HeadMarker::stop() {
  write({.number = head_.position, .bytes = head_.hash, .stopped = 1});
  stopped_ = true;
  file_.sync();
}

// ---------------------------------------------------------------------------------------------------------------- with a journal

void check_reached(const HeadMarker* marker, JournalRows& journal) {
  const std::string& path = journal.path();
  if (marker == nullptr) {
    const std::string missing = HeadMarker::file_in(fs::path(path).parent_path());
    if (!journal.has_marker() || fs::exists(missing)) return;   // it never had one, or it was created in the meantime
    throw DataError(missing +
                    " is missing, which says how far journal.db reached: rows may be missing at its end. Nothing was changed and nothing "
                    "is sold from it. Put it back (all files of the folder belong together), or all files from a backup (holdfast "
                    "restore). If journal.db is known to be whole: " +
                    repair_beside(path));
  }
  const Position known = marker->head().position;
  const Position last = journal.head().position;
  if (known > last) {
    throw DataError(path + " ends at row " + std::to_string(last) + ", and journal.head knows that row " + std::to_string(known) +
                    " was on disk: " + std::to_string(known - last) + " rows are missing, and what was answered with them. Was " + path +
                    "-wal deleted or left behind? Nothing was changed and nothing is sold from it. Put back the whole journal.db with its "
                    "-wal file, or all files from a backup (holdfast restore). If you have neither, accept the loss of the missing rows: " +
                    repair_beside(path));
  }
  if (known < journal.anchor().position) return;   // after a power loss, the marker may be older than the oldest row kept
  if (journal.hash_at(known) != marker->head().hash) {
    throw DataError(
        path + " and journal.head are not a pair: row " + std::to_string(known) +
        " is another one. Nothing was changed. Put back what belongs together, or all files from a backup (holdfast restore). If "
        "journal.db is the right one: " +
        repair_beside(path));
  }
}

std::unique_ptr<HeadMarker> read_head_marker(const std::string& path) {
  if (!fs::exists(path)) return nullptr;
  return std::make_unique<HeadMarker>(path, HeadMarker::Mode::read);
}

std::unique_ptr<HeadMarker> open_head_marker(const std::string& path, Journal& journal) {
  if (!fs::exists(path)) {
    check_reached(nullptr, journal);
    HeadMarker::create(path, journal.head());
  }
  auto marker = std::make_unique<HeadMarker>(path, HeadMarker::Mode::write);
  check_reached(marker.get(), journal);
  if (!journal.has_marker()) journal.note_marker();   // after the file exists: after a crash in between, the folder still starts
  return marker;
}

}  // namespace holdfast
