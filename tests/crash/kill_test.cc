// Promise 2: what was answered is kept. A loader works at full speed over several connections and remembers every answer. The
// server is killed at a random moment, started again, and asked about everything. Of several nodes (support/nodes.h) one after
// the other is killed, and another one is asked.
//
//   answered requests      are there, as answered
//   unanswered requests    have happened completely or not at all; with an Idempotency-Key, repeating them gives one result
//   seats                  have one owner, and it is one that the answers explain
//
// A loader keeps a Claim for each reservation. Each thread has one request in flight, so after a kill each has at most one
// request with an open outcome. It knows its claims before and after that request, and must find one or the other.
//
// HOLDFAST_TEST_SEED and HOLDFAST_TEST_KILLS repeat a run. 60 kills; 12 when sanitizers make everything slower.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "support/events.h"
#include "support/nodes.h"

namespace holdfast::test {
namespace {

using Seat = std::size_t;   // index into all seats of both events
using Ids = std::vector<std::string>;

constexpr std::size_t k_threads = 6;
constexpr Seat k_private_seats = 48;   // of each thread, half of them in either event
constexpr Seat k_contested_seats = 40;   // wanted by all threads, half of them in either event

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

// What is known of one reservation.
struct Claim {
  std::string id;   // empty until its creation is answered
  std::size_t event = 0;
  bool is_lock = false;
  std::string customer;   // of locks: empty
  std::string status = "active";
  std::string order;
  std::string expires_at;   // empty: not known
  std::map<Seat, char> seats;   // h, s, or a: given back

  bool owns_any() const {
    return std::ranges::any_of(seats, [](const auto& seat) { return seat.second != 'a'; });
  }
  std::vector<Seat> owned() const {
    std::vector<Seat> list;
    for (const auto& [seat, letter] : seats) {
      if (letter != 'a') list.push_back(seat);
    }
    return list;
  }
  void give_back(const std::vector<Seat>& which) {
    for (const Seat seat : which) seats.at(seat) = 'a';
    if (status == "active" && !owns_any()) status = "released";
  }
};

// A request in flight: the claims that it works on, and their state if it happens. A hold works on new claims, without ids.
struct Pending {
  std::string request;
  bool is_keyed = false;
  bool may_be_refused = false;   // another thread may have been faster
  std::vector<std::size_t> before;   // indices of claims; empty for a hold
  std::vector<Claim> after;
};

// The state of a seat that was found after a kill.
struct FoundSeat {
  char letter;
  std::string owner;   // empty: nobody
};

// The seats of both events, and who may use them.
struct House {
  TestEvent events[2];
  Ids seats;

  void open(Client& client) {
    const Seat each = (k_threads * k_private_seats + k_contested_seats) / 2 + 1;   // the last one is for touch()
    for (TestEvent& event : events) {
      event = make_event(client, each);
      seats.insert(seats.end(), event.seats.begin(), event.seats.end());
    }
  }
  // Writes to each event. After that, no write of a killed node can arrive any more, and this node has seen all of them.
  void touch(Client& client) const {
    for (const TestEvent& event : events) {
      const Answer answer = hold(client, "touch", {event.seats.back()});
      if (answer.status != 201) throw std::runtime_error("a spare seat was refused: " + answer.bytes);
      const Answer released = client.post("/v1/reservations/" + string_of(answer.json().at("id")) + "/release", "{}");
      if (released.status != 200) throw std::runtime_error("a spare seat was not released: " + released.bytes);
    }
  }
  Seat per_event() const { return seats.size() / 2; }
  std::size_t event_of(Seat seat) const { return seat / per_event(); }
  Ids ids(const std::vector<Seat>& which) const {
    Ids list;
    for (const Seat seat : which) list.push_back(seats.at(seat));
    return list;
  }
  Seat private_seat(std::size_t thread, Seat i) const { return (i % 2) * per_event() + thread * (k_private_seats / 2) + i / 2; }
  Seat contested_seat(std::size_t event, Seat i) const { return event * per_event() + k_threads * (k_private_seats / 2) + i; }
  bool is_contested(Seat seat) const { return seat % per_event() >= k_threads * (k_private_seats / 2); }
};

// One connection that sends every kind of request, and remembers the answers.
class Loader {
 public:
  Loader(const House& house, std::size_t number, std::uint64_t seed) : house_(house), number_(number), random_(seed) {}

  std::vector<Claim> claims;
  std::vector<Claim> ended;   // own nothing any more, which was verified; looked at again at the very end
  std::optional<Pending> pending;
  std::string complaint;
  std::size_t answers = 0;
  std::size_t refusals = 0;

  // Works until the server is gone, or has answered after `is_over`.
  void run(std::uint16_t port, const std::atomic<bool>& is_over) {
    try {
      Client client(port);
      while (!is_over) {
        pending = choose();
        client.write(pending->request);
        const Answer answer = client.read_answer();
        apply(answer);
        ++answers;
        pending.reset();
      }
    } catch (const ConnectionLost&) {
    } catch (const std::exception& error) {
      complaint = error.what();
    }
  }

  // The answer to the pending request: its claims are now as after it, or it was refused and nothing changed.
  void apply(const Answer& answer) {
    const bool is_accepted = answer.status == 200 || answer.status == 201;
    if (!is_accepted && pending->may_be_refused && (answer.status == 409 || answer.status == 400)) {
      ++refusals;
      return;
    }
    if (!is_accepted) throw std::runtime_error("refused, although nothing stood against it:\n" + pending->request + "\n" + answer.bytes);
    const Json body = answer.json();
    Ids ids;   // for a set over two events one each, in the order of the events
    if (body.as_object().contains("reservationId")) ids = {string_of(body.at("reservationId"))};
    if (body.as_object().contains("id")) ids = {string_of(body.at("id"))};
    if (body.as_object().contains("data") && body.at("data").as_object().contains("reservationIds")) {
      ids = strings_of(body.at("data").at("reservationIds"));
    }
    for (std::size_t i = 0; i < pending->after.size(); ++i) {
      Claim& claim = pending->after[i];
      if (pending->before.empty()) claim.id = ids.at(i);
      if (body.as_object().contains("expiresAt")) claim.expires_at = string_of(body.at("expiresAt"));
    }
    settle(true);
  }

  // The pending request is known to have happened, or not.
  void settle(bool has_happened) {
    if (!has_happened) return;
    for (std::size_t i = 0; i < pending->after.size(); ++i) {
      if (pending->before.empty()) {
        claims.push_back(pending->after[i]);
      } else {
        claims[pending->before[i]] = pending->after[i];
      }
    }
  }

  void put_ended_aside() {
    const auto first = std::partition(claims.begin(), claims.end(), [](const Claim& claim) { return claim.owns_any(); });
    std::move(first, claims.end(), std::back_inserter(ended));
    claims.erase(first, claims.end());
  }
  void take_ended_back() {
    std::move(ended.begin(), ended.end(), std::back_inserter(claims));
    ended.clear();
  }

 private:
  std::size_t roll(std::size_t sides) { return std::uniform_int_distribution<std::size_t>(0, sides - 1)(random_); }
  bool chance(double of) { return std::uniform_real_distribution<>(0, 1)(random_) < of; }
  std::string fresh(const char* what) { return what + std::to_string(number_) + "-" + std::to_string(++counter_); }

  std::vector<Seat> free_private_seats() const {
    std::vector<bool> taken(house_.seats.size());
    for (const Claim& claim : claims) {
      for (const auto& [seat, letter] : claim.seats) {
        if (letter != 'a') taken[seat] = true;
      }
    }
    std::vector<Seat> free;
    for (Seat i = 0; i < k_private_seats; ++i) {
      if (const Seat seat = house_.private_seat(number_, i); !taken[seat]) free.push_back(seat);
    }
    return free;
  }

  std::vector<Seat> some_of(std::vector<Seat> seats, std::size_t count) {
    std::ranges::shuffle(seats, random_);
    seats.resize(std::min(count, seats.size()));
    return seats;
  }

  void post(Pending& wish, const std::string& target, const std::string& body) {
    Headers headers;
    if (chance(0.3)) {
      wish.is_keyed = true;
      headers.emplace_back("Idempotency-Key", fresh("key-"));
    }
    wish.request = request_bytes("POST", target, body, headers);
  }

  Pending choose() {
    std::vector<std::size_t> live;
    for (std::size_t i = 0; i < claims.size(); ++i) {
      if (claims[i].owns_any()) live.push_back(i);
    }
    const std::vector<Seat> free = free_private_seats();
    if (live.empty() || (free.size() > 8 && chance(0.45))) return new_hold(free);
    return command_on(live[roll(live.size())], free);
  }

  Pending new_hold(const std::vector<Seat>& free) {
    Pending wish;
    const std::size_t way = roll(3);
    std::vector<Seat> seats;
    if (way == 0) {
      seats = some_of(free, 1);
    } else if (way == 1) {
      const std::size_t event = roll(2);
      std::vector<Seat> of_one_event;
      std::ranges::copy_if(free, std::back_inserter(of_one_event), [&](Seat seat) { return house_.event_of(seat) == event; });
      seats = some_of(of_one_event.empty() ? std::vector<Seat>{free.front()} : of_one_event, 1 + roll(4));
    } else {
      seats = some_of(free, 1 + roll(5));
    }
    if (chance(0.25)) {   // a seat that others want too; a lock also has a private seat in the same event, by which it is recognised
      const Seat contested = house_.contested_seat(house_.event_of(seats[0]), roll(k_contested_seats / 2));
      if (way == 0) seats.clear();
      seats.push_back(contested);
      wish.may_be_refused = true;
    }

    const std::string customer = way == 2 ? "" : fresh("customer-");
    std::map<std::size_t, Claim> by_event;
    for (const Seat seat : seats) {
      Claim& claim = by_event[house_.event_of(seat)];
      claim.event = house_.event_of(seat);
      claim.is_lock = way == 2;
      claim.customer = customer;
      claim.seats[seat] = 'h';
    }
    for (auto& [event, claim] : by_event) wish.after.push_back(claim);
    if (way == 0) post(wish, "/reservations", reserve_body(house_.seats[seats[0]], customer));
    if (way == 1) post(wish, "/v1/reservations", hold_body(customer, house_.ids(seats)));
    if (way == 2) post(wish, "/tickets_lock", lock_body(house_.ids(seats)));
    return wish;
  }

  Pending command_on(std::size_t index, const std::vector<Seat>& free) {
    Pending wish;
    wish.before = {index};
    wish.after = {claims[index]};
    Claim& claim = wish.after[0];
    const std::string path = "/v1/reservations/" + claim.id;
    const std::vector<Seat> owned = claim.owned();
    const std::vector<Seat> part = chance(0.5) ? owned : some_of(owned, 1 + roll(owned.size()));

    if (claim.status == "consumed") {
      claim.give_back(part);
      post(wish, path + "/return", R"({"orderId":)" + json_of(claim.order) + R"(,"seatIds":)" + json_of(house_.ids(part)) + "}");
      return wish;
    }
    switch (roll(6)) {
      case 0:
      case 1:
        claim.status = "consumed";
        claim.order = fresh("order-");
        for (const Seat seat : owned) claim.seats[seat] = 's';
        post(wish, path + "/consume", R"({"orderId":)" + json_of(claim.order) + "}");
        return wish;
      case 2:
        claim.expires_at.clear();
        post(wish, path + "/extend", R"({"holdSeconds":)" + std::to_string(1'000 + roll(2'000)) + "}");
        return wish;
      case 3: {
        std::vector<Seat> more;
        std::ranges::copy_if(free, std::back_inserter(more), [&](Seat seat) { return house_.event_of(seat) == claim.event; });
        if (more.empty()) break;
        more = some_of(more, 1 + roll(2));
        for (const Seat seat : more) claim.seats[seat] = 'h';
        post(wish, path + "/add", R"({"seatIds":)" + json_of(house_.ids(more)) + "}");
        return wish;
      }
      default: break;
    }
    claim.give_back(part);
    if (claim.is_lock) {
      post(wish, "/tickets_unlock_param",
           R"({"data":{"tickets":)" + json_of(house_.ids(part)) + R"(,"reservationIds":)" + json_of(Ids{claim.id}) + "}}");
    } else {
      post(wish, path + "/release", part == owned && chance(0.5) ? "{}" : R"({"seatIds":)" + json_of(house_.ids(part)) + "}");
    }
    return wish;
  }

  const House& house_;
  std::size_t number_;
  std::mt19937_64 random_;
  std::size_t counter_ = 0;
};

// Asks the server about everything and compares.
class Inspection {
 public:
  Inspection(Client& client, const House& house, std::vector<Loader>& loaders) : client_(client), house_(house), loaders_(loaders) {}

  std::size_t happened = 0, not_happened = 0, repeated = 0, asked = 0;

  void run() {
    read_seats();
    read_reservations();
    for (Loader& loader : loaders_) {
      ASSERT_EQ(loader.complaint, "");
      if (loader.pending) decide(loader);
    }
    check_claims();
    check_owners();
    for (Loader& loader : loaders_) {
      if (loader.pending && loader.pending->is_keyed) repeat(loader);
      loader.pending.reset();
    }
  }

 private:
  void read_seats() {
    std::string bytes;
    for (const std::string& id : house_.seats) bytes += request_bytes("GET", "/v1/seats/" + id);
    client_.write(bytes);
    for (std::size_t i = 0; i < house_.seats.size(); ++i) {
      const Json seat = client_.read_answer().json();
      const Json* const owner = seat.as_object().if_contains("reservationId");
      found_.push_back({seat.at("state").as_string().at(0), owner == nullptr || owner->is_null() ? "" : string_of(*owner)});
    }
  }

  // The seats of all claims, and those that are found to own a seat.
  void read_reservations() {
    std::set<std::string> ids;
    for (const Loader& loader : loaders_) {
      for (const Claim& claim : loader.claims) ids.insert(claim.id);
    }
    known_ = ids;
    for (const FoundSeat& seat : found_) {
      if (!seat.owner.empty()) ids.insert(seat.owner);
    }
    const Ids list(ids.begin(), ids.end());
    asked = list.size();
    for (std::size_t at = 0; at < list.size(); at += 200) {
      std::string bytes;
      const std::size_t end = std::min(at + 200, list.size());
      for (std::size_t i = at; i < end; ++i) bytes += request_bytes("GET", "/v1/reservations/" + list[i]);
      client_.write(bytes);
      for (std::size_t i = at; i < end; ++i) {
        const Answer answer = client_.read_answer();
        if (answer.status == 200) {
          reservations_[list[i]] = answer.json();
        } else {
          ADD_FAILURE() << "an answered reservation is missing: " << list[i] << ": " << answer;
        }
      }
    }
  }

  // Whether the found state matches this claim: its reservation, and its seats.
  bool is_found(const Claim& claim) const {
    const auto at = reservations_.find(claim.id);
    if (at == reservations_.end()) return false;
    const Json& reservation = at->second;
    if (string_of(reservation.at("status")) != claim.status) return false;
    if (claim.status == "consumed" && string_of(reservation.at("orderId")) != claim.order) return false;
    if (claim.is_lock != reservation.at("customerId").is_null()) return false;
    if (!claim.is_lock && string_of(reservation.at("customerId")) != claim.customer) return false;
    if (claim.status == "active" && !claim.expires_at.empty() && string_of(reservation.at("expiresAt")) != claim.expires_at) return false;
    return std::ranges::all_of(claim.seats, [&](const auto& seat) {
      const FoundSeat& found = found_[seat.first];
      return seat.second == 'a' ? found.owner != claim.id : found.owner == claim.id && found.letter == seat.second;
    });
  }

  // For a request without an answer: has it happened?
  void decide(Loader& loader) {
    Pending& pending = *loader.pending;
    const bool is_hold = pending.before.empty();
    if (is_hold) adopt(pending);
    const bool is_after = std::ranges::all_of(pending.after, [&](const Claim& claim) { return is_found(claim); });
    const bool is_before = std::ranges::all_of(pending.before, [&](std::size_t i) { return is_found(loader.claims[i]); }) &&
                           std::ranges::none_of(pending.after, [&](const Claim& claim) { return is_hold && !claim.id.empty(); });
    EXPECT_TRUE(is_after || is_before) << "an unanswered request has happened in part:\n" << pending.request;
    loader.settle(is_after);
    if (is_after && is_hold) {
      for (const Claim& claim : pending.after) known_.insert(claim.id);
    }
    ++(is_after ? happened : not_happened);
    if (!(is_after && is_before)) has_happened_[&loader] = is_after;   // an extension can look the same before and after
  }

  // A hold without an answer: if its seats have an unknown owner, it is that one.
  void adopt(Pending& pending) {
    for (Claim& claim : pending.after) {
      for (const auto& [seat, letter] : claim.seats) {
        const std::string& owner = found_[seat].owner;
        if (owner.empty() || known_.contains(owner) || !reservations_.contains(owner)) continue;
        const Json& customer = reservations_.at(owner).at("customerId");
        const bool is_of_this = claim.is_lock ? customer.is_null() && !house_.is_contested(seat) : customer == Json(claim.customer);
        if (is_of_this) claim.id = owner;
      }
    }
  }

  void check_claims() {
    for (const Loader& loader : loaders_) {
      for (const Claim& claim : loader.claims) {
        if (is_found(claim)) continue;
        std::string seats;
        for (const auto& [seat, letter] : claim.seats) {
          seats += " " + house_.seats[seat] + " " + letter + " (found " + found_[seat].letter + " " + found_[seat].owner + ")";
        }
        const auto at = reservations_.find(claim.id);
        ADD_FAILURE() << "answered: " << claim.id << " " << claim.status << " " << claim.customer << " " << claim.order << " "
                      << claim.expires_at << seats
                      << "\nfound: " << (at == reservations_.end() ? "nothing" : boost::json::serialize(at->second));
      }
    }
  }

  void check_owners() {
    std::vector<FoundSeat> explained(house_.seats.size(), {'a', ""});
    for (const Loader& loader : loaders_) {
      for (const Claim& claim : loader.claims) {
        for (const auto& [seat, letter] : claim.seats) {
          if (letter == 'a') continue;
          EXPECT_EQ(explained[seat].owner, "") << house_.seats[seat] << " has two owners: the other is " << claim.id;
          explained[seat] = {letter, claim.id};
        }
      }
    }
    for (Seat seat = 0; seat < explained.size(); ++seat) {
      EXPECT_EQ(found_[seat].owner, explained[seat].owner) << house_.seats[seat];
      EXPECT_EQ(found_[seat].letter, explained[seat].letter) << house_.seats[seat];
    }
  }

  // A keyed request without an answer: repeating it gives its one result, and then the same again.
  void repeat(Loader& loader) {
    client_.write(loader.pending->request);
    const Answer first = client_.read_answer();
    const bool is_replay = first.header("Idempotency-Replayed") == "true";
    const auto known = has_happened_.find(&loader);
    if (known != has_happened_.end()) EXPECT_EQ(is_replay, known->second) << first;
    if (known != has_happened_.end() && known->second) {
      EXPECT_TRUE(first.status == 200 || first.status == 201) << first;
      if (loader.pending->before.empty()) expect_ids(first, loader.pending->after);
    } else {
      loader.apply(first);
      if (first.status != 200 && first.status != 201) return;   // another thread was faster
    }
    client_.write(loader.pending->request);
    const Answer second = client_.read_answer();
    // A request that changed nothing keeps no key, and is judged again.
    if (is_replay || first.status == 201) EXPECT_EQ(second.header("Idempotency-Replayed"), "true") << second;
    EXPECT_EQ(second.status, first.status);
    EXPECT_EQ(second.body, first.body);
    ++repeated;
  }

  static void expect_ids(const Answer& answer, const std::vector<Claim>& claims) {
    for (const Claim& claim : claims) {
      EXPECT_NE(answer.body.find(claim.id), std::string::npos) << "a replay names another reservation than " << claim.id << ": " << answer;
    }
  }

  Client& client_;
  const House& house_;
  std::vector<Loader>& loaders_;
  std::vector<FoundSeat> found_;
  std::map<std::string, Json> reservations_;
  std::set<std::string> known_;
  std::map<Loader*, bool> has_happened_;
};

TEST(Kill, LosesNothingThatWasAnsweredAndLeavesNothingHalfDone) {
  const std::uint64_t seed = from_environment("HOLDFAST_TEST_SEED", std::random_device{}());
  const std::uint64_t kills = from_environment("HOLDFAST_TEST_KILLS", k_is_sanitized ? 12 : 60);
  std::cout << "HOLDFAST_TEST_SEED=" << seed << " HOLDFAST_TEST_KILLS=" << kills << std::endl;
  std::mt19937_64 random(seed);

  const std::unique_ptr<Nodes> nodes = make_nodes();
  House house;
  {
    Client client = nodes->at(0).connect();
    house.open(client);
  }
  const std::vector<TestEvent> events(std::begin(house.events), std::end(house.events));
  std::vector<Loader> loaders;
  for (std::size_t i = 0; i < k_threads; ++i) loaders.emplace_back(house, i, random());

  std::size_t happened = 0, not_happened = 0, repeated = 0;
  for (std::uint64_t kill = 1; kill <= kills && !testing::Test::HasFailure(); ++kill) {
    const std::size_t victim = kill % nodes->count();
    std::vector<std::thread> threads;
    std::atomic<bool> is_over{false};
    for (std::size_t i = 0; i < loaders.size(); ++i) {
      threads.emplace_back(
          [&, port = nodes->at((i + kill / nodes->count()) % nodes->count()).port(), i] { loaders[i].run(port, is_over); });
    }
    // The one sleep that is meant: the server dies at a random moment.
    std::this_thread::sleep_for(milliseconds{std::uniform_int_distribution<int>(5, 150)(random)});
    nodes->at(victim).kill();
    is_over = true;
    for (std::thread& thread : threads) thread.join();
    nodes->after_kill();

    if (kill % 10 == 0) nodes->verify(events);
    // With other nodes alive, one of them is asked while the killed one is down.
    const bool is_alone = nodes->count() == 1;
    if (is_alone) nodes->at(victim).start();
    Client client = nodes->at((victim + 1) % nodes->count()).connect();
    house.touch(client);
    if (kill == kills) {
      for (Loader& loader : loaders) loader.take_ended_back();
    }
    Inspection inspection(client, house, loaders);
    inspection.run();
    for (Loader& loader : loaders) loader.put_ended_aside();
    if (!is_alone) nodes->at(victim).start();
    happened += inspection.happened;
    not_happened += inspection.not_happened;
    repeated += inspection.repeated;
    if (kill % 10 == 0 || kill == kills) {
      std::size_t answers = 0, refusals = 0;
      for (const Loader& loader : loaders) {
        answers += loader.answers;
        refusals += loader.refusals;
      }
      std::cout << kill << " kills: " << answers << " answers (" << refusals << " refused), " << inspection.asked << " reservations asked; "
                << happened << " unanswered requests had happened, " << not_happened << " had not, " << repeated << " repeated by key"
                << std::endl;
    }
  }
  for (std::size_t node = 0; node < nodes->count(); ++node) nodes->at(node).stop();
  nodes->verify(events);
  std::size_t answers = 0;
  for (const Loader& loader : loaders) answers += loader.answers;
  EXPECT_GT(answers, kills * 5) << "there was no load to speak of";
}

TEST(Kill, LeavesAnImportWholeOrNotAtAllAndItsSeatIdsFree) {
  const std::uint64_t seed = from_environment("HOLDFAST_TEST_SEED", std::random_device{}());
  std::cout << "HOLDFAST_TEST_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);
  const std::unique_ptr<Nodes> nodes = make_nodes();
  Server& server = nodes->at(0);
  std::vector<TestEvent> events;
  std::size_t whole = 0, none = 0;
  const bool is_alone = nodes->count() == 1;
  for (int kill = 1; kill <= (k_is_sanitized || !is_alone ? 4 : 12); ++kill) {
    Ids seats(20'000);
    for (std::string& id : seats) id = new_uuid();
    const std::string id = new_uuid();
    const std::string body = event_body(seats, R"("id":)" + json_of(id));
    Client sender = server.connect();
    sender.write(request_bytes("POST", "/v1/events", body));
    std::this_thread::sleep_for(milliseconds{std::uniform_int_distribution<int>(0, (is_alone ? 150 : 900) * k_slowness)(random)});
    server.kill();
    bool was_answered = false;
    try {
      was_answered = sender.read_answer().status == 201;
    } catch (const ConnectionLost&) {}

    server.start();
    Client client = server.connect();
    const bool is_there = client.get("/v1/events/" + id).status == 200;
    EXPECT_TRUE(is_there || !was_answered) << "an answered event is missing";
    ++(is_there ? whole : none);
    if (!is_there) {
      EXPECT_EQ(client.get("/v1/seats/" + seats[0]).status, 404) << "a seat of an event that is not there";
      // A single node knows it from its start. One of several nodes cannot know whether the import goes on elsewhere until its
      // lease of 30 s is over.
      Answer again = client.post("/v1/events", body);
      if (!is_alone && again.status == 409) {
        eventually([&] { return (again = client.post("/v1/events", body)).status != 409; }, milliseconds(60'000));
      }
      EXPECT_EQ(again.status, 201) << again;
    }
    EXPECT_EQ(states(client, {id, seats}).letters, std::string(seats.size(), 'a'));
    EXPECT_EQ(reserve(client, seats.back(), "c").status, 201);
    events.push_back({id, seats});
  }
  server.kill();
  nodes->verify(events);
  std::cout << whole << " events were there as a whole, " << none << " not at all" << std::endl;
}

}   // namespace
}   // namespace holdfast::test
