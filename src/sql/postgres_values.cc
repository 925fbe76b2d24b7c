#include "sql/postgres_values.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "core/bytes.h"
#include "core/check.h"

namespace holdfast::pg {

struct ArrayType {
  Oid element;
  Oid array;
};

namespace {

static_assert(std::endian::native == std::endian::little);   // the protocol's numbers are big-endian

template <typename Integer>
void append_number(std::string& out, Integer value) {
  const auto bytes = std::bit_cast<std::array<char, sizeof value>>(std::byteswap(value));
  out.append(bytes.data(), bytes.size());
}

void append_number(std::string& out, double value) { append_number(out, std::bit_cast<std::int64_t>(value)); }

template <typename Integer>
Integer read_integer(const char* at) {
  Integer value;
  std::memcpy(&value, at, sizeof value);
  return std::byteswap(value);
}

constexpr ArrayType k_byte_strings{k_oid_bytea, 1001}, k_int2s{k_oid_int2, 1005}, k_int4s{k_oid_int4, 1007}, k_texts{k_oid_text, 1009},
    k_int8s{k_oid_int8, 1016}, k_real8s{k_oid_float8, 1022}, k_uuids{k_oid_uuid, 2951};

}   // namespace

void Parameters::add(Oid type, std::size_t begin) {
  types_.push_back(type);
  places_.emplace_back(begin, static_cast<int>(bytes_.size() - begin));
}

template <typename Number>
Parameters& Parameters::number(Oid type, Number value) {
  const std::size_t begin = bytes_.size();
  append_number(bytes_, value);
  add(type, begin);
  return *this;
}

Parameters& Parameters::int2(std::int16_t value) { return number(k_oid_int2, value); }
Parameters& Parameters::int4(std::int32_t value) { return number(k_oid_int4, value); }
Parameters& Parameters::int8(std::int64_t value) { return number(k_oid_int8, value); }

Parameters& Parameters::raw(Oid type, std::string_view value) {
  const std::size_t begin = bytes_.size();
  bytes_.append(value);
  add(type, begin);
  return *this;
}

Parameters& Parameters::boolean(bool value) { return raw(k_oid_bool, {value ? "\1" : "\0", 1}); }
Parameters& Parameters::text(std::string_view value) { return raw(k_oid_text, value); }
Parameters& Parameters::bytes(std::string_view value) { return raw(k_oid_bytea, value); }
Parameters& Parameters::uuid(const Uuid& value) { return raw(k_oid_uuid, as_bytes(value)); }

Parameters& Parameters::null(Oid type) {
  types_.push_back(type);
  places_.emplace_back(bytes_.size(), -1);
  return *this;
}

// One dimension, numbered from 1. An empty array has no dimension. `append` appends a value with its length.
template <typename Value, typename Append>
Parameters& Parameters::array(ArrayType type, std::span<const Value> values, Append append, bool has_nulls) {
  const std::size_t begin = bytes_.size();
  append_number(bytes_, std::int32_t{!values.empty()});
  append_number(bytes_, std::int32_t{has_nulls});
  append_number(bytes_, static_cast<std::int32_t>(type.element));
  if (!values.empty()) {
    append_number(bytes_, static_cast<std::int32_t>(values.size()));
    append_number(bytes_, std::int32_t{1});
  }
  for (const Value& value : values) append(value);
  add(type.array, begin);
  return *this;
}

template <typename Number>
Parameters& Parameters::numbers(ArrayType type, std::span<const Number> values) {
  return array(type, values, [this](Number value) {
    append_number(bytes_, std::int32_t{sizeof value});
    append_number(bytes_, value);
  });
}

Parameters& Parameters::int2s(std::span<const std::int16_t> values) { return numbers(k_int2s, values); }
Parameters& Parameters::int4s(std::span<const std::int32_t> values) { return numbers(k_int4s, values); }
Parameters& Parameters::int8s(std::span<const std::int64_t> values) { return numbers(k_int8s, values); }
Parameters& Parameters::real8s(std::span<const double> values) { return numbers(k_real8s, values); }
Parameters& Parameters::events(std::span<const EventNumber> values) { return numbers(k_int4s, values); }
Parameters& Parameters::seats(std::span<const SeatIndex> values) { return numbers(k_int4s, values); }
Parameters& Parameters::seqs(std::span<const Seq> values) { return numbers(k_int8s, values); }

void Parameters::append_element(std::string_view value) {
  append_number(bytes_, static_cast<std::int32_t>(value.size()));
  bytes_.append(value);
}

template <typename Text>
Parameters& Parameters::strings(ArrayType type, std::span<const Text> values) {
  return array(type, values, [this](std::string_view value) { append_element(value); });
}

Parameters& Parameters::texts(std::span<const std::string> values) { return strings(k_texts, values); }
Parameters& Parameters::texts(std::span<const std::string_view> values) { return strings(k_texts, values); }
Parameters& Parameters::byte_strings(std::span<const std::string_view> values) { return strings(k_byte_strings, values); }

Parameters& Parameters::uuids(std::span<const Uuid> values) {
  return array(k_uuids, values, [this](const Uuid& value) { append_element(as_bytes(value)); });
}

Parameters& Parameters::uuids(std::span<const std::optional<Uuid>> values) {
  const auto append = [this](const std::optional<Uuid>& value) {
    value ? append_element(as_bytes(*value)) : append_number(bytes_, std::int32_t{-1});
  };
  return array(k_uuids, values, append, true);
}

// ---------------------------------------------------------------------------------------------------------------- results

namespace {

const char* value_at(const PGresult* result, int row, int column, Oid type, int length) {
  HOLDFAST_CHECK(PQftype(result, column) == type);
  HOLDFAST_CHECK(PQgetisnull(result, row, column) == 0 && PQgetlength(result, row, column) == length);
  return PQgetvalue(result, row, column);
}

}   // namespace

std::int16_t Result::int2(int row, int column) const {
  return read_integer<std::int16_t>(value_at(result_.get(), row, column, k_oid_int2, 2));
}
std::int32_t Result::int4(int row, int column) const {
  return read_integer<std::int32_t>(value_at(result_.get(), row, column, k_oid_int4, 4));
}
std::int64_t Result::int8(int row, int column) const {
  return read_integer<std::int64_t>(value_at(result_.get(), row, column, k_oid_int8, 8));
}
bool Result::boolean(int row, int column) const { return *value_at(result_.get(), row, column, k_oid_bool, 1) != '\0'; }

std::string_view Result::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Uuid Result::uuid(int row, int column) const {
  Uuid id{};
  std::memcpy(id.data, value_at(result_.get(), row, column, k_oid_uuid, sizeof id.data), sizeof id.data);
  return id;
}

std::vector<std::int32_t> Result::int4s(int row, int column) const {
  constexpr std::size_t k_header = 20;
  HOLDFAST_CHECK(PQftype(result_.get(), column) == k_int4s.array);
  const std::string_view value = text(row, column);
  std::vector<std::int32_t> values;
  if (value.size() < k_header) return values;
  const auto count = static_cast<std::size_t>(read_integer<std::int32_t>(value.data() + 12));
  HOLDFAST_CHECK(value.size() == k_header + count * 8);
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) values.push_back(read_integer<std::int32_t>(value.data() + k_header + i * 8 + 4));
  return values;
}

std::uint64_t Result::affected() const {
  const std::string_view number = PQcmdTuples(result_.get());
  std::uint64_t value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value;
}

}   // namespace holdfast::pg
