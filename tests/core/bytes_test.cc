// The journal's bytes: each kind of change is read back, and damaged bytes do nothing worse than return false.
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/change.h"
#include "core/codec.h"
#include "core/event_in_test.h"
#include "core/keys.h"
#include "core/limits.h"

namespace holdfast {
namespace {

TEST(Codec, ReadsBackEveryEdgeOfEveryType) {
  std::string bytes;
  Writer writer(bytes);
  const std::uint64_t numbers[] = {0, 1, 127, 128, 16'383, 16'384, UINT32_MAX, std::uint64_t{1} << 63, UINT64_MAX};
  const std::int64_t signed_numbers[] = {0, -1, 1, 63, -64, 64, -65, INT64_MIN, INT64_MAX};
  for (const auto number : numbers) writer.varint(number);
  for (const auto number : signed_numbers) writer.signed_varint(number);
  const Uuid id = test_reservation_id(5);
  writer.uuid(id);
  writer.text("");
  writer.text(std::string_view("with\0zero", 9));
  writer.real(-0.1F);
  writer.byte(255);
  Reader reader(bytes);
  for (const auto number : numbers) EXPECT_EQ(reader.varint(), number);
  for (const auto number : signed_numbers) EXPECT_EQ(reader.signed_varint(), number);
  EXPECT_EQ(reader.uuid(), id);
  EXPECT_EQ(reader.text(), "");
  EXPECT_EQ(reader.text(), std::string_view("with\0zero", 9));
  EXPECT_EQ(reader.real(), -0.1F);
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(reader.left(), 1u);
  EXPECT_EQ(reader.byte(), 255);
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.failed());
}

TEST(Codec, SmallNumbersTakeOneByte) {
  std::string bytes;
  Writer writer(bytes);
  writer.varint(127);
  writer.signed_varint(-64);
  EXPECT_EQ(bytes.size(), 2u);
}

TEST(Codec, PastTheEndGivesZerosAndStaysFailed) {
  const auto fails = [](std::string_view bytes, auto read) {
    Reader reader(bytes);
    read(reader);
    EXPECT_TRUE(reader.failed());
    EXPECT_EQ(reader.byte(), 0);
    EXPECT_EQ(reader.varint(), 0u);
    EXPECT_EQ(reader.text(), "");
    EXPECT_EQ(reader.real(), 0.0F);
    EXPECT_TRUE(reader.uuid().is_nil());
    EXPECT_EQ(reader.rest(), "");
  };
  fails("", [](Reader& reader) { reader.byte(); });
  fails("\x80", [](Reader& reader) { reader.varint(); });
  fails(std::string(11, '\x80'), [](Reader& reader) { reader.varint(); });
  fails(
      "\x05"
      "four",
      [](Reader& reader) { reader.text(); });
  fails(
      "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
      "x",
      [](Reader& reader) { reader.text(); });
  fails("123456789012345", [](Reader& reader) { reader.uuid(); });
  fails("123", [](Reader& reader) { reader.real(); });
  fails(
      "\x05"
      "more",
      [](Reader& reader) { reader.varint_max(4); });
}

// ----------------------------------------------------------------------------------------------------------------- changes

const EventCard k_card{.number = 0, .id = test_reservation_id(77), .venue = "Royal", .currency = "EUR"};
const EventSettings k_settings{.name = "Hamlet",
                               .starts_at = k_start,
                               .status = EventStatus::draft,
                               .hold_seconds = 601,
                               .max_hold_seconds = 86'400,
                               .limits = {.seats_per_reservation = 12, .held_seats_per_customer = UINT32_MAX}};
const SeatList k_one = {19'999'999};
const SeatList k_some = {5, 0, 1'000'000};

// One change of every kind, with every field that its kind has.
std::vector<Change> changes_of_every_kind() {
  const Uuid id = test_reservation_id(1);
  return {
      {.kind = ChangeKind::event_created, .text = "header", .card = &k_card, .settings = &k_settings},
      {.kind = ChangeKind::seats_appended, .text = "seats", .count = 17},
      {.kind = ChangeKind::event_configured, .settings = &k_settings},
      {.kind = ChangeKind::held, .reservation = id, .expires_at = k_start + 900'000, .text = "anna", .seats = k_some},
      {.kind = ChangeKind::held,
       .reservation = id,
       .reservation_kind = ReservationKind::ticket_lock,
       .expires_at = k_start + 1,
       .seats = k_one},
      {.kind = ChangeKind::seats_added, .reservation = id, .seats = k_some},
      {.kind = ChangeKind::extended, .reservation = id, .expires_at = k_start + 86'400'000},
      {.kind = ChangeKind::released, .reservation = id, .ends = true, .seats = k_some},
      {.kind = ChangeKind::released, .reservation = id, .ends = false, .seats = k_one},
      {.kind = ChangeKind::consumed, .reservation = id, .ends = true, .text = "order-1"},
      {.kind = ChangeKind::consumed, .reservation = id, .ends = false, .text = "order-1"},
      {.kind = ChangeKind::expired, .reservation = id},
      {.kind = ChangeKind::returned, .reservation = id, .seats = k_some},
      {.kind = ChangeKind::blocked, .seats = k_some},
      {.kind = ChangeKind::unblocked, .seats = k_one},
  };
}

void expect_same(const Change& a, const Change& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.reservation, b.reservation);
  EXPECT_EQ(a.reservation_kind, b.reservation_kind);
  EXPECT_EQ(a.expires_at, b.expires_at);
  EXPECT_EQ(a.ends, b.ends);
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.count, b.count);
  EXPECT_TRUE(std::ranges::equal(a.seats, b.seats));
  ASSERT_EQ(a.card == nullptr, b.card == nullptr);
  if (a.card != nullptr) {
    EXPECT_EQ(*a.card, *b.card);
  }
  ASSERT_EQ(a.settings == nullptr, b.settings == nullptr);
  if (a.settings != nullptr) {
    EXPECT_EQ(*a.settings, *b.settings);
  }
}

std::string bytes_of(const Change& change) {
  std::string bytes;
  Writer writer(bytes);
  encode_change(change, k_start, writer);
  return bytes;
}

TEST(ChangeBytes, OfEveryKindAreReadBackOneAfterTheOther) {
  std::string bytes;
  Writer writer(bytes);
  const auto changes = changes_of_every_kind();
  for (const Change& change : changes) encode_change(change, k_start, writer);
  Reader reader(bytes);
  ChangeDecoder decoder(k_start);
  for (const Change& expected : changes) {
    Change change;
    ASSERT_TRUE(decoder.decode(reader, change)) << name_of(expected.kind);
    expect_same(expected, change);
  }
  EXPECT_TRUE(reader.at_end());
}

TEST(ChangeBytes, OfAHoldOfOneSeatAreFewerThanThirtyBesideTheCustomer) {
  const Change held{
      .kind = ChangeKind::held, .reservation = test_reservation_id(1), .expires_at = k_start + 900'000, .text = "anna", .seats = k_one};
  EXPECT_LT(bytes_of(held).size(), 30u + 4u);
}

TEST(ChangeBytes, ThatAreCutOffAnywhereAreRefused) {
  for (const Change& change : changes_of_every_kind()) {
    const std::string bytes = bytes_of(change);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      Reader reader(std::string_view(bytes).substr(0, cut));
      ChangeDecoder decoder(k_start);
      Change back;
      EXPECT_FALSE(decoder.decode(reader, back)) << name_of(change.kind) << " cut at " << cut;
    }
  }
}

TEST(ChangeBytes, OfAnUnknownKindAreRefused) {
  for (const int kind : {0, 13, 14, 127, 128, 255}) {
    std::string bytes(100, '\1');
    bytes[0] = static_cast<char>(kind);
    Reader reader(bytes);
    ChangeDecoder decoder(k_start);
    Change back;
    EXPECT_FALSE(decoder.decode(reader, back)) << kind;
  }
}

TEST(ChangeBytes, WithNoSeatsTooManyOrAnImpossibleOneAreRefused) {
  const auto decodes = [](std::string_view bytes) {
    Reader reader(bytes);
    ChangeDecoder decoder(k_start);
    Change back;
    return decoder.decode(reader, back);
  };
  std::string bytes;
  Writer writer(bytes);
  const auto blocked = [&](std::uint64_t count, std::uint64_t seat) {
    bytes.clear();
    writer.byte(static_cast<std::uint8_t>(ChangeKind::blocked));
    writer.varint(count);
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, 2'000); ++i) writer.varint(seat);
    return bytes;
  };
  EXPECT_TRUE(decodes(blocked(1, k_seats_per_event_max - 1)));
  EXPECT_FALSE(decodes(blocked(1, k_seats_per_event_max)));
  EXPECT_TRUE(decodes(blocked(1'000, 1)));
  EXPECT_FALSE(decodes(blocked(1'001, 1)));
  EXPECT_FALSE(decodes(blocked(UINT64_MAX, 1)));
  EXPECT_FALSE(decodes(blocked(0, 1)));
}

TEST(ChangeBytes, WithAnAbsurdTimeOrAnUnknownKindOfReservationDoNoHarm) {
  std::string bytes;
  Writer writer(bytes);
  writer.byte(static_cast<std::uint8_t>(ChangeKind::extended));
  writer.uuid(test_reservation_id(1));
  writer.signed_varint(INT64_MAX);
  Reader reader(bytes);
  ChangeDecoder decoder(k_start);
  Change back;
  EXPECT_FALSE(decoder.decode(reader, back));

  std::string held = bytes_of(changes_of_every_kind()[4]);
  held[17] = 2;   // after kind and id
  Reader held_reader(held);
  EXPECT_FALSE(decoder.decode(held_reader, back));
}

TEST(ChangeBytes, ThatAreDamagedAreRefusedOrAnotherChangeButNeverACrash) {
  std::mt19937 random(2);
  std::size_t refused = 0;
  for (const Change& change : changes_of_every_kind()) {
    const std::string good = bytes_of(change);
    for (int i = 0; i < 5'000; ++i) {
      std::string bad = good;
      for (int n = 0; n < 1 + i % 3; ++n) bad[random() % bad.size()] = static_cast<char>(random());
      Reader reader(bad);
      ChangeDecoder decoder(k_start);
      Change back;
      if (!decoder.decode(reader, back)) {
        ++refused;
        continue;
      }
      EXPECT_LE(back.seats.size(), k_seats_per_reservation_max);
      EXPECT_LE(back.text.size(), bad.size());
    }
  }
  EXPECT_GT(refused, 1'000u);
}

TEST(Settings, AreReadBackAndRefuseAnUnknownStatus) {
  std::string bytes;
  Writer writer(bytes);
  encode_settings(k_settings, writer);
  Reader reader(bytes);
  EventSettings back;
  ASSERT_TRUE(decode_settings(reader, back));
  EXPECT_EQ(back, k_settings);
  bytes[1 + k_settings.name.size() + 6] = 5;   // after the name and the bytes of the start
  Reader bad(bytes);
  EXPECT_FALSE(decode_settings(bad, back));
}

// ---------------------------------------------------------------------------------------------------------------- outcomes

Outcome outcome_of(ReservationView view) {
  Outcome outcome;
  outcome.reservation = std::move(view);
  return outcome;
}

std::vector<Outcome> some_outcomes() {
  ReservationView full{.id = test_reservation_id(1),
                       .kind = ReservationKind::customer,
                       .status = ReservationStatus::consumed,
                       .created_at = k_start,
                       .expires_at = k_start + 900'000,
                       .customer = std::string(k_customer_bytes_max, 'c'),
                       .order = std::string(k_order_bytes_max, 'o'),
                       .seats = {{0, true}, {19'999'999, false}, {3, true}}};
  ReservationView lock{.id = test_reservation_id(2),
                       .kind = ReservationKind::ticket_lock,
                       .status = ReservationStatus::active,
                       .created_at = 0,
                       .expires_at = 1,
                       .customer = "",
                       .order = "",
                       .seats = {{7, true}}};
  return {outcome_of(full), Outcome{}, outcome_of(lock)};
}

TEST(OutcomeBytes, OfAKeyComeBackAsTheyWere) {
  const auto outcomes = some_outcomes();
  std::string bytes;
  Writer writer(bytes);
  encode_outcomes(outcomes, writer);
  Reader reader(bytes);
  UsuallyOne<Outcome> back;
  ASSERT_TRUE(decode_outcomes(reader, back));
  EXPECT_TRUE(reader.at_end());
  ASSERT_EQ(back.size(), outcomes.size());
  for (std::size_t i = 0; i < back.size(); ++i) {
    EXPECT_TRUE(back[i].accepted());
    ASSERT_EQ(back[i].reservation.has_value(), outcomes[i].reservation.has_value());
    if (back[i].reservation) {
      EXPECT_TRUE(*back[i].reservation == *outcomes[i].reservation);
    }
  }
}

TEST(OutcomeBytes, ThatAreCutOffOrDamagedAreRefusedOrAnotherOutcomeButNeverACrash) {
  std::string bytes;
  Writer writer(bytes);
  encode_outcomes(some_outcomes(), writer);
  UsuallyOne<Outcome> back;
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    Reader reader(std::string_view(bytes).substr(0, cut));
    EXPECT_FALSE(decode_outcomes(reader, back)) << cut;
  }
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = bytes;
    bad[random() % bad.size()] = static_cast<char>(random());
    Reader reader(bad);
    (void)owner_in(bad);
    if (!decode_outcomes(reader, back)) continue;
    EXPECT_LE(back.size(), k_events_per_command_max);
  }
}

// The details beside changes of every kind: versions 1, 2, 3, … and a trace for every second change.
struct Details {
  Details() {
    Writer versions_writer(versions);
    Writer traces_writer(traces);
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const bool sets_seats = state_after(changes[i].kind).has_value();
      const std::size_t count = !sets_seats ? 0 : changes[i].seats.empty() ? 3 : changes[i].seats.size();
      if (sets_seats && changes[i].seats.empty()) versions_writer.varint(count);
      counts.push_back(count);
      for (std::size_t n = 0; n < count; ++n) versions_writer.varint(++last);
      if (changes[i].kind == ChangeKind::seats_added) versions_writer.signed_varint(k_start + 5);
      if (i % 2 == 0) continue;
      traces_writer.varint(i);
      traces.append(25, static_cast<char>(i));
    }
  }
  // The number of changes whose details can be read.
  static std::size_t readable(const std::vector<Change>& changes, std::string_view versions, std::string_view traces) {
    DetailsDecoder decoder(versions, traces);
    ChangeDetails details;
    std::size_t read = 0;
    while (read < changes.size() && decoder.decode(changes[read], details)) ++read;
    return read == changes.size() && !decoder.at_end() ? read - 1 : read;
  }

  std::vector<Change> changes = changes_of_every_kind();
  std::string versions;
  std::string traces;
  std::vector<std::size_t> counts;
  std::uint32_t last = 0;
};

TEST(DetailBytes, GiveEachChangeItsVersionsAndItsTrace) {
  const Details of;
  DetailsDecoder decoder(of.versions, of.traces);
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < of.changes.size(); ++i) {
    ChangeDetails details;
    ASSERT_TRUE(decoder.decode(of.changes[i], details)) << name_of(of.changes[i].kind);
    ASSERT_EQ(details.versions.size(), of.counts[i]) << name_of(of.changes[i].kind);
    for (const std::uint32_t version : details.versions) EXPECT_EQ(version, ++next);
    EXPECT_EQ(details.expires_at, of.changes[i].kind == ChangeKind::seats_added ? k_start + 5 : 0);
    ASSERT_EQ(details.trace.has_value(), i % 2 == 1);
    if (details.trace) {
      EXPECT_EQ(details.trace->packed[7], i);
    }
  }
  EXPECT_TRUE(decoder.at_end());
  EXPECT_GT(next, 10u);
}

TEST(DetailBytes, OfEarlierVersionsGiveNone) {
  const Details of;
  DetailsDecoder decoder({}, {});
  for (const Change& change : of.changes) {
    ChangeDetails details{.versions = {7}, .trace = TraceParent{}};
    ASSERT_TRUE(decoder.decode(change, details));
    EXPECT_TRUE(details.versions.empty());
    EXPECT_FALSE(details.trace.has_value());
  }
}

TEST(DetailBytes, ThatAreCutOffTooLongOrOutOfTurnAreRefused) {
  const Details of;
  for (std::size_t cut = 1; cut < of.versions.size(); ++cut) {
    EXPECT_LT(Details::readable(of.changes, std::string_view(of.versions).substr(0, cut), {}), of.changes.size()) << cut;
  }
  EXPECT_LT(Details::readable(of.changes, of.versions + '\1', {}), of.changes.size());
  for (std::size_t cut = 1; cut < of.traces.size(); ++cut) {
    if (cut % 26 == 0) continue;   // fewer traces
    EXPECT_LT(Details::readable(of.changes, of.versions, std::string_view(of.traces).substr(0, cut)), of.changes.size()) << cut;
  }
  const std::string twice = of.traces.substr(0, 26) + of.traces;
  EXPECT_LT(Details::readable(of.changes, of.versions, twice), of.changes.size());
}

TEST(DetailBytes, ThatAreDamagedAreRefusedOrOtherDetailsButNeverACrash) {
  const Details of;
  std::mt19937 random(3);
  std::size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string versions = of.versions;
    std::string traces = of.traces;
    std::string& bad = i % 2 == 0 ? versions : traces;
    bad[random() % bad.size()] = static_cast<char>(random());
    refused += Details::readable(of.changes, versions, traces) < of.changes.size();
  }
  EXPECT_GT(refused, 1'000u);
}

}  // namespace
}  // namespace holdfast
