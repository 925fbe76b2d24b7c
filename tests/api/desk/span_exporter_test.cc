// Spans on their way to a slow collector.
#include "api/desk/span_exporter.h"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "support/receiver.h"
#include "support/waiting.h"

namespace holdfast::test {
namespace {

double count_of(const api::SpanExporter& spans, std::string_view result) {
  const std::vector<prometheus::MetricFamily> families = spans.collect();
  for (const prometheus::ClientMetric& metric : families.at(0).metric) {
    if (metric.label.at(0).value == result) return metric.counter.value;
  }
  return -1;
}

// Keeps the first request waiting until the test lets it answer.
class SlowCollector {
 public:
  ~SlowCollector() { answer(); }
  http::OutgoingUrl url() const { return http::parse_outgoing_url(receiver_.url("")).value(); }
  bool is_asked() {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }
  void answer() {
    {
      const std::scoped_lock lock(mutex_);
      answers_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  bool answers_ = false;
  Receiver receiver_;
  Receiver::Answering answering_ = receiver_.answers_while_kept([this](const Received&) {
    std::unique_lock lock(mutex_);
    asked_ = true;
    changed_.wait(lock, [&] { return answers_; });
    return Reply{.status = 200};
  });
};

TEST(Spans, AtMost4096WaitForTheCollectorAndFurtherOnesAreDroppedAndCounted) {
  SlowCollector collector;
  api::SpanExporter spans(collector.url(), "");
  const auto record = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) spans.record({.method = "GET"});
  };
  record(api::k_spans_at_once);
  ASSERT_TRUE(eventually([&] { return collector.is_asked(); })) << "these are on their way";
  record(4'096);
  EXPECT_EQ(count_of(spans, "dropped"), 0);
  record(1);
  EXPECT_EQ(count_of(spans, "dropped"), 1);
  collector.answer();
  EXPECT_TRUE(eventually([&] { return count_of(spans, "sent") == 512 + 4'096; })) << count_of(spans, "sent");
  EXPECT_EQ(count_of(spans, "dropped"), 1);
}

}  // namespace
}  // namespace holdfast::test
