#include "api/desk/span_exporter.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <iterator>
#include <utility>

#include "api/desk/metric_families.h"
#include "core/bytes.h"
#include "core/version.h"
#include "json/json.h"

namespace holdfast::api {
namespace {

namespace asio = boost::asio;

constexpr int k_kind_server = 2;      // SPAN_KIND_SERVER
constexpr int k_status_error = 2;     // STATUS_CODE_ERROR
constexpr unsigned k_server_errors = 500;

http::OutgoingUrl traces_of(http::OutgoingUrl collector) {
  if (collector.target == "/") collector.target = "/v1/traces";
  return collector;
}

http::OutgoingOptions client_options(const http::OutgoingUrl& collector, std::string ca_file) {
  return {.timeout = k_span_send_time_max, .ca_file = std::move(ca_file), .allow_hosts = {collector.host}};
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  append_hex(text, bytes);
  return text;
}

void attribute(Json& json, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  json.object([&] {
    json.member("key", key);
    json.object("value", [&] { json.member("stringValue", value); });
  });
}

// OTLP writes 64-bit integers as strings.
void attribute(Json& json, std::string_view key, std::int64_t value) {
  json.object([&] {
    json.member("key", key);
    json.object("value", [&] { json.member("intValue", std::to_string(value)); });
  });
}

void append_attributes(Json& json, const Span& span) {
  const RequestFacts& facts = span.facts;
  attribute(json, "http.request.method", span.method);
  attribute(json, "http.route", std::string_view(facts.route).substr(std::min(facts.route.size(), facts.route.find(' ') + 1)));
  attribute(json, "http.response.status_code", std::int64_t{facts.status});
  attribute(json, "error.type", facts.status >= k_server_errors ? std::to_string(facts.status) : "");
  attribute(json, "holdfast.request_id", facts.request_id);
  attribute(json, "holdfast.code", facts.code);
  attribute(json, "holdfast.key", facts.key_name);
  attribute(json, "holdfast.event", facts.event);
  attribute(json, "holdfast.reservation", facts.reservation);
}

void append_span(Json& json, const Span& span) {
  const std::span<const std::uint8_t> parent(span.parent.packed);
  json.object([&] {
    json.member("traceId", hex(parent.first(16)));
    json.member("spanId", hex(span.id));
    json.member("parentSpanId", hex(parent.subspan(16, 8)));
    json.member("name", span.facts.route.empty() ? span.method : span.facts.route);
    json.member("kind", k_kind_server);
    json.member("startTimeUnixNano", std::to_string(span.began.count()));
    json.member("endTimeUnixNano", std::to_string(span.ended.count()));
    json.array("attributes", [&] { append_attributes(json, span); });
    json.object("status", [&] {
      if (span.facts.status >= k_server_errors) json.member("code", k_status_error);
    });
  });
}

}  // namespace

bool is_sampled(const TraceParent& trace) { return (trace.packed.back() & 1U) != 0; }

std::string otlp_json(std::span<const Span> spans) {
  std::string body;
  Json json(body);
  const auto in_array = [&](std::string_view name, auto write) { json.array(name, [&] { json.object(write); }); };
  json.object([&] {
    in_array("resourceSpans", [&] {
      json.object("resource", [&] {
        json.array("attributes", [&] {
          attribute(json, "service.name", "holdfast");
          attribute(json, "service.version", k_version);
        });
      });
      in_array("scopeSpans", [&] {
        json.object("scope", [&] { json.member("name", "holdfast"); });
        json.array("spans", spans, [&](const Span& each) { append_span(json, each); });
      });
    });
  });
  return body;
}

SpanExporter::SpanExporter(http::OutgoingUrl collector, std::string ca_file)
    : collector_(traces_of(std::move(collector))),
      client_(context_, client_options(collector_, std::move(ca_file))),
      thread_([this] { run(); }) {}

SpanExporter::~SpanExporter() {
  {
    const std::scoped_lock lock(mutex_);
    ends_by_ = Clock::now() + k_span_send_time_max;
  }
  changed_.notify_all();
  thread_.join();
}

void SpanExporter::record(Span span) noexcept {
  const std::scoped_lock lock(mutex_);
  if (queue_.size() >= k_spans_queued_max) {
    ++dropped_;
    return;
  }
  try {
    queue_.push_back(std::move(span));
  } catch (const std::exception&) {
    ++dropped_;
    return;
  }
  if (queue_.size() == 1 || queue_.size() == k_spans_at_once) changed_.notify_all();
}

void SpanExporter::run() {
  std::vector<Span> spans;
  spans.reserve(k_spans_at_once);   // so that taking spans cannot run out of memory
  for (;;) {
    const Clock::time_point deadline = take(spans);
    if (spans.empty()) return;
    send(spans, deadline);
  }
}

SpanExporter::Clock::time_point SpanExporter::take(std::vector<Span>& taken) {
  taken.clear();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !queue_.empty() || ends_by_; });
  changed_.wait_for(lock, k_span_wait, [&] { return queue_.size() >= k_spans_at_once || ends_by_; });
  if (ends_by_ && Clock::now() >= *ends_by_) drop_the_rest();
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), k_spans_at_once));
  taken.insert(taken.end(), std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
  queue_.erase(queue_.begin(), queue_.begin() + count);
  return ends_by_.value_or(Clock::time_point::max());
}

void SpanExporter::send(const std::vector<Span>& spans, Clock::time_point deadline) {
  const std::string problem = try_to_post(spans, deadline);
  {
    const std::scoped_lock lock(mutex_);
    (problem.empty() ? sent_ : dropped_) += spans.size();
    if (!problem.empty() && ends_by_) drop_the_rest();
  }
  if (problem.empty()) {
    if (std::exchange(is_troubled_, false)) spdlog::info("traces: the collector takes spans again");
    return;
  }
  if (!std::exchange(is_troubled_, true)) {
    spdlog::warn("traces: spans are dropped, because {} does not take them: {}. holdfast_spans_total counts them; requests go on",
                 collector_.host, problem);
  }
}

// The end of the process does not wait for a collector that is away or slow.
void SpanExporter::drop_the_rest() {
  if (queue_.empty()) return;
  spdlog::warn("traces: the process ends, and {} spans that wait for {} are dropped", queue_.size(), collector_.host);
  dropped_ += queue_.size();
  queue_.clear();
}

// A failure, such as too little memory, must cost these spans and not the process.
std::string SpanExporter::try_to_post(const std::vector<Span>& spans, Clock::time_point deadline) {
  try {
    return post(otlp_json(spans), deadline);
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::string SpanExporter::post(std::string body, Clock::time_point deadline) {
  std::string problem = "the request was not made";
  const auto done = [&](const std::exception_ptr& thrown, const http::OutgoingAnswer& answer) {
    const bool is_taken = answer.kind == http::OutgoingAnswer::Kind::answered && answer.status / 100 == 2;
    if (thrown == nullptr) problem = is_taken ? "" : answer.error.empty() ? "it answered " + std::to_string(answer.status) : answer.error;
    context_.stop();   // does not wait for a DNS look-up that is still running
  };
  asio::co_spawn(context_, client_.post({.url = collector_, .headers = {}, .body = std::move(body), .deadline = deadline}), done);
  context_.restart();
  context_.run();
  return problem;
}

std::vector<prometheus::MetricFamily> SpanExporter::collect() const {
  const std::scoped_lock lock(mutex_);
  return {counters("holdfast_spans_total", "Spans of requests, by result.", "result", {{"sent", sent_}, {"dropped", dropped_}})};
}

}  // namespace holdfast::api
