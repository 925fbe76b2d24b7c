// What a process still does before it aborts: it writes the log lines that wait in a queue, which often have the cause.
//
//   set_last_words(&end_the_log);   // the owner of the queue
//   say_last_words();               // code that is about to abort
#pragma once

namespace holdfast {

using LastWords = void (*)() noexcept;

// Call before other threads start. Any thread may call `words`, several at once. It must return soon, even if a disk or a reader hangs.
void set_last_words(LastWords words) noexcept;

void say_last_words() noexcept;

}   // namespace holdfast
