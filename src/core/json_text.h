// Writes a text as a JSON string. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

// Appends `text` as a JSON string, with quotes. The result is always UTF-8: each byte that is not part of a character becomes U+FFFD. So an
// answer or a log line that quotes a caller is always valid JSON.
void append_json(std::string& out, std::string_view text);

}   // namespace holdfast
