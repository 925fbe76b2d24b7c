// How many listeners a hub takes; tests/contract tests their messages.
#include "live/hub.h"

#include <gtest/gtest.h>

#include "core/event_in_test.h"
#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

struct NoHandler final : http::Handler {
  boost::asio::awaitable<void> handle(http::Request&, http::Response&) override { co_return; }
};

TEST(LiveHub, TakesAtMostTenThousandListenersByDefault) {
  constexpr std::size_t k_listeners = 10'000;
  constexpr std::size_t k_seats = 8;
  const auto event = std::make_shared<PublishedEvent>(EventInTest(k_seats).inventory.replica(), plan_of({}, k_seats));
  NoHandler handler;
  http::Server server({}, handler);   // not started: the hub needs its thread only
  LiveHub hub;
  hub.attach(server, 1);
  const auto listen = [&] { return hub.listen(event, {}, false, server.context(0)); };
  std::vector<std::shared_ptr<http::StreamSource>> listeners;
  for (std::size_t i = 0; i < k_listeners; ++i) {
    listeners.push_back(listen());
    ASSERT_NE(listeners.back(), nullptr) << i;
  }
  EXPECT_EQ(listen(), nullptr);
  EXPECT_EQ(hub.stats().listeners, k_listeners);
  EXPECT_EQ(hub.stats().refused, 1U);
  listeners.pop_back();
  EXPECT_NE(listen(), nullptr) << "there is room again";
  EXPECT_EQ(hub.stats().refused, 1U);
}

}   // namespace
}   // namespace holdfast::test
