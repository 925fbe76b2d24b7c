#include "api/presence.h"

#include "api/background.h"
#include "api/pages.h"

namespace holdfast::api {
namespace {

// Whether an event is in memory as the caller may see it. A draft is not: it does not exist for most callers, and another node may have put
// it on sale since.
bool is_here(const Ledger& ledger, EventNumber number) {
  const auto event = ledger.event(number);
  return event != nullptr && event->status() != EventStatus::draft;
}

bool is_here(const Ledger& ledger, std::string_view seat) {
  const auto place = ledger.seats().find(seat);
  return place && is_here(ledger, place->event);
}

bool is_here(const Ledger& ledger, const Uuid& event) {
  const auto number = ledger.event_by_id(event);
  return number && is_here(ledger, *number);
}

boost::asio::awaitable<bool> bring(Call& call, Wanted wanted) {
  bool is_known = false;
  co_await call.services.background.run([&] { is_known = call.ledger().bring(wanted); });
  if (!is_known) fail(call, fault_of(ReadProblem{ReadProblem::Kind::unavailable}));
  co_return is_known;
}

// A read shows the reservation as it is now. For a command it is enough that the event is in memory, unless a session must prove that the
// reservation is its own.
bool must_bring_reservation(const Call& call, const Route& route, const Uuid& id) {
  if (!route.changes() || call.caller.is_session()) return true;
  const auto number = event_of_reservation(id);
  return number && call.ledger().event(*number) == nullptr;
}

}   // namespace

boost::asio::awaitable<bool> bring_subject(Call& call, const Route& route) {
  const std::string& named = call.parameters[0];
  const auto id = parse_uuid(named);
  switch (route.subject) {
    case Subject::none: break;
    case Subject::event:
      if (!id || is_here(call.ledger(), *id)) break;
      co_return co_await bring(call, {.event_id = id, .as_of_now = true});
    case Subject::reservation:
      if (!id || !event_of_reservation(*id) || !must_bring_reservation(call, route, *id)) break;
      co_return co_await bring(call, {.reservation = id, .as_of_now = true});
    case Subject::seat: co_return co_await bring(call, {.seats = {named}, .as_of_now = true});
  }
  co_return true;
}

boost::asio::awaitable<bool> bring_seats(Call& call, std::vector<std::string> ids) {
  if (call.ledger().has_all_in_memory()) co_return true;
  std::erase_if(ids, [&](const std::string& id) { return is_here(call.ledger(), std::string_view(id)); });
  if (ids.empty()) co_return true;
  co_return co_await bring(call, {.seats = std::move(ids), .as_of_now = true});
}

boost::asio::awaitable<bool> bring_event(Call& call, const Uuid& id) {
  if (call.ledger().has_all_in_memory() || is_here(call.ledger(), id)) co_return true;
  co_return co_await bring(call, {.event_id = id, .as_of_now = true});
}

boost::asio::awaitable<bool> bring_events(Call& call, std::vector<EventNumber> numbers) {
  if (call.ledger().has_all_in_memory()) co_return true;
  for (const EventNumber number : numbers) {
    if (call.ledger().event(number) != nullptr) continue;
    bool is_known = false;
    co_await call.services.background.run([&] { is_known = call.ledger().bring({.event = number}); });
    if (is_known || call.ledger().is_damaged(number)) continue;
    fail(call, fault_of(ReadProblem{ReadProblem::Kind::unavailable}));
    co_return false;
  }
  co_return true;
}

std::shared_ptr<const PublishedEvent> event_of_item(Ledger& ledger, EventNumber number) {
  auto event = ledger.event(number);
  if (event != nullptr || ledger.has_all_in_memory()) return event;
  ledger.bring({.event = number});
  return ledger.event(number);
}

}   // namespace holdfast::api
