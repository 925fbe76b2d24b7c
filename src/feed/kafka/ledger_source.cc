#include "feed/kafka/ledger_source.h"

#include <algorithm>
#include <stdexcept>

namespace holdfast::feed::kafka {

News LedgerFeedSource::news(const std::function<Seq(EventNumber)>& published, EventNumber after, std::size_t limit) {
  const std::uint64_t progress = ledger_.progress();   // before the heads are read: what comes meanwhile is news for the next time
  // What other nodes write to events that are not here is no progress of this one.
  if (ledger_.has_all_in_memory() && quiet_at_ != 0 && quiet_at_ == progress) return {};
  News news;
  std::vector<EventHead> all;
  std::unordered_map<EventNumber, Seq> behind;
  for (const auto& [number, listed] : ledger_.heads()) {
    const Seq reached = published(number);
    const Seq head = head_of(number, listed, reached);
    if (head == reached) continue;
    all.push_back({number, head});
    behind.emplace(number, head);
    news.behind += head > reached ? head - reached : head;
  }
  quiet_at_ = all.empty() ? progress : 0;
  note_round(progress, std::move(behind));
  // Beginning behind `after`, so that busy events do not keep others waiting.
  const auto first = std::ranges::find_if(all, [&](const EventHead& each) { return each.event > after; });
  std::ranges::rotate(all, first);
  if (all.size() > limit) all.resize(limit);
  news.events = std::move(all);
  return news;
}

// What lists the heads follows the journal, and may not have come to what was published yet: the event itself has. Only when that is
// behind too, other data were put in its place.
Seq LedgerFeedSource::head_of(EventNumber number, Seq listed, Seq reached) {
  const auto event = ledger_.event(number);
  const Seq head = event == nullptr ? listed : std::max(listed, event->seq());
  if (head >= reached || ledger_.has_all_in_memory()) return head;
  const auto current = ledger_.bring({.event = number, .as_of_now = true}) ? ledger_.event(number) : nullptr;
  return current == nullptr ? reached : current->seq();   // what cannot be read now has nothing new as far as one knows
}

void LedgerFeedSource::note_round(std::uint64_t progress, std::unordered_map<EventNumber, Seq> behind) {
  if (!round_.empty()) return;
  if (round_at_ > published_through()) published_through_.store(round_at_, std::memory_order_relaxed);
  round_at_ = progress;
  round_ = std::move(behind);
  if (round_.empty()) published_through_.store(progress, std::memory_order_relaxed);
}

void LedgerFeedSource::published(std::span<const FeedPosition> positions) {
  for (const FeedPosition& each : positions) {
    const auto at = round_.find(each.event);
    if (at != round_.end() && each.seq >= at->second) round_.erase(at);
  }
  if (round_.empty() && round_at_ > published_through()) published_through_.store(round_at_, std::memory_order_relaxed);
}

FedPage LedgerFeedSource::read(EventNumber number, Seq after, std::size_t limit) {
  if (!ledger_.bring({.event = number, .as_of_now = true})) throw std::runtime_error("event " + std::to_string(number) + " cannot be read");
  const auto event = ledger_.event(number);
  if (event == nullptr) throw std::runtime_error("event " + std::to_string(number) + " is not there");
  auto page = ledger_.read_changes(number, after, limit, ReadFrom::anywhere);
  if (!page) {
    if (page.error().kind == ReadProblem::Kind::archived) return {.changes = {}, .oldest = page.error().oldest};
    throw std::runtime_error("the changes of event " + std::to_string(number) + " after " + std::to_string(after) + " cannot be read");
  }
  FedPage fed_page;
  fed_page.changes.reserve(page->changes.size());
  for (RecordedChange& change : page->changes) fed_page.changes.push_back(fed(std::move(change), *event));
  return fed_page;
}

FedChange LedgerFeedSource::fed(RecordedChange change, const PublishedEvent& event) const {
  FedChange made{.seq = change.seq,
                 .at = change.at,
                 .kind = change.kind,
                 .event = change.event_id,
                 .reservation = change.reservation,
                 .customer = std::move(change.customer),
                 .order = std::move(change.order),
                 .created_at = change.at,
                 .expires_at = change.expires_at,
                 .trace = change.trace};
  if (!concerns_reservation(change.kind) || !state_after(change.kind)) return made;
  if (change.kind == ChangeKind::seats_added) {
    auto reservation = ledger_.reservation(change.reservation);   // it may have ended long ago
    if (!reservation && ledger_.bring({.reservation = change.reservation})) reservation = ledger_.reservation(change.reservation);
    if (!reservation) throw std::runtime_error("reservation " + to_string(change.reservation) + " is not there");
    made.created_at = reservation->created_at;
    if (made.expires_at == 0) made.expires_at = reservation->expires_at;   // recorded before it was kept beside the change
  }
  const Plan& plan = *event.plan();
  if (!change.versions.empty() && change.versions.size() != change.seats.size()) {
    throw std::runtime_error("change " + std::to_string(change.seq) + " has " + std::to_string(change.versions.size()) + " versions of " +
                             std::to_string(change.seats.size()) + " seats");
  }
  for (std::size_t i = 0; i < change.seats.size(); ++i) {
    const SeatIndex seat = change.seats[i];
    FedSeat& told = made.seats.emplace_back();
    told.id = plan.seat_id(seat);
    told.has_uuid = plan.seat_uuid(seat) != nullptr;
    told.section = plan.section_of(seat);
    told.row = plan.row_of(seat);
    told.number = plan.number_of(seat);
    told.price = plan.categories()[plan.category_of(seat)].price;
    if (!change.versions.empty()) told.version = change.versions[i];
  }
  return made;
}

}  // namespace holdfast::feed::kafka
