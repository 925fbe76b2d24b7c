// Reads messages with an event's seats, and has the engine import the event.
#pragma once

#include <compare>
#include <string_view>

#include "engine/engine.h"
#include "feed/kafka/ports.h"
#include "ledger/ledger.h"

namespace holdfast::feed::kafka {

// The event's name is its id. It has one category without a price; its seats are ordered by section, row and number.
class EngineSeatsDesk final : public SeatsDesk {
 public:
  explicit EngineSeatsDesk(Ledger& ledger) : ledger_(ledger) {}   // the ledger must outlive it
  // Before the first import().
  void set_engine(Engine& engine) { engine_ = &engine; }

  std::expected<SeatsPart, std::string> read(std::string_view text) override;
  Standing standing(const Uuid& event, std::span<const GeneratedSeat> seats) override;
  Standing import(const Uuid& event, std::vector<GeneratedSeat> seats) override;
  std::string trouble() override { return ledger_.trouble(); }

 private:
  Ledger& ledger_;
  Engine* engine_ = nullptr;
};

// The order in which people read rows: digits count as numbers, so row 2 comes before row 10. Equal only if the texts are equal.
std::strong_ordering compare_rows(std::string_view a, std::string_view b);

}  // namespace holdfast::feed::kafka
