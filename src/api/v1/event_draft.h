// A new event as its text has been read so far, with its mistakes. In the end it becomes the event, or the list of mistakes.
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

// A seat with its texts as numbers in Texts. `category` is the number of the category's name.
struct ReadSeat {
  std::string id{};
  std::uint32_t section = 0, row = 0, number = 0, category = 0;
  float x = 0, y = 0;
  std::uint32_t line = 0;
  bool is_wrong = false;   // a mistake has been noted
  bool is_taken = false;   // the text says that it is not available
};
static_assert(sizeof(ReadSeat) == 64, "memory holds millions of these while an event is read");

// Keeps each different text once and gives it a number. Number 0 is the empty text.
class Texts {
 public:
  static constexpr std::size_t k_bytes_max = std::size_t{256} * 1024 * 1024;

  explicit Texts(std::size_t bytes_max = k_bytes_max) : bytes_max_(bytes_max) { number(""); }
  Texts(const Texts&) = delete;
  Texts& operator=(const Texts&) = delete;

  // The number of a text; that of the empty text if there is no room for it.
  std::uint32_t number(std::string_view text);
  // Whether there has been no room for a text.
  bool is_full() const { return is_full_; }
  const std::string& operator[](std::uint32_t number) const { return texts_[number]; }

 private:
  const std::size_t bytes_max_;   // of all texts, without the memory to manage them
  std::size_t bytes_ = 0;
  bool is_full_ = false;
  std::deque<std::string> texts_;   // a deque, because its texts never move and the keys point to them
  boost::unordered_flat_map<std::string_view, std::uint32_t> numbers_;
};

class EventDraft {
 public:
  static constexpr std::size_t k_no_seat = static_cast<std::size_t>(-1);

  EventReader::Root root = EventReader::Root::event;
  EventReader::Defaults defaults{};
  std::uint64_t line = 1;   // the line of the text that is being read

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

  // Notes a mistake at `line`, or of a seat: an index into `seats`, or its size for the seat that is being read.
  void note(std::string what, std::string_view member = {}, std::size_t seat = k_no_seat);
  // Notes a mistake of the event as a whole.
  void note_whole(std::string what, std::string_view member = {});
  // Notes why reading has ended early. This mistake comes before all others.
  void note_end(std::string what);
  bool has_ended() const { return has_ended_; }
  const Mistakes& mistakes() const { return mistakes_; }

  // The mistakes so far, with the labels and ids of their seats.
  Mistakes report() const;

  // The event or its mistakes, after the whole text has been read. Call it once.
  std::expected<ReadEvent, Mistakes> make();

 private:
  struct Repeated;   // a seat with the label or id of an earlier seat
  class CategoryTable;

  std::string label_of(const ReadSeat& seat, std::string_view unknown = "?") const;
  std::string name_in_words(const ReadSeat& seat) const;
  void check_whole();
  std::shared_ptr<const Plan> make_plan(const CategoryTable& categories, bool keeps_ids);
  void note_repeated(const std::vector<Repeated>& repeated);
  void note_repeated(const Repeated& each, std::size_t first);

  Mistakes mistakes_;
  std::vector<std::size_t> noted_seats_;   // the seat of each mistake that is kept
  bool has_ended_ = false;
};

// A name as a message shows it, cut if it is long.
std::string in_backticks(std::string_view text);

}  // namespace holdfast::api
