// Sends webhooks over HTTP: the port feed::Sender, implemented by http's client.
#pragma once

#include "feed/webhooks/ports.h"
#include "http/outgoing_client.h"

namespace holdfast::feed {

class WebhookSender final : public Sender {
 public:
  // Throws boost::system::system_error if the file of certificates cannot be read.
  WebhookSender(boost::asio::io_context& context, http::OutgoingOptions options) : client_(context, std::move(options)) {}

  boost::asio::awaitable<Attempt> send(Delivery delivery) override;
  boost::asio::awaitable<std::string> why_refused(std::string url) override;

 private:
  http::OutgoingClient client_;
};

}  // namespace holdfast::feed
