// Records what tests ask of the program about seats, what it answers, and when: the histories that tests/linearizability checks.
//
// When HOLDFAST_TEST_HISTORIES names a folder, each test writes the file SUITE.TEST.jsonl there: a line of two clocks, {"monotonic": ns,
// "wall": ms since 1970}, then one line for each request:
//
//   {"client","call","return","method","target","key","request","status","replayed","answer"}
//
// `call` and `return` are in ns of the monotonic clock, before the first byte is sent and after the last one has come. `client` is a connection.
// A request without an answer has "return": null, and neither status nor answer. Of a refusal, `answer` has only the code and the seats that are
// the reason. Left out is what says nothing about a seat at a moment: new events, and every GET except that of one seat.
//
// Client does all of this for its connection. Without the folder it costs one comparison a request.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

namespace holdfast::test {

struct Answer;

// Records in this folder from now on, whatever the environment says. Any thread, while no request is in flight.
void record_histories_in(const std::filesystem::path& folder);
// Completes the file of the current test and returns its path; empty if nothing was recorded. While no request is in flight. The next request
// begins the file anew.
std::filesystem::path end_history();

// The requests in flight of one connection. Of one thread at a time.
class Conversation {
 public:
  Conversation() = default;
  ~Conversation() { end(); }
  Conversation(Conversation&& other) noexcept;
  Conversation& operator=(Conversation&& other) noexcept;

  // Before these bytes are sent: whole requests. Throws std::logic_error for others, which no history can have.
  void asks(std::string_view bytes);
  // After the answer to the oldest request in flight has come.
  void hears(const Answer& answer);
  // No further answers come.
  void end();

 private:
  struct Asked {
    bool is_of_seats;
    std::int64_t call_ns;
    std::string begin;   // of its line, up to the request
  };

  int client_ = 0;   // 0: has asked nothing yet
  std::deque<Asked> asked_;
};

}   // namespace holdfast::test
