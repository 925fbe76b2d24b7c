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

// How long a key counts.
inline constexpr Millis k_keys_kept = k_idempotency_hours * 3'600 * k_millis_per_second;

// On whose account a key is kept. Strangers are callers whom nobody has let in by name: visitors' sessions, and callers without a key.
struct KeyOwner {
  std::uint32_t caller = 0;   // a hash of at most 31 bits; 0: nobody's, for example of a version that did not know owners
  bool is_stranger = false;
  bool operator==(const KeyOwner&) const = default;
};

struct IdempotencyKey {
  Fingerprint key;       // of the caller and the key it sent
  Fingerprint request;   // of what it asked for
  KeyOwner owner{};
};

// What a table may hold. Strangers together have a quarter of it, a stranger and a caller with a key each a part, so that nobody can keep
// the others from using keys. Bytes are those of outcomes.
struct KeyBudget {
  explicit KeyBudget(std::size_t keys_max);
  struct Share {
    std::size_t keys;
    std::size_t bytes;
  };
  Share all, strangers, stranger, caller;
};

class KeyTable {
 public:
  struct Record {
    Fingerprint request;
    Millis at;                  // when it was accepted
    BlockPool::Handle outcome;
    KeyOwner owner;
  };

  explicit KeyTable(std::size_t keys_max = k_idempotency_keys_max) : budget_(keys_max) {}

  // The record of a key that was kept less than 24 hours before `now`, or nullptr. Valid until the next put or forget.
  const Record* find(const Fingerprint& key, Millis now) const;
  std::string_view outcome(const Record& record) const { return outcomes_.text(record.outcome); }

  // Whether one more key of this owner is within the budget. Outcomes are counted once they are there.
  bool has_room_for(const KeyOwner& owner) const;
  // Keeps a key that is not there yet (or no longer counts), whether there is room or not. `at` counts as that of the put before it when it
  // is earlier. The owner is the key's, or else the one in the outcome.
  void put(const IdempotencyKey& key, Millis at, std::string_view outcome);
  // Drops what was kept 24 hours before `now` or earlier.
  void forget_old(Millis now);
  // Keys count for so much longer than 24 hours, while the time may be that far ahead.
  void keep_longer(Millis by) { kept_longer_ = by; }
  std::size_t size() const { return records_.size(); }
  std::size_t bytes() const { return all_.bytes; }   // of outcomes

 private:
  struct Use {
    std::size_t keys = 0;
    std::size_t bytes = 0;
    bool is_within(const KeyBudget::Share& share) const { return keys < share.keys && bytes < share.bytes; }
  };
  void count(const KeyOwner& owner, std::size_t bytes, bool is_more);

  struct Hash {
    using is_avalanching = void;   // fingerprints are cryptographic
    std::size_t operator()(const Fingerprint& value) const {
      std::size_t hash;
      std::memcpy(&hash, value.data(), sizeof hash);
      return hash;
    }
  };

  KeyBudget budget_;
  Use all_;
  Use strangers_;
  boost::unordered_flat_map<std::uint64_t, Use> by_owner_;   // packed owners, those with a key only
  Millis last_put_ = 0;
  Millis kept_longer_ = 0;
  boost::unordered_flat_map<Fingerprint, Record, Hash> records_;
  std::deque<Fingerprint> in_order_;
  BlockPool outcomes_;
};

// What a key keeps of the outcomes of its request's parts, and behind them its owner, which versions before 0.2.0 pass over.
void encode_outcomes(std::span<const Outcome> outcomes, Writer& writer, const KeyOwner& owner = {});
bool decode_outcomes(Reader& reader, UsuallyOne<Outcome>& outcomes);
// The owner behind the outcomes; nobody when there is none.
KeyOwner owner_in(std::string_view outcomes);

}   // namespace holdfast
