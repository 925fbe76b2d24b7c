// JSON as tests compare it: whole bodies, the exact set of their members, and times to the millisecond.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::test {

using Json = boost::json::value;

// Throws std::runtime_error with the text if it is not JSON.
Json parse_json(std::string_view text);

std::set<std::string> members_of(const Json& object);
std::vector<std::string> strings_of(const Json& array);
std::string string_of(const Json& value);   // of a string

// ["a","b"], with every character that needs it escaped.
std::string json_of(const std::vector<std::string>& strings);
std::string json_of(std::string_view string);

// Milliseconds since 1970 of an RFC 3339 time in UTC that ends in `Z`. Throws for any other form.
std::int64_t millis_of(std::string_view time);
std::int64_t millis_of(const Json& time);

}  // namespace holdfast::test
