// Counts the system calls by which this program changes files below a folder, ends the process or fails at one of them, and looks whether
// what is renamed is on disk. A program that links this file has it between itself and the C library.
//
//   const pid_t child = ::fork();
//   if (child == 0) {
//     CountedCalls::watch(folder, {.at = 17, .does = CountedCalls::Fault::Kind::ends});
//     convert(folder);
//     ::_exit(0);
//   }
//
// Syncs below the folder are counted, and nothing else. For programs with one thread that changes files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::test {

class CountedCalls {
 public:
  static constexpr int k_ended = 77;   // the status of a process that a fault has ended
  struct Fault {
    enum class Kind {
      ends,   // before the call, as by kill -9
      fails,   // the call, and changes nothing
    };
    std::size_t at = 0;   // the number of the call, from 0 on
    Kind does = Kind::ends;
    int code = 0;   // errno, of a call that fails
  };

  // From now on. `folder` is absolute and without symbolic links.
  static void watch(const std::filesystem::path& folder, const std::optional<Fault>& fault = {});
  static void stop();
  static std::size_t calls();
  // What was renamed although it, or a name before it, was not on disk: a power cut could leave the new name without it.
  static std::vector<std::string> renamed_too_early();
  // Whether the folder's file system is one that cannot exchange two names (RENAME_EXCHANGE).
  static void set_cannot_exchange(bool cannot);
  // Free room that statvfs tells of the folder's disk; nothing: what there is.
  static void set_free(const std::optional<std::size_t>& bytes);
};

}   // namespace holdfast::test
