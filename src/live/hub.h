// The live seat map: the listeners of each event, and what they are sent (docs/internals/live-map.md).
//
// One thread checks the events that have listeners ten times a second, and sleeps while there are none. If an event has changed, it makes the
// event's next edition. Each thread of the HTTP server hands the edition to its own listeners in slices of time, so that requests continue in
// between. The more this costs, the rarer it gets, down to once a second. A message is encoded and framed once per edition, whatever the
// number of listeners.
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
  std::size_t listeners_max = 10'000;
  std::chrono::seconds comment_period{15};   // a comment line to each listener, so that proxies keep the stream
};

// For metrics. Counts are since the start.
struct LiveStats {
  std::uint64_t listeners;   // now
  std::uint64_t refused;   // over listeners_max
  std::uint64_t editions;   // of all events
  std::uint64_t messages;   // handed to listeners, without comment lines
  std::uint64_t dropped;   // listeners that were dropped because they did not read
  std::chrono::milliseconds period;   // current interval between two checks
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

  // Call each once, before the server starts.
  void set_options(const LiveOptions& options) { options_ = options; }
  void attach(http::Server& server, unsigned threads);
  // Call after the server has stopped and before it is destroyed.
  void stop();

  // A listener for Response::stream of a request on the thread of `context`; nullptr if there are listeners_max. `last`: the seq of the states
  // that the client knows. It is sent the changes since then, or a snapshot if they are not kept any more. The stream ends when the event
  // becomes a draft, unless the client `sees_drafts`. Any thread.
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

  mutable std::mutex mutex_;   // guards the members below
  std::condition_variable wake_;
  std::map<EventNumber, std::shared_ptr<LiveEvent>> events_;
  std::vector<std::shared_ptr<LiveEvent>> withdrawn_;   // other events have their numbers now; kept until their listeners have ended
  std::size_t listeners_ = 0;
  bool stopping_ = false;

  std::thread thread_;
};

}   // namespace holdfast
