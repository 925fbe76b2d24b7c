// Programs that tests start, and folders that tests use. Nothing outlives the test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/waiting.h"

namespace holdfast::test {

// An empty folder of its own, removed with all that is in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& file);   // empty when there is none
void write_file(const std::filesystem::path& file, std::string_view content);

// How a process ended: by itself with a status, or by a signal.
struct Ending {
  int status = 0;   // of exit(); meaningless when signal is not 0
  int signal = 0;

  bool operator==(const Ending&) const = default;
};
std::string to_string(const Ending& ending);

struct ProcessSettings {
  std::vector<std::string> arguments;                // the first is the program's path
  std::map<std::string, std::string> environment;    // added to ours, without those of ours that begin with HOLDFAST_
  std::filesystem::path stdout_file;
  std::filesystem::path stderr_file;                 // may be the same
  std::filesystem::path folder;                      // to run in; empty: ours
};

// A child that is killed with its object, and by the kernel when this process, or the thread that started it, ends. Not copied.
class Process {
 public:
  Process() = default;
  explicit Process(const ProcessSettings& settings);
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;

  bool runs();                              // started, and not ended yet
  void signal(int number) const;
  std::optional<Ending> ending();           // without waiting
  Ending wait(milliseconds patience = k_patience);   // throws std::runtime_error when the process does not end, after killing it
  pid_t id() const { return id_; }

 private:
  pid_t id_ = 0;
  std::optional<Ending> ending_;
};

// The output of a program that has ended by itself.
struct Finished {
  int status;
  std::string out;
  std::string err;

  std::string everything() const { return out + err; }
};

// Runs a program, or `holdfast`, with these arguments to its end.
Finished run_program(const std::string& program, const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment = {});
Finished run_holdfast(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment = {});

}  // namespace holdfast::test
