// Whether the journal that this process writes is still what it wrote, while it is open.
//
//   const std::unique_ptr<JournalWatch> watch = journal.new_watch();
//   if (const std::string what = watch->look(k_bytes); !what.empty()) …   // now and then
//
// Made by JournalWriter::new_watch(), and must end before the writer. For one thread. It sees what other programs do to the journal's content; FileWatch
// sees what they do to its files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast {

class JournalWatch {
 public:
  JournalWatch() = default;
  virtual ~JournalWatch() = default;
  JournalWatch(const JournalWatch&) = delete;
  JournalWatch& operator=(const JournalWatch&) = delete;

  // The journal's files: JournalWriter::files(), which may become more and fewer.
  virtual std::vector<std::string> files() const = 0;
  // What is wrong with the newest rows as they are stored, a sentence with the file's name and the way out; empty: nothing. Reads about `bytes_max`
  // bytes; the next call continues there, and begins again at the end.
  virtual std::string look(std::size_t bytes_max) = 0;
  // Why it cannot look at the moment, which each look() tries again; empty: it can.
  virtual const std::string& unwatched() const = 0;
};

// The sentence: what has happened to a file of the journal, and what to do once the process ends. `data`: the data folder.
std::string told_of_damaged_journal(const std::filesystem::path& data, const std::string& path, const std::string& what);
std::string way_out_of_lost_rows(const std::filesystem::path& data);   // its end

}   // namespace holdfast
