#include "api/v1/mistakes.h"

#include <algorithm>

namespace holdfast::api {

void Mistakes::add(Mistake mistake) {
  ++count_;
  if (!is_full()) kept_.push_back(std::move(mistake));
}

void Mistakes::put_first(Mistake mistake) {
  ++count_;
  if (is_full()) kept_.pop_back();
  kept_.insert(kept_.begin(), std::move(mistake));
}

bool Mistakes::has(std::string_view member) const { return std::ranges::find(kept_, member, &Mistake::member) != kept_.end(); }

void Mistakes::sort_by_line() {
  std::vector<Mistake> sorted;   // std::stable_sort of libstdc++ 12 does not compile without warnings
  for (Mistake& each : kept_) sorted.insert(std::ranges::upper_bound(sorted, each.line, {}, &Mistake::line), std::move(each));
  kept_ = std::move(sorted);
}

std::string Mistakes::summary() const {
  if (kept_.empty()) return {};
  std::string text = sentence_of(kept_.front());
  if (count_ == 1) return text;
  text.append(" There are ").append(std::to_string(count_)).append(" mistakes; `mistakes` lists ");
  text.append(count_ > kept_.size() ? "the first " + std::to_string(kept_.size()) : "them").append(".");
  return text;
}

void Mistakes::append(Json& json) const {
  json.array("mistakes", kept_, [&](const Mistake& each) {
    json.object([&] {
      json.member("what", each.what + ".");
      if (!each.member.empty()) json.member("member", each.member);
      if (each.line > 0) json.member("line", each.line);
      if (!each.seat.empty()) json.member("seat", each.seat);
      if (!each.seat_id.empty()) json.member("seatId", each.seat_id);
    });
  });
  json.member("moreMistakes", count_ - kept_.size());
}

std::string sentence_of(const Mistake& mistake) {
  std::string place;
  if (mistake.line > 0) place = "Line " + std::to_string(mistake.line);
  if (!mistake.seat.empty()) {
    place.append(place.empty() ? "Seat " : ", seat ").append(mistake.seat);
    if (!mistake.seat_id.empty()) place.append(" (id ").append(mistake.seat_id).append(")");
  }
  return (place.empty() ? "" : place + ": ") + mistake.what + ".";
}

void NotTaken::add(std::string_view member, std::uint64_t count, std::uint64_t line) {
  const auto known = std::ranges::find(entries_, member, &Entry::member);
  if (known != entries_.end()) {
    known->count += count;
  } else if (entries_.size() < k_not_taken_kept) {
    entries_.push_back({std::string(member), count, line});
  } else {
    others_ += count;
  }
}

void NotTaken::append(Json& json) const {
  json.object("notTaken", [&] {
    json.array("members", entries_, [&](const Entry& each) {
      json.object([&] {
        json.member("member", each.member);
        json.member("count", each.count);
        json.member("line", each.line);
      });
    });
    json.member("others", others_);
  });
}

}  // namespace holdfast::api
