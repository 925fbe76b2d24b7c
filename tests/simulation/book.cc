#include "simulation/book.h"

#include <algorithm>

namespace holdfast::simulation {
namespace {

Verdict refuse_all(std::size_t parts, Reason reason, Limit limit = Limit::none) {
  Verdict verdict;
  for (std::size_t i = 0; i < parts; ++i) {
    verdict.outcomes.push_back(refused(reason));
    verdict.outcomes.back().limit = limit;
  }
  return verdict;
}

}   // namespace

void Book::pass(Millis now) {
  for (auto& [number, model] : events_) model.does(Sweep{}, now);
}

Verdict Book::takes(const Submission& submission, Millis now) {
  pass(now);
  if (auto decided = ask_key(submission, now)) return *std::move(decided);
  if (auto refusal = refuse_set(submission, now)) return *std::move(refusal);
  Verdict verdict;
  bool has_changed = false;
  for (const Part& part : submission.parts) {
    const auto event = events_.find(part.event);
    if (event == events_.end()) return refuse_all(submission.parts.size(), Reason::event_not_found);
    // Commands with keys change seats, or nothing.
    const auto before = event->second.seats();
    verdict.outcomes.push_back(event->second.does(part.command, now));
    has_changed = has_changed || event->second.seats() != before;
  }
  if (submission.key && verdict.accepted() && has_changed) keys_[submission.key->key] = {submission.key->request, now, verdict.outcomes};
  return verdict;
}

std::optional<Verdict> Book::ask_key(const Submission& submission, Millis now) {
  if (!submission.key) return std::nullopt;
  std::erase_if(keys_, [&](const auto& key) { return key.second.at + k_keys_kept <= now; });
  const auto known = keys_.find(submission.key->key);
  if (known == keys_.end()) {
    if (keys_.size() < keys_max_) return std::nullopt;
    return refuse_all(submission.parts.size(), Reason::limit_exceeded, Limit::idempotency_keys);
  }
  if (known->second.request != submission.key->request) return refuse_all(submission.parts.size(), Reason::idempotency_key_reused);
  Verdict verdict;
  verdict.outcomes = known->second.outcomes;
  verdict.replayed = true;
  return verdict;
}

// A set over several events: all or nothing. If one part is refused, the others would have been accepted, and are not.
std::optional<Verdict> Book::refuse_set(const Submission& submission, Millis now) const {
  if (submission.parts.size() == 1) return std::nullopt;
  Verdict verdict;
  for (const Part& part : submission.parts) {
    const auto event = events_.find(part.event);
    if (event == events_.end()) {
      verdict.outcomes.push_back(refused(Reason::event_not_found));
      continue;
    }
    Model tried = event->second;
    verdict.outcomes.push_back(tried.does(part.command, now));
  }
  if (verdict.accepted()) return std::nullopt;
  for (Outcome& outcome : verdict.outcomes) {
    if (outcome.accepted()) outcome = refused(Reason::another_part_refused);
  }
  return verdict;
}

}   // namespace holdfast::simulation
