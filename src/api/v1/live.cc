// GET /v1/events/{eventId}/live: the live seat map as server-sent events (docs/api.md).
#include "live/hub.h"

#include <optional>

#include "api/access.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "core/decimal.h"

namespace holdfast::api {
namespace {

// Reads `lastEventId` of the query. False if the query is malformed; then the answer is there (400).
bool read_last_event_id(Call& call, std::optional<Seq>& last) {
  const auto refused = [&](const char* what) {
    malformed(call, what);
    return false;
  };
  std::string_view query = call.request.query;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::string_view name = pair.substr(0, pair.find('='));
    if (name != "lastEventId") return refused("This path takes only the query parameter `lastEventId`.");
    if (last) return refused("Duplicate query parameter `lastEventId`.");
    last = parse_decimal<Seq>(pair.substr(std::min(pair.size(), name.size() + 1)));
    if (!last) return refused("`lastEventId` must be a whole number: the `id` of the last message, or the `seq` of `/states`.");
  }
  return true;
}

}  // namespace

Answer follow_event(Call& call) {
  const auto event = find_event(call);
  std::optional<Seq> last;
  if (event == nullptr || !read_last_event_id(call, last)) co_return;
  // A browser that reconnects sends the header along with its first query. A header that is not a number counts as an unknown id.
  if (const std::string_view* header = call.request.header("Last-Event-ID")) last = parse_decimal<Seq>(*header);
  const bool sees_drafts = call.services.access.sees_drafts(call);
  auto listener = call.services.live.listen(event, last, sees_drafts, call.gateway.context());
  if (listener == nullptr) {
    co_return fail(call,
                   {503, k_unavailable,
                    "The server has as many listeners as it takes (live.listeners_max). Poll `/states` instead, or try again later."});
  }
  call.response.status = 200;
  call.response.content_type = "text/event-stream";
  call.response.headers.emplace_back("Cache-Control", "no-store");
  call.response.headers.emplace_back("X-Accel-Buffering", "no");   // keeps nginx from buffering messages
  call.response.stream = std::move(listener);
}

}   // namespace holdfast::api
