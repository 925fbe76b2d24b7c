#include "api/presence.h"

#include "api/background.h"
#include "api/pages.h"

namespace holdfast::api {
namespace {

// Whether nobody is told that it is not there. A draft is not there for most callers, and another node may have put it on sale.
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
  bool found_out = false;
  co_await call.services.background.run([&] { found_out = call.ledger().bring(wanted); });
  if (!found_out) fail(call, fault_of(ReadProblem{ReadProblem::Kind::unavailable}));
  co_return found_out;
}

// A reservation is read as it is now; for a command it is enough that its event is here, unless a session must show that it is
// its own.
bool must_bring_reservation(const Call& call, const Uuid& id) {
  if (call.request.method == "GET" || call.request.method == "HEAD" || call.caller.is_session()) return true;
  const auto number = event_of_reservation(id);
  return number && call.ledger().event(*number) == nullptr;
}

}  // namespace

boost::asio::awaitable<bool> bring_subject(Call& call, const Route& route) {
  if (call.ledger().has_all_in_memory() || call.parameters.empty()) co_return true;
  const std::string& named = call.parameters[0];
  const auto id = parse_uuid(named);
  if (route.path.starts_with("/v1/events/{}")) {
    if (!id || is_here(call.ledger(), *id)) co_return true;
    co_return co_await bring(call, {.event_id = id, .as_of_now = true});
  }
  if (route.path.starts_with("/v1/reservations/{}") || route.path.starts_with("/reservations/{}")) {
    if (!id || !event_of_reservation(*id) || !must_bring_reservation(call, *id)) co_return true;
    co_return co_await bring(call, {.reservation = id, .as_of_now = true});
  }
  if (route.path.starts_with("/v1/seats/{}") || route.path.starts_with("/api/v1/seats/{}")) {
    co_return co_await bring(call, {.seats = {named}, .as_of_now = true});
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
    bool found_out = false;
    co_await call.services.background.run([&] { found_out = call.ledger().bring({.event = number}); });
    if (found_out || call.ledger().is_damaged(number)) continue;
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

}  // namespace holdfast::api
