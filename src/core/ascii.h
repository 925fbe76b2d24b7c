// Comparing ASCII text, as HTTP and JSON's users write it.
#pragma once

#include <algorithm>
#include <string_view>

namespace holdfast {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Whether both are the same but for the case of ASCII letters. Other bytes must be equal.
constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

}   // namespace holdfast
