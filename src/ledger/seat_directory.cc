#include "ledger/seat_directory.h"

#include <mutex>
#include <random>

namespace holdfast {

std::uint64_t draw_hash_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

SeatDirectory::SeatDirectory(std::uint64_t hash_seed) : seed_(hash_seed) {
  for (std::size_t i = 0; i < k_shards; ++i) {
    auto shard = std::make_unique<Shard>();
    shard->by_uuid = decltype(shard->by_uuid)(0, UuidHash{seed_});
    shard->by_text = decltype(shard->by_text)(0, TextHash{seed_});
    shards_.push_back(std::move(shard));
  }
}

std::optional<SeatPlace> SeatDirectory::find(const Uuid& id) const {
  const Shard& shard = shard_of(id);
  const std::shared_lock lock(shard.mutex);
  const auto at = shard.by_uuid.find(id);
  if (at == shard.by_uuid.end()) return std::nullopt;
  return at->second;
}

std::optional<SeatPlace> SeatDirectory::find(std::string_view id) const {
  if (const auto uuid = parse_uuid(id)) return find(*uuid);
  const Shard& shard = shard_of(id);
  const std::shared_lock lock(shard.mutex);
  const auto at = shard.by_text.find(id);
  if (at == shard.by_text.end()) return std::nullopt;
  return at->second;
}

bool SeatDirectory::enter_one(EventNumber event, const Plan& plan, SeatIndex seat) {
  if (const Uuid* id = plan.seat_uuid(seat)) {
    Shard& shard = shard_of(*id);
    const std::unique_lock lock(shard.mutex);
    return shard.by_uuid.try_emplace(*id, SeatPlace{event, seat}).second;
  }
  const std::string_view text = plan.opaque_seat_id(seat);
  Shard& shard = shard_of(text);
  const std::unique_lock lock(shard.mutex);
  return shard.by_text.try_emplace(std::string(text), SeatPlace{event, seat}).second;
}

void SeatDirectory::remove_one(const Plan& plan, SeatIndex seat) {
  if (const Uuid* id = plan.seat_uuid(seat)) {
    Shard& shard = shard_of(*id);
    const std::unique_lock lock(shard.mutex);
    shard.by_uuid.erase(*id);
    return;
  }
  const std::string_view text = plan.opaque_seat_id(seat);
  Shard& shard = shard_of(text);
  const std::unique_lock lock(shard.mutex);
  if (const auto at = shard.by_text.find(text); at != shard.by_text.end()) shard.by_text.erase(at);
}

std::vector<std::string> SeatDirectory::enter(EventNumber event, const Plan& plan, std::size_t most) {
  std::vector<std::string> taken;
  std::vector<bool> entered(plan.size());
  for (SeatIndex seat = 0; seat < plan.size(); ++seat) {
    entered[seat] = enter_one(event, plan, seat);
    if (!entered[seat]) taken.push_back(plan.seat_id(seat));
    if (taken.size() == most) break;
  }
  if (taken.empty()) return taken;
  for (SeatIndex seat = 0; seat < plan.size(); ++seat) {
    if (entered[seat]) remove_one(plan, seat);
  }
  return taken;
}

void SeatDirectory::remove(const Plan& plan) {
  for (SeatIndex seat = 0; seat < plan.size(); ++seat) remove_one(plan, seat);
}

void SeatDirectory::reserve(std::size_t seats) {
  for (const auto& shard : shards_) {
    const std::unique_lock lock(shard->mutex);
    shard->by_uuid.reserve(shard->by_uuid.size() + seats / k_shards + seats / (8 * k_shards));
  }
}

}  // namespace holdfast
