#include "support/json.h"

#include <boost/json.hpp>
#include <cstdio>
#include <ctime>
#include <stdexcept>

namespace holdfast::test {

Json parse_json(std::string_view text) {
  boost::json::error_code error;
  Json value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) throw std::runtime_error("this is not JSON (" + error.message() + "): " + std::string(text));
  return value;
}

std::set<std::string> members_of(const Json& object) {
  std::set<std::string> names;
  for (const auto& member : object.as_object()) names.emplace(member.key());
  return names;
}

std::vector<std::string> strings_of(const Json& array) {
  std::vector<std::string> strings;
  for (const Json& value : array.as_array()) strings.push_back(string_of(value));
  return strings;
}

std::string string_of(const Json& value) { return std::string(value.as_string()); }

std::string json_of(std::string_view string) { return boost::json::serialize(boost::json::string_view(string.data(), string.size())); }

std::string json_of(const std::vector<std::string>& strings) {
  std::string text = "[";
  for (const std::string& string : strings) {
    if (text.size() > 1) text += ',';
    text += json_of(string);
  }
  return text + ']';
}

std::int64_t millis_of(std::string_view time) {
  const std::string text(time);
  std::tm t{};
  int read = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec, &read) !=
          6 ||
      read != 19 || text.back() != 'Z') {
    throw std::runtime_error("not a time in UTC: " + text);
  }
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  std::int64_t millis = static_cast<std::int64_t>(::timegm(&t)) * 1000;
  if (text[19] == '.') {
    int weight = 100;
    for (std::size_t i = 20; i + 1 < text.size(); ++i, weight /= 10) {
      if (text[i] < '0' || text[i] > '9') throw std::runtime_error("not a time in UTC: " + text);
      millis += weight * (text[i] - '0');
    }
  } else if (text.size() != 20) {
    throw std::runtime_error("not a time in UTC: " + text);
  }
  return millis;
}

std::int64_t millis_of(const Json& time) { return millis_of(string_of(time)); }

}  // namespace holdfast::test
