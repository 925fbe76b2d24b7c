#include "api/operator_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json/parse.hpp>

#include "api/query.h"

namespace holdfast::api {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool is_utf8(std::string_view text) {
  std::string json;
  append_json(json, text);
  boost::json::error_code error;
  boost::json::parse(json, error);   // takes valid UTF-8 only
  return !error;
}

// A log line is a line: what a caller wrote must not begin another one.
std::string in_one_line(std::string_view text, std::size_t bytes_max) {
  std::string line(text.substr(0, bytes_max));
  // Not in the middle of a character.
  while (line.size() < text.size() && !line.empty() && (static_cast<unsigned char>(text[line.size()]) & 0xC0) == 0x80) line.pop_back();
  std::ranges::replace_if(line, is_control, ' ');
  return line;
}

}  // namespace

std::optional<std::string> read_note(Call& call) {
  const std::string_view* header = call.request.header(k_note_header);
  if (header == nullptr) return "";
  auto note = decode_percent(*header, false);
  if (note && note->size() <= k_note_bytes_max && std::ranges::none_of(*note, is_control) && is_utf8(*note)) return note;
  fail(call, {400, k_invalid_request,
              "`Holdfast-Note` must be percent-encoded UTF-8 of at most " + std::to_string(k_note_bytes_max) +
                  " bytes, without control characters."});
  return std::nullopt;
}

void OperatorLog::add(OperatorAction action) {
  action.request = is_utf8(action.request) ? in_one_line(action.request, k_request_bytes_kept) : "";
  const std::string who = action.key_id.empty() ? "without a key" : "with the key " + action.key_id + " (" + action.key_name + ")";
  spdlog::info("an operator {} asked for {} {} {}{}: {}{} [request {}]", who, action.method, in_one_line(action.path, action.path.size()),
               action.request, action.note.empty() ? "" : " because \"" + action.note + "\"", action.status,
               action.code.empty() ? "" : " " + action.code, action.request_id);
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
