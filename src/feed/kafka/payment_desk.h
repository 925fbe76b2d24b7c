// Carries out what payment messages say: reads them, and asks the engine.
#pragma once

#include "engine/engine.h"
#include "feed/kafka/ports.h"
#include "ledger/ledger.h"

namespace holdfast::feed::kafka {

class EnginePaymentDesk final : public PaymentDesk {
 public:
  explicit EnginePaymentDesk(Ledger& ledger) : ledger_(ledger) {}   // which must outlive it
  // Before the first settle().
  void set_engine(Engine& engine) { engine_ = &engine; }

  std::expected<Payment, std::string> read(bool succeeded, std::string_view text) override;
  std::vector<std::optional<Uuid>> find_orders(std::span<const std::string> orders) override;
  std::vector<Effect> settle(std::span<const Payment> payments) override;
  std::string trouble() override { return ledger_.trouble(); }

 private:
  Effect effect_of(const Payment& payment, const Outcome& outcome) const;
  Effect not_there() const;

  bool bring(EventNumber event, const Uuid& reservation);   // false: not now

  Ledger& ledger_;
  Engine* engine_ = nullptr;
};

}  // namespace holdfast::feed::kafka
