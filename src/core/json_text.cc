#include "core/json_text.h"

#include "core/plain_text.h"
#include "core/utf8.h"

namespace holdfast {

void append_json(std::string& out, std::string_view text) {
  static constexpr char k_hex[] = "0123456789abcdef";
  out += '"';
  std::size_t copied = 0;
  for (std::size_t i = plain_bytes(text); i < text.size(); ++i) {
    if (is_plain(text[i])) continue;
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      const std::size_t bytes = utf8_character_bytes(text.substr(i));
      if (bytes > 0) {
        i += bytes - 1;
        continue;
      }
      out.append(text, copied, i - copied).append("\xEF\xBF\xBD");
      copied = i + 1;
      continue;
    }
    out.append(text, copied, i - copied);
    copied = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: out.append("\\u00").append(1, k_hex[c >> 4]).append(1, k_hex[c & 15]);
    }
  }
  out.append(text, copied);
  out += '"';
}

}  // namespace holdfast
