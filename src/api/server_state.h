// What the server as a whole tells its operators and their probes: whether it lives, whether it can sell, its version and its metrics.
//
//   state.add_degradation([&] { return feed.degradation(); });   // before the server starts
//   state.set_draining();                                        // at the end: from here on /readyz answers 503
//
// The endpoints are show_liveness, show_readiness, show_version and show_metrics (endpoints.h).
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/desk/metrics.h"
#include "core/version.h"
#include "http/server.h"

namespace holdfast::api {

class ServerState {
 public:
  // `services` may be initialised after this object, but before the server answers requests.
  ServerState(const Services& services, std::function<LedgerHealth()> ledger_health);

  // Before the server starts. `server` must live as long as it answers requests.
  void set_server(const http::Server& server) { server_ = &server; }
  void set_commit(const Commit& commit) { commit_ = commit; }
  // A part that Holdfast can sell without. `what` says in a sentence what is missing now, or returns an empty text. Any thread calls it.
  void add_degradation(std::function<std::string()> what) { degradations_.push_back(std::move(what)); }

  // Any thread, like all that follows.
  void set_draining() { draining_ = true; }

  const Commit& commit() const { return commit_; }
  // Why nothing can be sold now, as a sentence; empty if it can.
  std::string trouble() const;
  // A sentence for each part that is missing now.
  std::vector<std::string> degradations() const;
  // For Prometheus, compressed by gzip if asked for.
  std::string metrics_text(bool compressed) const;

 private:
  Readiness readiness() const;

  const Services& services_;
  std::function<LedgerHealth()> ledger_health_;
  std::vector<std::function<std::string()>> degradations_;
  Commit commit_;
  const http::Server* server_ = nullptr;
  std::atomic<bool> draining_{false};
};

}   // namespace holdfast::api
