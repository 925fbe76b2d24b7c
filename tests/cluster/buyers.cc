#include "cluster/buyers.h"

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

#include "support/sql.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_buyers = 12;
constexpr std::size_t k_purchases_at_once = 2;   // of a buyer
constexpr std::size_t k_complaints_max = 20;
constexpr milliseconds k_pause{20};               // a client that is told to retry does not do so at once
constexpr milliseconds k_insists{9 * k_patience};

constexpr int k_first_server_error = 500;

std::string one_of(const std::vector<std::string>& list, std::mt19937_64& random) { return list[random() % list.size()]; }

bool is_of_seats_taken(const Answer& answer) {
  return answer.status == 409 ? string_of(answer.json().at("code")) == "seat_unavailable"
                              : answer.status == 400 && answer.body.contains("\"nodisponible\":[\"");
}

}   // namespace

// One thread's customers.
class Buyers::Buyer {
 public:
  Buyer(Buyers& all, std::size_t number, std::uint64_t seed)
      : all_(all), name_(all.name_ + "-" + std::to_string(number)), random_(seed), node_(number), clients_(all.nodes_.size()) {}

  void buy() {
    while (!all_.is_over_) {
      if (chance(0.15)) {
        look();
      } else if (open_.empty() || (open_.size() < k_purchases_at_once && chance(0.5))) {
        hold();
      } else {
        go_on_with(random_() % open_.size());
      }
    }
    std::ranges::move(open_, std::back_inserter(ended));
  }

  std::vector<Purchase> ended;

 private:
  bool chance(double of) { return std::uniform_real_distribution<>(0, 1)(random_) < of; }
  std::string fresh(const char* what) { return what + name_ + "-" + std::to_string(++counter_); }
  const TestEvent& some_event() { return all_.events_[random_() % all_.events_.size()]; }

  void look() { ask(request_bytes("GET", "/v1/seats/" + one_of(some_event().seats, random_))); }

  void hold() {
    Purchase wish;
    const TestEvent& event = some_event();
    wish.seats = {one_of(event.seats, random_)};
    Answer answer;
    switch (random_() % 3) {
      case 0:
        wish.customer = fresh("customer-");
        answer = insist("/reservations", reserve_body(wish.seats[0], wish.customer));
        break;
      case 1:
        if (const std::string second = one_of(event.seats, random_); second != wish.seats[0]) wish.seats.push_back(second);
        wish.customer = fresh("customer-");
        answer = insist("/v1/reservations", hold_body(wish.customer, wish.seats));
        break;
      default:
        if (const TestEvent& other = some_event(); other.id != event.id) wish.seats.push_back(one_of(other.seats, random_));
        answer = insist("/tickets_lock", lock_body(wish.seats));
    }
    if (is_of_seats_taken(answer)) {
      ++all_.refused_;
      return;
    }
    if (!is_accepted(answer)) return;
    wish.ids = ids_in(answer.json());
    open_.push_back(wish);
  }

  static std::vector<std::string> ids_in(const Json& body) {
    if (const Json* data = body.as_object().if_contains("data")) return strings_of(data->at("reservationIds"));
    const Json* contract_1 = body.as_object().if_contains("reservationId");
    return {string_of(contract_1 != nullptr ? *contract_1 : body.at("id"))};
  }

  // A command on a hold or a sale of its own. Nobody else can be in the way, so one that is refused is forgotten after the complaint.
  void go_on_with(std::size_t index) {
    Purchase& purchase = open_[index];
    const std::string target = "/v1/reservations/" + purchase.ids[0];
    const bool is_of_tickets = purchase.customer.empty();
    if (purchase.status == "consumed") {
      const std::string body = R"({"orderId":)" + json_of(purchase.order) + R"(,"seatIds":)" + json_of(purchase.seats) + "}";
      end(index, insist(target + "/return", body));
    } else if (is_of_tickets) {
      purchase.status = "released";
      const std::string body = R"({"data":{"tickets":)" + json_of(purchase.seats) + R"(,"reservationIds":)" + json_of(purchase.ids) + "}}";
      end(index, insist("/tickets_unlock_param", body));
    } else if (chance(0.4)) {
      purchase.status = "released";
      end(index, insist(target + "/release", "{}"));
    } else if (chance(0.4)) {
      keep(index, insist(target + "/extend", R"({"holdSeconds":)" + std::to_string(1'000 + random_() % 2'000) + "}"));
    } else {
      purchase.status = "consumed";
      purchase.order = fresh("order-");
      keep(index, insist(target + "/consume", R"({"orderId":)" + json_of(purchase.order) + "}"));
    }
  }

  void keep(std::size_t index, const Answer& answer) {
    if (!is_accepted(answer)) forget(index);
  }
  // Its seats are given back.
  void end(std::size_t index, const Answer& answer) {
    open_[index].seats.clear();
    if (is_accepted(answer)) ended.push_back(open_[index]);
    forget(index);
  }
  void forget(std::size_t index) { open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index)); }

  // An answer that is neither this nor a refusal that a rule allows is a complaint.
  bool is_accepted(const Answer& answer) {
    if (answer.status == 200 || answer.status == 201) {
      ++all_.accepted_;
      if (answer.header("Idempotency-Replayed") == "true") ++all_.replayed_;
      return true;
    }
    all_.complain("refused, although nothing stood against it:\n" + last_request_ + "\n" + answer.bytes);
    return false;
  }

  // Sends it, with one key, until the answer says what happened.
  Answer insist(const std::string& target, const std::string& body) {
    last_request_ = request_bytes("POST", target, body, {{"Idempotency-Key", fresh("key-")}});
    for (const auto deadline = Clock::now() + k_insists; Clock::now() < deadline;) {
      if (const auto answer = ask(last_request_)) return *answer;
      std::this_thread::sleep_for(k_pause);
    }
    throw std::runtime_error("not answered in time: " + last_request_);
  }

  // Asks the next node. Nothing if the answer does not say what happened.
  std::optional<Answer> ask(const std::string& request) {
    ++node_;
    std::optional<Client>& client = clients_[node_ % clients_.size()];
    const auto asked = Clock::now();
    std::optional<Answer> answer;
    try {
      if (!client) client = all_.nodes_[node_ % clients_.size()]->connect();
      client->write(request);
      answer = client->read_answer();
    } catch (const std::runtime_error&) {   // the node closed the connection, or does not answer
      client.reset();
    }
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - asked).count();
    std::int64_t slowest = all_.slowest_ms_;
    while (slowest < took && !all_.slowest_ms_.compare_exchange_weak(slowest, took)) {}
    if (answer && answer->status < k_first_server_error) return answer;
    ++all_.unavailable_;
    return std::nullopt;
  }

  Buyers& all_;
  const std::string name_;
  std::mt19937_64 random_;
  std::size_t counter_ = 0;
  std::size_t node_;   // that was asked last
  std::vector<std::optional<Client>> clients_;   // of each node
  std::string last_request_;
  std::vector<Purchase> open_;
};

Buyers::Buyers(const std::vector<std::unique_ptr<Server>>& nodes, std::vector<TestEvent> events, std::uint64_t seed)
    : nodes_(nodes), events_(std::move(events)) {
  for (std::size_t i = 0; i < k_buyers; ++i) {
    threads_.emplace_back([this, i, seed] {
      Buyer buyer(*this, i, seed + i);
      try {
        buyer.buy();
      } catch (const std::exception& error) {
        complain(std::string("a buyer gave up: ") + error.what());
      }
      const std::lock_guard lock(mutex_);
      std::ranges::move(buyer.ended, std::back_inserter(purchases_));
    });
  }
}

void Buyers::stop() {
  is_over_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool Buyers::goes_on(std::size_t more) {
  const std::size_t goal = accepted_ + more;
  return eventually([&] { return accepted_ >= goal; }, 3 * k_patience);
}

void Buyers::complain(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (complaints_.size() < k_complaints_max) complaints_.push_back(what);
}

std::vector<std::string> Buyers::differences(const std::string& ledger_url) const {
  Sql sql(ledger_url);
  const bool has_all = eventually([&] {
    return sql.value(
               "select count(*) from holdfast.events e where as_of_seq < (select max(first_seq + changes - 1) from holdfast.journal "
               "where event = e.event)") == "0";
  });
  if (!has_all) return {"the tables do not come to the journal's last changes"};
  std::vector<std::string> all = missing_and_doubled(sql);
  std::ranges::move(seats_of_others(sql), std::back_inserter(all));
  return all;
}

// Every reservation was answered once, and every answer is a reservation.
std::vector<std::string> Buyers::missing_and_doubled(Sql& sql) const {
  std::vector<std::string> all;
  std::map<std::string, const Purchase*> answered;
  for (const Purchase& purchase : purchases_) {
    for (const std::string& id : purchase.ids) {
      if (!answered.emplace(id, &purchase).second) all.push_back("two requests were answered with reservation " + id);
    }
  }
  for (const TestEvent& event : events_) {
    const auto rows = sql.query(
        "select r.id, r.customer, r.order_id, (array['active', 'consumed', 'released', 'expired'])[r.status + 1] from holdfast.reservation "
        "r "
        "join holdfast.events e on e.event = r.event where e.id = $1",
        {event.id});
    for (const auto& row : rows) {
      const auto at = answered.find(row[0].value());
      if (at == answered.end()) {
        all.push_back("reservation " + row[0].value() + " of " + row[1].value() + " was answered to nobody: a hold was doubled");
        continue;
      }
      const Purchase& known = *at->second;
      if (row[1] != known.customer || row[2] != known.order || row[3] != known.status) {
        all.push_back("reservation " + at->first + " is " + row[1].value() + " " + row[2].value() + " " + row[3].value() +
                      ", and was answered " + known.customer + " " + known.order + " " + known.status);
      }
      answered.erase(at);
    }
  }
  for (const auto& [id, purchase] : answered) all.push_back("an answered reservation is missing: " + id + " of " + purchase->customer);
  return all;
}

// Each seat belongs to the reservation that it was given to, or is free.
std::vector<std::string> Buyers::seats_of_others(Sql& sql) const {
  std::vector<std::string> all;
  std::map<std::string, const Purchase*> owners;   // by seat
  for (const Purchase& purchase : purchases_) {
    for (const std::string& seat : purchase.seats) {
      if (!owners.emplace(seat, &purchase).second) all.push_back("seat " + seat + " was given to two customers");
    }
  }
  for (const TestEvent& event : events_) {
    const auto rows = sql.query(
        "select s.id, s.state, coalesce(s.reservation::text, '') from holdfast.seats s join holdfast.events e on e.event = s.event "
        "where e.id = $1",
        {event.id});
    if (rows.size() != event.seats.size()) all.push_back("event " + event.id + " has " + std::to_string(rows.size()) + " seats");
    for (const auto& row : rows) {
      const auto at = owners.find(row[0].value());
      const bool is_free = at == owners.end();
      const bool is_its = is_free ? row[1] == "available"
                                  : row[1] == (at->second->status == "consumed" ? "sold" : "held") &&
                                        std::ranges::find(at->second->ids, row[2].value()) != at->second->ids.end();
      if (is_its) continue;
      all.push_back("seat " + row[0].value() + " is " + row[1].value() + " " + row[2].value() + ", and was answered " +
                    (is_free ? "to be available" : at->second->status + " of " + at->second->ids[0]));
    }
  }
  return all;
}

}   // namespace holdfast::test
