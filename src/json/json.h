// Reading and writing JSON: Boost.JSON to read, appending to a string to write.
#pragma once

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_text.h"

namespace holdfast {

// Writes objects and arrays in order, commas included:
//
//   Json json(out);
//   json.object([&] { json.member("id", id); json.array("seats", [&] { json.text("a"); }); });
class Json {
 public:
  explicit Json(std::string& out) : out_(out) {}

  template <typename Body>
  void object(Body body) {
    open('{');
    body();
    close('}');
  }
  template <typename Body>
  void array(Body body) {
    open('[');
    body();
    close(']');
  }
  // A member that is an object or an array.
  template <typename Body>
  void object(std::string_view name, Body body) {
    member(name);
    object(std::move(body));
  }
  template <typename Body>
  void array(std::string_view name, Body body) {
    member(name);
    array(std::move(body));
  }
  // A member that is an array with a value for each item, which `append(item)` writes.
  template <typename Items, typename Append>
  void array(std::string_view name, const Items& items, Append append) {
    array(name, [&] {
      for (const auto& item : items) append(item);
    });
  }
  template <typename Texts>
  void texts(std::string_view name, const Texts& items) {
    array(name, items, [&](std::string_view item) { text(item); });
  }
  // Names the next value.
  void member(std::string_view name) {
    separate();
    append_json(out_, name);
    out_ += ':';
    first_ = true;
  }
  void member(std::string_view name, std::string_view value) {
    member(name);
    text(value);
  }
  void member(std::string_view name, const char* value) { member(name, std::string_view(value)); }
  void member(std::string_view name, std::integral auto value) {
    member(name);
    number(static_cast<std::int64_t>(value));
  }
  void member(std::string_view name, bool value) {
    member(name);
    raw(value ? "true" : "false");
  }
  void member(std::string_view name, std::floating_point auto value) = delete;   // it would become a bool
  // null for an empty text
  void member_or_null(std::string_view name, std::string_view value) {
    member(name);
    value.empty() ? null() : text(value);
  }
  void text(std::string_view value) {
    separate();
    append_json(out_, value);
  }
  void number(std::int64_t value) { raw(std::to_string(value)); }
  void null() { raw("null"); }
  // A text that is already JSON.
  void raw(std::string_view json) {
    separate();
    out_ += json;
  }

 private:
  void open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

// Parses a text that must be a JSON object: at most 16 levels deep, in UTF-8, without duplicate members. Its values live as long as this does.
// A FieldReader (fields.h) reads its members.
class JsonBody {
 public:
  explicit JsonBody(std::string_view body);

  const boost::json::object* object() const { return object_; }   // nullptr if the text is not such an object
  const std::string& problem() const { return problem_; }   // why not, as a sentence; else empty

 private:
  void name_bad_bytes(std::string_view body);

  alignas(16) unsigned char buffer_[2'048];
  boost::json::monotonic_resource memory_;
  boost::json::value value_;
  const boost::json::object* object_ = nullptr;
  std::string problem_;
};

}   // namespace holdfast
