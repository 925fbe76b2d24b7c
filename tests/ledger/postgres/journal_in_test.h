// A writer of journal rows in PostgreSQL, for tests of what follows the journal: an event whose commands core judges, in batches
// that go into the journal as the ledger writes them. The expected tables are its inventory.
//
//   PostgresDatabase database;
//   const pg::Settings settings = migrated(database);
//   JournalInTest journal(settings, 1, 500);      // an event with 500 seats, on sale
//   journal.play(1'000);                          // random commands at random times
//   EXPECT_EQ(differences(settings, journal), "");
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/inventory.h"
#include "core/plan.h"
#include "core/rules.h"
#include "ledger/postgres/tables.h"
#include "sql/postgres_connection.h"
#include "support/services.h"

namespace holdfast::test {

// Settings for a database that has the schema.
pg::Settings migrated(const PostgresDatabase& database);

class JournalInTest {
 public:
  // Creates the event and imports its seats, some at a time. Ids are UUIDs, except for every tenth. `begin`: the time of its
  // first change.
  JournalInTest(const pg::Settings& settings, EventNumber number, std::size_t seats, std::uint64_t seed = 1,
                Millis begin = 1'771'949'700'000);

  // Random commands, in batches of 1 to 20, each a row; now and then a row of keys only.
  void play(std::size_t commands);
  // One command in a batch of its own. The row exists if it was accepted and changed something.
  Outcome does(const Command& command);
  void pass(Millis millis) { now_ += millis; }
  Uuid new_id();
  // A row without changes, with a key.
  void keep_key();

  EventNumber number() const { return number_; }
  Uuid id() const { return id_; }
  Millis now() const { return now_; }
  const Inventory& inventory() const { return *inventory_; }
  const Plan& plan() const { return *plan_; }
  const pg::JournalPlace& place() const { return place_; }
  std::size_t keys() const { return keys_; }   // that were kept

 private:
  void judge_random();
  void write_row();
  SeatIndex any_seat() { return static_cast<SeatIndex>(random_() % inventory_->seat_count()); }
  std::vector<SeatIndex> some_seats(std::size_t most);

  pg::Connection connection_;
  EventNumber number_;
  Uuid id_{};
  std::mt19937_64 random_;
  Millis now_;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<Inventory> inventory_;
  pg::JournalPlace place_;
  ChangeBatch changes_;
  std::vector<KeptKey> kept_;
  std::vector<Uuid> ids_;
  std::size_t keys_ = 0;
};

// Projects an event until its tables have all that the journal has.
void project_all(const pg::Settings& settings, EventNumber event, std::size_t changes_a_step = 8'192);

// How the tables differ from the writer's inventory, and what verify finds. Empty if they agree.
std::string differences(const pg::Settings& settings, const JournalInTest& journal);

}  // namespace holdfast::test
