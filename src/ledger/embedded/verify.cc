#include "ledger/embedded/verify.h"

#include <algorithm>
#include <deque>
#include <map>
#include <tuple>

#include "core/hash.h"
#include "core/limits.h"
#include "ledger/embedded/data_folder.h"

namespace holdfast {
namespace {

constexpr const char* k_way_out =
    " Put back both files from a backup (holdfast restore), or, if only the tables are wrong, make them again with `holdfast rebuild`.";

class Replay {
 public:
  // Folds one row; throws DataError.
  void fold(const JournalRow& row) {
    const auto fail = [&](const char* what) {
      throw DataError("journal.db is damaged: row " + std::to_string(row.position) + " " + what + ".");
    };
    if (!decode_body(row, body_)) fail("cannot be read");
    auto& inventory = events[row.event];
    if (inventory == nullptr) inventory = new_inventory(row, body_, 0);
    if (inventory == nullptr) fail("is of an event that has no beginning");
    if (row.first_seq != inventory->seq() + 1) fail("has changes out of turn");
    Reader reader(body_.changes);
    ChangeDecoder decoder(row.at);
    DetailsDecoder details_decoder(body_.versions, body_.traces);
    Change change;
    ChangeDetails details;
    for (std::uint32_t i = 0; i < row.changes; ++i) {
      if (!decoder.decode(reader, change) || !details_decoder.decode(change, details)) fail("cannot be read");
      if (change.kind == ChangeKind::event_created || change.kind == ChangeKind::seats_appended) fold_into(plans[row.event], change.text);
      inventory->apply(change, row.at);
      fold_history(row, row.first_seq + i, change, *inventory);
      if (!body_.versions.empty() && !has_versions(details, change, *inventory)) fail("has other versions than its changes make");
    }
    if (!reader.at_end() || !details_decoder.at_end()) fail("has more bytes than changes");
    if (row.changes > 0) index += digest_of({row.event, row.first_seq, static_cast<std::uint64_t>(row.position)});
    fold_keys(row);
  }

  // What stands for a text after another.
  static void fold_into(std::uint64_t& digest, std::string_view text) { digest = hash_bytes(text, digest); }
  // What stands for a row of a table. Their sum stands for the table, in whatever order its rows come.
  static std::uint64_t digest_of(std::initializer_list<std::uint64_t> numbers, const Uuid& id = {}) {
    std::uint64_t digest = 0;
    fold_into(digest, {reinterpret_cast<const char*>(numbers.begin()), numbers.size() * sizeof(std::uint64_t)});
    fold_into(digest, {reinterpret_cast<const char*>(id.data), sizeof id.data});
    return digest;
  }
  static std::uint64_t digest_of(const StoredSeatChange& change) {
    return digest_of({change.event, change.seat, change.version, change.seq, static_cast<std::uint64_t>(change.at),
                      static_cast<std::uint64_t>(change.kind)},
                     change.reservation);
  }
  static std::uint64_t digest_of(const KeptKey& kept, Millis at) {
    std::uint64_t digest = static_cast<std::uint64_t>(at);
    fold_into(digest, {reinterpret_cast<const char*>(kept.key.request.data()), kept.key.request.size()});
    fold_into(digest, kept.outcomes);
    return digest + kept.event;
  }

  std::map<EventNumber, std::unique_ptr<Inventory>> events;
  std::map<EventNumber, std::uint64_t> plans;               // a digest of header and seats
  std::map<Fingerprint, std::uint64_t> kept;                // digests of the keys that still count
  std::uint64_t keys = 0;
  std::uint64_t index = 0;     // sums of digests, of the rows that the tables should have
  std::uint64_t history = 0;
  std::uint64_t created = 0;   // which change made each reservation

 private:
  // The seats whose state it has set.
  static Seats seats_set_by(const Change& change, const Inventory& inventory) {
    const bool of_all = change.kind == ChangeKind::consumed || change.kind == ChangeKind::expired;
    return of_all ? inventory.seats_of(inventory.find(change.reservation)) : change.seats;
  }

  static bool has_versions(const ChangeDetails& details, const Change& change, const Inventory& inventory) {
    return std::ranges::equal(details.versions, seats_set_by(change, inventory), {}, {},
                              [&](SeatIndex seat) { return inventory.version_of(seat); });
  }

  void fold_history(const JournalRow& row, Seq seq, const Change& change, const Inventory& inventory) {
    if (change.kind == ChangeKind::held) created += digest_of({row.event, seq}, change.reservation);
    if (!state_after(change.kind)) return;
    for (const SeatIndex seat : seats_set_by(change, inventory)) {
      history += digest_of(StoredSeatChange{row.event, seat, inventory.version_of(seat), seq, row.at, change.kind, change.reservation});
    }
  }

  void fold_keys(const JournalRow& row) {
    keys += body_.keys.size();
    if (body_.keys.empty()) return;
    for (const KeptKey& key : body_.keys) {
      kept[key.key.key] = digest_of(key, row.at);
      in_order_.emplace_back(row.at, key.key.key, kept[key.key.key]);
    }
    for (; std::get<0>(in_order_.front()) <= row.at - k_idempotency_hours * 3'600 * k_millis_per_second; in_order_.pop_front()) {
      const auto old = kept.find(std::get<1>(in_order_.front()));
      if (old != kept.end() && old->second == std::get<2>(in_order_.front())) kept.erase(old);   // else it was used again since
    }
  }

  std::deque<std::tuple<Millis, Fingerprint, std::uint64_t>> in_order_;
  JournalBody body_;
};

std::string compare_seats(const Inventory& expected, const Inventory& stored) {
  if (!(expected.card() == stored.card())) return "has another id, venue or currency";
  if (expected.seat_count() != stored.seat_count()) return "has another number of seats";
  if (expected.seq() != stored.seq()) return "is as of another change";
  if (!(expected.settings() == stored.settings())) return "has other settings";
  for (SeatIndex seat = 0; seat < expected.seat_count(); ++seat) {
    const bool same = expected.recorded_state_of(seat) == stored.recorded_state_of(seat) &&
                      expected.version_of(seat) == stored.version_of(seat) && expected.owner_of(seat, 0) == stored.owner_of(seat, 0);
    if (!same) return "has seat " + std::to_string(seat) + " otherwise than the journal says";
  }
  return {};
}

bool same(const ReservationView& a, const ReservationView& b) {
  return a.id == b.id && a.kind == b.kind && a.status == b.status && a.created_at == b.created_at && a.expires_at == b.expires_at &&
         a.customer == b.customer && a.order == b.order &&
         std::ranges::equal(a.seats, b.seats, {}, &ReservedSeat::seat, &ReservedSeat::seat);
}

std::string compare_plan(std::uint64_t expected, const StoredEvent& stored, StateStore& state) {
  const EventNumber number = stored.inventory->card().number;
  std::uint64_t digest = 0;
  state.each_plan_part(number, [&](std::string_view part) { Replay::fold_into(digest, part); });
  if (digest != expected) return "has another plan";
  if (stored.plan != nullptr && !state.has_seats_of(number, *stored.plan)) return "has other rows in table seat than in its plan";
  return {};
}

std::string compare_keys(const Replay& replay, StateStore& state) {
  std::size_t same = 0;
  std::size_t all = 0;
  state.load_keys([&](const KeptKey& stored, Millis at) {
    const auto expected = replay.kept.find(stored.key.key);
    same += expected != replay.kept.end() && expected->second == Replay::digest_of(stored, at);
    ++all;
  });
  return same == all && all == replay.kept.size() ? "" : "the idempotency keys are not those of the journal";
}

std::string compare_history(const Replay& replay, StateStore& state) {
  std::uint64_t history = 0;
  state.each_seat_change([&](const StoredSeatChange& change) { history += Replay::digest_of(change); });
  if (history != replay.history) return "table seat_change is not what the journal says";
  std::uint64_t index = 0;
  state.each_indexed_row([&](EventNumber event, Seq first_seq, Position position) {
    index += Replay::digest_of({event, first_seq, static_cast<std::uint64_t>(position)});
  });
  return index == replay.index ? "" : "table journal_index is not that of the journal";
}

std::string compare(const Replay& replay, StateStore& state, VerifyReport& report) {
  std::string problem;
  std::size_t events = 0;
  state.load_events(0, [&](StoredEvent stored) {
    ++events;
    const EventNumber number = stored.inventory->card().number;
    const auto expected = replay.events.find(number);
    if (expected == replay.events.end()) {
      problem = "event " + std::to_string(number) + " is not in the journal";
    } else if (const std::string difference = compare_seats(*expected->second, *stored.inventory); !difference.empty()) {
      problem = "event " + std::to_string(number) + " " + difference;
    } else if (const std::string plan = compare_plan(replay.plans.at(number), stored, state); !plan.empty()) {
      problem = "event " + std::to_string(number) + " " + plan;
    }
    report.seats += stored.inventory->seat_count();
  });
  report.events = events;
  if (problem.empty() && events != replay.events.size()) problem = "an event of the journal is missing";
  std::size_t expected_reservations = 0;
  for (const auto& [number, inventory] : replay.events) expected_reservations += inventory->reservation_count();
  std::uint64_t created = 0;
  state.each_reservation([&](const StoredReservation& row) {
    const ReservationView& stored = row.view;
    ++report.reservations;
    created += Replay::digest_of({row.event, row.created_seq}, stored.id);
    const auto expected = replay.events.find(row.event);
    if (!problem.empty()) return;
    const auto slot = expected == replay.events.end() ? Inventory::k_no_slot : expected->second->find(stored.id);
    if (slot == Inventory::k_no_slot || !same(stored, expected->second->view(slot, 0))) {
      problem = "reservation " + to_string(stored.id) + " is not as the journal says";
    }
  });
  if (problem.empty() && report.reservations != expected_reservations) problem = "a reservation of the journal is missing";
  if (problem.empty() && created != replay.created) problem = "the numbers of creation in table reservation are not those of the journal";
  if (problem.empty()) problem = compare_history(replay, state);
  if (problem.empty()) problem = compare_keys(replay, state);
  return problem;
}

}  // namespace

VerifyReport verify(Journal& journal, StateStore& state, const std::function<void(std::uint64_t)>& progress) {
  VerifyReport report;
  report.journal_head = journal.head().position;
  try {
    check_pair(journal, state);
    const JournalHead as_of = state.as_of();
    report.tables_as_of = as_of.position;
    report.journal_is_whole = journal.anchor().position == 0;
    Replay replay;
    std::string difference;
    const auto at_tables = [&] {
      if (report.journal_is_whole) difference = compare(replay, state, report);
    };
    if (as_of.position == 0) at_tables();
    journal.read(journal.anchor(), [&](const JournalRow& row) {
      ++report.rows;
      report.changes += row.changes;
      if (report.journal_is_whole) replay.fold(row);
      if (row.position == as_of.position) at_tables();
      if (progress) progress(report.rows);
      return difference.empty();
    });
    report.keys = replay.keys;
    if (!difference.empty()) {
      report.problem = state.database().path() + " does not agree with the journal: " + difference + ". Nothing was changed." + k_way_out;
      return report;
    }
    for (const auto& [number, inventory] : replay.events) {
      if (const auto contradiction = inventory->find_contradiction()) {
        report.problem = "the journal contradicts itself: event " + std::to_string(number) + ": " + *contradiction;
      }
    }
  } catch (const std::exception& error) {
    report.problem = error.what();
  }
  return report;
}

void check_pair(Journal& journal, StateStore& state) {
  const JournalHead as_of = state.as_of();
  const std::string files = journal.database().path() + " and " + state.database().path();
  if (as_of.position > journal.head().position) {
    throw DataError(journal.database().path() + " ends at row " + std::to_string(journal.head().position) + ", before row " +
                    std::to_string(as_of.position) +
                    " that state.db was made from: the journal is cut short, or the files are not a pair. "
                    "Nothing was changed and nothing is sold from them. Put back the whole journal.db (with its -wal file), or both files "
                    "from a backup (holdfast restore).");
  }
  if (as_of.position < journal.anchor().position) {
    throw DataError(files +
                    " do not fit: rows that state.db does not have yet were removed from the journal. Put back both files from a backup.");
  }
  if (journal.hash_at(as_of.position) != as_of.hash) {
    throw DataError(files + " are not a pair, or one is damaged: row " + std::to_string(as_of.position) +
                    " of the journal is not the one that state.db was made from. Nothing was changed." + k_way_out);
  }
}

Millis last_recorded_time(Journal& journal, StateStore& state) {
  return std::max(state.last_now(),
                  journal.database().query_int("SELECT coalesce(max(at), 0) FROM (SELECT at FROM journal ORDER BY position DESC LIMIT 1)"));
}

}  // namespace holdfast
