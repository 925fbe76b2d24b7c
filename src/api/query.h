// The parameters of a request's query: known, unique and decoded.
//
//   const auto query = Query::read(call, {"limit", "cursor"});
//   if (!query) co_return;   // the answer is there: 400
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/call.h"

namespace holdfast::api {

class Query {
 public:
  // Reads the request's query, which may have the parameters `known`. Nothing if one is unknown, repeated or malformed; then the answer is
  // there (400).
  static std::optional<Query> read(Call& call, std::initializer_list<std::string_view> known);

  // A parameter's decoded value; nullptr if it is absent.
  const std::string* find(std::string_view name) const;
  // A whole number from `least` to `most`, or `otherwise` if the parameter is absent. Nothing for any other value; then the answer is there
  // (400).
  std::optional<std::int64_t> whole(Call& call, std::string_view name, std::int64_t least, std::int64_t most, std::int64_t otherwise) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// Names as a message lists them: `a`, `b`, `c`.
std::string list_of(std::initializer_list<std::string_view> names);

// Decodes percent-encoding. In a query, `+` is a space too. Nothing if the encoding is malformed or the text has a NUL.
std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space);

}   // namespace holdfast::api
