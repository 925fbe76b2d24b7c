#include "cluster/load.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

namespace holdfast::test {

Load::Load(Nodes& nodes, const TestEvent& event, std::vector<std::size_t> which, std::size_t threads)
    : nodes_(nodes), event_(event), which_(std::move(which)) {
  if (which_.empty()) {
    for (std::size_t i = 0; i < nodes.count(); ++i) which_.push_back(i);
  }
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, i] {
      try {
        work(i);
      } catch (const std::exception& error) {
        complain(std::string("a thread ended: ") + error.what());
      }
    });
  }
}

Load::~Load() { stop(); }

void Load::stop() {
  is_over_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  const std::lock_guard lock(mutex_);
  for (const std::string& what : complaints_) ADD_FAILURE() << what;
  complaints_.clear();
}

void Load::complain(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (complaints_.size() < 20) complaints_.push_back(what);
}

bool Load::goes_on(std::size_t more, milliseconds patience) {
  const std::size_t goal = accepted_ + more;
  return eventually([&] { return accepted_ >= goal; }, patience);
}

void Load::work(std::size_t number) {
  std::mt19937_64 random(std::random_device{}());
  std::size_t node = number;
  for (std::size_t counter = 0; !is_over_; ++counter) {
    const std::size_t seat = random() % event_.seats.size();
    const std::string key = name_ + "-" + std::to_string(number) + "-" + std::to_string(counter);
    bool is_mine = false;
    {
      const std::lock_guard lock(mutex_);
      const auto at = owned_.find(seat);
      is_mine = at != owned_.end() && at->second.customer == "customer-" + std::to_string(number);
    }
    if (is_mine) {
      give_back(node, seat, key);
    } else {
      reserve_one(number, node, seat, key);
    }
  }
}

Answer Load::insist(std::size_t& node, std::string_view target, const std::string& body, const std::string& key) {
  const auto began = Clock::now();
  for (const auto deadline = began + 9 * k_patience; Clock::now() < deadline;) {
    ++node;
    const auto asked = Clock::now();
    try {
      Answer answer = nodes_.at(which_[node % which_.size()]).connect().post(target, body, {{"Idempotency-Key", key}});
      const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - asked).count();
      std::int64_t slowest = slowest_ms_;
      while (slowest < took && !slowest_ms_.compare_exchange_weak(slowest, took)) {}
      if (answer.status != 503) return answer;
      ++unavailable_;
      if (answer.header("Retry-After").empty()) ++without_retry_after_;
    } catch (const std::exception&) {   // the node was killed, or is not running
      ++lost_;
    }
    std::this_thread::sleep_for(milliseconds{20});   // a client that is told to retry does not do so at once
  }
  throw std::runtime_error("not answered in time: " + std::string(target) + " " + body);
}

void Load::reserve_one(std::size_t number, std::size_t& node, std::size_t seat, const std::string& key) {
  const std::string customer = "customer-" + std::to_string(number);
  const Answer answer = insist(node, "/reservations", reserve_body(event_[seat], customer), key);
  if (answer.status == 409) {
    ++refused_;
    return;
  }
  if (answer.status != 201) {
    complain("a request was answered " + answer.bytes);
    return;
  }
  ++accepted_;
  const std::string id = string_of(answer.json().at("reservationId"));
  std::optional<Owned> other;
  {
    const std::lock_guard lock(mutex_);
    const auto [at, is_free] = owned_.emplace(seat, Owned{id, customer});
    if (!is_free) other = at->second;
  }
  if (other) {
    complain("seat " + std::to_string(seat) + " was given to " + customer + " by " + id + ", while " + other->customer + " had it by " +
             other->reservation);
  }
}

void Load::give_back(std::size_t& node, std::size_t seat, const std::string& key) {
  std::string id;
  {
    const std::lock_guard lock(mutex_);
    const auto at = owned_.find(seat);
    id = at->second.reservation;   // only its owner removes it
    owned_.erase(at);
  }
  const Answer answer = insist(node, "/v1/reservations/" + id + "/release", "{}", key);
  if (answer.status != 200) complain("a release was answered " + answer.bytes);
}

std::vector<std::string> Load::reservations() const {
  std::vector<std::string> ids;
  for (const auto& [seat_number, owned] : owned_) ids.push_back(owned.reservation);
  return ids;
}

void Load::expect_kept(Client& client) {
  for (const auto& [seat_number, owned] : owned_) {
    const Answer answer = client.get("/v1/reservations/" + owned.reservation);
    if (answer.status != 200) {
      ADD_FAILURE() << "an answered reservation is missing: " << owned.reservation << ": " << answer;
      continue;
    }
    EXPECT_EQ(string_of(answer.json().at("status")), "active") << answer;
    EXPECT_EQ(string_of(answer.json().at("customerId")), owned.customer) << answer;
  }
  for (std::size_t i = 0; i < event_.seats.size(); ++i) {
    const auto at = owned_.find(i);
    const Json found = seat(client, event_[i]);
    EXPECT_EQ(string_of(found.at("state")), at == owned_.end() ? "available" : "held") << found;
    if (at != owned_.end()) EXPECT_EQ(string_of(found.at("reservationId")), at->second.reservation);
  }
}

}   // namespace holdfast::test
