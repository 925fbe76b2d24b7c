// Reading and writing JSON: JsonBody, Json and append_json().
//
// Properties: a body that is read and written with Json is read again to the same value. A text of any bytes, written by append_json(), is
// JSON; it is the same text after reading if it was UTF-8. A body is either an object or a problem. Whatever read_plain_texts() takes, JsonBody
// reads to the same texts.
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/utf8.h"
#include "fuzz/property.h"
#include "json/json.h"
#include "json/plain_texts.h"

namespace holdfast {
namespace {

using fuzz::require;

// Numbers that Boost.JSON reads as infinity, or as not a number (0 times infinity). It cannot read what its own serialize()
// writes for them.
std::string_view text_of_not_finite(double real) {
  if (std::isnan(real)) return "0e999";
  return real > 0 ? "9e308" : "-9e308";
}

void write(Json& json, const boost::json::value& value) {
  if (const auto* object = value.if_object()) {
    json.object([&] {
      for (const auto& [name, inner] : *object) {
        json.member(name);
        write(json, inner);
      }
    });
  } else if (const auto* array = value.if_array()) {
    json.array([&] {
      for (const boost::json::value& item : *array) write(json, item);
    });
  } else if (const auto* text = value.if_string()) {
    json.text(*text);
  } else if (const auto* number = value.if_int64()) {
    json.number(*number);
  } else if (const auto* real = value.if_double(); real != nullptr && !std::isfinite(*real)) {
    json.raw(text_of_not_finite(*real));
  } else {
    json.raw(boost::json::serialize(value));   // what Json has no function for: doubles, numbers over 2^63, true, false, null
  }
}

// Boost.JSON reads a double to within its last digits, so a double that is written and read again may differ there.
bool is_same(const boost::json::value& a, const boost::json::value& b) {
  if (a.kind() != b.kind()) return false;
  if (const auto* object = a.if_object()) {
    if (object->size() != b.get_object().size()) return false;
    for (const auto& [name, inner] : *object) {
      const boost::json::value* other = b.get_object().if_contains(name);
      if (other == nullptr || !is_same(inner, *other)) return false;
    }
    return true;
  }
  if (const auto* array = a.if_array()) {
    if (array->size() != b.get_array().size()) return false;
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (!is_same((*array)[i], b.get_array()[i])) return false;
    }
    return true;
  }
  if (const auto* real = a.if_double()) {
    const double other = b.get_double();
    return *real == other || (std::isnan(*real) && std::isnan(other)) || std::abs(*real - other) <= 1e-13 * std::abs(*real);
  }
  return a == b;
}

void check_body(std::string_view bytes) {
  const JsonBody body(bytes);
  require((body.object() == nullptr) != body.problem().empty(), "a body is an object, or has a problem");
  if (body.object() == nullptr) return;
  std::string text;
  Json json(text);
  const boost::json::value value(*body.object());
  write(json, value);
  const JsonBody again(text);
  require(again.object() != nullptr, "an object that was written again is read");
  require(is_same(value, boost::json::value(*again.object())), "an object that was written again is the same");
}

void check_text(std::string_view bytes) {
  std::string written = "{\"text\":";
  append_json(written, bytes);
  written += '}';
  const JsonBody body(written);
  require(body.object() != nullptr, "any bytes are JSON when they are written as a text");
  const boost::json::string& read = body.object()->at("text").get_string();
  if (is_utf8(bytes)) require(std::string_view(read) == bytes, "a text that is UTF-8 is the same after reading");
}

void check_plain_texts(std::string_view bytes) {
  constexpr std::array<std::string_view, 2> k_names{"a", "seatId"};
  std::array<std::optional<std::string_view>, 2> values;
  if (!read_plain_texts(bytes, k_names, values)) return;
  const JsonBody body(bytes);
  require(body.object() != nullptr, "plain texts are an object");
  std::size_t members = 0;
  for (std::size_t i = 0; i < k_names.size(); ++i) {
    if (!values[i]) continue;
    ++members;
    const boost::json::value* value = body.object()->if_contains(k_names[i]);
    require(value != nullptr && value->is_string() && std::string_view(value->get_string()) == *values[i], "a plain text is the member's");
  }
  require(members == body.object()->size(), "plain texts are all of the object's members");
}

void check(std::string_view bytes) {
  check_body(bytes);
  check_plain_texts(bytes);
  check_text(bytes);
}

}   // namespace
}   // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
