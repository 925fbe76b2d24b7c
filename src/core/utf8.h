// UTF-8 as callers send it, which may be any bytes. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

// How many bytes the character has that `text` begins with; 0: it begins with none (or is empty). By the table of the Unicode standard:
// no overlong forms, no surrogates, nothing above U+10FFFF.
std::size_t utf8_character_bytes(std::string_view text);

bool is_utf8(std::string_view text);

// Whether a character of `text`, which is UTF-8, can change how the text around it is shown: the control characters of C0 and C1, U+007F, the
// separators U+2028 and U+2029, and what sets the direction of writing (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069).
bool has_control(std::string_view text);
// The same text with each of them replaced by a space.
std::string without_controls(std::string_view text);

}   // namespace holdfast
