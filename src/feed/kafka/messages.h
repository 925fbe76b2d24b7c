// Kafka messages of changes, and of payments that were refused: the topics, keys, bodies and headers of contract 1
// (docs/contracts.md).
//
// A message depends on nothing but its change, so that it is the same whenever and by whomever it is sent. Pure functions; any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "feed/kafka/ports.h"

namespace holdfast::feed::kafka {

inline constexpr std::string_view k_topic_created = "reservation-created";
inline constexpr std::string_view k_topic_expired = "reservation-expired";
inline constexpr std::string_view k_topic_consumed = "reservation-consumed";
inline constexpr std::string_view k_topic_released = "reservation-released";
inline constexpr std::string_view k_topic_returned = "reservation-returned";   // an addition
inline constexpr std::string_view k_topic_payment_rejected = "reservation-payment-rejected";
inline constexpr std::string_view k_topic_payment_succeeded = "payment-succeeded";
inline constexpr std::string_view k_topic_payment_failed = "payment-failed";
inline constexpr std::string_view k_topic_seats_generated = "seats-generated";
inline constexpr std::string_view k_dead_letter_suffix = ".dead-letter";

// What is published beyond the contract, and under which names.
struct MessageRules {
  std::string topic_prefix{};    // before every topic's name
  bool ticket_locks = false;     // reservations without a customer too
  bool all_seat_ids = false;     // seats whose id is not a UUID too
  bool returned = false;         // seats that were returned, on reservation-returned
  bool releases_as_expired = false;   // seats that were released on reservation-expired too, as if their time were over
};

using Header = std::pair<std::string, std::string>;

struct Message {
  std::string_view topic{};      // without the prefix; static storage
  std::string key{};
  std::string value{};
  std::vector<Header> headers{};
};

// The topic of a change's messages (with releases_as_expired a release is also on k_topic_expired); empty when its kind gives none.
std::string_view topic_of(ChangeKind kind, const MessageRules& rules);

// Appends the messages of a change, one for each of its seats; of a release with releases_as_expired two.
void append_messages(const FedChange& change, const MessageRules& rules, std::vector<Message>& messages);

// Stands for what a change is, so that it can be told from another one with the same number in another history.
std::uint32_t mark_of(const FedChange& change);

// Why and when a payment was refused, and which seats it was for.
struct Rejection {
  std::string reason;
  Millis at = 0;
  std::vector<std::string> seat_ids;
};

PaymentDigest digest_of(const Payment& payment);
// As a store keeps it; nothing when the bytes are none.
std::string encode_rejection(const Rejection& rejection);
std::optional<Rejection> decode_rejection(std::string_view bytes);
Message rejection_message(const Payment& payment, const Rejection& rejection);

}  // namespace holdfast::feed::kafka
