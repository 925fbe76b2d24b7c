#include "json/member_names.h"

#include <algorithm>
#include <random>

#include "core/hash.h"

namespace holdfast {
namespace {

constexpr std::size_t k_few = 16;
constexpr std::size_t k_shown_bytes_max = 128;

// One seed for the process. No answer depends on it, so clients cannot find it out.
std::uint64_t random_seed() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return std::uint64_t{device()} << 32U | device();
  }();
  return seed;
}

}  // namespace

std::size_t MemberNames::SeededHash::operator()(std::string_view name) const { return hash_bytes(name, seed); }

MemberNames::MemberNames() : hash_{random_seed()} {}

void MemberNames::open() {
  if (depth_ == objects_.size()) objects_.push_back({.few = {}, .many = Set(0, hash_)});
  ++depth_;
}

void MemberNames::close() {
  Object& object = objects_[--depth_];
  size_ -= object.few_used + object.many.size();
  object.few_used = 0;
  if (!object.many.empty()) object.many = Set(0, hash_);
}

bool MemberNames::add(std::string_view name) {
  Object& object = objects_[depth_ - 1];
  const auto end = object.few.begin() + static_cast<std::ptrdiff_t>(object.few_used);
  if (std::find(object.few.begin(), end, name) != end) return false;
  if (object.few_used == k_few) {
    if (!object.many.emplace(name).second) return false;
  } else {
    if (object.few_used == object.few.size()) object.few.emplace_back();
    object.few[object.few_used++] = name;
  }
  ++size_;
  return true;
}

std::string shown_name(std::string_view name) {
  std::string_view shown = name.substr(0, k_shown_bytes_max);
  while (shown.size() < name.size() && !shown.empty() && (static_cast<unsigned char>(name[shown.size()]) & 0xC0) == 0x80) {
    shown.remove_suffix(1);   // not in the middle of a character
  }
  return std::string(shown) + (shown.size() < name.size() ? "…" : "");
}

std::string duplicate_member(std::string_view name) { return "Duplicate member `" + shown_name(name) + "`."; }

}  // namespace holdfast
