// An event as its text has been read so far, with all that is wrong with it; in the end it becomes the event, or a list of mistakes.
//
//   EventDraft draft;
//   …a seat    draft.seats.push_back({.line = 4, …});
//   …a mistake draft.note("`seats[0].x` must be a number", "seats[0].x", 0);
//   auto made = draft.make();
//
// Not for several threads at once.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/v1/event_reader.h"
#include "api/v1/mistakes.h"
#include "core/plan.h"

namespace holdfast::api {

// Texts by their number, the category by its name's.
struct ReadSeat {
  std::string id{};
  std::uint32_t section = 0, row = 0, number = 0, category = 0;
  float x = 0, y = 0;
  std::uint32_t line = 0;
  bool is_wrong = false;   // a mistake has been noted
  bool is_taken = false;   // its file says that it is not available
};
static_assert(sizeof(ReadSeat) == 64, "of a million seats while they are read");

// Each different text once. Number 0 is the empty one.
class Texts {
 public:
  static constexpr std::size_t k_bytes_max = std::size_t{1} << 30;

  explicit Texts(std::size_t bytes_max = k_bytes_max) : bytes_max_(bytes_max) { number(""); }
  Texts(const Texts&) = delete;
  Texts& operator=(const Texts&) = delete;

  // That of the empty text when there is no room for this one.
  std::uint32_t number(std::string_view text);
  // Whether there was no room for a text.
  bool is_full() const { return is_full_; }
  const std::string& operator[](std::uint32_t number) const { return texts_[number]; }

 private:
  const std::size_t bytes_max_;   // of all texts together, without what it takes to keep them
  std::size_t bytes_ = 0;
  bool is_full_ = false;
  std::deque<std::string> texts_;   // stay where they are: the keys point at them
  boost::unordered_flat_map<std::string_view, std::uint32_t> numbers_;
};

class EventDraft {
 public:
  static constexpr std::size_t k_no_seat = static_cast<std::size_t>(-1);

  EventReader::Root root = EventReader::Root::event;
  EventReader::Defaults defaults{};
  std::uint64_t line = 1;   // of the text, where the reader is

  EventSettings settings{};
  EventCard card{};
  std::optional<bool> keep_ids{};
  bool has_id = false;
  bool has_seats = false;
  bool has_plan = false;
  std::vector<Category> event_categories{};
  std::vector<Category> plan_categories{};
  std::vector<ReadSeat> seats{};
  Texts texts{};
  NotTaken not_taken{};

  // A mistake at `line`, or of a seat (a place in `seats`; the next one is the seat that is being read).
  void note(std::string what, std::string_view member = {}, std::size_t seat = k_no_seat);
  // Of the event as a whole.
  void note_whole(std::string what, std::string_view member = {});
  // Why the text cannot be read on. It stands before all others.
  void note_end(std::string what);
  bool has_ended() const { return has_ended_; }
  const Mistakes& mistakes() const { return mistakes_; }

  // All that is wrong so far, with the names of the seats.
  Mistakes report() const;

  // The event, once the whole text has been read.
  std::expected<ReadEvent, Mistakes> make();

 private:
  struct Repeated;   // a seat whose label or id an earlier one has
  class CategoryTable;

  std::string label_of(const ReadSeat& seat, std::string_view unknown = "?") const;
  std::string name_in_words(const ReadSeat& seat) const;
  void check_whole();
  std::shared_ptr<const Plan> make_plan(const CategoryTable& categories, bool keeps_ids);
  void note_repeated(const std::vector<Repeated>& repeated);
  void note_repeated(const Repeated& each, std::size_t first);

  Mistakes mistakes_;
  std::vector<std::size_t> noted_seats_;   // of each that is kept: its seat
  bool has_ended_ = false;
};

// A name in a message.
std::string in_backticks(std::string_view text);

}  // namespace holdfast::api
