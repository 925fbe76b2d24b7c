#include "linearizability/serving_node.h"

#include <memory>
#include <string>

#include "feed/webhooks/ports.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast::test {
namespace {

// No test of such a node has a webhook.
class RefusingSender final : public feed::Sender {
 public:
  boost::asio::awaitable<feed::Attempt> send(feed::Delivery) override { co_return feed::Attempt{}; }
  boost::asio::awaitable<std::string> why_refused(std::string) override { co_return "this node has no webhooks"; }
};

}   // namespace

ServingNode::ServingNode(Ledger& ledger, const std::filesystem::path& folder)
    : webhook_store_(feed::open_webhook_file(DataFolder::registry_in(folder))),
      webhook_source_(
          ledger, [](const std::string&) { return std::uint64_t{0}; }, feed::LedgerChangeSource::Positions::rows),
      webhooks_({}, webhook_store_, webhook_source_, [](boost::asio::io_context&) { return std::make_unique<RefusingSender>(); }),
      access_({.contract1 = true, .contract2 = true}, draw_session_secret()),
      watch_(ledger),
      engine_(ledger, {},
              [this](const Round& round) {
                metrics_.on_round(round);
                watch_.on_round();
              }),
      api_(ledger, engine_, metrics_, watch_, webhooks_, access_, false, [] { return api::LedgerHealth{}; }),
      server_({.threads = k_threads}, api_) {
  api_.attach(server_, k_threads);
  server_.start();
}

ServingNode::~ServingNode() {
  api_.set_draining();
  server_.stop();
  api_.stop_background();
  engine_.stop();
}

}   // namespace holdfast::test
