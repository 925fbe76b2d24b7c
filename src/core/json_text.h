// A text as a JSON string. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

// Appends `text`, which is UTF-8, as a JSON string, quotes included.
void append_json(std::string& out, std::string_view text);

}  // namespace holdfast
