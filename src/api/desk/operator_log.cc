#include "api/desk/operator_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "api/query.h"
#include "core/utf8.h"

namespace holdfast::api {
namespace {

// A caller's text in a log line must not begin a new line.
std::string in_one_line(std::string_view text, std::size_t bytes_max) {
  std::string line(text.substr(0, bytes_max));
  // Not in the middle of a character.
  while (line.size() < text.size() && !line.empty() && (static_cast<unsigned char>(text[line.size()]) & 0xC0) == 0x80) line.pop_back();
  return without_controls(line);
}

}  // namespace

std::optional<std::string> read_note(Call& call) {
  const std::string_view* header = call.request.header(k_note_header);
  if (header == nullptr) return "";
  auto note = decode_percent(*header, false);
  if (note && note->size() <= k_note_bytes_max && is_utf8(*note) && !has_control(*note)) return note;
  return malformed(call, "`Holdfast-Note` must be percent-encoded UTF-8 of at most " + std::to_string(k_note_bytes_max) +
                             " bytes, without control characters and without characters that set the direction of text.");
}

void OperatorLog::add(OperatorAction action) {
  action.request = is_utf8(action.request) ? in_one_line(action.request, k_request_bytes_kept) : "";
  const std::string who =
      action.key_id.empty() ? "without a key" : "with the key " + action.key_id + " (" + without_controls(action.facts.key_name) + ")";
  spdlog::info("an operator {} asked for {} {} {}{}: {}{} [request {}]", who, action.method, in_one_line(action.path, action.path.size()),
               action.request, action.note.empty() ? "" : " because \"" + action.note + "\"", action.facts.status,
               action.facts.code.empty() ? "" : " " + std::string(action.facts.code), action.facts.request_id);
  const std::scoped_lock lock(mutex_);
  if (actions_.size() == k_actions_kept) actions_.pop_front();
  actions_.push_back(std::move(action));
}

std::vector<OperatorAction> OperatorLog::newest(std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, actions_.size()));
  return {actions_.rbegin(), actions_.rbegin() + count};
}

}  // namespace holdfast::api
