#include "api/query.h"

#include <algorithm>

#include "core/decimal.h"

namespace holdfast::api {

std::string list_of(std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) list.append(list.empty() ? "`" : ", `").append(name).append("`");
  return list;
}

std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = text.size() - i > 2 ? hex_value(text[i + 1]) : -1;
    const int low = text.size() - i > 2 ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    decoded += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return decoded;
}

std::optional<Query> Query::read(Call& call, std::initializer_list<std::string_view> known) {
  Query query;
  std::string_view rest = call.request.query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = decode_percent(pair.substr(0, equals), true);
    const auto value = decode_percent(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || std::ranges::find(known, std::string_view(*name)) == known.end()) {
      return malformed(call, known.size() == 0 ? "This path takes no query parameters."
                                               : "This path takes only the query parameters " + list_of(known) + ".");
    }
    if (!value) return malformed(call, "`" + *name + "` has a malformed percent-encoding.");
    if (query.find(*name) != nullptr) return malformed(call, "Duplicate query parameter `" + *name + "`.");
    query.values_.emplace_back(*name, *value);
  }
  return query;
}

const std::string* Query::find(std::string_view name) const {
  const auto at = std::ranges::find(values_, name, &std::pair<std::string, std::string>::first);
  return at == values_.end() ? nullptr : &at->second;
}

std::optional<std::int64_t> Query::whole(Call& call, std::string_view name, std::int64_t least, std::int64_t most,
                                         std::int64_t otherwise) const {
  const std::string* text = find(name);
  if (text == nullptr) return otherwise;
  const auto number = parse_decimal<std::int64_t>(*text);
  if (number && *number >= least && *number <= most) return number;
  return malformed(
      call, "`" + std::string(name) + "` must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ".");
}

}  // namespace holdfast::api
