// How the PostgreSQL ledger reads the past (the port is in ledger.h). An event's changes come from memory, otherwise from the
// journal. Changes of all events come in the projector's order. Histories and lists of reservations come from the tables, once
// these have what readers have seen.
//
//   pg::Reader reader(pool, projector, published, now);
//   reader.remember(row);                    // after each commit that readers see, own or of another node
//   auto page = reader.read_changes(7, 120, 100, ReadFrom::anywhere);
//
// Any thread. Calls wait for the database, except with ReadFrom::memory. A failure is logged, and returned as
// ReadProblem::unavailable.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/change_pages.h"
#include "ledger/failing_events.h"
#include "ledger/ledger.h"
#include "ledger/postgres/projector.h"
#include "ledger/recent_rows.h"
#include "sql/postgres_pool.h"

namespace holdfast::pg {

class Reader {
 public:
  // What readers see of an event on this node; nullptr if it is not loaded.
  using Published = std::function<std::shared_ptr<const PublishedEvent>(EventNumber)>;

  // All arguments outlive this. `patience`: how long to wait until the tables have what readers have seen.
  Reader(Pool& pool, Projector& projector, Published published, std::function<Millis()> now,
         std::chrono::milliseconds patience = std::chrono::seconds(10))
      : pool_(pool), projector_(projector), published_(std::move(published)), now_(std::move(now)), patience_(patience) {}

  void remember(KeptRow row) { recent_.append(std::move(row)); }
  // The event now has another history than the one that was remembered.
  void forget(EventNumber event) {
    recent_.forget(event);
    const std::scoped_lock lock(ids_mutex_);
    ids_.erase(event);   // the number may belong to another event now
  }

  Reading<ChangePage> read_changes(EventNumber event, Seq after, std::size_t limit, ReadFrom from) const;
  Reading<ChangePage> read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const;
  Reading<std::vector<SeatChange>> seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const;
  Reading<ReservationPage> list_reservations(const ReservationFilter& filter, std::string_view cursor, std::size_t limit) const;
  Reading<std::vector<std::optional<Uuid>>> find_orders(std::span<const std::string> orders) const;
  // Events with changes that recent readings over all events could not return.
  FailingEvents::Summary untold() const { return untold_.summary(); }

 private:
  Projector::Timer::time_point until() const { return Projector::Timer::now() + patience_; }
  void await_tables(EventNumber event) const;
  bool add_step(Connection& connection, EventNumber event, const ChangeStretch& step, AllChangesPage& page) const;
  bool complete_from_memory(RecordedChange& change) const;
  void complete_from_tables(Connection& connection, std::vector<RecordedChange*>& changes) const;
  void complete_or_mark(Connection& connection, std::vector<RecordedChange*>& changes) const;
  void name_events(Connection& connection, std::vector<RecordedChange>& changes) const;
  ReservationView as_it_is_now(Connection& connection, EventNumber event, const ReservationRow& row, Seq as_of) const;

  Pool& pool_;
  Projector& projector_;
  Published published_;
  std::function<Millis()> now_;
  std::chrono::milliseconds patience_;
  RecentRows recent_;
  mutable FailingEvents untold_{"changes of all events"};
  mutable std::mutex ids_mutex_;
  mutable std::unordered_map<EventNumber, Uuid> ids_;   // of events whose changes were read; at most 100,000
};

}  // namespace holdfast::pg
