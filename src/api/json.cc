#include "api/json.h"

#include <algorithm>
#include <boost/json.hpp>

namespace holdfast::api {
namespace {

constexpr std::size_t k_depth_max = 16;

boost::json::parse_options options() {
  boost::json::parse_options strict;   // no comments, no trailing commas, valid UTF-8 only
  strict.max_depth = k_depth_max;
  return strict;
}

// Of a body whose only fault is bytes that are not UTF-8: the member that has them.
std::string member_not_utf8(const boost::json::object& object) {
  for (const auto& [name, value] : object) {
    if (value.is_object()) {
      if (std::string inner = member_not_utf8(value.get_object()); !inner.empty()) return inner;
      continue;
    }
    boost::json::error_code error;
    boost::json::parse(boost::json::serialize(value), error);
    if (error) return std::string(name);
  }
  return {};
}

// Counts the members of a text that is JSON: the colons outside strings.
std::size_t members_written(std::string_view text) {
  std::size_t colons = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (inside) {
      if (text[i] == '\\') {
        ++i;   // whatever is escaped
      } else if (text[i] == '"') {
        inside = false;
      }
    } else if (text[i] == '"') {
      inside = true;
    } else {
      colons += text[i] == ':';
    }
  }
  return colons;
}

std::size_t members_kept(const boost::json::value& value) {
  std::size_t members = 0;
  if (value.is_object()) {
    members = value.get_object().size();
    for (const auto& member : value.get_object()) members += members_kept(member.value());
  } else if (value.is_array()) {
    for (const boost::json::value& item : value.get_array()) members += members_kept(item);
  }
  return members;
}

// The first member of a JSON text that stands in its object twice, as it is written; empty when it is written in two ways.
std::string repeated_member(std::string_view text) {
  std::vector<std::vector<std::string_view>> objects;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') objects.emplace_back();
    if (text[i] == '}') objects.pop_back();
    if (text[i] != '"') continue;
    const std::size_t begin = ++i;
    while (text[i] != '"') i += text[i] == '\\' ? 2 : 1;
    const std::string_view word = text.substr(begin, i - begin);
    const std::size_t next = text.find_first_not_of(" \t\r\n", i + 1);
    if (next == std::string_view::npos || text[next] != ':') continue;
    if (std::ranges::find(objects.back(), word) != objects.back().end()) return std::string(word);
    objects.back().push_back(word);
  }
  return {};
}

}  // namespace

JsonBody::JsonBody(std::string_view body) : memory_(buffer_, sizeof buffer_) {
  boost::json::error_code error;
  value_ = boost::json::parse(body, error, &memory_, options());
  if (body.empty()) {
    problem_ = "The body is empty; it must be a JSON object.";
  } else if (error) {
    problem_ = "The body is not JSON: " + error.message() + ".";
    name_bad_bytes(body);
  } else if (!value_.is_object()) {
    problem_ = "The body must be a JSON object.";
  } else if (members_written(body) != members_kept(value_)) {
    const std::string member = repeated_member(body);
    problem_ = member.empty() ? "A member stands in the body twice." : "`" + member + "` stands in the body twice.";
  } else {
    object_ = &value_.get_object();
  }
}

// When the body would be JSON but for bytes that are not UTF-8, the problem names their member.
void JsonBody::name_bad_bytes(std::string_view body) {
  boost::json::parse_options lenient = options();
  lenient.allow_invalid_utf8 = true;
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error, {}, lenient);
  if (error || !value.is_object()) return;
  const std::string member = member_not_utf8(value.get_object());
  problem_ = member.empty() ? "The body is not UTF-8." : "`" + member + "` is not UTF-8.";
}

}  // namespace holdfast::api
