#include "feed/kafka/status.h"

#include <spdlog/spdlog.h>

#include "core/check.h"

namespace holdfast::feed::kafka {

const char* name_of(RelayState state) {
  switch (state) {
    case RelayState::starting: return "starting";
    case RelayState::standby: return "standby";
    case RelayState::publishing: return "publishing";
    case RelayState::away: return "away";
    case RelayState::refused: return "refused";
    case RelayState::stopped: return "stopped";
  }
  return "unknown";
}

const char* name_of(ConsumerState state) {
  switch (state) {
    case ConsumerState::off: return "off";
    case ConsumerState::standby: return "standby";
    case ConsumerState::starting: return "starting";
    case ConsumerState::consuming: return "consuming";
    case ConsumerState::away: return "away";
    case ConsumerState::refused: return "refused";
    case ConsumerState::stopped: return "stopped";
  }
  return "unknown";
}

// A state is logged when it changes; a trouble also when its detail changes.
template <typename State>
void FeedBoard::set(const char* who, State& state, std::string& detail, State state_now, std::string detail_now) {
  const std::scoped_lock lock(mutex_);
  if (state != state_now || (is_trouble(state_now) && detail != detail_now)) {
    const auto level = is_trouble(state_now) ? spdlog::level::warn : spdlog::level::info;
    spdlog::log(level, "{}: {}{}{}", who, name_of(state_now), detail_now.empty() ? "" : ": ", detail_now);
  }
  state = state_now;
  detail = std::move(detail_now);
}

void FeedBoard::set_relay(RelayState state, std::string detail) {
  set("kafka feed", status_.relay, status_.relay_detail, state, std::move(detail));
}

void FeedBoard::set_payments(ConsumerState state, std::string detail) {
  set("kafka payments", status_.payments, status_.payments_detail, state, std::move(detail));
}

void FeedBoard::set_seats(ConsumerState state, std::string detail) {
  set("kafka seats", status_.seats, status_.seats_detail, state, std::move(detail));
}

void FeedBoard::set_lag(std::uint64_t changes, std::optional<Time> oldest) {
  const std::scoped_lock lock(mutex_);
  status_.lag_changes = changes;
  lags_since_ = oldest;
}

void FeedBoard::note_news() {
  const std::scoped_lock lock(mutex_);
  if (!news_since_) news_since_ = Backlog::Timer::now();
}

void FeedBoard::take_news() {
  const std::scoped_lock lock(mutex_);
  news_since_.reset();
}

void FeedBoard::set_held_back(FailingEvents::Summary held_back) {
  const std::scoped_lock lock(mutex_);
  status_.events_held_back = held_back.events;
  status_.held_back = std::move(held_back.text);
}

void FeedBoard::set_payments_pending(std::optional<Time> oldest) {
  const std::scoped_lock lock(mutex_);
  payments_since_ = oldest;
}

void FeedBoard::set_payments_held(std::uint64_t payments, FailingEvents::Summary held_back) {
  const std::scoped_lock lock(mutex_);
  status_.payments_held = payments;
  status_.payments_held_because = std::move(held_back.text);
}

void FeedBoard::set_seats_pending(std::optional<Time> unhandled, std::optional<Time> gathered, std::uint64_t events_gathered) {
  const std::scoped_lock lock(mutex_);
  seats_unhandled_since_ = unhandled;
  seats_gathered_since_ = gathered;
  status_.events_gathered = events_gathered;
}

// Ages are computed here, so they grow if the thread that sets the times hangs.
FeedStatus FeedBoard::status() const {
  const auto now = Backlog::Timer::now();
  const std::scoped_lock lock(mutex_);
  FeedStatus status = status_;
  const bool publishes = status.relay != RelayState::standby && status.relay != RelayState::stopped;
  status.lag_seconds = age_of(publishes ? earlier(lags_since_, news_since_) : std::nullopt, now).count();
  status.payments_pending_seconds = age_of(payments_since_, now).count();
  status.seats_unhandled_seconds = age_of(seats_unhandled_since_, now).count();
  status.seats_pending_seconds = age_of(earlier(seats_unhandled_since_, seats_gathered_since_), now).count();
  return status;
}

void FeedBoard::count_message(std::string_view topic) {
  for (std::size_t i = 0; i < std::size(k_counted_topics); ++i) {
    if (topic != k_counted_topics[i]) continue;
    counters.messages[i].fetch_add(1, std::memory_order_relaxed);
    return;
  }
  HOLDFAST_CHECK(false && "messages of this topic are not counted");
}

}  // namespace holdfast::feed::kafka
