// What a damaged journal of segments has lost, and a folder that goes on without it.
#include "cli/segments_folder.h"

#include "ledger/embedded/conversion.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/registry_marker.h"
#include "ledger/embedded/segments/salvage.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(SegmentsFolder, OfWhichNothingIsLostIsToldSo) {
  const cli::Loss loss = cli::survey_loss(data);
  EXPECT_TRUE(loss.is_nothing());
  EXPECT_THAT(loss.damage, IsEmpty());
  const cli::AcceptedLoss accepted = cli::accept_loss(data, no_progress);
  EXPECT_EQ(accepted.known_row, accepted.last_row);
  EXPECT_EQ(accepted.kept_as, "") << "no file was replaced";
  EXPECT_EQ(verify_folder(data).problem, "");
}

TEST_F(SegmentsFolder, WhoseConversionWasInterruptedIsTakenAsConverted) {
  const auto before = rows_of(folder / "database");
  const fs::path converted = copy_of(folder / "database", "converted");
  {
    const DataFolder lock(converted);
    convert_journal(lock);
  }
  const auto interrupted = [&] {
    fs::rename(converted / "journal", converted / "journal.new");
    ASSERT_EQ(find_journal(converted), std::nullopt);
  };
  interrupted();
  EXPECT_EQ(cli::rebuild(converted, no_progress), static_cast<Position>(before.size()));
  interrupted();
  EXPECT_TRUE(cli::survey_loss(converted).is_nothing());
  interrupted();
  EXPECT_EQ(cli::accept_loss(converted, no_progress).last_row, static_cast<Position>(before.size()));
  interrupted();
  EXPECT_THAT(what_of([&] { cli::restore(converted, folder / "copy", JournalFormat::segments); }), HasSubstr("has data already"));
  EXPECT_EQ(rows_of(converted), before);
  EXPECT_EQ(verify_folder(converted).problem, "");
}

TEST_F(SegmentsFolder, WithoutTheNoteOfItsKeysIsTakenAsItIsOnceTheLossIsAccepted) {
  const auto expect_accepted = [&](const char* what) {
    SCOPED_TRACE(what);
    EXPECT_THAT(cli::survey_loss(data).damage, ElementsAre(HasSubstr("registry.head")));
    const cli::AcceptedLoss accepted = cli::accept_loss(data, no_progress);
    EXPECT_TRUE(accepted.has_accepted_registry);
    EXPECT_EQ(accepted.kept_as, "") << "the journal is whole";
    EXPECT_TRUE(cli::survey_loss(data).is_nothing());
    EXPECT_NE(RegistryMarker::find(data, RegistryMarker::Mode::read), nullptr);
  };
  fs::remove(data / "registry.head");
  expect_accepted("missing");
  fs::resize_file(data / "registry.head", 100);
  expect_accepted("cut");
  EXPECT_FALSE(cli::accept_loss(data, no_progress).has_accepted_registry);
}

// What a sale looks like behind the damage, seat by seat.
TEST_F(SegmentsFolder, WithDamageIsListedSeatBySeat) {
  write_row_by_row();
  const auto before = rows_of(data);
  damage("customer-3");
  const cli::Loss loss = cli::survey_loss(data);
  EXPECT_FALSE(loss.is_nothing());
  ASSERT_EQ(loss.damage.size(), 1U);
  EXPECT_THAT(loss.damage[0], HasSubstr((data / "journal" / "0000000001.segment").string()));
  EXPECT_EQ(loss.refusal, "");
  EXPECT_EQ(loss.known_row, static_cast<Position>(before.size()));
  EXPECT_THAT(loss.unreadable, ElementsAre(segments::Stretch{loss.last_row + 1, loss.last_row + 1}));
  EXPECT_THAT(loss.readable, ElementsAre(segments::Stretch{loss.last_row + 2, loss.known_row}));
  ASSERT_EQ(loss.events.size(), 1U);
  EXPECT_EQ(loss.events[0].counted.unreadable, 1U);
  EXPECT_EQ(loss.events[0].counted.readable, 7U) << "seat 3 is sold, 4 to 7 are held, 5 and 7 sold";
  const cli::LostEvent& lost = loss.events[0].seats;
  EXPECT_EQ(lost.number, event);
  EXPECT_TRUE(lost.id.has_value());
  std::vector<std::string> told;
  for (const cli::LostSeat& seat : lost.seats) told.push_back(seat.name + ": " + seat.became + "; " + seat.is);
  const std::shared_ptr<const Plan> plan = plan_of(*lost.id, 20);
  const auto name = [&](SeatIndex seat) {
    std::string text;
    plan->append_label(text, seat);
    return text + " (" + plan->seat_id(seat) + ")";
  };
  const std::string until = rfc3339(k_begin + 15 * k_minute);
  EXPECT_THAT(told,
              ElementsAre(name(4) + ": held by customer-4 until " + until + " (reservation " + to_string(reservations[4]) + "); available",
                          name(5) + ": sold, order order-5 (reservation " + to_string(reservations[5]) + "); available",
                          name(6) + ": held by customer-6 until " + until + " (reservation " + to_string(reservations[6]) + "); available",
                          name(7) + ": sold, order order-7 (reservation " + to_string(reservations[7]) + "); available",
                          "seats that cannot be read: sold, order order-3 (reservation " + to_string(reservations[3]) + "); "));
}

TEST_F(SegmentsFolder, WithDamageGoesOnOnceTheLossIsAccepted) {
  write_row_by_row();
  const auto before = rows_of(data);
  damage("customer-3");
  EXPECT_NE(verify_folder(data).problem, "");
  EXPECT_THAT(what_of([&] { cli::backup(data, folder / "of damaged"); }), Not(IsEmpty()));
  const cli::Loss loss = cli::survey_loss(data);
  const cli::AcceptedLoss accepted = cli::accept_loss(data, no_progress);
  EXPECT_EQ(accepted.last_row, loss.last_row);
  EXPECT_EQ(accepted.known_row, loss.known_row);
  EXPECT_EQ(rows_of(data), std::vector(before.begin(), before.begin() + accepted.last_row));
  EXPECT_EQ(verify_folder(data).problem, "");
  EXPECT_TRUE(fs::exists(data / "state.db.replaced")) << "the tables were ahead";
  EXPECT_TRUE(fs::exists(fs::path(accepted.kept_as) / "0000000001.segment")) << "the damaged files are kept";
  EXPECT_THAT(accepted.kept_as, HasSubstr("journal.damaged-"));
  EXPECT_TRUE(cli::survey_loss(data).is_nothing());
  cli::backup(data, folder / "good again");
  LedgerInTest it(data, time);
  EXPECT_FALSE(it.ledger().reservation(reservations[4]));
  EXPECT_EQ(told(it.hold(event, reservation_id(event, 99), {4}, "new")), "accepted");
}

// What a crash can leave behind: before the tables are replaced, between them and the journal, and a stray folder.
TEST_F(SegmentsFolder, ALossCanBeAcceptedAgainAfterACrash) {
  write_row_by_row();
  damage("customer-3");
  fs::create_directory(data / "journal.repairing");
  std::ofstream(data / "journal.repairing" / "0000000001.segment") << "half";
  fs::copy(data / "journal", folder / "damaged", fs::copy_options::recursive);
  const Position kept = cli::accept_loss(data, no_progress).last_row;
  // The tables were replaced, the journal was not.
  fs::remove_all(data / "journal");
  fs::copy(folder / "damaged", data / "journal", fs::copy_options::recursive);
  EXPECT_NE(verify_folder(data).problem, "");
  EXPECT_EQ(cli::accept_loss(data, no_progress).last_row, kept);
  EXPECT_EQ(verify_folder(data).problem, "");
  // On a file system that cannot exchange names: the journal was moved away, the new one is not in its place.
  fs::rename(data / "journal", data / "journal.repaired");
  EXPECT_EQ(cli::survey_loss(data).last_row, kept);
  EXPECT_EQ(cli::accept_loss(data, no_progress).last_row, kept);
  EXPECT_EQ(verify_folder(data).problem, "");
}

TEST_F(SegmentsFolder, WhoseJournalIsBehindItsTablesGetsNewOnes) {
  write_row_by_row();
  damage("customer-7");
  const Position kept = cli::accept_loss(data, no_progress).last_row;
  fs::copy_file(folder / "database" / "state.db", data / "state.db", fs::copy_options::overwrite_existing);   // ahead of the journal
  const cli::Loss loss = cli::survey_loss(data);
  EXPECT_EQ(loss.last_row, kept);
  EXPECT_GT(loss.known_row, kept);
  EXPECT_THAT(loss.damage, IsEmpty());
  EXPECT_FALSE(loss.is_nothing());
  const cli::AcceptedLoss accepted = cli::accept_loss(data, no_progress);
  EXPECT_EQ(accepted.known_row, loss.known_row);
  EXPECT_EQ(accepted.kept_as, "");
  EXPECT_EQ(verify_folder(data).problem, "");
}

// On a file system that can exchange names, and on one that cannot.
class CrashedRepair : public SegmentsFolder, public testing::WithParamInterface<bool> {
 protected:
  CrashedRepair() { CountedCalls::set_cannot_exchange(!GetParam()); }
  ~CrashedRepair() override { CountedCalls::set_cannot_exchange(false); }

  // Some folder of the data has the damaged rows.
  static bool has_damaged(const fs::path& of) {
    for (const auto& entry : fs::directory_iterator(of)) {
      if (!entry.path().filename().string().starts_with("journal") || !entry.is_directory()) continue;
      segments::PosixDisk disk(entry.path());
      try {
        if (!segments::survey_journal(disk).readable.empty()) return true;
      } catch (const DataError&) {
        continue;   // a new one that has just been begun
      }
    }
    return false;
  }
};

// Under a sanitizer, where a call takes many times as long, only some of the calls.
TEST_P(CrashedRepair, LeavesTheDamagedJournalOrTheNewOneAtAnyCall) {
  constexpr std::size_t k_step = k_is_sanitized ? 9 : 1;
  write_row_by_row();
  const auto before = rows_of(data);
  damage("customer-3");
  const Position kept = cli::survey_loss(data).last_row;
  const std::vector<std::string> expected(before.begin(), before.begin() + kept);
  std::size_t damaged = 0;
  std::size_t refused = 0;
  bool is_over = false;
  for (std::size_t call = 0; !is_over && !HasFailure(); call += k_step) {
    SCOPED_TRACE("call " + std::to_string(call));
    const fs::path crashed = copy_of(data, "crashed");
    is_over = ends_by_itself(crashed, call, [&] { cli::accept_loss(crashed, no_progress); });
    EXPECT_TRUE(has_damaged(crashed)) << "nothing of it is given up";
    if (!find_journal(crashed)) {
      ++refused;
      EXPECT_THAT(refusal_at_start(crashed, time), HasSubstr("is missing"));
    } else if (!verify_folder(crashed).problem.empty()) {
      ++damaged;
    } else {
      EXPECT_EQ(rows_of(crashed), expected);
    }
    EXPECT_EQ(cli::accept_loss(crashed, no_progress).last_row, kept);
    EXPECT_EQ(rows_of(crashed), expected);
    EXPECT_EQ(verify_folder(crashed).problem, "");
    EXPECT_TRUE(has_damaged(crashed));
  }
  EXPECT_TRUE(is_over);
  EXPECT_GT(damaged, 10U / k_step);
  if (GetParam()) EXPECT_EQ(refused, 0U) << "in one step where the file system can";
  else if (!k_is_sanitized) EXPECT_GT(refused, 0U);
}
INSTANTIATE_TEST_SUITE_P(FileSystems, CrashedRepair, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "ThatExchangesNames" : "ThatDoesNot"; });

}  // namespace
}  // namespace holdfast::test
