#include "feed/kafka/payment_desk.h"

#include "core/check.h"
#include "core/limits.h"
#include "json/fields.h"
#include "json/json.h"

namespace holdfast::feed::kafka {
namespace {

constexpr std::size_t k_payment_id_bytes_max = 256;

}  // namespace

std::expected<Payment, std::string> EnginePaymentDesk::read(bool succeeded, std::string_view text) {
  const JsonBody body(text);
  std::string problem = body.problem();
  FieldReader fields(body.object(), problem);
  Payment payment{.succeeded = succeeded};
  payment.reservation = fields.uuid("reservationId").value_or(Uuid{});   // some clients write the nil UUID if there is no reservation
  payment.order = fields.name("orderId", k_order_bytes_max, Required::yes).value_or("");
  payment.payment = fields.name("paymentId", k_payment_id_bytes_max, succeeded ? Required::yes : Required::no).value_or("");
  if (!problem.empty()) return std::unexpected(std::move(problem));
  return payment;
}

std::vector<std::optional<Uuid>> EnginePaymentDesk::find_orders(std::span<const std::string> orders) {
  auto found = ledger_.find_orders(orders);
  if (!found) throw std::runtime_error("reservations cannot be looked up by their order at present");
  return std::move(*found);
}

std::vector<Effect> EnginePaymentDesk::settle(std::span<const Payment> payments) {
  HOLDFAST_CHECK(engine_ != nullptr);
  std::vector<Effect> effects(payments.size());
  std::vector<Task> tasks(payments.size());
  std::vector<std::size_t> asked;   // payments whose reservation has an id of Holdfast's form
  for (std::size_t i = 0; i < payments.size(); ++i) {
    const Payment& payment = payments[i];
    const auto event = event_of_reservation(payment.reservation);
    if (event && !bring(*event, payment.reservation)) continue;   // it may exist but cannot be loaded now: later
    if (!event || ledger_.event(*event) == nullptr) {
      if (ledger_.trouble().empty()) effects[i] = not_there();   // else it may exist
      continue;
    }
    Submission& submission = tasks[i].entry.submission;
    submission.trace = payment.trace;
    if (payment.succeeded) {
      submission.parts.push_back({*event, Consume{.reservation = payment.reservation, .order = payment.order, .reinstate = true}});
    } else {
      submission.parts.push_back({*event, Release{.reservation = payment.reservation}});
    }
    asked.push_back(i);
  }
  if (asked.empty()) return effects;
  Waiting outbox(asked.size());
  for (std::size_t n = 0; n < asked.size(); ++n) {
    tasks[asked[n]].outbox = &outbox;
    tasks[asked[n]].next = n + 1 < asked.size() ? &tasks[asked[n + 1]] : nullptr;
  }
  // Tasks that the engine has no room for are done later, like those that the ledger cannot write.
  Task* const refused = engine_->submit(&tasks[asked.front()]);
  for (Task* task = refused; task != nullptr;) {
    Task* const next = task->next;
    task->next = nullptr;
    outbox.deliver(task);
    task = next;
  }
  outbox.wait();
  for (const std::size_t i : asked) {
    const Verdict& verdict = tasks[i].entry.verdict;
    if (!verdict.outcomes.empty()) effects[i] = effect_of(payments[i], verdict.outcomes.front());
  }
  return effects;
}

// The node may never have served the event, or may have forgotten a reservation that ended long ago.
bool EnginePaymentDesk::bring(EventNumber event, const Uuid& reservation) {
  if (ledger_.has_all_in_memory() || (ledger_.event(event) != nullptr && ledger_.reservation(reservation))) return true;
  return ledger_.bring({.reservation = reservation});
}

Effect EnginePaymentDesk::not_there() const {
  return {.kind = Effect::Kind::unknown, .reason = name_of(Reason::reservation_not_found), .seat_ids = {}, .at = ledger_.now()};
}

Effect EnginePaymentDesk::effect_of(const Payment& payment, const Outcome& outcome) const {
  if (outcome.accepted()) return {.kind = Effect::Kind::settled, .reason = {}, .seat_ids = {}, .at = 0};
  if (outcome.reason == Reason::unavailable || outcome.reason == Reason::no_room) return {};
  if (outcome.reason == Reason::reservation_not_found || outcome.reason == Reason::event_not_found) return not_there();
  Effect effect{.kind = Effect::Kind::settled, .reason = {}, .seat_ids = {}, .at = ledger_.now()};
  if (!payment.succeeded) return effect;   // it has ended in another way, so there is nothing to release
  effect.kind = Effect::Kind::refused;
  effect.reason = name_of(outcome.reason);
  if (outcome.reason == Reason::reservation_unreadable) return effect;
  const auto reservation = ledger_.reservation(payment.reservation);
  const auto event = ledger_.event(*event_of_reservation(payment.reservation));
  if (!reservation || event == nullptr) return effect;
  for (const ReservedSeat& each : reservation->seats) effect.seat_ids.push_back(event->plan()->seat_id(each.seat));
  return effect;
}

}  // namespace holdfast::feed::kafka
