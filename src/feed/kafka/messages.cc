#include "feed/kafka/messages.h"

#include <algorithm>
#include <cstring>

#include "access/tokens.h"
#include "core/bytes.h"
#include "core/codec.h"
#include "core/limits.h"
#include "json/json.h"

namespace holdfast::feed::kafka {
namespace {

// A UUID of version 8, made from a digest of the facts: equal facts give the same id, different facts another one.
Uuid id_of(std::string_view facts) {
  const auto digest = sha256(facts);
  Uuid id;
  std::memcpy(id.data, digest.data(), sizeof id.data);
  id.data[6] = static_cast<std::uint8_t>(0x80 | (id.data[6] & 0x0F));
  id.data[8] = static_cast<std::uint8_t>(0x80 | (id.data[8] & 0x3F));
  return id;
}

std::string without_dashes(std::string id) {
  std::erase(id, '-');
  return id;
}

// Everything that makes up a message about this seat. Event and seq alone are not enough: after a restore they may name another
// change.
std::string facts_of(const FedChange& change, const FedSeat& seat) {
  std::string facts;
  Writer writer(facts);
  writer.text("holdfast change");
  writer.uuid(change.event);
  writer.varint(change.seq);
  writer.byte(static_cast<std::uint8_t>(change.kind));
  writer.signed_varint(change.at);
  writer.uuid(change.reservation);
  writer.text(change.customer);
  writer.text(change.order);
  writer.signed_varint(change.created_at);
  writer.signed_varint(change.expires_at);
  writer.text(seat.id);
  writer.text(seat.section);
  writer.text(seat.row);
  writer.text(seat.number);
  writer.byte(seat.price.has_value());
  writer.signed_varint(seat.price ? seat.price->ten_thousandths : 0);
  writer.varint(seat.version);
  return facts;
}

void append_version(Json& json, const FedSeat& seat) {
  if (seat.version != 0) json.member("version", seat.version);
}

void write_created(const FedChange& change, const FedSeat& seat, std::string_view id, Json& json) {
  json.member("eventId", id);
  json.member("reservationId", to_string(change.reservation));
  json.member_or_null("customerId", change.customer);
  json.member("seatId", seat.id);
  json.member("seatNumber", seat.section + "-" + seat.row + "-" + seat.number);
  json.member("section", seat.section);
  std::string price;
  append_price(price, seat.price.value_or(Price{}));   // the contract's consumers cannot read null here
  json.member("basePrice");
  json.raw(price);
  json.member("createdAt", rfc3339(change.created_at));
  json.member("expiresAt", rfc3339(change.expires_at));
  json.member("status", "active");
  json.member("concertEventId", to_string(change.event));
  append_version(json, seat);
}

// A change that ends what was created.
struct Ending {
  ChangeKind kind;
  std::string_view topic;
  std::string_view status;
  std::string_view time;     // the name of its member
  std::string_view reason;   // empty: the topic has no reason
};

constexpr Ending k_endings[] = {{ChangeKind::expired, k_topic_expired, "expired", "expiredAt", "ttl_expired"},
                                {ChangeKind::consumed, k_topic_consumed, "consumed", "consumedAt", {}},
                                {ChangeKind::released, k_topic_released, "released", "releasedAt", "manual_cancellation"},
                                {ChangeKind::returned, k_topic_returned, "returned", "returnedAt", {}}};
constexpr Ending k_released_as_expired{ChangeKind::released, k_topic_expired, "expired", "expiredAt", "manual_cancellation"};

// nullptr: it ends nothing.
const Ending* ending_of(ChangeKind kind) {
  const auto* const ending = std::ranges::find(k_endings, kind, &Ending::kind);
  return ending == std::end(k_endings) ? nullptr : ending;
}

void write_ended(const FedChange& change, const FedSeat& seat, const Ending& ending, std::string_view id, Json& json) {
  json.member("eventId", id);
  json.member("messageId", id);
  json.member("concertEventId", to_string(change.event));
  json.member("reservationId", to_string(change.reservation));
  json.member("seatId", seat.id);
  json.member_or_null("customerId", change.customer);
  json.member("status", ending.status);
  if (!ending.reason.empty()) json.member("reason", ending.reason);
  if (change.kind == ChangeKind::returned) json.member("orderId", change.order);
  json.member(ending.time, rfc3339(change.at));
  append_version(json, seat);
}

// CloudEvents in Kafka's binary mode: attributes as headers `ce_…`.
std::vector<Header> cloud_event(std::string_view id, std::string_view type, std::string source, Millis at, std::string subject,
                                const std::optional<TraceParent>& trace) {
  std::vector<Header> headers = {{"ce_specversion", "1.0"},           {"ce_id", std::string(id)}, {"ce_type", std::string(type)},
                                 {"ce_source", std::move(source)},    {"ce_time", rfc3339(at)},   {"ce_subject", std::move(subject)},
                                 {"content-type", "application/json"}};
  if (trace) headers.emplace_back("traceparent", to_string(*trace));
  return headers;
}

}  // namespace

std::string_view topic_of(ChangeKind kind, const MessageRules& rules) {
  if (kind == ChangeKind::held || kind == ChangeKind::seats_added) return k_topic_created;
  const Ending* const ending = ending_of(kind);
  return ending == nullptr || (kind == ChangeKind::returned && !rules.returned) ? std::string_view{} : ending->topic;
}

namespace {

// `ending`: nullptr for a seat that is held.
void append_message(const FedChange& change, const FedSeat& seat, const Ending* ending, const std::string& id,
                    std::vector<Message>& messages) {
  Message& message = messages.emplace_back();
  message.topic = ending == nullptr ? k_topic_created : ending->topic;
  message.key = seat.has_uuid ? without_dashes(seat.id) : seat.id;
  Json json(message.value);
  json.object([&] { ending == nullptr ? write_created(change, seat, id, json) : write_ended(change, seat, *ending, id, json); });
  message.headers = cloud_event(id, message.topic, "/v1/events/" + to_string(change.event), change.at, seat.id, change.trace);
  if (seat.version != 0) message.headers.emplace_back("version", std::to_string(seat.version));
}

}  // namespace

void append_messages(const FedChange& change, const MessageRules& rules, std::vector<Message>& messages) {
  if (topic_of(change.kind, rules).empty() || (change.customer.empty() && !rules.ticket_locks)) return;
  const Ending* const ending = ending_of(change.kind);
  for (const FedSeat& seat : change.seats) {
    if (!seat.has_uuid && !rules.all_seat_ids) continue;
    const std::string facts = facts_of(change, seat);
    append_message(change, seat, ending, to_string(id_of(facts)), messages);
    if (change.kind != ChangeKind::released || !rules.releases_as_expired) continue;
    // It has its own id: a consumer of both topics that drops duplicates must not take it for the first message.
    append_message(change, seat, &k_released_as_expired, to_string(id_of(facts + "as expired")), messages);
  }
}

std::uint32_t mark_of(const FedChange& change) {
  std::string facts;
  Writer writer(facts);
  writer.uuid(change.event);
  writer.varint(change.seq);
  writer.byte(static_cast<std::uint8_t>(change.kind));
  writer.signed_varint(change.at);
  writer.uuid(change.reservation);
  const auto digest = sha256(facts);
  std::uint32_t mark = 0;
  for (int i = 0; i < 4; ++i) mark = mark << 8 | digest[static_cast<std::size_t>(i)];
  return mark;
}

PaymentDigest digest_of(const Payment& payment) {
  std::string facts;
  Writer writer(facts);
  writer.uuid(payment.reservation);
  writer.text(payment.order);
  writer.text(payment.payment);
  return sha256(facts);
}

std::string encode_rejection(const Rejection& rejection) {
  std::string bytes;
  Writer writer(bytes);
  writer.text(rejection.reason);
  writer.signed_varint(rejection.at);
  writer.varint(rejection.seat_ids.size());
  for (const std::string& id : rejection.seat_ids) writer.text(id);
  return bytes;
}

std::optional<Rejection> decode_rejection(std::string_view bytes) {
  Reader reader(bytes);
  Rejection rejection;
  rejection.reason = reader.text();
  rejection.at = reader.signed_varint();
  const auto seats = reader.varint_max(k_seats_per_reservation_max);
  for (std::uint64_t i = 0; i < seats && !reader.failed(); ++i) rejection.seat_ids.emplace_back(reader.text());
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  return rejection;
}

Message rejection_message(const Payment& payment, const Rejection& rejection) {
  std::string facts = "holdfast rejection";
  facts.append(as_bytes(digest_of(payment)));
  facts += encode_rejection(rejection);
  const std::string id = to_string(id_of(facts));
  const std::string reservation = to_string(payment.reservation);
  Message message;
  message.topic = k_topic_payment_rejected;
  message.key = without_dashes(reservation);
  Json json(message.value);
  json.object([&] {
    json.member("eventId", id);
    json.member("reservationId", reservation);
    json.member("orderId", payment.order);
    json.member("paymentId", payment.payment);
    json.member("seatIds");
    json.array([&] {
      for (const std::string& seat : rejection.seat_ids) json.text(seat);
    });
    json.member("reason", rejection.reason);
    json.member("rejectedAt", rfc3339(rejection.at));
  });
  message.headers = cloud_event(id, message.topic, "/reservations/" + reservation, rejection.at, reservation, payment.trace);
  return message;
}

}  // namespace holdfast::feed::kafka
