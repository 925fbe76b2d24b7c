// libpq with owners, errors, deadlines and the binary protocol. A Connection belongs to one thread at a time.
//
// A connection is always in pipeline mode: what is sent goes out together, what comes back is taken in the same order. Statements
// are prepared on each connection at their first use.
//
//   constexpr pg::Statement k_head{"head", "SELECT first_seq FROM holdfast.journal WHERE event = $1 ORDER BY 1 DESC LIMIT 1"};
//   pg::Connection connection(settings);
//   const pg::Result rows = connection.query(k_head, pg::Parameters().int4(7));     // one round trip
//
//   // Several statements, one round trip. Throws what the first that failed threw.
//   const auto results = connection.round_trip({{k_begin}, {k_lock, pg::Parameters().event(7)}, {k_commit}});
//
// After an Error the connection is either as new (nothing is on its way, no transaction is open) or not usable any more
// (is_usable()).
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/ids.h"

namespace holdfast::pg {

// What the server or the way to it could not do. what() never has a password.
class Error : public std::runtime_error {
 public:
  Error(std::string state, const std::string& what) : std::runtime_error(what), state_(std::move(state)) {}

  // SQLSTATE, five characters; empty when the connection was lost, could not be made or missed its deadline.
  const std::string& state() const { return state_; }
  bool connection_lost() const { return state_.empty(); }
  bool is(std::string_view state) const { return state_ == state; }
  // The server cannot read what it has on disk: a damaged page, an index that is not as its table, a read that fails.
  bool is_damage() const { return state_.starts_with("XX") || state_ == "58030"; }

 private:
  std::string state_;
};

inline constexpr std::string_view k_unique_violation = "23505";
inline constexpr std::string_view k_not_null_violation = "23502";
inline constexpr std::string_view k_lock_not_available = "55P03";
inline constexpr std::string_view k_undefined_table = "42P01";
inline constexpr std::string_view k_read_only_transaction = "25006";
inline constexpr std::string_view k_query_canceled = "57014";   // also: it took longer than statement_timeout

// A statement with a name of its own among all statements of the program.
struct Statement {
  const char* name;
  const char* sql;
};

inline constexpr Statement k_begin{"begin", "BEGIN ISOLATION LEVEL READ COMMITTED"};
inline constexpr Statement k_begin_snapshot{"begin_snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
inline constexpr Statement k_commit{"commit", "COMMIT"};
inline constexpr Statement k_rollback{"rollback", "ROLLBACK"};

// Values for $1, $2, … in binary, copied.
//
// PostgreSQL has no unsigned types. unsigned4() and unsigned8(), and what is named by its meaning, keep the bits of a number in the signed
// type of the same width; Result reads them back with the functions of the same names.
class Parameters {
 public:
  Parameters& int2(std::int16_t value);
  Parameters& int4(std::int32_t value);
  Parameters& int8(std::int64_t value);
  Parameters& real8(double value);
  Parameters& boolean(bool value);
  Parameters& text(std::string_view value);
  Parameters& bytes(std::string_view value);   // bytea
  Parameters& uuid(const Uuid& value);
  Parameters& unsigned4(std::uint32_t value) { return int4(static_cast<std::int32_t>(value)); }
  Parameters& unsigned8(std::uint64_t value) { return int8(static_cast<std::int64_t>(value)); }
  Parameters& event(EventNumber value) { return unsigned4(value); }
  Parameters& seat(SeatIndex value) { return unsigned4(value); }
  Parameters& seq(Seq value) { return unsigned8(value); }
  // NULL of a type: pg::k_oid_…
  Parameters& null(Oid type);

  Parameters& int2s(std::span<const std::int16_t> values);
  Parameters& int4s(std::span<const std::int32_t> values);
  Parameters& int8s(std::span<const std::int64_t> values);
  Parameters& real8s(std::span<const double> values);
  Parameters& events(std::span<const EventNumber> values);   // int4[]
  Parameters& seats(std::span<const SeatIndex> values);      // int4[]
  Parameters& seqs(std::span<const Seq> values);             // int8[]
  Parameters& texts(std::span<const std::string> values);
  Parameters& texts(std::span<const std::string_view> values);
  Parameters& byte_strings(std::span<const std::string_view> values);   // bytea[]
  Parameters& byte_strings(std::span<const std::string> values);
  Parameters& uuids(std::span<const Uuid> values);
  // An element that is not there is NULL.
  Parameters& uuids(std::span<const std::optional<Uuid>> values);

 private:
  friend class Connection;
  void add(Oid type, std::size_t begin);
  void begin_array(Oid element, std::size_t count, bool has_nulls = false);
  Parameters& raw(Oid type, std::string_view value);
  template <typename Number>
  Parameters& number(Oid type, Number value);
  template <typename Number>
  Parameters& numbers(Oid element, std::span<const Number> values);
  template <typename Text>
  Parameters& strings(Oid element, std::span<const Text> values);

  std::string bytes_;
  std::vector<Oid> types_;
  std::vector<std::pair<std::size_t, int>> places_;   // where a value begins and how long it is; -1: NULL
};

inline constexpr Oid k_oid_bool = 16, k_oid_bytea = 17, k_oid_int8 = 20, k_oid_int2 = 21, k_oid_int4 = 23, k_oid_text = 25,
                     k_oid_float8 = 701, k_oid_uuid = 2950;

// Rows of one statement. Reading a column as another type than it has is a mistake of the program (HOLDFAST_CHECK).
class Result {
 public:
  explicit Result(PGresult* result) : result_(result) {}

  int rows() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::int16_t int2(int row, int column) const;
  std::int32_t int4(int row, int column) const;
  std::int64_t int8(int row, int column) const;
  double real8(int row, int column) const;
  bool boolean(int row, int column) const;
  std::uint32_t unsigned4(int row, int column) const { return static_cast<std::uint32_t>(int4(row, column)); }
  std::uint64_t unsigned8(int row, int column) const { return static_cast<std::uint64_t>(int8(row, column)); }
  EventNumber event(int row, int column) const { return unsigned4(row, column); }
  SeatIndex seat(int row, int column) const { return unsigned4(row, column); }
  Seq seq(int row, int column) const { return unsigned8(row, column); }
  std::string_view text(int row, int column) const;    // also of bytea; lives as long as the result
  std::string_view bytes(int row, int column) const { return text(row, column); }
  Uuid uuid(int row, int column) const;
  std::vector<std::int32_t> int4s(int row, int column) const;   // of an int4[] without NULLs
  // Rows that an INSERT, UPDATE or DELETE touched.
  std::uint64_t affected() const;
  // What the server calls the statement: COMMIT, ROLLBACK, INSERT 0 1, …
  std::string_view tag() const { return PQcmdStatus(result_.get()); }
  ExecStatusType status() const { return PQresultStatus(result_.get()); }
  const PGresult* get() const { return result_.get(); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

// A statement with its values. The values are copied; send() takes large ones without a copy.
struct Call {
  Statement statement;
  Parameters parameters{};
};

// How to reach the server and how a session behaves.
struct Settings {
  std::string url;              // as libpq reads it: postgresql://user@host1,host2/db?sslmode=verify-full
  std::string password{};       // when it is not in the URL, PGPASSWORD or a password file
  std::string application = "holdfast";
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds deadline{10'000};                // for an answer of the server
  std::chrono::milliseconds statement_timeout{5'000};        // 0: none
  std::chrono::milliseconds lock_timeout{3'000};
  std::chrono::milliseconds idle_in_transaction{2'000};
  bool durable = true;          // synchronous_commit=on; false: off, for what can be made again
  bool read_write = true;       // only a primary will do
};

// The URL with its password, if it has one, as `***`: for logs and errors.
std::string without_password(std::string_view url);

class Connection {
 public:
  // Connects. Throws Error.
  explicit Connection(const Settings& settings);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False once the connection was lost; it must be thrown away.
  bool is_usable() const { return usable_; }
  // The result of each is taken by receive(), in the order of sending.
  void send(const Statement& statement, const Parameters& parameters = {});
  // Ends a group: the server does nothing of the group after its first error, and what is sent next begins anew. Everything goes
  // out.
  void sync();
  Result receive();
  // The end of a group whose results have been taken.
  void end_sync();
  // After an error: takes what is still on its way. A transaction stays as it is: open, and failed. Throws Error when the
  // connection is lost.
  void take_rest();
  // The same, and ends an open transaction; the connection is as new, or not usable. Does not throw.
  void reset();
  // How long an answer of the server may take from now on; Settings::deadline until then.
  std::chrono::milliseconds deadline() const { return deadline_; }
  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }
  // It is not to be used any more.
  void discard() { usable_ = false; }

  // Sends `calls` after what has been sent already, ends the group and waits for it: the results of all statements of the group, in the
  // order of sending. No other group may be on its way. Throws what the first statement that failed threw.
  std::vector<Result> round_trip(std::initializer_list<Call> calls = {});
  // One statement, one round trip.
  Result query(const Statement& statement, const Parameters& parameters = {});
  // Several statements without parameters, by the simple protocol: for migrations. The rows of the last one, as text.
  Result run_script(const std::string& sql);

  // Whether the server warned of a commit since the last call: it may not have reached a synchronous standby.
  bool take_commit_warning() { return std::exchange(commit_warning_, false); }
  // What LISTEN has heard; waits at most so long for the first.
  std::vector<std::string> take_notifications(std::chrono::milliseconds wait);

  std::string host() const;   // host:port, for logs
  const std::string& application() const { return application_; }
  int backend_pid() const { return PQbackendPID(handle_.get()); }

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
  void finish_group();
  void hear(const PGresult* notice);

  std::chrono::milliseconds deadline_;
  std::string application_;
  std::unique_ptr<PGconn, Finish> handle_;
  std::deque<Expected> expected_;
  std::unordered_map<std::string_view, const char*> prepared_;   // what stands behind a name
  std::unordered_set<std::string_view> preparing_;
  bool usable_ = true;
  bool commit_warning_ = false;
  const char* awaited_ = nullptr;   // the statement whose result was awaited last
};

// Gives the server more time for each answer, until the end of a scope. The server's own limit, statement_timeout, is raised apart.
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

}  // namespace holdfast::pg
