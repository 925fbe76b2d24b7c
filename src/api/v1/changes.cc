// /v1/events/{eventId}/changes and /v1/changes: the journal, for audits and for clients that follow it (docs/api.md).
#include <algorithm>
#include <map>
#include <set>

#include "api/background.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "api/presence.h"
#include "api/watch.h"
#include "feed/change_json.h"

namespace holdfast::api {
namespace {

constexpr std::int64_t k_wait_seconds_max = 30;

struct Asked {
  std::size_t limit;
  Watch::Clock::time_point deadline;
};

std::optional<Asked> read_limit_and_wait(Call& call, const Query& query) {
  const auto limit = query.whole(call, "limit", 1, k_page_items_max, k_page_items);
  const auto wait = limit ? query.whole(call, "wait", 0, k_wait_seconds_max, 0) : std::nullopt;
  if (!wait) return std::nullopt;
  return Asked{static_cast<std::size_t>(*limit), Watch::Clock::now() + std::chrono::seconds(*wait)};
}

Fault too_many_wait() {
  return {503, k_unavailable, "Too many requests are waiting for changes. Repeat this one without `wait`, or later."};
}

// Reads from memory if the changes are there, else from the files, on a thread that may block.
template <typename Read>
boost::asio::awaitable<Reading<ChangePage>> read_somewhere(Call& call, const Read& read) {
  Reading<ChangePage> page = read(ReadFrom::memory);
  if (page || page.error().kind != ReadProblem::Kind::not_in_memory) co_return page;
  co_await call.services.background.run([&] { page = read(ReadFrom::anywhere); });
  co_return page;
}

// The events of changes, kept alive while the answer is written. Damaged events are not among them.
using Events = std::map<EventNumber, std::shared_ptr<const PublishedEvent>>;

void append_changes(Json& json, const std::vector<RecordedChange>& changes, const Events& events) {
  json.array("items", changes, [&](const RecordedChange& change) {
    const auto at = events.find(change.event);
    const PublishedEvent* const event = at == events.end() ? nullptr : at->second.get();
    // Without its event, the seats of a change cannot be named.
    if (event == nullptr && state_after(change.kind)) {
      feed::append_unreadable_change(json, change);
    } else {
      feed::append_change(json, change, event == nullptr ? nullptr : event->plan().get());
    }
  });
}

// The events of the changes that can be read. Nothing if one cannot be brought now; then the answer is there (503).
boost::asio::awaitable<std::optional<Events>> events_of(Call& call, const std::vector<RecordedChange>& changes) {
  std::set<EventNumber> numbers;
  for (const RecordedChange& change : changes) {
    if (!change.is_unreadable) numbers.insert(change.event);
  }
  if (!co_await bring_events(call, {numbers.begin(), numbers.end()})) co_return std::nullopt;
  Events events;
  for (const EventNumber number : numbers) {
    if (auto event = call.ledger().event(number)) events.emplace(number, std::move(event));
  }
  const bool is_whole = std::ranges::all_of(changes, [&](const RecordedChange& change) {
    return change.is_unreadable || !state_after(change.kind) || events.contains(change.event) || call.ledger().is_damaged(change.event);
  });
  if (is_whole) co_return events;
  fail(call, fault_of(ReadProblem{ReadProblem::Kind::unavailable}));   // it was evicted again in between
  co_return std::nullopt;
}

}  // namespace

// GET /v1/events/{eventId}/changes?after=&limit=&wait=
Answer list_event_changes(Call& call) {
  const auto event = find_event(call);
  if (event == nullptr) co_return;
  const auto query = Query::read(call, {"after", "limit", "wait"});
  if (!query) co_return;
  const auto after = query->whole(call, "after", 0, INT64_MAX, 0);
  const auto asked = after ? read_limit_and_wait(call, *query) : std::nullopt;
  if (!asked) co_return;
  const auto seen = static_cast<Seq>(*after);
  if (const Seq last = event->seq(); seen > last) {
    co_return fail(call, {422, k_invalid_request,
                          "`after` is " + std::to_string(seen) + ", and the event's last change is number " + std::to_string(last) + "."});
  }
  const auto waited = co_await call.services.watch.for_event(event, seen, asked->deadline);
  if (waited == Watch::Result::full) co_return fail(call, too_many_wait());
  // Named, because the coroutine refers to it while it waits.
  const auto read = [&](ReadFrom from) { return call.ledger().read_changes(event->card().number, seen, asked->limit, from); };
  const auto page = co_await read_somewhere(call, read);
  if (!page) co_return fail(call, fault_of(page.error()));
  Json json = begin_uncached_json(call);
  json.object([&] {
    append_changes(json, page->changes, {{event->card().number, event}});
    json.member("seq", event->seq());
  });
}

// GET /v1/changes?cursor=&limit=&wait=
Answer list_changes(Call& call) {
  const auto query = Query::read(call, {"cursor", "limit", "wait"});
  const auto asked = query ? read_limit_and_wait(call, *query) : std::nullopt;
  if (!asked) co_return;
  const std::string* given = query->find("cursor");
  std::string cursor = given == nullptr ? "" : *given;
  Reading<ChangePage> page;
  for (bool again = true; again;) {
    const std::uint64_t seen = call.ledger().progress();
    const auto read = [&](ReadFrom from) { return call.ledger().read_all_changes(cursor, asked->limit, from); };
    page = co_await read_somewhere(call, read);
    if (!page) co_return fail(call, fault_of(page.error()));
    again = false;
    if (!page->changes.empty()) break;
    cursor = page->next;   // progress may have no change, and then the call waits again
    const auto waited = co_await call.services.watch.for_progress(seen, asked->deadline);
    if (waited == Watch::Result::full) co_return fail(call, too_many_wait());
    again = waited == Watch::Result::news;
  }
  const auto events = co_await events_of(call, page->changes);
  if (!events) co_return;
  Json json = begin_uncached_json(call);
  json.object([&] {
    append_changes(json, page->changes, *events);
    json.member("nextCursor", page->next);
  });
}

}  // namespace holdfast::api
