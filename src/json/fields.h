// Reads the members of a JSON object (json.h) one by one, and says in words for the client what is wrong with the first that is wrong.
//
//   const JsonBody body(text);
//   std::string problem = body.problem();
//   FieldReader fields(body.object(), problem);
//   const auto order = fields.name("orderId", k_order_bytes_max, Required::yes);
//   const auto seconds = fields.whole("holdSeconds", 1, k_hold_seconds_max);
//   if (!problem.empty()) …   // "`orderId` is missing."
//
// A member that is absent or null is nothing, and a problem only if it is required. Texts point into the object. Not for several threads at
// once.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

enum class Required : bool { no, yes };

class FieldReader {
 public:
  // `problem` gets the first problem; while it has one, every read returns nothing. Both must outlive the reader. nullptr is an object without
  // members.
  FieldReader(const boost::json::object* object, std::string& problem) : object_(object), problem_(problem) {}

  // Whether the member is there and not null.
  bool has(std::string_view name) const;

  // Text of 1 to `bytes_max` bytes.
  std::optional<std::string_view> text(std::string_view name, std::size_t bytes_max, Required required = Required::no);
  // The name of a customer, an order or a seat's row: text of 1 to `bytes_max` bytes that is not blank and has no character U+0000.
  std::optional<std::string_view> name(std::string_view name, std::size_t bytes_max, Required required = Required::no);
  std::optional<Uuid> uuid(std::string_view name, Required required = Required::no);
  // A whole number from `least` to `most`; 600.0 is one.
  std::optional<std::int64_t> whole(std::string_view name, std::int64_t least, std::int64_t most, Required required = Required::no);
  std::optional<bool> flag(std::string_view name);
  // A reader of an object inside this one, with the same problem. An absent object has no members.
  FieldReader inside(std::string_view name);

  // Notes a problem that the caller found with a member: `reject("url", "must have a host")`. Keeps an earlier problem.
  void reject(std::string_view name, std::string_view what);

 private:
  const boost::json::value* present(std::string_view name) const;
  const boost::json::value* find(std::string_view name, Required required);
  std::optional<std::string_view> string(std::string_view name, Required required);

  const boost::json::object* object_;
  std::string& problem_;
  std::string path_{};   // precedes members' names in problems: `limits.`
};

// Whether a text has nothing but white space, by Unicode's list of it. An empty text is blank.
bool is_blank(std::string_view text);

}   // namespace holdfast
