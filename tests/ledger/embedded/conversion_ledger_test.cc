// A ledger whose start has converted its journal is the ledger that it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/maintenance.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::size_t k_page = 7;

EmbeddedOptions with_file() {
  EmbeddedOptions options;
  options.journal.for_new = JournalFormat::sqlite;
  return options;
}

EmbeddedOptions that_converts() {
  EmbeddedOptions options = with_file();
  options.journal.converts = true;
  options.journal.segment_bytes = segments::k_segment_bytes_min * 2;
  options.journal.first_segment_bytes = segments::k_segment_bytes_min;
  return options;
}

// All pages of all changes, each with the cursor that leads to it.
std::vector<std::string> pages_of(const Ledger& ledger) {
  std::vector<std::string> pages;
  std::string cursor(k_cursor_oldest);
  for (;;) {
    const auto page = ledger.read_all_changes(cursor, k_page, ReadFrom::anywhere);
    EXPECT_TRUE(page.has_value()) << cursor;
    if (!page || page->changes.empty()) return pages;
    std::string text = cursor + ":";
    for (const RecordedChange& change : page->changes) {
      text += " " + std::to_string(change.event) + "/" + std::to_string(change.seq) + " at " + std::to_string(change.at) + " kind " +
              std::to_string(static_cast<int>(change.kind)) + " of " + to_string(change.reservation) + " " + change.customer + " " +
              change.order + " cursor " + change.cursor;
    }
    pages.push_back(std::move(text));
    cursor = page->next;
  }
}

struct ConvertedLedger : testing::Test {
  ConvertedLedger() : data(folder / "data"), it(data, time, with_file()) {
    events = {it.create_event(120), it.create_event(30)};
    for (int i = 0; i < 90; ++i) sell(i);
    it.wait_for_tables();
  }

  // A hold with a key; some are consumed, some released, some expire.
  void sell(int number) {
    const EventNumber event = events[static_cast<std::size_t>(number) % 2];
    const Uuid id = it.new_id(event);
    Submission submission;
    const SeatList seats{static_cast<SeatIndex>(number / 3)};
    submission.parts.push_back({event, Hold{.reservation = id, .customer = "anna", .seats = seats, .duration = k_minute}});
    submission.key = key_of(static_cast<std::uint64_t>(number) + 1, 1);
    it.asks(submission);
    if (number % 3 == 0) it.consume(event, id);
    if (number % 3 == 1) it.release(event, id);
    time.pass(100);
  }

  void convert() { it.reopen(that_converts()); }
  bool has(const char* name) const { return fs::exists(data / name); }

  LedgerFolder folder;
  TestTime time;
  const fs::path data;
  LedgerInTest it;
  std::vector<EventNumber> events;
};

TEST_F(ConvertedLedger, HasWhatItHadAndSellsOn) {
  const std::string picture = it.picture();
  const std::vector<std::string> pages = pages_of(it.ledger());
  ASSERT_GT(pages.size(), 10U);
  convert();
  EXPECT_TRUE(has("journal"));
  EXPECT_FALSE(has("journal.db"));
  EXPECT_EQ(it.picture(), picture);
  EXPECT_EQ(pages_of(it.ledger()), pages) << "each cursor that a follower has kept leads to the same changes";
  Submission again;
  again.parts.push_back({events[0], Sweep{1}});
  again.key = key_of(1, 1);
  EXPECT_TRUE(it.asks(again).replayed);
  EXPECT_EQ(told(it.hold(events[0], it.new_id(events[0]), {100})), "accepted");
  const std::string later = it.picture();
  it.reopen();
  EXPECT_EQ(it.picture(), later);
  it.wait_for_tables();
  it.close();
  EXPECT_EQ(verify_folder(data).problem, "");
}

TEST_F(ConvertedLedger, GoesOnWhereRetentionHasRemovedRows) {
  it.close();
  remove_old_rows(data, 20);
  it.reopen();
  const std::string picture = it.picture();
  const std::vector<std::string> pages = pages_of(it.ledger());
  convert();
  EXPECT_EQ(it.picture(), picture);
  EXPECT_EQ(pages_of(it.ledger()), pages);
  it.close();
  EXPECT_EQ(verify_folder(data).problem, "");
}

TEST_F(ConvertedLedger, KeepsWhatIsKnownOfTheRegistry) {
  const RegistryRevision revision{.id = {1, 2, 3}, .number = 7};
  RegistryMarker::find(data, RegistryMarker::Mode::write)->note(revision);
  convert();
  EXPECT_EQ(RegistryMarker::find(data, RegistryMarker::Mode::read)->revision(), revision);
}

TEST_F(ConvertedLedger, IsNotConvertedUnlessItIsToldTo) {
  it.reopen(with_file());
  EXPECT_TRUE(has("journal.db"));
  EXPECT_FALSE(has("journal"));
}

// Also a start that would not convert: journal.db is not there any more.
TEST_F(ConvertedLedger, EndsAConversionThatACrashHasInterrupted) {
  convert();
  const std::string picture = it.picture();
  it.close();
  fs::rename(data / "journal", data / "journal.new");
  it.reopen(with_file());
  EXPECT_FALSE(has("journal.new"));
  EXPECT_EQ(it.picture(), picture);
}

TEST_F(ConvertedLedger, MissingTablesAreRefusedBeforeAnythingIsConverted) {
  it.close();
  fs::remove(data / "state.db");
  try {
    it.reopen(that_converts());
    FAIL() << "it has started";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("state.db is missing. Nothing was changed."));
  }
  EXPECT_TRUE(has("journal.db"));
  EXPECT_FALSE(has("journal"));
}

// As docs/upgrading.md says. What was answered since the conversion is lost.
TEST_F(ConvertedLedger, TheJournalThatWasKeptCanBeUsedAgain) {
  const std::string picture = it.picture();
  convert();
  it.hold(events[0], reservation_id(events[0], 77'777), {100});
  it.wait_for_tables();
  it.close();
  fs::create_directory(data / "away");
  for (const char* name : {"journal", "registry.head", "state.db", "state.db-wal", "state.db-shm"}) {
    if (has(name)) fs::rename(data / name, data / "away" / name);
  }
  fs::rename(data / "journal.db.converted", data / "journal.db");
  fs::rename(data / "journal.head.converted", data / "journal.head");
  cli::accept_loss(data, [](Position, Position) {});
  LedgerInTest old(data, time, with_file());
  EXPECT_EQ(it.picture_of(old.ledger()), picture);
}

}  // namespace
}  // namespace holdfast::test
