// The engine and the HTTP API over any ledger, in this process: a node without the command line around it.
//
//   ServingNode node(ledger, folder);
//   Client client(node.port());
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "api/api.h"
#include "feed/webhooks/ledger_source.h"
#include "feed/webhooks/store.h"
#include "feed/webhooks/webhook_file.h"
#include "feed/webhooks/webhooks.h"

namespace holdfast::test {

// Listens on a free port of the loopback and admits every caller. Webhooks are not delivered.
class ServingNode {
 public:
  // `ledger` must outlive it. What stands beside a ledger is kept in `folder`.
  ServingNode(Ledger& ledger, const std::filesystem::path& folder);
  ~ServingNode();
  ServingNode(const ServingNode&) = delete;
  ServingNode& operator=(const ServingNode&) = delete;

  std::uint16_t port() const { return server_.port(); }

 private:
  static constexpr unsigned k_threads = 1;

  feed::WebhookStore webhook_store_;
  feed::LedgerChangeSource webhook_source_;
  feed::Webhooks webhooks_;
  api::AccessControl access_;
  api::Metrics metrics_;
  api::Watch watch_;
  Engine engine_;
  api::Api api_;
  http::Server server_;
};

}   // namespace holdfast::test
