// The data structures of the inventory and the keys.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/block_pool.h"
#include "core/event_in_test.h"
#include "core/expiry_queue.h"
#include "core/growing_array.h"
#include "core/keys.h"
#include "core/place_table.h"
#include "support/waiting.h"

namespace holdfast {
namespace {

// -------------------------------------------------------------------------------------------------------------- block pool

TEST(BlockPool, KeepsTextsOfAnyLengthItTakes) {
  BlockPool pool;
  std::vector<std::pair<BlockPool::Handle, std::string>> kept;
  for (std::size_t length = 0; length < 400; ++length) {
    std::string text(length, static_cast<char>('a' + length % 26));
    const BlockPool::Handle handle = pool.put_text(text);
    EXPECT_NE(handle, BlockPool::k_none);
    kept.emplace_back(handle, std::move(text));
  }
  std::string large(600'000, 'z');
  kept.emplace_back(pool.put_text(large), large);
  for (const auto& [handle, text] : kept) EXPECT_EQ(pool.text(handle), text);
  EXPECT_EQ(pool.text(BlockPool::k_none), "");
}

TEST(BlockPool, UsesFreedBlocksAgain) {
  BlockPool pool;
  std::vector<BlockPool::Handle> handles;
  for (int i = 0; i < 1'000; ++i) handles.push_back(pool.put_text("sixteen bytes ok"));
  const std::size_t bytes = pool.bytes();
  for (int round = 0; round < 10; ++round) {
    for (const BlockPool::Handle handle : handles) pool.free_text(handle);
    for (BlockPool::Handle& handle : handles) handle = pool.put_text("SIXTEEN BYTES OK");
  }
  EXPECT_EQ(pool.bytes(), bytes);
}

TEST(BlockPool, HasListsThatMayGrowUpToTheirCapacity) {
  EXPECT_EQ(BlockPool::capacity_of(1), 2u);
  EXPECT_EQ(BlockPool::capacity_of(2), 2u);
  EXPECT_EQ(BlockPool::capacity_of(3), 4u);
  EXPECT_EQ(BlockPool::capacity_of(1'000), 1'024u);
  BlockPool pool;
  const std::vector<std::uint32_t> three = {7, 8, 9};
  const BlockPool::Handle list = pool.put_list(three);
  pool.put_text("next to it");
  pool.list(list, 4)[3] = 10;
  EXPECT_TRUE(std::ranges::equal(pool.list(list, 4), std::vector<std::uint32_t>{7, 8, 9, 10}));
}

TEST(BlockPool, NeverGivesOnePlaceToTwo) {
  BlockPool pool;
  std::mt19937 random(4);
  std::map<BlockPool::Handle, std::string> texts;
  std::map<BlockPool::Handle, std::vector<std::uint32_t>> lists;
  for (int i = 0; i < 50'000; ++i) {
    switch (random() % 5) {
      case 0:
      case 1: {
        std::string text(random() % 300, static_cast<char>(random()));
        const auto handle = pool.put_text(text);
        ASSERT_TRUE(texts.emplace(handle, std::move(text)).second && !lists.contains(handle));
        break;
      }
      case 2: {
        std::vector<std::uint32_t> list(2 + random() % 100, static_cast<std::uint32_t>(random()));
        const auto handle = pool.put_list(list);
        ASSERT_TRUE(lists.emplace(handle, std::move(list)).second && !texts.contains(handle));
        break;
      }
      case 3:
        if (!texts.empty()) {
          const auto at = texts.lower_bound(static_cast<BlockPool::Handle>(random() % texts.rbegin()->first));
          ASSERT_EQ(pool.text(at->first), at->second);
          pool.free_text(at->first);
          texts.erase(at);
        }
        break;
      default:
        if (!lists.empty()) {
          const auto at = lists.lower_bound(static_cast<BlockPool::Handle>(random() % lists.rbegin()->first));
          ASSERT_TRUE(std::ranges::equal(pool.list(at->first, at->second.size()), at->second));
          pool.free_list(at->first, at->second.size());
          lists.erase(at);
        }
    }
  }
  for (const auto& [handle, text] : texts) ASSERT_EQ(pool.text(handle), text);
  for (const auto& [handle, list] : lists) ASSERT_TRUE(std::ranges::equal(pool.list(handle, list.size()), list));
}

// ----------------------------------------------------------------------------------------------------------- growing array

TEST(GrowingArray, KeepsWhatItHasWhereItIs) {
  GrowingArray<std::uint64_t> array;
  std::vector<const std::uint64_t*> places;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::size_t at = array.extend(1);
    EXPECT_EQ(at, i);
    array[at] = i * i;
    places.push_back(&array[at]);
  }
  EXPECT_EQ(array.size(), 100'000u);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    ASSERT_EQ(array[i], i * i);
    ASSERT_EQ(&array[i], places[i]);
  }
}

TEST(GrowingArray, GivesAdjacentPlaces) {
  GrowingArray<std::uint32_t> array;
  std::mt19937 random(5);
  std::size_t end = 0;
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    const std::size_t count = 1 + random() % (i % 100 == 0 ? 20'000 : 50);
    const std::size_t at = array.extend(count);
    ASSERT_GE(at, end);
    end = at + count;
    ASSERT_EQ(array.size(), end);
    ASSERT_EQ(&array[at] + (count - 1), &array[end - 1]);
    std::fill_n(&array[at], count, i);
  }
}

TEST(GrowingArray, CopiedHasTheSameAndSharesNothing) {
  GrowingArray<std::uint32_t> array;
  for (std::uint32_t i = 0; i < 1'000; ++i) array[array.extend(1)] = i;
  const std::size_t large = array.extend(5'000);   // leaves the rest of a block unused
  array[large] = 7;
  GrowingArray<std::uint32_t> copy = array;
  array[5] = 99;
  array[array.extend(1)] = 99;
  EXPECT_EQ(copy.size(), large + 5'000);
  for (std::uint32_t i = 0; i < 1'000; ++i) ASSERT_EQ(copy[i], i);
  EXPECT_EQ(copy[large], 7u);
  copy = GrowingArray<std::uint32_t>();
  EXPECT_EQ(copy.size(), 0u);
}

// ------------------------------------------------------------------------------------------------------------- place table

// Against a map. `spread` is the number of different hashes: with few, the table is one long chain.
void expect_like_a_map(unsigned seed, std::uint64_t spread) {
  std::mt19937_64 random(seed);
  PlaceTable table;
  std::map<std::uint64_t, PlaceTable::Place> expected;   // by key
  std::vector<std::uint64_t> key_of(5'000);
  std::vector<PlaceTable::Place> free;
  for (PlaceTable::Place place = 0; place < key_of.size(); ++place) free.push_back(place);
  const auto hash_of_key = [&](std::uint64_t key) { return key % spread * 0x9E37'79B9'7F4A'7C15; };
  const auto hash_of = [&](PlaceTable::Place place) { return hash_of_key(key_of[place]); };
  const auto find = [&](std::uint64_t key) {
    return table.find(hash_of_key(key), [&](PlaceTable::Place place) { return key_of[place] == key; });
  };
  for (int i = 0; i < 30'000; ++i) {
    const std::uint64_t key = random() % 6'000;
    const auto known = expected.find(key);
    ASSERT_EQ(find(key), known == expected.end() ? PlaceTable::k_no_place : known->second);
    if (known != expected.end()) {
      if (random() % 2 == 0) continue;
      table.erase(hash_of_key(key), known->second, hash_of);
      free.push_back(known->second);
      expected.erase(known);
    } else if (!free.empty()) {
      const PlaceTable::Place place = free.back();
      free.pop_back();
      key_of[place] = key;
      table.insert(hash_of_key(key), place, hash_of);
      expected[key] = place;
      ASSERT_NE(table.guess(hash_of_key(key)), PlaceTable::k_no_place);
    }
    ASSERT_EQ(table.size(), expected.size());
  }
  for (const auto& [key, place] : expected) ASSERT_EQ(find(key), place);
  std::size_t visited = 0;
  table.for_each([&](PlaceTable::Place place) { visited += expected.at(key_of[place]) == place; });
  EXPECT_EQ(visited, expected.size());
}

TEST(PlaceTable, FindsWhatWasEnteredAndNotRemoved) {
  for (unsigned seed = 0; seed < 5; ++seed) expect_like_a_map(seed, UINT64_MAX);
}

TEST(PlaceTable, FindsItAmongManyOfTheSameHashToo) {
  expect_like_a_map(6, 1'000);
  expect_like_a_map(7, 10);
}

TEST(PlaceTable, ThatIsEmptyFindsNothing) {
  const PlaceTable table;
  EXPECT_EQ(table.find(1, [](PlaceTable::Place) { return true; }), PlaceTable::k_no_place);
  EXPECT_EQ(table.guess(1), PlaceTable::k_no_place);
  table.prefetch(1);
}

// ------------------------------------------------------------------------------------------------------------ expiry queue

TEST(ExpiryQueue, GivesWhatIsDueTheEarliestFirstLikeASortedMap) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    ExpiryQueue queue;
    std::multimap<Millis, std::uint32_t> expected;
    Millis now = seed % 2 == 0 ? k_start : 0;
    for (int i = 0; i < 5'000; ++i) {
      if (random() % 3 != 0) {
        const Millis at = now + 1 + static_cast<Millis>(random() % (std::uint64_t{1} << random() % 40));
        queue.push(at, static_cast<std::uint32_t>(i));
        expected.emplace(at, i);
      } else {
        now += static_cast<Millis>(random() % (std::uint64_t{1} << random() % 34));
        ExpiryQueue::Entry entry{};
        for (std::size_t most = random() % 10; most > 0 && queue.pop(now, entry); --most) {
          ASSERT_FALSE(expected.empty());
          ASSERT_EQ(entry.at, expected.begin()->first);
          ASSERT_LE(entry.at, now);
          auto [from, until] = expected.equal_range(entry.at);
          const auto same = std::find_if(from, until, [&](const auto& pair) { return pair.second == entry.slot; });
          ASSERT_NE(same, until);
          expected.erase(same);
        }
      }
      ASSERT_EQ(queue.size(), expected.size());
      ASSERT_EQ(queue.earliest(), expected.empty() ? k_never : expected.begin()->first);
    }
    ExpiryQueue::Entry entry{};
    while (queue.pop(k_never - 1, entry)) expected.erase(expected.begin());
    EXPECT_TRUE(expected.empty());
  }
}

TEST(ExpiryQueue, GivesNothingBeforeItsTimeAndEverythingAtIt) {
  ExpiryQueue queue;
  ExpiryQueue::Entry entry{};
  EXPECT_FALSE(queue.pop(k_never, entry));
  queue.push(1'000, 1);
  EXPECT_FALSE(queue.pop(999, entry));
  EXPECT_TRUE(queue.pop(1'000, entry));
  EXPECT_EQ(entry.slot, 1u);
  EXPECT_FALSE(queue.pop(k_never, entry));
}

TEST(ExpiryQueue, TakesATimeBeforeTheLastPoppedOneAsThatTime) {
  ExpiryQueue queue;
  ExpiryQueue::Entry entry{};
  queue.push(1'000, 1);
  queue.push(2'000, 2);
  ASSERT_TRUE(queue.pop(1'000, entry));
  queue.push(500, 3);
  EXPECT_EQ(queue.earliest(), 1'000);
  ASSERT_TRUE(queue.pop(1'500, entry));
  EXPECT_EQ(entry.slot, 3u);
  EXPECT_FALSE(queue.pop(1'500, entry));
}

TEST(ExpiryQueue, KeepsOnlyTheEntriesThatAreTrue) {
  ExpiryQueue queue;
  for (std::uint32_t i = 0; i < 100; ++i) queue.push(1'000 + i, i);
  queue.keep_if([](const ExpiryQueue::Entry& entry) { return entry.slot % 10 == 5; });
  EXPECT_EQ(queue.size(), 10u);
  EXPECT_EQ(queue.earliest(), 1'005);
  ExpiryQueue::Entry entry{};
  for (std::uint32_t i = 5; i < 100; i += 10) {
    ASSERT_TRUE(queue.pop(k_never, entry));
    EXPECT_EQ(entry.slot, i);
  }
  EXPECT_EQ(queue.earliest(), k_never);
}

TEST(ExpiryQueue, GivesBackMuchMemoryWhenItIsEmpty) {
  ExpiryQueue queue;
  for (std::uint32_t i = 0; i < 1'000'000; ++i) queue.push(1'000 + i % 7, i);
  EXPECT_GT(queue.bytes(), 10'000'000u);
  ExpiryQueue::Entry entry{};
  while (queue.pop(2'000, entry)) {}
  EXPECT_LT(queue.bytes(), 2'000'000u);
}

// -------------------------------------------------------------------------------------------------------------------- keys

// A different key for each number, distributed like a cryptographic hash.
IdempotencyKey key_of(std::uint64_t number, std::uint8_t request = 0) {
  const std::uint64_t spread = number * 0x9E37'79B9'7F4A'7C15;
  IdempotencyKey key{};
  std::memcpy(key.key.data(), &spread, sizeof spread);
  key.request[0] = request;
  return key;
}

constexpr Millis k_day = 24 * 60 * k_minute;

TEST(KeyTable, KeepsAKeyFor24HoursToTheMillisecond) {
  KeyTable keys;
  keys.put(key_of(1, 9), k_start, "outcome");
  const KeyTable::Record* record = keys.find(key_of(1).key, k_start + k_day - 1);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->request, key_of(1, 9).request);
  EXPECT_EQ(keys.outcome(*record), "outcome");
  EXPECT_EQ(keys.find(key_of(1).key, k_start + k_day), nullptr);
  EXPECT_EQ(keys.find(key_of(2).key, k_start), nullptr);
}

TEST(KeyTable, ForgetsExactlyTheExpiredKeys) {
  KeyTable keys;
  keys.put(key_of(1), k_start, "one");
  keys.put(key_of(2), k_start + 1, "two");
  keys.forget_old(k_start + k_day - 1);
  EXPECT_EQ(keys.size(), 2u);
  keys.forget_old(k_start + k_day);
  EXPECT_EQ(keys.size(), 1u);
  EXPECT_NE(keys.find(key_of(2).key, k_start + k_day), nullptr);
}

TEST(KeyTable, IsFullAtItsLimitUntilOldKeysExpire) {
  KeyTable keys(2);
  EXPECT_TRUE(keys.has_room_for({}));
  keys.put(key_of(1), k_start, "");
  EXPECT_TRUE(keys.has_room_for({}));
  keys.put(key_of(2), k_start + 1, "");
  EXPECT_FALSE(keys.has_room_for({}));
  keys.forget_old(k_start + k_day);
  EXPECT_TRUE(keys.has_room_for({}));
}

// Puts `count` keys of one owner, numbered from `first`.
void fill(KeyTable& keys, const KeyOwner& owner, std::uint64_t first, std::uint64_t count, std::string_view outcome = "") {
  for (std::uint64_t i = first; i < first + count; ++i) {
    IdempotencyKey key = key_of(i);
    key.owner = owner;
    keys.put(key, k_start, outcome);
  }
}

// At the number that a node has by default, each key with an outcome as long as that of one seat.
TEST(KeyTable, KeepsAtMostTwoMillionKeys) {
  constexpr std::uint64_t k_keys =
      test::k_is_sanitized ? 200'000 : k_idempotency_keys_max;   // a sanitizer makes each key larger and slower
  const std::string outcome(64, 'x');
  KeyTable keys(k_keys);
  fill(keys, {.caller = 1}, 0, k_keys / 2, outcome);
  fill(keys, {.caller = 2}, k_keys / 2, k_keys / 2 - 1, outcome);
  EXPECT_TRUE(keys.has_room_for({.caller = 3})) << "for one more";
  fill(keys, {.caller = 2}, k_keys - 1, 1, outcome);
  EXPECT_FALSE(keys.has_room_for({.caller = 3}));
  EXPECT_EQ(keys.size(), k_keys);
  for (const std::uint64_t number : {std::uint64_t{0}, k_keys / 2, k_keys - 1}) {
    const KeyTable::Record* record = keys.find(key_of(number).key, k_start);
    ASSERT_NE(record, nullptr) << number;
    EXPECT_EQ(keys.outcome(*record), outcome);
  }
  keys.forget_old(k_start + k_day);
  EXPECT_EQ(keys.size(), 0u);
  EXPECT_TRUE(keys.has_room_for({.caller = 3}));
}

TEST(KeyTable, GivesStrangersTogetherAQuarterAndEachOfThemAPart) {
  constexpr KeyOwner k_shop{.caller = 7};
  KeyTable keys(8'000);
  fill(keys, {.caller = 1, .is_stranger = true}, 0, 1'000);
  EXPECT_FALSE(keys.has_room_for({.caller = 1, .is_stranger = true}));
  EXPECT_TRUE(keys.has_room_for({.caller = 1})) << "that is somebody with a key";
  EXPECT_TRUE(keys.has_room_for({.caller = 2, .is_stranger = true}));
  fill(keys, {.caller = 2, .is_stranger = true}, 1'000, 1'000);
  EXPECT_FALSE(keys.has_room_for({.caller = 3, .is_stranger = true}));
  fill(keys, k_shop, 2'000, 4'000);
  EXPECT_FALSE(keys.has_room_for(k_shop)) << "half of all";
  EXPECT_TRUE(keys.has_room_for({.caller = 8}));
  keys.forget_old(k_start + k_day);
  EXPECT_TRUE(keys.has_room_for({.caller = 1, .is_stranger = true}));
  EXPECT_TRUE(keys.has_room_for(k_shop));
  EXPECT_EQ(keys.bytes(), 0u);
}

// Few large outcomes need as much room as many usual ones.
TEST(KeyTable, KeepsOutcomesOf256BytesAKeyOnAverage) {
  constexpr std::size_t k_keys = test::k_is_sanitized ? 200'000 : k_idempotency_keys_max;
  constexpr std::size_t k_bytes = k_keys * 256;
  constexpr std::size_t k_large = 40'000;
  constexpr KeyOwner k_first{.caller = 1};
  constexpr KeyOwner k_second{.caller = 2};
  constexpr KeyOwner k_other{.caller = 3};
  KeyTable keys(k_keys);
  const std::string large(k_large, 'x');
  fill(keys, k_first, 0, k_bytes / k_large / 2, large);
  fill(keys, k_second, k_bytes / k_large / 2, k_bytes / k_large / 2 - 1, large);
  fill(keys, k_second, k_bytes / k_large - 1, 1, std::string(k_large - 1, 'x'));
  ASSERT_EQ(keys.bytes(), k_bytes - 1);
  EXPECT_TRUE(keys.has_room_for(k_other));
  fill(keys, k_other, k_bytes / k_large, 1, "x");
  EXPECT_FALSE(keys.has_room_for(k_other));
  EXPECT_FALSE(keys.has_room_for({.caller = 4}));
}

TEST(KeyTable, CountsTheBytesOfOutcomesToo) {
  KeyTable keys(8'000);   // 2,048,000 bytes
  const std::string large(50'000, 'x');
  fill(keys, {.caller = 1, .is_stranger = true}, 0, 6, large);
  EXPECT_FALSE(keys.has_room_for({.caller = 1, .is_stranger = true}));
  EXPECT_TRUE(keys.has_room_for({.caller = 2, .is_stranger = true}));
  fill(keys, {.caller = 7}, 6, 35, large);
  EXPECT_FALSE(keys.has_room_for({.caller = 8})) << "all of them together";
}

TEST(KeyTable, FindsTheOwnerBehindOutcomesThatComeFromAStore) {
  constexpr KeyOwner k_owner{.caller = 0x7FFF'FFFF, .is_stranger = true};
  std::string kept;
  Writer writer(kept);
  Outcome outcome;
  outcome.reservation.emplace(ReservationView{.customer = "anna", .seats = {{3, true}}});
  encode_outcomes({&outcome, 1}, writer, k_owner);
  EXPECT_EQ(owner_in(kept), k_owner);
  KeyTable keys(4);
  keys.put(key_of(1), k_start, kept);
  EXPECT_FALSE(keys.has_room_for(k_owner));
  EXPECT_TRUE(keys.has_room_for({.caller = 5}));
  std::string without;
  Writer plain(without);
  encode_outcomes({&outcome, 1}, plain);
  EXPECT_EQ(owner_in(without), KeyOwner{});
}

// Another node has accepted it again, for which it was over.
TEST(KeyTable, ReplacesAKeyThatItKeepsLonger) {
  KeyTable keys;
  keys.keep_longer(10 * k_day);
  keys.put(key_of(1), k_start, "first");
  keys.put(key_of(2), k_start + 1, "other");
  keys.put(key_of(1), k_start + 2 * k_day, "second");
  EXPECT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys.bytes(), 11u);
  const KeyTable::Record* record = keys.find(key_of(1).key, k_start + 2 * k_day);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(keys.outcome(*record), "second");
  keys.keep_longer(0);
  keys.forget_old(k_start + 3 * k_day - 1);
  EXPECT_EQ(keys.size(), 1u) << "the other is over, and not what came after it";
  keys.forget_old(k_start + 3 * k_day);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(KeyTable, TakesAKeyAgainThatNoLongerCounts) {
  KeyTable keys;
  keys.put(key_of(1, 1), k_start, "first");
  keys.put(key_of(1, 2), k_start + k_day, "second");
  EXPECT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys.outcome(*keys.find(key_of(1).key, k_start + k_day)), "second");
}

TEST(KeyTable, TakesATimeBeforeTheLastOneAsThatTime) {
  KeyTable keys;
  keys.put(key_of(1), k_start, "");
  keys.put(key_of(2), k_start - 1, "");   // the clock was set back
  EXPECT_NE(keys.find(key_of(2).key, k_start + k_day - 1), nullptr);
  EXPECT_EQ(keys.find(key_of(2).key, k_start + k_day), nullptr);
  keys.put(key_of(2), k_start + k_day, "");
  EXPECT_EQ(keys.size(), 1u);
}

TEST(KeyTable, KeepsTheOutcomeOfTheLargestSet) {
  KeyTable keys;
  const std::string outcome(500'000, 'x');
  keys.put(key_of(1), k_start, outcome);
  EXPECT_EQ(keys.outcome(*keys.find(key_of(1).key, k_start)), outcome);
}

TEST(KeyTable, UsesTheMemoryOfForgottenKeysAgain) {
  KeyTable keys;
  for (std::uint64_t i = 0; i < 100'000; ++i)
    keys.put(key_of(i), k_start + static_cast<Millis>(i) * k_day / 100, "an outcome of some length");
  EXPECT_LE(keys.size(), 101u);
}

}  // namespace
}  // namespace holdfast
