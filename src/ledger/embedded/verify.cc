#include "ledger/embedded/verify.h"

#include <algorithm>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/head_marker.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/replay.h"

namespace holdfast {
namespace {

constexpr const char* k_way_out =
    " Put back both files from a backup (holdfast restore), or, if only the tables are wrong, make them again with `holdfast rebuild`.";

// A backup is verified when it is written, so none has such a journal.
constexpr const char* k_way_out_of_contradiction =
    " Its rows are what was written, so nothing can tell what is true. Nothing was changed and nothing is sold from it. Put back "
    "both files from a backup (holdfast restore). Keep these files, and compare orders and payments since the backup with what is "
    "held and sold then.";

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
    if (at <= replay.keys_since) return;
    same += replay.has(stored, at);
    ++all;
  });
  return same == all && all == replay.kept.size() ? "" : "the idempotency keys are not those of the journal";
}

std::uint64_t history_in(StateStore& state) {
  std::uint64_t history = 0;
  state.each_seat_change([&](EventNumber event, const SeatChangeRow& change) {
    if (!state.stopped().contains(event)) history += Replay::digest_of(event, change);
  });
  return history;
}

std::string compare_index(const Replay& replay, StateStore& state) {
  std::uint64_t index = 0;
  state.each_indexed_row([&](EventNumber event, Seq first_seq, Position position) {
    index += Replay::digest_of({event, first_seq, static_cast<std::uint64_t>(position)});
  });
  return index == replay.index ? "" : "table journal_index is not that of the journal";
}

std::string compare_times(const Replay& replay, StateStore& state) {
  std::string problem;
  state.each_event_time([&](EventNumber number, Millis created_at, Millis at) {
    if (state.stopped().contains(number)) return;
    const auto expected = replay.times.find(number);
    if (expected != replay.times.end() && expected->second == std::pair(created_at, at)) return;
    problem = "event " + std::to_string(number) + " has other times than the journal says";
  });
  return problem;
}

std::string compare(const Replay& replay, StateStore& state, VerifyReport& report) {
  std::string problem = state.find_broken_index();
  if (!problem.empty()) return problem;
  std::size_t events = 0;
  const auto compare_event = [&](StoredEvent stored) {
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
  };
  state.load_events(0, compare_event, {}, StateStore::Sums::leave);   // the journal says more of what is wrong
  report.events = events;
  const auto is_stopped = [&](const auto& event) { return state.stopped().contains(event.first); };
  const auto stopped = static_cast<std::size_t>(std::ranges::count_if(replay.events, is_stopped));
  if (problem.empty() && events != replay.events.size() - stopped) problem = "an event of the journal is missing";
  std::uint64_t created = 0;
  state.each_reservation([&](const StoredReservation& row) {
    if (state.stopped().contains(row.event)) return;
    ++report.reservations;
    created += Replay::digest_of({row.event, row.created_seq}, row.view.id);
    if (problem.empty() && !replay.has(row.event, row.view)) {
      problem = "reservation " + to_string(row.view.id) + " is not as the journal says";
    }
  });
  if (problem.empty()) problem = compare_reservations(replay, report.reservations, created);
  if (problem.empty()) problem = compare_times(replay, state);
  if (problem.empty()) problem = compare_history(replay, history_in(state));
  if (problem.empty()) problem = compare_index(replay, state);
  if (problem.empty()) problem = compare_keys(replay, state);
  return problem;
}

std::string compare_sums(StateStore& state) {
  const std::string found = state.find_false_row();
  return found.empty() ? "" : state.database().path() + " is damaged: " + found + ". Nothing was changed." + k_way_out;
}

}  // namespace

VerifyReport verify(JournalRows& journal, StateStore& state, StateStore::Sums sums) {
  VerifyReport report;
  report.journal_head = journal.head().position;
  try {
    check_pair(journal, state);
    const JournalHead as_of = state.as_of();
    report.tables_as_of = as_of.position;
    report.journal_is_whole = journal.anchor().position == 0;
    Replay replay("journal.db");
    replay.index_after = state.index_emptied_through();
    for (const auto& [event, stopped] : state.stopped()) replay.left_out.insert(event);
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
      return difference.empty();
    });
    report.keys = replay.keys;
    if (!difference.empty()) {
      report.problem = state.database().path() + " does not agree with the journal: " + difference + ". Nothing was changed." + k_way_out;
      return report;
    }
    for (const auto& [number, inventory] : replay.events) {
      if (const auto contradiction = inventory->find_contradiction()) {
        report.problem = told_of_contradictory_journal(journal, "event " + std::to_string(number) + ": " + *contradiction);
      }
    }
    if (report.problem.empty() && sums == StateStore::Sums::compare) report.problem = compare_sums(state);
    if (report.problem.empty() && !state.stopped().empty()) {
      report.problem = told_of(state.stopped(), state.database().path()) + ".";
      report.only_stopped_events = true;
    }
  } catch (const ContradictoryJournal& contradictory) {
    report.problem = std::string(contradictory.what()) + k_way_out_of_contradiction;
  } catch (const std::exception& error) {
    report.problem = error.what();
  }
  return report;
}

VerifyReport verify_folder(const std::filesystem::path& data) {
  // Read the marker first, then the tables, then the journal: a running server may write meanwhile, and neither marker nor tables
  // may be ahead of the journal.
  const std::unique_ptr<HeadMarker> marker = read_head_marker(HeadMarker::file_in(data));
  StateStore state(DataFolder::state_in(data), StateStore::Mode::read);
  state.pin();
  const std::unique_ptr<JournalRows> journal = open_journal_rows(data);
  journal->pin();
  try {
    check_reached(marker.get(), *journal);
  } catch (const std::exception& error) {
    return {.problem = error.what()};
  }
  return verify(*journal, state);
}

void check_pair(JournalRows& journal, StateStore& state) {
  const JournalHead as_of = state.as_of();
  const std::string files = journal.path() + " and " + state.database().path();
  if (as_of.position > journal.head().position) {
    throw DataError(journal.path() + " ends at row " + std::to_string(journal.head().position) + ", before row " +
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

std::string told_of_contradictory_journal(JournalRows& journal, const std::string& contradiction) {
  return journal.path() + " contradicts itself: " + contradiction + "." + k_way_out_of_contradiction;
}

Millis last_recorded_time(JournalRows& journal, StateStore& state) { return std::max(state.last_now(), journal.last_time()); }

}  // namespace holdfast
