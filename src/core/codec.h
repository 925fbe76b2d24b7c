// Bytes as the journal keeps them: unsigned LEB128 varints, zig-zag for signed, length-prefixed strings, little-endian floats.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}   // appends to `out`, which must outlive the writer

  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void varint(std::uint64_t value) {
    char buffer[10];
    std::size_t n = 0;
    for (; value >= 0x80; value >>= 7) buffer[n++] = static_cast<char>(value | 0x80);
    buffer[n++] = static_cast<char>(value);
    out_.append(buffer, n);
  }
  void signed_varint(std::int64_t value) { varint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63)); }
  void text(std::string_view value) {
    varint(value.size());
    out_.append(value);
  }
  void uuid(const Uuid& id) { out_.append(reinterpret_cast<const char*>(id.data), sizeof id.data); }
  void real(float value) {
    static_assert(std::endian::native == std::endian::little);
    char buffer[sizeof value];
    std::memcpy(buffer, &value, sizeof value);
    out_.append(buffer, sizeof value);
  }

 private:
  std::string& out_;
};

// Reads what Writer wrote. After a read past the end, or of a malformed varint, failed() is true and every read returns zero.
class Reader {
 public:
  explicit Reader(std::string_view in) : at_(in.data()), end_(in.data() + in.size()) {}

  bool failed() const { return failed_; }
  bool at_end() const { return at_ == end_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  // The unread bytes.
  std::string_view rest() const { return {at_, left()}; }

  std::uint8_t byte() { return have(1) ? static_cast<std::uint8_t>(*at_++) : std::uint8_t{0}; }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (!have(1)) return 0;
      const auto next = static_cast<std::uint8_t>(*at_++);
      value |= std::uint64_t{next & 0x7Fu} << shift;
      if (next < 0x80) return value;
    }
    fail();
    return 0;
  }
  std::int64_t signed_varint() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  // A varint that must be at most `max`.
  std::uint64_t varint_max(std::uint64_t max) {
    const std::uint64_t value = varint();
    if (value <= max) return value;
    fail();
    return 0;
  }
  std::string_view text() { return bytes(varint()); }
  std::string_view bytes(std::uint64_t n) {
    if (!have(n)) return {};
    const std::string_view value(at_, n);
    at_ += n;
    return value;
  }
  Uuid uuid() {
    Uuid id{};
    if (have(sizeof id.data)) {
      std::memcpy(id.data, at_, sizeof id.data);
      at_ += sizeof id.data;
    }
    return id;
  }
  float real() {
    float value = 0;
    if (have(sizeof value)) {
      std::memcpy(&value, at_, sizeof value);
      at_ += sizeof value;
    }
    return value;
  }

 private:
  bool have(std::uint64_t n) {
    if (!failed_ && n <= left()) return true;
    fail();
    return false;
  }
  void fail() {
    failed_ = true;
    at_ = end_;
  }

  const char* at_;
  const char* end_;
  bool failed_ = false;
};

}  // namespace holdfast
