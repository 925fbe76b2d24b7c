// A connection to PostgreSQL over libpq, with deadlines, exceptions and the binary protocol. One thread at a time.
//
// A connection is always in pipeline mode: statements of a group go out together, and their results come back in the same order. Each
// connection prepares a statement at its first use.
//
//   constexpr pg::Statement k_head{"head", "SELECT first_seq FROM holdfast.journal WHERE event = $1 ORDER BY 1 DESC LIMIT 1"};
//   pg::Connection connection(settings);
//   const pg::Result rows = connection.query(k_head, pg::Parameters().int4(7));     // one round trip
//
//   // Several statements, one round trip. Throws the error of the first statement that failed.
//   const auto results = connection.round_trip({{k_begin}, {k_lock, pg::Parameters().event(7)}, {k_commit}});
//
// After an Error, call reset(): then the connection is as new (nothing is pending, no transaction is open), or no longer usable
// (is_usable()).
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <deque>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sql/postgres_url.h"
#include "sql/postgres_values.h"

namespace holdfast::pg {

// The server refused something, or could not be reached. what() never contains a password.
class Error : public std::runtime_error {
 public:
  Error(std::string state, const std::string& what) : std::runtime_error(what), state_(std::move(state)) {}

  // SQLSTATE, five characters. Empty if the connection was lost, could not be opened, or missed its deadline.
  const std::string& state() const { return state_; }
  bool connection_lost() const { return state_.empty(); }
  bool is(std::string_view state) const { return state_ == state; }
  // The server cannot read its own files: a damaged page, an index that does not match its table, a read that fails.
  bool is_damage() const { return state_.starts_with("XX") || state_ == "58030"; }

 private:
  std::string state_;
};

inline constexpr std::string_view k_unique_violation = "23505";
inline constexpr std::string_view k_not_null_violation = "23502";
inline constexpr std::string_view k_lock_not_available = "55P03";
inline constexpr std::string_view k_undefined_table = "42P01";
inline constexpr std::string_view k_read_only_transaction = "25006";
inline constexpr std::string_view k_query_canceled = "57014";   // also if it took longer than statement_timeout

// A statement. No other statement of the program has the same name.
struct Statement {
  const char* name;
  const char* sql;
};

inline constexpr Statement k_begin{"begin", "BEGIN ISOLATION LEVEL READ COMMITTED"};
inline constexpr Statement k_begin_snapshot{"begin_snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
inline constexpr Statement k_commit{"commit", "COMMIT"};
inline constexpr Statement k_rollback{"rollback", "ROLLBACK"};

// A statement with its values. The values are copied; send() takes large ones without a copy.
struct Call {
  Statement statement;
  Parameters parameters{};
};

// How to reach the server, and how a session behaves.
struct Settings {
  std::string url;              // as libpq reads it: postgresql://user@host1,host2/db?sslmode=verify-full
  std::string password{};       // empty: from the URL, PGPASSWORD or a password file
  std::string application = "holdfast";
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds deadline{10'000};                // for one answer of the server
  std::chrono::milliseconds statement_timeout{5'000};        // 0: none
  std::chrono::milliseconds lock_timeout{3'000};
  std::chrono::milliseconds idle_in_transaction{2'000};
  bool durable = true;          // synchronous_commit=on; false: off, for data that can be made again
  bool read_write = true;       // only a primary is accepted
};

class Connection {
 public:
  // Connects. Throws Error.
  explicit Connection(const Settings& settings);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False once the connection was lost or discarded. Every call then throws Error; destroy the connection.
  bool is_usable() const { return usable_; }
  // Appends a statement to the group. receive() or round_trip() takes its result, in the order of sending.
  void send(const Statement& statement, const Parameters& parameters = {});
  // Ends the group and sends everything. After the first error in a group, the server skips the rest of the group.
  void sync();
  // The next result. Throws Error if the statement failed or was skipped.
  Result receive();
  // Ends a group after all of its results have been received.
  void end_sync();
  // After an error: receives and drops all pending results. An open transaction stays open, and failed. Throws Error if the connection is
  // lost.
  void take_rest();
  // The same, and rolls back an open transaction. Afterwards the connection is as new, or not usable. Does not throw.
  void reset();
  // Calls `work` and returns its result. If it throws, resets the connection and lets the exception pass.
  template <typename Work>
  auto reset_on_error(Work work) {
    try {
      return work();
    } catch (...) {
      reset();
      throw;
    }
  }
  // How long an answer of the server may take; at first Settings::deadline.
  std::chrono::milliseconds deadline() const { return deadline_; }
  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }
  // Makes the connection unusable.
  void discard() { usable_ = false; }

  // Appends `calls` to the group, ends the group, and returns the results of all of its statements in the order of sending. No other group
  // may be pending. Throws the error of the first statement that failed.
  std::vector<Result> round_trip(std::initializer_list<Call> calls = {});
  // One statement, one round trip.
  Result query(const Statement& statement, const Parameters& parameters = {});
  // Several statements without parameters, by the simple protocol: for migrations. Returns the rows of the last one, as text.
  Result run_script(const std::string& sql);

  // Whether the server has warned during a commit since the last call: the commit may not have reached a synchronous standby.
  bool take_commit_warning() { return std::exchange(commit_warning_, false); }
  // The texts of notifications (LISTEN). Waits up to `patience` if there is none yet.
  std::vector<std::string> take_notifications(std::chrono::milliseconds patience);

  std::string host() const;   // host:port, for logs
  const std::string& application() const { return application_; }

 private:
  enum class Awaited { preparation, result, sync };
  struct Expected {
    Awaited kind;
    const char* statement;
    const char* sql = nullptr;
  };
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  [[noreturn]] void lose(const std::string& why);
  [[noreturn]] void fail(const PGresult* result, const char* statement);
  PGresult* next_result();
  void wait(bool for_reading, std::chrono::steady_clock::time_point until);
  void flush();
  void hear(const PGresult* notice);

  std::chrono::milliseconds deadline_;
  std::string application_;
  std::unique_ptr<PGconn, Finish> handle_;
  std::deque<Expected> expected_;
  std::unordered_map<std::string_view, const char*> prepared_;   // SQL by name
  std::unordered_set<std::string_view> preparing_;
  bool usable_ = true;
  bool commit_warning_ = false;
  const char* awaited_ = nullptr;   // the statement whose result was awaited last
};

// Gives the server more time for each answer until the end of a scope. It does not change the server's own limit, statement_timeout.
class LongerDeadline {
 public:
  LongerDeadline(Connection& connection, std::chrono::milliseconds deadline) : connection_(connection), before_(connection.deadline()) {
    connection_.set_deadline(deadline);
  }
  ~LongerDeadline() { connection_.set_deadline(before_); }
  LongerDeadline(const LongerDeadline&) = delete;
  LongerDeadline& operator=(const LongerDeadline&) = delete;

 private:
  Connection& connection_;
  std::chrono::milliseconds before_;
};

}   // namespace holdfast::pg
