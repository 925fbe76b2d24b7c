// One request as core sees it: a command for one event, or commands for several events that are accepted or refused together, with an
// optional idempotency key.
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
  UsuallyOne<Part> parts{};   // by rising event number, each event once; several parts only of Holds, or of lock releases
  std::optional<IdempotencyKey> key{};
  std::optional<TraceParent> trace{};   // of the request; its changes are recorded with it
};

struct Verdict {
  UsuallyOne<Outcome> outcomes;   // one per part, in their order; of a replayed set, those of its original parts
  bool replayed = false;     // the first outcome of this idempotency key, returned again

  bool accepted() const;
};

// Where the judge finds an event's inventory and writes its changes. `inventory`: nullptr if the event does not exist, or not yet.
struct Bench {
  Inventory* inventory = nullptr;
  ChangeBatch* changes = nullptr;
  const Plan* plan = nullptr;   // complete once the event is no longer importing
};

// A key and its outcomes, to be written in the same commit as the changes, with the first event's part.
struct KeptKey {
  EventNumber event;
  IdempotencyKey key;
  std::string outcomes;   // encode_outcomes()
};

// A verdict that refuses every part for one reason.
Verdict refuse_all(const Submission& submission, Reason reason);

// Whether the submission's key alone decides judge()'s answer: it was used before, or there is no room for it.
bool key_decides(const Submission& submission, KeyTable& keys, Millis now);

// Judges a submission: its key first, then its parts, all or none. If it has a key, was accepted and has changed something, the key is in
// `kept`, and already in `keys`. A submission that changed nothing keeps no key: repeating it still changes nothing twice.
Verdict judge(const Submission& submission, const std::function<Bench(EventNumber)>& bench_of, KeyTable& keys, Millis now,
              std::optional<KeptKey>& kept);

}  // namespace holdfast
