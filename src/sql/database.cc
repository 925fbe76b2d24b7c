#include "sql/database.h"

#include <stdexcept>

#include "core/check.h"

namespace holdfast::sql {
namespace {

[[noreturn]] void refuse(int row, int column, const char* wanted) {
  throw std::runtime_error("row " + std::to_string(row) + ", column " + std::to_string(column) + " of a result is not " + wanted +
                           ": was the table changed by hand?");
}

}  // namespace

const Result::Cell& Result::cell(int row, int column) const {
  HOLDFAST_CHECK(row >= 0 && row < rows() && column >= 0 && column < columns_);
  return cells_[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(column)];
}

std::int64_t Result::integer(int row, int column) const {
  const auto* const value = std::get_if<std::int64_t>(&cell(row, column));
  if (value == nullptr) refuse(row, column, "a number");
  return *value;
}

std::optional<std::int64_t> Result::integer_or_null(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return integer(row, column);
}

std::string_view Result::text(int row, int column) const {
  const auto* const value = std::get_if<std::string>(&cell(row, column));
  if (value == nullptr) refuse(row, column, "a text");
  return *value;
}

Uuid Result::uuid(int row, int column) const {
  if (const auto* const value = std::get_if<Uuid>(&cell(row, column))) return *value;
  const std::optional<Uuid> value = parse_uuid(text(row, column));
  if (!value) refuse(row, column, "a UUID");
  return *value;
}

}  // namespace holdfast::sql
