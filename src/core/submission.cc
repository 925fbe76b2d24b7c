#include "core/submission.h"

#include <algorithm>

#include "core/check.h"
#include "core/inventory.h"
#include "core/rules.h"

namespace holdfast {
namespace {

// The verdict of the key; nullopt if the request must be judged.
std::optional<Verdict> ask_key(const Submission& submission, KeyTable& keys, Millis now) {
  keys.forget_old(now);
  if (const KeyTable::Record* known = keys.find(submission.key->key, now)) {
    if (known->request != submission.key->request) return refuse_all(submission, Reason::idempotency_key_reused);
    Verdict verdict;
    Reader reader(keys.outcome(*known));
    const bool decoded = decode_outcomes(reader, verdict.outcomes);
    if (!decoded) return refuse_all(submission, Reason::unavailable);   // what was kept of it is damaged, so nobody knows the answer
    verdict.replayed = true;
    return verdict;
  }
  if (keys.has_room_for(submission.key->owner)) return std::nullopt;
  Verdict verdict = refuse_all(submission, Reason::limit_exceeded);
  for (Outcome& outcome : verdict.outcomes) outcome.limit = Limit::idempotency_keys;
  return verdict;
}

// A set over several events is judged twice: first whether each hold would be accepted, then for good.
std::optional<Verdict> preview_set(const Submission& submission, const std::function<Bench(EventNumber)>& bench_of, Millis now) {
  Verdict verdict;
  bool all = true;
  for (const Part& part : submission.parts) {
    const Inventory* inventory = bench_of(part.event).inventory;
    const Hold* hold = std::get_if<Hold>(&part.command);
    if (inventory == nullptr) {
      verdict.outcomes.push_back(refused(Reason::event_not_found));
    } else {
      verdict.outcomes.push_back(hold != nullptr ? preview(*inventory, *hold, now) : Outcome{});
    }
    all = all && verdict.outcomes.back().accepted();
  }
  if (all) return std::nullopt;
  for (Outcome& outcome : verdict.outcomes) {
    if (outcome.accepted()) outcome.reason = Reason::another_part_refused;
  }
  return verdict;
}

}  // namespace

Verdict refuse_all(const Submission& submission, Reason reason) {
  Verdict verdict;
  for (std::size_t i = 0; i < submission.parts.size(); ++i) verdict.outcomes.push_back(refused(reason));
  return verdict;
}

bool key_decides(const Submission& submission, KeyTable& keys, Millis now) {
  return submission.key && ask_key(submission, keys, now).has_value();
}

bool Verdict::accepted() const { return std::ranges::all_of(outcomes, &Outcome::accepted); }

Verdict judge(const Submission& submission, const std::function<Bench(EventNumber)>& bench_of, KeyTable& keys, Millis now,
              std::optional<KeptKey>& kept) {
  HOLDFAST_CHECK(!submission.parts.empty());
  if (submission.key) {
    if (std::optional<Verdict> decided = ask_key(submission, keys, now)) return std::move(*decided);
  }
  if (submission.parts.size() > 1) {
    if (std::optional<Verdict> decided = preview_set(submission, bench_of, now)) return std::move(*decided);
  }
  Verdict verdict;
  bool has_changed = false;
  for (const Part& part : submission.parts) {
    const Bench bench = bench_of(part.event);
    if (bench.inventory == nullptr) {
      verdict.outcomes.push_back(refused(Reason::event_not_found));
      continue;
    }
    const std::uint32_t before = bench.changes->wished;   // not counting expiries, which this request or an earlier one may record
    bench.changes->trace = submission.trace ? &*submission.trace : nullptr;
    verdict.outcomes.push_back(judge(*bench.inventory, part.command, now, *bench.changes, bench.plan));
    bench.changes->trace = nullptr;
    has_changed = has_changed || bench.changes->wished > before;
  }
  HOLDFAST_CHECK(submission.parts.size() == 1 || verdict.accepted());
  if (submission.key && has_changed && verdict.accepted()) {
    kept.emplace(KeptKey{submission.parts.front().event, *submission.key, {}});
    Writer writer(kept->outcomes);
    encode_outcomes(verdict.outcomes, writer, submission.key->owner);
    keys.put(kept->key, now, kept->outcomes);
  }
  return verdict;
}

}  // namespace holdfast
