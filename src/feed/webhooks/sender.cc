#include "feed/webhooks/sender.h"

namespace holdfast::feed {

using Outcome = Attempt::Outcome;

boost::asio::awaitable<Attempt> WebhookSender::send(Delivery delivery) {
  auto url = http::parse_outgoing_url(delivery.url);
  if (!url) co_return Attempt{.outcome = Outcome::refused, .error = "the URL " + url.error()};
  http::OutgoingRequest request{.url = std::move(*url), .headers = std::move(delivery.headers), .body = std::move(delivery.body)};
  http::OutgoingAnswer answer = co_await client_.post(std::move(request));
  Attempt attempt{.status = answer.status, .error = std::move(answer.error), .retry_after = answer.retry_after};
  switch (answer.kind) {
    case http::OutgoingAnswer::Kind::answered:
      attempt.outcome = answer.status >= 200 && answer.status < 300 ? Outcome::delivered : Outcome::rejected;
      if (attempt.outcome == Outcome::rejected) attempt.error = "the endpoint answered " + std::to_string(answer.status);
      break;
    case http::OutgoingAnswer::Kind::refused: attempt.outcome = Outcome::refused; break;
    case http::OutgoingAnswer::Kind::unreachable: attempt.outcome = Outcome::unreachable; break;
    case http::OutgoingAnswer::Kind::timed_out: attempt.outcome = Outcome::timed_out; break;
  }
  co_return attempt;
}

boost::asio::awaitable<std::string> WebhookSender::why_refused(std::string url) {
  auto parsed = http::parse_outgoing_url(url);
  if (!parsed) co_return parsed.error();
  co_return co_await client_.why_refused(std::move(*parsed));
}

}  // namespace holdfast::feed
