// What the simulated disk does to the journal's folder.
#include "simulation/disk.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "ledger/embedded/segments/format.h"
#include "ledger/ledger_in_test.h"
#include "simulation/segments_disk.h"

namespace holdfast::simulation {
namespace {

using segments::DiskError;
using segments::DiskFile;
using Mode = segments::Disk::Mode;
using From = DiskFile::From;

constexpr std::uint64_t k_seeds = 50;

class SimulatedDisk : public testing::Test {
 protected:
  static Disk& disk() { return Disk::get(); }

  // A new machine with an empty folder journal/.
  void begin(std::uint64_t seed) {
    disk().begin(base_.path() / std::to_string(seed), seed, [](Millis) {});
    std::filesystem::create_directory(disk().folder() / "journal");
  }
  static SegmentsDisk port() { return SegmentsDisk(disk().folder() / "journal"); }
  static std::string content_of(const std::string& name) {
    SegmentsDisk folder = port();
    const auto file = folder.open(name, Mode::read);
    std::string bytes(file->size(), '\0');
    file->read(0, bytes, From::cache);
    return bytes;
  }
  static void lose_power() {
    disk().crash(Disk::End::power);
    disk().start_again();
  }
  static int code_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const DiskError& error) {
      return error.code();
    }
    return 0;
  }
  // What `tell` says of the machine that `live` has left, under many seeds.
  std::set<std::string> outcomes(const std::function<void()>& live, const std::function<std::string()>& tell) {
    std::set<std::string> all;
    for (std::uint64_t seed = 0; seed < k_seeds; ++seed) {
      begin(seed);
      live();
      all.insert(tell());
    }
    return all;
  }

 private:
  test::LedgerFolder base_;
};

std::string names_in(segments::Disk& folder) {
  std::string names;
  for (const std::string& name : folder.list()) names += name + " ";
  return names;
}

TEST_F(SimulatedDisk, ANameThatIsNotSyncedIsLostInAPowerFailureOrNot) {
  const auto make_and_rename = [] {
    SegmentsDisk folder = port();
    folder.create("a");
    folder.create("b.partial");
    folder.rename("b.partial", "b");
    lose_power();
  };
  const auto names = [] {
    SegmentsDisk folder = port();
    return names_in(folder);
  };
  // The first changes arrive, the later ones do not.
  EXPECT_EQ(outcomes(make_and_rename, names), (std::set<std::string>{"", "a ", "a b ", "a b.partial "}));
}

TEST_F(SimulatedDisk, ASyncedNameStaysAndARemovedOneComesBackUntilTheFolderIsSynced) {
  const auto remove_one = [] {
    SegmentsDisk folder = port();
    folder.create("a")->write_durably(0, "text");
    folder.sync_folder();
    folder.remove("a");
    lose_power();
  };
  const auto shown = [] {
    SegmentsDisk folder = port();
    const std::string names = names_in(folder);
    return names.empty() ? names : names + content_of("a");
  };
  EXPECT_EQ(outcomes(remove_one, shown), (std::set<std::string>{"", "a text"}));
}

TEST_F(SimulatedDisk, AReplacedFileComesBackWithItsOwnBytes) {
  const auto replace = [] {
    SegmentsDisk folder = port();
    folder.create("a")->write_durably(0, "old");
    folder.create("b")->write_durably(0, "new");
    folder.sync_folder();
    folder.rename("b", "a");
    lose_power();
  };
  const auto shown = [] {
    SegmentsDisk folder = port();
    return names_in(folder) + content_of("a");
  };
  EXPECT_EQ(outcomes(replace, shown), (std::set<std::string>{"a b old", "a new"}));
}

TEST_F(SimulatedDisk, AnUnsyncedWriteArrivesBySectorsOfWhichAnyMayBeMissing) {
  constexpr std::size_t k_sector = 512;
  const auto overwrite = [] {
    SegmentsDisk folder = port();
    const auto file = folder.create("a");
    file->write_durably(0, std::string(2 * k_sector, 'o'));
    folder.sync_folder();
    file->write(0, std::string(2 * k_sector, 'n'));
    lose_power();
  };
  const auto shown = [] {
    const std::string bytes = content_of("a");
    for (const std::size_t sector : {std::size_t{0}, k_sector})
      EXPECT_EQ(bytes.substr(sector, k_sector), std::string(k_sector, bytes[sector]));
    return std::string{bytes[0], bytes[k_sector]};
  };
  EXPECT_EQ(outcomes(overwrite, shown), (std::set<std::string>{"oo", "on", "no", "nn"}));
}

TEST_F(SimulatedDisk, AFailedSyncDropsSectorsThatOnlyAReadingPastTheCacheMisses) {
  const auto fail_sync = [] {
    SegmentsDisk folder = port();
    const auto file = folder.create("a");
    file->write_durably(0, std::string(segments::k_block, 'o'));
    file->write(0, std::string(segments::k_block, 'n'));
    disk().plan_fault(Disk::Fault::sync_error, 0, 1);
    EXPECT_EQ(code_of([&] { file->sync(); }), EIO);
    file->sync();   // succeeds, and does not bring what was dropped
  };
  const auto shown = [] {
    EXPECT_EQ(content_of("a"), std::string(segments::k_block, 'n'));
    std::string past_cache(segments::k_block, '\0');
    port().open("a", Mode::read)->read(0, past_cache, From::disk);
    SegmentsDisk folder = port();
    folder.sync_folder();
    lose_power();
    EXPECT_EQ(content_of("a"), past_cache);
    return std::string(past_cache.contains('o') ? "dropped " : "") + (past_cache.contains('n') ? "arrived" : "");
  };
  EXPECT_TRUE(outcomes(fail_sync, shown).contains("dropped arrived"));
}

TEST_F(SimulatedDisk, EveryCallFailsOnCommand) {
  begin(1);
  SegmentsDisk folder = port();
  const auto file = folder.create("a");
  const auto code_with = [&](Disk::Fault fault, const std::function<void()>& call) {
    disk().plan_fault(fault, 0, 1);
    const int code = code_of(call);
    EXPECT_TRUE(disk().heal());
    return code;
  };
  EXPECT_EQ(code_with(Disk::Fault::write_error, [&] { file->write(0, "x"); }), EIO);
  EXPECT_EQ(code_with(Disk::Fault::torn_write, [&] { file->write(0, "xx"); }), EIO);
  EXPECT_EQ(code_with(Disk::Fault::full, [&] { file->allocate(4'096); }), ENOSPC);
  EXPECT_EQ(code_with(Disk::Fault::full, [&] { folder.create("b"); }), ENOSPC);
  EXPECT_EQ(code_with(Disk::Fault::write_error, [&] { folder.rename("a", "b"); }), EIO);
  EXPECT_EQ(code_with(Disk::Fault::write_error, [&] { folder.remove("a"); }), EIO);
  EXPECT_EQ(code_with(Disk::Fault::sync_error, [&] { folder.sync_folder(); }), EIO);
  EXPECT_EQ(code_with(Disk::Fault::read_error, [&] { folder.list(); }), EIO);
  EXPECT_EQ(code_with(Disk::Fault::read_error, [&] { folder.free_bytes(); }), EIO);
  EXPECT_EQ(code_with(Disk::Fault::read_error, [&] { folder.open("a", Mode::read); }), EIO);
  EXPECT_EQ(names_in(folder), "a ");
  EXPECT_EQ(content_of("a"), "x");   // the torn half
}

TEST_F(SimulatedDisk, RoomRunsOutAndReturns) {
  begin(1);
  SegmentsDisk folder = port();
  const auto file = folder.create("a");
  disk().set_room(8'192);
  file->allocate(4'096);
  EXPECT_EQ(folder.free_bytes(), 4'096u);
  EXPECT_EQ(code_of([&] { folder.create("b")->allocate(8'192); }), ENOSPC);
  folder.remove("a");
  EXPECT_EQ(folder.free_bytes(), 8'192u);
  disk().set_room(std::nullopt);
  EXPECT_GT(folder.free_bytes(), 8'192u);
}

TEST_F(SimulatedDisk, NothingThatADeadProcessDoesCounts) {
  begin(1);
  SegmentsDisk folder = port();
  const auto file = folder.create("a");
  file->write(0, "alive");
  disk().crash(Disk::End::kill);
  EXPECT_EQ(code_of([&] { file->write(0, "dead!"); }), EIO);
  EXPECT_EQ(code_of([&] { folder.remove("a"); }), EIO);
  disk().start_again();
  EXPECT_EQ(content_of("a"), "alive");
}

}   // namespace
}   // namespace holdfast::simulation
