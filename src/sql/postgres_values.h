// The values of a statement and the rows of its result, in PostgreSQL's binary protocol. One thread at a time.
//
//   const auto values = pg::Parameters().event(7).seq(12).text("A-1-4");     // $1, $2, $3
//   for (int row = 0; row < result.rows(); ++row) use(result.seq(row, 0), result.text(row, 1));
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"

namespace holdfast::pg {

struct ArrayType;   // of elements, and of the array that has them

// Values for $1, $2, …, copied.
//
// PostgreSQL has no unsigned types. unsigned4(), event() and seat() keep the bits of a number in an int4, unsigned8() and seq() in an int8.
// Result reads them with the functions of the same names.
class Parameters {
 public:
  Parameters& int2(std::int16_t value);
  Parameters& int4(std::int32_t value);
  Parameters& int8(std::int64_t value);
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
  Parameters& seats(std::span<const SeatIndex> values);   // int4[]
  Parameters& seqs(std::span<const Seq> values);   // int8[]
  Parameters& texts(std::span<const std::string> values);
  Parameters& texts(std::span<const std::string_view> values);
  Parameters& byte_strings(std::span<const std::string_view> values);   // bytea[]
  Parameters& uuids(std::span<const Uuid> values);
  // An element without a value is NULL.
  Parameters& uuids(std::span<const std::optional<Uuid>> values);

 private:
  friend class Connection;
  void add(Oid type, std::size_t begin);
  template <typename Value, typename Append>
  Parameters& array(ArrayType type, std::span<const Value> values, Append append, bool has_nulls = false);
  void append_element(std::string_view value);
  Parameters& raw(Oid type, std::string_view value);
  template <typename Number>
  Parameters& number(Oid type, Number value);
  template <typename Number>
  Parameters& numbers(ArrayType type, std::span<const Number> values);
  template <typename Text>
  Parameters& strings(ArrayType type, std::span<const Text> values);

  std::string bytes_;
  std::vector<Oid> types_;
  std::vector<std::pair<std::size_t, int>> places_;   // begin and length of each value in bytes_; length -1: NULL
};

inline constexpr Oid k_oid_bool = 16, k_oid_bytea = 17, k_oid_int8 = 20, k_oid_int2 = 21, k_oid_int4 = 23, k_oid_text = 25,
                     k_oid_float8 = 701, k_oid_uuid = 2950;

// The rows of one statement. Reading a column as a type that it does not have, or reading a NULL as a number, is a bug (HOLDFAST_CHECK).
class Result {
 public:
  explicit Result(PGresult* result) : result_(result) {}

  int rows() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::int16_t int2(int row, int column) const;
  std::int32_t int4(int row, int column) const;
  std::int64_t int8(int row, int column) const;
  bool boolean(int row, int column) const;
  std::uint32_t unsigned4(int row, int column) const { return static_cast<std::uint32_t>(int4(row, column)); }
  std::uint64_t unsigned8(int row, int column) const { return static_cast<std::uint64_t>(int8(row, column)); }
  EventNumber event(int row, int column) const { return unsigned4(row, column); }
  SeatIndex seat(int row, int column) const { return unsigned4(row, column); }
  Seq seq(int row, int column) const { return unsigned8(row, column); }
  std::string_view text(int row, int column) const;   // also of bytea; valid as long as the result
  std::string_view bytes(int row, int column) const { return text(row, column); }
  Uuid uuid(int row, int column) const;
  std::vector<std::int32_t> int4s(int row, int column) const;   // of an int4[] without NULLs
  // Number of rows that an INSERT, UPDATE or DELETE changed.
  std::uint64_t affected() const;
  // The server's tag for the statement: COMMIT, ROLLBACK, INSERT 0 1, …
  std::string_view tag() const { return PQcmdStatus(result_.get()); }
  ExecStatusType status() const { return PQresultStatus(result_.get()); }
  const PGresult* get() const { return result_.get(); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}   // namespace holdfast::pg
