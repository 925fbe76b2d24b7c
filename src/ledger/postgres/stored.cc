#include "ledger/postgres/stored.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/hash.h"
#include "core/limits.h"

namespace holdfast::pg {
namespace {

std::uint64_t digest_of_numbers(std::initializer_list<std::uint64_t> numbers, const Uuid& id) {
  const std::uint64_t seed = hash_uuid(id, 0);
  return hash_bytes({reinterpret_cast<const char*>(numbers.begin()), numbers.size() * sizeof(std::uint64_t)}, seed);
}

}  // namespace

JournalRow read_row(const Result& result, int row, int first, EventNumber event) {
  JournalRow read{.position = result.int2(row, first + 1),
                  .event = event,
                  .first_seq = result.seq(row, first),
                  .changes = result.unsigned4(row, first + 2),
                  .at = result.int8(row, first + 3),
                  .body = result.bytes(row, first + 5)};
  read_bytes(result.bytes(row, first + 4), read.hash);
  return read;
}

std::vector<EventNumber> read_events(const Result& result) {
  std::vector<EventNumber> events;
  events.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) events.push_back(result.event(row, 0));
  return events;
}

EventRow read_event(const Result& result) {
  const auto number_at = [&](int column) { return static_cast<std::uint32_t>(result.int8(0, column)); };
  return {.id = result.uuid(0, 0),
          .created_at = result.int8(0, 1),
          .venue = std::string(result.text(0, 2)),
          .currency = std::string(result.text(0, 3)),
          .settings = {.name = std::string(result.text(0, 4)),
                       .starts_at = result.int8(0, 5),
                       .status = static_cast<EventStatus>(result.int2(0, 6)),
                       .hold_seconds = result.int8(0, 7),
                       .max_hold_seconds = result.int8(0, 8),
                       .limits = {.seats_per_reservation = number_at(9), .held_seats_per_customer = number_at(10)}},
          .seats = static_cast<std::size_t>(result.int4(0, 11)),
          .plan_header = std::string(result.bytes(0, 12))};
}

bool read_seat(const Result& result, int row, SeatRow& seat) {
  const std::int32_t index = result.int4(row, 0);
  const std::int32_t version = result.int4(row, 1);
  const std::int16_t kind = result.int2(row, 2);
  if (index < 0 || version < 1 || kind < 0 || kind > UINT8_MAX) return false;
  const auto state = state_after(static_cast<ChangeKind>(kind));
  if (!state) return false;
  const bool is_owned = *state == SeatState::held || *state == SeatState::sold;
  if (is_owned && result.is_null(row, 3)) return false;
  seat = {static_cast<SeatIndex>(index), static_cast<std::uint32_t>(version), *state, is_owned ? result.uuid(row, 3) : k_no_reservation};
  return true;
}

bool read_reservation(const Result& result, int row, ReservationRow& reservation) {
  const std::int16_t kind = result.int2(row, 1);
  const std::int16_t status = result.int2(row, 2);
  const std::int16_t owned = result.int2(row, 3);
  const std::int64_t created_seq = result.int8(row, 4);
  if (kind < 0 || kind > 1 || status < 0 || status > 3 || owned < 0 || created_seq < 1) return false;
  const std::vector<std::int32_t> seats = result.int4s(row, 9);
  if (seats.empty() || seats.size() > k_seats_per_reservation_max || static_cast<std::size_t>(owned) > seats.size()) return false;
  if (std::ranges::any_of(seats, [](std::int32_t seat) { return seat < 0; })) return false;
  reservation.id = result.uuid(row, 0);
  reservation.kind = static_cast<ReservationKind>(kind);
  reservation.status = static_cast<ReservationStatus>(status);
  reservation.owned = static_cast<std::uint16_t>(owned);
  reservation.created_seq = static_cast<Seq>(created_seq);
  reservation.created_at = result.int8(row, 5);
  reservation.expires_at = result.int8(row, 6);
  reservation.customer = result.text(row, 7);
  reservation.order = result.text(row, 8);
  reservation.seats.assign(seats.begin(), seats.end());
  return true;
}

std::uint64_t digest_of(EventNumber event, const SeatRow& seat) {
  if (seat.version == 0 && seat.state == SeatState::available && seat.reservation == k_no_reservation) return 0;
  return digest_of_numbers({event, seat.seat, seat.version, static_cast<std::uint64_t>(seat.state)}, seat.reservation);
}

std::uint64_t digest_of(EventNumber event, const ReservationRow& of) {
  std::uint64_t digest =
      digest_of_numbers({event, static_cast<std::uint64_t>(of.kind), static_cast<std::uint64_t>(of.status), of.owned, of.created_seq,
                         static_cast<std::uint64_t>(of.created_at), static_cast<std::uint64_t>(of.expires_at)},
                        of.id);
  digest = hash_bytes(of.customer, digest);
  digest = hash_bytes(of.order, digest);
  return hash_bytes({reinterpret_cast<const char*>(of.seats.data()), of.seats.size() * sizeof(SeatIndex)}, digest);
}

void pack_key(const KeptKey& kept, Millis at, std::string& out) {
  Writer(out).signed_varint(at);
  append_key(kept, out);
}

bool unpack_key(Reader& reader, KeptKey& kept, Millis& at) {
  at = reader.signed_varint();
  return read_key(reader, kept);
}

}  // namespace holdfast::pg
