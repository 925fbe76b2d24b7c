#include "feed/webhooks/webhooks.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "feed/webhooks/relay.h"
#include "feed/webhooks/signature.h"

namespace holdfast::feed {

namespace asio = boost::asio;

Millis wall_clock() {
  using std::chrono::milliseconds;
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

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

Webhooks::Webhooks(WebhookOptions options, WebhookStore& store, ChangeSource& source, const SenderMaker& make_sender)
    : options_(std::move(options)),
      store_(store),
      source_(source),
      context_(std::make_unique<asio::io_context>(1)),
      sender_(make_sender(*context_)),
      shared_(std::make_unique<RelayShared>(
          RelayShared{options_, store_, source_, *sender_, *context_, counters_, generation_, [this] { end_when_idle(); }})) {}

Webhooks::~Webhooks() { stop(); }

void Webhooks::start() {
  for (const EndpointReport& report : store_.list()) adopt(report.endpoint.id);
  work_ = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(context_->get_executor());
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "webhooks");
    context_->run();
  });
}

void Webhooks::adopt(const Uuid& id) {
  const auto relay = std::make_shared<Relay>(*shared_, id);
  relays_.emplace(id, relay);
  has_relays_ = true;
  relay->wake();
}

void Webhooks::stop() {
  if (thread_.joinable()) {
    asio::post(*context_, [this] {
      stopping_ = true;
      for (const auto& [id, relay] : relays_) relay->stop();
      stop_timer_ = std::make_unique<asio::steady_timer>(*context_, options_.stop_time);
      stop_timer_->async_wait([this](const boost::system::error_code&) { context_->stop(); });
      end_when_idle();
    });
    thread_.join();
  }
  relays_.clear();
  work_.reset();
  stop_timer_.reset();
  context_.reset();   // coroutines that still wait end here, while all that they use is there
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
    if (stopping_) return;
    std::erase_if(relays_, [](const auto& each) { return each.second->is_gone() && each.second->is_idle(); });
    if (const auto at = relays_.find(id); at != relays_.end()) {
      at->second->reload();
    } else {
      adopt(id);
    }
  });
}

asio::awaitable<Attempt> Webhooks::ping(Endpoint endpoint, std::string id) {
  const Millis now = wall_clock();
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
