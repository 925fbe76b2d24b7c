// A text as a JSON string. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

// Appends `text` as a JSON string, quotes included. What is written is UTF-8 whatever `text` is: each byte that is of no character becomes
// U+FFFD, so that an answer or a log line that quotes a caller is JSON.
void append_json(std::string& out, std::string_view text);

}  // namespace holdfast
