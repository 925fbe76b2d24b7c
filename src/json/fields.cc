#include "json/fields.h"

#include <boost/json/value.hpp>
#include <cmath>

namespace holdfast {

const boost::json::value* FieldReader::present(std::string_view name) const {
  const boost::json::value* value = object_ == nullptr ? nullptr : object_->if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const boost::json::value* FieldReader::find(std::string_view name, Required required) {
  if (!problem_.empty()) return nullptr;
  const boost::json::value* value = present(name);
  if (value == nullptr && required == Required::yes) reject(name, "is missing");
  return value;
}

void FieldReader::reject(std::string_view name, std::string_view what) {
  if (problem_.empty()) problem_.append("`").append(path_).append(name).append("` ").append(what).append(".");
}

bool FieldReader::has(std::string_view name) const { return present(name) != nullptr; }

std::optional<std::string_view> FieldReader::string(std::string_view name, Required required) {
  const boost::json::value* value = find(name, required);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get_string();
  reject(name, "must be a string");
  return std::nullopt;
}

std::optional<std::string_view> FieldReader::text(std::string_view name, std::size_t bytes_max, Required required) {
  const auto text = string(name, required);
  if (!text || (!text->empty() && text->size() <= bytes_max)) return text;
  reject(name, "must have 1 to " + std::to_string(bytes_max) + " bytes");
  return std::nullopt;
}

std::optional<std::string_view> FieldReader::name(std::string_view name, std::size_t bytes_max, Required required) {
  const auto text = this->text(name, bytes_max, required);
  if (!text) return std::nullopt;
  if (!is_blank(*text) && text->find('\0') == std::string_view::npos) return text;
  reject(name, "must be more than white space, and must not have the character U+0000");
  return std::nullopt;
}

std::optional<Uuid> FieldReader::uuid(std::string_view name, Required required) {
  const auto text = string(name, required);
  if (!text) return std::nullopt;
  const auto id = parse_uuid(*text);
  if (!id) reject(name, "must be a UUID");
  return id;
}

std::optional<std::int64_t> FieldReader::whole(std::string_view name, std::int64_t least, std::int64_t most, Required required) {
  const boost::json::value* value = find(name, required);
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> number;
  if (value->is_int64()) number = value->get_int64();
  if (value->is_double() && std::trunc(value->get_double()) == value->get_double() && std::abs(value->get_double()) < 1e15) {
    number = static_cast<std::int64_t>(value->get_double());
  }
  if (number && *number >= least && *number <= most) return number;
  reject(name, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

std::optional<bool> FieldReader::flag(std::string_view name) {
  const boost::json::value* value = find(name, Required::no);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  reject(name, "must be true or false");
  return std::nullopt;
}

FieldReader FieldReader::inside(std::string_view name) {
  const boost::json::value* value = find(name, Required::no);
  if (value != nullptr && !value->is_object()) reject(name, "must be an object");
  FieldReader reader(value == nullptr ? nullptr : value->if_object(), problem_);
  reader.path_ = path_ + std::string(name) + ".";
  return reader;
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
