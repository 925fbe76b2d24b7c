// Judging a round of batches, with or without seat locks: the part of a ledger's work that does not depend on where its journal
// is.
//
//   Judging judging({.lock = &seat_lock});              // one for each thread that judges
//   judging.lock_ahead(batches, bench, now);            // one round trip for all seats that are about to be taken
//   judging.judge(batches, bench, now_or_later);        // fills in the verdicts
//   …commit…
//   judging.give_up();                                  // one round trip; also if the commit failed, and before any answer
//
// Without a lock the first and the last do nothing, and the second only asks core.
//
// With a lock, only commands that take seats lock them: Hold, HoldBest and Add, and only those that core is about to accept.
// Seats that another program has locked are refused with `lock_held`; the rest go on. A round has each seat's lock once, for all
// of its entries. An entry may need seats that were not locked ahead, because an earlier entry freed them or took the seats that
// HoldBest would have had. It locks them in a round trip of its own before it is judged. A request whose key decides is answered
// without locks. If it is unknown whether a seat is locked, `proceeds` decides: the hold goes on, guarded by the ledger alone, or
// is refused as `unavailable`.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <span>
#include <vector>

#include "ledger/ledger.h"
#include "lock/seat_lock.h"

namespace holdfast {

// What a ledger provides for judging, by event. Only the judging thread uses it.
class JudgesBench {
 public:
  // As core's judge() needs it. An event with seats that can be held has its plan.
  virtual Bench bench_of(EventNumber event) = 0;
  // The table of keys for submissions whose first event this is.
  virtual KeyTable& keys_of(EventNumber first) = 0;
  // The event's inventory if it is in memory, otherwise nullptr. Changes nothing: it is asked for commands that come later.
  virtual const Inventory* inventory_in_memory(EventNumber event) const = 0;
  // Called before an entry is judged: recalls forgotten reservations that its commands name. False: one cannot be read, and the
  // entry is refused as `reservation_unreadable`, unless its key decides. Does not throw.
  virtual bool recall_for(const Submission& submission) = 0;
  // The changes and keys that must become durable.
  virtual void keep(KeptKey kept) = 0;

 protected:
  ~JudgesBench() = default;
};

struct JudgingOptions {
  lock::SeatLock* lock = nullptr;   // nullptr: none
  bool proceeds = true;   // if it is unknown whether a seat is locked
};

// For one thread.
class Judging {
 public:
  explicit Judging(JudgingOptions options) : options_(options) {}
  ~Judging() { give_up(); }
  Judging(const Judging&) = delete;
  Judging& operator=(const Judging&) = delete;

  // May be called again in the same round, for example after the ledger has read news: locked seats stay locked.
  void lock_ahead(std::span<const Batch> batches, JudgesBench& bench, Millis now);
  // Returns how many expiries were swept. `now` is not before that of lock_ahead().
  std::size_t judge(std::span<const Batch> batches, JudgesBench& bench, Millis now);
  // Ends the round: releases every lock that it has, or may have.
  void give_up();

 private:
  // The seats that one part of a submission is about to take.
  struct Taking {
    EventNumber event;
    FewOf<SeatIndex> seats;
  };
  using Takings = UsuallyOne<Taking>;

  static void look_ahead(const Batch& batch, std::size_t entry, const JudgesBench& bench);
  static Verdict ask_core(const Submission& submission, JudgesBench& bench, Millis now, std::optional<KeptKey>& kept);
  Verdict judge_entry(const Submission& submission, JudgesBench& bench, Millis now, std::optional<KeptKey>& kept);
  Verdict judge_named(const Submission& submission, JudgesBench& bench, Millis now, std::optional<KeptKey>& kept);
  Verdict judge_best(const Submission& submission, const HoldBest& best, JudgesBench& bench, Millis now, std::optional<KeptKey>& kept);
  Takings takings_of(const Submission& submission, JudgesBench& bench, Millis now, bool counts_planned) const;
  bool has_all(const Submission& submission) const;
  void plan(const Takings& takings, JudgesBench& bench);
  void acquire_planned();
  void lock_late(const Takings& takings, JudgesBench& bench);
  bool is_held(EventNumber event, SeatIndex seat) const;
  std::optional<Verdict> refusal_for(const Takings& takings) const;

  static std::uint64_t key_of(EventNumber event, SeatIndex seat) { return std::uint64_t{event} << 32 | seat; }

  JudgingOptions options_;
  std::vector<lock::KeyLock> key_locks_;   // of this round
  std::size_t acquired_ = 0;   // how many of them were requested
  boost::unordered_flat_map<std::uint64_t, std::size_t> by_seat_;   // places in key_locks_
  bool server_failed_ = false;   // in this round: then no further locks are requested
};

}   // namespace holdfast
