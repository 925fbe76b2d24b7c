#include "feed/stores_in_test.h"

#include <fmt/core.h>

#include "access/registry_file.h"
#include "feed/lease.h"
#include "feed/webhooks/store.h"
#include "feed/webhooks/webhook_file.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/postgres/schema.h"
#include "sql/postgres_database.h"
#include "support/process.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

constexpr std::string_view k_fill =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
    "INSERT INTO api_key (id, name, hash, scopes, created_at) SELECT 'h' || i, 'n', {}, 'read', i FROM n";

class InFolder final : public StoresInTest {
 public:
  std::unique_ptr<Registry> open_registry() override { return std::make_unique<RegistryFile>(file()); }
  std::unique_ptr<feed::WebhookStore> open_webhooks() override {
    return std::make_unique<feed::WebhookStore>(feed::open_webhook_file(file()));
  }
  feed::Epoch epoch() override { return {}; }
  void change_by_hand(const std::string& statement) override {
    sqlite::Database(file(), sqlite::Database::Mode::read_write).execute(statement.c_str());
  }
  void fill_with_keys(std::size_t count) override {
    change_by_hand(fmt::format(fmt::runtime(k_fill), count, "CAST(printf('%032d', i) AS BLOB)"));
  }
  std::string place() const override { return "registry.db"; }

 private:
  std::string file() const { return DataFolder::registry_in(folder_.path()); }

  TempFolder folder_;
};

class InDatabase final : public StoresInTest {
 public:
  InDatabase() : pool_({.url = database_.url()}, {.connections_max = 4}) { pg::migrate({.url = database_.url()}); }

  std::unique_ptr<Registry> open_registry() override { return std::make_unique<Registry>(std::make_unique<sql::PostgresDatabase>(pool_)); }
  std::unique_ptr<feed::WebhookStore> open_webhooks() override {
    return std::make_unique<feed::WebhookStore>(std::make_unique<sql::PostgresDatabase>(pool_));
  }
  feed::Epoch epoch() override { return epoch_ ? *epoch_ : epoch_.emplace(lease_.acquire().value()); }
  void change_by_hand(const std::string& statement) override { Sql(database_.url()).run("SET search_path = holdfast; " + statement); }
  void fill_with_keys(std::size_t count) override {
    change_by_hand(fmt::format(fmt::runtime(k_fill), count, "convert_to(lpad(i::text, 32, '0'), 'UTF8')"));
  }
  std::string place() const override { return "127.0.0.1"; }

 private:
  PostgresDatabase database_;
  pg::Pool pool_;
  sql::PostgresDatabase tables_{pool_};
  feed::Lease lease_{tables_, feed::k_lease_webhooks};
  std::optional<feed::Epoch> epoch_;
};

}  // namespace

std::unique_ptr<StoresInTest> StoresInTest::in(Home home) {
  if (home == Home::embedded) return std::make_unique<InFolder>();
  return std::make_unique<InDatabase>();
}

}  // namespace holdfast::test
