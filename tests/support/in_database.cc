// Linked into the tests of the contracts. With HOLDFAST_TEST_LEDGER=postgresql each of their servers has a private database
// instead of a folder, so that one suite runs against both ledgers.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "support/server.h"
#include "support/services.h"

namespace holdfast::test {
namespace {

ServerPlace place_in_database(const ServerSettings& settings) {
  if (std::ranges::find(settings.flags, "--ledger") != settings.flags.end()) return {};
  auto database = std::make_shared<PostgresDatabase>();
  const Finished migrated = run_holdfast({"migrate", "--ledger", database->url()});
  if (migrated.status != 0) throw std::runtime_error("holdfast migrate failed: " + migrated.everything());
  return {.flags = {"--ledger", database->url()}, .owner = database};
}

const bool is_set = [] {
  const char* const ledger = std::getenv("HOLDFAST_TEST_LEDGER");
  if (ledger != nullptr && std::string_view(ledger) == "postgresql") place_of_servers = place_in_database;
  return true;
}();

}   // namespace
}   // namespace holdfast::test
