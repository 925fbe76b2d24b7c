// Assertions that stay on in releases: a process that finds its own rules broken stops rather than sells.
#pragma once

namespace holdfast {

// Writes the broken condition to standard error and aborts. Never returns.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace holdfast

// For states that only a bug in this program can cause. Anything that a client or a disk can cause is an outcome or an error.
#define HOLDFAST_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? static_cast<void>(0) : ::holdfast::check_failed(#condition, __FILE__, __LINE__))
