// The application behind the HTTP server: all endpoints, wired to a ledger and an engine.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/background.h"
#include "api/call.h"
#include "api/metrics.h"
#include "api/router.h"
#include "engine/engine.h"
#include "http/server.h"

namespace holdfast::api {

// Which contracts may be called without a key by callers that are not on this machine.
struct Access {
  bool beyond_loopback = false;   // the server listens on more than loopback
  bool contract1 = false;
  bool contract2 = false;
};

class Api : public http::Handler {
 public:
  Api(Ledger& ledger, Engine& engine, Metrics& metrics, feed::Webhooks& webhooks, Access access,
      std::function<LedgerHealth()> ledger_health);
  ~Api();

  // Once, before the server starts: the api must know the server's threads.
  void attach(http::Server& server, unsigned threads);
  // While the server drains, /readyz says so.
  void set_draining() { draining_ = true; }
  void stop_background() { background_.stop(); }

  http::BodyRule body_rule(const http::Request& request) override;
  boost::asio::awaitable<void> handle(http::Request& request, http::Response& response) override;
  void refuse(const http::Problem& problem, std::string_view path, http::Response& response) override;

 private:
  Gateway& gateway_of(boost::asio::io_context& context);
  void answer_otherwise(Call& call, const Match& match);
  bool answer_operations(Call& call);
  bool may_call(const Match& match) const;

  BackgroundPool background_;
  Metrics& metrics_;
  Services services_;
  Router router_;
  Access access_;
  std::function<LedgerHealth()> ledger_health_;
  http::Server* server_ = nullptr;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::atomic<bool> draining_{false};
};

}  // namespace holdfast::api
