#include "ledger/embedded/segments/supply.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>

#include "core/check.h"

namespace holdfast::segments {
namespace {

// Zeros are written and synced in small steps, so that a round's sync never waits for many of them.
constexpr std::uint64_t k_zeroed_at_once = std::uint64_t{1} * 1024 * 1024;

bool is_size(std::uint64_t bytes) { return bytes % k_block == 0 && bytes >= k_segment_bytes_min && bytes <= k_segment_bytes_max; }

}  // namespace

std::uint64_t SegmentSizes::of(std::uint64_t number) const {
  std::uint64_t bytes = first;
  for (std::uint64_t before = 1; before < number && bytes < most; ++before) bytes *= 2;
  return std::min(bytes, most);
}

Supply::Supply(Disk& disk, Catalog& catalog, const JournalId& journal, SegmentSizes sizes, std::function<std::uint64_t()> draw_salt)
    : disk_(disk), catalog_(catalog), journal_(journal), sizes_(sizes), draw_salt_(std::move(draw_salt)) {
  HOLDFAST_CHECK(is_size(sizes.first) && is_size(sizes.most));
}

Supply::Prepared Supply::prepare(std::size_t ahead, const std::stop_token& stop) {
  const std::scoped_lock lock(mutex_);
  if (catalog_.prepared() >= ahead) return Prepared::enough;
  try {
    if (!make(catalog_.last_number() + 1, stop)) return Prepared::not_made;
  } catch (const DiskError& error) {
    set_trouble(error.is_no_room() ? no_room()
                                   : Trouble{.what = std::string("the journal's next segment cannot be made: ") + error.what()});
    return Prepared::not_made;
  } catch (const std::exception& error) {   // of draw_salt, or of memory: it must not end a background thread, and with it the process
    set_trouble(Trouble{.what = std::string("the journal's next segment cannot be made: ") + error.what()});
    return Prepared::not_made;
  }
  set_trouble(std::nullopt);
  return Prepared::one_more;
}

void Supply::wait_until_wanted(const std::stop_token& stop) {
  std::unique_lock lock(wanted_mutex_);
  wanted_.wait(lock, stop, [this] { return catalog_.prepared() < k_ahead; });
}

void Supply::want() {
  { const std::scoped_lock lock(wanted_mutex_); }   // a thread that has looked before the segment began waits by now, or will look again
  wanted_.notify_all();
}

void Supply::look_for_room() {
  const bool is_short = catalog_.prepared() < k_ahead && disk_.free_bytes() < next_bytes();
  set_trouble(is_short ? std::optional(no_room()) : std::nullopt);
}

std::optional<Supply::Trouble> Supply::trouble() const {
  const std::scoped_lock lock(trouble_mutex_);
  return trouble_;
}

void Supply::set_trouble(std::optional<Trouble> trouble) {
  const std::scoped_lock lock(trouble_mutex_);
  trouble_ = std::move(trouble);
}

Supply::Trouble Supply::no_room() const {
  return {
      .is_no_room = true,
      .what = "the disk of " + disk_.path_of("") + " is full: the journal's next segment takes " + std::to_string(next_bytes()) + " bytes"};
}

void Supply::remove_if_there(const std::string& name) {
  const std::vector<std::string> names = disk_.list();
  if (std::ranges::find(names, name) != names.end()) disk_.remove(name);
}

// Gives back room that others need. The failure before is the one to be told; the next try removes or replaces what stays here.
void Supply::discard(const std::string& name) {
  try {
    remove_if_there(name);
  } catch (const DiskError&) {}
}

// The file gets its name when it is whole and on disk: a crash leaves the name with all of it, or a partial file, which the next try
// removes. False: it was told to stop.
bool Supply::make(std::uint64_t number, const std::stop_token& stop) {
  const std::string name = name_of_segment(number);
  const std::string partial = name + ".partial";
  remove_if_there(partial);
  const SegmentHeader header{.number = number, .bytes = sizes_.of(number), .journal = journal_, .salt = draw_salt_()};
  // A try that is bound to fail would take all that is left for a while, and others would fail too.
  if (disk_.free_bytes() < header.bytes) throw DiskError("there is no room for " + disk_.path_of(name) + ".", ENOSPC);
  try {
    const std::unique_ptr<DiskFile> file = disk_.create(partial);
    file->allocate(header.bytes);
    std::string bytes = encode(header);
    bytes.resize(std::min(header.bytes, k_zeroed_at_once), '\0');
    for (std::uint64_t at = 0; at < header.bytes; at += bytes.size()) {
      if (stop.stop_requested()) {
        discard(partial);
        return false;
      }
      bytes.resize(std::min<std::uint64_t>(bytes.size(), header.bytes - at));
      file->write(at, bytes);
      file->sync();
      std::fill_n(bytes.begin(), k_block, '\0');   // the header is in the first step only
    }
    disk_.rename(partial, name);
    disk_.sync_folder();
    catalog_.add({.header = header, .file = disk_.open(name, Disk::Mode::write)});
  } catch (const DiskError&) {
    discard(partial);
    discard(name);
    throw;
  }
  return true;
}

}   // namespace holdfast::segments
