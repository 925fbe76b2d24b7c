#include "ledger/judging.h"

#include <algorithm>

#include "core/check.h"
#include "core/rules.h"

namespace holdfast {
namespace {

using lock::Grant;

// How often the best seats are chosen again because another program has locked one of them. Each time costs a round trip.
constexpr int k_choices_max = 8;

bool takes_seats(const Command& command) {
  return std::holds_alternative<Hold>(command) || std::holds_alternative<HoldBest>(command) || std::holds_alternative<Add>(command);
}

// All parts of a submission over several events are of one kind, so the first part decides.
bool takes_seats(const Submission& submission) { return takes_seats(submission.parts.front().command); }

// The seats that a command names.
Seats named_by(const Command& command) {
  if (const auto* hold = std::get_if<Hold>(&command)) return hold->seats;
  if (const auto* add = std::get_if<Add>(&command)) return add->seats;
  return {};
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- the round

void Judging::lock_ahead(std::span<const Batch> batches, JudgesBench& bench, Millis now) {
  if (options_.lock == nullptr) return;
  for (const Batch& batch : batches) {
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
      look_ahead(batch, i, bench);
      const Submission& submission = batch.entries[i]->submission;
      if (!takes_seats(submission) || key_decides(submission, bench.keys_of(submission.parts.front().event), now)) continue;
      plan(takings_of(submission, bench, now, true), bench);
    }
  }
  acquire_planned();
}

std::size_t Judging::judge(std::span<const Batch> batches, JudgesBench& bench, Millis now) {
  std::size_t swept = 0;
  for (const Batch& batch : batches) {
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
      Entry& entry = *batch.entries[i];
      const Submission& submission = entry.submission;
      if (options_.lock == nullptr) look_ahead(batch, i, bench);
      KeyTable& keys = bench.keys_of(submission.parts.front().event);
      if (!bench.recall_for(submission) && !key_decides(submission, keys, now)) {
        entry.verdict = refuse_all(submission, Reason::reservation_unreadable);
        continue;
      }
      std::optional<KeptKey> kept;
      entry.verdict = options_.lock == nullptr ? ask_core(submission, bench, now, kept) : judge_entry(submission, bench, now, kept);
      if (kept) bench.keep(std::move(*kept));
      for (const Outcome& outcome : entry.verdict.outcomes) swept += outcome.swept;
    }
  }
  return swept;
}

// Prefetches the memory that the entries after this one will touch.
void Judging::look_ahead(const Batch& batch, std::size_t entry, const JudgesBench& bench) {
  for (std::size_t step = 0; step < std::size(k_prefetch_ahead); ++step) {
    const std::size_t ahead = entry + k_prefetch_ahead[step];
    if (ahead >= batch.entries.size()) continue;
    for (const Part& part : batch.entries[ahead]->submission.parts) {
      if (const Inventory* inventory = bench.inventory_in_memory(part.event)) prefetch(*inventory, part.command, step);
    }
  }
}

void Judging::give_up() {
  if (key_locks_.empty()) return;
  options_.lock->release(key_locks_);
  key_locks_.clear();
  by_seat_.clear();
  acquired_ = 0;
  server_failed_ = false;
}

// ---------------------------------------------------------------------------------------------------------------- one entry

Verdict Judging::ask_core(const Submission& submission, JudgesBench& bench, Millis now, std::optional<KeptKey>& kept) {
  KeyTable& keys = bench.keys_of(submission.parts.front().event);
  return holdfast::judge(submission, [&](EventNumber number) { return bench.bench_of(number); }, keys, now, kept);
}

Verdict Judging::judge_entry(const Submission& submission, JudgesBench& bench, Millis now, std::optional<KeptKey>& kept) {
  const Part& first = submission.parts.front();
  if (!takes_seats(submission) || key_decides(submission, bench.keys_of(first.event), now)) return ask_core(submission, bench, now, kept);
  const auto* best = std::get_if<HoldBest>(&first.command);
  return best != nullptr ? judge_best(submission, *best, bench, now, kept) : judge_named(submission, bench, now, kept);
}

// Judges seats that the request names. If all of them are locked, core is asked at once. Otherwise core is asked only if nothing
// but a lock is in the way.
Verdict Judging::judge_named(const Submission& submission, JudgesBench& bench, Millis now, std::optional<KeptKey>& kept) {
  if (!has_all(submission)) {
    const Takings takings = takings_of(submission, bench, now, false);
    if (!takings.empty()) {
      lock_late(takings, bench);
      if (std::optional<Verdict> refusal = refusal_for(takings)) return std::move(*refusal);
    }
  }
  return ask_core(submission, bench, now, kept);
}

// Chooses the best seats among those that no other program has locked, and judges a hold of exactly the seats that are now
// locked.
Verdict Judging::judge_best(const Submission& submission, const HoldBest& best, JudgesBench& bench, Millis now,
                            std::optional<KeptKey>& kept) {
  const EventNumber event = submission.parts.front().event;
  const Bench at = bench.bench_of(event);
  const AlsoTaken held_by_others = [&](SeatIndex seat) { return is_held(event, seat); };
  for (int choice = 0; choice < k_choices_max && at.inventory != nullptr; ++choice) {
    Takings takings;
    takings.push_back({event, seats_to_take(*at.inventory, best, now, at.plan, &held_by_others)});
    const FewOf<SeatIndex>& picked = takings.front().seats;
    if (picked.empty()) break;
    lock_late(takings, bench);
    if (std::ranges::any_of(picked, held_by_others)) continue;
    if (std::optional<Verdict> refusal = refusal_for(takings)) return std::move(*refusal);
    Submission chosen{.parts = {}, .key = submission.key};
    chosen.parts.push_back({event, hold_of(best, {picked.data(), picked.size()})});
    return ask_core(chosen, bench, now, kept);
  }
  // No seats are left, others have locked all of them, or all choices are used up.
  const Takings takings = takings_of(submission, bench, now, false);
  if (std::optional<Verdict> refusal = refusal_for(takings)) return std::move(*refusal);
  return ask_core(submission, bench, now, kept);
}

// The seats that the parts take if all of them are accepted; empty if core refuses one. `counts_planned`: treats the seats of
// earlier entries as taken.
Judging::Takings Judging::takings_of(const Submission& submission, JudgesBench& bench, Millis now, bool counts_planned) const {
  Takings takings;
  for (const Part& part : submission.parts) {
    const Bench at = bench.bench_of(part.event);
    if (at.inventory == nullptr) return {};
    const AlsoTaken planned = [&](SeatIndex seat) { return by_seat_.contains(key_of(part.event, seat)); };
    takings.push_back({part.event, seats_to_take(*at.inventory, part.command, now, at.plan, counts_planned ? &planned : nullptr)});
    if (takings.back().seats.empty()) return {};
  }
  return takings;
}

// ---------------------------------------------------------------------------------------------------------------- locks

bool Judging::has_all(const Submission& submission) const {
  for (const Part& part : submission.parts) {
    for (const SeatIndex seat : named_by(part.command)) {
      const auto at = by_seat_.find(key_of(part.event, seat));
      if (at == by_seat_.end() || at->second >= acquired_ || key_locks_[at->second].grant != Grant::granted) return false;
    }
  }
  return true;
}

void Judging::plan(const Takings& takings, JudgesBench& bench) {
  for (const Taking& taking : takings) {
    const Plan* const plan = bench.bench_of(taking.event).plan;
    HOLDFAST_CHECK(plan != nullptr);
    for (const SeatIndex seat : taking.seats) {
      if (!by_seat_.emplace(key_of(taking.event, seat), key_locks_.size()).second) continue;
      const Uuid* const uuid = plan->seat_uuid(seat);
      key_locks_.push_back({.key = uuid != nullptr ? lock::key_of(*uuid) : lock::key_of(plan->opaque_seat_id(seat))});
    }
  }
}

void Judging::acquire_planned() {
  const std::span<lock::KeyLock> wanted = std::span(key_locks_).subspan(acquired_);
  acquired_ = key_locks_.size();
  if (wanted.empty() || server_failed_) return;   // locks that were not requested stay `unknown`
  options_.lock->acquire(wanted);
  server_failed_ = std::ranges::any_of(wanted, [](const lock::KeyLock& key_lock) { return key_lock.grant == Grant::unknown; });
}

void Judging::lock_late(const Takings& takings, JudgesBench& bench) {
  plan(takings, bench);
  acquire_planned();
}

bool Judging::is_held(EventNumber event, SeatIndex seat) const {
  const auto at = by_seat_.find(key_of(event, seat));
  return at != by_seat_.end() && key_locks_[at->second].grant == Grant::held;
}

// Why these seats cannot be had although core would give them. Nothing if they can.
std::optional<Verdict> Judging::refusal_for(const Takings& takings) const {
  bool is_unsure = false;
  bool is_refused = false;
  Verdict verdict;
  for (const Taking& taking : takings) {
    Outcome outcome;
    for (const SeatIndex seat : taking.seats) {
      const auto at = by_seat_.find(key_of(taking.event, seat));
      const Grant grant = at == by_seat_.end() ? Grant::unknown : key_locks_[at->second].grant;
      if (grant == Grant::held) outcome.seats.push_back(seat);
      is_unsure = is_unsure || grant == Grant::unknown;
    }
    outcome.reason = outcome.seats.empty() ? Reason::another_part_refused : Reason::lock_held;
    is_refused = is_refused || !outcome.seats.empty();
    verdict.outcomes.push_back(std::move(outcome));
  }
  if (is_refused) return verdict;
  if (!is_unsure || options_.proceeds) return std::nullopt;
  for (Outcome& outcome : verdict.outcomes) outcome.reason = Reason::unavailable;
  return verdict;
}

}   // namespace holdfast
