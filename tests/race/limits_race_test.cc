// Limits under races: one customer asks over fifty connections, by every call that takes a seat, and never has more than the
// event allows.
//
// The client counts a seat after the answer and uncounts it before it asks for a release. So its count is never higher than the
// true number: if the count exceeds the limit, the server did.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "support/events.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_threads = 5;
constexpr std::size_t k_connections_each = 10;   // each with one request in flight
constexpr std::size_t k_connections = k_threads * k_connections_each;
constexpr std::size_t k_seats = 200;
constexpr std::size_t k_held_max = 10;

const std::chrono::milliseconds k_fight{k_is_sanitized ? 4'000 : 2'000};

unsigned seed() {
  static const unsigned value = [] {
    const char* const given = std::getenv("HOLDFAST_TEST_SEED");
    const unsigned chosen = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
    std::cout << "HOLDFAST_TEST_SEED=" << chosen << '\n';
    return chosen;
  }();
  return value;
}

std::string best_body(const TestEvent& event, std::size_t quantity, bool adjacent, std::string_view customer = "anna") {
  return R"({"customerId":")" + std::string(customer) + R"(","bestAvailable":{"eventId":")" + event.id + R"(","quantity":)" +
         std::to_string(quantity) + R"(,"adjacent":)" + (adjacent ? "true" : "false") + "}}";
}

bool is_limit(const Answer& answer) { return answer.status == 409 && string_of(answer.json().at("code")) == "limit_exceeded"; }
std::size_t count(const std::string& letters, char letter) { return static_cast<std::size_t>(std::ranges::count(letters, letter)); }

struct Held {
  std::string id;
  std::size_t seats;
};

class LimitsRace : public ::testing::Test {
 protected:
  // Runs `work(its connections, its own random numbers)` in every thread. An exception in one is a failure.
  template <typename Work>
  void in_every_thread(Work work) {
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < k_threads; ++t) {
      threads.emplace_back([&, t] {
        try {
          std::vector<Client> connections;
          for (std::size_t c = 0; c < k_connections_each; ++c) connections.push_back(server.connect());
          std::mt19937 random(seed() + static_cast<unsigned>(t));
          work(connections, random);
        } catch (const std::exception& error) {
          ADD_FAILURE() << "a thread ended: " << error.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  Server server{{.flags = {"--threads", "2"}}};
  Client client = server.connect();
};

TEST_F(LimitsRace, ACustomerFromFiftyConnectionsNeverHasMoreThanHeldSeatsPerCustomer) {
  const TestEvent event = make_event(client, k_seats, R"("limits":{"heldSeatsPerCustomer":)" + std::to_string(k_held_max) + "}");
  std::atomic<std::size_t> known{0}, most{0}, accepted{0}, limited{0};
  const auto enter = [&](std::size_t seats) {
    const std::size_t now = known += seats;
    for (std::size_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
    EXPECT_LE(now, k_held_max);
  };
  // For a while; on a slow machine, as long as it takes to reach the limit.
  const auto began = Clock::now();
  const auto goes_on = [&] {
    const auto fought = Clock::now() - began;
    const bool has_enough = accepted > k_connections && limited > k_connections && most == k_held_max;
    return fought < k_fight || (!has_enough && fought < k_patience);
  };

  // By name, by best available adjacent or not, by contract 1, and by adding to a reservation.
  in_every_thread([&](std::vector<Client>& connections, std::mt19937& random) {
    std::vector<Held> held(connections.size());
    std::vector<std::size_t> wanted(connections.size());
    while (goes_on()) {
      for (std::size_t c = 0; c < connections.size(); ++c) {
        const std::size_t quantity = 1 + random() % 4, from = random() % (k_seats - 4);
        const std::vector<std::string> named(event.seats.begin() + static_cast<std::ptrdiff_t>(from),
                                             event.seats.begin() + static_cast<std::ptrdiff_t>(from + quantity));
        wanted[c] = quantity;
        std::string target = "/v1/reservations", body;
        if (!held[c].id.empty()) {
          target += "/" + held[c].id + "/add";
          body = R"({"seatIds":)" + json_of(named) + "}";
        } else if (const auto way = random() % 4; way == 0) {
          body = hold_body("anna", named);
        } else if (way == 1) {
          target = "/reservations";
          body = reserve_body(named[0], "anna");
          wanted[c] = 1;
        } else {
          body = best_body(event, quantity, way == 2);
        }
        connections[c].write(request_bytes("POST", target, body));
      }
      for (std::size_t c = 0; c < connections.size(); ++c) {
        const Answer answer = connections[c].read_answer();
        const bool was_adding = !held[c].id.empty();
        if (answer.status == 201 || answer.status == 200) {
          ++accepted;
          enter(wanted[c]);
          held[c].seats += wanted[c];
          const Json body = answer.json();
          if (!was_adding) held[c].id = string_of(body.at(body.as_object().contains("id") ? "id" : "reservationId"));
        } else if (is_limit(answer)) {
          ++limited;
        } else {
          EXPECT_EQ(answer.status, 409) << answer;
        }
        if (held[c].id.empty() || (!was_adding && random() % 2 == 0)) continue;
        known -= held[c].seats;
        EXPECT_EQ(connections[c].post("/v1/reservations/" + held[c].id + "/release", "{}").status, 200);
        held[c] = {};
      }
    }
  });
  std::cout << accepted << " accepted, " << limited << " over the limit, at most " << most << " held at once\n";
  EXPECT_GT(accepted, k_connections);
  EXPECT_GT(limited, k_connections);
  EXPECT_EQ(most, k_held_max) << "the limit was never met";
  EXPECT_LE(count(letters(client, event), 'h'), k_held_max);
}

TEST_F(LimitsRace, OneRoundOfFiftyGetsExactlyTheLimit) {
  for (const bool adjacent : {true, false}) {
    const TestEvent event = make_event(client, k_seats, R"("limits":{"heldSeatsPerCustomer":)" + std::to_string(k_held_max) + "}");
    std::atomic<std::size_t> accepted{0};
    in_every_thread([&](std::vector<Client>& connections, std::mt19937&) {
      for (Client& connection : connections) {
        connection.write(request_bytes("POST", "/v1/reservations", best_body(event, 2, adjacent)));
      }
      for (Client& connection : connections) {
        const Answer answer = connection.read_answer();
        accepted += answer.status == 201;
        if (answer.status != 201) EXPECT_TRUE(is_limit(answer)) << answer;
      }
    });
    EXPECT_EQ(accepted, k_held_max / 2);
    EXPECT_EQ(count(letters(client, event), 'h'), k_held_max);
    EXPECT_EQ(client.post("/v1/reservations", best_body(event, 2, adjacent, "ben")).status, 201)
        << "another customer has a limit of its own";
  }
}

TEST_F(LimitsRace, AReservationGrowsToExactlyItsLimit) {
  const TestEvent event = make_event(client, k_seats, R"("limits":{"seatsPerReservation":7})");
  const std::string path = "/v1/reservations/" + string_of(hold(client, "anna", {event[0]}).json().at("id"));
  std::atomic<std::size_t> next{1}, accepted{0};
  in_every_thread([&](std::vector<Client>& connections, std::mt19937&) {
    for (Client& connection : connections) {
      connection.write(request_bytes("POST", path + "/add", R"({"seatIds":[")" + event[next++] + R"("]})"));
    }
    for (Client& connection : connections) {
      const Answer answer = connection.read_answer();
      accepted += answer.status == 200;
      if (answer.status != 200) EXPECT_TRUE(is_limit(answer)) << answer;
    }
  });
  EXPECT_EQ(accepted, 6U);
  EXPECT_EQ(client.get(path).json().at("seats").as_array().size(), 7U);
  EXPECT_EQ(count(letters(client, event), 'h'), 7U);
}

}   // namespace
}   // namespace holdfast::test
