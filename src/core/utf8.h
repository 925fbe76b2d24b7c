// UTF-8 from callers, which may be any bytes. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

// The length in bytes of the character at the beginning of `text`; 0 if there is none. By the table of the Unicode standard: no overlong
// forms, no surrogates, nothing above U+10FFFF.
std::size_t utf8_character_bytes(std::string_view text);

bool is_utf8(std::string_view text);

// Whether a character of `text`, which must be UTF-8, can change how the text around it is displayed: the control characters C0, C1 and U+007F,
// the separators U+2028 and U+2029, and marks of writing direction (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069).
bool has_control(std::string_view text);
// The text with each of these characters replaced by a space.
std::string without_controls(std::string_view text);

}   // namespace holdfast
