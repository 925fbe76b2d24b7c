#include "json/plain_texts.h"

#include <algorithm>
#include <cstddef>

#include "core/plain_text.h"

namespace holdfast {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view json) : at_(json.data()), end_(at_ + json.size()) {}

  bool is_at_end() const { return at_ == end_; }

  void skip_space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  // Takes one character, and the white space before it, if it is next.
  bool take(char wanted) {
    skip_space();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  std::optional<std::string_view> text() {
    if (!take('"')) return std::nullopt;
    const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
    const std::string_view found = rest.substr(0, plain_bytes(rest));
    at_ += found.size();
    if (at_ == end_ || *at_ != '"') return std::nullopt;
    ++at_;
    return found;
  }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

bool read_plain_texts(std::string_view json, std::span<const std::string_view> names, std::span<std::optional<std::string_view>> values) {
  std::ranges::fill(values, std::nullopt);
  Reader reader(json);
  if (!reader.take('{')) return false;
  do {
    const auto name = reader.text();
    if (!name || !reader.take(':')) return false;
    const auto known = static_cast<std::size_t>(std::ranges::find(names, *name) - names.begin());
    if (known == names.size() || values[known]) return false;
    values[known] = reader.text();
    if (!values[known]) return false;
  } while (reader.take(','));
  if (!reader.take('}')) return false;
  reader.skip_space();
  return reader.is_at_end();
}

}  // namespace holdfast
