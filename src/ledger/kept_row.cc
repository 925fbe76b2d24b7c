#include "ledger/kept_row.h"

#include <algorithm>

#include "ledger/data_error.h"
#include "ledger/row_changes.h"

namespace holdfast {
namespace {

RecordedChange recorded(const KeptRow& row, Seq seq, const Change& change, const ChangeDetails& details) {
  RecordedChange made{.event = row.event,
                      .seq = seq,
                      .at = row.at,
                      .kind = change.kind,
                      .reservation = change.reservation,
                      .expires_at = change.expires_at,
                      .ends = change.ends,
                      .count = change.count,
                      .versions = details.versions,
                      .trace = details.trace};
  if (change.kind == ChangeKind::held) made.customer = change.text;
  if (change.kind == ChangeKind::consumed) made.order = change.text;
  made.seats.assign(change.seats.begin(), change.seats.end());
  if (change.kind == ChangeKind::seats_added) made.expires_at = details.expires_at;
  if (change.settings != nullptr) made.settings = *change.settings;
  return made;
}

}  // namespace

KeptRow kept_row(const JournalRow& row, const JournalBody& body, Position position) {
  return {.position = position,
          .event = row.event,
          .first_seq = row.first_seq,
          .changes = row.changes,
          .at = row.at,
          .bytes = std::string(body.changes),
          .versions = std::string(body.versions),
          .traces = std::string(body.traces)};
}

std::uint32_t add_changes(const KeptRow& row, std::uint32_t skip, std::size_t limit, std::vector<RecordedChange>& changes) {
  const std::size_t room = limit - std::min(limit, changes.size());
  const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(row.changes, skip + room));
  const auto add = [&](std::uint32_t i, const Change& change, const ChangeDetails& details) {
    if (i >= skip) changes.push_back(recorded(row, row.first_seq + i, change, details));
  };
  if (for_each_change(row.bytes, row.versions, row.traces, end, row.at, add) == ChangesRead::damaged) {
    throw DataError("the journal row with change " + std::to_string(row.first_seq) + " of event " + std::to_string(row.event) +
                    " cannot be read");
  }
  return end;
}

std::uint32_t add_told_changes(const KeptRow& row, std::uint32_t skip, std::size_t limit, std::vector<RecordedChange>& changes,
                               std::string& why) {
  const std::size_t before = changes.size();
  if (row.is_damaged) {
    why = "the journal row with change " + std::to_string(row.first_seq) + " is not what was written";
  } else {
    try {
      return add_changes(row, skip, limit, changes);
    } catch (const DataError& error) {
      why = error.what();
      changes.resize(before);   // do not trust what was read before the unreadable place either
    }
  }
  for (std::uint32_t i = skip; i < row.changes; ++i) {
    if (changes.size() >= limit) return i;
    changes.push_back({.event = row.event, .seq = row.first_seq + i, .is_unreadable = true});
  }
  return row.changes;
}

void make_unreadable(RecordedChange& change) {
  change = {.event = change.event,
            .event_id = change.event_id,
            .seq = change.seq,
            .at = change.at,
            .kind = change.kind,
            .reservation = change.reservation,
            .is_unreadable = true,
            .cursor = std::move(change.cursor)};
}

bool needs_completing(const RecordedChange& change) {
  return !change.is_unreadable && concerns_reservation(change.kind) && change.kind != ChangeKind::held;
}

void complete(RecordedChange& change, const ReservationView* view) {
  if (view == nullptr) throw DataError("reservation " + to_string(change.reservation) + ", which the journal speaks of, is not there");
  change.customer = view->customer;
  if (change.kind == ChangeKind::returned) change.order = view->order;
  if (change.kind != ChangeKind::consumed && change.kind != ChangeKind::expired) return;
  // The seats that the reservation had when it ended or was sold. This list never changes again.
  for (const ReservedSeat& reserved : view->seats) change.seats.push_back(reserved.seat);
  if (change.versions.empty() || change.versions.size() == change.seats.size()) return;
  throw DataError("change " + std::to_string(change.seq) + " of event " + std::to_string(change.event) + " names " +
                  std::to_string(change.versions.size()) + " versions, and its reservation has " + std::to_string(change.seats.size()) +
                  " seats");
}

}  // namespace holdfast
