// A ledger around another one, for tests that change some of its answers: derive from it, and override what is to differ.
#pragma once

#include "ledger/ledger.h"

namespace holdfast::test {

// Passes every call on. `inner` must outlive it.
class PassingLedger : public Ledger {
 public:
  explicit PassingLedger(Ledger& inner) : inner_(inner) {}

  unsigned lanes() const override { return inner_.lanes(); }
  ExecutionReport execute(std::span<const Batch> batches) override { return inner_.execute(batches); }
  std::expected<EventNumber, CreationProblem> reserve_event(NewEvent event) override { return inner_.reserve_event(std::move(event)); }
  void abandon_event(EventNumber number) override { inner_.abandon_event(number); }
  std::vector<EventNumber> events_to_sweep(std::size_t limit, Lane lane) override { return inner_.events_to_sweep(limit, lane); }
  std::optional<std::chrono::milliseconds> until_next_expiry(Lane lane) override { return inner_.until_next_expiry(lane); }
  Millis now() const override { return inner_.now(); }
  const SeatDirectory& seats() const override { return inner_.seats(); }
  std::shared_ptr<const PublishedEvent> event(EventNumber number) const override { return inner_.event(number); }
  std::optional<EventNumber> event_by_id(const Uuid& id) const override { return inner_.event_by_id(id); }
  std::vector<EventNumber> events() const override { return inner_.events(); }
  std::optional<ReservationView> reservation(const Uuid& id) const override { return inner_.reservation(id); }
  std::uint64_t progress() const override { return inner_.progress(); }
  Reading<ChangePage> read_changes(EventNumber event, Seq after, std::size_t limit, ReadFrom from) const override {
    return inner_.read_changes(event, after, limit, from);
  }
  Reading<ChangePage> read_all_changes(std::string_view cursor, std::size_t limit, ReadFrom from) const override {
    return inner_.read_all_changes(cursor, limit, from);
  }
  Reading<std::vector<SeatChange>> seat_history(SeatPlace place, std::uint32_t after, std::size_t limit) const override {
    return inner_.seat_history(place, after, limit);
  }
  Reading<ReservationPage> list_reservations(const ReservationFilter& filter, std::string_view cursor, std::size_t limit) const override {
    return inner_.list_reservations(filter, cursor, limit);
  }
  Reading<std::vector<std::optional<Uuid>>> find_orders(std::span<const std::string> orders) const override {
    return inner_.find_orders(orders);
  }
  std::string trouble() const override { return inner_.trouble(); }

 private:
  Ledger& inner_;
};

}   // namespace holdfast::test
