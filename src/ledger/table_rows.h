// Rows of the tables that follow a journal, as both ledgers have them. How they are stored is each ledger's own matter.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.h"
#include "core/event.h"
#include "core/plan.h"

namespace holdfast {

inline constexpr Uuid k_no_reservation{};   // is NULL in the tables

// A seat as the last of its changes left it. One that never changed is available, with version 0.
struct SeatRow {
  SeatIndex seat = 0;
  std::uint32_t version = 0;
  SeatState state = SeatState::available;
  Uuid reservation = k_no_reservation;   // that it is held or sold for
  bool operator==(const SeatRow&) const = default;
};

struct ReservationRow {
  Uuid id{};
  ReservationKind kind{};
  ReservationStatus status{};
  std::uint16_t owned = 0;   // seats that are held by it or sold to it
  Seq created_seq = 0;
  Millis created_at = 0;
  Millis expires_at = 0;
  std::string customer{};
  std::string order{};
  std::vector<SeatIndex> seats{};
  bool operator==(const ReservationRow&) const = default;
};

// The reservation as recorded, not judged by a clock. The row does not say which seats it owns, so none is marked as owned.
ReservationView view_of(const ReservationRow& row);

struct EventRow {
  Uuid id{};
  Millis created_at = 0;
  std::string venue{};
  std::string currency{};
  EventSettings settings{};
  std::size_t seats = 0;   // of the plan, as far as it is there
  std::string plan_header{};
  bool operator==(const EventRow&) const = default;
};

// One change of one seat.
struct SeatChangeRow {
  SeatIndex seat;
  std::uint32_t version;
  ChangeKind kind;
  Seq seq;
  Millis at;
  Uuid reservation;   // k_no_reservation: none
};

// Seats of a plan, as one change of the journal appended them.
struct PlanPart {
  SeatIndex first;
  std::shared_ptr<const Plan> seats;   // numbered from 0
  std::string_view body;   // as the journal packed them
};

}   // namespace holdfast
