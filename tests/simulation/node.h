// A simulated machine with its node: clock, disk, and the ledger that lives on them. It ends in crashes, and starts again.
// For one thread; one at a time in a process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "ledger/embedded/embedded_ledger.h"
#include "simulation/choices.h"
#include "simulation/disk.h"
#include "simulation/segments_disk.h"
#include "simulation/virtual_clock.h"

namespace holdfast::simulation {

struct NodeOptions {
  std::size_t ended_in_memory_max;
  std::size_t keys_max;
  std::int64_t retention_days;
  Millis slowness;   // of a sync, at most
  bool has_segments;   // its journal is in segment files, not in journal.db
  std::uint64_t segment_bytes;
  bool passes_cache;   // Disk::set_passes_cache()
};

class Node {
 public:
  // `removable_through`: the last journal row that all followers have read. `tell` gets what happens between two lives, in words.
  Node(std::uint64_t seed, NodeOptions options, std::function<Position()> removable_through, std::function<void(const std::string&)> tell);
  ~Node();

  const NodeOptions& options() const { return options_; }
  Disk& disk() { return Disk::get(); }
  VirtualClock& clock() { return clock_; }
  EmbeddedLedger& ledger() { return *ledger_; }
  std::uint64_t lives() const { return lives_; }
  // A round was answered that has changes: journal.head, or the file reach, knows of everything.
  void note_recorded() { is_marked_ = true; }

  // Whether it serves: it has not crashed, and can write.
  bool lives_on() const;
  // Stops it cleanly, unless a planned crash comes first.
  void stop();
  // Ends what is left of the old process, and starts until a start succeeds. On the way it may crash again and meet failing calls. A refusal
  // without a cause throws Failure.
  //
  // It may also find a damaged or lost file. Such a start must be refused and name a file, or be harmless: then `check_start` is called, and throws
  // Failure if what the node shows is wrong. Afterwards the damage is undone.
  void open(Choices& choices, bool has_faults = false, const std::function<void()>& check_start = {});

 private:
  std::string draw_damage(Choices& choices);
  bool damage(Choices& choices);
  void try_damaged(const std::function<void()>& check_start);
  void plan_trouble(Choices& choices, bool has_faults);
  JournalOptions new_journal();
  bool try_to_open();
  void end_old_life(Choices& choices);

  std::filesystem::path base_;
  NodeOptions options_;
  std::function<Position()> removable_through_;
  std::function<void(const std::string&)> tell_;
  VirtualClock clock_;
  std::unique_ptr<SegmentsDisk> segments_;   // of this life; nullptr: journal.db
  std::unique_ptr<EmbeddedLedger> ledger_;
  bool is_marked_ = true;   // the marker knows of everything that was answered
  std::uint64_t lives_ = 0;
  std::string refusal_;
};

}   // namespace holdfast::simulation
