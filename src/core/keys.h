// Idempotency keys: the first accepted outcome of a request, returned again when the request is repeated.
//
// Fingerprints are 128 bits of a cryptographic hash, made by the decoder of a request: one of caller and key, one of the request. Not
// thread-safe. About 80 bytes per key with the outcome of one seat.
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
struct FingerprintHash {
  using is_avalanching = void;   // fingerprints are cryptographic
  std::size_t operator()(const Fingerprint& value) const {
    std::size_t hash;
    std::memcpy(&hash, value.data(), sizeof hash);
    return hash;
  }
};

// How long a key is valid.
inline constexpr Millis k_keys_kept = k_idempotency_hours * 3'600 * k_millis_per_second;

// The caller whose budget a key uses. Strangers are callers without an API key: visitors' sessions, and anonymous callers.
struct KeyOwner {
  std::uint32_t caller = 0;   // a hash of at most 31 bits; 0: no owner, for example from a version without owners
  bool is_stranger = false;
  bool operator==(const KeyOwner&) const = default;
};

struct IdempotencyKey {
  Fingerprint key;       // of the caller and its key
  Fingerprint request;   // of the request
  KeyOwner owner{};
};

// The capacity of a table. All strangers together may use a quarter of it; a single stranger and a single caller with an API key have limits
// of their own, so that no caller can use up the others' room. Bytes are those of outcomes.
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
    Millis at;   // when it was accepted
    BlockPool::Handle outcome;
    KeyOwner owner;
  };

  explicit KeyTable(std::size_t keys_max = k_idempotency_keys_max) : budget_(keys_max) {}

  // The record of a key that was put less than k_keys_kept before `now`, or nullptr. Valid until the next put() or forget_old().
  const Record* find(const Fingerprint& key, Millis now) const;
  std::string_view outcome(const Record& record) const { return outcomes_.text(record.outcome); }

  // Whether the budget has room for one more key of this owner. Outcomes are counted once they are put.
  bool has_room_for(const KeyOwner& owner) const;
  // Keeps a key, even if there is no room. Replaces one that is here, which was over where the key was accepted again. If `at` is earlier than
  // the previous put, it counts as that time. The owner is the key's, otherwise the one in the outcome. An outcome of over 1 MiB, which only a
  // damaged row has, is kept as an empty one, which cannot be decoded.
  void put(const IdempotencyKey& key, Millis at, std::string_view outcome);
  // Drops keys that were put k_keys_kept before `now` or earlier.
  void forget_old(Millis now);
  // Extends k_keys_kept by `by`, for a clock that may be that far ahead.
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
  void forget(const Fingerprint& key);

  KeyBudget budget_;
  Use all_;
  Use strangers_;
  boost::unordered_flat_map<std::uint64_t, Use> by_owner_;   // by packed owner; only owners with a key
  Millis last_put_ = 0;
  Millis kept_longer_ = 0;
  boost::unordered_flat_map<Fingerprint, Record, FingerprintHash> records_;
  std::deque<Fingerprint> in_order_;
  BlockPool outcomes_;
};

// Encodes the outcomes of a request's parts, followed by the owner, which versions before 0.2.0 skip.
void encode_outcomes(std::span<const Outcome> outcomes, Writer& writer, const KeyOwner& owner = {});
bool decode_outcomes(Reader& reader, UsuallyOne<Outcome>& outcomes);
// The owner behind the outcomes; no owner if there is none.
KeyOwner owner_in(std::string_view outcomes);

}   // namespace holdfast
