// The note of how new registry.db is, in both of its places: what was noted is not forgotten, and what cannot be read is not taken for nothing.
#include "ledger/embedded/registry_marker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "access/registry_file.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using Mode = RegistryMarker::Mode;

constexpr std::streamoff k_block = 4'096;

enum class Place { journal_head, registry_head };

struct RegistryMarking : testing::TestWithParam<Place> {
  RegistryMarking() { create({}); }

  void create(const std::optional<RegistryRevision>& noted_already) {
    fs::create_directories(data);
    if (GetParam() == Place::journal_head) return HeadMarker::create(HeadMarker::file_in(data), {}, noted_already);
    RegistryMarker::create(data, noted_already);
    fs::create_directories(DataFolder::journal_folder_in(data));
  }
  fs::path file() const { return data / (GetParam() == Place::journal_head ? "journal.head" : "registry.head"); }
  std::streamoff first_slot() const { return GetParam() == Place::journal_head ? 2 * k_block : 0; }
  void flip(std::streamoff at) const {
    std::fstream stream(file(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(first_slot() + at);
    const auto byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(first_slot() + at);
    stream.put(byte);
  }
  std::optional<RegistryRevision> noted() const { return RegistryMarker::find(data, Mode::read)->revision(); }

  LedgerFolder folder;
  const fs::path data = folder / "data";
  RegistryRevision revision{.id = {1, 2, 3}, .number = 7};
};

INSTANTIATE_TEST_SUITE_P(InBothPlaces, RegistryMarking, testing::Values(Place::journal_head, Place::registry_head),
                         [](const auto& of) { return of.param == Place::journal_head ? "JournalHead" : "RegistryHead"; });

TEST_P(RegistryMarking, TheNewestIsKeptAndATornNoteLeavesTheEarlierOne) {
  EXPECT_EQ(noted(), std::nullopt);
  const auto marker = RegistryMarker::find(data, Mode::write);
  marker->note(revision);
  revision.number = 6;   // from a process that was overtaken
  marker->note(revision);
  EXPECT_EQ(noted()->number, 7);
  revision.number = 8;
  RegistryMarker::find(data, Mode::write)->note(revision);
  EXPECT_EQ(marker->revision(), revision);
  flip(k_block + 16);
  EXPECT_EQ(marker->revision()->number, 7);
  flip(16);
  EXPECT_THROW(marker->revision(), DataError) << "not taken for none";
  EXPECT_THROW(marker->note(revision), DataError) << "nor overwritten";
}

TEST_P(RegistryMarking, OneThatWasCutShortIsRefused) {
  fs::resize_file(file(), fs::file_size(file()) - k_block);
  EXPECT_TRUE(names_the_way_out(
      [&]() -> std::string {
        try {
          noted();
          return "";
        } catch (const DataError& error) {
          return error.what();
        }
      }(),
      file().filename().string()));
}

// A crash anywhere in a restore or a repair must not leave a folder that accepts a registry which has lost changes.
TEST_P(RegistryMarking, OneThatIsCreatedWithARevisionHasItInBothSlots) {
  create(revision);
  EXPECT_EQ(noted(), revision);
  flip(16);
  EXPECT_EQ(noted(), revision);
  create({});
  EXPECT_EQ(noted(), std::nullopt);
}

TEST_P(RegistryMarking, AnotherRegistrysRevisionReplacesIt) {
  const auto marker = RegistryMarker::find(data, Mode::write);
  marker->note(revision);
  const RegistryRevision other{.id = {9}, .number = 1};
  marker->note(other);
  EXPECT_EQ(noted(), other);
}

TEST_P(RegistryMarking, OfManyThatNoteAtOnceTheNewestRemains) {
  std::vector<std::jthread> threads;
  for (int first = 0; first < 4; ++first) {
    threads.emplace_back([&, first] {
      for (int number = 1 + first; number <= 200; number += 4) {
        RegistryMarker::find(data, Mode::write)->note({.id = revision.id, .number = number});
      }
    });
  }
  threads.clear();
  EXPECT_EQ(noted()->number, 200);
}

TEST_P(RegistryMarking, ARegistryThatHasLostChangesIsRefused) {
  const std::string path = DataFolder::registry_in(data);
  { const RegistryFile registry(path); }
  RegistryRevision newer = *noted();
  ++newer.number;
  RegistryMarker::find(data, Mode::write)->note(newer);
  EXPECT_THROW(RegistryFile{path}, DataError);
  fs::remove(path);
  EXPECT_THROW(RegistryFile{path}, DataError);
  RegistryFile(path, RegistryFile::Older::accepted);
  EXPECT_NO_THROW(RegistryFile{path});
}

struct RegistryHead : testing::Test {
  LedgerFolder folder;
  const fs::path data = folder.path();
};

TEST_F(RegistryHead, AFolderWithoutAJournalHasNone) { EXPECT_EQ(RegistryMarker::find(data, Mode::read), nullptr); }

TEST_F(RegistryHead, IsMissedBesideAFolderOfSegmentsUntilTheRegistryIsAccepted) {
  fs::create_directory(DataFolder::journal_folder_in(data));
  std::ofstream(fs::path(DataFolder::journal_folder_in(data)) / "reach");
  try {
    RegistryMarker::find(data, Mode::read);
    ADD_FAILURE() << "a missing file was taken for one without a note";
  } catch (const DataError& error) {
    EXPECT_TRUE(names_the_way_out(error.what(), "registry.head"));
    EXPECT_THAT(error.what(), testing::HasSubstr("holdfast keys accept"));
  }
  EXPECT_TRUE(RegistryMarker::renew(data));
  EXPECT_EQ(RegistryMarker::find(data, Mode::read)->revision(), std::nullopt);
  EXPECT_FALSE(RegistryMarker::renew(data));
}

TEST_F(RegistryHead, IsRenewedOnlyIfItIsDamaged) {
  const RegistryRevision revision{.id = {1}, .number = 3};
  RegistryMarker::create(data, revision);
  EXPECT_FALSE(RegistryMarker::renew(data));
  EXPECT_EQ(RegistryMarker::find(data, Mode::read)->revision(), revision);
  std::ofstream(DataFolder::registry_head_in(data), std::ios::binary) << std::string(2 * k_block, 'x');
  EXPECT_TRUE(RegistryMarker::renew(data));
  EXPECT_EQ(RegistryMarker::find(data, Mode::read)->revision(), std::nullopt);
  fs::remove(DataFolder::registry_head_in(data));
  EXPECT_FALSE(RegistryMarker::renew(data)) << "a folder with journal.db has the note elsewhere";
}

TEST_F(RegistryHead, OfANewFolderIsMadeOnceAndHasWhatWasNotedBefore) {
  RegistryMarker::begin(data);
  EXPECT_EQ(RegistryMarker::find(data, Mode::read)->revision(), std::nullopt);
  RegistryMarker::begin(data);   // after a crash
  fs::remove(DataFolder::registry_head_in(data));
  const RegistryRevision revision{.id = {1}, .number = 3};
  HeadMarker::create(HeadMarker::file_in(data), {}, revision);
  RegistryMarker::begin(data);
  fs::remove(HeadMarker::file_in(data));
  EXPECT_EQ(RegistryMarker::find(data, Mode::read)->revision(), revision);
}

TEST_F(RegistryHead, ThatKnowsARegistryMissesItsJournal) {
  RegistryMarker::create(data, RegistryRevision{.id = {1}, .number = 3});
  try {
    RegistryMarker::begin(data);
    ADD_FAILURE() << "it would start over";
  } catch (const DataError& error) {
    EXPECT_TRUE(names_the_way_out(error.what(), DataFolder::journal_folder_in(data)));
  }
  fs::create_directory(DataFolder::journal_folder_in(data));   // whose creation a crash has interrupted
  RegistryMarker::begin(data);
  EXPECT_EQ(RegistryMarker::find(data, Mode::read)->revision()->number, 3);
}

// While a folder is converted it has both, and the copy counts from the moment that it is there.
TEST_F(RegistryHead, CountsInPlaceOfTheNoteInJournalHead) {
  HeadMarker::create(HeadMarker::file_in(data), {}, RegistryRevision{.id = {1}, .number = 3});
  RegistryMarker::create(data, RegistryRevision{.id = {1}, .number = 4});
  EXPECT_EQ(RegistryMarker::find(data, Mode::read)->revision()->number, 4);
}

}   // namespace
}   // namespace holdfast::test
