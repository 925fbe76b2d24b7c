// GET /v1/reservations/{reservationId}/history: the changes of a reservation, from the journal (docs/api.md).
//
// The journal is ordered by time and has no index by reservation. A binary search by time finds the beginning of the reservation. From there the
// reader scans the changes until the reservation has ended, a span no longer than a hold can last. Changes after its end (a reinstated sale, a
// refund) set states of its seats. The histories of these seats say where such changes are, so the reader skips everything in between.
#include "api/v1/reservation_history.h"

#include <algorithm>
#include <charconv>

#include "api/background.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "feed/change_json.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_changes_at_once = 1'000;
constexpr std::size_t k_seat_changes_at_once = 1'000;

// seq, or seq-ended
std::optional<HistoryPlace> parse_place(std::string_view text) {
  constexpr std::string_view k_ended = "-ended";
  HistoryPlace place;
  const char* end = text.data() + text.size();
  const auto seq = std::from_chars(text.data(), end, place.seq);
  if (seq.ec != std::errc{} || place.seq == 0) return std::nullopt;
  const std::string_view rest(seq.ptr, static_cast<std::size_t>(end - seq.ptr));
  if (!rest.empty() && rest != k_ended) return std::nullopt;
  place.ended = !rest.empty();
  return place;
}

std::string text_of(const HistoryPlace& place) { return std::to_string(place.seq) + (place.ended ? "-ended" : ""); }

bool ends_it(const RecordedChange& change) {
  const bool is_end = change.kind == ChangeKind::consumed || change.kind == ChangeKind::expired || change.kind == ChangeKind::returned;
  return is_end || (change.kind == ChangeKind::released && change.ends);
}

class HistoryReader {
 public:
  HistoryReader(const Ledger& ledger, const PublishedEvent& event, const ReservationView& view)
      : ledger_(ledger), event_(event), view_(view) {}

  // Up to `limit` changes after `place`. Moves `place` behind the last change that it examined. `is_complete`: there are no more.
  Reading<std::vector<RecordedChange>> read(HistoryPlace& place, std::size_t limit, bool& is_complete) const {
    std::vector<RecordedChange> found;
    std::size_t examined = 0;
    is_complete = false;
    while (found.size() < limit && examined < k_changes_examined_max) {
      if (place.ended) {
        const auto next = next_of_seats(place.seq);
        if (!next) return std::unexpected(next.error());
        if (*next == 0) {
          is_complete = true;
          break;
        }
        place.seq = *next - 1;
      }
      const auto page = changes_after(place.seq, place.ended ? 1 : std::min(k_changes_at_once, k_changes_examined_max - examined));
      if (!page) return std::unexpected(page.error());
      if (page->changes.empty()) {
        is_complete = true;
        break;
      }
      examined += page->changes.size();
      for (const RecordedChange& change : page->changes) {
        place.seq = change.seq;
        if (change.reservation != view_.id || !concerns_reservation(change.kind)) continue;
        found.push_back(change);
        place.ended = ends_it(change);
        if (place.ended || found.size() == limit) break;
      }
    }
    return found;
  }

  // The last change before the millisecond in which the reservation was created.
  Reading<Seq> before_creation() const {
    Seq low = 0;   // all changes up to here are older
    Seq high = event_.seq();
    while (low < high) {
      const Seq middle = low + (high - low) / 2;
      const auto page = changes_after(middle, 1);
      if (!page && page.error().kind == ReadProblem::Kind::archived && page.error().oldest > middle + 1) {
        low = page.error().oldest - 1;   // older changes are no longer kept
        continue;
      }
      if (!page) return std::unexpected(page.error());
      if (!page->changes.empty() && page->changes.front().at < view_.created_at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  Reading<ChangePage> changes_after(Seq after, std::size_t limit) const {
    return ledger_.read_changes(event_.card().number, after, limit, ReadFrom::anywhere);
  }

  // The first change after `after` in which this reservation set the state of one of its seats; 0: there is none.
  Reading<Seq> next_of_seats(Seq after) const {
    Seq next = 0;
    for (const ReservedSeat& reserved : view_.seats) {
      const SeatPlace place{event_.card().number, reserved.seat};
      for (std::uint32_t version = 0;;) {
        const auto history = ledger_.seat_history(place, version, k_seat_changes_at_once);
        if (!history) return std::unexpected(history.error());
        const auto at =
            std::ranges::find_if(*history, [&](const SeatChange& each) { return each.seq > after && each.reservation == view_.id; });
        if (at != history->end()) next = next == 0 ? at->seq : std::min(next, at->seq);
        if (at != history->end() || history->size() < k_seat_changes_at_once) break;
        version = history->back().version;
      }
    }
    return next;
  }

  const Ledger& ledger_;
  const PublishedEvent& event_;
  const ReservationView& view_;
};

}   // namespace

Reading<HistoryPage> read_history(const Ledger& ledger, const PublishedEvent& event, const ReservationView& view,
                                  std::optional<HistoryPlace> place, std::size_t limit) {
  const HistoryReader reader(ledger, event, view);
  const bool is_first = !place.has_value();
  if (is_first) {
    const auto begin = reader.before_creation();
    if (!begin) return std::unexpected(begin.error());
    place = HistoryPlace{.seq = *begin};
  }
  const Seq oldest = place->seq + 1;
  bool is_complete = false;
  auto changes = reader.read(*place, limit, is_complete);
  if (!changes) return std::unexpected(changes.error());
  // A history begins with its hold, unless that is no longer kept.
  const bool is_headless = is_first && (changes->empty() ? is_complete : changes->front().kind != ChangeKind::held);
  if (is_headless) return std::unexpected(ReadProblem{ReadProblem::Kind::archived, oldest});
  return HistoryPage{std::move(*changes), is_complete ? std::nullopt : place};
}

Answer get_reservation_history(Call& call) {
  const auto id = parse_uuid(call.parameters[0]);
  const auto number = id ? event_of_reservation(*id) : std::nullopt;
  const auto event = number ? call.ledger().event(*number) : nullptr;
  const auto view = event == nullptr ? std::nullopt : call.ledger().reservation(*id);
  if (!view) co_return fail(call, {404, "reservation_not_found", "There is no reservation " + call.parameters[0] + "."});
  const auto asked = read_page(call);
  if (!asked) co_return;
  const auto place = asked->cursor.empty() ? std::nullopt : parse_place(asked->cursor);
  if (!asked->cursor.empty() && (!place || place->seq > event->seq())) {
    co_return fail(call, fault_of(ReadProblem{ReadProblem::Kind::bad_cursor}));
  }
  Reading<HistoryPage> page;
  co_await call.services.background.run([&] { page = read_history(call.ledger(), *event, *view, place, asked->limit); });
  if (!page) co_return fail(call, fault_of(page.error()));
  answer_page(call, page->changes, page->next ? text_of(*page->next) : "",
              [&](Json& json, const RecordedChange& change) { feed::append_change(json, change, event->plan().get()); });
}

}   // namespace holdfast::api
