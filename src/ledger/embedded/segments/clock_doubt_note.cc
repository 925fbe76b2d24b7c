#include "ledger/embedded/segments/clock_doubt_note.h"

#include "core/codec.h"

namespace holdfast::segments {

std::string note_of_clock_doubt(const DoubtfulStart& start) {
  std::string text;
  Writer bytes(text);
  bytes.signed_varint(start.until);
  bytes.signed_varint(start.ahead);
  return text;
}

std::expected<std::optional<DoubtfulStart>, std::string> clock_doubt_in(const Notes& notes) {
  const auto note = notes.find(k_note_clock_doubt);
  if (note == notes.end()) return std::nullopt;
  Reader reader(note->second);
  const DoubtfulStart start{.until = reader.signed_varint(), .ahead = reader.signed_varint()};
  if (reader.failed()) return std::unexpected("its note of a start with a clock far ahead cannot be read");
  return start;
}

}  // namespace holdfast::segments
