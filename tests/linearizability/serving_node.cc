#include "linearizability/serving_node.h"

#include "ledger/embedded/data_folder.h"

namespace holdfast::test {

ServingNode::ServingNode(Ledger& ledger, const std::filesystem::path& folder)
    : webhook_store_(feed::open_webhook_file(DataFolder::registry_in(folder))),
      webhook_source_(
          ledger, [](const std::string&) { return std::uint64_t{0}; }, feed::LedgerChangeSource::Positions::rows),
      webhooks_({}, webhook_store_, webhook_source_, [](boost::asio::io_context&) { return std::unique_ptr<feed::Sender>(); }),
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
