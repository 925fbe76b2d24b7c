// The actions of operators: one entry for each change that an operator asked for, whether it was accepted or refused. The server's log has all
// of them; the newest are in memory for the console (GET /v1/operations/actions).
//
// An operator's action is a change that needs the scope `admin` (block, import, webhooks, …), or any other change that a caller with such a key
// sends with the header Holdfast-Note. On a server without keys, every caller is an operator.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/request_facts.h"

namespace holdfast::api {

inline constexpr std::string_view k_note_header = "Holdfast-Note";
inline constexpr std::size_t k_note_bytes_max = 200;

struct OperatorAction {
  Millis at = 0;   // the time of the answer, by the ledger's clock
  std::string key_id{};   // empty: the server has no keys
  std::string method{};
  std::string path{};
  std::string request{};   // the beginning of its body, if that cannot have a secret
  std::string note{};   // of the header Holdfast-Note
  RequestFacts facts{};   // its status, the code of its refusal (empty: it was accepted), the key's name and the request's id
};

// The note of a request: percent-encoded UTF-8 of at most k_note_bytes_max bytes, without control characters. Empty if there is none. Nothing if
// it is malformed; then the answer is there (400).
std::optional<std::string> read_note(Call& call);

class OperatorLog {
 public:
  static constexpr std::size_t k_actions_kept = 500;
  static constexpr std::size_t k_request_bytes_kept = 400;

  // Any thread.
  void add(OperatorAction action);
  // At most `limit` actions, the newest first. Any thread.
  std::vector<OperatorAction> newest(std::size_t limit) const;

 private:
  mutable std::mutex mutex_;
  std::deque<OperatorAction> actions_;   // the oldest first
};

}   // namespace holdfast::api
