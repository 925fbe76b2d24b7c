// The two homes of registry and webhooks, for tests that both must pass.
//
//   class RegistryTest : public testing::TestWithParam<Home> { std::unique_ptr<StoresInTest> stores = StoresInTest::in(GetParam()); … };
//   INSTANTIATE_TEST_SUITE_P(, RegistryTest, k_homes, name_of_home);
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "access/registry.h"
#include "feed/webhooks/store.h"
#include "sql/postgres_pool.h"

namespace holdfast::test {

enum class Home { embedded, postgresql };
inline const auto k_homes = testing::Values(Home::embedded, Home::postgresql);
inline std::string name_of_home(const testing::TestParamInfo<Home>& info) {
  return info.param == Home::embedded ? "embedded" : "postgresql";
}

class StoresInTest {
 public:
  static std::unique_ptr<StoresInTest> in(Home home);
  virtual ~StoresInTest() = default;

  // Each is another program's view of the same data; earlier ones may still exist.
  virtual std::unique_ptr<Registry> open_registry() = 0;
  virtual std::unique_ptr<feed::WebhookStore> open_webhooks() = 0;
  // The epoch in which relays may write.
  virtual feed::Epoch epoch() = 0;
  // Writes to the tables directly; a table `api_key` goes by that name in both.
  virtual void change_by_hand(const std::string& statement) = 0;
  // Adds keys h1, h2, … directly, because the program takes longer.
  virtual void fill_with_keys(std::size_t count) = 0;
  // The names that refusals must contain.
  virtual std::string place() const = 0;
};

}  // namespace holdfast::test
