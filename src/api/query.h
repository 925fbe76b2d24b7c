// The parameters after `?`: each known, there once, decoded.
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
  // Reads the request's query, which may have the parameters `known`. Nothing when one is unknown, repeated, or its encoding is malformed;
  // then the answer is there (400).
  static std::optional<Query> read(Call& call, std::initializer_list<std::string_view> known);

  // A parameter's value, without its encoding; nullptr when it is not there.
  const std::string* find(std::string_view name) const;
  // A whole number within [least, most], `otherwise` when it is not there. Nothing when it is anything else; then the answer is there (400).
  std::optional<std::int64_t> whole(Call& call, std::string_view name, std::int64_t least, std::int64_t most, std::int64_t otherwise) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// A text without its percent-encoding; of a query also `+` is a space. Nothing when that is malformed, or gives a NUL.
std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space);

}   // namespace holdfast::api
