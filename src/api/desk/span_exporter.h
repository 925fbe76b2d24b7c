// Sends spans of traced requests (`traceparent` with the flag `sampled`) to a collector: OTLP over HTTP, as JSON.
//
//   SpanExporter spans({.host = "otel", .port = 4318, …}, "");
//   spans.record({.parent = *parse_traceparent(header), .facts = facts_of(…), …});   // never waits
//
// A thread of its own sends up to k_spans_at_once spans together, at most k_span_wait after the first was recorded. No request waits for the
// collector. Spans that do not fit into the queue, and those that could not be sent, are dropped and counted. The operator's collector may have
// any address, including loopback and private ones.
#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "api/request_facts.h"
#include "core/trace.h"
#include "http/outgoing_client.h"

namespace holdfast::api {

inline constexpr std::size_t k_spans_queued_max = 4'096;
inline constexpr std::size_t k_spans_at_once = 512;
inline constexpr std::chrono::milliseconds k_span_wait{1'000};
inline constexpr std::chrono::milliseconds k_span_send_time_max{2'000};

struct Span {
  TraceParent parent{};   // the caller's span
  std::array<std::uint8_t, 8> id{};   // random
  std::string method{};
  std::chrono::nanoseconds began{};   // since 1970 UTC
  std::chrono::nanoseconds ended{};
  RequestFacts facts{};
};

// Whether the caller records this trace.
bool is_sampled(const TraceParent& trace);

// The body of a request that exports these spans.
std::string otlp_json(std::span<const Span> spans);

class SpanExporter {
 public:
  // A URL without a path gets OTLP's path, /v1/traces. Throws boost::system::system_error if the file of certificates cannot be read.
  SpanExporter(http::OutgoingUrl collector, std::string ca_file);
  // Sends the queue until a request fails or k_span_send_time_max has passed, and drops the rest.
  ~SpanExporter();
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  // Any thread. Never waits.
  void record(Span span) noexcept;

  // Any thread.
  std::vector<prometheus::MetricFamily> collect() const;

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  // Waits for spans and takes some. At the end of the process `taken` is empty. Returns the deadline for sending them.
  Clock::time_point take(std::vector<Span>& taken);
  void send(const std::vector<Span>& spans, Clock::time_point deadline);
  // Returns why it failed; empty if it did not.
  std::string try_to_post(const std::vector<Span>& spans, Clock::time_point deadline);
  std::string post(std::string body, Clock::time_point deadline);
  void drop_the_rest();   // with `mutex_` locked

  const http::OutgoingUrl collector_;
  boost::asio::io_context context_{1};
  http::OutgoingClient client_;   // only the thread uses it and the context
  bool is_troubled_ = false;   // likewise

  mutable std::mutex mutex_;   // guards the following
  std::condition_variable changed_;
  std::deque<Span> queue_;
  std::optional<Clock::time_point> ends_by_;   // set when the exporter must end
  std::uint64_t sent_ = 0;
  std::uint64_t dropped_ = 0;

  std::thread thread_;   // last, because it uses all of the above
};

}   // namespace holdfast::api
