// The live seat map: who listens to which event, and what they are sent when (docs/internals/live-map.md).
//
// One thread, asleep while nobody listens, looks at the listened events ten times a second. Where something has changed it makes the event's
// next edition, and each thread of the HTTP server hands it to its own listeners, a slice of time after the other, so that requests go on
// between them. The more that costs, the rarer it gets, down to once a second. A message is encoded and framed once by edition, whatever
// the number of listeners.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "http/server.h"
#include "ledger/published.h"

namespace holdfast {

struct LiveOptions {
  std::size_t listeners_max = 15'000;
  std::chrono::seconds comment_period{15};   // a comment line to each listener, so that proxies keep the stream
};

// For metrics. Counts are since the start.
struct LiveStats {
  std::uint64_t listeners;   // now
  std::uint64_t refused;   // over listeners_max
  std::uint64_t editions;   // of all events
  std::uint64_t messages;   // handed to listeners, comments aside
  std::uint64_t dropped;   // listeners that did not read
  std::chrono::milliseconds period;   // between two looks, as it is now
};

class LiveEvent;
class LiveThread;
class Listener;
struct LiveTick;

class LiveHub {
 public:
  LiveHub();
  ~LiveHub();
  LiveHub(const LiveHub&) = delete;
  LiveHub& operator=(const LiveHub&) = delete;

  // Once each, before the server starts.
  void set_options(const LiveOptions& options) { options_ = options; }
  void attach(http::Server& server, unsigned threads);
  // After the server has stopped and before it is destroyed.
  void stop();

  // A listener for Response::stream of a request on the thread of `context`; nullptr when there are listeners_max. `last`: the seq as of
  // which it knows the states; then it is sent what has changed since, or a snapshot when that is not known any more. Its stream ends when the
  // event becomes a draft, unless it `sees_drafts`. Any thread.
  std::shared_ptr<http::StreamSource> listen(std::shared_ptr<const PublishedEvent> event, std::optional<Seq> last, bool sees_drafts,
                                             boost::asio::io_context& context);

  LiveStats stats() const;   // any thread

 private:
  friend class Listener;

  using Time = std::chrono::steady_clock::time_point;

  void run();
  void tick(const std::vector<std::shared_ptr<LiveEvent>>& events);
  void hand_out(const std::shared_ptr<LiveTick>& tick);
  std::vector<std::shared_ptr<LiveEvent>> listened_events() const;
  std::optional<Time> forget_unlistened(Time now);
  void left(LiveEvent& event);

  LiveOptions options_;
  std::vector<std::unique_ptr<LiveThread>> threads_;
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> editions_{0};
  std::atomic<std::chrono::milliseconds> period_;

  mutable std::mutex mutex_;   // of what follows
  std::condition_variable wake_;
  std::map<EventNumber, std::shared_ptr<LiveEvent>> events_;
  std::vector<std::shared_ptr<LiveEvent>> withdrawn_;   // others have their numbers; until their listeners have ended
  std::size_t listeners_ = 0;
  bool stopping_ = false;

  std::thread thread_;
};

}   // namespace holdfast
