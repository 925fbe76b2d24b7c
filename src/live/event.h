// One event with listeners: its seats' states as of the last edition, and the messages that lead to it.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "http/stream.h"
#include "ledger/published.h"
#include "live/touches.h"

namespace holdfast {

// A message for a listener, and the seq that its states have after it. No chunk: there is nothing to send.
struct LiveUpdate {
  Seq seq;
  http::Chunk chunk;
  unsigned history;   // the history that the seq belongs to; rises when the ledger's database has lost changes that were shown
};

// Any thread, except where a comment says otherwise.
class LiveEvent {
 public:
  explicit LiveEvent(std::shared_ptr<const PublishedEvent> event);
  LiveEvent(const LiveEvent&) = delete;
  LiveEvent& operator=(const LiveEvent&) = delete;

  EventNumber number() const { return event_->card().number; }
  bool is_draft() const { return event_->status() == EventStatus::draft; }
  // Whether its listeners get no further updates and must reconnect.
  bool is_withdrawn() const { return event_->is_withdrawn(); }

  // Makes the next edition if a seat was touched since the last one. Returns whether it did.
  bool advance();
  // Stops watching the event. The last call.
  void end() const { event_->watch(nullptr); }

  // The update from the states as of `after` in `history` to the edition.
  LiveUpdate since(Seq after, unsigned history);
  // The first update of a new listener: the changes since `last` if they are known, otherwise a snapshot.
  LiveUpdate first(std::optional<Seq> last);

  // ---- For the hub, under its lock.
  std::size_t listeners = 0;
  std::chrono::steady_clock::time_point left_at;      // when the last listener left
  std::chrono::steady_clock::time_point comment_at;   // when the last comment line was due

 private:
  // Remembers touches, on the ledger's writing thread.
  class Tap : public SeatWatcher {
   public:
    void on_begin(Seq seq, std::span<const SeatState> states) override;
    void on_change(Seq seq, Seats seats, std::span<const SeatState> states) override;

    std::mutex mutex;   // locked after the event's own
    RecentTouches recent{0};
    Seq begin_seq = 0;
    std::string begin_states;   // until begin() takes them
    unsigned begins = 0;        // more than LiveEvent asked for: the event has another history
  };

  void begin();
  LiveUpdate update_from(Seq after);
  LiveUpdate remember(Seq from, const std::vector<Touch>& touches);
  LiveUpdate snapshot();

  std::shared_ptr<const PublishedEvent> event_;
  std::shared_ptr<Tap> tap_ = std::make_shared<Tap>();

  std::mutex mutex_;     // guards the rest; locked before the event's own
  Seq seq_ = 0;          // of the edition
  unsigned begins_ = 0;   // the tap's, as of the last begin()
  unsigned history_ = 0;
  std::string states_;   // as of seq_
  http::Chunk snapshot_;
  boost::unordered_flat_map<Seq, LiveUpdate> updates_;   // updates to the edition, by the seq at which they begin
};

}  // namespace holdfast
