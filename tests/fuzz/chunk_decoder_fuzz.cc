// The decoder of chunked bodies.
//
// Properties: however the bytes are split, and whether they are decoded in place or not, the result is the same: the body, how many bytes
// were consumed, and the refusal. A body that is written as chunks of any size decodes to itself.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/property.h"
#include "http/chunked.h"

namespace holdfast::http {
namespace {

using fuzz::require;

struct Decoded {
  std::string body;
  std::size_t consumed = 0;
  bool done = false;
  Refusal refusal = nullptr;

  bool operator==(const Decoded&) const = default;
};

// In parts of at most `part_bytes`, each into the place of its input, as a connection does it.
Decoded decode(std::string bytes, std::uint64_t body_bytes_max, std::size_t part_bytes) {
  ChunkDecoder decoder;
  decoder.reset(body_bytes_max);
  Decoded decoded;
  while (decoded.consumed < bytes.size() && !decoder.done() && decoder.refusal() == nullptr) {
    char* const part = bytes.data() + decoded.consumed;
    const std::size_t size = std::min(part_bytes, bytes.size() - decoded.consumed);
    const auto progress = decoder.decode(part, size, part);
    require(progress.consumed <= size && progress.produced <= progress.consumed, "no more is produced than was consumed");
    require(progress.consumed == size || decoder.done() || decoder.refusal() != nullptr, "a part is consumed whole, or the body has ended");
    decoded.consumed += progress.consumed;
    decoded.body.append(part, progress.produced);
  }
  require(decoded.body.size() <= body_bytes_max, "no body is larger than its limit");
  decoded.done = decoder.done();
  decoded.refusal = decoder.refusal();
  return decoded;
}

// Not in place: into a buffer of its own.
Decoded decode_aside(std::string_view bytes, std::uint64_t body_bytes_max) {
  ChunkDecoder decoder;
  decoder.reset(body_bytes_max);
  Decoded decoded;
  decoded.body.resize(bytes.size());
  const auto progress = decoder.decode(bytes.data(), bytes.size(), decoded.body.data());
  decoded.body.resize(progress.produced);
  decoded.consumed = progress.consumed;
  decoded.done = decoder.done();
  decoded.refusal = decoder.refusal();
  return decoded;
}

std::string as_chunks(std::string_view body, std::size_t chunk_bytes) {
  std::string bytes;
  for (; !body.empty(); body.remove_prefix(std::min(chunk_bytes, body.size()))) {
    const std::string_view chunk = body.substr(0, chunk_bytes);
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, chunk.size(), 16).ptr;
    bytes.append(digits, end).append("\r\n").append(chunk).append("\r\n");
  }
  return bytes.append("0\r\n\r\n");
}

// The first byte is the limit of the body in units of 16 bytes, the second the size of a part; the rest is what a client sends.
void check(std::string_view input) {
  if (input.size() < 2) return;
  const std::uint64_t body_bytes_max = std::uint64_t{static_cast<unsigned char>(input[0])} * 16;
  const std::size_t part_bytes = static_cast<unsigned char>(input[1]) + std::size_t{1};
  const std::string bytes(input.substr(2));

  const Decoded whole = decode_aside(bytes, body_bytes_max);
  require(decode(bytes, body_bytes_max, bytes.size() + 1) == whole, "decoded in place is decoded aside");
  require(decode(bytes, body_bytes_max, part_bytes) == whole, "parts give what the whole gives");
  require(decode(bytes, body_bytes_max, 1) == whole, "single bytes give what the whole gives");

  const std::string chunks = as_chunks(bytes, part_bytes);
  const Decoded own = decode(chunks + "GET", bytes.size(), part_bytes);
  require(own.done && own.body == bytes, "a body that was written as chunks decodes to itself");
  require(own.consumed == chunks.size(), "the next request's bytes are left");
}

}  // namespace
}  // namespace holdfast::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::http::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
