// Decodes a chunked body (RFC 9112, 7.1) in place, in whatever pieces it arrives.
//
// Extensions and trailers are checked for their form, counted against k_chunk_overhead_bytes_max, and discarded. Lines must end with
// CRLF; a chunk's size is one to sixteen hexadecimal digits, with no space around it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/problems.h"

namespace holdfast::http {

class ChunkDecoder {
 public:
  struct Progress {
    std::size_t consumed;   // of the input; the rest belongs to the next request
    std::size_t produced;   // written to `out`
  };

  void reset(std::uint64_t body_bytes_max) {
    *this = ChunkDecoder();
    body_left_ = body_bytes_max;
  }

  // `out` may lie in the input, at or before `in`. Stops at the body's end and at a refusal.
  Progress decode(const char* in, std::size_t size, char* out);

  bool done() const { return state_ == State::done; }
  Refusal refusal() const { return refusal_; }

 private:
  enum class State : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    done
  };

  void step(char c);
  void read_size(char c);
  void end_of_size_line();
  void skip_overhead(char c, State at_cr);
  void expect(char c, char wanted, State next);
  void refuse(Refusal refusal) { refusal_ = refusal; }

  State state_ = State::size;
  std::uint8_t digits_ = 0;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t body_left_ = 0;     // remaining until the limit
  std::size_t overhead_ = 0;
  Refusal refusal_ = nullptr;
};

}  // namespace holdfast::http
