// A journal folded from its first row, to prove that the tables that follow it agree with it.
//
//   Replay replay("journal.db");
//   for (row of the journal) replay.fold(row);
//   replay.events.at(7)->…; compare_seats(*replay.events.at(7), stored);
//
// Tables with many rows are compared by the sum of their rows' digests, so the order of rows does not matter. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/inventory.h"
#include "core/keys.h"
#include "ledger/journal_row.h"
#include "ledger/table_rows.h"

namespace holdfast {

class Replay {
 public:
  // `journal`: its name in errors.
  explicit Replay(std::string journal) : journal_(std::move(journal)) {}

  // Folds one row. The caller has checked its place in the chain. Throws ContradictoryJournal, without what to do, if the row cannot be read or a
  // change does not fit those before it.
  void fold(const JournalRow& row);

  // Adds a text to a digest; the order of texts matters.
  static void fold_into(std::uint64_t& digest, std::string_view text);
  // The digest of a table's row. The sum over all rows is the table's digest, in any order.
  static std::uint64_t digest_of(std::initializer_list<std::uint64_t> numbers, const Uuid& id = {});
  static std::uint64_t digest_of(EventNumber event, const SeatChangeRow& change);
  static std::uint64_t digest_of(const KeptKey& kept, Millis at);

  // Whether the journal says the same of a reservation as `stored`, whatever that owns; of a key that still counts.
  bool has(EventNumber event, const ReservationView& stored) const;
  bool has(const KeptKey& stored, Millis at) const;
  // Of the keys that still count, how many were kept after `oldest`.
  std::size_t keys_after(Millis oldest) const;

  std::map<EventNumber, std::unique_ptr<Inventory>> events;
  std::map<EventNumber, std::pair<Millis, Millis>> times;   // of its first and its last row
  std::map<EventNumber, std::uint64_t> plans;   // a digest of header and seats
  std::map<Fingerprint, std::uint64_t> kept;   // digests of the keys that still count
  std::uint64_t keys = 0;
  Millis keys_since = 0;   // keys of this time or earlier no longer count; tables may still have them
  std::int64_t index_after = 0;   // rows up to here are no longer in the index; set it before the first fold()
  std::set<EventNumber> left_out;   // events whose reservations and seat changes are not compared; set it before the first fold()
  std::uint64_t index = 0;   // sums of the digests of the rows that the tables should have
  std::uint64_t history = 0;
  std::uint64_t created = 0;   // which change made each reservation

 private:
  void fold_plan(const JournalRow& row, Seq seq, const Change& change);
  void fold_history(const JournalRow& row, Seq seq, const Change& change, const Inventory& inventory);
  void fold_keys(const JournalRow& row);

  std::string journal_;
  std::map<EventNumber, std::string> plan_headers_;
  std::deque<std::tuple<Millis, Fingerprint, std::uint64_t>> in_order_;
  JournalBody body_;
};

// How the inventory loaded from tables differs from the journal's, as the rest of a sentence; empty if it does not.
std::string compare_seats(const Inventory& expected, const Inventory& stored);
// How table reservation, with so many rows and that sum of digests of {event, created_seq}, id, differs from the journal's; and how table
// seat_change does by its sum. Events that are left out are in none of them. Empty if they do not.
std::string compare_reservations(const Replay& expected, std::uint64_t rows, std::uint64_t created);
std::string compare_history(const Replay& expected, std::uint64_t history);
}   // namespace holdfast
