// Reads payment messages, and has the engine carry them out.
#pragma once

#include "engine/engine.h"
#include "feed/kafka/ports.h"
#include "ledger/ledger.h"

namespace holdfast::feed::kafka {

class EnginePaymentDesk final : public PaymentDesk {
 public:
  explicit EnginePaymentDesk(Ledger& ledger) : ledger_(ledger) {}   // the ledger must outlive it
  // Before the first settle().
  void set_engine(Engine& engine) { engine_ = &engine; }

  std::expected<Payment, std::string> read(bool succeeded, std::string_view text) override;
  std::vector<std::optional<Uuid>> find_orders(std::span<const std::string> orders) override;
  std::vector<Effect> settle(std::span<const Payment> payments) override;
  std::string trouble() override { return ledger_.trouble(); }
  Millis undoubted_now() override { return ledger_.undoubted_now(); }

 private:
  Effect effect_of(const Payment& payment, const Outcome& outcome) const;
  Effect not_there() const;

  // Loads the reservation if it exists. False: it cannot be loaded now.
  bool bring(EventNumber event, const Uuid& reservation);

  Ledger& ledger_;
  Engine* engine_ = nullptr;
};

}  // namespace holdfast::feed::kafka
