#include "ledger/start_progress.h"

#include <cstddef>

namespace holdfast {
namespace {

// 1,200,000
std::string grouped(std::int64_t number) {
  constexpr std::size_t k_group = 3;
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > k_group; at -= k_group) text.insert(at - k_group, ",");
  return text;
}

}  // namespace

std::string told_of(const StartProgress& progress) {
  std::string text(progress.doing);
  if (progress.of > 0) text += ", " + grouped(progress.done) + " of " + grouped(progress.of) + " " + std::string(progress.unit);
  return text;
}

}  // namespace holdfast
