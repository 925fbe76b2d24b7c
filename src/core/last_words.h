// What a process still has to say before it ends itself because it is broken: lines of a log that wait in a queue, the cause among them.
//
//   set_last_words(&end_the_log);   // whoever has such a queue
//   say_last_words();               // whoever is about to abort
#pragma once

namespace holdfast {

using LastWords = void (*)() noexcept;

// Before other threads begin. `words` is called by any thread, also by several, and must return soon, whatever becomes of a disk or a reader.
void set_last_words(LastWords words) noexcept;

void say_last_words() noexcept;

}   // namespace holdfast
