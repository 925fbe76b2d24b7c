// What clients ask for: random requests about the events of a book, retries of earlier ones, and new events in small steps.
//
//   Workload workload(choices);
//   const Request& request = workload.draw(book);
//   entry.submission = request.submission;   // its texts and seats live as long as the workload
//
// For one thread.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/plan.h"
#include "core/submission.h"
#include "simulation/book.h"
#include "simulation/choices.h"

namespace holdfast::simulation {

// A request with everything that its commands refer to. Stays where it is.
struct Request {
  std::string name;   // "hold", …
  Submission submission;
  std::list<std::vector<SeatIndex>> seats;
  std::vector<Uuid> only;
};

// An event's seats, as the ledger gets them and as the model knows them.
struct House {
  std::uint64_t number = 0;   // makes its id
  Uuid id{};
  std::shared_ptr<const Plan> plan;
  std::vector<test::BookSeat> book;
};

class Workload {
 public:
  explicit Workload(Choices& choices) : choices_(choices), key_every_(3 + choices.below(10)) {}

  // About an open event of the book, which has at least one. Sometimes a retry of an earlier request with its key.
  const Request& draw(const Book& book);
  // The reservation exists: later requests are about it.
  void note_made(EventNumber event, const Uuid& id) { made_[event].push_back(id); }
  // A house of a few rows.
  House draw_house(std::uint64_t number);
  EventSettings draw_settings(std::uint64_t number);

 private:
  void fill(Request& request, const Book& book, EventNumber event);
  void fill_hold(Request& request, EventNumber event, std::size_t seats);
  void fill_best(Request& request, EventNumber event);
  void fill_set(Request& request, const Book& book);
  void fill_configure(Request& request, EventNumber event, bool is_closed);
  void fill_about_reservation(Request& request, EventNumber event, std::size_t seats, std::uint64_t what);
  const Request& retry();
  Seats draw_seats(Request& request, std::size_t of, std::size_t least);
  Uuid new_id(EventNumber event);
  Uuid known_id(EventNumber event);
  Millis draw_duration();
  IdempotencyKey draw_key();
  static void add(Request& request, EventNumber event, Command command) { request.submission.parts.push_back({event, std::move(command)}); }

  Choices& choices_;
  std::uint64_t key_every_;   // requests
  std::list<Request> requests_;
  std::vector<const Request*> with_key_;
  std::map<EventNumber, std::vector<Uuid>> made_;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_key_ = 0;
};

}   // namespace holdfast::simulation
