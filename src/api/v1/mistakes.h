// The mistakes in the text of a new event, each with its place, and the members of a seating plan that Holdfast ignores.
//
//   Mistakes mistakes;
//   mistakes.add({.what = "`name` must be a string", .member = "name", .line = 2});
//   mistakes.summary();   // "Line 2: `name` must be a string."
//
// Both keep a fixed number of entries (k_mistakes_kept, k_not_taken_kept) and count the rest, so that a hostile text cannot fill the memory. Not
// for several threads at once.
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
  std::string what;   // follows the place in a message: "`seats[3].x` must be a number"
  std::string member{};   // the member's path; empty: the mistake is not in one member
  std::uint64_t line = 0;   // of the text, from 1; 0: the mistake is in the whole text
  std::string seat{};   // the seat's label, with `?` for an unknown part; empty: the mistake is not in one seat
  std::string seat_id{};   // empty: the text has no id for the seat
};

class Mistakes {
 public:
  // Keeps the mistake if there is room, else counts it.
  void add(Mistake mistake);
  // Keeps a mistake before all others, in place of the last if there is no room.
  void put_first(Mistake mistake);
  bool empty() const { return count_ == 0; }
  bool is_full() const { return kept_.size() == k_mistakes_kept; }
  std::size_t count() const { return count_; }
  std::span<const Mistake> kept() const { return kept_; }
  std::span<Mistake> kept() { return kept_; }
  bool has(std::string_view member) const;
  void sort_by_line();

  // Sentences for people: the first mistake, and how many there are.
  std::string summary() const;
  // Writes `"mistakes":[…],"moreMistakes":0` into an open object.
  void append(Json& json) const;

 private:
  std::vector<Mistake> kept_;
  std::size_t count_ = 0;
};

// "Line 4, seat A-1-2 (id T-2): `seats[1].x` must be a number."
std::string sentence_of(const Mistake& mistake);

// The members of a seating plan that Holdfast ignores, each once.
class NotTaken {
 public:
  struct Entry {
    std::string member;   // its path in the plan, without numbers: zones[].areas
    std::uint64_t count = 0;   // how often it occurs; an array counts its items
    std::uint64_t line = 0;   // of the first occurrence
  };

  void add(std::string_view member, std::uint64_t count, std::uint64_t line);
  std::span<const Entry> entries() const { return entries_; }
  std::uint64_t others() const { return others_; }   // occurrences of members that are not kept
  // Writes `"notTaken":{"members":[…],"others":0}` into an open object.
  void append(Json& json) const;

 private:
  std::vector<Entry> entries_;
  std::uint64_t others_ = 0;
};

}   // namespace holdfast::api
