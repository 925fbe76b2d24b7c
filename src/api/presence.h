// Brings here what a call is about to look at, when the ledger has not everything in memory (Ledger::bring): then the endpoints
// find it where they always look. With a ledger that has everything these do nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/router.h"

namespace holdfast::api {

// What the path names: an event, a reservation or a seat; with what was answered before, on any node, where the call shows what
// holds now. False: it cannot be found out at the moment, and the answer is there (503).
boost::asio::awaitable<bool> bring_subject(Call& call, const Route& route);

// Seats that a body names, and an event, if they are not here. False as above.
boost::asio::awaitable<bool> bring_seats(Call& call, std::vector<std::string> ids);
boost::asio::awaitable<bool> bring_event(Call& call, const Uuid& id);
// Those of them that are whole: a damaged one keeps nobody from the others. False: one cannot be brought now, and the call has failed.
boost::asio::awaitable<bool> bring_events(Call& call, std::vector<EventNumber> numbers);

// The event of an item of a list; nullptr when it cannot be read at the moment. Blocks: on a background thread.
std::shared_ptr<const PublishedEvent> event_of_item(Ledger& ledger, EventNumber number);

}   // namespace holdfast::api
