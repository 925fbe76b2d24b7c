#include "ledger/body_bytes.h"

#include <algorithm>

namespace holdfast {
namespace {

// The longest encodings (core/codec.h).
constexpr std::uint64_t k_kind = 1;
constexpr std::uint64_t k_flag = 1;
constexpr std::uint64_t k_uuid = 16;
constexpr std::uint64_t k_time = 10;
constexpr std::uint64_t k_number = 5;   // of 32 bits; also the length of any text
constexpr std::uint64_t k_short = 2;   // the length of a short text, or a number of seats
constexpr std::uint64_t k_seat = 4;
constexpr std::uint64_t k_version = 5;
constexpr std::uint64_t k_seat_and_version = k_seat + k_version;
constexpr std::uint64_t k_trace = k_number + sizeof(TraceParent::packed);
static_assert(k_seats_per_event_max * 2 < std::uint64_t{1} << (7 * k_seat));   // an outcome doubles a seat's number
static_assert(k_seats_per_reservation_max < 1 << (7 * k_short) && k_customer_bytes_max < 1 << (7 * k_short));

// Of a change's settings, whose name is given here or before.
std::uint64_t settings_bytes(std::size_t name) { return k_short + std::max(name, k_name_bytes_max) + k_flag + 3 * k_time + 2 * k_number; }

std::size_t seats_or_all(Seats seats) { return seats.empty() ? k_seats_per_reservation_max : seats.size(); }

// The change of a command with at most one, its kind not counted, and the versions.
struct ChangeBytes {
  std::uint64_t operator()(const Hold& hold) const {
    return k_uuid + k_flag + k_short + hold.customer.size() + k_time + k_short + hold.seats.size() * k_seat_and_version;
  }
  std::uint64_t operator()(const HoldBest& best) const {
    return k_uuid + k_flag + k_short + best.customer.size() + k_time + k_short + best.wish.quantity * k_seat_and_version;
  }
  std::uint64_t operator()(const Add& add) const { return k_uuid + k_short + add.seats.size() * k_seat_and_version + k_time; }
  std::uint64_t operator()(const Extend&) const { return k_uuid + k_time; }
  std::uint64_t operator()(const Release& release) const {
    return k_uuid + k_flag + k_short + seats_or_all(release.seats) * k_seat_and_version;
  }
  std::uint64_t operator()(const Consume& consume) const {
    return k_uuid + k_flag + k_short + consume.order.size() + k_short + k_seats_per_reservation_max * k_version;
  }
  std::uint64_t operator()(const Return& give_back) const { return k_uuid + k_short + seats_or_all(give_back.seats) * k_seat_and_version; }
  std::uint64_t operator()(const Block& block) const { return k_short + block.seats.size() * k_seat_and_version; }
  std::uint64_t operator()(const Unblock& unblock) const { return k_short + unblock.seats.size() * k_seat_and_version; }
  std::uint64_t operator()(const Sweep&) const { return 0; }   // only expiries
  std::uint64_t operator()(const Configure& configure) const { return settings_bytes(configure.name ? configure.name->size() : 0); }
  std::uint64_t operator()(const Create& create) const {
    return k_uuid + 2 * (k_short + k_name_bytes_max) + settings_bytes(0) + k_number + create.plan_header.size();
  }
  std::uint64_t operator()(const AppendSeats& append) const { return 2 * k_number + append.encoded.size(); }
  std::uint64_t operator()(const ReleaseLocks&) const { return 0; }   // as many changes as reservations: below
};

// The outcome that a key keeps.
struct OutcomeBytes {
  static std::uint64_t view(std::size_t customer, std::size_t order, std::size_t seats) {
    return k_flag + k_uuid + 2 * k_flag + 2 * k_time + k_short + customer + k_short + order + k_short + seats * k_seat;
  }
  std::uint64_t operator()(const Hold& hold) const { return view(hold.customer.size(), 0, hold.seats.size()); }
  std::uint64_t operator()(const HoldBest& best) const { return view(best.customer.size(), 0, best.wish.quantity); }
  template <typename OfReservation>
    requires requires(const OfReservation& command) { command.reservation; }
  std::uint64_t operator()(const OfReservation&) const {
    return view(k_customer_bytes_max, k_order_bytes_max, k_seats_per_reservation_max);
  }
  template <typename Other>
  std::uint64_t operator()(const Other&) const {
    return k_flag;
  }
};

// By how many reservations whose time is over the command may have to end, and whether it frees seats of its own accord.
std::uint64_t holders_ended_by(const Command& command) {
  if (const auto* hold = std::get_if<Hold>(&command)) return hold->seats.size();
  if (const auto* best = std::get_if<HoldBest>(&command)) return best->wish.quantity;
  if (const auto* add = std::get_if<Add>(&command)) return add->seats.size();
  if (const auto* block = std::get_if<Block>(&command)) return block->seats.size();
  const auto* consume = std::get_if<Consume>(&command);
  return consume != nullptr && consume->reinstate ? k_seats_per_reservation_max + 1 : 0;
}

}   // namespace

std::uint64_t body_bytes_max(const Command& command, bool is_traced) {
  if (const auto* release = std::get_if<ReleaseLocks>(&command)) {
    const std::uint64_t change = k_kind + k_uuid + k_flag + k_short + (is_traced ? k_trace : 0);
    return release->seats.size() * (change + k_seat_and_version);
  }
  return k_kind + std::visit(ChangeBytes{}, command) + (is_traced ? k_trace : 0);
}

std::uint64_t body_bytes_max_of_any(const Submission& submission) {
  const bool is_traced = submission.trace.has_value();
  std::uint64_t bytes = 0;
  for (const Part& part : submission.parts) bytes += body_bytes_max(part.command, is_traced);
  if (!submission.key) return bytes;
  bytes += sizeof(IdempotencyKey::key) + sizeof(IdempotencyKey::request) + k_number;   // and the length of the outcomes
  bytes += k_short + k_number;   // how many outcomes, and the key's owner
  for (const Part& part : submission.parts) bytes += std::visit(OutcomeBytes{}, part.command);
  return bytes;
}

std::uint64_t expiry_bytes_max(const Command& command) {
  const auto* sweep = std::get_if<Sweep>(&command);
  if (sweep == nullptr) return holders_ended_by(command) * k_largest_expiry_bytes;
  const std::uint64_t reservations = std::min(sweep->limit, k_reservations_in_memory_max);
  const std::uint64_t seats_before_last = std::min<std::uint64_t>(sweep->seats_max, k_seats_per_event_max);
  const std::uint64_t seats = std::min(reservations * k_seats_per_reservation_max, seats_before_last + k_seats_per_reservation_max);
  return reservations * k_expiry_bytes + seats * k_expired_seat_bytes;
}

}   // namespace holdfast
