#include "cli/journal_lines.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/change.h"
#include "core/time.h"
#include "feed/change_json.h"
#include "json/json.h"
#include "ledger/journal_row.h"
#include "ledger/row_changes.h"

namespace holdfast::cli {
namespace {

constexpr Millis k_year_10000 = 253'402'300'800'000;

// A damaged row may have any number there.
bool is_time(Millis at) { return at >= 0 && at < k_year_10000; }
void append_time(Json& json, std::string_view name, Millis at) {
  if (is_time(at)) json.member(name, rfc3339(at));
}

void append_change(Json& json, Seq seq, const Change& change, const ChangeDetails& details) {
  json.object([&] {
    json.member("seq", seq);
    json.member("type", name_of(change.kind));
    if (concerns_reservation(change.kind)) json.member("reservationId", to_string(change.reservation));
    if (change.kind == ChangeKind::held) json.member_or_null("customerId", change.text);   // null: a ticket lock
    if (change.kind == ChangeKind::consumed) json.member("orderId", change.text);
    if (change.kind == ChangeKind::held || change.kind == ChangeKind::extended) append_time(json, "expiresAt", change.expires_at);
    if (change.kind == ChangeKind::seats_added && details.expires_at != 0) append_time(json, "expiresAt", details.expires_at);
    if (change.ends) json.member(change.kind == ChangeKind::consumed ? "reinstated" : "ends", true);
    if (change.kind == ChangeKind::seats_appended) json.member("count", change.count);
    if (!change.seats.empty()) json.array("seats", change.seats, [&](SeatIndex seat) { json.number(seat); });
    if (!details.versions.empty()) json.array("versions", details.versions, [&](std::uint32_t version) { json.number(version); });
    if (change.settings != nullptr && is_time(change.settings->starts_at)) feed::append_settings(json, *change.settings);
    if (details.trace) json.member("traceparent", to_string(*details.trace));
  });
}

// Returns what is wrong with the row's changes; empty: nothing.
std::string append_changes(Json& json, const JournalRow& row) {
  JournalBody body;
  if (!decode_body(row, body)) return "its body cannot be read";
  ChangesRead read = ChangesRead::all;
  json.array("changes", [&] {
    read = for_each_change(body.changes, body.versions, body.traces, row.changes, row.at,
                           [&](std::uint32_t i, const Change& change, const ChangeDetails& details) {
                             append_change(json, row.first_seq + i, change, details);
                           });
  });
  json.member("keys", body.keys.size());
  return read == ChangesRead::all ? "" : "its changes cannot be read to their end";
}

}  // namespace

std::optional<Uuid> created_event(const JournalRow& row) {
  JournalBody body;
  if (row.first_seq != 1 || row.changes == 0 || !decode_body(row, body)) return std::nullopt;
  std::optional<Uuid> id;
  for_each_change(body.changes, 1, row.at, [&](std::uint32_t, const Change& change) {
    if (change.kind == ChangeKind::event_created) id = change.card->id;
  });
  return id;
}

JournalLines::Checked JournalLines::checked(const StoredRow& row) {
  if (row.is_checked) return Checked::fits;
  if (!row.before) return Checked::unknown;
  return chain(*row.before, row.row) == row.row.hash ? Checked::fits : Checked::wrong;
}

void JournalLines::learn(const JournalRow& row) {
  if (const auto id = created_event(row)) ids_.insert_or_assign(row.event, *id);
}

bool JournalLines::add(const StoredRow& row) {
  end_before(row.row.position);
  if (is_done()) return false;
  next_ = row.row.position + 1;
  if (!row.wrong.empty()) {
    add_damaged(row.row.position, row.row.position, row.wrong);
    return !is_done();
  }
  const Checked fits = checked(row);
  if (fits != Checked::wrong) learn(row.row);
  const bool is_wanted = !wanted_.event || row.row.event == *wanted_.event || fits == Checked::wrong;
  if (is_wanted) add_readable(row.row, fits);
  return !is_done();
}

void JournalLines::add_readable(const JournalRow& row, Checked fits) {
  Json json(text_);
  json.object([&] {
    json.member("position", row.position);
    json.member("event", row.event);
    if (const auto id = ids_.find(row.event); id != ids_.end()) json.member("eventId", to_string(id->second));
    append_time(json, "at", row.at);
    std::string wrong = append_changes(json, row);
    std::string hash;
    append_hex(hash, row.hash);
    json.member("hash", hash);
    if (fits == Checked::unknown) json.member("unchecked", true);
    if (fits == Checked::wrong) wrong = "does not fit the chain: it, or a row before it, is not what was written";
    if (wrong.empty()) return;
    ++damaged_;
    json.member("damaged", wrong);
  });
  text_ += '\n';
}

void JournalLines::add_damaged(Position first, Position last, std::string_view what) {
  damaged_ += static_cast<std::uint64_t>(last - first + 1);
  Json json(text_);
  json.object([&] {
    json.member("position", first);
    if (last > first) json.member("through", last);
    json.member("damaged", what);
  });
  text_ += '\n';
}

void JournalLines::end_before(Position position) {
  const Position last = wanted_.to ? std::min(position - 1, *wanted_.to) : position - 1;
  if (next_ > last) return;
  add_damaged(next_, last, next_ == last ? "is missing" : "are missing");
  next_ = last + 1;
}

void JournalLines::begin_at(Position position) { next_ = std::max(next_, position); }

}  // namespace holdfast::cli
