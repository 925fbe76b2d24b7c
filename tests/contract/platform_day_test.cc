// A day of contract 1's platform, with Holdfast as its inventory, over a real PostgreSQL, Redis and Kafka: a catalogue that sends
// seats, and prices of some of them, thousands of buyers, the cart of examples/ordering as a process, a payment service that is late
// and repeats itself, holds that expire, and a waiting list. What the services say is read as the platform reads it (strict_messages.h).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <thread>

#include "contract/cart.h"
#include "contract/strict_messages.h"
#include "support/events.h"
#include "support/server.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_events = 3;   // the first one comes by Kafka alone, so it has no prices
constexpr std::size_t k_seats = 400;   // of each event
constexpr std::size_t k_seats_a_part = 100;
constexpr std::size_t k_buyers = k_is_sanitized ? 1'000 : 3'000;
constexpr std::size_t k_seats_a_buyer_max = 3;
constexpr std::size_t k_shops = 4;   // connections that buyers use
constexpr std::size_t k_orders_unknown = 5;
// For an answer of the cart, on a machine where everything else of the platform runs, too. No message comes so late that waiting for it would show.
constexpr milliseconds k_at_once{2'000 * k_slowness};

// The seats of an event with prices are in as many equal parts. A category may have no price.
struct Category {
  const char* name;
  double price;
  const char* member;
};
constexpr Category k_categories[] = {{"Front", 99.99, R"(,"price":99.99)"}, {"Middle", 45.5, R"(,"price":45.50)"}, {"Rear", 0, ""}};
const Category& category_of(std::size_t i) { return k_categories[i * std::size(k_categories) / k_seats]; }

// What a buyer who got a seat does next.
enum class Fate { pays, pays_twice, pays_and_names_the_order_again, fails, walks_away, runs_out, pays_late, pays_too_late };

struct Bought {
  std::string reservation;
  std::string seat;
  std::string event;
  std::string buyer;   // the member of POST /cart/add that names whose cart it is
  double price = 0;
  Fate fate{};
  std::string order{};   // not empty: it was paid for
  std::string payment{};
  StrictCart::Item item() const { return {.reservation = reservation, .seat = seat, .price = price}; }
  bool is_short() const { return fate == Fate::runs_out || fate == Fate::pays_late || fate == Fate::pays_too_late; }
};

// The payment service: its messages to Kafka, and their number.
class PaymentService {
 public:
  PaymentService(const std::string& bootstrap, std::string prefix) : writer_(bootstrap), prefix_(std::move(prefix)) {}

  void succeeded(Bought& bought) {
    bought.order = "order-" + bought.reservation;
    bought.payment = "payment-" + bought.reservation;
    write("payment-succeeded", bought.reservation,
          R"({"reservationId":")" + bought.reservation + R"(","orderId":")" + bought.order + R"(","paymentId":")" + bought.payment +
              R"(","amount":)" + std::to_string(bought.price) + R"(,"method":"card"})");
  }
  void failed(const Bought& bought) {
    write("payment-failed", bought.reservation,
          R"({"reservationId":")" + bought.reservation + R"(","orderId":"order-)" + bought.reservation + R"(","reason":"card declined"})");
  }
  void succeeded_by_order(const std::string& order) {
    write("payment-succeeded", order, R"({"orderId":")" + order + R"(","paymentId":"again","reservationId":null})");
  }
  std::size_t written() const { return written_; }

 private:
  void write(const char* topic, const std::string& key, const std::string& value) {
    const std::scoped_lock lock(mutex_);
    writer_.write(prefix_ + topic, key, value);
    ++written_;
  }
  std::mutex mutex_;
  KafkaWriter writer_;
  std::string prefix_;
  std::atomic<std::size_t> written_{0};
};

class PlatformDay : public ::testing::Test {
 protected:
  static ServerSettings settings(const std::string& ledger, const std::string& lock, const std::string& bootstrap,
                                 const std::string& prefix) {
    const Finished migrated = run_holdfast({"migrate", "--ledger", ledger});
    if (migrated.status != 0) throw std::runtime_error("holdfast migrate: " + migrated.everything());
    return {.flags = {"--ledger", ledger, "--lock", lock, "--feed", "kafka://" + bootstrap, "--feed-topic-prefix", prefix,
                      "--feed-payments-group", prefix + "payments", "--feed-seats", "on", "--feed-seats-group", prefix + "seats",
                      "--feed-releases-as-expired", "on"}};
  }

  void open_the_catalogue();
  void create_with_prices(const TestEvent& event);
  void open_the_cart();
  void sell();
  Bought buy(Client& client, std::size_t buyer, std::mt19937_64& random);
  void put_into_cart(const Bought& made);
  std::string check_cart(const Bought& made, const Answer& answer);
  void come_back_to_the_carts();
  void pay_late(Fate fate);
  void serve_the_waiting_list();
  void release_locks_of_the_staff();
  void wait_until_payments_are_done();

  void expect_messages_of_what_happened();
  void expect_that_no_money_is_lost();
  void expect_the_same_in_sql();

  std::string status_of(const std::string& reservation) {
    return string_of(client.get("/reservations/" + reservation).json().at("status"));
  }
  double price_of(const std::string& seat) const {
    const auto at = prices.find(seat);
    return at == prices.end() ? 0 : at->second;
  }
  std::string topic(std::string_view name) const { return prefix + std::string(name); }
  std::size_t count_of(Fate fate) const { return static_cast<std::size_t>(std::ranges::count(bought, fate, &Bought::fate)); }

  PostgresDatabase database;
  RedisServer redis;
  const std::string kafka = shared_kafka();
  const std::string prefix = new_uuid() + ".";
  Server server{settings(database.url(), redis.url(), kafka, prefix)};
  Client client = server.connect();
  PaymentService payments{kafka, prefix};
  std::optional<Cart> cart;
  std::vector<TestEvent> events;
  std::map<std::string, double> prices;   // of seats that have one
  std::vector<Bought> bought;   // everything that was reserved, by buyers and from the waiting list
  std::mutex carts_mutex;
  std::map<std::string, StrictCart> carts;   // what is in them, by buyer
  std::size_t asked = 0;   // how often the cart had to ask Holdfast
};

// ---------------------------------------------------------------------------------------------------------------- the morning

std::string part_of(const TestEvent& event, std::span<const std::size_t> seats) {
  std::string list;
  for (const std::size_t i : seats) {
    list += (list.empty() ? "" : ",") + (R"({"seatId":")" + event.seats[i] + R"(","section":"Floor","row":")" + std::to_string(i / 20 + 1) +
                                         R"(","number":)" + std::to_string(i % 20 + 1) + "}");
  }
  return R"({"eventId":")" + event.id + R"(","seats":[)" + list + R"(],"totalSeats":)" + std::to_string(event.seats.size()) +
         R"(,"generatedAt":"2026-02-24T08:00:00Z"})";
}

// Messages have no prices: an event with some is created over HTTP, with its id and the ids of its seats, before its parts come.
void PlatformDay::create_with_prices(const TestEvent& event) {
  std::string categories, seats;
  for (const Category& each : k_categories) {
    categories += (categories.empty() ? "" : ",") + (R"({"name":")" + std::string(each.name) + '"') + each.member + "}";
  }
  for (std::size_t i = 0; i < event.seats.size(); ++i) {
    seats += (seats.empty() ? "" : ",") +
             (R"({"id":")" + event.seats[i] + R"(","section":"Floor","row":")" + std::to_string(i / 20 + 1) + R"(","number":")" +
              std::to_string(i % 20 + 1) + R"(","category":")") +
             category_of(i).name + R"("})";
    if (category_of(i).price > 0) prices[event.seats[i]] = category_of(i).price;
  }
  const Answer created = client.post("/v1/events", R"({"id":")" + event.id + R"(","name":"An evening","currency":"EUR","categories":[)" +
                                                       categories + R"(],"seats":[)" + seats + "]}");
  ASSERT_EQ(created.status, 201) << created;
}

// The parts of all events, mixed; some come twice.
void PlatformDay::open_the_catalogue() {
  std::vector<std::string> parts;
  for (std::size_t e = 0; e < k_events; ++e) {
    TestEvent& event = events.emplace_back(TestEvent{.id = new_uuid(), .seats = {}});
    for (std::size_t i = 0; i < k_seats; ++i) event.seats.push_back(new_uuid());
    if (e > 0) ASSERT_NO_FATAL_FAILURE(create_with_prices(event));
    std::vector<std::size_t> all(k_seats);
    std::iota(all.begin(), all.end(), 0u);
    for (std::size_t first = 0; first < k_seats; first += k_seats_a_part) {
      parts.push_back(part_of(event, std::span(all).subspan(first, k_seats_a_part)));
      if (first == 0) parts.push_back(parts.back());
    }
  }
  std::ranges::shuffle(parts, std::mt19937_64(7));
  KafkaWriter catalogue(kafka);
  for (const std::string& part : parts) catalogue.write(topic("seats-generated"), "", part);
  const auto parts_that_were = [&](const char* outcome) {
    return metric(client, "holdfast_feed_seat_parts_total", {R"(outcome=")" + std::string(outcome) + '"'});
  };
  constexpr std::size_t k_imported = k_seats / k_seats_a_part;   // of the event that was not created over HTTP
  ASSERT_TRUE(eventually([&] { return parts_that_were("imported") == k_imported; }, 4 * k_patience)) << "an event is not imported";
  EXPECT_TRUE(eventually([&] { return parts_that_were("skipped") == static_cast<double>(parts.size() - k_imported); }))
      << parts_that_were("skipped");
  EXPECT_EQ(parts_that_were("dead_letter"), 0);
  for (const TestEvent& event : events) {
    EXPECT_EQ(client.get("/v1/events/" + event.id).json().at("counts").at("available"), k_seats);
  }
}

// ---------------------------------------------------------------------------------------------------------------- the sale

void PlatformDay::open_the_cart() {
  // Its topics exist when Holdfast publishes.
  ASSERT_TRUE(eventually([&] { return metric(client, "holdfast_feed_publishing") == 1; }, 4 * k_patience));
  cart.emplace(server.url(), kafka, prefix);
}

// What the cart answers about a buyer's cart is what was put into it so far, each reservation once. Returns who knew of the reservation.
std::string PlatformDay::check_cart(const Bought& made, const Answer& answer) {
  const StrictCart told = decode_cart_strictly(answer);
  const std::scoped_lock lock(carts_mutex);
  StrictCart& expected = carts[made.buyer];
  if (expected.id.empty()) expected.id = told.id;
  if (std::ranges::find(expected.items, made.item()) == expected.items.end()) expected.items.push_back(made.item());
  EXPECT_EQ(told.id, expected.id) << made.buyer << " has two carts";
  EXPECT_TRUE(told.items == expected.items) << "not what is in the cart of " << made.buyer << ": " << answer;
  if (told.source == "holdfast") ++asked;
  return told.source;
}

// With the answer of the reservation in the hand. No "Reservation not found" sends the buyer away, and nobody waits for a message.
void PlatformDay::put_into_cart(const Bought& made) {
  const auto began = Clock::now();
  const Answer answer = cart->add(made.item(), made.buyer);
  EXPECT_LT(Clock::now() - began, k_at_once) << made.reservation;
  if (answer.status == 409 && made.is_short()) return;   // on a very slow machine it has run out already
  EXPECT_EQ(answer.status, 200) << answer;
  if (answer.status == 200) check_cart(made, answer);
}

Bought PlatformDay::buy(Client& shop, std::size_t buyer, std::mt19937_64& random) {
  constexpr Fate k_fates[] = {Fate::pays,  Fate::pays,       Fate::pays,     Fate::pays_twice, Fate::pays_and_names_the_order_again,
                              Fate::fails, Fate::walks_away, Fate::runs_out, Fate::pays_late,  Fate::pays_too_late};
  const TestEvent& event = events[random() % k_events];
  const std::string& seat = event[random() % k_seats];
  const std::string number = std::to_string(buyer);
  const std::string customer = "customer-" + number;
  Bought made{.reservation = {},
              .seat = seat,
              .event = event.id,
              .buyer = buyer % 2 == 0 ? R"("userId":")" + customer + '"' : R"("guestToken":"guest-)" + number + '"',
              .price = price_of(seat),
              .fate = k_fates[random() % std::size(k_fates)]};
  // The contract's holds last 15 minutes. Holds that are to expire today are made through /v1, on the same seats.
  const Answer answer = made.is_short() ? hold(shop, customer, {seat}, R"("holdSeconds":2)") : reserve(shop, seat, customer);
  if (answer.status == 409) return {};
  EXPECT_EQ(answer.status, 201) << answer;
  if (answer.status != 201) return {};
  made.reservation = string_of(answer.json().at(made.is_short() ? "id" : "reservationId"));
  put_into_cart(made);
  switch (made.fate) {
    case Fate::pays:
    case Fate::pays_and_names_the_order_again: payments.succeeded(made); break;
    case Fate::pays_twice:
      payments.succeeded(made);
      payments.succeeded(made);
      break;
    case Fate::fails: payments.failed(made); break;
    default: break;
  }
  return made;
}

void PlatformDay::sell() {
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  const auto serve = [&](std::size_t shop) {
    Client connection = server.connect();
    std::mt19937_64 random(shop + 1);
    for (std::size_t buyer = next++; buyer < k_buyers; buyer = next++) {
      for (std::size_t seat = 0; seat <= buyer % k_seats_a_buyer_max; ++seat) {
        Bought made = buy(connection, buyer, random);
        if (made.reservation.empty()) continue;
        const std::scoped_lock lock(mutex);
        bought.push_back(std::move(made));
      }
    }
  };
  std::vector<std::jthread> shops;
  for (std::size_t shop = 0; shop < k_shops; ++shop) {
    shops.emplace_back([&, shop] {
      try {
        serve(shop);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
  }
  shops.clear();
  EXPECT_GT(bought.size(), k_buyers / 4);
  EXPECT_GT(asked, 0u) << "each message was there before its buyer: the test shows nothing";
  for (const Bought& each : bought) {
    if (each.is_short()) EXPECT_TRUE(eventually([&] { return status_of(each.reservation) != "active"; })) << each.reservation;
  }
}

// Buyers who come back find in their carts what they had put there, and learn it when a reservation is over.
void PlatformDay::come_back_to_the_carts() {
  for (const Bought& each : bought) {
    if (each.is_short()) {
      EXPECT_TRUE(eventually([&] { return cart->add(each.item(), each.buyer).status == 409; })) << each.reservation << " is over";
    } else if (each.fate == Fate::walks_away && has_real_kafka()) {
      const auto source = [&] {
        const Answer answer = cart->add(each.item(), each.buyer);
        EXPECT_EQ(answer.status, 200) << answer;
        return answer.status == 200 ? check_cart(each, answer) : "";
      };
      EXPECT_TRUE(eventually([&] { return source() == "message"; })) << each.reservation << ": the cart has not read its message";
    }
  }
  std::set<std::string> ids;
  std::size_t fullest = 0;
  for (const auto& [buyer, expected] : carts) {
    EXPECT_TRUE(ids.insert(expected.id).second) << buyer << " has somebody else's cart";
    fullest = std::max(fullest, expected.items.size());
  }
  EXPECT_GT(fullest, 1u);
  std::cout << "cart: " << carts.size() << " carts; it asked Holdfast " << asked << " times\n";
}

void PlatformDay::pay_late(Fate fate) {
  for (Bought& each : bought) {
    if (each.fate == fate) payments.succeeded(each);
  }
}

// ---------------------------------------------------------------------------------------------------------------- the evening

// The waiting list reads that seats became free, asks for the release of each, and reserves it for the next person who waits.
void PlatformDay::serve_the_waiting_list() {
  const auto shorts = static_cast<std::size_t>(std::ranges::count_if(bought, &Bought::is_short));
  const std::size_t freed = shorts + count_of(Fate::fails);   // what runs out, and what is released
  KafkaReader reader(kafka, {topic("reservation-expired")});
  ASSERT_TRUE(reader.read_until([&] { return reader.messages().size() >= freed; }, 6 * k_patience))
      << reader.messages().size() << " of " << freed << " seats that became free";
  std::size_t served = 0;
  for (const KafkaMessage& message : reader.messages()) {
    const StrictMessage told = decode_strictly(message, prefix);
    const Answer released = client.request("PUT", "/api/v1/seats/" + told.seat + "/release", R"({"reason":"expired"})");
    ASSERT_TRUE(released.status == 200 || released.status == 409) << released;
    const Answer reserved = reserve(client, told.seat, "waiting-" + std::to_string(served));
    ASSERT_TRUE(reserved.status == 201 || reserved.status == 409) << reserved;
    if (released.status == 409) EXPECT_EQ(reserved.status, 409) << "a seat that is somebody's";
    if (reserved.status != 201) continue;
    Bought& made = bought.emplace_back(Bought{.reservation = string_of(reserved.json().at("reservationId")),
                                              .seat = told.seat,
                                              .event = told.event,
                                              .buyer = R"("userId":"waiting-)" + std::to_string(served) + '"',
                                              .price = price_of(told.seat),
                                              .fate = Fate::pays});
    put_into_cart(made);
    payments.succeeded(made);
    ++served;
  }
  EXPECT_GT(served, 0u);
}

// The staff locks seats for a moment through the other contract, and the waiting list frees them.
void PlatformDay::release_locks_of_the_staff() {
  const TestEvent event = make_event(client, 5);
  ASSERT_EQ(lock_tickets(client, event.seats).status, 200);
  for (const std::string& seat : event.seats) {
    EXPECT_EQ(client.request("PUT", "/api/v1/seats/" + seat + "/release", "").status, 200);
    EXPECT_EQ(seat_state(client, seat), "available");
  }
}

void PlatformDay::wait_until_payments_are_done() {
  ASSERT_TRUE(
      eventually([&] { return metric(client, "holdfast_feed_payments_total") >= static_cast<double>(payments.written()); }, 6 * k_patience))
      << metric(client, "holdfast_feed_payments_total") << " of " << payments.written();
}

// ---------------------------------------------------------------------------------------------------------------- what is true at night

// Each reservation's messages are those of its history, each once.
void PlatformDay::expect_messages_of_what_happened() {
  using Topics = std::multiset<std::string>;
  std::map<std::string, Topics> expected;
  std::size_t wanted = 0;
  for (const Bought& each : bought) {
    Topics& topics = expected[each.reservation];
    topics.insert("reservation-created");
    if (each.is_short()) topics.insert("reservation-expired ttl_expired");
    if (each.fate == Fate::fails) topics.insert({"reservation-released manual_cancellation", "reservation-expired manual_cancellation"});
    if (status_of(each.reservation) == "consumed") topics.insert("reservation-consumed");
    wanted += topics.size();
  }
  KafkaReader reader(
      kafka, {topic("reservation-created"), topic("reservation-expired"), topic("reservation-consumed"), topic("reservation-released")});
  EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= wanted; }, 6 * k_patience))
      << reader.messages().size() << " of " << wanted;
  reader.read_for(milliseconds(500));
  std::map<std::string, Topics> found;
  std::set<std::string> ids;
  std::set<double> base_prices;
  std::map<std::string, const Bought*> known;
  for (const Bought& each : bought) known[each.reservation] = &each;
  for (const KafkaMessage& message : reader.messages()) {
    const StrictMessage told = decode_strictly(message, prefix);
    EXPECT_TRUE(ids.insert(told.id).second) << "an eventId twice: " << message.value;
    found[told.reservation].insert(told.topic + (told.reason.empty() ? "" : " " + told.reason));
    const auto at = known.find(told.reservation);
    ASSERT_NE(at, known.end()) << "a reservation that nobody made: " << message.value;
    EXPECT_EQ(told.seat, at->second->seat);
    EXPECT_EQ(told.event, at->second->event);
    if (told.topic != "reservation-created") continue;
    EXPECT_DOUBLE_EQ(told.base_price, at->second->price) << message.value;
    base_prices.insert(told.base_price);
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(base_prices.size(), std::size(k_categories)) << "a category was not sold: the test shows nothing of its price";
  std::cout << "kafka: " << reader.messages().size() << " messages of " << bought.size() << " reservations\n";
}

// Everyone who paid has the seat, or hears that the money goes back. No seat belongs to two people.
void PlatformDay::expect_that_no_money_is_lost() {
  KafkaReader reader(kafka, {topic("reservation-payment-rejected")});
  std::map<std::string, std::string> sold;   // reservation, by seat
  std::set<std::string> owed;   // payments whose money must go back
  for (const Bought& each : bought) {
    const bool is_sold = status_of(each.reservation) == "consumed";
    if (is_sold) {
      EXPECT_FALSE(each.order.empty()) << each.reservation << " is sold, and nobody paid";
      EXPECT_TRUE(sold.emplace(each.seat, each.reservation).second) << "seat " << each.seat << " is sold twice";
      EXPECT_EQ(seat_state(client, each.seat), "sold");
    } else if (!each.order.empty()) {
      owed.insert(each.payment);
    }
  }
  EXPECT_TRUE(reader.read_until([&] { return reader.messages().size() >= owed.size(); }, 4 * k_patience));
  reader.read_for(milliseconds(300));
  std::set<std::string> rejected;
  for (const KafkaMessage& message : reader.messages()) rejected.insert(decode_strictly(message, prefix).payment);
  EXPECT_EQ(rejected, owed);
  EXPECT_GT(owed.size(), 0u) << "nobody came too late: the test shows nothing";
  std::size_t all_sold = 0;
  for (const TestEvent& event : events) all_sold += static_cast<std::size_t>(std::ranges::count(letters(client, event), 's'));
  EXPECT_EQ(all_sold, sold.size());
  // Money for an unknown order is in the dead letters, and nowhere else.
  KafkaReader dead(kafka, {topic("payment-succeeded.dead-letter")});
  EXPECT_TRUE(dead.read_until([&] { return dead.messages().size() >= k_orders_unknown; }, 4 * k_patience));
  dead.read_for(milliseconds(300));
  EXPECT_EQ(dead.messages().size(), k_orders_unknown);
  for (const KafkaMessage& message : dead.messages()) EXPECT_NE(message.value.find("order-unknown-"), std::string::npos) << message.value;
}

// The platform's reports read the same from the view as from its own table.
void PlatformDay::expect_the_same_in_sql() {
  Sql sql(database.url());
  std::map<std::string, std::string> expected;
  for (const Bought& each : bought) expected[each.reservation] = each.seat + " " + status_of(each.reservation);
  std::map<std::string, std::string> found;
  const auto look = [&] {
    found.clear();
    for (const Sql::Row& row : sql.query("SELECT Id, SeatId, CustomerId, CreatedAt, ExpiresAt, Status FROM Reservations")) {
      found[row[0].value_or("")] = row[1].value_or("") + " " + row[5].value_or("");
    }
    return found == expected;
  };
  EXPECT_TRUE(eventually(look)) << found.size() << " of " << expected.size();
  EXPECT_EQ(redis.command({"KEYS", "lock:seat:*"}), "") << "locks are given up before their answers leave";
  const Finished verified = run_holdfast({"verify", "--ledger", database.url()});
  EXPECT_EQ(verified.status, 0) << verified.everything();
}

TEST_F(PlatformDay, FromTheCatalogueToTheWaitingListLosesNoSeatNoMoneyAndNoMessage) {
  ASSERT_NO_FATAL_FAILURE(open_the_catalogue());
  ASSERT_EQ(client.get("/health").status, 200);
  ASSERT_NO_FATAL_FAILURE(open_the_cart());
  sell();
  come_back_to_the_carts();
  pay_late(Fate::pays_late);
  ASSERT_NO_FATAL_FAILURE(serve_the_waiting_list());
  pay_late(Fate::pays_too_late);
  for (std::size_t i = 0; i < k_orders_unknown; ++i) payments.succeeded_by_order("order-unknown-" + std::to_string(i));
  ASSERT_NO_FATAL_FAILURE(wait_until_payments_are_done());
  for (const Bought& each : bought) {
    if (each.fate == Fate::pays_and_names_the_order_again) payments.succeeded_by_order(each.order);
  }
  ASSERT_NO_FATAL_FAILURE(wait_until_payments_are_done());
  ASSERT_NO_FATAL_FAILURE(release_locks_of_the_staff());
  expect_messages_of_what_happened();
  expect_that_no_money_is_lost();
  expect_the_same_in_sql();
}

}   // namespace
}   // namespace holdfast::test
