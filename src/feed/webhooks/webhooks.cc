#include "feed/webhooks/webhooks.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "feed/backlog.h"
#include "feed/webhooks/relay.h"
#include "feed/webhooks/signature.h"

namespace holdfast::feed {

namespace asio = boost::asio;

Delivery sign_delivery(const Endpoint& endpoint, std::string_view id, std::string body, Millis now) {
  const std::int64_t timestamp = now / k_millis_per_second;
  std::string signatures = sign(endpoint.secret, id, timestamp, body);
  if (!endpoint.previous_secret.empty() && endpoint.previous_until > now) {
    signatures.append(1, ' ').append(sign(endpoint.previous_secret, id, timestamp, body));
  }
  return {.url = endpoint.url,
          .headers = {{"webhook-id", std::string(id)},
                      {"webhook-timestamp", std::to_string(timestamp)},
                      {"webhook-signature", std::move(signatures)}},
          .body = std::move(body)};
}

Webhooks::Webhooks(WebhookOptions options, WebhookStore& store, ChangeSource& source, const SenderMaker& make_sender, Lease* lease)
    : options_(std::move(options)),
      store_(store),
      source_(source),
      lease_(lease),
      context_(std::make_unique<asio::io_context>(1)),
      sender_(make_sender(*context_)),
      shared_(std::make_unique<RelayShared>(
          RelayShared{options_, store_, source_, *sender_, *context_, counters_, generation_, [this] { end_when_idle(); }})) {}

Webhooks::~Webhooks() { stop(); }

void Webhooks::start() {
  if (lease_ == nullptr) begin_tenure(Epoch{}, std::chrono::nanoseconds::max());
  work_ = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(context_->get_executor());
  if (lease_ != nullptr) {
    lease_timer_ = std::make_unique<asio::steady_timer>(*context_);
    asio::post(*context_, [this] { look_at_lease(); });
  }
  progress_timer_ = std::make_unique<asio::steady_timer>(*context_);
  looked_at_ = std::chrono::steady_clock::now().time_since_epoch().count();
  asio::post(*context_, [this] { look_at_progress(); });
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "webhooks");
    context_->run();
  });
}

void Webhooks::adopt(const Uuid& id) {
  const auto relay = std::make_shared<Relay>(*shared_, tenure_, id);
  relays_.emplace(id, relay);
  has_relays_ = true;
  relay->wake();
}

void Webhooks::stop() {
  if (thread_.joinable()) {
    asio::post(*context_, [this] {
      stopping_ = true;
      if (lease_timer_) lease_timer_->cancel();
      progress_timer_->cancel();
      for (const auto& [id, relay] : relays_) relay->stop();
      stop_timer_ = std::make_unique<asio::steady_timer>(*context_, options_.stop_time);
      stop_timer_->async_wait([this](const boost::system::error_code&) { context_->stop(); });
      end_when_idle();
    });
    thread_.join();
    relaying_ = false;
    has_relays_ = false;
    give_back_lease();
  }
  relays_.clear();
  work_.reset();
  stop_timer_.reset();
  lease_timer_.reset();
  progress_timer_.reset();
  context_.reset();   // ends coroutines that still wait, before what they use is destroyed
  sender_.reset();
}

void Webhooks::end_when_idle() {
  if (!stopping_) return;
  for (const auto& [id, relay] : relays_) {
    if (!relay->is_idle()) return;
  }
  context_->stop();
}

void Webhooks::notify() {
  if (!has_relays_.load(std::memory_order_relaxed) || notified_.exchange(true)) return;
  asio::post(*context_, [this] {
    notified_ = false;
    for (const auto& [id, relay] : relays_) relay->news();
  });
}

void Webhooks::changed(const Uuid& id) {
  ++generation_;
  asio::post(*context_, [this, id] {
    if (stopping_ || tenure_ == nullptr) return;
    std::erase_if(relays_, [](const auto& each) { return each.second->is_gone() && each.second->is_idle(); });
    if (const auto at = relays_.find(id); at != relays_.end()) {
      at->second->reload();
    } else {
      adopt(id);
    }
  });
}

// ---------------------------------------------------------------------------------------------------------------- the lease

void Webhooks::begin_tenure(Epoch epoch, std::chrono::nanoseconds until) {
  tenure_ = std::make_shared<Tenure>(Tenure{.epoch = epoch, .until = until});
  ++generation_;
  revision_seen_ = store_.revision();   // before list(): a change that comes between counts as new
  for (const EndpointReport& report : store_.list()) adopt(report.endpoint.id);
  relaying_ = true;
}

// Attempts in flight end by themselves, and are not noted.
void Webhooks::end_tenure() {
  relaying_ = false;
  has_relays_ = false;
  tenure_->lost = true;
  for (const auto& [id, relay] : relays_) relay->stop();
  relays_.clear();
  tenure_.reset();
}

void Webhooks::look_at_lease() {
  if (stopping_) return;
  try {
    hold_lease();
    if (tenure_ != nullptr) look_at_others();
    if (std::exchange(lease_troubled_, false)) spdlog::info("webhooks: the store answers again");
  } catch (const std::exception& error) {
    if (!std::exchange(lease_troubled_, true)) {
      spdlog::error("webhooks: taking the lease or reading the endpoints failed: {}. It is retried every {} ms", error.what(),
                    k_lease_period.count());
    }
    if (tenure_ != nullptr && tenure_->is_over()) end_tenure();
  }
  arm_lease_timer();
}

// A tenure that is over is never continued, even if no other node has begun one.
void Webhooks::hold_lease() {
  const auto asked_at = time_since_boot();   // before the call, so that it ends here before it ends in the store
  if (tenure_ != nullptr) {
    if (!tenure_->is_over() && lease_->renew()) {
      tenure_->until = asked_at + lease_->time();
      return;
    }
    spdlog::warn("webhooks: this node no longer relays");
    end_tenure();
  }
  const auto epoch = lease_->acquire();
  if (!epoch) return;
  spdlog::info("webhooks: this node relays, in epoch {}", *epoch);
  try {
    begin_tenure(*epoch, asked_at + lease_->time());
  } catch (...) {
    end_tenure();
    throw;
  }
}

// Other nodes answer calls about endpoints and commit changes.
void Webhooks::look_at_others() {
  if (const std::int64_t revision = store_.revision(); revision != revision_seen_) {
    const std::vector<EndpointReport> reports = store_.list();
    revision_seen_ = revision;
    ++generation_;
    for (const EndpointReport& report : reports) {
      if (!relays_.contains(report.endpoint.id)) adopt(report.endpoint.id);
    }
    for (const auto& [id, relay] : relays_) relay->reload();
    std::erase_if(relays_, [](const auto& each) { return each.second->is_gone() && each.second->is_idle(); });
  }
  if (relays_.empty()) return;
  SourcePosition end = source_.end();
  if (end == end_seen_) return;
  end_seen_ = std::move(end);
  for (const auto& [id, relay] : relays_) relay->news();
}

void Webhooks::arm_lease_timer() {
  lease_timer_->expires_after(k_lease_period);
  lease_timer_->async_wait([this](const boost::system::error_code& error) {
    if (!error) look_at_lease();
  });
}

// ---------------------------------------------------------------------------------------------------------------- progress

void Webhooks::look_at_progress() {
  if (stopping_) return;
  std::optional<std::chrono::steady_clock::time_point> oldest;
  for (const auto& [id, relay] : relays_) oldest = earlier(oldest, relay->behind_since());
  behind_since_ = oldest ? oldest->time_since_epoch().count() : 0;
  looked_at_ = std::chrono::steady_clock::now().time_since_epoch().count();
  progress_timer_->expires_after(k_look_period);
  progress_timer_->async_wait([this](const boost::system::error_code& error) {
    if (!error) look_at_progress();
  });
}

std::chrono::duration<double> Webhooks::oldest_pending() const {
  using Steady = std::chrono::steady_clock;
  if (!is_relaying()) return std::chrono::duration<double>(0);
  const auto time_of = [](Steady::rep since) {
    return since == 0 ? std::nullopt : std::optional(Steady::time_point(Steady::duration(since)));
  };
  const auto pending = age_of(time_of(behind_since_));
  const auto silent = age_of(time_of(looked_at_));
  return silent > k_hangs_after ? std::max(pending, silent) : pending;
}

// After the thread has ended.
void Webhooks::give_back_lease() {
  if (lease_ == nullptr || tenure_ == nullptr) return;
  try {
    lease_->release();
  } catch (const std::exception& error) {
    spdlog::warn("webhooks: releasing the lease failed, so the next node waits until it expires: {}", error.what());
  }
}

asio::awaitable<Attempt> Webhooks::ping(Endpoint endpoint, std::string id) {
  const Millis now = options_.clock();
  std::string body = R"({"type":"ping","timestamp":")" + rfc3339(now) + R"(","data":{}})";
  Delivery delivery = sign_delivery(endpoint, id, std::move(body), now);
  Attempt attempt = co_await asio::co_spawn(*context_, sender_->send(std::move(delivery)), asio::use_awaitable);
  counters_.attempts[static_cast<std::size_t>(attempt.outcome)].fetch_add(1, std::memory_order_relaxed);
  co_return attempt;
}

asio::awaitable<std::string> Webhooks::why_refused(std::string url) {
  co_return co_await asio::co_spawn(*context_, sender_->why_refused(std::move(url)), asio::use_awaitable);
}

}  // namespace holdfast::feed
