// Promise 1: never two owners. Two hundred connections want the same fifty seats, of one node or of several (support/nodes.h).
//
// The judge is a table of owners in this process. A winner enters itself after its answer has come, and removes itself before it
// releases the seat. So if two are ever in one place of the table, the server has sold one seat twice, whatever the threads'
// timing was.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>

#include "support/events.h"
#include "support/nodes.h"

namespace holdfast::test {
namespace {

using Ids = std::vector<std::string>;

constexpr std::size_t k_seats = 50;
constexpr std::size_t k_threads = 8;
constexpr std::size_t k_connections_each = 25;   // a thread has one request in flight on each of its connections
constexpr std::size_t k_connections = k_threads * k_connections_each;
const std::string k_all_free(k_seats, 'a');

const std::chrono::milliseconds k_fight{k_is_sanitized ? 6'000 : 3'000};

unsigned seed() {
  static const unsigned value = [] {
    const char* const given = std::getenv("HOLDFAST_TEST_SEED");
    const unsigned chosen = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
    std::cout << "HOLDFAST_TEST_SEED=" << chosen << '\n';
    return chosen;
  }();
  return value;
}

// Failures in threads are collected, and reported by the test.
class Complaints {
 public:
  void add(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (all_.size() < 20) all_.push_back(what);
  }
  void expect_none() {
    const std::lock_guard lock(mutex_);
    for (const std::string& what : all_) ADD_FAILURE() << what;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

// The owner of each seat, as the winners know it. 0: nobody.
class Owners {
 public:
  Owners(std::size_t seats, Complaints& complaints) : owner_(seats), wins_(seats), complaints_(complaints) {}

  void enter(std::size_t seat, int who) {
    int nobody = 0;
    ++wins_[seat];
    if (!owner_[seat].compare_exchange_strong(nobody, who)) {
      complaints_.add("seat " + std::to_string(seat) + " was given to " + std::to_string(who) + " while " + std::to_string(nobody) +
                      " had it");
    }
  }
  void leave(std::size_t seat) { owner_[seat] = 0; }
  int wins_of(std::size_t seat) const { return wins_[seat]; }

 private:
  std::vector<std::atomic<int>> owner_;
  std::vector<std::atomic<int>> wins_;
  Complaints& complaints_;
};

class Race : public ::testing::Test {
 protected:
  // Runs `work(thread, its connections, its own random numbers)` in every thread, and waits for all.
  using Work = std::function<void(std::size_t, std::vector<Client>&, std::mt19937&)>;
  void in_every_thread(const Work& work) {
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < k_threads; ++t) {
      threads.emplace_back([&, t] {
        try {
          std::vector<Client> connections;
          for (std::size_t c = 0; c < k_connections_each; ++c) connections.push_back(nodes->connect(c));
          std::mt19937 random(seed() + static_cast<unsigned>(t));
          work(t, connections, random);
        } catch (const std::exception& error) {
          complaints.add(std::string("a thread ended: ") + error.what());
          failed = true;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  static std::string release_of(const std::string& reservation) {
    return request_bytes("POST", "/v1/reservations/" + reservation + "/release", "{}");
  }

  // The states that the first node shows, which may be a little behind what another one has recorded.
  std::string letters_of(const TestEvent& which, const std::string& expected) {
    std::string seen;
    eventually([&] { return (seen = letters(client, which)) == expected; }, nodes->behind_max());
    return seen;
  }

  void expect_verified(const std::vector<TestEvent>& events) {
    for (std::size_t node = 0; node < nodes->count(); ++node) nodes->at(node).stop();
    nodes->verify(events);
  }

  Complaints complaints;
  std::atomic<bool> failed{false};
  std::unique_ptr<Nodes> nodes = make_nodes({"--threads", "2"});
  Client client = nodes->at(0).connect();
  TestEvent event = make_event(client, k_seats);
};

TEST_F(Race, EachSeatIsWonExactlyOnceARoundAndEachLoserHasA409) {
  std::atomic<std::size_t> rounds{0};
  std::atomic<bool> over{false};
  std::vector<std::atomic<int>> wins(k_seats);
  std::mutex won_mutex;
  Ids won;   // reservations of this round
  std::atomic<std::size_t> losers{0};
  const auto deadline = Clock::now() + k_fight;

  // Between two rounds, alone: counts, releases everything, and says whether there is another round.
  const auto between_rounds = [&]() noexcept {
    try {
      if (failed) {
        over = true;
        return;
      }
      for (std::size_t seat = 0; seat < k_seats; ++seat) {
        if (wins[seat] != 1)
          complaints.add("seat " + std::to_string(seat) + " was won " + std::to_string(wins[seat]) + " times in a round");
        wins[seat] = 0;
      }
      if (losers != (k_connections - 1) * k_seats) complaints.add("only " + std::to_string(losers) + " losers had a 409");
      losers = 0;
      const std::string all_held(k_seats, 'h');
      const std::string seen = letters_of(event, all_held);
      if (seen != all_held) complaints.add("after a round the seats were " + seen);
      std::string bytes;
      for (const std::string& id : won) bytes += release_of(id);
      client.write(bytes);
      for (std::size_t i = 0; i < won.size(); ++i) {
        const Answer released = client.read_answer();
        if (released.status != 200) complaints.add("a release was answered " + released.bytes);
      }
      won.clear();
      ++rounds;
      over = Clock::now() >= deadline && rounds >= 2;
    } catch (const std::exception& error) {
      complaints.add(error.what());
      over = true;
    }
  };
  std::barrier barrier(static_cast<std::ptrdiff_t>(k_threads), between_rounds);

  in_every_thread([&](std::size_t thread, std::vector<Client>& connections, std::mt19937& random) {
    std::vector<std::vector<std::size_t>> orders(connections.size(), std::vector<std::size_t>(k_seats));
    while (!over) {
      try {
        for (auto& order : orders) {
          for (std::size_t i = 0; i < k_seats; ++i) order[i] = i;
          std::ranges::shuffle(order, random);
        }
        for (std::size_t step = 0; step < k_seats; ++step) {
          for (std::size_t c = 0; c < connections.size(); ++c) {
            const std::string customer = "customer-" + std::to_string(thread) + "-" + std::to_string(c);
            connections[c].write(request_bytes("POST", "/reservations", reserve_body(event[orders[c][step]], customer)));
          }
          for (std::size_t c = 0; c < connections.size(); ++c) {
            const Answer answer = connections[c].read_answer();
            if (answer.status == 201) {
              ++wins[orders[c][step]];
              const std::lock_guard lock(won_mutex);
              won.push_back(string_of(answer.json().at("reservationId")));
            } else if (answer.status == 409) {
              ++losers;
            } else {
              complaints.add("a request was answered " + answer.bytes);
            }
          }
        }
      } catch (const std::exception& error) {
        complaints.add(error.what());
        failed = true;   // still goes to the barrier, for the others
      }
      barrier.arrive_and_wait();
    }
  });
  complaints.expect_none();
  std::cout << rounds << " rounds, " << k_connections * k_seats * rounds << " requests\n";
  EXPECT_GE(rounds, 2U);
  EXPECT_EQ(letters_of(event, k_all_free), k_all_free);
  expect_verified({event});
}

TEST_F(Race, WithReleasesAllTheTimeNoSeatEverHasTwoOwners) {
  Owners owners(k_seats, complaints);
  std::atomic<std::size_t> refused{0};
  const auto deadline = Clock::now() + k_fight;
  in_every_thread([&](std::size_t thread, std::vector<Client>& connections, std::mt19937& random) {
    std::vector<std::size_t> asked(connections.size());
    while (Clock::now() < deadline && !failed) {
      for (std::size_t c = 0; c < connections.size(); ++c) {
        asked[c] = random() % k_seats;
        connections[c].write(request_bytes("POST", "/reservations", reserve_body(event[asked[c]], "c")));
      }
      for (std::size_t c = 0; c < connections.size(); ++c) {
        const Answer answer = connections[c].read_answer();
        if (answer.status == 409) {
          ++refused;
        } else if (answer.status == 201) {
          owners.enter(asked[c], static_cast<int>(thread * k_connections_each + c + 1));
          owners.leave(asked[c]);
          const Answer released =
              connections[c].request("POST", "/v1/reservations/" + string_of(answer.json().at("reservationId")) + "/release", "{}");
          if (released.status != 200) complaints.add("a winner's release was answered " + released.bytes);
        } else {
          complaints.add("a request was answered " + answer.bytes);
        }
      }
    }
  });
  complaints.expect_none();
  std::size_t wins = 0;
  for (std::size_t seat = 0; seat < k_seats; ++seat) wins += static_cast<std::size_t>(owners.wins_of(seat));
  std::cout << wins << " wins, " << refused << " refusals\n";
  EXPECT_GT(wins, k_seats);
  EXPECT_EQ(letters_of(event, k_all_free), k_all_free);
  expect_verified({event});
}

// Ticket locks of several seats, over two events, against single reservations of the same seats.
TEST_F(Race, TicketLocksAreAllOrNoneAgainstReservationsOfTheSameSeats) {
  const TestEvent second = make_event(client, k_seats);
  Ids seats = event.seats;
  seats.insert(seats.end(), second.seats.begin(), second.seats.end());
  Owners owners(seats.size(), complaints);
  std::atomic<std::size_t> locks{0}, reservations{0}, refused{0};
  const auto deadline = Clock::now() + k_fight;

  in_every_thread([&](std::size_t thread, std::vector<Client>& connections, std::mt19937& random) {
    std::vector<std::vector<std::size_t>> asked(connections.size());
    const auto ids_of = [&](const std::vector<std::size_t>& places) {
      Ids ids;
      for (const std::size_t place : places) ids.push_back(seats[place]);
      return ids;
    };
    // The seats in a refusal of a set: some of the requested ones, in their order, and at least one.
    const auto is_part_in_order = [&](const Ids& part, const Ids& all) {
      auto at = all.begin();
      for (const std::string& id : part) {
        at = std::find(at, all.end(), id);
        if (at == all.end()) return false;
        ++at;
      }
      return !part.empty();
    };
    while (Clock::now() < deadline && !failed) {
      for (std::size_t c = 0; c < connections.size(); ++c) {
        std::set<std::size_t> places;
        const std::size_t size = c % 2 == 0 ? 1 : 2 + random() % 5;
        while (places.size() < size) places.insert(random() % seats.size());
        asked[c].assign(places.begin(), places.end());
        std::ranges::shuffle(asked[c], random);
        connections[c].write(c % 2 == 0 ? request_bytes("POST", "/reservations", reserve_body(seats[asked[c][0]], "c"))
                                        : request_bytes("POST", "/tickets_lock", lock_body(ids_of(asked[c]))));
      }
      for (std::size_t c = 0; c < connections.size(); ++c) {
        const Answer answer = connections[c].read_answer();
        const int who = static_cast<int>(thread * k_connections_each + c + 1);
        const bool is_lock = c % 2 == 1;
        if (answer.status != (is_lock ? 200 : 201)) {
          ++refused;
          if (answer.status != (is_lock ? 400 : 409)) complaints.add("a request was answered " + answer.bytes);
          if (is_lock && !is_part_in_order(strings_of(answer.json().at("data").at("nodisponible")), ids_of(asked[c]))) {
            complaints.add("a lock of " + json_of(ids_of(asked[c])) + " was refused with " + answer.body);
          }
          continue;
        }
        for (const std::size_t place : asked[c]) owners.enter(place, who);
        for (const std::size_t place : asked[c]) owners.leave(place);
        std::string target = "/tickets_unlock_param", body;
        if (is_lock) {
          ++locks;
          const Json data = answer.json().at("data");
          if (strings_of(data.at("tickets")) != ids_of(asked[c])) complaints.add("a lock of others than were asked: " + answer.body);
          body =
              R"({"tickets":)" + json_of(ids_of(asked[c])) + R"(,"reservationIds":)" + json_of(strings_of(data.at("reservationIds"))) + "}";
        } else {
          ++reservations;
          target = "/v1/reservations/" + string_of(answer.json().at("reservationId")) + "/release";
          body = "{}";
        }
        const Answer released = connections[c].post(target, body);
        if (released.status != 200) complaints.add("a winner's release was answered " + released.bytes);
      }
    }
  });
  complaints.expect_none();
  std::cout << locks << " locks, " << reservations << " reservations, " << refused << " refusals\n";
  EXPECT_GT(locks, 10U);
  EXPECT_GT(reservations, 10U);
  EXPECT_EQ(letters_of(event, k_all_free), k_all_free) << "no part of a refused set, and nothing of a released one, stays held";
  EXPECT_EQ(letters_of(second, k_all_free), k_all_free);
  expect_verified({event, second});
}

}   // namespace
}   // namespace holdfast::test
