// The checker finds what it is there for: ledgers that break a promise on purpose, in a real run through engine and HTTP API.
#include <gmock/gmock.h>

#include <filesystem>
#include <iostream>
#include <random>
#include <thread>

#include "linearizability/broken_ledgers.h"
#include "linearizability/serving_node.h"
#include "support/events.h"
#include "support/process.h"

namespace holdfast::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

constexpr std::size_t k_seats = 10;
constexpr std::size_t k_customers = 6;
constexpr std::size_t k_requests_each = 300;

class BrokenLedger : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(HOLDFAST_LINEARIZABILITY))
      GTEST_SKIP() << "the checker was not built; linearizability.the_checker_finds_what_is_wrong says why";
    record_histories_in(folder_ / "histories");
  }

  EmbeddedLedger open(std::string_view name) { return EmbeddedLedger({.data = folder_ / name}); }

  // Customers hold and release seats at random, until each has sent its requests.
  void sell(ServingNode& node, const TestEvent& event) {
    std::vector<std::thread> customers;
    for (std::size_t i = 0; i < k_customers; ++i) {
      customers.emplace_back([&, i] {
        try {
          buy(Client(node.port()), event, held_[i]);
        } catch (const std::exception& error) {
          ADD_FAILURE() << "a customer ended: " << error.what();
        }
      });
    }
    for (std::thread& customer : customers) customer.join();
  }

  // What the checker says to the history so far.
  Finished check() { return run_program(HOLDFAST_LINEARIZABILITY, {end_history().string()}); }

  TempFolder folder_;

 private:
  void buy(Client client, const TestEvent& event, std::vector<std::string>& held) {
    std::mt19937_64 random(std::random_device{}());
    for (std::size_t i = 0; i < k_requests_each; ++i) {
      if (!held.empty() && random() % 2 == 0) {
        client.post("/v1/reservations/" + held.back() + "/release", "{}");
        held.pop_back();
        continue;
      }
      const Answer answer = reserve(client, event[random() % k_seats], "anna");
      if (answer.status == 201) held.push_back(string_of(answer.json().at("reservationId")));
    }
  }

  std::vector<std::string> held_[k_customers];   // of each customer, from one sale to the next
};

TEST_F(BrokenLedger, ThatIsNotBrokenIsLinearizableAlsoOverAStart) {
  TestEvent event;
  {
    EmbeddedLedger ledger = open("data");
    PassingLedger passing(ledger);
    ServingNode node(passing, folder_.path());
    Client client(node.port());
    event = make_event(client, k_seats);
    sell(node, event);
  }
  EmbeddedLedger ledger = open("data");
  ServingNode node(ledger, folder_.path());
  sell(node, event);
  const Finished checked = check();
  EXPECT_EQ(checked.status, 0) << checked.everything();
  EXPECT_THAT(checked.out, HasSubstr(": linearizable"));
}

// A customer may release a forgotten hold before another one asks for its seat. So it forgets some thirty.
TEST_F(BrokenLedger, ThatForgetsHoldsIsFound) {
  EmbeddedLedger ledger = open("data");
  ForgetfulLedger forgetful(ledger, 20);
  ServingNode node(forgetful, folder_.path());
  Client client(node.port());
  sell(node, make_event(client, k_seats));
  const Finished checked = check();
  EXPECT_EQ(checked.status, 1) << checked.everything();
  EXPECT_THAT(checked.out, HasSubstr("NOT LINEARIZABLE"));
  EXPECT_THAT(checked.out, ContainsRegex("seat [-0-9a-f]+: no order of these [0-9]+ operations is possible"));
  std::cout << checked.out;
}

TEST_F(BrokenLedger, ThatAnswersBeforeItCommitsIsFoundAfterItsPowerCut) {
  TestEvent event;
  {
    EmbeddedLedger memory = open("memory"), disk = open("data");
    HastyLedger hasty(memory, disk);
    ServingNode node(hasty, folder_.path());
    Client client(node.port());
    event = make_event(client, k_seats);
    sell(node, event);
  }
  EmbeddedLedger left = open("data");
  ServingNode node(left, folder_.path());
  sell(node, event);
  const Finished checked = check();
  EXPECT_EQ(checked.status, 1) << checked.everything();
  EXPECT_THAT(checked.out, HasSubstr("NOT LINEARIZABLE"));
  std::cout << checked.out;
}

}   // namespace
}   // namespace holdfast::test
