// One transaction of the PostgreSQL ledger: locks the events of a few batches, judges the batches and writes the result, in two round
// trips.
//
//   const auto result = PostgresLedger::Transaction(ledger, batches).run(report);
//
// One thread at a time. It must not outlive the ledger and the batches.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ledger/postgres/postgres_ledger.h"

namespace holdfast {

class PostgresLedger::Transaction final : private JudgesBench {
 public:
  // Locks the mutexes of the replicas of all events of the batches, in the order of the events' numbers, until it is destroyed.
  Transaction(PostgresLedger& ledger, std::span<const Batch> batches);

  enum class Result {
    done,        // verdicts are filled in; accepted commands are durable and published
    held_back,   // several batches, and one of them could not be written: try each alone
    unavailable, // the database did not take the batches in time; nothing is known to have happened
  };
  // Repeats attempts for PostgresOptions::patience. Does not throw.
  Result run(ExecutionReport& report);

 private:
  enum class Step { done, again, unavailable };
  enum class Written { rows, nothing, too_far_behind };
  enum class Settled { there, not_there, unknown };

  Step attempt(ExecutionReport& report);
  Written judge_and_write(pg::Connection& connection, ExecutionReport& report);
  std::optional<Step> after_error(const pg::Error& error);
  void begin_anew(const pg::HistoryChanged& error);
  void catch_up(pg::Connection& connection);
  void prepare(pg::Connection& connection);
  void recall_forgotten(pg::Connection& connection, const Submission& submission);
  void project_rows(pg::Connection& connection);
  bool lock_and_read(pg::Connection& connection);
  void judge_all();
  std::vector<Batch> without_refused() const;
  bool refuse_beforehand(Entry& entry) const;
  Bench bench_of(EventNumber number) override;
  KeyTable& keys_of(EventNumber first) override;
  const Inventory* inventory_in_memory(EventNumber number) const override;
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
  std::vector<ReplicaPtr> replicas_;                 // by ascending number
  std::vector<std::unique_lock<std::mutex>> locks_;
  Millis now_ = 0;
  Millis keys_longer_ = 0;   // PostgresLedger::keys_kept_longer()
  Uuid batch_{};
  std::vector<JournalRow> rows_;                     // of this attempt; their bodies are in bodies_
  std::vector<std::string> bodies_;
  std::vector<const Submission*> unreadable_;        // name a reservation that cannot be read
  std::size_t swept_ = 0;
  bool commit_sent_ = false;
};

}  // namespace holdfast
