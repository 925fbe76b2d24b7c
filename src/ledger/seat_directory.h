// Which event a seat belongs to, by its id: ids are unique everywhere.
//
// Written at import, read by every request. Each shard has its own lock, so an import of millions of seats blocks a reader for at most one
// insert, or the growth of one shard. About 38 bytes per seat whose id is a UUID.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/ids.h"
#include "core/plan.h"

namespace holdfast {

struct SeatPlace {
  EventNumber event;
  SeatIndex seat;
};

// A seed for a ledger's hash tables, drawn at its start.
std::uint64_t draw_hash_seed();

class SeatDirectory {
 public:
  explicit SeatDirectory(std::uint64_t hash_seed);

  std::optional<SeatPlace> find(const Uuid& id) const;
  // By an id as a client writes it: a UUID in any letter case, or the platform's own.
  std::optional<SeatPlace> find(std::string_view id) const;

  // Adds all seats of a plan, or none: then returns the ids that are taken, at most `most` of them.
  std::vector<std::string> enter(EventNumber event, const Plan& plan, std::size_t most);
  // Removes the seats of a plan.
  void remove(const Plan& plan);
  // Reserves room for `seats` more.
  void reserve(std::size_t seats);

 private:
  static constexpr std::size_t k_shards = 256;

  // The seed of a shard's table is not that which chose the shard.
  struct UuidHash {
    using is_avalanching = void;
    std::uint64_t seed;
    std::size_t operator()(const Uuid& id) const { return hash_uuid(id, ~seed); }
  };
  struct TextHash {
    using is_avalanching = void;
    using is_transparent = void;
    std::uint64_t seed;
    std::size_t operator()(std::string_view text) const { return hash_bytes(text, ~seed); }
  };
  struct Shard {
    mutable std::shared_mutex mutex;
    boost::unordered_flat_map<Uuid, SeatPlace, UuidHash> by_uuid;
    boost::unordered_flat_map<std::string, SeatPlace, TextHash, std::equal_to<>> by_text;
  };

  Shard& shard_of(const Uuid& id) const { return *shards_[hash_uuid(id, seed_) % k_shards]; }
  Shard& shard_of(std::string_view text) const { return *shards_[hash_bytes(text, seed_) % k_shards]; }
  bool enter_one(EventNumber event, const Plan& plan, SeatIndex seat);
  void remove_one(const Plan& plan, SeatIndex seat);

  std::uint64_t seed_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace holdfast
