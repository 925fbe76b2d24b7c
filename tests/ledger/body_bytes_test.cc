// The bounds of what a submission adds to the journal, against the encoder: random rounds on random inventories never exceed them.
#include "ledger/body_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <random>

#include "core/rules.h"
#include "ledger/embedded/pieces.h"
#include "ledger/journal_row.h"
#include "ledger_in_test.h"

namespace holdfast::test {
namespace {

constexpr std::size_t k_hall = 6'000;
constexpr EventNumber k_events = 3;

// Events whose seats have long versions, judged without a journal.
class Hall final : public JudgesBench {
 public:
  explicit Hall(std::uint32_t version) : plan_(plan_of(uuid_of(1), k_hall)) {
    for (EventNumber number = 1; number <= k_events; ++number) {
      Table& table = tables_[number];
      table.inventory = std::make_unique<Inventory>(EventCard{.number = number, .id = uuid_of(number), .venue = {}, .currency = {}},
                                                    EventSettings{.name = std::string(k_name_bytes_max, 'n')}, 7);
      table.inventory->restore_seats(k_hall);
      for (SeatIndex seat = 0; seat < k_hall; ++seat) table.inventory->restore_seat(seat, SeatState::available, version);
      table.inventory->restore_position(1, k_begin);
    }
  }

  Bench bench_of(EventNumber event) override {
    const auto at = tables_.find(event);
    if (at == tables_.end()) return {};
    return {at->second.inventory.get(), &at->second.changes, plan_.get()};
  }
  KeyTable& keys_of(EventNumber) override { return keys_; }
  const Inventory* inventory_in_memory(EventNumber event) const override {
    const auto at = tables_.find(event);
    return at == tables_.end() ? nullptr : at->second.inventory.get();
  }
  bool recall_for(const Submission&) override { return true; }
  void keep(KeptKey kept) override { tables_.at(kept.event).kept.push_back(std::move(kept)); }

  struct Written {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
  };
  // What has been judged since the last call, as the journal would have it.
  Written take() {
    Written written;
    for (auto& [number, table] : tables_) {
      if (table.changes.count == 0 && table.kept.empty()) continue;
      std::string body;
      encode_body(table.changes, table.kept, body);
      written.bytes += body.size();
      ++written.rows;
      table.changes.clear();
      table.kept.clear();
    }
    return written;
  }

 private:
  struct Table {
    std::unique_ptr<Inventory> inventory;
    ChangeBatch changes;
    std::vector<KeptKey> kept;
  };
  std::shared_ptr<const Plan> plan_;
  std::map<EventNumber, Table> tables_;
  KeyTable keys_;
};

// Chooses commands, mostly ones that are accepted.
class Chooser {
 public:
  explicit Chooser(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  Submission submission(Round& round) {
    Submission made;
    if (one_in(2)) {
      made.key = key_of(++last_key_, 1);
      if (one_in(2)) made.key->owner = {.caller = 0x7FFF'FFFF, .is_stranger = true};
    }
    if (one_in(2)) made.trace.emplace();
    const auto event = static_cast<EventNumber>(1 + below(k_events));
    if (one_in(8)) {   // a set
      const bool locks = one_in(2);
      for (EventNumber each = 1; each <= k_events; ++each) {
        if (locks) made.parts.push_back({each, lock(each, seats(round))});
        if (!locks) made.parts.push_back({each, ReleaseLocks{.seats = seats(round)}});
      }
      return made;
    }
    made.parts.push_back({event, command(event, round)});
    return made;
  }

 private:
  Seats seats(Round& round, std::size_t most = k_seats_per_reservation_max) {
    constexpr std::size_t k_sizes[] = {1, 1, 2, 4, 40, 1'000};
    const std::size_t count = std::min(most, k_sizes[below(std::size(k_sizes))]);
    const std::size_t first = below(k_hall - count + 1);
    SeatList list(count);
    for (std::size_t i = 0; i < count; ++i) list[i] = static_cast<SeatIndex>(first + i);
    return round.keep(std::move(list));
  }
  Uuid new_id(EventNumber event) {
    known_.push_back(reservation_id(event, ++last_id_));
    return known_.back();
  }
  Uuid known() {
    return known_.empty() ? Uuid{}
                          : known_[one_in(2) ? known_.size() - 1 - below(std::min<std::size_t>(known_.size(), 8)) : below(known_.size())];
  }
  Hold lock(EventNumber event, Seats seats) {
    return {.reservation = new_id(event), .kind = ReservationKind::ticket_lock, .seats = seats, .duration = length()};
  }
  Millis length() { return one_in(3) ? k_hold_seconds_max * k_millis_per_second : static_cast<Millis>(1 + below(2'000)); }
  std::string_view text(Round& round, std::size_t most) { return round.keep_text(std::string(one_in(3) ? most : 1 + below(12), 'x')); }

  Command command(EventNumber event, Round& round) {
    switch (below(14)) {
      case 0:
      case 1:
      case 2: {
        Hold hold{.reservation = new_id(event), .customer = text(round, k_customer_bytes_max), .seats = seats(round), .duration = length()};
        hold.duration_is_contracted = true;
        return hold;
      }
      case 3: return lock(event, seats(round));
      case 4:
        return HoldBest{.reservation = new_id(event),
                        .customer = text(round, k_customer_bytes_max),
                        .wish = {.quantity = static_cast<std::uint32_t>(one_in(4) ? 1'000 : 1 + below(5)), .adjacent = false},
                        .duration = static_cast<Millis>(1 + below(2'000))};
      case 5: return Add{.reservation = known(), .seats = seats(round, 40)};
      case 6: return Extend{.reservation = known(), .duration = length()};
      case 7: return Release{.reservation = known()};
      case 8: return ReleaseLocks{.seats = seats(round)};
      case 9: return Consume{.reservation = known(), .order = text(round, k_order_bytes_max), .reinstate = one_in(2)};
      case 10: return Return{.reservation = known(), .order = round.keep_text(std::string(k_order_bytes_max, 'x'))};
      case 11: return one_in(2) ? Command(Block{seats(round, 40)}) : Command(Unblock{seats(round, 40)});
      case 12: return Sweep{.limit = 1 + below(400), .seats_max = 1 + below(2'000)};
      default: return Configure{.name = std::string(1 + below(k_name_bytes_max), 'm'), .status = EventStatus::on_sale, .hold_seconds = 900};
    }
  }

  std::mt19937_64 random_;
  std::vector<Uuid> known_;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_key_ = 0;
};

std::vector<Batch> batches_of(Round& round) {
  std::vector<Batch> batches;
  for (Entry& entry : round.entries()) {
    UsuallyOne<EventNumber> events;
    for (const Part& part : entry.submission.parts) events.push_back(part.event);
    if (batches.empty() || batches.back().events != events) batches.push_back({.events = events, .entries = {}});
    batches.back().entries.push_back(&entry);
  }
  return batches;
}

TEST(BodyBytes, AreAtLeastWhatTheEncoderWritesOfAnyRound) {
  std::uint64_t accepted = 0, swept = 0, swept_on_the_way = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Hall hall(seed % 2 == 0 ? 0xFFFF'0000U : 1U);
    Chooser chooser(seed);
    Judging judging({});
    Millis now = k_begin;
    for (int step = 0; step < 60; ++step) {
      Round round;
      for (auto left = 1 + chooser.below(20); left > 0; --left) round.add(chooser.submission(round));
      now += static_cast<Millis>(chooser.below(3'000));
      const std::vector<Batch> batches = batches_of(round);
      const Need need = need_of(batches, hall, now);
      const std::uint64_t seqs = hall.inventory_in_memory(1)->seq();
      const std::size_t recorded = judging.judge(batches, hall, now);
      swept += recorded;
      swept_on_the_way += hall.inventory_in_memory(1)->seq() - seqs;
      for (const Entry& entry : round.entries()) accepted += entry.verdict.accepted() ? 1 : 0;
      const Hall::Written written = hall.take();
      ASSERT_LE(written.bytes, need.body_bytes) << "seed " << seed << ", step " << step;
      ASSERT_LE(written.rows, need.rows) << "seed " << seed << ", step " << step;
    }
  }
  EXPECT_GT(accepted, 5'000U);
  EXPECT_GT(swept, 1'000U);
  EXPECT_GT(swept_on_the_way, 1'000U);
}

TEST(BodyBytes, OfOneCommandAreAtLeastWhatTheEncoderWrites) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Hall hall(0xFFFF'0000U);
    Chooser chooser(seed);
    Judging judging({});
    Millis now = k_begin;
    for (int step = 0; step < 400; ++step) {
      Round round;
      const Entry& entry = round.add(chooser.submission(round));
      if (chooser.one_in(20)) now += static_cast<Millis>(chooser.below(3'000));
      const std::vector<Batch> batches = batches_of(round);
      const Need need = need_of(batches, hall, now);
      judging.judge(batches, hall, now);
      ASSERT_LE(hall.take().bytes, need.body_bytes)
          << "seed " << seed << ", step " << step << ", command " << entry.submission.parts.front().command.index();
    }
  }
}

// A bound that is too large makes rounds small.
TEST(BodyBytes, OfAUsualHoldAreAtMostFourTimesWhatTheEncoderWrites) {
  for (const std::size_t seats : {1U, 2U, 4U, 8U}) {
    for (const bool has_key : {false, true}) {
      for (const bool has_trace : {false, true}) {
        Hall hall(1);
        Judging judging({});
        Round round;
        Submission submission;
        if (has_key) submission.key = key_of(1, 1);
        if (has_trace) submission.trace.emplace();
        SeatList list;
        for (SeatIndex seat = 0; seat < seats; ++seat) list.push_back(seat + 600);
        submission.parts.push_back(
            {1, Hold{.reservation = reservation_id(1, 1), .customer = "customer-123", .seats = round.keep(list), .duration = 900'000}});
        round.add(std::move(submission));
        const std::vector<Batch> batches = batches_of(round);
        const Need need = need_of(batches, hall, k_begin);
        judging.judge(batches, hall, k_begin);
        ASSERT_TRUE(round.verdict(0).accepted());
        EXPECT_LE(need.body_bytes, 4 * hall.take().bytes) << seats << " seats, key: " << has_key << ", trace: " << has_trace;
      }
    }
  }
}

// The largest case of all: every seat of a hold belongs to a large reservation of its own whose time is over.
TEST(BodyBytes, CountEveryExpiryOnTheWayToAHoldOnce) {
  Hall hall(0xFFFF'0000U);
  Judging judging({});
  constexpr std::size_t k_each = 200;
  Round before;
  SeatList wanted;
  for (SeatIndex first = 0; first < k_hall; first += k_each) {
    SeatList list(k_each);
    for (SeatIndex i = 0; i < k_each; ++i) list[i] = first + i;
    wanted.push_back(first);
    before.add(1, Hold{.reservation = reservation_id(1, 1 + first), .customer = "anna", .seats = before.keep(list), .duration = 1'000});
  }
  judging.judge(batches_of(before), hall, k_begin);
  hall.take();

  Round round;
  round.add(1, Hold{.reservation = reservation_id(1, 0), .customer = "bert", .seats = round.keep(wanted), .duration = 1'000});
  const std::vector<Batch> batches = batches_of(round);
  EXPECT_LT(need_of(batches, hall, k_begin + 999).body_bytes, 1'000U) << "none is due";
  const Need need = need_of(batches, hall, k_begin + 1'000);
  judging.judge(batches, hall, k_begin + 1'000);
  ASSERT_TRUE(round.verdict(0).accepted());
  const std::uint64_t written = hall.take().bytes;
  EXPECT_GT(written, k_hall * 5) << "all expiries";
  EXPECT_LE(written, need.body_bytes);
  EXPECT_LE(need.body_bytes, 4 * written + 5 * k_hall * 4);
  EXPECT_GT(need.expiry_bytes, k_hall * 5);
}

// The limits of a request and of an import keep every submission far below a round of the journal.
TEST(BodyBytes, OfTheLargestSubmissionsAreWithinTheirLimit) {
  const auto is_within = [](const Submission& submission) { return body_bytes_max(submission) <= k_submission_bytes_max; };
  const auto name = [](std::size_t number) {
    std::string text = std::to_string(number);
    return text + std::string(k_name_bytes_max - text.size(), 'n');
  };

  std::vector<Category> categories;
  for (std::size_t i = 0; i < k_categories_max; ++i)
    categories.push_back({.name = name(i), .price = Price{10'000'000'000'000}, .color = std::string(64, 'c')});
  PlanBuilder builder(uuid_of(1), categories);
  for (std::size_t i = 0; i < k_seats_per_import_step; ++i) {
    std::string id = std::to_string(i);
    id += std::string(k_seat_id_bytes_max - id.size(), 'x');
    const std::string text = name(i);
    ASSERT_TRUE(builder.add({.id = id, .section = text, .row = text, .number = text, .category = 999, .x = 1, .y = 1}).has_value());
  }
  const auto plan = builder.finish().value();
  const IdempotencyKey key = key_of(1, 1);
  const auto with_all = [&](Command command) {
    Submission made{.parts = {}, .key = key, .trace = TraceParent{}};
    made.parts.push_back({1, std::move(command)});
    return made;
  };
  std::string header, step;
  Writer header_writer(header), step_writer(step);
  plan->encode_header(header_writer);
  plan->encode_seats(0, plan->size(), step_writer);
  EXPECT_GT(step.size(), k_submission_bytes_max * 9 / 10) << "the limit is that of this step";
  EXPECT_TRUE(is_within(with_all(AppendSeats{.encoded = step, .count = plan->size()})));
  EXPECT_TRUE(is_within(with_all(Create{.plan_header = header})));

  Submission plain;
  plain.parts.push_back({1, Hold{.customer = "anna", .seats = {}}});
  EXPECT_EQ(body_bytes_max(plain), body_bytes_max_of_any(plain)) << "the short way is the same";

  const SeatList seats(k_seats_per_reservation_max);
  std::get<Hold>(plain.parts.front().command).seats = seats;
  EXPECT_EQ(body_bytes_max(plain), body_bytes_max_of_any(plain));
  const std::string customer(k_customer_bytes_max, 'c');
  EXPECT_TRUE(is_within(with_all(Hold{.customer = customer, .seats = seats})));
  EXPECT_TRUE(is_within(with_all(ReleaseLocks{.seats = seats})));
  EXPECT_TRUE(is_within(with_all(Consume{.order = customer})));
  EXPECT_TRUE(is_within(with_all(Return{})));
  Submission locks{.parts = {}, .key = key, .trace = TraceParent{}};
  Submission releases = locks;
  const Seats ten = Seats(seats).first(k_seats_per_reservation_max / k_events_per_command_max);
  for (EventNumber event = 1; event <= k_events_per_command_max; ++event) {
    locks.parts.push_back({event, Hold{.kind = ReservationKind::ticket_lock, .seats = ten}});
    releases.parts.push_back({event, ReleaseLocks{.seats = ten}});
  }
  EXPECT_TRUE(is_within(locks));
  EXPECT_TRUE(is_within(releases));
}

}  // namespace
}  // namespace holdfast::test
