// Idempotency keys: the first accepted outcome of a request, given again when the request comes again.
//
// Fingerprints are 128 bits of a cryptographic hash, made by whoever decodes requests: one of caller and key, one of the request.
// Not for several threads at once. About 80 bytes a key with the outcome of one seat.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string_view>

#include "core/block_pool.h"
#include "core/codec.h"
#include "core/command.h"
#include "core/limits.h"
#include "core/time.h"

namespace holdfast {

using Fingerprint = std::array<std::uint8_t, 16>;

struct IdempotencyKey {
  Fingerprint key;       // of the caller and the key it sent
  Fingerprint request;   // of what it asked for
};

class KeyTable {
 public:
  struct Record {
    Fingerprint request;
    Millis at;                  // when it was accepted
    BlockPool::Handle outcome;
  };

  explicit KeyTable(std::size_t keys_max = k_idempotency_keys_max) : keys_max_(keys_max) {}

  // The record of a key that was kept less than 24 hours before `now`, or nullptr. Valid until the next put or forget.
  const Record* find(const Fingerprint& key, Millis now) const;
  std::string_view outcome(const Record& record) const { return outcomes_.text(record.outcome); }

  bool full() const { return records_.size() >= keys_max_; }
  // Keeps a key that is not there yet (or no longer counts). `at` counts as that of the put before it when it is earlier.
  void put(const IdempotencyKey& key, Millis at, std::string_view outcome);
  // Drops what was kept 24 hours before `now` or earlier.
  void forget_old(Millis now);
  std::size_t size() const { return records_.size(); }

 private:
  struct Hash {
    using is_avalanching = void;   // fingerprints are cryptographic
    std::size_t operator()(const Fingerprint& value) const {
      std::size_t hash;
      std::memcpy(&hash, value.data(), sizeof hash);
      return hash;
    }
  };

  std::size_t keys_max_;
  Millis last_put_ = 0;
  boost::unordered_flat_map<Fingerprint, Record, Hash> records_;
  std::deque<Fingerprint> in_order_;
  BlockPool outcomes_;
};

// What a key keeps of the outcomes of its request's parts.
void encode_outcomes(std::span<const Outcome> outcomes, Writer& writer);
bool decode_outcomes(Reader& reader, UsuallyOne<Outcome>& outcomes);

}  // namespace holdfast
