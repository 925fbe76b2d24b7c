// Ledgers that break a promise on purpose, around one that keeps it: what the checker of histories must find.
//
//   EmbeddedLedger good({.data = folder});
//   ForgetfulLedger forgetful(good, 20);       // loses one hold in 20
//   ServingNode node(forgetful, folder);       // serving_node.h: engine and HTTP API over it
#pragma once

#include <deque>

#include "ledger/ledger_in_test.h"
#include "ledger/passing_ledger.h"

namespace holdfast::test {

// Forgets some holds that it has answered: their seats are free again, and nobody has released them.
class ForgetfulLedger final : public PassingLedger {
 public:
  // Forgets one accepted hold in `every`, 1 or more.
  ForgetfulLedger(Ledger& inner, std::size_t every) : PassingLedger(inner), every_(every) {}
  ExecutionReport execute(std::span<const Batch> batches) override;

 private:
  const std::size_t every_;
  std::size_t holds_ = 0;
};

// Answers before it commits: the rounds come to the disk some rounds later. When it ends, which is its power cut, the last ones are lost.
// Understands holds and releases; other commands are committed at once.
class HastyLedger final : public PassingLedger {
 public:
  // Judges and answers by `memory`, and commits to `disk`. Both begin without events.
  HastyLedger(Ledger& memory, Ledger& disk) : PassingLedger(memory), disk_(disk) {}
  ExecutionReport execute(std::span<const Batch> batches) override;
  std::expected<EventNumber, CreationProblem> reserve_event(NewEvent event) override;

 private:
  void commit_all_but(std::size_t rounds);

  Ledger& disk_;
  std::deque<Round> late_;
};

}   // namespace holdfast::test
