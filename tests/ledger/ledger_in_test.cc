#include "ledger/ledger_in_test.h"

#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <string_view>

#include "core/check.h"
#include "core/rules.h"
#include "ledger/embedded/journal.h"
#include "ledger/embedded/journal_files.h"
#include "ledger/embedded/segment_journal.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

// Large enough for the rounds of an import.
constexpr std::uint64_t k_segment_in_test = std::uint64_t{1024} * 1024;

// Log lines about intended failures would hide unintended ones.
[[maybe_unused]] const bool g_quiet = [] {
  spdlog::set_level(spdlog::level::off);
  return true;
}();

}  // namespace

bool is_in_segments() {
  const char* const kind = ::getenv("HOLDFAST_TEST_JOURNAL");
  return kind != nullptr && std::string_view(kind) == "segments";
}

JournalOptions journal_in_test() {
  if (!is_in_segments()) return {};
  return {.for_new = JournalFormat::segments, .segment_bytes = k_segment_in_test, .first_segment_bytes = k_segment_in_test};
}

std::string journal_name_in_test() { return is_in_segments() ? "journal" : "journal.db"; }

std::vector<const char*> files_in_test() {
  if (is_in_segments()) return {"state.db"};
  return {"journal.db", "state.db"};
}

void copy_journal(const fs::path& from, const fs::path& to) {
  for (const char* name : {"journal", "journal.db", "journal.db-wal"}) {
    fs::remove_all(to / name);
    if (fs::exists(from / name)) fs::copy(from / name, to / name, fs::copy_options::recursive);
  }
}

LedgerFolder::LedgerFolder() {
  std::string name = (fs::temp_directory_path() / "holdfast-ledger-XXXXXX").string();
  HOLDFAST_CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

LedgerFolder::~LedgerFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string told(const Outcome& outcome) {
  std::string text = name_of(outcome.reason);
  if (outcome.limit != Limit::none) text.append(" ").append(name_of(outcome.limit));
  for (const SeatIndex seat : outcome.seats) text.append(" ").append(std::to_string(seat));
  return text;
}

std::string told(const Verdict& verdict) {
  std::string text = verdict.replayed ? "replayed: " : "";
  for (const Outcome& outcome : verdict.outcomes) {
    text.append(&outcome == &verdict.outcomes.front() ? "" : "; ").append(told(outcome));
    if (outcome.reservation) text.append(" {").append(told(*outcome.reservation)).append("}");
  }
  return text;
}

std::string told(const ReservationView& view) {
  std::string text = to_string(view.id) + " " + name_of(view.status) + (view.kind == ReservationKind::ticket_lock ? " lock" : "") + " " +
                     std::to_string(view.created_at) + ".." + std::to_string(view.expires_at) + " '" + view.customer + "' '" + view.order +
                     "'";
  for (const ReservedSeat& seat : view.seats) {
    text.append(seat.owned ? " " : " (").append(std::to_string(seat.seat)).append(seat.owned ? "" : ")");
  }
  return text;
}

Uuid uuid_of(std::uint64_t number) {
  Uuid id{};
  id.data[6] = 0x40;
  for (int i = 0; i < 8; ++i) id.data[8 + i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  id.data[8] = static_cast<std::uint8_t>(id.data[8] | 0x80);
  return id;
}

Uuid reservation_id(EventNumber event, std::uint64_t number) {
  std::uint8_t random[10] = {};
  for (int i = 0; i < 8; ++i) random[2 + i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  return make_reservation_id(event, k_begin, random);
}

IdempotencyKey key_of(std::uint64_t key, std::uint64_t request) {
  IdempotencyKey made{};
  for (unsigned i = 0; i < 8; ++i) {
    made.key[i] = static_cast<std::uint8_t>(key * 0x9E3779B97F4A7C15 >> (8 * i));
    made.request[i] = static_cast<std::uint8_t>(request >> (8 * i));
  }
  return made;
}

std::shared_ptr<const Plan> plan_of(const Uuid& event_id, std::size_t seats, std::string_view prefix) {
  PlanBuilder builder(event_id, {{.name = "Stalls"}, {.name = "Balcony"}});
  std::string id;
  for (std::size_t seat = 0; seat < seats; ++seat) {
    const std::string row = std::to_string(seat / 50 % 1'000 + 1);
    const std::string section = "S" + std::to_string(seat / 50'000);
    const std::string number = std::to_string(seat % 50 + 1);
    if (!prefix.empty()) id = std::string(prefix) + std::to_string(seat);
    const auto added =
        builder.add({.id = id, .section = section, .row = row, .number = number, .category = static_cast<std::uint32_t>(seat % 2)});
    HOLDFAST_CHECK(added.has_value());
  }
  return builder.finish().value();
}

// ---------------------------------------------------------------------------------------------------------------- asking

Entry& Round::add(EventNumber event, Command command) {
  Submission submission;
  submission.parts.push_back({event, std::move(command)});
  return add(std::move(submission));
}

Entry& Round::add(Submission submission) { return entries_.emplace_back(std::move(submission), Verdict{}); }

ExecutionReport Round::run(Ledger& ledger) {
  std::vector<Batch> batches;
  for (Entry& entry : entries_) {
    UsuallyOne<EventNumber> events;
    for (const Part& part : entry.submission.parts) events.push_back(part.event);
    if (batches.empty() || batches.back().events != events) batches.push_back({.events = events, .entries = {}});
    batches.back().entries.push_back(&entry);
  }
  return ledger.execute(batches);
}

Verdict Desk::asks(Submission submission) {
  Round round;
  Entry& entry = round.add(std::move(submission));
  report_ = round.run(*ledger_);
  return std::move(entry.verdict);
}

Verdict Desk::does(EventNumber event, Command command) {
  Submission submission;
  submission.parts.push_back({event, std::move(command)});
  return asks(std::move(submission));
}

Outcome Desk::hold(EventNumber event, const Uuid& id, const SeatList& seats, std::string_view customer, Millis duration) {
  return does(event, Hold{.reservation = id, .customer = customer, .seats = seats, .duration = duration}).outcomes.front();
}
Outcome Desk::release(EventNumber event, const Uuid& id, const SeatList& seats) { return does(event, Release{id, seats}).outcomes.front(); }
Outcome Desk::consume(EventNumber event, const Uuid& id, std::string_view order, bool reinstate) {
  return does(event, Consume{id, order, reinstate}).outcomes.front();
}
Outcome Desk::give_back(EventNumber event, const Uuid& id, const SeatList& seats, std::string_view order) {
  return does(event, Return{id, order, seats}).outcomes.front();
}
Outcome Desk::block(EventNumber event, const SeatList& seats) { return does(event, Block{seats}).outcomes.front(); }
Outcome Desk::sweep(EventNumber event, std::size_t limit) { return does(event, Sweep{limit}).outcomes.front(); }

EventNumber Desk::create_event(const Uuid& id, std::shared_ptr<const Plan> plan, EventSettings settings, std::size_t seats_per_step) {
  const auto number =
      ledger_->reserve_event({.card = {.number = 0, .id = id, .venue = "Royal", .currency = "EUR"}, .settings = settings, .plan = plan});
  if (!number) return 0;
  std::string bytes;
  Writer writer(bytes);
  plan->encode_header(writer);
  if (!does(*number, Create{.plan_header = bytes}).accepted()) return 0;
  for (std::size_t first = 0; first < plan->size(); first += seats_per_step) {
    const std::size_t count = std::min(seats_per_step, plan->size() - first);
    bytes.clear();
    plan->encode_seats(static_cast<SeatIndex>(first), count, writer);
    if (!does(*number, AppendSeats{.encoded = bytes, .count = count}).accepted()) return 0;
  }
  return does(*number, Configure{.status = settings.status}).accepted() ? *number : 0;
}

// ---------------------------------------------------------------------------------------------------------------- the ledger

LedgerInTest::LedgerInTest(const fs::path& folder, const ClockSource& time, EmbeddedOptions options) : options_(std::move(options)) {
  options_.data = folder;
  options_.clock = &time;
  reopen();
}

void LedgerInTest::reopen() {
  embedded_.reset();
  if (is_in_segments()) options_.journal = journal_in_test();
  embedded_ = std::make_unique<EmbeddedLedger>(options_);
  ledger_ = embedded_.get();
}

void LedgerInTest::reopen(const EmbeddedOptions& options) {
  const auto data = options_.data;
  const auto* clock = options_.clock;
  options_ = options;
  options_.data = data;
  options_.clock = clock;
  reopen();
}

EventNumber LedgerInTest::create_event(std::size_t seats, EventSettings settings) {
  const Uuid id = uuid_of(1'000'000 + ++last_event_);
  return Desk::create_event(id, plan_of(id, seats), std::move(settings));
}

std::string LedgerInTest::picture_of(const Ledger& ledger) const {
  std::string text;
  const Millis now = ledger.now();
  for (const EventNumber number : ledger.events()) {
    const auto event = ledger.event(number);
    const EventSettings settings = event->settings();
    text += "event " + std::to_string(number) + " " + to_string(event->card().id) + " " + event->card().venue + " " + settings.name +
            " status " + std::to_string(static_cast<int>(settings.status)) + " limits " +
            std::to_string(settings.limits.held_seats_per_customer) + " seq " + std::to_string(event->seq()) + "\n";
    for (SeatIndex seat = 0; seat < event->seat_count(); ++seat) {
      const SeatReading reading = event->seat(seat, now);
      const auto place = ledger.seats().find(event->plan()->seat_id(seat));
      const bool found = place && place->event == number && place->seat == seat;
      text += std::to_string(seat) + static_cast<char>(reading.state) + std::to_string(reading.version) +
              (reading.reservation ? " " + to_string(*reading.reservation) : "") + (found ? "" : " NOT IN THE DIRECTORY") + "\n";
    }
    for (std::uint64_t id = 1; id <= last_id_; ++id) {
      const auto view = ledger.reservation(reservation_id(number, id));
      if (view) text += told(*view) + "\n";
    }
  }
  return text;
}

// Waits as long as they make progress: ten million changes take minutes on a busy machine.
void LedgerInTest::wait_for_tables() {
  for (auto behind = embedded_->rows_behind(); behind > 0;) {
    const auto before = behind;
    const auto is_nearer = [&] {
      behind = embedded_->rows_behind();
      return behind < before;
    };
    ASSERT_TRUE(eventually(is_nearer)) << before << " rows behind";
  }
}

// ---------------------------------------------------------------------------------------------------------------- the files

namespace {

template <typename Writer>
void append_with(Writer& journal, EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) {
  journal.begin();
  journal.append(event, first_seq, changes, at, body);
  journal.commit();
}

}  // namespace

void append_row(const fs::path& folder, EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) {
  if (find_journal(folder) == JournalFormat::segments) {
    SegmentJournal journal(folder, {.segment_bytes = k_segment_in_test, .first_segment_bytes = k_segment_in_test, .has_thread = false});
    journal.settle({});
    return append_with(journal, event, first_seq, changes, at, body);
  }
  Journal journal(DataFolder::journal_in(folder), Journal::Mode::write);
  append_with(journal, event, first_seq, changes, at, body);
}

void remove_old_rows(const fs::path& folder, Position through) { journal_of(folder).remove_through(through); }

void change_by_hand(const std::string& file, const char* sql) {
  sqlite::Database database(file, sqlite::Database::Mode::read_write);
  database.execute(sql);
}

std::string refusal_at_start(const fs::path& folder, const ClockSource& time) {
  try {
    const EmbeddedLedger ledger({.data = folder, .clock = &time});
    return {};
  } catch (const DataError& error) {
    return error.what();
  } catch (const sqlite::Error& error) {
    return error.what();
  }
}

VerifyReport verify_folder(const fs::path& folder) {
  try {
    return holdfast::verify_folder(folder);
  } catch (const std::exception& error) {
    VerifyReport report;
    report.problem = error.what();
    return report;
  }
}

testing::AssertionResult names_the_way_out(const std::string& refusal, std::string_view file) {
  if (refusal.empty()) return testing::AssertionFailure() << "it was not refused";
  if (refusal.find(file) == std::string::npos) return testing::AssertionFailure() << "it does not name " << file << ": " << refusal;
  for (const char* way : {"holdfast restore", "holdfast rebuild", "Is this the right folder", "Use the version", "Put journal.db back",
                          "holdfast keys accept"}) {
    if (refusal.find(way) != std::string::npos) return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "it names no way out: " << refusal;
}

}  // namespace holdfast::test
