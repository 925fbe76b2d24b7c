// One transaction of the PostgreSQL ledger: a few batches, their events locked, judged and written, in two round trips.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {

class PostgresLedger::Transaction final : private JudgesBench {
 public:
  // Takes the replicas of all events of the batches, in the order of their numbers, for as long as it lives.
  Transaction(PostgresLedger& ledger, std::span<const Batch> batches);

  enum class Result {
    done,        // verdicts are filled in; what was accepted is durable and published
    held_back,   // several batches, and somebody else has one of the events: each is to be tried alone
    unavailable, // nothing is known to have happened
  };
  // Does not throw.
  Result run(ExecutionReport& report);

 private:
  enum class Step { done, again, unavailable };
  enum class Settled { there, not_there, unknown };

  Step attempt(ExecutionReport& report);
  void prepare(pg::Connection& connection);
  void recall_forgotten(pg::Connection& connection, const Submission& submission);
  void project_rows(pg::Connection& connection);
  bool lock_and_read(pg::Connection& connection);
  void judge_all();
  std::vector<Batch> without_refused() const;
  bool refuse_beforehand(Entry& entry) const;
  Bench bench_of(EventNumber number) override;
  KeyTable& keys_of(EventNumber first) override;
  void look_ahead(const Batch& batch, std::size_t entry) override;
  bool recall_for(const Submission& submission) override;
  void keep(KeptKey kept) override;
  bool has_news() const;
  void write(pg::Connection& connection);
  void commit(pg::Connection& connection);
  void receive_rows(pg::Connection& connection);
  void look_after_import(pg::Connection& connection, const pg::Replica& replica);
  Settled settle();
  void publish(ExecutionReport& report);
  void publish_row(pg::Replica& replica, const JournalRow& row, ExecutionReport& report);
  void undo();
  void count_failure(const pg::Error& error);
  pg::Replica* replica_of(EventNumber number) const;

  PostgresLedger& ledger_;
  Judging judging_;
  const std::span<const Batch> batches_;
  const pg::Replica::Timer::time_point until_;
  std::vector<ReplicaPtr> replicas_;                 // by rising number
  std::vector<std::unique_lock<std::mutex>> locks_;
  Millis now_ = 0;
  Uuid batch_{};
  std::vector<JournalRow> rows_;                     // written; their bodies are in bodies_
  std::vector<std::string> bodies_;
  std::vector<const Submission*> unreadable_;        // that speak of a reservation which cannot be read
  std::size_t swept_ = 0;
  bool commit_sent_ = false;
};

}  // namespace holdfast
