// deploy/haproxy.cfg in front of two real nodes.
#include <gtest/gtest.h>
#include <signal.h>

#include "support/events.h"
#include "support/server.h"
#include "support/services.h"

namespace holdfast::test {
namespace {

class Balancer : public ::testing::Test {
 protected:
  Balancer() {
    ProcessSettings settings;
    settings.arguments = {HOLDFAST_HAPROXY, "-db", "-f", std::string(HOLDFAST_DEPLOY) + "/haproxy.cfg"};
    settings.environment = {{"BALANCER_PORT", std::to_string(port)},
                            {"BALANCER_CONNECTIONS", "100"},
                            {"HOLDFAST_1", "127.0.0.1:" + std::to_string(one.port())},
                            {"HOLDFAST_2", "127.0.0.1:" + std::to_string(two.port())}};
    settings.stdout_file = settings.stderr_file = folder / "log";
    process = Process(settings);
    if (!eventually([&] { return !process.runs() || answers(); }) || !process.runs()) {
      throw std::runtime_error("haproxy does not answer: " + read_file(folder / "log"));
    }
  }

  bool answers() const {
    try {
      return Client(port).get("/healthz").status == 200;
    } catch (const std::exception&) {
      return false;
    }
  }
  // Which of the two answered: each has an event that the other does not have.
  bool is_answered_by(const TestEvent& event) const { return Client(port).get("/v1/events/" + event.id).status == 200; }

  TempFolder folder;
  Server one;
  Server two;
  Client to_one = one.connect();
  Client to_two = two.connect();
  TestEvent of_one = make_event(to_one, 1);
  TestEvent of_two = make_event(to_two, 1);
  std::uint16_t port = free_port();
  Process process;
};

TEST_F(Balancer, GivesRequestsToBothNodes) {
  EXPECT_TRUE(eventually([&] { return is_answered_by(of_one); }));
  EXPECT_TRUE(eventually([&] { return is_answered_by(of_two); }));
}

TEST_F(Balancer, GoesOnWithTheOtherNodeWhenOneDies) {
  two.kill();
  // Between the death and its discovery a client may get a 503, but no longer than the checks take.
  ASSERT_TRUE(eventually([&] {
    int in_a_row = 0;
    while (in_a_row < 20 && answers()) ++in_a_row;
    return in_a_row == 20;
  }));
  EXPECT_TRUE(is_answered_by(of_one));
  EXPECT_FALSE(is_answered_by(of_two));
}

TEST_F(Balancer, KeepsMetricsFromTheOutside) {
  EXPECT_EQ(Client(port).get("/metrics").status, 404);
  EXPECT_EQ(to_one.get("/metrics").status, 200);
}

}  // namespace
}  // namespace holdfast::test
