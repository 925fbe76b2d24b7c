// One event with listeners: its states as of the last edition, and the messages that lead there.
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

// What a listener is sent, and the seq that it has then. No chunk: there is nothing to send.
struct LiveUpdate {
  Seq seq;
  http::Chunk chunk;
  unsigned history;   // which one the seq is of: it grows when the ledger's database has lost what was shown
};

// Any thread, except where a comment says otherwise.
class LiveEvent {
 public:
  explicit LiveEvent(std::shared_ptr<const PublishedEvent> event);
  LiveEvent(const LiveEvent&) = delete;
  LiveEvent& operator=(const LiveEvent&) = delete;

  EventNumber number() const { return event_->card().number; }
  bool is_draft() const { return event_->status() == EventStatus::draft; }
  // Those who listen are told nothing more: they must come again.
  bool is_withdrawn() const { return event_->is_withdrawn(); }

  // Makes the next edition when a seat was touched since the last; false when none was.
  bool advance();
  // Looks no more. Nothing else is called after it.
  void end() const { event_->watch(nullptr); }

  // For who knows the states as of `after` in `history`: what brings him to the edition.
  LiveUpdate since(Seq after, unsigned history);
  // For who comes: since `last` when that is known, else a snapshot.
  LiveUpdate first(std::optional<Seq> last);

  // ---- for the hub, under its lock
  std::size_t listeners = 0;
  std::chrono::steady_clock::time_point left_at;      // when the last listener left
  std::chrono::steady_clock::time_point comment_at;   // when the last comment was due

 private:
  // Remembers touches, on the ledger's writing thread.
  class Tap : public SeatWatcher {
   public:
    void on_begin(Seq seq, std::span<const SeatState> states) override;
    void on_change(Seq seq, Seats seats, std::span<const SeatState> states) override;

    std::mutex mutex;   // taken after the event's own
    RecentTouches recent{0};
    Seq begin_seq = 0;
    std::string begin_states;   // until they are taken
    unsigned begins = 0;        // more than were asked for: the event has another history
  };

  void begin();
  LiveUpdate update_from(Seq after);
  LiveUpdate remember(Seq from, const std::vector<Touch>& touches);
  LiveUpdate snapshot();

  std::shared_ptr<const PublishedEvent> event_;
  std::shared_ptr<Tap> tap_ = std::make_shared<Tap>();

  std::mutex mutex_;     // of what follows; taken before the event's own
  Seq seq_ = 0;          // of the edition
  unsigned begins_ = 0;   // of the tap that are known here
  unsigned history_ = 0;
  std::string states_;   // as of it
  http::Chunk snapshot_;
  boost::unordered_flat_map<Seq, LiveUpdate> updates_;   // to the edition, by where they begin
};

}  // namespace holdfast
