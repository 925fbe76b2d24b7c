// The duties of every store of the Kafka feed: one lease, positions that only its holder sets, and rejections that keep their
// first words.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "feed/kafka/feed_file.h"
#include "feed/kafka/store.h"
#include "ledger/postgres/schema.h"
#include "sql/postgres_database.h"
#include "support/process.h"
#include "support/services.h"
#include "support/waiting.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using test::eventually;

constexpr milliseconds k_long{60'000};
constexpr Millis k_day = 86'400'000;

// A place that stores are opened on, each as by another node.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual std::unique_ptr<FeedStore> open() = 0;
};

class EmbeddedPlace final : public StorePlace {
 public:
  std::unique_ptr<FeedStore> open() override { return std::make_unique<FeedStore>(open_feed_file(feed_file_in(folder_.path()))); }

 private:
  test::TempFolder folder_;
};

class PostgresPlace final : public StorePlace {
 public:
  PostgresPlace() { pg::migrate({.url = database_.url()}); }
  std::unique_ptr<FeedStore> open() override { return std::make_unique<FeedStore>(std::make_unique<sql::PostgresDatabase>(pool_)); }

 private:
  test::PostgresDatabase database_;
  pg::Pool pool_{{.url = database_.url()}, {}};
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<StorePlace>()> make;
};

class FeedStores : public testing::TestWithParam<Kind> {
 protected:
  std::map<EventNumber, Seq> positions_of(FeedStore& of) {
    std::map<EventNumber, Seq> all;
    for (const FeedPosition& each : of.positions()) EXPECT_TRUE(all.emplace(each.event, each.seq).second);
    return all;
  }
  // False: the epoch is over.
  static bool save(FeedStore& into, Epoch epoch, std::vector<FeedPosition> positions) {
    try {
      into.save(epoch, positions);
      return true;
    } catch (const LeaseLost&) {
      return false;
    }
  }

  std::unique_ptr<StorePlace> place = GetParam().make();
  std::unique_ptr<FeedStore> store = place->open();
  std::unique_ptr<FeedStore> other = place->open();
};

TEST_P(FeedStores, HaveAPermanentUniqueName) {
  const std::string id = store->id();
  EXPECT_GE(id.size(), 1u);
  EXPECT_LE(id.size(), 64u);
  EXPECT_EQ(other->id(), id);
  store.reset();
  EXPECT_EQ(place->open()->id(), id);
  EXPECT_NE(GetParam().make()->open()->id(), id);
}

TEST_P(FeedStores, GiveTheLeaseToOneAndTellOthersItsHolder) {
  const auto mine = store->make_lease("a", k_long);
  EXPECT_GT(mine->acquire(), 0);
  EXPECT_EQ(mine->last_holder(), "a");
  const auto theirs = other->make_lease("b", k_long);
  EXPECT_FALSE(theirs->acquire());
  EXPECT_EQ(theirs->last_holder(), "a");
}

TEST_P(FeedStores, KeepTheEpochWhileTheHolderGoesOnAndRaiseItForAnother) {
  const auto theirs = other->make_lease("b", k_long);
  const Epoch epoch = store->make_lease("a", milliseconds(20))->acquire().value();
  const auto mine = store->make_lease("a", k_long);
  EXPECT_EQ(mine->acquire(), epoch) << "a process that starts again under its name";
  EXPECT_TRUE(mine->renew());
  EXPECT_FALSE(theirs->acquire()) << "its end was moved";
  EXPECT_EQ(store->make_lease("a", milliseconds(20))->acquire(), epoch);
  EXPECT_TRUE(eventually([&] { return theirs->acquire() == epoch + 1; }));
  EXPECT_FALSE(mine->renew());
  EXPECT_FALSE(mine->acquire());
}

TEST_P(FeedStores, GiveALeaseThatIsOverBackToItsHolderWhenNobodyTookIt) {
  const auto lease = store->make_lease("a", milliseconds(1));
  const Epoch epoch = lease->acquire().value();
  std::this_thread::sleep_for(milliseconds(5));   // the lease's time must be over
  EXPECT_TRUE(save(*store, epoch, {{1, 5}})) << "nobody else has taken it";
  EXPECT_TRUE(lease->renew());
  EXPECT_EQ(lease->acquire(), epoch);
}

TEST_P(FeedStores, LetTheNextHolderInAtOnceAfterARelease) {
  const auto mine = store->make_lease("a", k_long);
  const auto theirs = other->make_lease("b", k_long);
  const Epoch epoch = mine->acquire().value();
  mine->release();
  EXPECT_EQ(theirs->acquire(), epoch + 1);
  mine->release();   // a lease from before: nothing happens
  EXPECT_FALSE(mine->renew());
  EXPECT_FALSE(mine->acquire());
}

TEST_P(FeedStores, KeepPositionsForTheNextHolder) {
  EXPECT_TRUE(store->positions().empty());
  const Epoch epoch = store->make_lease("a", k_long)->acquire().value();
  EXPECT_TRUE(save(*store, epoch, {{1, 5}, {7, 1}, {100'000, 4'000'000'000'000}}));
  EXPECT_TRUE(save(*store, epoch, {{7, 2}}));
  const std::map<EventNumber, Seq> expected = {{1, 5}, {7, 2}, {100'000, 4'000'000'000'000}};
  EXPECT_EQ(positions_of(*store), expected);
  EXPECT_EQ(positions_of(*other), expected);
  store.reset();
  EXPECT_EQ(positions_of(*place->open()), expected);
  EXPECT_TRUE(save(*other, epoch, {{1, 3}})) << "also back, when other data were put in their place";
  EXPECT_EQ(positions_of(*other).at(1), 3u);
}

TEST_P(FeedStores, RefusePositionsFromAFormerHolder) {
  const auto lease = store->make_lease("a", k_long);
  const Epoch epoch = lease->acquire().value();
  EXPECT_TRUE(save(*store, epoch, {{1, 5}}));
  lease->release();
  const Epoch next = other->make_lease("b", k_long)->acquire().value();
  EXPECT_FALSE(save(*store, epoch, {{1, 6}, {2, 1}}));
  EXPECT_EQ(positions_of(*other), (std::map<EventNumber, Seq>{{1, 5}}));
  EXPECT_TRUE(save(*other, next, {{1, 6}}));
}

TEST_P(FeedStores, LetExactlyOneOfManyHaveEachEpoch) {
  constexpr int k_nodes = 4;
  constexpr int k_times = 30;
  constexpr std::size_t k_epochs_min = 10;   // a store that answers slowly is asked more often
  std::mutex mutex;
  std::multiset<Epoch> epochs;
  const auto are_too_few = [&] {
    const std::scoped_lock lock(mutex);
    return epochs.size() < k_epochs_min;
  };
  std::vector<std::jthread> nodes;
  for (int node = 0; node < k_nodes; ++node) {
    nodes.emplace_back([&, node] {
      const auto mine = place->open();
      const auto lease = mine->make_lease("node-" + std::to_string(node), k_long);
      for (int i = 0; i < k_times || are_too_few(); ++i) {
        const auto epoch = lease->acquire();
        if (!epoch) continue;
        {
          const std::scoped_lock lock(mutex);
          epochs.insert(*epoch);
        }
        lease->release();
      }
    });
  }
  nodes.clear();
  EXPECT_EQ(std::set<Epoch>(epochs.begin(), epochs.end()).size(), epochs.size());
}

TEST_P(FeedStores, KeepTheFirstWordsOfARejection) {
  PaymentDigest payment{};
  payment[0] = 1;
  PaymentDigest another{};
  const std::string told("with\0zero and \xFF", 15);
  EXPECT_FALSE(store->rejection(payment).has_value());
  EXPECT_EQ(store->keep_rejection(payment, told, 1'000, 1'000), told);
  EXPECT_EQ(other->keep_rejection(payment, "otherwise", 2'000, 2'000), told);
  EXPECT_EQ(other->rejection(payment), told);
  EXPECT_FALSE(store->rejection(another).has_value());
  store.reset();
  EXPECT_EQ(place->open()->rejection(payment), told);
}

TEST_P(FeedStores, TellOfManyRejectionsInTheOrderOfTheQuestion) {
  std::vector<PaymentDigest> payments(10'499);   // as many as an event may have that waits, and those that came last
  for (std::size_t i = 0; i < payments.size(); ++i) {
    payments[i][0] = static_cast<std::uint8_t>(i);
    payments[i][31] = static_cast<std::uint8_t>(i >> 8);
  }
  store->keep_rejection(payments[7], "seven", 1'000, 1'000);
  store->keep_rejection(payments.back(), "last", 1'000, 1'000);
  const auto told = store->rejections(payments);
  ASSERT_EQ(told.size(), payments.size());
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto expected = i == 7                 ? std::optional<std::string>("seven")
                          : i + 1 == told.size() ? std::optional<std::string>("last")
                                                 : std::nullopt;
    ASSERT_EQ(told[i], expected) << i;
  }
  EXPECT_TRUE(store->rejections({}).empty());
}

TEST_P(FeedStores, ForgetRejectionsOnlyAfterTheirTime) {
  PaymentDigest first{};
  first[0] = 1;
  PaymentDigest later{};
  later[0] = 2;
  const Millis start = 1'771'949'700'000;
  store->keep_rejection(first, "a", start, start);
  store->keep_rejection(later, "b", start + k_rejection_days * k_day, start + k_rejection_days * k_day);
  EXPECT_TRUE(store->rejection(first).has_value());
  PaymentDigest last{};
  last[0] = 3;
  store->keep_rejection(last, "c", start + (k_rejection_days + 1) * k_day, start + (k_rejection_days + 1) * k_day);
  EXPECT_FALSE(store->rejection(first).has_value());
  EXPECT_TRUE(store->rejection(later).has_value());
}

// If a rejection were forgotten, a payment whose money went back could buy the seat.
TEST_P(FeedStores, ForgetNoRejectionByATimeThatIsInDoubt) {
  PaymentDigest first{};
  first[0] = 1;
  PaymentDigest during_doubt{};
  during_doubt[0] = 2;
  const Millis start = 1'771'949'700'000;
  store->keep_rejection(first, "a", start, start);
  store->keep_rejection(during_doubt, "b", start + 365 * k_day, start + 1);
  EXPECT_EQ(store->rejection(first), "a");
  EXPECT_EQ(store->rejection(during_doubt), "b");
}

INSTANTIATE_TEST_SUITE_P(Every, FeedStores,
                         testing::Values(Kind{"embedded", [] { return std::make_unique<EmbeddedPlace>(); }},
                                         Kind{"postgresql", [] { return std::make_unique<PostgresPlace>(); }}),
                         [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace holdfast::feed::kafka
