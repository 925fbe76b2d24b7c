#include "access/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/check.h"

namespace holdfast {
namespace {

struct Buffer {
  std::array<std::uint8_t, 4'096> bytes;
  std::size_t used = sizeof bytes;
};

}  // namespace

void fill_random(std::span<std::uint8_t> out) {
  thread_local Buffer buffer;
  HOLDFAST_CHECK(out.size() <= buffer.bytes.size());
  if (buffer.bytes.size() - buffer.used < out.size()) {
    std::size_t filled = 0;
    while (filled < buffer.bytes.size()) {
      const ssize_t got = getrandom(buffer.bytes.data() + filled, buffer.bytes.size() - filled, 0);
      if (got > 0) filled += static_cast<std::size_t>(got);
      HOLDFAST_CHECK(got > 0 || errno == EINTR);
    }
    buffer.used = 0;
  }
  std::memcpy(out.data(), buffer.bytes.data() + buffer.used, out.size());
  std::memset(buffer.bytes.data() + buffer.used, 0, out.size());   // keep no bytes that were handed out
  buffer.used += out.size();
}

Uuid random_uuid() {
  Uuid id;
  fill_random(id.data);
  id.data[6] = static_cast<std::uint8_t>((id.data[6] & 0x0F) | 0x40);
  id.data[8] = static_cast<std::uint8_t>((id.data[8] & 0x3F) | 0x80);
  return id;
}

Uuid new_reservation_id(EventNumber event, Millis now) {
  std::uint8_t random[10];
  fill_random(random);
  return make_reservation_id(event, now, random);
}

}  // namespace holdfast
