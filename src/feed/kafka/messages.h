// Kafka messages of changes and of rejected payments: the topics, keys, bodies and headers of contract 1 (docs/contracts.md).
//
// A message depends only on its change, so it is the same whenever and from whichever node it is sent. Pure functions; any thread.
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

// The names of the topics, and what is published beyond the contract.
struct MessageRules {
  std::string topic_prefix{};    // precedes every topic's name
  bool ticket_locks = false;     // also reservations without a customer
  bool all_seat_ids = false;     // also seats whose id is not a UUID
  bool returned = false;         // also returned seats, on reservation-returned
  bool releases_as_expired = false;   // released seats are also on reservation-expired, as if their hold had expired
};

using Header = std::pair<std::string, std::string>;

struct Message {
  std::string_view topic{};      // without the prefix; static storage
  std::string key{};
  std::string value{};
  std::vector<Header> headers{};
};

// The topic of a change's messages; empty if its kind has none. With releases_as_expired, a release is also on k_topic_expired.
std::string_view topic_of(ChangeKind kind, const MessageRules& rules);

// Appends the messages of a change: one for each seat, or two for a release with releases_as_expired.
void append_messages(const FedChange& change, const MessageRules& rules, std::vector<Message>& messages);

// A checksum of a change, which tells it from a change with the same number in another history.
std::uint32_t mark_of(const FedChange& change);

// Why and when a payment was rejected, and for which seats it was.
struct Rejection {
  std::string reason;
  Millis at = 0;
  std::vector<std::string> seat_ids;
};

PaymentDigest digest_of(const Payment& payment);
// The form that stores keep. Nothing if the bytes are not of that form.
std::string encode_rejection(const Rejection& rejection);
std::optional<Rejection> decode_rejection(std::string_view bytes);
Message rejection_message(const Payment& payment, const Rejection& rejection);

}  // namespace holdfast::feed::kafka
