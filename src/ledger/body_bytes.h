// How many bytes a submission can add to the bodies of journal rows, at most: known before it is judged.
//
// A round of a journal of segments has a largest size, and what has been judged must be written. So the ledger adds up these bounds first,
// and judges no more than surely fits.
//
//   std::uint64_t bytes = k_row_body_bytes + body_bytes_max(submission);
//   if (inventory.next_expiry() <= now) bytes += std::min(expiry_bytes_max(command), expiry_bytes_max(inventory));
//
// The bounds depend on what a command names, not on what it will find: so they are cheap, and hold whatever is judged before it. Pure
// functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/inventory.h"
#include "core/limits.h"
#include "core/submission.h"

namespace holdfast {

// Of a row's body beside its changes, their details and its keys: lengths, the number of keys, the names of sections.
inline constexpr std::uint64_t k_row_body_bytes = 24;

// Of an expiry and of each of its seats.
inline constexpr std::uint64_t k_expiry_bytes = 1 + 16 + 2;   // kind, reservation; how many versions
inline constexpr std::uint64_t k_expired_seat_bytes = 5;   // a version
inline constexpr std::uint64_t k_largest_expiry_bytes = k_expiry_bytes + k_seats_per_reservation_max * k_expired_seat_bytes;

// By what a command asks for: the change, the versions of its seats, and the trace. `is_traced`: the submission has one.
std::uint64_t body_bytes_max(const Command& command, bool is_traced);
// By all parts of a submission, and its key with their outcomes.
std::uint64_t body_bytes_max_of_any(const Submission& submission);
inline std::uint64_t body_bytes_max(const Submission& submission) {
  constexpr std::uint64_t k_hold =
      1 + 16 + 1 + 2 + 10 + 2;   // as for any command; what most submissions are is added up here, without a call
  constexpr std::uint64_t k_seat = 4 + 5;
  if (submission.parts.size() == 1 && !submission.key && !submission.trace) {
    const auto* hold = std::get_if<Hold>(&submission.parts.front().command);
    if (hold != nullptr) return k_hold + hold->customer.size() + hold->seats.size() * k_seat;
  }
  return body_bytes_max_of_any(submission);
}

// By expiries: those that a command records because they are due, or on the way to its seats.
std::uint64_t expiry_bytes_max(const Command& command);
// By recording every expiry that can be due in the event.
inline std::uint64_t expiry_bytes_max(const Inventory& inventory) {
  return inventory.counts().held * (k_expiry_bytes + k_expired_seat_bytes);
}

// The largest body_bytes_max() of a submission within the limits: an import's step (Engine::create_event) whose seats each have a row, an id
// and names of their own. It is far ahead of a plan's header, of a set of locks and of everything else.
inline constexpr std::size_t k_seats_per_import_step = 2'000;   // some 70 KB in the journal
inline constexpr std::uint64_t k_submission_bytes_max =
    k_seats_per_import_step * (3 * (k_name_bytes_max + 2) + (k_seat_id_bytes_max + 2) + 2 + 2 + 2 * sizeof(float)) + 64;

}   // namespace holdfast
