// Support for tests of the embedded ledger: a folder, a clock that moves only when told to, and a ledger with answers like
// sentences.
//
//   LedgerFolder folder;
//   TestTime time;
//   LedgerInTest it(folder, time);
//   const EventNumber event = it.create_event(10);
//   const Uuid r = it.new_id(event);
//   EXPECT_EQ(told(it.hold(event, r, {1, 2})), "accepted");
//   const std::string before = it.picture();
//   it.reopen();
//   EXPECT_EQ(it.picture(), before);
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/embedded/embedded_ledger.h"
#include "ledger/embedded/verify.h"
#include "support/stored_journal.h"
#include "support/waiting.h"

namespace holdfast::test {

using SeatList = std::vector<SeatIndex>;

inline constexpr Millis k_begin = 1'771'949'700'000;   // 2026-02-24T16:15:00Z
inline constexpr Millis k_minute = 60'000;
inline constexpr Millis k_hour = 60 * k_minute;
inline constexpr Millis k_day = 24 * k_hour;

// Which files new folders keep their journal in: journal.db, or segments if HOLDFAST_TEST_JOURNAL says so. ctest runs the tests of the
// embedded ledger with both.
bool is_in_segments();
JournalOptions journal_in_test();
// The name of the journal's file or folder in a data folder: "journal.db" or "journal". Messages have it.
std::string journal_name_in_test();
// The single files of a data folder that tests may damage anywhere. Those of segments have tests of their own.
std::vector<const char*> files_in_test();
// Replaces the journal of one data folder by that of another one.
void copy_journal(const std::filesystem::path& from, const std::filesystem::path& to);

class LedgerFolder {
 public:
  LedgerFolder();
  ~LedgerFolder();
  LedgerFolder(const LedgerFolder&) = delete;
  LedgerFolder& operator=(const LedgerFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }
  operator const std::filesystem::path&() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Time that passes only when told to.
class TestTime : public ClockSource {
 public:
  std::int64_t wall_ns() const override { return wall_ns_; }
  std::int64_t boot_ns() const override { return boot_ns_; }
  void pass(Millis millis) {
    wall_ns_ += millis * 1'000'000;
    boot_ns_ += millis * 1'000'000;
  }
  void step_wall(Millis millis) { wall_ns_ += millis * 1'000'000; }
  // The machine sleeps: with a wall clock that runs on, both clocks jump.
  void suspend(Millis millis) { pass(millis); }

 private:
  std::atomic<std::int64_t> wall_ns_{k_begin * 1'000'000};
  std::atomic<std::int64_t> boot_ns_{1'000'000'000'000};
};

// "accepted", or the reason, the limit and the seats; for a set, one after the other.
std::string told(const Outcome& outcome);
std::string told(const Verdict& verdict);
// Everything about a reservation, on one line.
std::string told(const ReservationView& view);

Uuid uuid_of(std::uint64_t number);
Uuid reservation_id(EventNumber event, std::uint64_t number);
IdempotencyKey key_of(std::uint64_t key, std::uint64_t request);

// A plan of `seats` seats in rows of 50; ids are derived from the event's and the labels, or `prefix` with a number.
std::shared_ptr<const Plan> plan_of(const Uuid& event_id, std::size_t seats, std::string_view prefix = {});

// Submissions in a batch; keeps what their commands point at.
class Round {
 public:
  Entry& add(EventNumber event, Command command);
  Entry& add(Submission submission);
  // Copies that live as long as the round.
  Seats keep(SeatList seats) { return seats_.emplace_back(std::move(seats)); }
  std::string_view keep_text(std::string text) { return texts_.emplace_back(std::move(text)); }
  std::span<const Uuid> keep_ids(std::vector<Uuid> ids) { return ids_.emplace_back(std::move(ids)); }

  ExecutionReport run(Ledger& ledger);
  const Verdict& verdict(std::size_t i) const { return std::next(entries_.begin(), static_cast<std::ptrdiff_t>(i))->verdict; }
  std::list<Entry>& entries() { return entries_; }

 private:
  std::list<Entry> entries_;
  std::list<SeatList> seats_;
  std::list<std::string> texts_;
  std::list<std::vector<Uuid>> ids_;
};

// A way to ask a ledger one thing at a time.
class Desk {
 public:
  explicit Desk(Ledger& ledger) : ledger_(&ledger) {}

  Verdict asks(Submission submission);
  Verdict does(EventNumber event, Command command);
  Outcome hold(EventNumber event, const Uuid& id, const SeatList& seats, std::string_view customer = "anna",
               Millis duration = 15 * k_minute);
  Outcome release(EventNumber event, const Uuid& id, const SeatList& seats = {});
  Outcome consume(EventNumber event, const Uuid& id, std::string_view order = "order-1", bool reinstate = false);
  Outcome give_back(EventNumber event, const Uuid& id, const SeatList& seats = {}, std::string_view order = "order-1");
  Outcome block(EventNumber event, const SeatList& seats);
  Outcome sweep(EventNumber event, std::size_t limit = 1'000);
  ExecutionReport last_report() const { return report_; }

  // Creates an event with all of its seats, on sale. 0 if that was refused.
  EventNumber create_event(const Uuid& id, std::shared_ptr<const Plan> plan, EventSettings settings = {},
                           std::size_t seats_per_step = 2'000);

 protected:
  Desk() = default;
  Ledger* ledger_ = nullptr;
  ExecutionReport report_;
};

class LedgerInTest : public Desk {
 public:
  LedgerInTest(const std::filesystem::path& folder, const ClockSource& time, EmbeddedOptions options = {});

  EmbeddedLedger& ledger() { return *embedded_; }
  void close() { embedded_.reset(); }
  // Stops it and starts it again.
  void reopen();
  void reopen(const EmbeddedOptions& options);

  EventNumber create_event(std::size_t seats, EventSettings settings = {});
  using Desk::create_event;
  Uuid new_id(EventNumber event) { return reservation_id(event, ++last_id_); }

  // Every event with its settings, seats and owners, and every reservation that new_id() has given out.
  std::string picture() { return picture_of(*embedded_); }
  std::string picture_of(const Ledger& ledger) const;
  // Waits until state.db has everything that is in the journal.
  void wait_for_tables();

 private:
  EmbeddedOptions options_;
  std::unique_ptr<EmbeddedLedger> embedded_;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_event_ = 0;
};

// Appends a row to the journal of a ledger that is not running, with the hash that it must have.
void append_row(const std::filesystem::path& folder, EventNumber event, Seq first_seq, std::uint32_t changes, Millis at,
                std::string_view body);
// Removes the rows of such a journal up to `through`, as retention does.
void remove_old_rows(const std::filesystem::path& folder, Position through);
// Runs one statement in a file of a ledger that is not running; `?` is given `value`.
void change_by_hand(const std::string& file, const char* sql);
// The error of a refused start; empty if it is not refused.
std::string refusal_at_start(const std::filesystem::path& folder, const ClockSource& time);
// The findings of `holdfast verify`.
VerifyReport verify_folder(const std::filesystem::path& folder);
// The names that a refusal must have: the file, and a remedy.
testing::AssertionResult names_the_way_out(const std::string& refusal, std::string_view file);

}  // namespace holdfast::test
