// Whether a journal has room for what is about to be judged.
//
// A refusal after judging would be too late: memory has the change then, and the disk does not. So the ledger asks before.
#pragma once

#include <string>

namespace holdfast {

// What a round is for. While room is short, one goes on longer than the other.
enum class Work {
  growing,   // new holds, events and their changes: they need more room, and free none
  settling,   // payments, releases, returns, extensions and expiries: they free seats, or end sales that have begun
};

// Why a round cannot be taken. Nothing has changed, and the next answer may be another.
struct NotTaken {
  enum class Reason {
    too_large,   // larger than a round can be: make smaller rounds
    preparing,   // room is being made. Ask again in a moment
    no_room,   // the disk is full
    failing,   // room cannot be made for another reason, or the journal accepts nothing any more
  };
  Reason reason = Reason::failing;
  std::string what;   // says what holds and what to do
};

}   // namespace holdfast
