// Brings into memory what a call is about to read, with a ledger that does not have everything there (Ledger::bring). After that the
// endpoints find it where they always look. With a ledger that has everything in memory these functions do nothing.
//
//   if (!co_await bring_seats(call, ids)) co_return;   // the answer is there: 503
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/router.h"

namespace holdfast::api {

// The subject of the route (Route::subject), which its path names. A call that shows what holds now also sees what other nodes answered before.
// False: the ledger cannot find out at the moment; then the answer is there (503). Only for a route that has a subject.
boost::asio::awaitable<bool> bring_subject(Call& call, const Route& route);

// The seats that a body names, or one event. False as above.
boost::asio::awaitable<bool> bring_seats(Call& call, std::vector<std::string> ids);
boost::asio::awaitable<bool> bring_event(Call& call, const Uuid& id);
// The events of a list that are not damaged. False if one of them cannot be brought now; then the answer is there (503).
boost::asio::awaitable<bool> bring_events(Call& call, std::vector<EventNumber> numbers);

// The event of an item of a list; nullptr if it cannot be read at the moment. Blocks: only on a background thread.
std::shared_ptr<const PublishedEvent> event_of_item(Ledger& ledger, EventNumber number);

}   // namespace holdfast::api
