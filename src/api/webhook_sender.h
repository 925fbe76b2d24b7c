// Carries webhooks by HTTP: what feed asks for, in words of http.
#pragma once

#include "feed/webhooks/ports.h"
#include "http/outgoing_client.h"

namespace holdfast::api {

class WebhookSender final : public feed::Sender {
 public:
  // Throws boost::system::system_error when the file of certificates cannot be read.
  WebhookSender(boost::asio::io_context& context, http::OutgoingOptions options) : client_(context, std::move(options)) {}

  boost::asio::awaitable<feed::Attempt> send(feed::Delivery delivery) override;
  boost::asio::awaitable<std::string> why_refused(std::string url) override;

 private:
  http::OutgoingClient client_;
};

}  // namespace holdfast::api
