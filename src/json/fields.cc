#include "json/fields.h"

#include <boost/json/value.hpp>
#include <cmath>

namespace holdfast {

std::optional<std::string_view> read_text(const boost::json::object& object, std::string_view name, std::size_t bytes_max, bool required,
                                          std::string& problem) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) {
    if (required) problem = "`" + std::string(name) + "` is missing.";
    return std::nullopt;
  }
  if (!value->is_string()) {
    problem = "`" + std::string(name) + "` must be a string.";
    return std::nullopt;
  }
  const std::string_view text = value->get_string();
  if (text.empty() || text.size() > bytes_max) {
    problem = "`" + std::string(name) + "` must have 1 to " + std::to_string(bytes_max) + " bytes.";
    return std::nullopt;
  }
  return text;
}

std::optional<std::int64_t> read_whole(const boost::json::object& object, std::string_view name, std::int64_t least, std::int64_t most,
                                       bool required, std::string& problem) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) {
    if (required) problem = "`" + std::string(name) + "` is missing.";
    return std::nullopt;
  }
  std::optional<std::int64_t> number;
  if (value->is_int64()) number = value->get_int64();
  if (value->is_double() && std::trunc(value->get_double()) == value->get_double() && std::abs(value->get_double()) < 1e15) {
    number = static_cast<std::int64_t>(value->get_double());   // 600.0 is a whole number
  }
  if (!number || *number < least || *number > most) {
    problem = "`" + std::string(name) + "` must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ".";
    return std::nullopt;
  }
  return number;
}

std::optional<bool> read_flag(const boost::json::object& object, std::string_view name, std::string& problem) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  problem = "`" + std::string(name) + "` must be true or false.";
  return std::nullopt;
}

bool is_blank(std::string_view text) {
  // ASCII white space, and U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F and U+3000 as UTF-8.
  while (!text.empty()) {
    if (std::string_view(" \t\n\v\f\r").find(text[0]) != std::string_view::npos) {
      text.remove_prefix(1);
    } else if (text.starts_with("\xC2\x85") || text.starts_with("\xC2\xA0")) {
      text.remove_prefix(2);
    } else if (text.starts_with("\xE1\x9A\x80") || text.starts_with("\xE2\x81\x9F") || text.starts_with("\xE3\x80\x80") ||
               text.starts_with("\xE2\x80\xA8") || text.starts_with("\xE2\x80\xA9") || text.starts_with("\xE2\x80\xAF") ||
               (text.size() >= 3 && text.starts_with("\xE2\x80") && text[2] >= '\x80' && text[2] <= '\x8A')) {
      text.remove_prefix(3);
    } else {
      return false;
    }
  }
  return true;
}

}   // namespace holdfast
