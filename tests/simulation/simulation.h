// One run: an embedded node, its clients, its disk and its clock in one thread, under a seed.
//
//   const Report report = run({.seed = 42});
//   if (!report.failure.empty()) …                 // what broke, and in which step
//   run({.seed = 42}).digest == report.digest      // the same seed does the same
//
// The node is the real one: core, EmbeddedLedger with its journal (journal.db or segments), tables, readers' copies and sources of changes. Its rounds are formed here, as
// the engine's worker forms them. The tables follow when the run says so. Time is virtual. After each crash the node opens what the disk
// has left, and must show the book (book.h) as of the last answer, or with the whole of the one round that had no answer.
//
// One run at a time in a process: the disk is SQLite's default VFS.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast::simulation {

struct Settings {
  std::uint64_t seed = 0;
  std::uint64_t steps = 400;   // a step is a round, a reading, some turns of the tables, …
  bool has_faults = true;   // errors of calls, rot and lost files, besides crashes
  bool only_segments = false;   // no node has a journal.db; otherwise every other one, by chance
  bool is_told = false;   // prints each step
};

struct Report {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;   // the last one
  std::string failure;   // empty: all promises are kept
  std::uint64_t digest = 0;   // of every answer, in order
  std::uint64_t commands = 0;
  std::uint64_t rounds = 0;
  std::uint64_t lives = 0;   // starts of the node that succeeded
  std::uint64_t changes = 0;   // that a follower was told
  std::map<std::string, std::uint64_t> faults;   // by kind and file
  std::map<std::string, std::uint64_t> met;   // commands by name and outcome
  void add(const Report& other);
};

Report run(const Settings& settings);

}   // namespace holdfast::simulation
