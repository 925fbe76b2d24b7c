// What is wrong with a text that makes an event: as many mistakes as somebody mends at once, each with its place; and what of a seating
// plan Holdfast does not take over.
//
// Their memory is bounded whatever the text has: k_mistakes_kept and k_not_taken_kept, the rest is counted. Not for several threads at
// once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"

namespace holdfast::api {

inline constexpr std::size_t k_mistakes_kept = 20;
inline constexpr std::size_t k_not_taken_kept = 20;

struct Mistake {
  std::string what;         // what must be mended; goes on after the place: "`seats[3].x` must be a number"
  std::string member{};     // its path; empty: it is not one member's
  std::uint64_t line = 0;   // of the text, from 1; 0: it is the whole text's
  std::string seat{};       // the seat's label, `?` for a part that is not known; empty: it is not one seat's
  std::string seat_id{};    // empty: the text gives it none
};

class Mistakes {
 public:
  // Keeps it if there is room, else counts it.
  void add(Mistake mistake);
  // Before all others, in place of the last if there is no room: the text cannot be read on.
  void put_first(Mistake mistake);
  bool empty() const { return count_ == 0; }
  bool is_full() const { return kept_.size() == k_mistakes_kept; }
  std::size_t count() const { return count_; }
  std::span<const Mistake> kept() const { return kept_; }
  std::span<Mistake> kept() { return kept_; }
  bool has(std::string_view member) const;
  void sort_by_line();

  // For people: the first, and how many more there are.
  std::string summary() const;
  // `"mistakes":[…],"moreMistakes":0`, into an object that is open.
  void append(Json& json) const;

 private:
  std::vector<Mistake> kept_;
  std::size_t count_ = 0;
};

// "Line 4, seat A-1-2 (id T-2): `seats[1].x` must be a number."
std::string sentence_of(const Mistake& mistake);

// Members of a seating plan that have no meaning here, each once.
class NotTaken {
 public:
  struct Entry {
    std::string member;       // its path inside the plan, without numbers: zones[].areas
    std::uint64_t count = 0;  // how often it is there; of an array, how many items
    std::uint64_t line = 0;   // of the first
  };

  void add(std::string_view member, std::uint64_t count, std::uint64_t line);
  std::span<const Entry> entries() const { return entries_; }
  std::uint64_t others() const { return others_; }   // occurrences of members that are not listed
  // `{"members":[…],"others":0}`
  void append(Json& json) const;

 private:
  std::vector<Entry> entries_;
  std::uint64_t others_ = 0;
};

}  // namespace holdfast::api
