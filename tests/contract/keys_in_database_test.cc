// `holdfast keys --ledger`: keys of a ledger in PostgreSQL, by the real program.
#include <gmock/gmock.h>

#include "support/events.h"
#include "support/process.h"
#include "support/server.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct KeysInDatabase : testing::Test {
  KeysInDatabase() { EXPECT_EQ(run_holdfast({"migrate", "--ledger", database.url()}).status, 0); }

  static Finished keys(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "keys");
    return run_holdfast(arguments);
  }

  PostgresDatabase database;
};

TEST_F(KeysInDatabase, AreCreatedListedAndRevoked) {
  const Finished made = keys({"create", "--ledger", database.url(), "--name", "shop", "--scopes", "read,sell", "--expires-days", "9"});
  ASSERT_EQ(made.status, 0) << made.everything();
  EXPECT_THAT(made.out, StartsWith("hf_"));
  const std::string token = made.out.substr(0, made.out.find('\n'));
  const Finished list = keys({"list", "--ledger", database.url()});
  EXPECT_EQ(list.status, 0);
  EXPECT_THAT(list.out, HasSubstr("read,sell"));
  EXPECT_THAT(list.out, HasSubstr("expires "));
  EXPECT_THAT(list.out, HasSubstr("shop"));
  EXPECT_THAT(list.everything(), Not(HasSubstr(token)));

  Sql sql(database.url());
  EXPECT_EQ(sql.value("SELECT count(*) FROM holdfast.api_key k WHERE k::text LIKE '%' || $1 || '%'", {token.substr(3)}), "0")
      << "only its hash is kept";
  const std::string id = sql.value("SELECT id FROM holdfast.api_key");
  EXPECT_EQ(keys({"revoke", "--ledger", database.url(), id}).status, 0);
  EXPECT_THAT(keys({"list", "--ledger", database.url()}).out, HasSubstr("revoked "));
  const Finished none = keys({"revoke", "--ledger", database.url(), "knone"});
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("knone"));
}

TEST_F(KeysInDatabase, NeedExactlyOnePlace) {
  const TempFolder folder;
  const std::string data = (folder / "data").string();
  for (const Finished& wrong : {keys({"list"}), keys({"list", "--data", data, "--ledger", database.url()}),
                                keys({"list", "--ledger", "mysql://127.0.0.1/db"}), keys({"create", "--name", "n", "--scopes", "read"})}) {
    EXPECT_EQ(wrong.status, 2) << wrong.everything();
    EXPECT_THAT(wrong.err, HasSubstr("--ledger"));
  }
  EXPECT_FALSE(std::filesystem::exists(data));
}

// A draft is hidden from keys that only hold. Once any node has answered that it is on sale, every node must show it.
TEST_F(KeysInDatabase, SeeAnEventOnEveryNodeAsSoonAsOneHasPutItOnSale) {
  const auto key_for = [&](const std::string& scopes) -> Headers {
    const std::string made = keys({"create", "--ledger", database.url(), "--name", "of " + scopes, "--scopes", scopes}).out;
    return {{"Authorization", "Bearer " + made.substr(0, made.find('\n'))}};
  };
  const Headers admin = key_for("admin");
  const Headers holder = key_for("hold");
  Server first({.flags = {"--ledger", database.url()}});
  Server second({.flags = {"--ledger", database.url()}});
  Client a = first.connect();
  Client b = second.connect();
  for (int turn = 0; turn < 10; ++turn) {
    const TestEvent draft{new_uuid(), {new_uuid()}};
    const std::string path = "/v1/events/" + draft.id;
    const std::string body = event_body(draft.seats, R"("id":")" + draft.id + R"(","status":"draft")");
    ASSERT_EQ(a.post("/v1/events", body, admin).status, 201);
    ASSERT_EQ(b.get(path, admin).status, 200);   // the second node has it now, as a draft
    ASSERT_EQ(hold(b, "customer-1", draft.seats, {}, holder).status, 404);
    ASSERT_EQ(a.request("PATCH", path, R"({"status":"on_sale"})", admin).status, 200);
    const Answer held = hold(b, "customer-1", draft.seats, {}, holder);
    EXPECT_EQ(held.status, 201) << held;
  }
}

TEST(KeysInNoDatabase, SayWhatIsMissingAndShowNoPassword) {
  const PostgresDatabase empty;
  const Finished without_schema = run_holdfast({"keys", "list", "--ledger", empty.url()});
  EXPECT_EQ(without_schema.status, 1);
  EXPECT_THAT(without_schema.err, HasSubstr("holdfast migrate --ledger"));
  const std::string nowhere = "postgresql://u:hidden@127.0.0.1:" + std::to_string(free_port()) + "/db";
  const Finished unreachable = run_holdfast({"keys", "list", "--ledger", nowhere});
  EXPECT_EQ(unreachable.status, 1);
  EXPECT_THAT(unreachable.err, HasSubstr("cannot connect"));
  EXPECT_THAT(unreachable.everything(), Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace holdfast::test
