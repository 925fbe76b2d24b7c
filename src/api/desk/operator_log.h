// What operators did: one entry for each change that an operator asked for, whatever became of it, in the server's log and, the newest of
// them, in memory for the desk (GET /v1/operations/actions).
//
// An operator's change is one that takes the scope `admin` (block, import, webhooks, …), and any other that a caller with such a key
// sends with the header Holdfast-Note. On a server without keys everybody is an operator.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/call.h"

namespace holdfast::api {

inline constexpr std::string_view k_note_header = "Holdfast-Note";
inline constexpr std::size_t k_note_bytes_max = 200;

struct OperatorAction {
  Millis at = 0;              // when it had been answered, by the ledger's clock
  std::string key_id{};       // empty: a server without keys
  std::string key_name{};
  std::string method{};
  std::string path{};
  std::string request{};      // the beginning of its body, where that has nothing secret
  std::string note{};         // what the operator wrote
  unsigned status = 0;
  std::string code{};         // of the refusal; empty: it was done
  std::string request_id{};
};

// The note of a request: percent-encoded UTF-8 of at most k_note_bytes_max bytes, without control characters. Empty when there is none.
// Nothing when it is malformed; then the answer is there (400).
std::optional<std::string> read_note(Call& call);

class OperatorLog {
 public:
  static constexpr std::size_t k_actions_kept = 500;
  static constexpr std::size_t k_request_bytes_kept = 400;

  // Any thread.
  void add(OperatorAction action);
  // The newest first, at most `limit`. Any thread.
  std::vector<OperatorAction> newest(std::size_t limit) const;

 private:
  mutable std::mutex mutex_;
  std::deque<OperatorAction> actions_;   // the oldest first
};

}  // namespace holdfast::api
