// A folder in memory that loses what was not synced, tears writes, fails calls, flips bits and crashes at any call.
//
//   SimulatedDisk disk;
//   disk.crash_at(17, SimulatedDisk::When::after);   // the 18th call is the last one
//   try { live(disk); } catch (const Crash&) {}
//   disk.lose_power(seed);                           // any of the unsynced blocks arrive
//   …                                                // and start again
//
// A call is one that changes the disk: write, sync, allocate, create, rename, remove, sync_folder. For one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/embedded/segments/disk.h"

namespace holdfast::test {

// The process or the machine ends here.
struct Crash {};

class SimulatedDisk : public segments::Disk {
 public:
  static constexpr std::size_t k_sector = 512;
  enum class When { before, after };   // of the call's effect

  // ---- the port
  std::vector<std::string> list() override;
  std::unique_ptr<segments::DiskFile> open(const std::string& name, Mode mode) override;
  std::unique_ptr<segments::DiskFile> create(const std::string& name) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& name) override;
  void sync_folder() override;
  std::uint64_t free_bytes() override { return free_; }
  std::string path_of(const std::string& name) const override { return name.empty() ? "journal" : "journal/" + name; }

  // ---- faults
  // The call with this number, from 0 on, throws Crash; so does every later one until lose_power() or end_process().
  void crash_at(std::size_t call, When when) { crash_ = {call, when}; }
  // The call with this number fails with `code`. A failed write has written a part, a failed sync has thrown away what it should have
  // synced: the page cache shows it, and the disk does not have it.
  // Several calls may fail in one life.
  void fail_at(std::size_t call, int code) { failures_[call] = code; }
  // The reading with this number, from 0 on, fails with EIO.
  void fail_read_at(std::size_t reading) { failing_reads_.insert(reading); }
  std::size_t reads() const { return reads_; }
  // From now on no reading of this block, of 4 KiB, succeeds: EIO.
  void wear_out(const std::string& name, std::size_t block) { worn_.insert({path_of(name), block}); }
  // From now on a failed sync drops only some of the sectors; others arrive, and others still have to be written.
  void drop_parts(std::uint64_t seed) { parts_.emplace(seed); }
  // allocate() fails with ENOSPC beyond this many bytes.
  void set_free(std::uint64_t bytes) { free_ = bytes; }
  std::size_t calls() const { return calls_; }
  // Runs `look` before and after each call, and in the middle of each write, as another process may look then. It only reads.
  void watch(std::function<void()> look) { look_ = std::move(look); }

  // As after a power cut: of what was not synced, any blocks of 512 bytes (or of 4 KiB) arrive, and of the folder's changes the first ones.
  void lose_power(std::uint64_t seed, std::size_t sectors_a_block = 1);
  // The same, with a choice of our own: asked for each unsynced sector.
  void lose_power(const std::function<bool(std::size_t sector)>& arrives);
  // As after kill -9: nothing is lost.
  void end_process();
  // Whether reading From::disk passes the page cache. Nobody is told.
  void set_passes_cache(bool passes) { passes_cache_ = passes; }

  // ---- what somebody does to the files
  std::string& content(const std::string& name);   // as every program sees it; on disk
  void flip_bit(const std::string& name, std::uint64_t bit);
  void resize(const std::string& name, std::size_t bytes);
  void put(const std::string& name, std::string content);   // made or replaced
  void take(const std::string& name);   // deleted
  std::vector<std::string> names() { return list(); }
  // A copy as it is on disk now, without faults.
  SimulatedDisk copy() const;

 private:
  struct File {
    std::string cached;
    std::string on_disk;
    std::set<std::size_t> dirty;   // sectors of `cached` that are not on disk
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;
  class Handle;

  // Counts a call; runs its effect unless it fails or crashes before.
  void call(const std::function<void()>& effect, const std::function<void()>& failed_effect = {});
  std::shared_ptr<File> find(const std::string& name) const;
  void look();
  void restart();
  static void bring(File& file, std::size_t sector);
  void fail_sync(File& file);
  bool is_worn(const std::string& path, std::uint64_t offset, std::size_t bytes) const;

  Names names_;
  Names names_on_disk_;
  std::vector<Names> unsynced_names_;   // after each change since sync_folder()
  std::size_t calls_ = 0;
  std::optional<std::pair<std::size_t, When>> crash_;
  std::map<std::size_t, int> failures_;   // code by call
  std::size_t reads_ = 0;
  std::set<std::size_t> failing_reads_;
  std::set<std::pair<std::string, std::size_t>> worn_;   // path and block
  std::optional<std::mt19937_64> parts_;
  std::function<void()> look_;   // empty: nobody looks
  bool crashed_ = false;
  bool passes_cache_ = true;
  std::uint64_t free_ = std::uint64_t{1} << 40;
};

}   // namespace holdfast::test
