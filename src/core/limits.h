// The limits of the rules, in one place. Exceeding one is a refusal with a reason, never a crash.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast {

inline constexpr std::size_t k_seats_per_reservation_max = 1'000;      // also the seats one command may name
inline constexpr std::size_t k_seats_per_event_max = 20'000'000;
inline constexpr std::size_t k_reservations_in_memory_max = 67'108'000;  // an inventory's slots are 26 bits
inline constexpr std::size_t k_seat_id_bytes_max = 128;
inline constexpr std::size_t k_customer_bytes_max = 256;
inline constexpr std::size_t k_order_bytes_max = 128;
inline constexpr std::size_t k_name_bytes_max = 200;                   // names of events, venues, sections, rows, seats, categories
inline constexpr std::size_t k_categories_max = 1'000;
inline constexpr std::size_t k_events_max = 100'000;
inline constexpr std::size_t k_events_per_command_max = 100;           // a set of ticket locks may span events
inline constexpr std::int64_t k_hold_seconds_max = 86'400;             // any hold, extended or not, counted from its creation
inline constexpr std::int64_t k_contract_hold_seconds = 900;           // contract 1: 15 minutes, whatever the event says
inline constexpr std::int64_t k_idempotency_hours = 24;
inline constexpr std::size_t k_idempotency_key_bytes_max = 128;
inline constexpr std::size_t k_idempotency_keys_max = 2'000'000;       // default of the option
inline constexpr std::size_t k_idempotency_keys_stranger = 1'000;      // of one visitor, or one client address without a key

}  // namespace holdfast
