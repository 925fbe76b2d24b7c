// What must be true: the events as the models of tests/core have them, and the idempotency keys, once more in the simplest form.
//
//   Book book(keys_max);
//   book.open(7, model);
//   const Verdict verdict = book.takes(submission, now);   // the expected answer; the book has its effect
//   Book before = book;                                     // copies share nothing
//
// For one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "core/keys.h"
#include "core/model.h"
#include "core/submission.h"

namespace holdfast::simulation {

class Book {
 public:
  explicit Book(std::size_t keys_max) : keys_max_(keys_max) {}

  void open(EventNumber number, Model model) { events_.emplace(number, std::move(model)); }
  bool has(EventNumber number) const { return events_.contains(number); }
  const std::map<EventNumber, Model>& events() const { return events_; }

  // Time passes for all events: holds end.
  void pass(Millis now);
  Verdict takes(const Submission& submission, Millis now);

 private:
  struct Key {
    Fingerprint request;
    Millis at;
    UsuallyOne<Outcome> outcomes;
  };

  std::optional<Verdict> ask_key(const Submission& submission, Millis now);
  std::optional<Verdict> refuse_set(const Submission& submission, Millis now) const;

  std::size_t keys_max_;
  std::map<EventNumber, Model> events_;
  std::map<Fingerprint, Key> keys_;
};

}   // namespace holdfast::simulation
