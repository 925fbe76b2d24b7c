// One request of a caller as core sees it: a command for one event, or a set of commands for several, all or none, perhaps with
// an idempotency key.
#pragma once

#include <functional>
#include <optional>

#include "core/change.h"
#include "core/command.h"
#include "core/keys.h"
#include "core/trace.h"

namespace holdfast {

class Inventory;
class Plan;

struct Part {
  EventNumber event = 0;
  Command command;
};

struct Submission {
  UsuallyOne<Part> parts{};   // by rising event number, each event once; several only of Holds, or of lock releases
  std::optional<IdempotencyKey> key{};
  std::optional<TraceParent> trace{};   // of the request; the changes that it causes are recorded with it
};

struct Verdict {
  UsuallyOne<Outcome> outcomes;   // one a part, in the order of the parts; of a replayed set, those of the parts that it had then
  bool replayed = false;     // the first outcome of this idempotency key, given again

  bool accepted() const;
};

// Where the judge finds an event's inventory and writes its changes. `inventory` is nullptr for an event that there is not, or
// not yet.
struct Bench {
  Inventory* inventory = nullptr;
  ChangeBatch* changes = nullptr;
  const Plan* plan = nullptr;   // complete once the event is not importing any more
};

// What a key must be kept with, in the same commit as the changes: in the part of the first event.
struct KeptKey {
  EventNumber event;
  IdempotencyKey key;
  std::string outcomes;   // encode_outcomes()
};

// A verdict that refuses every part for one reason.
Verdict refuse_all(const Submission& submission, Reason reason);

// Whether the submission's key settles what judge() answers, whatever its parts say: it was used before, or there is no room for
// it.
bool key_decides(const Submission& submission, KeyTable& keys, Millis now);

// Judges a submission: its key first, then its parts, all or none. When it has a key, was accepted and has changed something, `kept`
// has the key and `keys` has it already. What changed nothing keeps no key: done again, it is still done at most once.
Verdict judge(const Submission& submission, const std::function<Bench(EventNumber)>& bench_of, KeyTable& keys, Millis now,
              std::optional<KeptKey>& kept);

}  // namespace holdfast
