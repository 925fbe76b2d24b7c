#include "linearizability/broken_ledgers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

namespace holdfast::test {
namespace {

constexpr std::size_t k_rounds_late = 20;

// A copy whose texts and seats the round keeps; nothing for a command other than a hold or a release.
std::optional<Command> kept_in(Round& round, const Command& command) {
  const auto copy = [&](Seats seats) { return round.keep(SeatList(seats.begin(), seats.end())); };
  if (const auto* hold = std::get_if<Hold>(&command)) {
    Hold kept = *hold;
    kept.seats = copy(hold->seats);
    kept.customer = round.keep_text(std::string(hold->customer));
    return kept;
  }
  if (const auto* release = std::get_if<Release>(&command)) {
    Release kept = *release;
    kept.seats = copy(release->seats);
    return kept;
  }
  return std::nullopt;
}

bool can_wait(const Batch& batch) {
  return std::ranges::all_of(batch.entries, [](const Entry* entry) {
    return std::ranges::all_of(entry->submission.parts, [](const Part& part) {
      return std::holds_alternative<Hold>(part.command) || std::holds_alternative<Release>(part.command);
    });
  });
}

}   // namespace

ExecutionReport ForgetfulLedger::execute(std::span<const Batch> batches) {
  const ExecutionReport report = PassingLedger::execute(batches);
  for (const Batch& batch : batches) {
    for (const Entry* entry : batch.entries) {
      const Part& part = entry->submission.parts.front();
      const auto* hold = std::get_if<Hold>(&part.command);
      if (hold == nullptr || !entry->verdict.accepted() || ++holds_ % every_ != 0) continue;
      Round round;
      round.add(part.event, Release{.reservation = hold->reservation});
      PassingLedger::execute(std::array{Batch{.events = {part.event}, .entries = {&round.entries().front()}}});
    }
  }
  return report;
}

ExecutionReport HastyLedger::execute(std::span<const Batch> batches) {
  if (!std::ranges::all_of(batches, can_wait)) {
    commit_all_but(0);
    // The same commands twice: what the second execution says is thrown away.
    Round same;
    for (const Batch& batch : batches) {
      for (const Entry* entry : batch.entries) same.add(entry->submission);
    }
    same.run(disk_);
    return PassingLedger::execute(batches);
  }
  Round& late = late_.emplace_back();
  for (const Batch& batch : batches) {
    for (const Entry* entry : batch.entries) {
      Submission kept = entry->submission;
      for (Part& part : kept.parts) part.command = kept_in(late, part.command).value();
      late.add(std::move(kept));
    }
  }
  commit_all_but(k_rounds_late);
  return PassingLedger::execute(batches);
}

std::expected<EventNumber, CreationProblem> HastyLedger::reserve_event(NewEvent event) {
  const auto on_disk = disk_.reserve_event(event);
  const auto in_memory = PassingLedger::reserve_event(std::move(event));
  if (on_disk.has_value() != in_memory.has_value() || (on_disk && *on_disk != *in_memory)) {
    throw std::logic_error("the two ledgers of a HastyLedger must have the same events");
  }
  return in_memory;
}

void HastyLedger::commit_all_but(std::size_t rounds) {
  while (late_.size() > rounds) {
    late_.front().run(disk_);
    late_.pop_front();
  }
}

}   // namespace holdfast::test
