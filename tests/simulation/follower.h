// A program that follows all changes, as webhooks, Kafka and platforms do, and keeps what it has read whatever becomes of the node. From the
// changes alone it knows each seat's state and version.
//
//   Follower follower;
//   follower.read(ledger, 100, ReadFrom::anywhere);   // the next page; throws Failure if it does not continue the last one
//   follower.compare(ledger);                          // once it has read everything
//
// For one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ledger/embedded/embedded_ledger.h"

namespace holdfast::simulation {

// Everything that readers are told of a change, on one line.
std::string told(const RecordedChange& change);

class Follower {
 public:
  // Reads a page of at most `limit` changes. False if there are none, or if they cannot be had from memory. `may_fail`: the disk fails, so the
  // journal may be unreadable at the moment.
  bool read(const EmbeddedLedger& ledger, std::size_t limit, ReadFrom from, bool may_fail);
  // The last journal row that it has read whole: the journal may forget it.
  Position passed() const;
  // After a start: the ledger still has every change that it was told.
  void check_nothing_lost(const EmbeddedLedger& ledger) const;
  // What it knows is what the ledger shows.
  void compare(const EmbeddedLedger& ledger) const;
  // The event's changes after `after` are those that it was told. `may_be_gone`: the journal removes old rows.
  void compare_pages(const EmbeddedLedger& ledger, EventNumber event, Seq after, bool may_be_gone, bool may_fail) const;
  // A seat's whole history in the tables has what it was told.
  void compare_history(const EmbeddedLedger& ledger, EventNumber event, SeatIndex seat) const;

  std::uint64_t count() const { return count_; }
  Seq last_of(EventNumber event) const;

 private:
  struct Seat {
    SeatState state = SeatState::available;
    std::uint32_t version = 0;
    std::vector<Seq> changes{};
  };
  struct Event {
    Uuid id{};
    std::map<SeatIndex, Seat> seats;
    std::vector<std::string> told;   // by number of the change, from 1
  };

  void take(const RecordedChange& change);

  std::map<EventNumber, Event> events_;
  std::string cursor_{k_cursor_first};
  std::uint64_t count_ = 0;
};

}   // namespace holdfast::simulation
