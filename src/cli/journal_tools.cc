// `holdfast journal dump` and `journal tail`.
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "cli/commands.h"
#include "cli/journal_lines.h"
#include "cli/maintenance/rows_at_rest.h"
#include "core/limits.h"
#include "ledger/data_error.h"
#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/journal_rows.h"
#include "ledger/embedded/segments/few_open_files.h"
#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/salvage.h"
#include "sql/sqlite.h"

namespace holdfast::cli {
namespace {

constexpr std::chrono::milliseconds k_tail_pause{100};   // between two looks for new rows
constexpr int k_looks_for_server = 10;   // of these, one looks whether a server has started
// Rows that are read before they are printed: a reader of a pipe may be slow, and an open reading keeps the journal's log from being emptied.
constexpr std::size_t k_bytes_a_page = 1 << 20;

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw std::runtime_error("cannot write to standard output");
  }
}

// ---------------------------------------------------------------------------------------------------------------- events

// The ids that state.db has. It may be missing or damaged, and then only what the rows say is known.
EventIds ids_in_tables(const std::string& data) {
  EventIds ids;
  try {
    sqlite::Database state(DataFolder::state_in(data), sqlite::Database::Mode::read_only);
    sqlite::Statement events(state, "SELECT number, id FROM event");
    while (events.step()) {
      if (const auto id = parse_uuid(events.text(1))) ids.emplace(static_cast<EventNumber>(events.integer(0)), *id);
    }
  } catch (const sqlite::Error& error) {
    std::fprintf(stderr, "holdfast: ids of events are known only from the rows that are read: %s\n", error.what());
  }
  return ids;
}

std::optional<EventNumber> number_in(const std::string& text) {
  EventNumber number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number == 0 || number > k_events_max) return std::nullopt;
  return number;
}

// Visits rows of the journal from the first one on.
using EachRow = std::function<void(const JournalRows::VisitStored&)>;

// The event that is meant by --event; nothing: all are. Looks for its id in the tables, then in the journal.
std::optional<EventNumber> event_named(const std::string& text, const EventIds& ids, const EachRow& each_row) {
  if (text.empty()) return std::nullopt;
  if (const auto number = number_in(text)) return number;
  const auto id = parse_uuid(text);
  if (!id) throw UsageError("--event must be an event's id (a UUID), or its number from 1 to " + std::to_string(k_events_max));
  for (const auto& [number, known] : ids) {
    if (known == *id) return number;
  }
  std::optional<EventNumber> found;
  each_row([&](const StoredRow& row) {
    if (row.wrong.empty() && created_event(row.row) == id) found = row.row.event;
    return !found;
  });
  if (!found) throw DataError("neither the tables nor the journal have an event with the id " + text + ".");
  return found;
}

// ---------------------------------------------------------------------------------------------------------------- rows

void skip_removed(JournalRows& journal, JournalLines& lines) {
  const Position removed = journal.removed_through();
  if (lines.next() > removed) return;
  std::fprintf(stderr, "holdfast: retention has removed rows up to %s from the journal\n", std::to_string(removed).c_str());
  lines.begin_at(removed + 1);
}

// Adds the rows that are there, up to a page. False: there is no further one.
bool add_page(JournalRows& journal, JournalLines& lines) {
  bool has_more = false;
  journal.each_stored(lines.next(), [&](const StoredRow& row) {
    if (row.row.position > lines.next()) skip_removed(journal, lines);   // asked here, so that both are as of the same moment
    if (!lines.add(row)) return false;
    has_more = lines.text().size() >= k_bytes_a_page;
    return !has_more;
  });
  return has_more;
}

void print_all(JournalRows& journal, JournalLines& lines) {
  bool has_more = true;
  while (has_more) {
    has_more = add_page(journal, lines);
    print(lines.text());
    lines.clear();
  }
}

int status_of(const JournalLines& lines, const std::string& journal) {
  if (lines.damaged() == 0) return 0;
  const std::string rows = lines.damaged() == 1 ? "1 row" : std::to_string(lines.damaged()) + " rows";
  std::fprintf(stderr, "holdfast: %s of %s cannot be trusted: each has the member \"damaged\". Nothing was changed\n", rows.c_str(),
               journal.c_str());
  return 1;
}

// Which file or folder a path is. Another one of the same name is another journal.
std::pair<dev_t, ino_t> identity_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino};
}

JournalFormat format_of(const std::string& data) {
  const auto format = kind_of_journal(data);
  if (!format) throw DataError("there is no journal in " + data + ".");
  return *format;
}

// Rows from the range that are there when it is called.
int dump(JournalRows& journal, const JournalRange& range) {
  EventIds ids = ids_in_tables(range.data);
  const auto event = event_named(range.event, ids, [&](const auto& visit) { journal.each_stored(1, visit); });
  const Position head = journal.head().position;
  JournalLines lines({.from = range.from.value_or(1), .to = std::min(range.to.value_or(head), head), .event = event}, std::move(ids));
  print_all(journal, lines);
  lines.end_before(head + 1);
  print(lines.text());
  return status_of(lines, journal.path());
}

// The same of segments that a start refuses: whatever can be read, before and behind the damage.
int dump_past_damage(const JournalRange& range) {
  segments::PosixDisk posix(DataFolder::journal_folder_in(range.data));
  segments::FewOpenFiles disk(posix);
  const segments::Survey survey = segments::survey_journal(disk);
  Position head = survey.kept.position;
  for (const auto* stretches : {&survey.unreadable, &survey.readable}) {
    for (const segments::Stretch& stretch : *stretches) head = std::max(head, stretch.last);
  }
  const EachRow each_row = [&](const JournalRows::VisitStored& visit) {
    segments::each_readable_row(disk, survey, [&](const JournalRow& row) { return visit({.row = row, .is_checked = true}); });
  };
  EventIds ids = ids_in_tables(range.data);
  const auto event = event_named(range.event, ids, each_row);
  JournalLines lines({.from = range.from.value_or(1), .to = std::min(range.to.value_or(head), head), .event = event}, std::move(ids));
  if (survey.start) lines.begin_at(survey.start->head.position + 1);
  each_row([&](const StoredRow& row) {
    if (row.row.position < lines.next()) return true;
    const bool goes_on = lines.add(row);
    if (lines.text().size() >= k_bytes_a_page) {
      print(lines.text());
      lines.clear();
    }
    return goes_on;
  });
  lines.end_before(head + 1);
  print(lines.text());
  status_of(lines, disk.path_of(""));
  return 1;   // whatever was asked for: a start refuses it
}

}   // namespace

int dump_journal(const JournalRange& range) {
  if (range.to && *range.to < range.from.value_or(1)) throw UsageError("--to must not be before --from");
  const JournalFormat format = format_of(range.data);
  std::unique_ptr<JournalRows> journal;
  try {
    journal = open_journal_rows(range.data);
  } catch (const JournalDamage& damage) {
    if (format == JournalFormat::sqlite) throw;
    std::fprintf(stderr, "holdfast: %s\n", damage.what());
  }
  return journal == nullptr ? dump_past_damage(range) : dump(*journal, range);
}

int tail_journal(const JournalRange& range) {
  format_of(range.data);
  bool is_in_use = DataFolder::is_in_use(range.data);
  std::unique_ptr<JournalRows> journal = open_journal_rows(range.data);
  const auto identity = identity_of(journal->path());
  EventIds ids = ids_in_tables(range.data);
  const auto event = event_named(range.event, ids, [&](const auto& visit) { journal->each_stored(1, visit); });
  JournalLines lines({.from = range.from.value_or(journal->head().position + 1), .event = event}, std::move(ids));
  for (int looks = 0;; ++looks) {
    print_all(*journal, lines);
    if (identity_of(journal->path()) != identity) {
      throw DataError(journal->path() + " was removed or replaced. Its rows were printed up to row " + std::to_string(lines.next() - 1) +
                      ". To follow the journal that is there now, begin again.");
    }
    std::this_thread::sleep_for(k_tail_pause);
    if (is_in_use || looks % k_looks_for_server != 0 || !DataFolder::is_in_use(range.data)) continue;
    is_in_use = true;   // segments that were opened at rest do not show what a server has written since
    journal = open_journal_rows(range.data);
  }
}

}   // namespace holdfast::cli
