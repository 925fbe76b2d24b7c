#include "json/json.h"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "json/member_names.h"

namespace holdfast {
namespace {

constexpr std::size_t k_depth_max = 16;

boost::json::parse_options options() {
  boost::json::parse_options strict;   // no comments, no trailing commas, valid UTF-8 only
  strict.max_depth = k_depth_max;
  return strict;
}

// The member with bytes that are not UTF-8; empty if there is none.
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

// Counts the members in a JSON text by the colons outside strings.
std::size_t members_written(std::string_view text) {
  std::size_t colons = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (inside) {
      if (text[i] == '\\') {
        ++i;   // skips the escaped character
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

// A handler for Boost.JSON's parser that stops at the first duplicate member. `a` and its escaped form are the same name.
struct DuplicateFinder : HandlerWithoutLimits {
  MemberNames names;
  std::string name;

  bool on_object_begin(Error&) {
    names.open();
    return true;
  }
  bool on_object_end(std::size_t, Error&) {
    names.close();
    return true;
  }
  bool on_key_part(Text part, std::size_t, Error&) {
    name += part;
    return true;
  }
  bool on_key(Text part, std::size_t, Error& error) {
    name += part;
    if (names.add(name)) {
      name.clear();
      return true;
    }
    error = boost::json::error::syntax;
    return false;
  }
};

// The first duplicate member. The text must be JSON and have one.
std::string find_duplicate(std::string_view text) {
  boost::json::basic_parser<DuplicateFinder> parser(options());
  boost::json::error_code error;
  parser.write_some(false, text.data(), text.size(), error);
  return std::move(parser.handler().name);
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
    problem_ = duplicate_member(find_duplicate(body));
  } else {
    object_ = &value_.get_object();
  }
}

// If bytes that are not UTF-8 are all that is wrong with the body, the problem names their member.
void JsonBody::name_bad_bytes(std::string_view body) {
  boost::json::parse_options lenient = options();
  lenient.allow_invalid_utf8 = true;
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error, {}, lenient);
  if (error || !value.is_object()) return;
  const std::string member = member_not_utf8(value.get_object());
  problem_ = member.empty() ? "The body is not UTF-8." : "`" + member + "` is not UTF-8.";
}

}  // namespace holdfast
