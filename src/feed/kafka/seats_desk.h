// Imports events whose seats come by Kafka: reads what a message says, and asks the engine.
#pragma once

#include <compare>
#include <string_view>

#include "engine/engine.h"
#include "feed/kafka/ports.h"
#include "ledger/ledger.h"

namespace holdfast::feed::kafka {

// An event that is imported so has its id for a name, one category without a price, and its seats in the order of section, row and number.
class EngineSeatsDesk final : public SeatsDesk {
 public:
  explicit EngineSeatsDesk(Ledger& ledger) : ledger_(ledger) {}   // which must outlive it
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

// The order of rows as people read them: digits by their number, so that row 2 stands before row 10. Equal only when the texts are.
std::strong_ordering compare_rows(std::string_view a, std::string_view b);

}  // namespace holdfast::feed::kafka
