// The changes of a journal row.
//
// Property: changes that are decoded and encoded again decode to the same changes, so they have the same bytes when they are encoded once
// more. The first encoding may be shorter than its input: Reader accepts a varint with zeros at its end, and Writer writes none.
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "core/change.h"
#include "fuzz/property.h"

namespace holdfast {
namespace {

using fuzz::require;

// The changes in `bytes`, encoded again; nothing if one of them is damaged.
std::optional<std::string> encoded_again(std::string_view bytes, Millis at) {
  std::string again;
  Writer writer(again);
  Reader reader(bytes);
  ChangeDecoder decoder(at);
  Change change;
  while (!reader.at_end()) {
    if (!decoder.decode(reader, change)) return std::nullopt;
    require(!reader.failed(), "a change is complete");
    encode_change(change, at, writer);
  }
  return again;
}

// The row's time, eight bytes, and its changes.
void check(std::string_view input) {
  Millis at = 0;
  if (input.size() < sizeof at) return;
  std::memcpy(&at, input.data(), sizeof at);
  const std::string_view bytes = input.substr(sizeof at);
  const auto once = encoded_again(bytes, at);
  if (!once) return;
  require(once->size() <= bytes.size(), "an encoding is no longer than what was decoded");
  const auto twice = encoded_again(*once, at);
  require(twice.has_value(), "what was encoded can be decoded");
  require(*twice == *once, "a change that is decoded and encoded again has the same bytes");
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
