// The two ledgers side by side: the embedded and the PostgreSQL ledger get the same commands in the same batches, and must
// answer, show and remember the same. Only times differ, because each has its own clock. So every duration here is far from any
// limit, except holds of some milliseconds, which have ended on both clocks before the next question.
//
// The player looks at the embedded ledger's state when it chooses commands, so that many of them are accepted. Both get the same
// ones.
//
// HOLDFAST_TEST_SEED repeats a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "ledger/ledger_in_test.h"
#include "ledger/postgres/postgres_ledger.h"
#include "ledger/postgres/schema.h"
#include "ledger/postgres/verify.h"
#include "support/services.h"
#include "support/sql.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_commands = k_is_sanitized ? 3'000 : 30'000;
constexpr std::size_t k_seats = 300;   // of each event
constexpr std::size_t k_events = 4;
constexpr std::size_t k_round_max = 40;
constexpr std::size_t k_rounds_between_looks = 50;
constexpr std::size_t k_refusals_a_reason_min = k_is_sanitized ? 1 : 10;
constexpr std::size_t k_ended_in_memory = 100;   // few: forgotten reservations are asked for all the time
constexpr Millis k_second = 1'000;

unsigned seed() {
  const char* const given = std::getenv("HOLDFAST_TEST_SEED");
  const unsigned chosen = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  std::cout << "HOLDFAST_TEST_SEED=" << chosen << std::endl;
  return chosen;
}

// ---------------------------------------------------------------------------------------------------------------- without times

std::string timeless(const ReservationView& view) {
  std::string text = holdfast::to_string(view.id) + " " + name_of(view.status) +
                     (view.kind == ReservationKind::ticket_lock ? " lock" : "") + " '" + view.customer + "' '" + view.order + "'";
  for (const ReservedSeat& seat : view.seats) {
    text.append(seat.owned ? " " : " (").append(std::to_string(seat.seat)).append(seat.owned ? "" : ")");
  }
  return text;
}

std::string timeless(const Verdict& verdict) {
  std::string text = verdict.replayed ? "replayed: " : "";
  for (const Outcome& outcome : verdict.outcomes) {
    text += told(outcome);
    if (outcome.reservation) text += " {" + timeless(*outcome.reservation) + "}";
    text += " swept " + std::to_string(outcome.swept) + "; ";
  }
  return text;
}

std::string timeless(const RecordedChange& change) {
  std::string text = std::to_string(change.event) + " " + holdfast::to_string(change.event_id) + " " + std::to_string(change.seq) + " " +
                     name_of(change.kind) + " " + holdfast::to_string(change.reservation) + " '" + change.customer + "' '" + change.order +
                     "'" + (change.ends ? " ends " : " ") + std::to_string(change.count) + " seats";
  for (const SeatIndex seat : change.seats) text += " " + std::to_string(seat);
  text += " versions";
  for (const std::uint32_t version : change.versions) text += " " + std::to_string(version);
  if (change.trace) {
    text += " trace";
    for (const auto byte : change.trace->packed) text += " " + std::to_string(byte);
  }
  if (change.settings) {
    const EventSettings& settings = *change.settings;
    text += " settings " + settings.name + " " + name_of(settings.status) + " " + std::to_string(settings.max_hold_seconds) + " " +
            std::to_string(settings.limits.seats_per_reservation) + " " + std::to_string(settings.limits.held_seats_per_customer);
  }
  return text;
}

std::string timeless(const SeatChange& change) {
  return std::to_string(change.seq) + " " + name_of(change.kind) + " " + static_cast<char>(change.state) + " " +
         std::to_string(change.version) + " " + (change.reservation ? holdfast::to_string(*change.reservation) : "-") + " '" +
         change.customer + "' '" + change.order + "'";
}

// ---------------------------------------------------------------------------------------------------------------- readings

// Repeats a reading while the tables report that they are too far behind.
template <typename Read>
auto complete(Read read) {
  auto reading = read();
  eventually([&] {
    if (!reading && reading.error().kind == ReadProblem::Kind::unavailable) reading = read();
    return reading || reading.error().kind != ReadProblem::Kind::unavailable;
  });
  return reading;
}

using Lines = std::vector<std::string>;

Lines changes_of(const Ledger& ledger, EventNumber event, std::size_t limit) {
  Lines lines;
  for (;;) {
    const auto page = complete([&] { return ledger.read_changes(event, lines.size(), limit, ReadFrom::anywhere); });
    if (!page) lines.push_back("A PROBLEM");
    if (!page || page->changes.empty()) return lines;
    for (const RecordedChange& change : page->changes) lines.push_back(timeless(change));
  }
}

// Event by event, because each ledger has its own order among events.
std::map<EventNumber, Lines> all_changes_of(const Ledger& ledger) {
  std::map<EventNumber, Lines> lines;
  std::string cursor{k_cursor_first};
  for (;;) {
    const auto page = complete([&] { return ledger.read_all_changes(cursor, 777, ReadFrom::anywhere); });
    if (!page) lines[0].push_back("A PROBLEM");
    if (!page || page->changes.empty()) return lines;
    for (const RecordedChange& change : page->changes) lines[change.event].push_back(timeless(change));
    cursor = page->next;
  }
}

Lines reservations_of(const Ledger& ledger, const ReservationFilter& filter, std::size_t limit) {
  Lines lines;
  std::string cursor;
  do {
    const auto page = complete([&] { return ledger.list_reservations(filter, cursor, limit); });
    if (!page) {
      lines.push_back("A PROBLEM");
      return lines;
    }
    for (const ListedReservation& each : page->items) lines.push_back(std::to_string(each.event) + " " + timeless(each.view));
    cursor = page->next;
  } while (!cursor.empty());
  return lines;
}

Lines history_of(const Ledger& ledger, SeatPlace place) {
  Lines lines;
  for (;;) {
    const auto page = complete([&] { return ledger.seat_history(place, static_cast<std::uint32_t>(lines.size()), 500); });
    if (!page) lines.push_back("A PROBLEM");
    if (!page || page->empty()) return lines;
    for (const SeatChange& change : *page) lines.push_back(timeless(change));
  }
}

// The first line in which two lists differ; empty if none does.
std::string difference(const Lines& embedded, const Lines& postgres) {
  for (std::size_t i = 0; i < std::max(embedded.size(), postgres.size()); ++i) {
    const std::string left = i < embedded.size() ? embedded[i] : "nothing";
    const std::string right = i < postgres.size() ? postgres[i] : "nothing";
    if (left != right) return "line " + std::to_string(i) + "\n  embedded:   " + left + "\n  PostgreSQL: " + right;
  }
  return {};
}

Lines picture_of(const Ledger& ledger) {
  Lines lines;
  const Millis now = ledger.now();
  for (const EventNumber number : ledger.events()) {
    const auto event = ledger.event(number);
    if (event == nullptr) {
      lines.push_back(std::to_string(number) + " is not there");
      continue;
    }
    const EventSettings settings = event->settings();
    const StateCounts counts = event->counts();
    lines.push_back("event " + std::to_string(number) + " " + holdfast::to_string(event->card().id) + " " + settings.name + " " +
                    name_of(settings.status) + " seq " + std::to_string(event->seq()) + " counts " + std::to_string(counts.available) +
                    " " + std::to_string(counts.held) + " " + std::to_string(counts.sold) + " " + std::to_string(counts.blocked));
    for (SeatIndex seat = 0; seat < event->seat_count(); ++seat) {
      const SeatReading reading = event->seat(seat, now);
      const auto place = ledger.seats().find(event->plan()->seat_id(seat));
      lines.push_back(std::to_string(number) + " " + std::to_string(seat) + " " + static_cast<char>(reading.state) + " " +
                      std::to_string(reading.version) + " " + (reading.reservation ? holdfast::to_string(*reading.reservation) : "-") +
                      (place && place->event == number && place->seat == seat ? "" : " NOT IN THE DIRECTORY"));
    }
  }
  return lines;
}

// ---------------------------------------------------------------------------------------------------------------- the player

// Makes the same rounds of commands for both.
class BothLedgers : public testing::Test {
 protected:
  void SetUp() override {
    pg::migrate({.url = database_.url()});
    embedded_ = std::make_unique<EmbeddedLedger>(EmbeddedOptions{.data = folder_.path(), .ended_in_memory_max = k_ended_in_memory});
    sql_ = std::make_unique<Sql>(database_.url());
    add_node();
    for (std::size_t i = 0; i < k_events; ++i) {
      const Uuid id = uuid_of(1 + i);
      const EventNumber number = Desk(*embedded_).create_event(id, plan_of(id, k_seats), {}, 50);
      ASSERT_NE(number, 0u);
      ASSERT_EQ(Desk(*postgres_).create_event(id, plan_of(id, k_seats), {}, 50), number);
      events_.push_back(number);
    }
  }

  // Adds a node over the same database: each round goes to one of the nodes.
  void add_node() {
    nodes_.push_back(std::make_unique<PostgresLedger>(PostgresOptions{.url = database_.url(), .ended_in_memory_max = k_ended_in_memory}));
    postgres_ = nodes_.back().get();
  }

  // Every node, once it has everything that the others have written.
  void bring_everything() {
    for (const auto& node : nodes_) {
      for (const EventNumber event : events_) ASSERT_TRUE(node->bring({.event = event, .as_of_now = true}));
    }
  }

  void expect_same_pictures() {
    bring_everything();
    const Lines embedded = picture_of(*embedded_);
    for (const auto& node : nodes_) ASSERT_EQ(difference(embedded, picture_of(*node)), "") << "after command " << played_;
  }

  // Plays some commands to both ledgers. False if an answer differs.
  bool play_some() {
    Round round;
    const std::size_t size = 1 + below(k_round_max);
    for (std::size_t i = 0; i < size; ++i) add_command(round);
    return play(round);
  }

  // Plays a hold of some milliseconds, waits until it has ended on both clocks, and asks for it. False if an answer differs.
  bool play_short_hold() {
    Round alone;   // alone, because the two clocks would judge a command right after it differently
    const Uuid id = add_short_hold(alone);
    if (!play(alone)) return false;
    const Verdict& verdict = alone.verdict(0);
    if (!verdict.accepted()) return true;
    ++short_holds_;
    wait_for_the_end_of(verdict.outcomes.front().reservation->expires_at, last_postgres_.outcomes.front().reservation->expires_at);
    Round after;
    for (std::size_t i = below(4); i > 0; --i) add_command_for(after, id);
    return after.entries().empty() || play(after);
  }

  bool play(Round& round) {
    postgres_ = nodes_[below(nodes_.size())].get();
    Round same;
    for (const Entry& entry : round.entries()) same.add(entry.submission);
    EXPECT_TRUE(round.run(*embedded_).durable);
    EXPECT_TRUE(same.run(*postgres_).durable);
    std::size_t i = 0;
    for (const Entry& entry : round.entries()) {
      const Verdict& verdict = entry.verdict;
      last_postgres_ = same.verdict(i);
      const std::string left = timeless(verdict);
      const std::string right = timeless(last_postgres_);
      count(entry);
      if (left != right) {
        const Part& first = entry.submission.parts.front();
        ADD_FAILURE() << "command " << played_ << " of kind " << first.command.index() << " for event " << first.event
                      << (entry.submission.key ? " with a key" : "") << "\n  embedded:   " << left << "\n  PostgreSQL: " << right;
        return false;
      }
      ++played_;
      ++i;
    }
    for (UsedKey& each : used_this_round_) {
      each.is_taken = round.verdict(each.place).accepted() && each.makes;
      used_.push_back(std::move(each));
    }
    used_this_round_.clear();
    return true;
  }

  void count(const Entry& entry) {
    const Verdict& verdict = entry.verdict;
    ++reasons_[verdict.outcomes.front().reason];
    replays_ += verdict.replayed;
    for (std::size_t part = 0; part < verdict.outcomes.size(); ++part) {
      const Outcome& outcome = verdict.outcomes[part];
      swept_ += outcome.swept;
      const bool makes = std::holds_alternative<Hold>(entry.submission.parts[part].command) ||
                         std::holds_alternative<HoldBest>(entry.submission.parts[part].command);
      if (verdict.accepted() && !verdict.replayed && makes) living_[entry.submission.parts[part].event].push_back(outcome.reservation->id);
    }
    if (verdict.accepted() && !verdict.replayed) ++accepted_of_kind_[entry.submission.parts.front().command.index()];
  }

  std::size_t below(std::size_t limit) { return random_() % limit; }

  // An event, those with lower numbers more often.
  EventNumber any_event() { return events_[std::min(below(k_events), below(k_events))]; }

  Uuid new_id(EventNumber event) {
    ids_.push_back(reservation_id(event, ids_.size() + 1));
    return ids_.back();
  }

  // Mostly one of this event that owns seats; now and then one that ended, one of another event, or one that never existed.
  Uuid known_id(EventNumber event) {
    if (ids_.empty() || below(100) == 0) return reservation_id(event, 1'000'000'000 + below(5));
    if (below(100) == 0) return ids_[below(ids_.size())];
    if (below(4) != 0) {
      if (const auto living = living_id(event)) return *living;
    }
    const std::size_t reach = below(10) == 0 ? ids_.size() : std::min<std::size_t>(ids_.size(), 150);
    for (int tries = 0; tries < 30; ++tries) {
      const Uuid& id = ids_[ids_.size() - 1 - below(reach)];
      if (event_of_reservation(id) == event) return id;
    }
    return ids_.back();
  }

  // One that owns seats. Those that no longer own any are dropped from the list.
  std::optional<Uuid> living_id(EventNumber event) {
    std::vector<Uuid>& living = living_[event];
    while (!living.empty()) {
      const std::size_t at = below(living.size());
      const auto view = embedded_->reservation(living[at]);
      if (view && std::ranges::any_of(view->seats, &ReservedSeat::owned)) return living[at];
      living[at] = living.back();
      living.pop_back();
    }
    return std::nullopt;
  }

  // A seat in that state, if one is found.
  SeatIndex seat_in(EventNumber event, SeatState state) {
    const auto published = embedded_->event(event);
    auto seat = static_cast<SeatIndex>(below(k_seats));
    for (int tries = 0; tries < 20 && published->seat(seat, embedded_->now()).state != state; ++tries) {
      seat = static_cast<SeatIndex>(below(k_seats));
    }
    return seat;
  }

  // Mostly seats in that state, in any order.
  SeatList some_seats(EventNumber event, std::size_t most, SeatState state = SeatState::available) {
    std::set<SeatIndex> chosen;
    const std::size_t count = 1 + below(most);
    const bool is_careful = below(4) != 0 && std::ranges::find(events_, event) != events_.end();
    const auto first = static_cast<SeatIndex>(below(k_seats));
    for (std::size_t i = 0; i < count; ++i) {
      if (is_careful) {
        chosen.insert(seat_in(event, state));
      } else {
        chosen.insert(below(2) == 0 ? static_cast<SeatIndex>((first + i) % k_seats) : static_cast<SeatIndex>(below(k_seats)));
      }
    }
    if (below(100) == 0) chosen.insert(static_cast<SeatIndex>(k_seats + below(3)));   // there is no such seat
    SeatList seats(chosen.begin(), chosen.end());
    std::ranges::shuffle(seats, random_);
    return seats;
  }

  // Some of the seats that a reservation has or had.
  SeatList seats_of(EventNumber event, const Uuid& id) {
    const auto view = embedded_->reservation(id);
    if (!view) return some_seats(event, 2);
    SeatList seats;
    for (const ReservedSeat& each : view->seats) {
      if (below(3) != 0 && (each.owned || below(5) == 0)) seats.push_back(each.seat);
    }
    return seats;
  }

  // Mostly the order of the reservation's sale.
  std::string_view order_for(Round& round, const Uuid& id) {
    const auto view = embedded_->reservation(id);
    if (view && !view->order.empty() && below(5) != 0) return round.keep_text(view->order);
    return round.keep_text("order-" + std::to_string(below(3)));
  }

  // Each longer than the one before, by more than the two clocks can differ.
  Millis longer(Millis base) { return base + 10 * static_cast<Millis>(++durations_); }

  Hold any_hold(Round& round, EventNumber event) {
    const bool is_lock = below(5) == 0;
    const std::string customer = is_lock ? "" : "customer-" + std::to_string(below(12));
    return {.reservation = new_id(event),
            .kind = is_lock ? ReservationKind::ticket_lock : ReservationKind::customer,
            .customer = round.keep_text(customer),
            .seats = round.keep(some_seats(event, 5)),
            .duration = longer(7'200 * k_second),
            .duration_is_contracted = below(10) == 0};
  }

  HoldBest any_best(Round& round, EventNumber event) {
    BestAvailable wish{.quantity = static_cast<std::uint32_t>(1 + below(6)), .adjacent = below(3) != 0};
    if (below(3) == 0) wish.category = static_cast<std::uint32_t>(below(2));
    if (below(3) == 0) wish.section = 0;
    return {.reservation = new_id(event),
            .customer = round.keep_text("customer-" + std::to_string(below(12))),
            .wish = wish,
            .duration = longer(7'200 * k_second)};
  }

  Configure any_configuration() {
    constexpr std::array<std::int64_t, 4> k_longest{14'400, 9'000, 3'600, 3'600};
    const EventStatus status = below(8) != 0 ? EventStatus::on_sale : below(2) == 0 ? EventStatus::closed : EventStatus::draft;
    Configure configure{.status = status, .max_hold_seconds = k_longest[below(k_longest.size())]};
    if (below(2) == 0) configure.name = "Evening " + std::to_string(below(50));
    if (below(2) == 0) configure.hold_seconds = below(2) == 0 ? 4'000 : 900;
    if (below(2) == 0) configure.seats_per_reservation = below(3) == 0 ? 3u : 1'000u;
    if (below(2) == 0) configure.held_seats_per_customer = below(3) == 0 ? 25u : 0u;
    return configure;
  }

  ReleaseLocks any_release_of_locks(Round& round, EventNumber event) {
    std::vector<Uuid> only;
    if (below(3) == 0) only = {known_id(event), known_id(event)};
    return {.seats = round.keep(some_seats(event, 8, SeatState::held)), .only = round.keep_ids(std::move(only))};
  }

  Command any_command(Round& round, EventNumber event) {
    const std::size_t kind = below(60);
    if (kind < 35) return any_command_for(round, event, known_id(event));
    if (kind < 37) return any_release_of_locks(round, event);
    if (kind < 39) return Block{.seats = round.keep(some_seats(event, 2))};
    if (kind < 42) return Unblock{.seats = round.keep(some_seats(event, 1, SeatState::blocked))};
    if (kind < 43) return Sweep{.limit = 1 + below(3)};
    if (kind < 44) return any_configuration();
    if (kind < 48) return any_best(round, event);
    return any_hold(round, event);
  }

  // Questions about a reservation.
  Command any_command_for(Round& round, EventNumber event, const Uuid& id) {
    const std::size_t kind = below(35);
    if (kind < 4) return Add{.reservation = id, .seats = round.keep(below(20) == 0 ? SeatList{} : some_seats(event, 3))};
    if (kind < 7) return Extend{.reservation = id, .duration = below(4) == 0 ? k_second : longer(10'800 * k_second)};
    if (kind < 13) return Release{.reservation = id};
    if (kind < 17) return Release{.reservation = id, .seats = round.keep(seats_of(event, id))};
    if (kind < 24) return Consume{.reservation = id, .order = order_for(round, id), .reinstate = below(2) == 0};
    if (kind < 30) return Return{.reservation = id, .order = order_for(round, id)};
    return Return{.reservation = id, .order = order_for(round, id), .seats = round.keep(seats_of(event, id))};
  }

  void add_command_for(Round& round, const Uuid& id) {
    const EventNumber event = *event_of_reservation(id);
    Submission submission;
    submission.parts.push_back({event, any_command_for(round, event, id)});
    round.add(std::move(submission));
  }

  // A set over several events: holds, or releases of locks.
  Submission any_set(Round& round) {
    Submission submission;
    const bool releases = below(4) == 0;
    for (const EventNumber event : events_) {
      if (below(2) == 0) continue;
      submission.parts.push_back({event, releases ? Command(any_release_of_locks(round, event)) : Command(any_hold(round, event))});
    }
    if (submission.parts.empty()) submission.parts.push_back({events_.front(), any_hold(round, events_.front())});
    return submission;
  }

  void add_command(Round& round) {
    if (!used_.empty() && below(12) == 0) return add_with_used_key(round);
    Submission submission;
    if (below(12) == 0) {
      submission = any_set(round);
    } else {
      const EventNumber event = below(500) == 0 ? 77u : any_event();   // there is no event 77
      submission.parts.push_back({event, any_command(round, event)});
    }
    if (below(5) == 0) {
      ++keys_;
      submission.key = key_of(keys_, keys_);
      remember_key(submission, round.entries().size());
    }
    if (below(10) == 0) {
      TraceParent trace;
      for (auto& byte : trace.packed) byte = static_cast<std::uint8_t>(1 + below(255));
      submission.trace = trace;
    }
    round.add(std::move(submission));
  }

  struct UsedKey {
    IdempotencyKey key;
    std::vector<EventNumber> events;
    std::size_t place;   // in its round
    bool makes = false;   // of a reservation: it was accepted, has changed something, and keeps its key
    bool is_taken = false;
  };

  void remember_key(const Submission& submission, std::size_t place) {
    const Command& first = submission.parts.front().command;
    UsedKey used{.key = *submission.key,
                 .events = {},
                 .place = place,
                 .makes = std::holds_alternative<Hold>(first) || std::holds_alternative<HoldBest>(first)};
    for (const Part& part : submission.parts) used.events.push_back(part.event);
    used_this_round_.push_back(std::move(used));
  }

  // The same request again, with another reservation id as in a retry; or another request, for any event.
  void add_with_used_key(Round& round) {
    const UsedKey used = used_[used_.size() - 1 - below(std::min<std::size_t>(used_.size(), 300))];
    Submission submission;
    submission.key = used.key;
    if (below(3) == 0) {
      submission.key->request[15] ^= 0xFF;
      // A key is free if its first request was refused or has changed nothing. The ledger does not distinguish two events that
      // use one key within a transaction, nor two that use it on different nodes before these have heard of each other.
      const EventNumber event = used.is_taken && nodes_.size() == 1 ? any_event() : used.events.front();
      submission.parts.push_back({event, any_command(round, event)});
    } else {
      for (const EventNumber event : used.events) submission.parts.push_back({event, any_hold(round, event)});
    }
    round.add(std::move(submission));
  }

  // A hold of a few milliseconds. Returns its id.
  Uuid add_short_hold(Round& round) {
    const EventNumber event = any_event();
    Hold hold = any_hold(round, event);
    hold.seats = round.keep({seat_in(event, SeatState::available)});
    hold.duration = 1 + static_cast<Millis>(below(5));
    Submission submission;
    submission.parts.push_back({event, hold});
    round.add(std::move(submission));
    return hold.reservation;
  }

  void wait_for_the_end_of(Millis embedded, Millis postgres) {
    EXPECT_TRUE(eventually([&] { return embedded_->now() > embedded; }));
    // By the database's own clock, which is the one that counts. The node's clock is a little behind, so it shows the end to
    // readers later.
    EXPECT_TRUE(eventually([&] {
      return database_now() > postgres && std::ranges::all_of(nodes_, [&](const auto& node) { return node->now() > postgres; });
    }));
  }

  Millis database_now() {
    const std::string text = sql_->value("select floor(extract(epoch from clock_timestamp()) * 1000)::bigint");
    Millis now = 0;
    std::from_chars(text.data(), text.data() + text.size(), now);
    return now;
  }

  void play_and_compare(std::size_t commands) {
    for (std::size_t rounds = 0; played_ < commands; ++rounds) {
      ASSERT_TRUE(below(4) == 0 ? play_short_hold() : play_some());
      if (rounds % k_rounds_between_looks == 0) expect_same_pictures();
      ASSERT_FALSE(HasFatalFailure());
    }
    ASSERT_TRUE(sweep_everything());   // records expiries, so that the tables agree with memory
    expect_same_pictures();
    expect_that_it_was_worth_comparing();
    expect_same_changes();
    expect_same_lists();
    expect_same_histories();
    expect_same_reservations();
    expect_same_tables();
    expect_that_both_verify();
  }

  bool sweep_everything() {
    Round round;
    for (const EventNumber event : events_) round.add(event, Sweep{.limit = k_seats});
    return play(round);
  }

  // Enough was accepted, and every command and every refusal occurred.
  void expect_that_it_was_worth_comparing() {
    std::cout << played_ << " commands, " << reasons_[Reason::none] << " accepted, " << replays_ << " of them replayed; " << short_holds_
              << " short holds, " << reasons_[Reason::reservation_expired] << " refused because it was over; " << swept_ << " swept"
              << std::endl;
    EXPECT_GE(reasons_[Reason::none], played_ / 4);
    for (const Reason reason :
         {Reason::seat_unavailable, Reason::seat_not_found, Reason::event_not_on_sale, Reason::limit_exceeded, Reason::hold_too_long,
          Reason::reservation_not_found, Reason::reservation_expired, Reason::reservation_not_active, Reason::seat_not_sold,
          Reason::order_mismatch, Reason::idempotency_key_reused, Reason::event_not_found, Reason::no_adjacent_seats,
          Reason::settings_conflict}) {
      EXPECT_GE(reasons_[reason], k_refusals_a_reason_min) << name_of(reason) << " came up too rarely";
    }
    const Command by_desk[] = {Create{}, AppendSeats{}};
    for (std::size_t kind = 0; kind < std::variant_size_v<Command>; ++kind) {
      const bool is_played = kind != by_desk[0].index() && kind != by_desk[1].index();
      if (is_played) EXPECT_GT(accepted_of_kind_[kind], 0u) << "commands of kind " << kind;
    }
    EXPECT_GT(replays_, 0u);
    EXPECT_GT(short_holds_, 0u);
    EXPECT_GT(swept_, 0u);
  }

  void expect_same_changes() {
    for (const EventNumber event : events_) {
      const Lines changes = changes_of(*embedded_, event, 1'000);
      EXPECT_EQ(changes.size(), embedded_->event(event)->seq());
      ASSERT_EQ(difference(changes, changes_of(*postgres_, event, 333)), "") << "changes of event " << event;
    }
    const auto all_embedded = all_changes_of(*embedded_);
    const auto all_postgres = all_changes_of(*postgres_);
    EXPECT_EQ(all_embedded.size(), k_events);
    EXPECT_EQ(all_postgres.size(), k_events);
    for (const auto& [event, lines] : all_embedded) {
      const auto at = all_postgres.find(event);
      ASSERT_NE(at, all_postgres.end()) << event;
      ASSERT_EQ(difference(lines, at->second), "") << "event " << event << " among all changes";
    }
  }

  void expect_same_lists() {
    const ReservationFilter filters[] = {{},
                                         {.customer = "customer-3"},
                                         {.event = events_[1]},
                                         {.event = events_[2], .status = ReservationStatus::active},
                                         {.status = ReservationStatus::consumed},
                                         {.status = ReservationStatus::expired},
                                         {.customer = "customer-5", .event = events_[0], .status = ReservationStatus::released}};
    for (const ReservationFilter& filter : filters) {
      const Lines listed = reservations_of(*embedded_, filter, 200);
      EXPECT_FALSE(listed.empty());
      ASSERT_EQ(difference(listed, reservations_of(*postgres_, filter, 90)), "");
    }
  }

  void expect_same_histories() {
    for (const EventNumber event : events_) {
      for (SeatIndex seat = 0; seat < k_seats; ++seat) {
        const Lines history = history_of(*embedded_, {event, seat});
        EXPECT_EQ(history.size(), embedded_->event(event)->seat(seat, 0).version);
        ASSERT_EQ(difference(history, history_of(*postgres_, {event, seat})), "") << "history of seat " << seat << " of event " << event;
      }
    }
  }

  // Includes reservations that memory has forgotten.
  void expect_same_reservations() {
    std::size_t there = 0;
    for (std::size_t i = 0; i < ids_.size(); i += 1 + ids_.size() / 500) {
      ASSERT_TRUE(postgres_->bring({.reservation = ids_[i], .as_of_now = true}));
      const auto left = embedded_->reservation(ids_[i]);
      const auto right = postgres_->reservation(ids_[i]);
      there += left.has_value();
      ASSERT_EQ(left ? timeless(*left) : "nothing", right ? timeless(*right) : "nothing");
    }
    EXPECT_GT(there, 0u);
  }

  // The tables, read by SQL, beside what the embedded ledger shows.
  void expect_same_tables() {
    for (const EventNumber event : events_) {
      const std::string number = std::to_string(event);
      const std::string seq = std::to_string(embedded_->event(event)->seq());
      ASSERT_TRUE(eventually([&] { return sql_->value("select max(seq) from holdfast.step where event = $1", {number}) == seq; }));
      Lines seats;
      for (SeatIndex seat = 0; seat < k_seats; ++seat) {
        const SeatReading reading = embedded_->event(event)->seat(seat, 0);
        seats.push_back(std::to_string(seat) + " " + static_cast<char>(reading.state) + " " + std::to_string(reading.version) + " " +
                        (reading.reservation ? holdfast::to_string(*reading.reservation) : "-"));
      }
      EXPECT_EQ(
          difference(
              seats,
              rows("select s.seat || case when kind in (4, 5) then ' h ' when kind = 8 then ' s ' when kind = 11 then ' b ' else ' a ' end "
                   "|| coalesce(version, 0) || ' ' || coalesce(case when kind in (4, 5, 8) then reservation::text end, '-') "
                   "from holdfast.seat s left join lateral (select version, kind, reservation from holdfast.seat_change c "
                   "where c.event = s.event and c.seat = s.seat order by version desc limit 1) c on true "
                   "where s.event = $1 order by s.seat",
                   number)),
          "");
      Lines reservations;
      std::string cursor;
      do {
        const auto page = embedded_->list_reservations({.event = event}, cursor, 500);
        ASSERT_TRUE(page);
        for (const ListedReservation& each : page->items) reservations.push_back(as_in_table(each.view));
        cursor = page->next;
      } while (!cursor.empty());
      EXPECT_EQ(
          difference(reservations, rows("select concat_ws(' ', id, kind, status, owned, quote_literal(customer), quote_literal(order_id), "
                                        "array_to_string(seats, ' ')) from holdfast.reservation where event = $1 order by created_seq",
                                        number)),
          "");
    }
  }

  static std::string as_in_table(const ReservationView& view) {
    const auto owned = std::ranges::count_if(view.seats, &ReservedSeat::owned);
    std::string text = holdfast::to_string(view.id) + " " + std::to_string(static_cast<int>(view.kind)) + " " +
                       std::to_string(static_cast<int>(view.status)) + " " + std::to_string(owned) + " '" + view.customer + "' '" +
                       view.order + "'";
    for (const ReservedSeat& seat : view.seats) text += " " + std::to_string(seat.seat);
    return text;
  }

  Lines rows(const std::string& statement, const std::string& parameter) {
    Lines lines;
    for (const Sql::Row& row : sql_->query(statement, {parameter})) lines.push_back(row[0].value_or("NULL"));
    return lines;
  }

  void expect_that_both_verify() {
    pg::Connection connection(pg::for_verifying({.url = database_.url()}));
    for (const EventNumber event : events_) {
      const pg::EventVerified verified = pg::verify_event(connection, event);
      EXPECT_EQ(verified.problems, std::vector<std::string>{});
      EXPECT_EQ(verified.changes, embedded_->event(event)->seq());
      EXPECT_EQ(verified.changes_behind, 0u);
    }
    embedded_.reset();
    EXPECT_EQ(verify_folder(folder_).problem, "");
  }

  LedgerFolder folder_;
  PostgresDatabase database_;
  std::unique_ptr<EmbeddedLedger> embedded_;
  std::vector<std::unique_ptr<PostgresLedger>> nodes_;
  PostgresLedger* postgres_ = nullptr;   // the node that executed the last round
  std::unique_ptr<Sql> sql_;
  std::mt19937_64 random_{seed()};
  std::vector<EventNumber> events_;
  std::vector<Uuid> ids_;   // all ids that questions may use
  std::map<EventNumber, std::vector<Uuid>> living_;   // created, and not known to own nothing
  Verdict last_postgres_;
  std::vector<UsedKey> used_;
  std::vector<UsedKey> used_this_round_;
  std::uint64_t keys_ = 0;
  std::uint64_t durations_ = 0;
  std::size_t played_ = 0;
  std::size_t short_holds_ = 0;
  std::size_t replays_ = 0;
  std::size_t swept_ = 0;
  std::map<Reason, std::size_t> reasons_;
  std::map<std::size_t, std::size_t> accepted_of_kind_;   // by the index of the command's type in Command
};

TEST_F(BothLedgers, AnswerShowAndRememberTheSame) { play_and_compare(k_commands); }

TEST_F(BothLedgers, AnswerShowAndRememberTheSameWhenTwoNodesTakeTurns) {
  add_node();
  play_and_compare(k_commands / 2);
  for (const auto& node : nodes_) EXPECT_GT(node->stats().rows_followed, 0u);
}

}   // namespace
}   // namespace holdfast::test
