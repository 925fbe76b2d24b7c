// Texts that core reads and writes: UUIDs and reservation ids, times, prices, numbers.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "core/bytes.h"
#include "core/decimal.h"
#include "core/ids.h"
#include "core/json_text.h"
#include "core/plain_text.h"
#include "core/plan.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/utf8.h"
#include "core/uuid_text.h"

namespace holdfast {
namespace {

// --- UTF-8 ---

std::string json_of(std::string_view text) {
  std::string json;
  append_json(json, text);
  return json;
}

TEST(JsonText, IsUtf8ForAnyBytes) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(json_of("plain \"quoted\" \\ \n\x01"), R"("plain \"quoted\" \\ \n\u0001")");
  for (const char* good : {"\u00e9", "\u20ac", "\U0001f3ad", "\ud7ff", "\ue000", "\U0010ffff"}) {
    EXPECT_EQ(json_of(good), "\"" + std::string(good) + "\"");
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  const std::pair<const char*, int> bad[] = {
      {"\x80", 1},         {"\xff", 1},         {"\xc3", 1},         {"\xc0\xaf", 2},         {"\xe2\x82", 2},
      {"\xed\xa0\x80", 3}, {"\xe0\x80\x80", 3}, {"\xf0\x9f\x8e", 3}, {"\xf4\x90\x80\x80", 4}, {"\xf5\x80", 2}};
  for (const auto& [bytes, count] : bad) {
    std::string marks;
    for (int i = 0; i < count; ++i) marks += mark;
    EXPECT_EQ(json_of("a" + std::string(bytes) + "\u00e9"), "\"a" + marks + "\u00e9\"");
    EXPECT_FALSE(is_utf8(bytes));
  }
}

TEST(PlainText, EndsAtTheFirstCharacterThatJsonEscapesOrThatIsNotAscii) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    EXPECT_EQ(is_plain(c), byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\') << byte;
    for (std::size_t size = 1; size <= 20; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'x');
        text[at] = c;
        ASSERT_EQ(plain_bytes(text), is_plain(c) ? size : at) << byte << " at " << at << " of " << size;
      }
    }
  }
  EXPECT_EQ(plain_bytes({}), 0U);
}

TEST(Controls, AreCharactersThatChangeHowALineIsShown) {
  for (const char* control :
       {"\x01", "\n", "\x7f", "\u0080", "\u009f", "\u061c", "\u200e", "\u200f", "\u2028", "\u202a", "\u202e", "\u2066", "\u2069"}) {
    EXPECT_TRUE(has_control("a" + std::string(control))) << control;
    EXPECT_EQ(without_controls("a" + std::string(control) + "b"), "a b");
  }
  for (const char* shown : {" ", "~", "\u00a0", "\u200d", "\u2010", "\u2027", "\u202f", "\u2065", "\u206a", "\u05d0", "\U0001f3ad"}) {
    EXPECT_FALSE(has_control(shown)) << shown;
    EXPECT_EQ(without_controls(shown), shown);
  }
}

TEST(Uuid, IsReadInAnyLetterCaseAndWrittenInLowerCase) {
  const std::string lower = "0123abcd-4567-89ef-fedc-ba9876543210";
  for (const std::string& text :
       {lower, std::string("0123ABCD-4567-89EF-FEDC-BA9876543210"), std::string("0123aBcD-4567-89Ef-FedC-bA9876543210")}) {
    const auto id = parse_uuid(text);
    ASSERT_TRUE(id.has_value()) << text;
    EXPECT_EQ(to_string(*id), lower);
  }
}

TEST(Uuid, IsTheSameAfterWritingAndReadingWithAnyByteAnywhere) {
  for (std::size_t at = 0; at < 16; ++at) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      Uuid id{};
      id.data[at] = static_cast<std::uint8_t>(byte);
      const std::string text = to_string(id);
      ASSERT_EQ(parse_uuid(text), id) << text;
      ASSERT_EQ(uuid_text(id).view(), text);
      std::string appended = "id ";
      append_uuid(appended, id);
      ASSERT_EQ(appended, "id " + text);
    }
  }
}

TEST(Uuid, WithAnyWrongCharacterAnywhereIsNotRead) {
  const std::string good = "0123abcd-4567-89ef-fedc-ba9876543210";
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      std::string text = good;
      text[at] = c;
      ASSERT_EQ(parse_uuid(text).has_value(), good[at] == '-' ? c == '-' : hex_value(c) >= 0) << text;
    }
  }
}

TEST(Uuid, OfAnyOtherFormIsNotRead) {
  for (const char* text :
       {"", "0123abcd456789effedcba9876543210", "{0123abcd-4567-89ef-fedc-ba9876543210}", "0123abcd-4567-89ef-fedc-ba987654321",
        "0123abcd-4567-89ef-fedc-ba98765432100", "0123abcd-4567-89ef-fedc-ba987654321g", "0123abcd+4567-89ef-fedc-ba9876543210",
        "0123abc-d4567-89ef-fedc-ba9876543210", "-123abcd-4567-89ef-fedc-ba9876543210", "0123abcd-4567-89ef-fedcb-a9876543210",
        " 123abcd-4567-89ef-fedc-ba9876543210", "urn:uuid:0123abcd-4567-89ef-fedc-ba98"}) {
    EXPECT_FALSE(parse_uuid(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_uuid(std::string_view("0123abcd-4567-89ef-fedc-ba98765432\0"
                                           "0",
                                           36))
                   .has_value());
}

TEST(DerivedSeatId, DependsOnlyOnEventAndLabel) {
  const Uuid event = parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8").value();
  const Uuid id = derived_seat_id(event, "www.example.com");
  EXPECT_EQ(to_string(id), "2ed6657d-e927-568b-95e1-2665a8aea6a2");   // RFC 4122's name, by its version 5
  EXPECT_EQ(derived_seat_id(event, "www.example.com"), id);
  EXPECT_NE(derived_seat_id(event, "www.example.con"), id);
  EXPECT_NE(derived_seat_id(id, "www.example.com"), id);
}

TEST(ReservationId, CarriesItsEventsNumberAndSaysThatItIsAUuidOfVersion8) {
  const std::uint8_t random[10] = {0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0};
  for (const EventNumber event : {1u, 2u, 255u, 256u, 0x12345678u, 0xFFFFFFFFu}) {
    const Uuid id = make_reservation_id(event, 1'771'949'700'000, random);
    EXPECT_EQ(event_of_reservation(id), event);
    const std::string text = to_string(id);
    EXPECT_EQ(text[14], '8');
    EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
    EXPECT_EQ(event_of_reservation(parse_uuid(text).value()), event);
  }
}

TEST(ReservationId, HasTheTimeInStepsOf65SecondsAfterTheEvent) {
  const std::uint8_t zero[10] = {};
  const auto time_of = [&](std::int64_t ms) {
    const Uuid id = make_reservation_id(1, ms, zero);
    return id.data[4] << 2 | id.data[5] >> 6;
  };
  EXPECT_EQ(time_of(0), 0);
  EXPECT_EQ(time_of(65'535), 0);
  EXPECT_EQ(time_of(65'536), 1);
  EXPECT_EQ(time_of(65'536 * 1'023), 1'023);
  EXPECT_EQ(time_of(65'536 * 1'024), 0);
}

TEST(ReservationId, HasEachOfIts80RandomBitsAtAPlaceOfItsOwn) {
  std::uint8_t random[10] = {};
  const Uuid without = make_reservation_id(1, 0, random);
  std::set<int> places;
  for (int bit = 0; bit < 80; ++bit) {
    random[bit / 8] = static_cast<std::uint8_t>(1 << bit % 8);
    const Uuid with = make_reservation_id(1, 0, random);
    random[bit / 8] = 0;
    int changed = 0;
    for (int place = 0; place < 128; ++place) {
      const int mask = 1 << place % 8;
      if ((with.data[place / 8] & mask) == (without.data[place / 8] & mask)) continue;
      ++changed;
      places.insert(place);
    }
    EXPECT_EQ(changed, 1) << "bit " << bit;
    EXPECT_EQ(event_of_reservation(with), 1u);
  }
  EXPECT_EQ(places.size(), 80u);
}

TEST(ReservationId, IsNotReadFromAnotherUuid) {
  EXPECT_FALSE(event_of_reservation(parse_uuid("00000001-0000-4000-8000-000000000000").value()).has_value());   // version 4
  EXPECT_FALSE(event_of_reservation(parse_uuid("00000001-0000-8000-4000-000000000000").value()).has_value());   // another variant
  EXPECT_FALSE(event_of_reservation(parse_uuid("00000000-0000-8000-8000-000000000000").value()).has_value());   // no event
  EXPECT_EQ(event_of_reservation(parse_uuid("00000001-0000-8000-8000-000000000000").value()), 1u);
}

// -------------------------------------------------------------------------------------------------------------------- time

TEST(Rfc3339, IsWrittenInUtcWithMillisecondsOnlyWhereTheyAreNotZero) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(1'771'949'700'000), "2026-02-24T16:15:00Z");
  EXPECT_EQ(rfc3339(1'771'949'700'250), "2026-02-24T16:15:00.250Z");
  EXPECT_EQ(rfc3339(1'771'949'700'007), "2026-02-24T16:15:00.007Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(-62'167'219'200'000), "0000-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(253'402'300'799'999), "9999-12-31T23:59:59.999Z");
}

TEST(Rfc3339, IsReadBackAsWritten) {
  for (const Millis at : {Millis{0}, Millis{1}, Millis{-1}, Millis{1'771'949'700'250}, Millis{951'782'399'999}, Millis{-62'167'219'200'000},
                          Millis{253'402'300'799'999}}) {
    EXPECT_EQ(parse_rfc3339(rfc3339(at)), at) << rfc3339(at);
  }
}

TEST(Rfc3339, IsReadWithOffsetFractionSmallLettersAndLeapSecond) {
  EXPECT_EQ(parse_rfc3339("2026-02-24T17:15:00+01:00"), 1'771'949'700'000);
  EXPECT_EQ(parse_rfc3339("2026-02-24T10:45:00.000-05:30"), 1'771'949'700'000);
  EXPECT_EQ(parse_rfc3339("2026-02-24t16:15:00z"), 1'771'949'700'000);
  EXPECT_EQ(parse_rfc3339("2026-02-24T16:15:00.2Z"), 1'771'949'700'200);
  EXPECT_EQ(parse_rfc3339("2026-02-24T16:15:00.25Z"), 1'771'949'700'250);
  EXPECT_EQ(parse_rfc3339("2026-02-24T16:15:00.2509999999999999999999Z"), 1'771'949'700'250);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), parse_rfc3339("2017-01-01T00:00:00Z"));
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), 1'709'164'800'000);
  EXPECT_EQ(parse_rfc3339("2026-02-25T00:30:00+00:45"), parse_rfc3339("2026-02-24T23:45:00Z"));
}

TEST(Rfc3339, OfAnyOtherFormIsNotRead) {
  for (const char* text : {"",
                           "2026-02-24",
                           "2026-02-24T16:15:00",
                           "2026-02-24 16:15:00Z",
                           "2026-02-24T16:15Z",
                           "2026-2-24T16:15:00Z",
                           "2026-02-24T16:15:00.Z",
                           "2026-02-24T16:15:00.1",
                           "2026-02-24T24:00:00Z",
                           "2026-02-24T16:60:00Z",
                           "2026-02-24T16:15:61Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "1900-02-29T00:00:00Z",
                           "2026-02-24T16:15:00+1:00",
                           "2026-02-24T16:15:00+0100",
                           "2026-02-24T16:15:00+24:00",
                           "2026-02-24T16:15:00+01:60",
                           "2026-02-24T16:15:00ZZ",
                           "2026-02-24T16:15:00Z ",
                           " 2026-02-24T16:15:00Z",
                           "2026-02-24T16:15:-1Z",
                           "+026-02-24T16:15:00Z",
                           "2026-02-24T16:15:00,5Z",
                           "2026-02-24T16:15:00*01:00"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

TEST(Rfc3339, BeyondTheYears0To9999AfterItsOffsetIsNotRead) {
  EXPECT_FALSE(parse_rfc3339("0000-01-01T00:00:00+00:01").has_value());
  EXPECT_TRUE(parse_rfc3339("0000-01-01T00:01:00+00:01").has_value());
  EXPECT_FALSE(parse_rfc3339("9999-12-31T23:59:59-00:01").has_value());
  EXPECT_FALSE(parse_rfc3339("9999-12-31T23:59:60Z").has_value());
}

// ------------------------------------------------------------------------------------------------------------------ prices

TEST(Price, HasTwoToFourDecimals) {
  const auto text = [](std::int64_t ten_thousandths) {
    std::string out;
    append_price(out, Price{ten_thousandths});
    return out;
  };
  EXPECT_EQ(text(0), "0.00");
  EXPECT_EQ(text(450'000), "45.00");
  EXPECT_EQ(text(455'000), "45.50");
  EXPECT_EQ(text(1'250), "0.125");
  EXPECT_EQ(text(1), "0.0001");
  EXPECT_EQ(text(100), "0.01");
  EXPECT_EQ(text(-1), "-0.0001");
  EXPECT_EQ(text(-450'000), "-45.00");
  EXPECT_EQ(text(std::numeric_limits<std::int64_t>::max()), "922337203685477.5807");
  EXPECT_EQ(text(std::numeric_limits<std::int64_t>::min()), "-922337203685477.5808");
}

TEST(TraceParent, IsReadAndWrittenUnchanged) {
  const std::string text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto trace = parse_traceparent(text);
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->packed[0], 0x0A);
  EXPECT_EQ(trace->packed[24], 0x01);
  EXPECT_EQ(to_string(*trace), text);
}

TEST(TraceParent, OfALaterVersionIsReadAsTheFirst) {
  const std::string ids = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  EXPECT_EQ(to_string(parse_traceparent("cc" + ids).value()), "00" + ids);
  EXPECT_EQ(to_string(parse_traceparent("cc" + ids + "-what-the-future-will-be-like").value()), "00" + ids);
  EXPECT_FALSE(parse_traceparent("cc" + ids + ".more"));
  EXPECT_FALSE(parse_traceparent("00" + ids + "-more"));
  EXPECT_FALSE(parse_traceparent("ff" + ids));
}

TEST(TraceParent, OfAnyOtherFormIsNotRead) {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(parse_traceparent(good.substr(0, cut))) << cut;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = 'G';
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
  EXPECT_FALSE(parse_traceparent("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")) << "upper case";
  EXPECT_FALSE(parse_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
}

// --- numbers and bytes ---

TEST(Decimal, IsDigitsAloneThatTheTypeCanHold) {
  EXPECT_EQ(parse_decimal<std::uint16_t>("0"), 0);
  EXPECT_EQ(parse_decimal<std::uint16_t>("00065535"), 65'535);
  EXPECT_EQ(parse_decimal<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_decimal<std::int64_t>("-9223372036854775808"), INT64_MIN);
  for (const char* bad : {"", "65536", "-1", "+1", " 1", "1 ", "1.0", "0x1", "one"}) EXPECT_FALSE(parse_decimal<std::uint16_t>(bad)) << bad;
}

TEST(Decimal, IsWrittenUpToTheLargestNumber) {
  std::string text;
  append_decimal(text, 0);
  append_decimal(text, UINT64_MAX);
  EXPECT_EQ(text, "018446744073709551615");
}

TEST(Hex, HasTwoDigitsInLowerCaseForEachByte) {
  std::string text = "k";
  append_hex(text, std::array<std::uint8_t, 4>{0x00, 0x0A, 0xB7, 0xFF});
  EXPECT_EQ(text, "k000ab7ff");
}

}  // namespace
}  // namespace holdfast
