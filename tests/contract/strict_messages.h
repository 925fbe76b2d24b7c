// What services of contract 1's platform say, read like a strictly typed .NET service: unknown members are allowed, wrong types and
// missing members are not.
//
//   const StrictMessage told = decode_strictly(message, prefix);   // throws std::runtime_error, which names the member
//   const StrictCart cart = decode_cart_strictly(answer);          // likewise: of POST /cart/add
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/json.h"
#include "support/kafka.h"

namespace holdfast::test {

// The members of all topics, and those of some. A member that a topic lacks is empty.
struct StrictMessage {
  std::string topic;   // without the prefix
  std::string id;   // eventId: of the message
  std::string reservation;
  std::string event;   // concertEventId
  std::string seat;
  std::string customer;
  std::string status;
  std::string reason;
  std::string order;
  std::string payment;
  double base_price = 0;
};

struct StrictCart {
  struct Item {
    std::string reservation;
    std::string seat;
    double price = 0;
    bool operator==(const Item&) const = default;
  };
  std::string id;
  std::string source;   // who knew of the reservation: `message` or `holdfast`
  std::vector<Item> items;
};

// Members of an object, each read as one type.
class StrictBody {
 public:
  // `text`: for what is thrown.
  StrictBody(std::string text, Json json) : text_(std::move(text)), json_(std::move(json)) {
    if (!json_.is_object()) throw std::runtime_error("not an object: " + text_);
  }
  std::string text(const char* name) const {
    const Json& value = at(name);
    if (!value.is_string() || value.get_string().empty()) wrong(name, "a text that is not empty");
    return string_of(value);
  }
  std::string uuid(const char* name) const { return checked_uuid(name, text(name)); }
  double decimal(const char* name) const {
    const Json& value = at(name);
    if (!value.is_number()) wrong(name, "a number");
    return value.to_number<double>();
  }
  void time(const char* name) const {
    try {
      millis_of(text(name));
    } catch (const std::exception&) {
      wrong(name, "a time");
    }
  }
  void one_of(const char* name, std::initializer_list<std::string_view> words) const {
    for (const std::string_view word : words) {
      if (text(name) == word) return;
    }
    wrong(name, "one of the words that there are");
  }
  void uuids(const char* name) const {
    array(name);
    for (const std::string& each : strings_of(at(name))) checked_uuid(name, each);
  }
  std::vector<StrictBody> objects(const char* name) const {
    std::vector<StrictBody> all;
    for (const Json& each : array(name)) all.emplace_back(text_, each);
    return all;
  }
  [[noreturn]] void wrong(const char* name, const std::string& wanted) const {
    throw std::runtime_error(std::string(name) + " is not " + wanted + ": " + text_);
  }

 private:
  const Json& at(const char* name) const {
    const Json* const value = json_.as_object().if_contains(name);
    if (value == nullptr) throw std::runtime_error(std::string(name) + " is missing: " + text_);
    return *value;
  }
  const boost::json::array& array(const char* name) const {
    const Json& value = at(name);
    if (!value.is_array()) wrong(name, "an array");
    return value.get_array();
  }
  std::string checked_uuid(const char* name, const std::string& value) const {
    constexpr std::string_view k_form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    const std::string_view digits = "0123456789abcdef";
    bool is_good = value.size() == k_form.size();
    for (std::size_t i = 0; is_good && i < k_form.size(); ++i) {
      is_good = k_form[i] == '-' ? value[i] == '-' : digits.find(value[i]) != std::string_view::npos;
    }
    if (!is_good) wrong(name, "a UUID in lower case");
    return value;
  }

  std::string text_;
  Json json_;
};

inline StrictMessage decode_strictly(const KafkaMessage& message, std::string_view prefix) {
  const StrictBody body(message.topic + " " + message.value, message.json());
  StrictMessage told;
  told.topic = message.topic.substr(prefix.size());
  told.id = body.uuid("eventId");
  told.reservation = body.uuid("reservationId");
  if (told.topic == "reservation-payment-rejected") {
    told.order = body.text("orderId");
    told.payment = body.text("paymentId");
    told.reason = body.text("reason");
    body.uuids("seatIds");
    body.time("rejectedAt");
    return told;
  }
  told.event = body.uuid("concertEventId");
  told.seat = body.uuid("seatId");
  told.customer = body.text("customerId");
  told.status = body.text("status");
  std::string key = told.seat;
  std::erase(key, '-');
  if (message.key != key) body.wrong("seatId", "the key without dashes, which is " + message.key);
  if (told.topic == "reservation-created") {
    body.text("seatNumber");
    body.text("section");
    told.base_price = body.decimal("basePrice");
    body.time("createdAt");
    body.time("expiresAt");
    body.one_of("status", {"active"});
    return told;
  }
  if (body.uuid("messageId") != told.id) body.wrong("messageId", "the eventId");
  if (told.topic == "reservation-expired") {
    body.one_of("status", {"expired"});
    body.one_of("reason", {"ttl_expired", "manual_cancellation"});
    body.time("expiredAt");
  } else if (told.topic == "reservation-released") {
    body.one_of("status", {"released"});
    body.one_of("reason", {"manual_cancellation"});
    body.time("releasedAt");
  } else if (told.topic == "reservation-consumed") {
    body.one_of("status", {"consumed"});
    body.time("consumedAt");
    return told;
  } else {
    throw std::runtime_error("a topic that the contract does not have: " + message.topic);
  }
  told.reason = body.text("reason");
  return told;
}

inline StrictCart decode_cart_strictly(const Answer& answer) {
  const StrictBody body(answer.body, answer.json());
  body.one_of("source", {"message", "holdfast"});
  StrictCart cart{.id = body.uuid("cartId"), .source = body.text("source"), .items = {}};
  for (const StrictBody& item : body.objects("items")) {
    cart.items.push_back({.reservation = item.uuid("reservationId"), .seat = item.uuid("seatId"), .price = item.decimal("price")});
  }
  return cart;
}

}   // namespace holdfast::test
