// Groups of statements in one round trip, and unsigned numbers in PostgreSQL's signed types.
#include "sql/postgres_connection.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/services.h"

namespace holdfast::test {
namespace {

using pg::Parameters;

constexpr pg::Statement k_number{"test_number", "SELECT $1::integer"};
constexpr pg::Statement k_inverse{"test_inverse", "SELECT 1 / $1::integer"};
constexpr pg::Statement k_bigint{"test_bigint", "SELECT $1::bigint"};
constexpr pg::Statement k_sums{"test_sums",
                               "SELECT (SELECT sum(n) FROM unnest($1::integer[]) n), (SELECT sum(n) FROM unnest($2::integer[]) n), "
                               "(SELECT sum(n)::bigint FROM unnest($3::bigint[]) n)"};

class PostgresConnection : public testing::Test {
 protected:
  const PostgresDatabase database_;
  pg::Connection connection_{{.url = database_.url()}};
};

TEST_F(PostgresConnection, ReturnsTheResultsOfAGroupInTheOrderOfSending) {
  connection_.send(k_number, Parameters().int4(1));
  const auto results = connection_.round_trip({{k_number, Parameters().int4(2)}, {k_inverse, Parameters().int4(1)}});
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].int4(0, 0), 1);
  EXPECT_EQ(results[1].int4(0, 0), 2);
  EXPECT_EQ(results[2].int4(0, 0), 1);
}

TEST_F(PostgresConnection, ThrowsTheErrorOfTheFirstStatementThatFailedAndIsAsNewAfterAReset) {
  constexpr std::string_view k_division_by_zero = "22012";
  try {
    connection_.round_trip({{pg::k_begin}, {k_inverse, Parameters().int4(0)}, {k_number, Parameters().int4(1)}, {pg::k_commit}});
    FAIL() << "no error";
  } catch (const pg::Error& error) {
    EXPECT_TRUE(error.is(k_division_by_zero)) << error.what();
  }
  connection_.reset();
  ASSERT_TRUE(connection_.is_usable());
  EXPECT_EQ(connection_.query(k_number, Parameters().int4(3)).int4(0, 0), 3);
}

TEST_F(PostgresConnection, KeepsTheBitsOfUnsignedNumbers) {
  EXPECT_EQ(connection_.query(k_number, Parameters().unsigned4(UINT32_MAX)).unsigned4(0, 0), UINT32_MAX);
  EXPECT_EQ(connection_.query(k_number, Parameters().unsigned4(UINT32_MAX)).int4(0, 0), -1);
  EXPECT_EQ(connection_.query(k_bigint, Parameters().unsigned8(UINT64_MAX)).unsigned8(0, 0), UINT64_MAX);
  EXPECT_EQ(connection_.query(k_number, Parameters().event(7)).event(0, 0), EventNumber{7});
  EXPECT_EQ(connection_.query(k_number, Parameters().seat(8)).seat(0, 0), SeatIndex{8});
  EXPECT_EQ(connection_.query(k_bigint, Parameters().seq(9)).seq(0, 0), Seq{9});
}

TEST_F(PostgresConnection, SendsEventsSeatsAndSeqsAsArrays) {
  const std::vector<EventNumber> events{1, 2};
  const std::vector<SeatIndex> seats{3, 4};
  const std::vector<Seq> seqs{5, 6};
  const pg::Result sums = connection_.query(k_sums, Parameters().events(events).seats(seats).seqs(seqs));
  EXPECT_EQ(sums.int8(0, 0), 3);
  EXPECT_EQ(sums.int8(0, 1), 7);
  EXPECT_EQ(sums.int8(0, 2), 11);
}

}  // namespace
}  // namespace holdfast::test
