// Hashing for tables whose keys may come from an attacker: XXH3 with a seed that the process draws at its start.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/ids.h"

namespace holdfast {

inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

inline std::uint64_t hash_uuid(const Uuid& id, std::uint64_t seed) { return XXH3_64bits_withSeed(id.data, sizeof id.data, seed); }

}  // namespace holdfast
