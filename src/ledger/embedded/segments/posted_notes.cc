#include "ledger/embedded/segments/posted_notes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/check.h"

namespace holdfast::segments {

std::future<void> PostedNotes::post(NoteKind kind, std::string text) {
  HOLDFAST_CHECK(text.size() <= k_note_bytes_max);
  std::promise<void> promise;
  std::future<void> future = promise.get_future();
  {
    const std::scoped_lock lock(mutex_);
    if (error_) {
      promise.set_exception(error_);
      return future;
    }
    Note& waiting = waiting_[kind];
    waiting.text = std::move(text);
    waiting.promises.push_back(std::move(promise));
  }
  if (wake_) wake_();
  return future;
}

std::size_t PostedNotes::take() {
  const std::scoped_lock lock(mutex_);
  for (auto& [kind, waiting] : waiting_) {
    Note& taken = taken_[kind];
    taken.text = std::move(waiting.text);
    std::ranges::move(waiting.promises, std::back_inserter(taken.promises));
  }
  waiting_.clear();
  return taken_.size();
}

void PostedNotes::add_to(Round& round) const {
  for (const auto& [kind, note] : taken_) round.add_note(kind, note.text);
}

void PostedNotes::written() {
  for (auto& [kind, note] : taken_) {
    for (std::promise<void>& promise : note.promises) promise.set_value();
  }
  taken_.clear();
}

void PostedNotes::failed(const std::exception_ptr& error) {
  const std::scoped_lock lock(mutex_);
  error_ = error;
  for (ByKind* notes : {&taken_, &waiting_}) {
    for (auto& [kind, note] : *notes) {
      for (std::promise<void>& promise : note.promises) promise.set_exception(error);
    }
    notes->clear();
  }
}

}  // namespace holdfast::segments
