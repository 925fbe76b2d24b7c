// The registry, in a file and in a database: keys stay as they were created, every connection sees changes, and all share one
// secret.
#include "access/registry.h"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "feed/stores_in_test.h"
#include "ledger/data_error.h"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

ApiKey key(unsigned number) {
  ApiKey made{.id = "k" + std::to_string(number), .name = "shop Ü " + std::to_string(number), .created_at = 1'000 + number};
  for (std::size_t i = 0; i < sizeof number; ++i) made.hash[i] = static_cast<std::uint8_t>(number >> (8 * i));
  made.hash.back() = 0xFF;
  made.scopes.add(Scope::read);
  made.scopes.add(Scope::sell);
  return made;
}

class RegistryTest : public testing::TestWithParam<Home> {
 protected:
  std::unique_ptr<StoresInTest> stores = StoresInTest::in(GetParam());
  std::unique_ptr<Registry> registry = stores->open_registry();
};

INSTANTIATE_TEST_SUITE_P(In, RegistryTest, k_homes, name_of_home);

TEST_P(RegistryTest, AKeyIsUnchangedWhenTheRegistryIsOpenedAgain) {
  ApiKey made = key(1);
  made.expires_at = 77'000;
  ASSERT_TRUE(registry->add(made));
  ASSERT_TRUE(registry->add(key(2)));
  const auto keys = stores->open_registry()->keys();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].id, "k1");
  EXPECT_EQ(keys[0].name, "shop Ü 1");
  EXPECT_EQ(keys[0].hash, made.hash);
  EXPECT_EQ(keys[0].scopes, made.scopes);
  EXPECT_EQ(keys[0].created_at, 1'001);
  EXPECT_EQ(keys[0].expires_at, 77'000);
  EXPECT_FALSE(keys[0].revoked_at);
  EXPECT_EQ(keys[1].id, "k2") << "the oldest first";
  EXPECT_FALSE(keys[1].expires_at);
}

TEST_P(RegistryTest, ARevokedKeyStaysAndKeepsTheTimeOfItsFirstRevocation) {
  ASSERT_TRUE(registry->add(key(1)));
  EXPECT_TRUE(registry->revoke("k1", 5'000));
  EXPECT_TRUE(registry->revoke("k1", 6'000));
  EXPECT_FALSE(registry->revoke("k2", 6'000));
  ASSERT_THAT(registry->keys(), SizeIs(1));
  EXPECT_EQ(registry->keys()[0].revoked_at, 5'000);
}

TEST_P(RegistryTest, AnotherConnectionsWriteIsSeenAsAChangeOnce) {
  const auto other = stores->open_registry();
  EXPECT_TRUE(registry->has_changed() || registry->keys().empty()) << "before the first reading anything may be new";
  (void)registry->keys();
  EXPECT_FALSE(registry->has_changed());
  ASSERT_TRUE(other->add(key(1)));
  EXPECT_TRUE(registry->has_changed());
  EXPECT_THAT(registry->keys(), SizeIs(1));
  EXPECT_FALSE(registry->has_changed());
  ASSERT_TRUE(other->revoke("k1", 9));
  EXPECT_TRUE(registry->has_changed());
  (void)registry->keys();
  stores->change_by_hand("UPDATE api_key SET expires_at = 3");
  EXPECT_TRUE(registry->has_changed()) << "also what was written past the program";
  EXPECT_EQ(registry->keys().at(0).expires_at, 3);
}

TEST_P(RegistryTest, ItsOwnWritesAreSeenToo) {
  (void)registry->keys();
  ASSERT_TRUE(registry->add(key(1)));
  EXPECT_TRUE(registry->has_changed());
  (void)registry->keys();
  ASSERT_TRUE(registry->revoke("k1", 1));
  EXPECT_TRUE(registry->has_changed());
}

TEST_P(RegistryTest, ADuplicateIdOrHashIsRefused) {
  ASSERT_TRUE(registry->add(key(1)));
  ApiKey same_id = key(2);
  same_id.id = "k1";
  EXPECT_THROW(registry->add(same_id), std::exception);
  ApiKey same_hash = key(2);
  same_hash.hash = key(1).hash;
  EXPECT_THROW(registry->add(same_hash), std::exception);
  EXPECT_TRUE(registry->add(key(2))) << "and it goes on";
  EXPECT_THAT(registry->keys(), SizeIs(2));
}

TEST_P(RegistryTest, TheLimitOfKeysHoldsForConcurrentAdditionsToo) {
  stores->fill_with_keys(k_api_keys_max - 5);
  std::atomic<unsigned> added{0};
  std::vector<std::jthread> threads;
  for (unsigned thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&, thread] {
      const auto own = stores->open_registry();
      for (unsigned i = 0; i < 6; ++i) added += own->add(key(100'000 + thread * 100 + i)) ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(added, 5U);
  EXPECT_FALSE(registry->add(key(900'000)));
  EXPECT_THAT(registry->keys(), SizeIs(k_api_keys_max));
}

TEST_P(RegistryTest, AllHaveOneSecretEvenIfTheyOpenItAtOnce) {
  std::mutex mutex;
  std::set<SessionSecret> secrets = {registry->session_secret()};
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      const SessionSecret secret = stores->open_registry()->session_secret();
      const std::scoped_lock lock(mutex);
      secrets.insert(secret);
    });
  }
  threads.clear();
  EXPECT_THAT(secrets, SizeIs(1));
  EXPECT_NE(*secrets.begin(), SessionSecret{});
  EXPECT_NE(*secrets.begin(), StoresInTest::in(GetParam())->open_registry()->session_secret()) << "another registry has another";
}

TEST_P(RegistryTest, WebhooksInTheSamePlaceLeaveItAlone) {
  ASSERT_TRUE(registry->add(key(1)));
  const auto webhooks = stores->open_webhooks();
  feed::Endpoint endpoint{.id = {}, .url = "https://a/"};
  EXPECT_EQ(webhooks->create(endpoint, {}), feed::WebhookStore::Made::created);
  EXPECT_THAT(registry->keys(), SizeIs(1));
  EXPECT_THAT(stores->open_registry()->keys(), SizeIs(1));
}

TEST_P(RegistryTest, ARowThatCannotBeReadIsRefusedByNameAndPlace) {
  ASSERT_TRUE(registry->add(key(7)));
  stores->change_by_hand("UPDATE api_key SET scopes = 'everything'");
  try {
    (void)registry->keys();
    FAIL() << "it was read";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr("k7"));
    EXPECT_THAT(error.what(), HasSubstr(stores->place()));
    EXPECT_THAT(error.what(), HasSubstr("backup"));
  }
  EXPECT_THROW(stores->open_registry(), DataError);
}

// SQLite keeps what a table says that it may.
TEST(RegistryInAFolder, AColumnOfAnotherTypeIsRefusedAsDamageByNameAndPlace) {
  const auto refusal_after = [](const std::string& statements) -> std::string {
    const auto stores = StoresInTest::in(Home::embedded);
    const auto registry = stores->open_registry();
    EXPECT_TRUE(registry->add(key(7)));
    stores->change_by_hand(statements);
    try {
      (void)registry->keys();
      (void)registry->session_secret();
    } catch (const DataError& error) {
      return error.what();
    }
    return "it was read";
  };
  const std::string anew = "ALTER TABLE api_key RENAME TO old; CREATE TABLE api_key AS SELECT ";
  const std::string time = refusal_after(anew + "id, name, hash, scopes, 'soon' AS created_at, expires_at, revoked_at FROM old");
  EXPECT_THAT(time, AllOf(HasSubstr("k7"), HasSubstr("registry.db"), HasSubstr("backup")));
  const std::string id = refusal_after(anew + "7 AS id, name, hash, scopes, created_at, expires_at, revoked_at FROM old");
  EXPECT_THAT(id, AllOf(HasSubstr("row 1 of table api_key"), HasSubstr("registry.db"), HasSubstr("backup")));
  const std::string secret = refusal_after("DROP TABLE session_secret; CREATE TABLE session_secret AS SELECT 5 AS secret");
  EXPECT_THAT(secret, AllOf(HasSubstr("the secret that signs sessions"), HasSubstr("registry.db")));
}

}  // namespace
}  // namespace holdfast::test
