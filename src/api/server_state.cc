#include "api/server_state.h"

#include "api/endpoints.h"
#include "api/pages.h"
#include "api/watch.h"
#include "live/hub.h"

namespace holdfast::api {
namespace {

constexpr std::string_view k_plain_text = "text/plain; charset=utf-8";
constexpr std::string_view k_prometheus_text = "text/plain; version=0.0.4; charset=utf-8";

void answer_text(Call& call, std::string_view type, std::string text) {
  call.response.status = 200;
  call.response.content_type = type;
  call.response.body = std::move(text);
}

void forbid_caching(Call& call) { call.response.headers.emplace_back("Cache-Control", "no-store"); }

}  // namespace

ServerState::ServerState(const Services& services, std::function<LedgerHealth()> ledger_health)
    : services_(services), ledger_health_(std::move(ledger_health)) {}

std::string ServerState::trouble() const { return draining_ ? "The server is shutting down." : services_.ledger.trouble(); }

std::vector<std::string> ServerState::degradations() const {
  std::vector<std::string> all;
  for (const auto& degradation : degradations_) {
    if (std::string what = degradation(); !what.empty()) all.push_back(std::move(what));
  }
  return all;
}

Readiness ServerState::readiness() const {
  if (!trouble().empty()) return Readiness::not_ready;
  return degradations().empty() ? Readiness::ready : Readiness::degraded;
}

std::string ServerState::metrics_text(bool compressed) const {
  return services_.metrics.text({.ledger = services_.ledger,
                                 .engine = services_.engine,
                                 .server = server_->stats(),
                                 .health = ledger_health_(),
                                 .live = services_.live.stats(),
                                 .readiness = readiness(),
                                 .waiters = services_.watch.waiters()},
                                compressed);
}

// GET /healthz, GET /health
Answer show_liveness(Call& call) {
  forbid_caching(call);
  answer_text(call, k_plain_text, "ok\n");
  co_return;
}

// GET /readyz
Answer show_readiness(Call& call) {
  forbid_caching(call);
  if (std::string why = call.services.state.trouble(); !why.empty()) co_return fail(call, {503, k_unavailable, std::move(why)});
  std::string text = "ready\n";
  for (const std::string& what : call.services.state.degradations()) text.append("degraded: ").append(what).append("\n");
  answer_text(call, k_plain_text, std::move(text));
}

// GET /version
Answer show_version(Call& call) {
  const Commit& commit = call.services.state.commit();
  Json json = begin_uncached_json(call);
  json.object([&] {
    json.member("name", "holdfast");
    json.member("version", k_version);
    json.member_or_null("commit", commit.id);
    json.member("modified", commit.is_modified);
  });
  co_return;
}

// GET /metrics
Answer show_metrics(Call& call) {
  const bool compressed = accepts_gzip(call.request);
  forbid_caching(call);
  call.response.headers.emplace_back("Vary", "Accept-Encoding");
  if (compressed) call.response.headers.emplace_back("Content-Encoding", "gzip");
  answer_text(call, k_prometheus_text, call.services.state.metrics_text(compressed));
  co_return;
}

}   // namespace holdfast::api
