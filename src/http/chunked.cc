#include "http/chunked.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/ids.h"
#include "http/limits.h"
#include "http/parser.h"

namespace holdfast::http {

ChunkDecoder::Progress ChunkDecoder::decode(const char* in, std::size_t size, char* out) {
  Progress progress{0, 0};
  while (progress.consumed < size && state_ != State::done && refusal_ == nullptr) {
    if (state_ != State::data) {
      step(in[progress.consumed++]);
      continue;
    }
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, size - progress.consumed));
    std::memmove(out + progress.produced, in + progress.consumed, part);
    progress.consumed += part;
    progress.produced += part;
    chunk_left_ -= part;
    if (chunk_left_ == 0) state_ = State::data_cr;
  }
  return progress;
}

void ChunkDecoder::step(char c) {
  switch (state_) {
    case State::size: return read_size(c);
    case State::extension: return skip_overhead(c, State::size_lf);
    case State::size_lf: return c == '\n' ? end_of_size_line() : refuse(&problems::k_chunk);
    case State::data_cr: return expect(c, '\r', State::data_lf);
    case State::data_lf: digits_ = 0; return expect(c, '\n', State::size);
    case State::trailer_start:
      if (c == '\r') {
        state_ = State::end_lf;
        return;
      }
      state_ = State::trailer_name;
      if (c == ':') return refuse(&problems::k_chunk);
      [[fallthrough]];
    case State::trailer_name:
      if (++overhead_ > k_chunk_overhead_bytes_max) return refuse(&problems::k_header_too_large);
      if (c == ':') {
        state_ = State::trailer_value;
        return;
      }
      return is_token({&c, 1}) ? void() : refuse(&problems::k_chunk);
    case State::trailer_value: return skip_overhead(c, State::trailer_lf);
    case State::trailer_lf: return expect(c, '\n', State::trailer_start);
    case State::end_lf: return expect(c, '\n', State::done);
    case State::data:
    case State::done: return;
  }
}

void ChunkDecoder::read_size(char c) {
  const int digit = hex_value(c);
  if (digit < 0 && digits_ > 0 && (c == ';' || c == '\r')) {
    state_ = c == ';' ? State::extension : State::size_lf;
    return;
  }
  if (digit < 0 || ++digits_ > 16) return refuse(&problems::k_chunk);   // sixteen cannot overflow
  chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(digit);
}

void ChunkDecoder::end_of_size_line() {
  if (chunk_left_ > body_left_) return refuse(&problems::k_body_too_large);
  body_left_ -= chunk_left_;
  state_ = chunk_left_ == 0 ? State::trailer_start : State::data;
}

void ChunkDecoder::skip_overhead(char c, State at_cr) {
  if (c == '\r') {
    state_ = at_cr;
    return;
  }
  if (++overhead_ > k_chunk_overhead_bytes_max) return refuse(&problems::k_header_too_large);
  if (!is_field_value({&c, 1})) refuse(&problems::k_chunk);
}

void ChunkDecoder::expect(char c, char wanted, State next) {
  if (c != wanted) return refuse(&problems::k_chunk);
  state_ = next;
}

}  // namespace holdfast::http
