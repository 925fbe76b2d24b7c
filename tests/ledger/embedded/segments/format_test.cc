// The bytes of the files, which stay: docs/internals/journal.md shows those of this test, and a reader in another language reads what the
// writer wrote.
#include "ledger/embedded/segments/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "ledger/embedded/segments/posix_disk.h"
#include "ledger/embedded/segments/segments_in_test.h"
#include "ledger/embedded/segments/simulated_disk.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using segments::k_block;
using segments::Round;
using segments::SegmentWriter;
using testing::HasSubstr;

const fs::path k_sources = HOLDFAST_SOURCE_DIR;

// As the page shows bytes: 16 a line.
std::string hex(std::string_view bytes) {
  std::string text;
  std::array<char, 8> digits{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) text += i % 16 == 0 ? "\n" : " ";
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned>(static_cast<std::uint8_t>(bytes[i])));
    text += digits.data();
  }
  return text;
}

// Of both slots of `reach`, the first one is newer then.
// The journal of the page's example: one round with one row and one note.
void write_example(SimulatedDisk& disk) {
  const SegmentWriter::Options options{.segment_bytes = k_small_segment, .draw_salt = [] { return 0x0123456789ABCDEFULL; }};
  SegmentWriter::create(disk, options, k_test_journal, {});
  SettledWriter writer(disk, options);
  Round round(writer.reach());
  round.add_row(1, 1, 1, k_test_time, std::string_view("\x02\x0B\x07\x00", 4));
  round.add_note(segments::k_note_tables, "as of row 0");
  writer.append(round);
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

constexpr const char* k_header_bytes = R"(3e 61 1f 27 81 0f d3 8d 48 66 53 65 67 6d 6e 74
01 00 00 00 00 00 00 00 00 00 00 00 00 10 00 00
01 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00
10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f
ef cd ab 89 67 45 23 01 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00)";
constexpr const char* k_opening_bytes = R"(e4 5b 0f f6 24 36 eb 6e 48 66 52 64 60 00 00 00
01 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00)";
constexpr const char* k_round_bytes = R"(bd eb e5 a8 9d ad d0 10 48 66 52 64 9d 00 00 00
02 00 00 00 02 00 00 00 01 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 01 00 00 00 01 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
01 2d 97 26 90 4a bc 30 a0 31 63 f0 07 32 a6 00
3d 74 4a 07 86 b2 0e 4e 42 6e 52 1b c3 03 e3 e0
f0 0d 01 01 01 c0 ce f5 86 92 67 02 0b 07 00 02
0c 03 61 73 20 6f 66 20 72 6f 77 20 30)";
constexpr const char* k_reach_bytes = R"(bd 3a 18 ec 44 1f 6b 3f 48 66 4d 61 72 6b 65 72
01 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00
04 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
97 26 90 4a bc 30 a0 31 63 f0 07 32 a6 00 3d 74
4a 07 86 b2 0e 4e 42 6e 52 1b c3 03 e3 e0 f0 0d
10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00)";

TEST(SegmentFormat, HasTheBytesThatThePageShows) {
  SimulatedDisk disk;
  write_example(disk);
  const std::string segment = disk.content("0000000001.segment");
  const std::string page = text_of(k_sources / "docs" / "internals" / "journal.md");
  const auto expect = [&](std::string_view bytes, const char* expected) {
    EXPECT_EQ(hex(bytes), expected);
    EXPECT_THAT(page, HasSubstr(std::string("\n") + expected + "\n"));
  };
  expect(std::string_view(segment).substr(0, segments::k_file_header), k_header_bytes);
  expect(std::string_view(segment).substr(k_block, segments::k_frame_header), k_opening_bytes);
  const auto length = segments::get<std::uint32_t>(segment.data() + 2 * k_block + 12);
  expect(std::string_view(segment).substr(2 * k_block, length), k_round_bytes);
  expect(std::string_view(disk.content("reach")).substr(0, segments::k_file_header), k_reach_bytes);
  // And nothing else.
  const std::string rest = segment.substr(segments::k_file_header, k_block - segments::k_file_header) +
                           segment.substr(k_block + segments::k_frame_header, k_block - segments::k_frame_header) +
                           segment.substr(2 * k_block + length);
  EXPECT_EQ(rest.find_first_not_of('\0'), std::string::npos);
}

TEST(SegmentFormat, NamesASegmentByItsNumber) {
  EXPECT_EQ(segments::name_of_segment(1), "0000000001.segment");
  for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{9'999'999'999}, std::uint64_t{10'000'000'000}}) {
    EXPECT_EQ(segments::number_of_segment(segments::name_of_segment(number)), number);
  }
  for (const char* name :
       {"", ".segment", "1.segment", "0000000000.segment", "0000000001.segment.partial", "000000001x.segment", "00000000001.segment"}) {
    EXPECT_FALSE(segments::number_of_segment(name).has_value()) << name;
  }
}

// What the example's program printed, and its status.
std::pair<int, std::string> read_in_python(const fs::path& folder) {
  const std::string command =
      "python3 '" + (k_sources / "examples/journal_reader/read_journal.py").string() + "' '" + folder.string() + "' 2>&1";
  FILE* const output = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> part{};
  while (const std::size_t size = std::fread(part.data(), 1, part.size(), output)) text.append(part.data(), size);
  return {::pclose(output), text};
}

TEST(SegmentFormat, IsReadByAProgramInPythonThatKnowsOnlyThePage) {
  const fs::path folder = fs::path(testing::TempDir()) / ("segments_in_python_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  segments::PosixDisk disk(folder);
  Answered answered;
  live(disk, 24, answered);
  std::string expected;
  SettledWriter writer(disk, small_segments());
  const segments::SegmentReader reader(disk, writer.catalog());
  reader.read(reader.oldest(), [&](const JournalRow& row) {
    std::string begin = hex(row.body.substr(0, 16));
    std::erase(begin, ' ');
    expected += " row " + std::to_string(row.position) + " event " + std::to_string(row.event) + " first_seq " +
                std::to_string(row.first_seq) + " changes " + std::to_string(row.changes) + " at " + std::to_string(row.at) + " body " +
                std::to_string(row.body.size()) + " " + begin + "\n";
    return true;
  });
  const auto [status, printed] = read_in_python(folder);
  EXPECT_EQ(status, 0) << printed;
  std::string without_rounds;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) without_rounds += line.substr(line.find(" row ")) + "\n";
  EXPECT_EQ(without_rounds, expected);

  const fs::path last = folder / writer.catalog().snapshot().segments.back().name();
  std::fstream(last, std::ios::in | std::ios::out | std::ios::binary).seekp(2 * k_block + 100).put('?');
  const auto [damaged_status, sentence] = read_in_python(folder);
  EXPECT_NE(damaged_status, 0);
  EXPECT_THAT(sentence, HasSubstr("is not what was written"));
  fs::remove_all(folder);
}

// A journal on disk that the example's program reads after it was damaged, each time from a fresh copy.
struct SegmentsInPython : testing::Test {
  SegmentsInPython() {
    fs::create_directories(whole);
    segments::PosixDisk disk(whole);
    Answered answered;
    live(disk, 24, answered);
    SettledWriter writer(disk, small_segments());
    const auto snapshot = writer.catalog().snapshot();
    for (const auto& each : snapshot.segments) names.push_back(each.name());
  }
  ~SegmentsInPython() override { fs::remove_all(folder); }

  // What the program says; empty if it finds nothing wrong.
  std::string said_after(const std::function<void(const fs::path&)>& damage) const {
    const fs::path copy = folder / "copy";
    fs::remove_all(copy);
    fs::copy(whole, copy);
    damage(copy);
    const auto [status, printed] = read_in_python(copy);
    EXPECT_THAT(printed, testing::Not(HasSubstr("Traceback")));
    const std::size_t sentence = printed.find("the journal ");
    EXPECT_EQ(status == 0, sentence == std::string::npos) << printed;
    return sentence == std::string::npos ? "" : printed.substr(sentence);
  }
  // The same after a change of the newest segment, whose header and first two frames then have the right checksums.
  std::string said_after_change(const std::function<void(std::string&)>& change) const {
    return said_after([&](const fs::path& copy) {
      std::string bytes = text_of(copy / names.back());
      change(bytes);
      segments::put(bytes.data(), segments::checksum(std::string_view(bytes).substr(8, segments::k_file_header - 8), 0));
      const auto salt = segments::get<std::uint64_t>(bytes.data() + 64);
      for (const std::size_t frame : {k_block, 2 * k_block}) {
        const auto length = segments::get<std::uint32_t>(bytes.data() + frame + 12);
        segments::put(bytes.data() + frame, segments::checksum(std::string_view(bytes).substr(frame + 8, length - 8), salt));
      }
      std::ofstream(copy / names.back(), std::ios::binary) << bytes;
    });
  }

  const fs::path folder = fs::path(testing::TempDir()) / ("segments_damaged_" + std::to_string(::getpid()));
  const fs::path whole = folder / "whole";
  std::vector<std::string> names;   // of the segments in use
};

TEST_F(SegmentsInPython, AreMissedWhereTheyAreNot) {
  ASSERT_GE(names.size(), 3U);
  EXPECT_EQ(said_after([](const fs::path&) {}), "");
  for (const std::string& name : {names[0], names[1]}) {
    EXPECT_THAT(said_after([&](const fs::path& copy) { fs::remove(copy / name); }), HasSubstr(" is missing")) << name;
  }
  EXPECT_THAT(said_after([](const fs::path& copy) { fs::remove(copy / "reach"); }), HasSubstr("cannot be read"));
  EXPECT_THAT(said_after([](const fs::path& copy) { fs::remove_all(copy); }), HasSubstr("cannot be read"));
  const auto lose_all_but_one_round = [](std::string& bytes) {
    const auto length = segments::get<std::uint32_t>(bytes.data() + 2 * k_block + 12);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(2 * k_block + length), bytes.end(), '\0');
  };
  EXPECT_THAT(said_after_change(lose_all_but_one_round), HasSubstr("reach knows"));
}

// As after a salvage, or where an older kind of journal was taken over.
TEST_F(SegmentsInPython, MayBeginAfterAPosition) {
  const fs::path later = folder / "later";
  fs::create_directories(later);
  segments::PosixDisk disk(later);
  const segments::Reach start{.round = 0, .head = {.position = 1'000, .hash = {7}}};
  SegmentWriter::create(disk, small_segments(), k_test_journal, start);
  Answered answered;
  live(disk, 4, answered);
  ASSERT_GT(answered.reach.head.position, 1'000);
  const auto [status, printed] = read_in_python(later);
  EXPECT_EQ(status, 0) << printed;
  EXPECT_THAT(printed, testing::AllOf(HasSubstr(" row 1001 "), testing::Not(HasSubstr(" row 1000 "))));
  EXPECT_THAT(printed, HasSubstr(" row " + std::to_string(answered.reach.head.position) + " "));
}

TEST_F(SegmentsInPython, AreRefusedIfTheyAreWholeAndDoNotFit) {
  EXPECT_EQ(said_after_change([](std::string&) {}), "");
  EXPECT_THAT(said_after_change([](std::string& bytes) { bytes[2 * k_block + segments::k_frame_header] = 5; }),
              HasSubstr("a record of type 5"));
  EXPECT_THAT(said_after_change([](std::string& bytes) { ++bytes[2 * k_block + 72]; }), HasSubstr("says that it has"));
  EXPECT_THAT(said_after_change([](std::string& bytes) { ++bytes[48]; }), HasSubstr("of another journal"));
  EXPECT_THAT(said_after_change([](std::string& bytes) { bytes[16] = 2; }), HasSubstr("format version 2"));
  EXPECT_THAT(said_after_change([](std::string& bytes) { bytes[24] = 4; }), HasSubstr("incompatible features"));
  EXPECT_THAT(said_after_change([](std::string& bytes) { bytes[k_block + 84] = 4; }), HasSubstr("incompatible features"));
  EXPECT_EQ(said_after_change([](std::string& bytes) { bytes[20] = 4; }), "");
  EXPECT_THAT(said_after_change([](std::string& bytes) { bytes[k_block + 20] = 2; }), HasSubstr("begins with its opening"));
  EXPECT_THAT(said_after_change([](std::string& bytes) { ++bytes[2 * k_block + 76]; }), HasSubstr("the frame before it"));
}

}  // namespace
}  // namespace holdfast::test
