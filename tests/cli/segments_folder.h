// A sale in journal.db, and the same in a folder of segments; and what crashes leave of such a folder.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "cli/maintenance.h"
#include "core/bytes.h"
#include "ledger/embedded/counted_calls.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/segment_writer.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {

namespace fs = std::filesystem;

inline void no_progress(Position, Position) {}

// All that a journal has, in any files.
inline std::vector<std::string> rows_of(const fs::path& data) {
  const auto journal = open_journal_rows(data);
  std::vector<std::string> rows;
  journal->read(journal->anchor(), [&](const JournalRow& row) {
    rows.push_back(std::to_string(row.position) + " " + std::to_string(row.event) + " " + std::to_string(row.first_seq) + " " +
                   std::to_string(row.at) + " " + std::string(row.body) + " " + std::string(holdfast::as_bytes(row.hash)));
    return true;
  });
  return rows;
}

inline std::string what_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

class SegmentsFolder : public testing::Test {
 protected:
  SegmentsFolder() {
    LedgerInTest it(folder / "database", time);
    event = it.create_event(20);
    for (SeatIndex seat = 0; seat < 8; ++seat) {
      reservations.push_back(it.new_id(event));
      EXPECT_EQ(told(it.hold(event, reservations.back(), {seat}, "customer-" + std::to_string(seat))), "accepted");
      if (seat % 2 == 1) EXPECT_EQ(told(it.consume(event, reservations.back(), "order-" + std::to_string(seat))), "accepted");
    }
    it.wait_for_tables();
    it.close();
    cli::backup(folder / "database", folder / "copy");
    cli::restore(data, folder / "copy", JournalFormat::segments);
  }

  // As a server writes it: each row in a round of its own, in small segments.
  void write_row_by_row() {
    fs::remove_all(data / "journal");
    fs::create_directory(data / "journal");
    segments::PosixDisk disk(data / "journal");
    segments::SegmentWriter::create(disk, small_segments(), k_test_journal, {});
    segments::SegmentWriter writer(disk, small_segments());
    writer.settle();
    const auto rows = open_journal_rows(folder / "database");
    rows->read({}, [&](const JournalRow& row) {
      segments::Round round(writer.reach());
      round.add_row(row.event, row.first_seq, row.changes, row.at, row.body);
      writer.append(round);
      return true;
    });
    writer.stop();
  }

  // Changes a byte of each place in the files of the journal where this text is.
  void damage(const std::string& text) {
    std::size_t found = 0;
    for (const auto& entry : fs::directory_iterator(data / "journal")) {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const std::size_t at = bytes.find(text);
      if (at == std::string::npos) continue;
      file.clear();
      file.seekp(static_cast<std::streamoff>(at)).put('?');
      ++found;
    }
    EXPECT_EQ(found, 1U) << text;
  }

  // The folder's copy of this name, made anew from `from`.
  fs::path copy_of(const fs::path& from, const char* name) const {
    const fs::path to = fs::canonical(folder.path()) / name;
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
    return to;
  }

  LedgerFolder folder;
  TestTime time;
  EventNumber event = 0;
  std::vector<Uuid> reservations;
  const fs::path data = folder / "segments";
};

// Runs it in a process that ends before the call with this number, as by kill -9. True: it came to its end before that call.
inline bool ends_by_itself(const fs::path& watched, std::size_t call, const std::function<void()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    CountedCalls::watch(watched, CountedCalls::Fault{.at = call, .does = CountedCalls::Fault::Kind::ends});
    try {
      act();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "it ended by signal " << WTERMSIG(status);
  EXPECT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CountedCalls::k_ended) << WEXITSTATUS(status);
  return WEXITSTATUS(status) != CountedCalls::k_ended;
}

}   // namespace holdfast::test
